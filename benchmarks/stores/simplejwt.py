"""djangorestframework-simplejwt on SQLite, rotating with its blacklist; imported in an environment of its own.

Its view is called directly, with no middleware and no URLs, which is in its favour.
"""

import itertools
import os
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from benchmarks.cases import Case, CaseError, Facts

SECRET = "benchmark-secret-of-forty-eight-bytes-0123456789"
SESSIONS = 64
# As Django comes, and as its documentation says to set SQLite up for production.
SETTINGS: dict[str, dict[str, object]] = {
    "as it comes": {},
    "WAL, synchronous NORMAL": {
        "transaction_mode": "IMMEDIATE",
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
    },
}
_folder = tempfile.TemporaryDirectory(prefix="authx-bench-django-")


def _alias(number: int) -> str:
    return "default" if number == 0 else f"other{number}"


def _set_up() -> None:
    import django
    from django.conf import settings

    # Everything runs in the event loop's thread, one request at a time.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    settings.configure(
        SECRET_KEY=SECRET,
        INSTALLED_APPS=[
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "rest_framework",
            "rest_framework_simplejwt",
            "rest_framework_simplejwt.token_blacklist",
        ],
        DATABASES={
            _alias(number): {
                "ENGINE": "django.db.backends.sqlite3",
                "NAME": str(Path(_folder.name) / f"{number}.db"),
                "OPTIONS": options,
            }
            for number, options in enumerate(SETTINGS.values())
        },
        DATABASE_ROUTERS=["benchmarks.stores.simplejwt.Router"],
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        USE_TZ=True,
        ROOT_URLCONF="benchmarks.stores.simplejwt",
        ALLOWED_HOSTS=["*"],
        REST_FRAMEWORK={"DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"]},
        SIMPLE_JWT={"ROTATE_REFRESH_TOKENS": True, "BLACKLIST_AFTER_ROTATION": True},
    )
    django.setup()


urlpatterns: list[object] = []


class Router:
    """Sends everything to the database that is being measured."""

    current = "default"

    def db_for_read(self, *_: object, **__: object) -> str:
        return Router.current

    db_for_write = db_for_read

    def allow_relation(self, *_: object, **__: object) -> bool:
        return True


def _refresh_case(number: int, name: str) -> Case:
    from django.contrib.auth.models import User
    from django.core.management import call_command
    from rest_framework.test import APIRequestFactory
    from rest_framework_simplejwt.tokens import RefreshToken
    from rest_framework_simplejwt.views import TokenRefreshView

    alias, factory, view = _alias(number), APIRequestFactory(), TokenRefreshView.as_view()
    chains: list[str] = []

    def ready(token: str) -> Any:
        return factory.post("/token/refresh/", {"refresh": token}, format="json")

    async def check() -> Facts:
        Router.current = alias
        call_command("migrate", database=alias, verbosity=0)
        for n in range(SESSIONS):
            user = User.objects.create_user(f"user-{n}", password=None)
            chains.append(str(RefreshToken.for_user(user)))
        first = chains[0]
        await chunk(SESSIONS)
        again = view(ready(first)).render()
        if again.status_code != 401:
            raise CaseError(f"simplejwt: a used token was answered {again.status_code}")
        return {}

    async def chunk(calls: int) -> int:
        Router.current = alias
        took = 0
        clock = time.perf_counter_ns
        while calls:
            some = min(calls, len(chains))
            requests = [ready(token) for token in itertools.islice(chains, some)]
            started = clock()
            answers = [view(request).render() for request in requests]
            took += clock() - started
            if any(answer.status_code != 200 for answer in answers):
                raise CaseError("simplejwt: not every answer was 200")
            del chains[:some]
            chains.extend(str(answer.data["refresh"]) for answer in answers)
            calls -= some
        return took

    return Case(
        f"refresh simplejwt {number}", "simplejwt", f"sqlite: refresh, rotating, with blacklist; {name}", check, chunk
    )


def cases() -> Iterable[Case]:
    """The same refresh on both settings of the database."""
    _set_up()
    for number, name in enumerate(SETTINGS):
        yield _refresh_case(number, name)
