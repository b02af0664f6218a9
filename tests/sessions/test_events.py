"""Security events: who is told of what, and what is never in them."""

import dataclasses
import logging
from datetime import UTC, datetime

import httpx2
import pytest
from tests.sessions.test_reuse import lose, rotated
from tests.sessions.world import AGENT, HOME, sid_of
from tests.support.axes import spread
from tests.support.tokens import bearer

from authx import AuthX
from authx.sessions.events import EVENTS, Events, SecurityEvent
from authx.testing import Clock

pytestmark = pytest.mark.anyio

# What sessions and requests can bring about; each does so at least once in `everything`.
NAMES = {
    "login",
    "refresh",
    "replay",
    "logout",
    "session_revoked",
    "subject_revoked",
    "token_revoked",
    "refresh_reused",
    "store_rollback",
    "csrf_failed",
    "session_mismatch",
    "row_invalid",
    "login_failed",
}


def test_these_are_the_events():
    assert set(EVENTS) == NAMES


def test_an_unknown_name_is_an_error():
    auth = AuthX(clock=Clock())
    for name in ("logins", "", "LOGIN", "*"):
        with pytest.raises(ValueError, match="login"):
            auth.on(name, print)
        with pytest.raises(ValueError, match="login"):
            auth.on(name)(print)


def test_a_listener_can_be_registered_as_a_decorator():
    auth = AuthX(clock=Clock())

    @auth.on("login")
    def listener(event):
        return event

    assert listener(7) == 7
    assert auth.on("logout", listener) is listener


async def test_an_event_cannot_be_changed(world):
    await world.login()
    (event,) = world.told
    assert isinstance(event, SecurityEvent)
    with pytest.raises(dataclasses.FrozenInstanceError):
        event.uid = "mallory"


async def test_an_event_says_what_when_to_whom_and_from_where(world):
    tokens = await world.login()
    (event,) = world.told
    assert event == SecurityEvent(
        event="login",
        at=datetime.fromtimestamp(world.clock.now, UTC),
        uid="alice",
        session_id=sid_of(tokens["refresh_token"]),
        ip_address=HOME,
        user_agent=AGENT,
        distance=None,
    )


async def test_a_refresh_is_told(world):
    token = (await world.login())["refresh_token"]
    world.told.clear()
    await world.refreshed(token)
    (event,) = world.told
    assert (event.event, event.uid, event.session_id, event.ip_address) == ("refresh", "alice", sid_of(token), HOME)


async def test_a_wrong_password_is_told_without_user_name_or_password(world):
    answer = await world.http.post("/auth/login", json={"username": "alice-her-name", "password": "hunter2"})
    assert answer.json()["code"] == "credentials_invalid"
    (event,) = world.told
    assert (event.event, event.ip_address, event.user_agent) == ("login_failed", HOME, AGENT)
    assert "hunter2" not in repr(event)


async def test_revocations_are_told(world):
    tokens = await world.login()
    sid = sid_of(tokens["access_token"])
    world.told.clear()
    await world.auth.revoke_token(tokens["access_token"])
    await world.auth.revoke_token(tokens["refresh_token"])
    await world.auth.revoke_session(sid)
    await world.auth.revoke_all_sessions("alice")
    await world.auth.revoke_everyone()
    assert [(event.event, event.uid) for event in world.told] == [
        ("token_revoked", "alice"),
        ("session_revoked", "alice"),
        ("session_revoked", None),
        ("subject_revoked", "alice"),
        ("subject_revoked", None),
    ]
    assert [event.session_id for event in world.told[:3]] == [sid] * 3


async def test_an_account_that_is_gone_is_told_as_a_revoked_session(world):
    token = (await world.login())["refresh_token"]
    world.auth.set_subject_getter(lambda uid: None)
    world.told.clear()
    await world.refresh(token)
    assert [(event.event, event.uid, event.session_id) for event in world.told] == [
        ("session_revoked", "alice", sid_of(token))
    ]


@pytest.mark.parametrize(
    ("path", "headers"),
    [*spread(["/door", "/auth/refresh", "/hand", "/auth/logout"], [{}]), ("/door", {"X-CSRF-TOKEN": "wrong"})],
)
async def test_a_csrf_failure_is_told(site, path, headers):
    await site.login()
    site.told.clear()
    assert (await site.http.post(path, headers=headers)).status_code == 403
    (event,) = site.told
    assert (event.event, event.ip_address, event.user_agent) == ("csrf_failed", HOME, AGENT)


async def test_a_request_without_any_cookie_is_no_csrf_failure(site):
    await site.http.post("/door")
    assert site.told == []


async def test_listeners_are_told_in_order_before_the_answer(world):
    order = []

    async def second(event):
        order.append("second")

    world.auth.on("logout", lambda event: order.append("first"))
    world.auth.on("logout", second)
    world.auth.on("logout", lambda event: order.append("third"))
    tokens = await world.login()
    await world.http.post("/auth/logout", headers=bearer(tokens["access_token"]))
    assert order == ["first", "second", "third"]


EVIL = "x\r\n2030 INFO admin logged in\x1b[2J\u202e\u2028\x00\x9b"


@pytest.mark.parametrize("field", ["uid", "session_id", "ip_address", "user_agent"])
async def test_nothing_that_a_client_chose_writes_a_line_of_its_own_into_the_log(field, caplog):
    caplog.set_level(logging.INFO, "authx.security")
    at = datetime.now(UTC)
    await Events().emit(SecurityEvent(**{"event": "login", "at": at, field: EVIL}))
    (line,) = caplog.messages
    assert line.isprintable()
    assert repr(EVIL) in line


async def test_an_address_that_a_proxy_took_from_a_header_is_quoted(world, caplog):
    caplog.set_level(logging.INFO, "authx.security")
    transport = httpx2.ASGITransport(app=world.app, client=(EVIL, 1))
    async with httpx2.AsyncClient(transport=transport, base_url="https://testserver") as client:
        await client.post("/enter/alice")
    assert caplog.messages
    assert all(line.isprintable() for line in caplog.messages)


@pytest.mark.parametrize("kind", ["sync", "async"])
async def test_a_listener_that_raises_is_logged_and_breaks_nothing(world, kind, caplog):
    told = []

    def sync(event):
        raise RuntimeError("the alarm is broken")

    async def coroutine(event):
        raise RuntimeError("the alarm is broken")

    for name in EVENTS:
        world.auth.on(name, sync if kind == "sync" else coroutine)
        world.auth.on(name, lambda event: told.append(event.event))
    tokens = await world.login()
    tokens = await world.refreshed(tokens["refresh_token"])
    await world.auth.revoke_session(sid_of(tokens["access_token"]))
    assert (await world.http.post("/auth/logout", headers=bearer(tokens["access_token"]))).status_code == 200
    assert told == ["login", "refresh", "session_revoked", "logout"]
    assert caplog.text.count("RuntimeError: the alarm is broken") == 4
    assert {record.name for record in caplog.records if record.exc_info} == {"authx.security"}


async def test_a_listener_may_widen_what_reuse_ends(world):
    world.auth.on("refresh_reused", lambda event: world.auth.revoke_all_sessions(event.uid))
    chain, _ = await rotated(world, 2)
    other = await world.login()
    await world.refresh(chain[0])
    assert await world.knock(other["access_token"]) == 401


async def test_nobody_is_told_of_what_did_not_happen(world):
    world.store.fail("create")
    await world.http.post("/enter/alice")
    tokens = await world.login()
    world.names()
    world.store.fail("advance")
    await world.refresh(tokens["refresh_token"])
    world.store.fail("revoke")
    await world.http.post("/auth/logout", headers=bearer(tokens["access_token"]))
    assert world.told == []


async def test_reuse_is_logged_as_a_warning(world, caplog):
    chain, _ = await rotated(world, 2)
    await world.refresh(chain[0])
    (record,) = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert (record.name, record.levelname) == ("authx.security", "WARNING")
    assert "refresh_reused" in record.getMessage()
    assert sid_of(chain[0]) in record.getMessage()


async def test_a_user_agent_cannot_forge_a_line_of_the_log(world, caplog):
    caplog.set_level(logging.DEBUG, "authx.security")
    await world.http.post("/enter/alice", headers=[("User-Agent", b"x\x1b[2J\x85WARNING forged")])
    (record,) = [record for record in caplog.records if record.name == "authx.security"]
    assert record.getMessage().isprintable()


async def test_no_token_and_no_csrf_value_is_in_any_log_or_event(make_world, caplog):
    caplog.set_level(logging.DEBUG)
    world = await make_world(JWT_TOKEN_LOCATION=["headers", "cookies"])
    secrets: set[str] = set()

    def keep(tokens):
        secrets.update(str(value) for name, value in tokens.items() if "token" in name and name != "token_type")
        return tokens

    await everything(world, keep)
    assert len(secrets) > 20
    text = caplog.text + repr(world.told)
    for secret in secrets:
        for part in secret.split("."):
            # Every token has the same header.
            if not part.startswith("eyJhbGci"):
                assert part not in text
    assert {record.name for record in caplog.records} >= {"authx.security"}


async def test_everything_that_can_happen_is_told(make_world):
    world = await make_world(JWT_TOKEN_LOCATION=["headers", "cookies"])
    await everything(world, lambda tokens: tokens)
    # A row of somebody else, and one that cannot be read, need a store that is written to by hand.
    assert NAMES - {event.event for event in world.told} <= {"session_mismatch", "row_invalid"}


async def everything(world, keep):
    """Lets each kind of thing happen once."""
    await world.http.post("/auth/login", json={"username": "alice", "password": "wrong"})
    tokens = keep(await world.login())
    await world.http.post("/door")
    world.http.cookies.clear()
    keep(await world.refreshed(tokens["refresh_token"]))
    keep(await world.refreshed(tokens["refresh_token"]))
    world.clock.advance(31)
    world.http.cookies.clear()
    await world.refresh(tokens["refresh_token"])
    world.http.cookies.clear()
    tokens = keep(await world.login())
    first = tokens["refresh_token"]
    for _ in range(3):
        world.http.cookies.clear()
        tokens = keep(await world.refreshed(tokens["refresh_token"]))
    world.http.cookies.clear()
    await lose(world, first, 2)
    tokens = keep(await world.refreshed(tokens["refresh_token"]))
    world.http.cookies.clear()
    await world.http.post("/auth/logout", headers=bearer(tokens["access_token"]))
    for call in (world.auth.revoke_token, world.auth.revoke_session):
        tokens = keep(await world.login())
        world.http.cookies.clear()
        await call(tokens["access_token"] if call == world.auth.revoke_token else sid_of(tokens["access_token"]))
    await world.auth.revoke_all_sessions("alice")
    await world.auth.revoke_everyone()
    keep({"token": "nonsense-in-the-header"})
    await world.refresh("nonsense-in-the-header")
    world.store.fail("get", "advance", "create", "revoke")
    tokens = dict(zip(("access_token", "refresh_token"), world.create_pair(), strict=True))
    await world.refresh(keep(tokens)["refresh_token"])
    world.store.heal()
