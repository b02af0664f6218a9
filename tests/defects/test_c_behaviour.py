"""Wrong behaviour of AuthX 1.7.1, shown absent."""

import asyncio
import os
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta, timezone

import fastapi.dependencies.utils
import httpx2
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from fastapi import Depends, FastAPI, Request, Response, WebSocket
from fastapi.testclient import TestClient
from joserfc.jwk import OKPKey, RSAKey
from starlette.testclient import WebSocketDenialResponse
from tests.support.apps import COOKIES, SECRET, make_auth, make_door, make_expired, with_cookie
from tests.support.axes import spread
from tests.support.tokens import bearer, claims_of, forge, header_of
from tests.support.waiting import PATIENCE

from authx import AuthX, AuthXConfig
from authx.exceptions import BadConfigurationError


class AsyncBlocklist:
    """An object whose call is a coroutine, as a client of a key-value store is."""

    def __init__(self, *revoked):
        self.revoked = revoked

    async def __call__(self, token, **_):
        return token in self.revoked


async def _is_revoked(token, revoked):
    return token in revoked


@pytest.mark.parametrize(
    "blocklist",
    [
        lambda *revoked: AsyncBlocklist(*revoked),
        lambda *revoked: lambda token, **_: _is_revoked(token, revoked),
    ],
    ids=["an object with an async call", "a lambda that returns a coroutine"],
)
def test_c1_an_awaitable_answer_of_the_blocklist_is_awaited(blocklist):
    auth = make_auth()
    good, revoked = auth.create_access_token("alice"), auth.create_access_token("alice")
    auth.set_token_blocklist(blocklist(revoked))
    client = make_door(auth)
    assert client.get("/p", headers=bearer(good)).status_code == 200
    assert client.get("/p", headers=bearer(revoked)).json()["error_type"] == "RevokedTokenError"


def test_c2_a_sync_callback_does_not_stop_the_other_requests():
    auth = make_auth()
    together = threading.Barrier(3)

    def meets_the_others(token, **_):
        # Passes only if three requests are in their callback at the same time.
        together.wait(PATIENCE)
        return False

    auth.set_token_blocklist(meets_the_others)
    app, header = make_door(auth).app, bearer(auth.create_access_token("alice"))

    async def ask_thrice():
        transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
        async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
            return await asyncio.gather(*[client.get("/p", headers=header) for _ in range(3)])

    assert [answer.status_code for answer in asyncio.run(ask_thrice())] == [200, 200, 200]


@pytest.mark.parametrize("text", ["garbage", "a.b.c", jwt.encode({"sub": "alice"}, "x" * 48)])
def test_c3_the_blocklist_is_not_asked_about_what_nobody_signed(text):
    auth, asked = make_auth(), []
    auth.set_token_blocklist(lambda token, **_: asked.append(token))
    assert make_door(auth).get("/p", headers=bearer(text)).status_code == 401
    assert asked == []


def test_c3_the_blocklist_is_asked_once_a_request():
    auth, asked = make_auth(), []
    auth.set_token_blocklist(lambda token, **_: asked.append(token))
    auth.set_subject_getter(lambda uid: uid)
    app = FastAPI(dependencies=[auth.ACCESS_REQUIRED])

    @app.get("/")
    def thrice(payload=auth.ACCESS_REQUIRED, subject=auth.CURRENT_SUBJECT):
        return subject

    token = auth.create_access_token("alice")
    assert TestClient(app).get("/", headers=bearer(token)).json() == "alice"
    assert asked == [token]


def test_c4_a_missing_csrf_value_is_reported_as_such():
    auth = make_auth(**COOKIES)
    answer = with_cookie(make_door(auth), auth.create_access_token("alice")).post("/p")
    assert answer.status_code == 403
    assert answer.json()["error_type"] == "MissingCSRFTokenError"
    assert answer.json()["code"] == "csrf_missing"
    # It says where the value is and where it goes.
    assert "csrf_access_token" in answer.json()["message"]
    assert "X-CSRF-TOKEN" in answer.json()["message"]


@pytest.mark.parametrize("previous", [None, "p" * 48])
def test_c5_an_expired_token_is_called_expired_also_during_a_rotation(previous):
    auth = make_auth(JWT_PREVIOUS_SECRET_KEY=previous)
    token = make_expired(auth)
    answer = make_door(auth).get("/p", headers=bearer(token))
    assert (answer.status_code, answer.json()["error_type"]) == (401, "TokenExpiredError")
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]


def test_c5_an_expired_token_of_the_former_key_is_called_expired_too():
    token = make_expired(make_auth())
    auth = make_auth(JWT_SECRET_KEY="n" * 48, JWT_PREVIOUS_SECRET_KEY=SECRET)
    answer = make_door(auth).get("/p", headers=bearer(token))
    assert answer.json()["error_type"] == "TokenExpiredError"
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]


@pytest.mark.parametrize(
    "foreign",
    [{"JWT_ENCODE_AUDIENCE": "svc-b"}, {"JWT_ENCODE_ISSUER": "us", "JWT_DECODE_ISSUER": "them"}],
    ids=["audience", "issuer"],
)
def test_c6_cookies_are_set_for_tokens_meant_for_another_service(foreign):
    auth, response = make_auth(**foreign, **COOKIES), Response()
    token = auth.create_access_token("alice")
    auth.set_access_cookies(token, response)
    lines = response.headers.getlist("set-cookie")
    assert lines[0].startswith(f"access_token_cookie={token};")
    assert lines[1].startswith(f"csrf_access_token={claims_of(token)['csrf']};")


def _attributes(line):
    parts = line.split("; ")[1:]
    return sorted(part for part in parts if not part.lower().startswith(("max-age", "expires")))


@pytest.mark.parametrize(
    "fields",
    [
        {"JWT_COOKIE_SAMESITE": "none"},
        {"JWT_COOKIE_SAMESITE": "strict", "JWT_COOKIE_DOMAIN": "example.org", "JWT_REFRESH_COOKIE_PATH": "/auth"},
        {"JWT_ACCESS_COOKIE_NAME": "__Host-access", "JWT_REFRESH_COOKIE_NAME": "__Secure-refresh"},
    ],
    ids=["cross-site", "domain and path", "prefixes"],
)
def test_c7_cookies_are_deleted_with_the_attributes_they_were_set_with(fields):
    auth, setting, deleting = make_auth(JWT_TOKEN_LOCATION=["cookies"], **fields), Response(), Response()
    auth.set_access_cookies(auth.create_access_token("alice"), setting)
    auth.set_refresh_cookies(auth.create_refresh_token("alice"), setting)
    auth.unset_cookies(deleting)
    set_lines, deletions = (response.headers.getlist("set-cookie") for response in (setting, deleting))
    assert len(set_lines) == len(deletions) == 4
    assert [_attributes(line) for line in deletions] == [_attributes(line) for line in set_lines]
    assert all("Max-Age=0" in line for line in deletions)


def test_c8_custom_claims_are_in_extra_dict():
    auth = make_auth()
    app = FastAPI()

    @app.get("/")
    def role(payload=auth.ACCESS_REQUIRED):
        return payload.extra_dict

    token = auth.create_access_token("alice", data={"role": "editor"}, scopes=["posts:read"])
    assert TestClient(app).get("/", headers=bearer(token)).json() == {"role": "editor"}


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "application/json; charset=utf-8", "Application/JSON;charset=UTF-8", "application/json ;x=y"],
)
def test_c10_a_json_body_may_name_its_charset(content_type):
    auth = make_auth(JWT_TOKEN_LOCATION=["json"])
    body = f'{{"refresh_token":"{auth.create_refresh_token("alice")}"}}'
    answer = make_door(auth).post("/r", content=body, headers={"content-type": content_type})
    assert answer.status_code == 200


@pytest.fixture
def subject_door():
    auth = make_auth()
    auth.set_subject_getter(lambda uid: None)
    client = make_door(auth)

    @client.app.get("/me")
    def me(subject=auth.CURRENT_SUBJECT):
        return {"subject": subject}

    return auth, client


def test_c11_a_subject_that_is_gone_reaches_the_route_as_none(subject_door):
    auth, client = subject_door
    answer = client.get("/me", headers=bearer(auth.create_access_token("gone")))
    assert (answer.status_code, answer.json()) == (200, {"subject": None})


def test_c11_a_route_with_a_subject_shows_its_security_scheme(subject_door):
    _, client = subject_door
    document = client.app.openapi()
    assert document["paths"]["/me"]["get"].get("security") == [{"AuthXBearer": []}]
    assert "AuthXBearer" in document["components"]["securitySchemes"]


def test_c13_every_instance_has_a_configuration_of_its_own():
    first, second = AuthX(), AuthX()
    assert first.config is not second.config


def test_c13_an_instance_reads_the_environment_when_it_is_made(monkeypatch):
    monkeypatch.setenv("JWT_HEADER_TYPE", "Token")
    first = AuthX()
    monkeypatch.setenv("JWT_HEADER_TYPE", "Pass")
    assert (first.config.JWT_HEADER_TYPE, AuthX().config.JWT_HEADER_TYPE) == ("Token", "Pass")


def test_c13_importing_the_package_reads_no_environment():
    environment = {**os.environ, "JWT_ALGORITHM": "no such algorithm", "JWT_TOKEN_LOCATION": "nowhere"}
    run = subprocess.run([sys.executable, "-c", "import authx"], env=environment, capture_output=True, check=False)
    assert run.returncode == 0, run.stderr


RESERVED = ["sub", "fresh", "exp", "type", "iss", "aud", "csrf", "scopes", "nbf", "sid", "gen", "cnf"]


CREATORS = ["create_access_token", "create_refresh_token", "create_token_pair"]


@pytest.mark.parametrize(("claim", "create"), spread(RESERVED, CREATORS))
def test_c14_a_reserved_claim_in_data_is_a_type_error_that_names_it(claim, create):
    with pytest.raises(TypeError, match=rf"data= must not set {claim}\b"):
        getattr(make_auth(), create)("alice", data={claim: "x"})


def test_c14_every_reserved_claim_in_data_is_named():
    with pytest.raises(TypeError, match="aud, scopes"):
        make_auth().create_access_token("alice", data={"scopes": ["x"], "role": "y", "aud": "z"})


@pytest.mark.parametrize(("uid", "create"), spread([5.0, None, b"alice", ["alice"]], CREATORS))
def test_c14_a_value_that_cannot_be_a_uid_is_a_plain_type_error_that_says_so(uid, create):
    with pytest.raises(TypeError, match="uid must be") as refusal:
        getattr(make_auth(), create)(uid)
    assert type(refusal.value) is TypeError


def test_c15_a_protected_request_makes_no_hop_to_a_thread(monkeypatch):
    hops = []
    run = fastapi.dependencies.utils.run_in_threadpool

    async def counted(function, *args, **kwargs):
        hops.append(function)
        return await run(function, *args, **kwargs)

    monkeypatch.setattr(fastapi.dependencies.utils, "run_in_threadpool", counted)
    auth = make_auth()
    app = FastAPI()

    @app.get("/", dependencies=[auth.ACCESS_REQUIRED])
    async def protected():
        return "open"

    assert TestClient(app).get("/", headers=bearer(auth.create_access_token("alice"))).status_code == 200
    assert hops == []


def _pem(private_key):
    return private_key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


@pytest.fixture(scope="module", params=["RS256", "EdDSA"])
def key_pair(request):
    """The settings that sign with a key pair."""
    key = (
        rsa.generate_private_key(public_exponent=65537, key_size=2048)
        if request.param == "RS256"
        else ed25519.Ed25519PrivateKey.generate()
    )
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return {"JWT_ALGORITHM": request.param, "JWT_PRIVATE_KEY": _pem(key), "JWT_PUBLIC_KEY": public.decode()}


def test_c16_an_asymmetric_key_names_itself_by_its_thumbprint(key_pair):
    header = header_of(make_auth(**key_pair).create_access_token("alice"))
    # RFC 7638, by another library's reading of the same key.
    read = RSAKey if key_pair["JWT_ALGORITHM"] == "RS256" else OKPKey
    assert header["kid"] == read.import_key(key_pair["JWT_PUBLIC_KEY"]).thumbprint()


def test_c16_tokens_of_the_former_secret_pass_after_the_move_to_a_key_pair(key_pair):
    old = make_auth().create_access_token("alice")
    moved = make_auth(**key_pair, JWT_DECODE_ALGORITHMS=[key_pair["JWT_ALGORITHM"], "HS256"])
    client = make_door(moved)
    new = moved.create_access_token("alice")
    assert header_of(new)["alg"] == key_pair["JWT_ALGORITHM"]
    assert client.get("/p", headers=bearer(old)).status_code == 200
    assert client.get("/p", headers=bearer(new)).status_code == 200


def test_c16_once_the_former_algorithm_is_not_listed_its_tokens_end(key_pair):
    old = make_auth().create_access_token("alice")
    moved = make_auth(**key_pair, JWT_DECODE_ALGORITHMS=[key_pair["JWT_ALGORITHM"]])
    assert make_door(moved).get("/p", headers=bearer(old)).status_code == 401


def test_c16_during_the_move_the_public_key_is_no_secret(key_pair):
    moved = make_auth(**key_pair, JWT_DECODE_ALGORITHMS=[key_pair["JWT_ALGORITHM"], "HS256"])
    claims = claims_of(moved.create_access_token("alice"))
    forged = forge(claims, key_pair["JWT_PUBLIC_KEY"])
    assert make_door(moved).get("/p", headers=bearer(forged)).status_code == 401


def test_c17_the_documented_logout_ends_the_token():
    auth = make_auth()
    app, blocked = FastAPI(), set()
    auth.handle_errors(app)

    @auth.set_callback_token_blocklist
    def is_token_revoked(token: str) -> bool:
        return token in blocked

    @app.post("/logout", dependencies=[Depends(auth.access_token_required)])
    async def logout(request: Request):
        token = await auth.get_access_token_from_request(request)
        blocked.add(token.token)
        return {"revoked": is_token_revoked(token.token)}

    client, header = TestClient(app), bearer(auth.create_access_token("alice"))
    first, second = (client.post("/logout", headers=header) for _ in range(2))
    assert (first.status_code, first.json()) == (200, {"revoked": True})
    assert (second.status_code, second.json()["error_type"]) == (401, "RevokedTokenError")


@pytest.mark.parametrize(
    "setter",
    [
        "set_token_blocklist",
        "set_callback_token_blocklist",
        "set_subject_getter",
        "set_callback_get_model_instance",
    ],
)
def test_c17_a_setter_used_as_a_decorator_leaves_the_function_its_name(setter):
    def callback(text):
        return None

    assert getattr(make_auth(), setter)(callback) is callback


@pytest.fixture
def local_time(monkeypatch):
    def set_zone(name):
        monkeypatch.setenv("TZ", name)
        time.tzset()

    yield set_zone
    monkeypatch.undo()
    time.tzset()


def test_c18_a_datetime_without_zone_is_refused_where_it_could_mean_two_moments(local_time):
    local_time("America/New_York")
    with pytest.raises(ValueError, match="without time zone"):
        make_auth().create_access_token("alice", expiry=datetime.now(UTC).replace(tzinfo=None) + timedelta(minutes=10))


def test_c18_a_datetime_without_zone_is_taken_where_local_time_is_utc(local_time):
    local_time("UTC")
    end = datetime.now(UTC).replace(tzinfo=None, microsecond=0) + timedelta(minutes=10)
    token = make_auth().create_access_token("alice", expiry=end)
    assert claims_of(token)["exp"] == end.replace(tzinfo=UTC).timestamp()


def test_c18_a_datetime_with_zone_is_taken_anywhere(local_time):
    local_time("America/New_York")
    end = datetime.now(timezone(timedelta(hours=9))).replace(microsecond=0) + timedelta(minutes=10)
    assert claims_of(make_auth().create_access_token("alice", expiry=end))["exp"] == end.timestamp()


@pytest.mark.parametrize("seconds", [0, 1, 60, 3600, 86400.5, -5, 999_999_999])
def test_c18_a_bare_number_that_looks_like_a_duration_is_refused(seconds):
    with pytest.raises(ValueError, match="timedelta"):
        make_auth().create_access_token("alice", expiry=seconds)


@pytest.mark.parametrize(
    ("expiry", "create"),
    spread(
        [float("inf"), float("nan"), 1e300, 10**30, timedelta.max, timedelta.min, datetime.max.replace(tzinfo=UTC)],
        ["create_access_token", "create_refresh_token"],
    ),
    ids=str,
)
def test_c18_an_end_that_no_verifier_could_read_is_refused_when_the_token_is_made(create, expiry):
    with pytest.raises(ValueError, match="expiry"):
        getattr(make_auth(), create)("alice", expiry=expiry)


def test_c18_a_bare_number_that_is_a_moment_is_taken():
    end = int(time.time()) + 600
    assert claims_of(make_auth().create_access_token("alice", expiry=end))["exp"] == end


@pytest.fixture
def socket_app():
    auth = make_auth()
    client = make_door(auth, handle_errors=False)

    @client.app.websocket("/ws")
    async def greet(socket: WebSocket, payload=auth.WS_AUTH_REQUIRED):
        await socket.accept()

    return client.app


def test_c19_a_websocket_is_refused_with_an_answer_also_without_handle_errors(socket_app):
    with pytest.raises(WebSocketDenialResponse) as refusal, TestClient(socket_app).websocket_connect("/ws"):
        pass
    assert refusal.value.status_code == 401
    assert refusal.value.json()["error_type"] == "MissingTokenError"


def test_c19_a_server_that_cannot_answer_a_handshake_closes_with_1008(socket_app):
    sent = []

    async def receive():
        return {"type": "websocket.connect"}

    async def send(message):
        sent.append(message)

    scope = {
        "type": "websocket",
        "path": "/ws",
        "headers": [],
        "query_string": b"",
        "scheme": "ws",
        "subprotocols": [],
    }
    asyncio.run(socket_app(scope, receive, send))
    assert [(message["type"], message["code"]) for message in sent] == [("websocket.close", 1008)]


@pytest.mark.parametrize("secure", [False, "auto"])
def test_c20_samesite_none_without_secure_is_refused_at_construction(secure):
    with pytest.raises(BadConfigurationError, match="JWT_COOKIE_SECURE=True"):
        AuthXConfig(JWT_TOKEN_LOCATION=["cookies"], JWT_COOKIE_SAMESITE="none", JWT_COOKIE_SECURE=secure)


STABLE = [
    "access_token_required",
    "refresh_token_required",
    "fresh_token_required",
    "get_current_subject",
]


@pytest.mark.parametrize("name", STABLE)
def test_c21_a_dependency_is_the_same_object_at_each_access(name):
    auth = make_auth()
    assert getattr(auth, name) is getattr(auth, name)


@pytest.mark.parametrize("name", STABLE)
def test_c21_a_dependency_can_be_overridden(name):
    auth = make_auth()
    app, required = FastAPI(), Depends(getattr(auth, name))

    @app.get("/")
    def protected(value=required):
        return value

    app.dependency_overrides[getattr(auth, name)] = lambda: "instead"
    assert TestClient(app).get("/").json() == "instead"
