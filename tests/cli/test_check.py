"""`authx check`: what it is given, what it finds there, and how it ends."""

import asyncio
import json

import pytest

from authx.stores import open_store

from .conftest import SECRET

HEAD = f"""
from fastapi import Depends, FastAPI
from authx import AuthManager, AuthX, AuthXConfig

GOOD = AuthXConfig(JWT_SECRET_KEY={SECRET!r})
"""


@pytest.fixture
def module(folder):
    """Writes a module into the current folder."""

    def write(source: str, name: str = "main") -> None:
        (folder / f"{name}.py").write_text(HEAD + source)

    return write


def codes(done) -> list[str]:
    return [finding["code"] for finding in json.loads(done.out)]


# What it is given


def test_the_settings_of_the_environment_are_checked_by_default(authx, monkeypatch):
    done = authx("check")
    assert (done.code, codes(done)) == (1, ["key-missing", "store-none"])
    monkeypatch.setenv("JWT_SECRET_KEY", SECRET)
    done = authx("check", "--strict")
    assert (done.code, codes(done), done.err) == (0, ["store-none"], "")


def test_the_store_of_the_environment_may_be_that_of_a_login_type(authx, monkeypatch):
    monkeypatch.setenv("JWT_SECRET_KEY", SECRET)
    monkeypatch.setenv("JWT_STORE_URL", "sqlite:///auth.db")
    monkeypatch.setenv("JWT_STORE_CREATE_SCHEMA", "false")
    store = open_store("sqlite:///auth.db").namespace("admin")

    async def make() -> None:
        await store.open()
        await store.create_schema()
        await store.close()

    asyncio.run(make())
    assert codes(authx("check")) == ["store-tables"]
    assert codes(authx("check", "--login-type", "admin")) == []


def test_a_target_has_a_login_type_of_its_own(authx, module):
    module("auth = AuthX(GOOD, login_type='admin')")
    done = authx("check", "main:auth", "--login-type", "user")
    assert done.code == 2
    assert "leave it out" in done.err


def test_an_instance_with_a_store_and_an_application_has_no_findings(authx, module):
    module("app = FastAPI()\nauth = AuthX(GOOD, store='sqlite:///auth.db')\nauth.handle_errors(app)")
    for target in ("main:auth", "main:app"):
        done = authx("check", target, "--strict")
        assert (done.code, codes(done)) == (0, ["store-new"])


def test_no_store_is_made_by_looking_at_it(authx, module, folder):
    module("auth = AuthX(GOOD, store='sqlite:///auth.db')")
    authx("check", "main:auth")
    assert not list(folder.glob("auth.db*"))


def test_an_instance_deeper_in_a_module_can_be_named(authx, module):
    module("class Parts:\n    auth = AuthX(AuthXConfig(JWT_SECRET_KEY='x7Kq-2'))")
    assert "secret-short" in codes(authx("check", "main:Parts.auth"))


def test_an_application_leads_to_every_instance_that_its_routes_ask(authx, module):
    module(
        "app = FastAPI()\n"
        "users = AuthX(GOOD)\n"
        "staff = AuthX(AuthXConfig(JWT_SECRET_KEY='x7Kq-2'))\n"
        "idle = AuthX(AuthXConfig(JWT_SECRET_KEY='x7Kq-3'))\n"
        "users.handle_errors(app)\n"
        "@app.get('/a', dependencies=[Depends(users.access_token_required)])\n"
        "def a(): ...\n"
        "@app.get('/b')\n"
        "def b(payload = staff.ACCESS_REQUIRED): ...\n"
    )
    found = json.loads(authx("check", "main:app").out)
    assert {one["instance"] for one in found} == {"main:users", "main:staff"}
    assert [one["instance"] for one in found if one["code"] == "secret-short"] == ["main:staff"]


def test_an_instance_of_another_module_is_found_through_a_route(authx, module):
    module("auth = AuthX(AuthXConfig(JWT_SECRET_KEY='x7Kq-2'))", "security")
    module(
        "import security\n"
        "app = FastAPI()\n"
        "@app.get('/')\n"
        "def index(subject = Depends(security.auth.get_current_subject)): ...\n"
    )
    assert {"secret-short", "handler-missing"} <= set(codes(authx("check", "main:app")))


def test_a_manager_leads_to_its_instances(authx, module):
    module("manager = AuthManager()\nmanager.register(AuthX(AuthXConfig(JWT_SECRET_KEY='x7Kq-2'), login_type='staff'))")
    (short,) = [one for one in json.loads(authx("check", "main:manager").out) if one["code"] == "secret-short"]
    assert short["instance"] == "main:manager, staff"


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("main", "write module:attribute"),
        (":auth", "write module:attribute"),
        ("main:", "write module:attribute"),
        ("main.py:auth", "name the module: main:auth"),
        ("./main.py:auth", "name the module: main:auth"),
        ("src/main.py:auth", "name the module: src.main:auth"),
        ("nowhere:auth", "there is no module 'nowhere'"),
        ("main.deeper:auth", "there is no module 'main.deeper'"),
        ("main:auht", "has no attribute 'auht'; there is main:auth"),
        ("main:auth.more", "has no attribute 'auth.more'"),
        ("main:make_auth", "is a function, and is not called here: name what it returns"),
        ("main:AuthX", "is a class"),
        ("main:number", "is no AuthX but an int"),
        ("main:lonely", "no route of main:lonely asks an AuthX"),
        ("main:nobody", "nothing is registered with it"),
        ("broken:auth", "importing broken failed with RuntimeError: the fuse is blown"),
        ("broken:auth", "broken.py, line "),
        ("needs:auth", "importing needs failed with ModuleNotFoundError: No module named 'nothing_of_ours'"),
        ("wrong:auth", "importing wrong failed with SyntaxError"),
        ("leaves:auth", "importing leaves failed with SystemExit"),
    ],
)
def test_a_target_that_leads_nowhere_is_told_why(authx, module, target, reason):
    module("auth = AuthX(GOOD)\ndef make_auth(): return auth\nnumber = 3\nlonely = FastAPI()\nnobody = AuthManager()\n")
    module("raise RuntimeError('the fuse is blown')", "broken")
    module("import nothing_of_ours", "needs")
    module("auth = (", "wrong")
    module("raise SystemExit(3)", "leaves")
    done = authx("check", target)
    assert (done.code, done.out) == (2, "")
    assert reason in done.err


def test_what_an_application_raises_is_shown_without_passwords(authx, module):
    module("raise OSError('no answer from postgresql://anna:hush@db/x')")
    assert "hush" not in authx("check", "main:auth").err


def test_what_an_application_prints_does_not_get_between_the_findings(authx, module):
    module("print('starting')\nauth = AuthX(GOOD)")
    done = authx("check", "main:auth")
    assert "store-none" in codes(done)
    assert "starting" in done.err


# What it finds


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ("JWT_COOKIE_SAMESITE='none', JWT_COOKIE_SECURE=False", "needs JWT_COOKIE_SECURE=True"),
        ("JWT_ACCESS_TOKEN_EXPIRES='soon'", "JWT_ACCESS_TOKEN_EXPIRES: Input should be"),
        ("JWT_NONSENSE=1", "JWT_NONSENSE: Extra inputs"),
        ("JWT_ALGORITHM='RS256', JWT_PRIVATE_KEY='hush'", "not in PEM form"),
    ],
)
def test_settings_of_which_no_instance_can_be_made_are_an_error(authx, module, config, reason):
    module(f"auth = AuthX(AuthXConfig({config}))")
    done = authx("check", "main:auth")
    (finding,) = json.loads(done.out)
    assert (done.code, finding["code"], finding["instance"]) == (1, "settings-refused", "main:auth")
    assert reason in finding["message"]
    assert "hush" not in done.out


def test_each_setting_that_cannot_be_read_is_an_error_of_its_own(authx, monkeypatch):
    monkeypatch.setenv("JWT_ALGORITHM", "rot13")
    monkeypatch.setenv("JWT_COOKIE_SECURE", "perhaps")
    found = json.loads(authx("check").out)
    assert [one["code"] for one in found] == ["settings-refused"] * 2
    assert {one["message"].partition(" ")[0] for one in found} == {"JWT_ALGORITHM", "JWT_COOKIE_SECURE"}


@pytest.mark.parametrize(
    ("source", "target", "code"),
    [
        ("app = FastAPI()\nauth = AuthX(GOOD)", "main:auth", "handler-missing"),
        ("auth = AuthX(GOOD)", "main:auth", "handler-unseen"),
        ("app = FastAPI()\nauth = AuthX(GOOD)\nauth.handle_errors(app)", "main:auth", None),
        (
            "app = FastAPI()\nauth = AuthX(GOOD)\nother = AuthX(GOOD, store='memory://')\nauth.handle_errors(app)",
            "main:other",
            "lifespan-missing",
        ),
    ],
)
def test_an_application_that_does_not_answer_errors_is_found(authx, module, source, target, code):
    module(source)
    found = {one for one in codes(authx("check", target)) if one.startswith(("handler", "lifespan"))}
    assert found == ({code} if code else set())


@pytest.mark.parametrize(
    ("environment", "arguments", "code"),
    [
        ({}, (), "memory-forgets"),
        ({"WEB_CONCURRENCY": "4"}, (), "memory-workers"),
        ({"WEB_CONCURRENCY": "1"}, (), "memory-forgets"),
        ({"WEB_CONCURRENCY": "several"}, (), "memory-forgets"),
        ({}, ("--workers", "2"), "memory-workers"),
        ({"WEB_CONCURRENCY": "4"}, ("--workers", "1"), "memory-forgets"),
    ],
)
def test_a_store_in_memory_is_none_for_several_workers(authx, monkeypatch, environment, arguments, code):
    for name, value in (environment | {"JWT_SECRET_KEY": SECRET, "JWT_STORE_URL": "memory://"}).items():
        monkeypatch.setenv(name, value)
    assert codes(authx("check", *arguments)) == [code]


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("postgresql://anna:hush@127.0.0.1:1/db", "store-silent"),
        ("redis://:hush@127.0.0.1:1", "store-silent"),
        ("mysql://anna:hush@localhost/db", "store-unusable"),
        ("sqlite:///nowhere/auth.db", "store-unusable"),
        ("sqlite:///auth.db", "store-new"),
    ],
)
def test_a_store_that_cannot_be_used_is_found_without_its_password(authx, monkeypatch, url, code):
    monkeypatch.setenv("JWT_SECRET_KEY", SECRET)
    monkeypatch.setenv("JWT_STORE_URL", url)
    done = authx("check")
    assert codes(done) == [code]
    assert "hush" not in done.out + done.err


def test_a_file_that_is_no_database_is_found(authx, monkeypatch, folder):
    (folder / "auth.db").write_text("this is a letter to my aunt, and no database at all" * 20)
    monkeypatch.setenv("JWT_SECRET_KEY", SECRET)
    monkeypatch.setenv("JWT_STORE_URL", "sqlite:///auth.db")
    assert codes(authx("check")) == ["store-unusable"]


def test_missing_tables_are_an_error_where_the_application_does_not_make_them(authx, monkeypatch):
    monkeypatch.setenv("JWT_SECRET_KEY", SECRET)
    monkeypatch.setenv("JWT_STORE_URL", "sqlite:///auth.db")
    monkeypatch.setenv("JWT_STORE_CREATE_SCHEMA", "false")
    assert codes(authx("check")) == ["store-tables"]


# How it ends


@pytest.mark.parametrize(
    ("settings", "strict", "code"),
    [
        ({}, False, 0),
        ({}, True, 0),
        ({"JWT_ACCESS_TOKEN_EXPIRES": "7200"}, False, 0),
        ({"JWT_ACCESS_TOKEN_EXPIRES": "7200"}, True, 1),
        ({"JWT_ACCESS_TOKEN_EXPIRES": "none"}, False, 1),
    ],
)
def test_errors_end_it_with_1_and_warnings_only_where_asked(authx, monkeypatch, settings, strict, code):
    for name, value in (settings | {"JWT_SECRET_KEY": SECRET}).items():
        monkeypatch.setenv(name, value)
    assert authx("check", *(["--strict"] if strict else [])).code == code


def test_each_finding_says_what_why_and_what_to_change(authx, monkeypatch):
    for finding in json.loads(authx("check").out):
        assert set(finding) == {"severity", "code", "message", "why", "change", "instance"}
        assert all(finding[name] for name in ("severity", "code", "message", "why", "change"))


def test_people_read_the_gravest_first_and_a_summary_last(authx, monkeypatch):
    monkeypatch.setenv("JWT_ACCESS_TOKEN_EXPIRES", "7200")
    lines = authx("check", "--table").out.splitlines()
    titles = [line.split()[0] for line in lines if line.startswith(("error", "warning", "info"))]
    assert titles == ["error", "warning", "info"]
    assert lines[-1] == "the environment: 1 error, 1 warning, 1 note"


def test_a_narrow_terminal_gets_short_lines(authx, monkeypatch):
    monkeypatch.setenv("COLUMNS", "50")
    assert max(map(len, authx("check", "--table").out.splitlines())) <= 50
