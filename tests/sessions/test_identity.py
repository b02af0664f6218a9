"""Who somebody is: what `authenticate` may answer, and which user ids every call takes."""

import enum
import uuid
from fractions import Fraction

import pytest
from starlette.responses import Response
from tests.sessions.world import sid_of
from tests.support.asgi import request_of
from tests.support.axes import pairwise, spread
from tests.support.inside import callbacks_of
from tests.support.tokens import bearer, claims_of

from authx import AuthManager, AuthX, AuthXConfig
from authx.dependencies import AuthXDependency
from authx.sessions.authx_store import InMemorySessionStore
from authx.token import create_token, decode_token

pytestmark = pytest.mark.anyio

SECRET = "the secret of more than thirty-two letters of these users"
USER = uuid.UUID("0190F1D0-C2A4-4D0C-8F0E-9F0B2B8B2A8A")
RIGHT = {"username": "alice", "password": "right"}


class Name(str):
    __slots__ = ()

    def __str__(self):
        return "another text"


class Role(str, enum.Enum):  # noqa: UP042 - unlike StrEnum, its str() is not its value
    ADMIN = "admin"


class Kind(enum.StrEnum):
    ROBOT = "robot"


class Number(enum.IntEnum):
    SEVEN = 7


class Digits(int):
    def __str__(self):
        return "another text"

    __repr__ = __str__


UIDS = {
    "text": ("alice", "alice"),
    "a text of a class that writes itself otherwise": (Name("alice"), "alice"),
    "a member of a StrEnum": (Kind.ROBOT, "robot"),
    "a member of an Enum of texts": (Role.ADMIN, "admin"),
    "an int": (42, "42"),
    "zero": (0, "0"),
    "a negative int": (-1, "-1"),
    "a member of an IntEnum": (Number.SEVEN, "7"),
    "an int of a class that writes itself otherwise": (Digits(7), "7"),
    "a UUID": (USER, "0190f1d0-c2a4-4d0c-8f0e-9f0b2b8b2a8a"),
}
NO_UIDS = {
    "True": True,
    "False": False,
    "None": None,
    "a float": 1.0,
    "a fraction": Fraction(1),
    "bytes": b"alice",
    "a list": ["alice"],
    "a tuple": ("alice",),
    "a dictionary": {"id": "alice"},
    "an object": object(),
    "a class": str,
}
CALLS = ["create_access_token", "create_refresh_token", "create_token_pair"]
NO_SUBJECTS = {"empty": "", "long": "a" * 256, "NUL": "a\0", "surrogate": "\ud800", "a long int": 10**255}


def awaited(answer):
    async def authenticate(username, password):
        return answer

    return authenticate


def promised(answer):
    return lambda username, password: awaited(answer)(username, password)


def at_once(answer):
    return lambda username, password: answer


async def login_with(world, authenticate):
    world.app.include_router(world.auth.router(authenticate), prefix="/other")
    return await world.http.post("/other/login", json=RIGHT)


# What authenticate may answer


FORMS = [at_once, awaited, promised]


@pytest.mark.parametrize(("form", "kind"), spread(UIDS, FORMS))
async def test_a_user_id_that_authenticate_answers_is_logged_in(world, form, kind):
    uid, text = UIDS[form]
    answer = await login_with(world, kind(uid))
    assert answer.status_code == 200
    assert claims_of(answer.json()["access_token"])["sub"] == text
    assert [one.uid for one in await world.auth.list_sessions(uid)] == [text]


@pytest.mark.parametrize(("kind", "answer"), pairwise(FORMS, [None, False]))
async def test_none_and_false_mean_wrong_credentials(world, answer, kind):
    refused = await login_with(world, kind(answer))
    assert (refused.status_code, refused.json()["code"]) == (401, "credentials_invalid")
    assert [event.event for event in world.told] == ["login_failed"]


@pytest.mark.parametrize("form", [form for form in NO_SUBJECTS if form != "empty"])
async def test_a_text_that_no_user_id_can_be_means_wrong_credentials(world, form):
    refused = await login_with(world, at_once(NO_SUBJECTS[form]))
    assert (refused.status_code, refused.json()["code"]) == (401, "credentials_invalid")
    assert world.writes() == 0


@pytest.mark.parametrize(
    ("form", "kind"), spread(["empty", *(form for form in NO_UIDS if form not in ("None", "False"))], FORMS)
)
async def test_anything_else_that_authenticate_answers_logs_nobody_in_and_says_what_to_return(site, form, kind):
    before = await site.login()
    answer = NO_UIDS.get(form, "")
    with pytest.raises(TypeError, match="None for wrong credentials") as raised:
        await login_with(site, kind(answer))
    assert type(answer).__name__ in str(raised.value)
    # Nothing began, and the session of this browser goes on.
    assert [one.uid for one in await site.auth.list_sessions("alice")] == ["alice"]
    refreshed = await site.http.post("/auth/refresh", headers={"X-CSRF-TOKEN": before["refresh_csrf_token"]})
    assert refreshed.status_code == 200


async def test_an_empty_user_name_that_is_handed_back_means_wrong_credentials(world):
    world.app.include_router(world.auth.router(lambda username, password: username), prefix="/other")
    refused = await world.http.post("/other/login", json={"username": "", "password": "right"})
    assert (refused.status_code, refused.json()["code"]) == (401, "credentials_invalid")


async def test_a_comparison_signs_nobody_in(site):
    users = {"alice": "right"}
    authenticate = site.auth.router(lambda username, password: users.get(username) == password)
    site.app.include_router(authenticate, prefix="/other")
    refused = await site.http.post("/other/login", json={"username": "alice", "password": "wrong"})
    assert (refused.status_code, refused.headers.get_list("set-cookie")) == (401, [])
    with pytest.raises(TypeError, match="bool"):
        await site.http.post("/other/login", json=RIGHT)
    assert not site.http.cookies


# Every way in takes the same user ids


def tokens_of(auth, uid):
    request = request_of()
    bundle, manager = AuthXDependency(auth, request, Response()), AuthManager()
    manager.register(auth)
    for maker in (auth, bundle):
        yield maker.create_access_token(uid)
        yield maker.create_refresh_token(uid)
        yield from maker.create_token_pair(uid).model_dump(include={"access_token", "refresh_token"}).values()
    yield manager.create_access_token("staff", uid)
    yield manager.create_refresh_token("staff", uid)
    yield from manager.create_token_pair("staff", uid).model_dump(include={"access_token", "refresh_token"}).values()
    yield create_token(uid, SECRET)


@pytest.mark.parametrize("form", UIDS)
def test_every_call_that_makes_tokens_takes_the_same_user_ids(form):
    uid, text = UIDS[form]
    auth = AuthX(AuthXConfig(JWT_SECRET_KEY=SECRET), login_type="staff")
    subjects = [decode_token(token, SECRET)["sub"] for token in tokens_of(auth, uid)]
    assert subjects == [text] * len(subjects)


@pytest.mark.parametrize(("form", "call"), spread(NO_UIDS, CALLS))
def test_no_token_is_made_for_a_value_of_another_type(call, form):
    auth = AuthX(AuthXConfig(JWT_SECRET_KEY=SECRET))
    with pytest.raises(TypeError, match=f"uid must be .* not {type(NO_UIDS[form]).__name__}"):
        getattr(auth, call)(NO_UIDS[form])


@pytest.mark.parametrize("form", NO_UIDS)
def test_the_function_that_signs_bare_tokens_refuses_them_too(form):
    with pytest.raises(TypeError, match="uid must be"):
        create_token(NO_UIDS[form], SECRET)


@pytest.mark.parametrize(("form", "call"), spread(NO_SUBJECTS, CALLS))
def test_no_token_is_made_for_a_text_that_no_user_id_can_be(call, form):
    auth = AuthX(AuthXConfig(JWT_SECRET_KEY=SECRET))
    with pytest.raises(ValueError, match="uid must have"):
        getattr(auth, call)(NO_SUBJECTS[form])


@pytest.mark.parametrize("form", UIDS)
async def test_the_session_calls_take_the_same_user_ids(world, form):
    uid, text = UIDS[form]
    request = request_of(method="POST", client=None)
    tokens = await world.auth.login(uid, request, Response())
    written = await world.auth.create_session(uid)
    assert written.uid == text
    listed = await world.auth.list_sessions(uid)
    assert {one.session_id for one in listed} == {sid_of(tokens.access_token), written.session_id}
    assert {one.uid for one in listed} == {text}
    tied = world.auth.create_access_token(uid, sid=written.session_id)
    await world.auth.revoke_all_sessions(uid, except_session=written.session_id)
    assert [one.session_id for one in await world.auth.list_sessions(text)] == [written.session_id]
    assert await world.knock(tied) == 200
    assert (await world.http.get("/door", headers=bearer(tokens.access_token))).status_code == 401


@pytest.mark.parametrize("form", UIDS)
async def test_an_application_s_own_store_gets_the_text(form):
    uid, text = UIDS[form]
    auth = AuthX(AuthXConfig(JWT_SECRET_KEY=SECRET))
    auth.set_session_store(InMemorySessionStore())
    session = await auth.create_session(uid)
    assert [one.uid for one in await auth.list_sessions(uid)] == [text]
    await auth.revoke_session(session.session_id)
    assert await auth.list_sessions(uid) == []
    await auth.create_session(uid)
    await auth.revoke_all_sessions(uid)
    assert await auth.list_sessions(text) == []


@pytest.mark.parametrize("session_id", ["mine", "", "0190F1D0-C2A4-7D0C-8F0E-9F0B2B8B2A8A"])
async def test_an_application_s_own_store_has_ids_of_its_own(make_world, session_id):
    world = await make_world()
    deleted = []

    class Store(InMemorySessionStore):
        async def delete(self, session_id):
            deleted.append(session_id)

    world.auth.set_session_store(Store())
    await world.auth.revoke_session(session_id)
    await world.auth.revoke_all_sessions("alice", except_session=session_id)
    assert await world.auth.get_session(session_id) is None
    assert deleted == [session_id]


# Callbacks are registered alike

REGISTRATIONS = [
    "set_token_blocklist",
    "set_subject_getter",
    "set_claims_getter",
    "set_callback_token_blocklist",
    "set_callback_get_model_instance",
]


@pytest.mark.parametrize("name", REGISTRATIONS)
def test_each_registration_is_a_decorator_with_and_without_parentheses(name):
    auth = AuthX(AuthXConfig(JWT_SECRET_KEY=SECRET))
    register = getattr(auth, name)

    def callback(*arguments):
        return None

    for registered in (register(callback), register()(callback), register(inline=True)(callback)):
        assert registered is callback
    assert callbacks_of(auth) == [callback]
    register(None)
    assert callbacks_of(auth) == []


@pytest.mark.parametrize(("name", "callback"), spread(REGISTRATIONS, ["alice", 7, True, {}]))
def test_what_cannot_be_called_is_no_callback(name, callback):
    auth = AuthX(AuthXConfig(JWT_SECRET_KEY=SECRET))
    with pytest.raises(TypeError, match=type(callback).__name__):
        getattr(auth, name)(callback)


def test_an_authenticate_that_cannot_be_called_is_refused():
    auth = AuthX(AuthXConfig(JWT_SECRET_KEY=SECRET), store="memory://")
    with pytest.raises(TypeError, match="dict"):
        auth.router({"alice": "right"})


async def test_a_claims_getter_registered_with_parentheses_is_asked(world):
    tokens = await world.login()

    @world.auth.set_claims_getter()
    def claims(uid, payload):
        return {"role": "admin"}

    assert claims_of((await world.refreshed(tokens["refresh_token"]))["access_token"])["role"] == "admin"


def test_a_listener_without_the_name_of_an_event_is_refused():
    auth = AuthX(AuthXConfig(JWT_SECRET_KEY=SECRET))
    with pytest.raises(TypeError, match=r"@auth\.on"):

        @auth.on
        def listener(event):
            pass


@pytest.mark.parametrize("listener", ["alice", 7, {}])
def test_a_listener_that_cannot_be_called_is_refused(listener):
    auth = AuthX(AuthXConfig(JWT_SECRET_KEY=SECRET))
    with pytest.raises(TypeError, match="listener"):
        auth.on("login", listener)
