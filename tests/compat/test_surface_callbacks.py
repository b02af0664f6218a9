"""Surface: the blocklist, the subject getter, and the bundle of a request."""

import asyncio
from functools import partial

import pytest
from fastapi import Depends, FastAPI, Request, Response
from tests.support.tokens import bearer, claims_of, header_of

from authx import AuthXDependency, RequestToken, TokenPayload
from authx.exceptions import RevokedTokenError

from .answers import REVOKED
from .cookies import set_cookies_of

BLOCKLIST_SETTERS = ["set_token_blocklist", "set_callback_token_blocklist"]
SUBJECT_SETTERS = ["set_subject_getter", "set_callback_get_model_instance"]


@pytest.fixture
def auth(make_auth):
    return make_auth()


@pytest.fixture
def app(auth):
    application = FastAPI()
    auth.handle_errors(application)

    @application.get("/door", dependencies=[Depends(auth.access_token_required)])
    def door():
        return "open"

    @application.get("/subject")
    def subject(user: object = auth.CURRENT_SUBJECT):
        return user

    return application


@pytest.fixture
def client(app, browse):
    return browse(app)


@pytest.fixture
def alice(auth):
    return bearer(auth.create_access_token(uid="alice"))


@pytest.mark.parametrize("setter", BLOCKLIST_SETTERS)
@pytest.mark.parametrize("revoked", [True, False])
def test_either_name_sets_the_blocklist(auth, client, alice, setter, revoked):
    getattr(auth, setter)(lambda token: revoked)
    assert client.get("/door", headers=alice).status_code == (401 if revoked else 200)


@pytest.mark.parametrize("setter", SUBJECT_SETTERS)
def test_either_name_sets_the_subject_getter(auth, client, alice, setter):
    getattr(auth, setter)(lambda uid: {"name": uid})
    assert client.get("/subject", headers=alice).json() == {"name": "alice"}


@pytest.mark.parametrize("setter", [*BLOCKLIST_SETTERS, *SUBJECT_SETTERS])
def test_a_setter_used_as_decorator_returns_the_callback(auth, setter):
    def callback(given):
        return None

    assert getattr(auth, setter)(callback) is callback


def plain(answer, given):
    return answer


async def coroutine(answer, given):
    return answer


class CallableObject:
    def __init__(self, answer):
        self.answer = answer

    def __call__(self, given):
        return self.answer


class AsyncCallableObject(CallableObject):
    async def __call__(self, given):
        return self.answer


KINDS = {
    "function": lambda answer: lambda given: answer,
    "partial": lambda answer: partial(plain, answer),
    "coroutine partial": lambda answer: partial(coroutine, answer),
    "returns a coroutine": lambda answer: lambda given: coroutine(answer, given),
    "object": CallableObject,
    "async object": AsyncCallableObject,
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_answer_of_any_blocklist_counts(auth, client, alice, kind):
    for answer, status in ((True, 401), (False, 200)):
        auth.set_token_blocklist(KINDS[kind](answer))
        assert client.get("/door", headers=alice).status_code == status


@pytest.mark.parametrize(("answer", "status"), [(1, 401), (0, 200), (None, 200)])
def test_the_truth_of_the_blocklists_answer_counts(auth, client, alice, answer, status):
    auth.set_token_blocklist(lambda token: answer)
    assert client.get("/door", headers=alice).status_code == status


@pytest.mark.parametrize("kind", KINDS)
def test_the_answer_of_any_subject_getter_is_injected(auth, client, alice, kind):
    auth.set_subject_getter(KINDS[kind]("somebody"))
    assert client.get("/subject", headers=alice).json() == "somebody"


def test_the_blocklist_receives_the_raw_token(auth, client, alice):
    asked = []
    auth.set_token_blocklist(asked.append)
    client.get("/door", headers=alice)
    assert bearer(*asked) == alice


def test_the_blocklist_is_asked_once_in_a_request(auth, browse, alice):
    asked = []
    auth.set_token_blocklist(asked.append)
    auth.set_subject_getter(lambda uid: uid)
    app = FastAPI(dependencies=[auth.ACCESS_REQUIRED])

    @app.get("/")
    def route(payload: TokenPayload = Depends(auth.access_token_required), user: object = auth.CURRENT_SUBJECT):
        return user

    assert browse(app).get("/", headers=alice).json() == "alice"
    assert len(asked) == 1


@pytest.mark.parametrize("name", ["is_token_callback_set", "is_model_callback_set"])
def test_a_callback_is_known_to_be_set(auth, name):
    before = getattr(auth, name)
    auth.set_token_blocklist(lambda token: False)
    auth.set_subject_getter(lambda uid: uid)
    assert (before, getattr(auth, name)) == (False, True)


def test_none_unsets_the_blocklist(auth, client, alice):
    auth.set_token_blocklist(lambda token: True)
    auth.set_token_blocklist(None)
    assert auth.is_token_callback_set is False
    assert client.get("/door", headers=alice).status_code == 200


def test_none_unsets_the_subject_getter(auth):
    auth.set_subject_getter(lambda uid: uid)
    auth.set_subject_getter(None)
    assert auth.is_model_callback_set is False


@pytest.mark.parametrize("which", ["blocklist", "subject getter"])
def test_an_error_of_a_callback_is_the_applications_own(auth, client, alice, which):
    def fail(given):
        raise LookupError(given)

    setter, path = {
        "blocklist": (auth.set_token_blocklist, "/door"),
        "subject getter": (auth.set_subject_getter, "/subject"),
    }[which]
    setter(fail)
    with pytest.raises(LookupError):
        client.get(path, headers=alice)


def test_without_a_subject_getter_there_is_no_subject(client, alice):
    with pytest.raises(AttributeError, match=r"^Model callback not set"):
        client.get("/subject", headers=alice)


def test_the_subject_of_a_revoked_token_is_not_looked_up(auth, client, alice, refused):
    auth.set_token_blocklist(lambda token: True)
    auth.set_subject_getter(lambda uid: uid)
    refused(client.get("/subject", headers=alice), REVOKED)


def test_verify_token_asks_a_blocklist_that_it_need_not_wait_for(auth):
    token = RequestToken(token=auth.create_access_token(uid="alice"), location="headers")
    auth.set_token_blocklist(lambda compact: compact == token.token)
    with pytest.raises(RevokedTokenError):
        auth.verify_token(token)


def test_verify_token_cannot_ask_a_blocklist_that_it_would_have_to_wait_for(auth):
    async def blocklist(token):
        return True

    token = RequestToken(token=auth.create_access_token(uid="alice"), location="headers")
    for callback in (blocklist, lambda compact: blocklist(compact)):
        auth.set_token_blocklist(callback)
        assert auth.verify_token(token).sub == "alice"


def test_on_an_event_loop_verify_token_asks_only_a_blocklist_that_may_run_there(auth):
    token = RequestToken(token=auth.create_access_token(uid="alice"), location="headers")

    async def verify():
        return auth.verify_token(token)

    auth.set_token_blocklist(lambda compact: True)
    assert asyncio.run(verify()).sub == "alice"
    auth.set_token_blocklist(lambda compact: True, inline=True)
    with pytest.raises(RevokedTokenError):
        asyncio.run(verify())


@pytest.mark.parametrize("kind", ["access", "refresh"])
def test_reading_a_token_does_not_ask_the_blocklist(auth, app, client, alice, kind):
    auth.set_token_blocklist(lambda token: True)

    @app.get("/read")
    async def read(request: Request):
        return (await getattr(auth, f"get_{kind}_token_from_request")(request)).location

    assert client.get("/read", headers=alice).json() == "headers"


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("callback", "token", "revoked"),
    [(None, "x", False), (lambda token: True, None, False), (lambda token: True, "x", True)],
    ids=["no callback", "no token", "revoked"],
)
async def test_the_blocklist_can_be_asked_by_hand(auth, callback, token, revoked):
    auth.set_token_blocklist(callback)
    assert await auth.is_token_in_blocklist(token) is revoked


@pytest.fixture
def bundled(make_auth, browse):
    """Runs a function with the bundle of a request and returns the answer and what it returned."""
    auth = make_auth(JWT_TOKEN_LOCATION=["headers", "cookies"])
    auth.set_subject_getter(lambda uid: {"name": uid})

    def run(act, **sent):
        app, seen = FastAPI(), []
        auth.handle_errors(app)

        @app.get("/")
        async def route(request: Request, response: Response, deps: AuthXDependency = auth.BUNDLE):
            result = act(deps)
            seen.append(await result if hasattr(result, "__await__") else result)
            seen.append(deps.request.url == request.url)
            seen.append(deps.response is response)

        answer = browse(app).get("/", **sent)
        return answer, *seen

    run.auth = auth
    return run


def test_the_bundle_has_the_request_and_the_response(bundled):
    _, _, same_request, same_response = bundled(lambda deps: None)
    assert (same_request, same_response) == (True, True)


@pytest.mark.parametrize("name", ["request", "response"])
def test_the_bundles_request_and_response_are_read_only(bundled, name):
    with pytest.raises(AttributeError):
        bundled(lambda deps: setattr(deps, name, None))


@pytest.mark.parametrize("name", ["DEPENDENCY", "BUNDLE"])
def test_the_bundle_has_two_names(make_auth, browse, name):
    auth, app = make_auth(), FastAPI()

    @app.get("/")
    def route(deps: AuthXDependency = getattr(auth, name)):
        return isinstance(deps, AuthXDependency)

    assert browse(app).get("/").json() is True


def test_the_bundle_creates_an_access_token(bundled):
    _, token, *_ = bundled(lambda deps: deps.create_access_token("alice", True, {"kid": "k"}, scopes=["read"]))
    claims = claims_of(token)
    assert (claims["type"], claims["fresh"], claims["scopes"]) == ("access", True, ["read"])
    assert header_of(token)["kid"] == "k"


def test_the_bundle_creates_a_refresh_token(bundled):
    _, token, *_ = bundled(lambda deps: deps.create_refresh_token("alice", data={"role": "admin"}))
    assert (claims_of(token)["type"], claims_of(token)["role"]) == ("refresh", "admin")


@pytest.mark.parametrize("kind", ["access", "refresh"])
def test_the_bundle_sets_cookies_on_the_current_response(bundled, kind):
    def act(deps):
        token = getattr(deps, f"create_{kind}_token")("alice")
        getattr(deps, f"set_{kind}_cookies")(token, max_age=60)

    cookies = set_cookies_of(bundled(act)[0])
    assert set(cookies) == {f"{kind}_token_cookie", f"csrf_{kind}_token"}
    assert {cookie.attributes["max-age"] for cookie in cookies.values()} == {"60"}


def test_the_bundle_sets_cookies_on_a_given_response(make_auth, browse):
    auth, app = make_auth(JWT_TOKEN_LOCATION=["cookies"]), FastAPI()

    @app.get("/")
    def route(deps: AuthXDependency = auth.BUNDLE):
        response = Response("own answer")
        deps.set_access_cookies(deps.create_access_token("alice"), response)
        return response

    answer = browse(app).get("/")
    assert (answer.text, set(set_cookies_of(answer))) == (
        "own answer",
        {"access_token_cookie", "csrf_access_token"},
    )


@pytest.mark.parametrize(
    ("method", "count"), [("unset_access_cookies", 2), ("unset_refresh_cookies", 2), ("unset_cookies", 4)]
)
def test_the_bundle_unsets_cookies(bundled, method, count):
    answer, *_ = bundled(lambda deps: getattr(deps, method)())
    assert len(set_cookies_of(answer)) == count


def test_the_bundle_finds_the_subject_of_the_request(bundled):
    headers = bearer(bundled.auth.create_access_token(uid="alice"))
    _, subject, *_ = bundled(lambda deps: deps.get_current_subject(), headers=headers)
    assert subject == {"name": "alice"}


def test_the_bundle_itself_needs_no_token(bundled):
    assert bundled(lambda deps: None)[0].status_code == 200
