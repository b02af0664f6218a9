"""Functions of the application: any callable, asked with what it needs, and errors that say what was asked."""

import asyncio
import functools
import threading

import pytest
from fastapi import FastAPI
from starlette.requests import HTTPConnection
from tests.http.one_route import async_answer, one_route
from tests.support.asgi import OTHER_SECRET, SECRET, authorization, knock, make_auth
from tests.support.axes import spread

from authx import AuthX, AuthXConfig
from authx.exceptions import AuthXException, InsufficientScopeError, MissingTokenError


class Asks:
    """A callback in every form an application may have it."""

    def __init__(self, answer):
        self.answer = answer

    def method(self, argument):
        return self.answer

    async def async_method(self, argument):
        return self.answer

    def __call__(self, argument):
        return self.answer


class AsksLater(Asks):
    async def __call__(self, argument):
        return self.answer


def _plain(answer, argument):
    return answer


async def _later(answer, argument):
    return answer


FORMS = {
    "function": lambda answer: lambda argument: answer,
    "coroutine function": lambda answer: Asks(answer).async_method,
    "method": lambda answer: Asks(answer).method,
    "callable object": Asks,
    "object with an async call": AsksLater,
    "partial of a function": lambda answer: functools.partial(_plain, answer),
    "partial of a coroutine function": lambda answer: functools.partial(_later, answer),
    "partial of a partial": lambda answer: functools.partial(functools.partial(_later), answer),
    "partial of an object with an async call": lambda answer: functools.partial(AsksLater(answer)),
    "lambda returning a coroutine": lambda answer: lambda argument: _later(answer, argument),
}


class TestCallbacks:
    @pytest.mark.parametrize("inline", [False, True], ids=["", "inline"])
    @pytest.mark.parametrize("form", FORMS)
    def test_a_blocklist_may_be_any_callable(self, form, inline):
        auth = make_auth()
        app, headers = one_route(auth.access_token_required), [authorization(auth.create_access_token("alice"))]
        for answer, status in ((True, 401), (False, 200)):
            auth.set_token_blocklist(FORMS[form](answer), inline=inline)
            assert knock(app, headers=headers).status == status

    @pytest.mark.parametrize(("answer", "status"), [(None, 200), (0, 200), (1, 401), ("", 200), ("x", 401)])
    def test_the_truth_of_a_blocklists_answer_counts(self, answer, status):
        auth = make_auth()
        auth.set_token_blocklist(lambda token: answer)
        app = one_route(auth.access_token_required)
        assert knock(app, headers=[authorization(auth.create_access_token("alice"))]).status == status

    @pytest.mark.parametrize(
        ("form", "answer", "inline"),
        spread(
            [*FORMS, *FORMS], [{"name": "Alice"}, None, [], "alice", "bob"], [False] * len(FORMS) + [True] * len(FORMS)
        ),
    )
    def test_a_subject_getters_answer_is_injected_as_it_is(self, form, answer, inline):
        auth, app = make_auth(), FastAPI()
        auth.set_subject_getter(FORMS[form](answer), inline=inline)

        @app.get("/p")
        async def route(subject=auth.CURRENT_SUBJECT):
            return [subject]

        assert knock(app, headers=[authorization(auth.create_access_token("alice"))]).json == [answer]


class TestCallbackRules:
    def test_a_blocklist_is_given_the_compact_token_and_a_getter_the_subject(self):
        auth, given = make_auth(), []
        auth.set_token_blocklist(given.append, inline=True)
        auth.set_subject_getter(given.append, inline=True)
        app, token = one_route(auth.get_current_subject), auth.create_access_token("älice")
        assert knock(app, headers=[authorization(token)]).status == 200
        assert given == [token, "älice"]

    def test_a_sync_callback_runs_in_a_thread_and_an_inline_one_does_not(self):
        auth, threads = make_auth(), []

        def note(argument):
            threads.append(threading.current_thread() is threading.main_thread())

        app, headers = one_route(auth.access_token_required), [authorization(auth.create_access_token("alice"))]
        for inline in (False, True):
            auth.set_token_blocklist(note, inline=inline)
            assert knock(app, headers=headers).status == 200
        assert threads == [False, True]

    def test_no_getter_is_a_mistake_of_the_application(self):
        auth = make_auth()
        app = one_route(auth.get_current_subject)
        answer = knock(app, headers=[authorization(auth.create_access_token("alice"))])
        assert (answer.status, type(answer.raised)) == (500, AttributeError)
        assert str(answer.raised).startswith("Model callback not set")

    def test_without_a_token_no_getter_is_looked_for(self):
        assert knock(one_route(make_auth().get_current_subject)).status == 401

    def test_the_callbacks_can_be_read_back_and_unset(self):
        auth = make_auth()
        assert not auth.is_token_callback_set
        assert not auth.is_model_callback_set
        auth.set_token_blocklist(async_answer)
        auth.set_subject_getter(async_answer)
        assert auth.callback_is_token_in_blocklist is async_answer
        assert auth.callback_get_model_instance is async_answer
        auth.set_token_blocklist(None)
        auth.set_subject_getter(None)
        assert auth.callback_is_token_in_blocklist is auth.callback_get_model_instance is None

    @pytest.mark.parametrize(("answer", "expected"), [(True, True), (None, False), ("x", True), (0, False)])
    def test_the_blocklist_can_be_asked_by_hand(self, answer, expected):
        auth = make_auth()
        auth.set_token_blocklist(functools.partial(_later, answer))
        assert asyncio.run(auth.is_token_in_blocklist("token")) is expected

    def test_without_a_blocklist_or_a_token_nothing_is_revoked(self):
        auth = make_auth()
        assert asyncio.run(auth.is_token_in_blocklist("token")) is False
        auth.set_token_blocklist(lambda token: True)
        assert asyncio.run(auth.is_token_in_blocklist(None)) is False


class TestErrorsCarry:
    """What an exception handler of the application can read off an error."""

    async def caught(self, auth, guard, headers=()):
        scope = {"type": "http", "method": "GET", "query_string": b"", "headers": list(headers)}
        try:
            await guard(HTTPConnection(scope))
        except AuthXException as error:
            return error
        return None

    def test_the_login_type_of_its_instance(self):
        auth = AuthX(config=AuthXConfig(JWT_SECRET_KEY=SECRET), login_type="staff")
        headers = [(b"authorization", b"Bearer " + auth.create_access_token("alice").encode())]
        error = asyncio.run(self.caught(auth, auth.scopes_required("admin"), headers))
        assert isinstance(error, InsufficientScopeError)
        assert (error.login_type, error.required, error.provided) == ("staff", ["admin"], [])

    def test_no_login_type_where_there_was_no_token(self):
        auth = AuthX(config=AuthXConfig(JWT_SECRET_KEY=SECRET), login_type="staff")
        error = asyncio.run(self.caught(auth, auth.access_token_required))
        assert isinstance(error, MissingTokenError)
        assert error.login_type is None

    def test_no_token_in_its_text(self):
        auth, other = make_auth(), make_auth(JWT_SECRET_KEY=OTHER_SECRET)
        token = other.create_access_token("alice")
        headers = [(b"authorization", f"Bearer {token}".encode())]
        error = asyncio.run(self.caught(auth, auth.access_token_required, headers))
        assert token not in f"{error!r} {error} {error.evidence!r}"
