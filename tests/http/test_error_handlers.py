"""Whose handler answers: the application's own first, then the instance that raised the error."""

import pytest
from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.applications import Starlette
from starlette.routing import Mount
from tests.support.asgi import OTHER_SECRET, authorization, knock, make_auth

from authx import AuthX, AuthXConfig, RequestToken
from authx.exceptions import (
    AuthXException,
    BadConfigurationError,
    FreshTokenRequiredError,
    InsufficientScopeError,
    JWTDecodeError,
    MissingTokenError,
    PolicyEvaluationError,
    SessionRevoked,
    TokenError,
    TokenExpiredError,
    TokenTypeError,
)


def protect(app, auth, path="/p"):
    @app.get(path, dependencies=[Depends(auth.access_token_required)])
    async def protected():
        return "open"


def own(status):
    async def handler(request: Request, error: Exception):
        return JSONResponse({"own": type(error).__name__}, status)

    return handler


@pytest.fixture(params=["with handle_errors", "without handle_errors"])
def app(request):
    application = FastAPI()
    application.state.handled = request.param == "with handle_errors"
    return application


def serve(app, auth):
    """Registers the handler where the test's application does so at all."""
    if app.state.handled:
        auth.handle_errors(app)
    protect(app, auth)


OWN = [MissingTokenError, TokenError, AuthXException]


class TestTheApplicationsOwnHandlers:
    @pytest.mark.parametrize("handled", OWN)
    def test_one_registered_before_us_answers(self, app, handled):
        app.add_exception_handler(handled, own(418))
        serve(app, make_auth())
        answer = knock(app)
        assert (answer.status, answer.json) == (418, {"own": "MissingTokenError"})

    @pytest.mark.parametrize("handled", OWN)
    def test_one_registered_after_us_answers(self, app, handled):
        serve(app, make_auth())
        app.add_exception_handler(handled, own(418))
        assert knock(app).status == 418

    @pytest.mark.parametrize("handled", OWN)
    def test_one_still_answers_after_our_first_error(self, app, handled):
        app.add_exception_handler(handled, own(418))
        auth = make_auth()
        serve(app, auth)
        assert [knock(app).status for _ in range(2)] == [418, 418]

    def test_one_for_a_class_leaves_the_others_to_us(self, app):
        app.add_exception_handler(MissingTokenError, own(418))
        serve(app, make_auth())
        assert knock(app).status == 418
        assert knock(app, headers=[authorization("garbage")]).json["code"] == "token_invalid"

    def test_one_for_a_child_leaves_its_parent_to_us(self, app):
        app.add_exception_handler(TokenExpiredError, own(418))
        serve(app, make_auth())
        assert knock(app, headers=[authorization("garbage")]).json["error_type"] == JWTDecodeError.__name__

    def test_one_for_every_exception_does_not_count(self, app):
        app.add_exception_handler(Exception, own(500))
        serve(app, make_auth())
        assert knock(app).json["code"] == "token_missing"

    def test_one_for_a_status_does_not_count(self, app):
        app.add_exception_handler(401, own(418))
        serve(app, make_auth())
        assert knock(app).status == 401

    def test_it_is_given_what_it_needs(self, app):
        seen = []

        @app.exception_handler(InsufficientScopeError)
        async def denied(request, error):
            seen.append((error.required, error.provided, error.login_type))
            return JSONResponse({}, 403)

        auth = AuthX(config=AuthXConfig(JWT_SECRET_KEY=OTHER_SECRET), login_type="staff")
        if app.state.handled:
            auth.handle_errors(app)
        required = Depends(auth.scopes_required("admin"))

        @app.get("/admin", dependencies=[required])
        async def admin():
            return "open"

        knock(app, "/admin", headers=[authorization(auth.create_access_token("alice", scopes=["user"]))])
        assert seen == [(["admin"], ["user"], "staff")]


class TestWhatIsNoAnswer:
    """Mistakes of the application are raised again, for its own logs and its own 500."""

    def test_a_configuration_that_cannot_work(self, app):
        serve(app, AuthX())
        answer = knock(app, headers=[authorization("any")])
        assert answer.status == 500
        assert isinstance(answer.raised, BadConfigurationError)
        assert b"JWT_SECRET_KEY" not in answer.body

    @pytest.mark.parametrize("error", [AuthXException("bare"), TokenError("bare"), BadConfigurationError("bare")])
    def test_an_error_that_is_not_for_clients(self, app, error):
        serve(app, make_auth())

        @app.get("/raise", dependencies=[])
        async def fail():
            raise error

        answer = knock(app, "/raise")
        assert (answer.status, answer.raised) == (500, error)

    def test_an_error_of_the_subject_getter(self, app):
        auth = make_auth()
        serve(app, auth)

        @auth.set_subject_getter
        async def find(uid):
            raise LookupError(uid)

        @app.get("/me")
        async def me(subject=auth.CURRENT_SUBJECT):
            return subject

        answer = knock(app, "/me", headers=[authorization(auth.create_access_token("alice"))])
        assert (answer.status, type(answer.raised)) == (500, LookupError)

    def test_a_blocklist_that_does_not_answer_lets_nobody_in(self, app):
        auth = make_auth()
        serve(app, auth)

        @auth.set_token_blocklist
        async def is_revoked(token):
            raise ConnectionError("no database")

        answer = knock(app, headers=[authorization(auth.create_access_token("alice"))])
        assert (answer.status, type(answer.raised)) == (500, ConnectionError)

    def test_a_policy_that_is_written_wrongly_is_a_500_with_a_body(self, app):
        auth = make_auth()
        serve(app, auth)
        auth.handle_errors(app)

        @app.get("/raise")
        async def fail():
            raise PolicyEvaluationError("unknown operator")

        answer = knock(app, "/raise")
        assert (answer.status, answer.json["message"]) == (500, "Policy evaluation failed")


class TestWithoutHandleErrors:
    def test_a_dependency_answers(self):
        app = FastAPI()
        protect(app, make_auth())
        answer = knock(app)
        assert (answer.status, answer.json["code"]) == (401, "token_missing")

    def test_the_applications_table_of_handlers_is_left_alone(self):
        app = FastAPI()
        before = dict(app.exception_handlers)
        protect(app, make_auth())
        knock(app)
        assert app.exception_handlers == before

    def test_nothing_is_registered_on_success(self):
        app, auth = FastAPI(), make_auth()
        protect(app, auth)
        answer = knock(app, headers=[authorization(auth.create_access_token("alice"))])
        handlers, _ = answer.scope["starlette.exception_handlers"]
        assert (answer.status, AuthXException in handlers) == (200, False)

    def test_the_two_finders_answer_a_broken_request(self):
        app, auth = FastAPI(), make_auth()

        @app.get("/p")
        async def find(token=auth.ACCESS_TOKEN):
            return token

        assert knock(app, headers=[authorization("a"), authorization("b")]).status == 400

    def test_a_search_in_a_route_is_answered(self):
        app, auth = FastAPI(), make_auth()

        @app.get("/p")
        async def find(request: Request):
            await auth.get_access_token_from_request(request)

        assert knock(app).json["code"] == "token_missing"

    def test_the_subject_is_answered_for(self):
        app, auth = FastAPI(), make_auth()

        @app.get("/p")
        async def me(subject=auth.CURRENT_SUBJECT):
            return subject

        assert knock(app).json["code"] == "token_missing"

    def test_an_application_can_ask_for_the_handler_itself(self):
        app, auth = FastAPI(), make_auth()

        @app.get("/p")
        async def by_hand(request: Request):
            auth.ensure_request_exception_handlers(request)
            auth.verify_token(RequestToken(token="garbage", location="headers"))

        assert knock(app).json["code"] == "token_invalid"


class TestSubApplications:
    def test_one_mounted_in_an_application_with_handlers(self):
        auth, outer, inner = make_auth(), FastAPI(), FastAPI()
        auth.handle_errors(outer)
        protect(inner, auth)
        outer.mount("/in", inner)
        assert knock(outer, "/in/p").json["code"] == "token_missing"

    def test_one_with_handlers_mounted_in_an_application_without(self):
        auth, outer, inner = make_auth(), FastAPI(), FastAPI()
        auth.handle_errors(inner)
        protect(inner, auth)
        outer.mount("/in", inner)
        assert knock(outer, "/in/p").json["code"] == "token_missing"

    def test_one_mounted_in_a_starlette_application(self):
        auth, inner = make_auth(), FastAPI()
        protect(inner, auth)
        outer = Starlette(routes=[Mount("/in", inner)])
        assert knock(outer, "/in/p").json["code"] == "token_missing"

    def test_one_with_a_handler_of_its_own(self):
        auth, outer, inner = make_auth(), FastAPI(), FastAPI()
        auth.handle_errors(outer)
        inner.add_exception_handler(AuthXException, own(418))
        protect(inner, auth)
        protect(outer, auth)
        outer.mount("/in", inner)
        assert (knock(outer, "/in/p").status, knock(outer, "/p").status) == (418, 401)

    def test_a_router_that_was_included(self):
        auth, app, router = make_auth(), FastAPI(), APIRouter(prefix="/in")
        protect(router, auth)
        app.include_router(router)
        assert knock(app, "/in/p").json["code"] == "token_missing"


class TestTwoInstancesInOneApplication:
    @pytest.fixture
    def doors(self):
        first = make_auth(JWT_REALM="first", JWT_ERROR_MESSAGE_KEY="detail")
        second = make_auth(JWT_REALM="second", JWT_ERROR_STATUS="authx", JWT_SECRET_KEY=OTHER_SECRET)
        first.MSG_TokenError = "Nobody there"
        first.MSG_JWTDecodeError = "Not one of ours"
        second.MSG_JWTDecodeError = "Not one of theirs"
        app = FastAPI()
        protect(app, first, "/first")
        protect(app, second, "/second")
        return app, first, second

    @pytest.mark.parametrize("order", [[], [0], [1], [0, 1], [1, 0]], ids=str)
    def test_each_answers_with_its_own_messages_and_settings(self, doors, order):
        app, *instances = doors
        for index in order:
            instances[index].handle_errors(app)
        first = knock(app, "/first", headers=[authorization("garbage")])
        second = knock(app, "/second", headers=[authorization("garbage")])
        assert (first.status, first.json["detail"]) == (401, "Not one of ours")
        assert second.status == 422
        assert second.json == {"message": "Not one of theirs", "error_type": "JWTDecodeError"}
        assert 'realm="first"' in first.get("WWW-Authenticate")
        assert 'realm="second"' in second.get("WWW-Authenticate")

    def test_a_call_in_a_route_answers_with_the_instance_it_was_made_on(self, doors):
        app, first, second = doors
        first.handle_errors(app)

        @app.get("/by-hand")
        async def by_hand():
            second.verify_token(RequestToken(token="garbage", location="headers"))

        assert knock(app, "/by-hand").json["message"] == "Not one of theirs"

    def test_what_a_route_raises_is_answered_by_the_first_that_was_asked_to(self, doors):
        app, first, second = doors
        first.handle_errors(app)
        second.handle_errors(app)

        @app.get("/raise")
        async def fail():
            raise SessionRevoked("over")

        answer = knock(app, "/raise")
        assert (answer.json["detail"], 'realm="first"' in answer.get("WWW-Authenticate")) == (
            "Session has been revoked",
            True,
        )


class TestHandleErrors:
    def test_calling_it_again_changes_nothing(self):
        auth, app = make_auth(), FastAPI()
        auth.handle_errors(app)
        middleware, handlers, openapi = list(app.user_middleware), dict(app.exception_handlers), app.openapi
        auth.handle_errors(app)
        make_auth().handle_errors(app)
        assert list(app.user_middleware) == middleware
        assert app.exception_handlers == handlers
        assert app.openapi == openapi

    def test_an_application_that_has_started_is_answered_for(self):
        auth, app = make_auth(), FastAPI()
        protect(app, auth)
        knock(app, headers=[authorization(auth.create_access_token("alice"))])
        auth.handle_errors(app)
        assert knock(app).json["code"] == "token_missing"

    def test_calls_in_routes_of_an_application_that_has_started_are_answered_for(self):
        auth, app = make_auth(), FastAPI()

        @app.get("/p")
        async def by_hand(request: Request):
            auth.verify_token(await auth.get_access_token_from_request(request))

        assert knock(app, headers=[authorization("garbage")]).status == 500
        auth.handle_errors(app)
        assert knock(app, headers=[authorization("garbage")]).json["code"] == "token_invalid"

    def test_an_own_handler_of_an_application_that_has_started_stays(self):
        auth, app = make_auth(), FastAPI()
        app.add_exception_handler(AuthXException, own(418))
        protect(app, auth)
        knock(app)
        auth.handle_errors(app)
        assert knock(app).status == 418

    def test_the_handler_is_registered_on_the_root_class_alone(self):
        auth, app = make_auth(), FastAPI()
        auth.handle_errors(app)
        ours = [kind for kind in app.exception_handlers if isinstance(kind, type) and issubclass(kind, AuthXException)]
        assert ours == [AuthXException]


class TooLateError(TokenExpiredError):
    """A refinement that an application made."""


class LockedError(TokenTypeError):
    """Another one."""


class TestMessages:
    def answer_to(self, auth, error):
        app = FastAPI()
        auth.handle_errors(app)

        @app.get("/raise")
        async def fail():
            raise error

        return knock(app, "/raise").json

    def test_a_message_of_one_instance_is_used_for_its_errors_alone(self):
        auth = make_auth()
        auth.MSG_FreshTokenRequiredError = "Please sign in again"
        error = FreshTokenRequiredError("internal wording")
        assert self.answer_to(auth, error)["message"] == "Please sign in again"
        assert self.answer_to(make_auth(), error)["message"] == "Fresh token required"

    def test_a_message_of_a_subclass_is_used_for_its_instances(self):
        class Ours(AuthX):
            MSG_FreshTokenRequiredError = "Please sign in again"

        auth = Ours(config=AuthXConfig(JWT_SECRET_KEY=OTHER_SECRET))
        assert self.answer_to(auth, FreshTokenRequiredError("x"))["message"] == "Please sign in again"

    def test_without_a_message_the_error_speaks_for_itself(self):
        auth = make_auth()
        auth.MSG_FreshTokenRequiredError = None
        assert self.answer_to(auth, FreshTokenRequiredError("internal wording"))["message"] == "internal wording"

    def test_an_error_without_a_word_has_a_message_all_the_same(self):
        assert self.answer_to(make_auth(), InsufficientScopeError([]))["message"]
        assert self.answer_to(make_auth(), TokenExpiredError())["message"]

    def test_a_child_that_the_application_made_is_answered_like_its_parent(self):
        body = self.answer_to(make_auth(), TooLateError("over since noon"))
        assert (body["error_type"], body["code"], body["message"]) == (
            "TooLateError",
            "token_expired",
            "over since noon",
        )

    def test_a_child_that_the_application_made_has_its_parents_message(self):
        assert self.answer_to(make_auth(), LockedError("internal wording"))["message"] == "Bad token type"

    def test_a_child_that_the_application_made_may_have_a_message_of_its_own(self):
        auth = make_auth()
        auth.MSG_TooLateError = "You are late"
        assert self.answer_to(auth, TooLateError("over since noon"))["message"] == "You are late"
