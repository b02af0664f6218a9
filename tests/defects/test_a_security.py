"""Defects of AuthX 1.7.1 by which somebody could get in, shown absent."""

import time

import pytest
from fastapi import WebSocket
from starlette.testclient import WebSocketDenialResponse
from tests.support.apps import COOKIES, SECRET, make_auth, make_door, with_cookie
from tests.support.tokens import bearer, claims_of, forge

from authx import AuthXConfig

# The last of an HS256 signature's 43 characters carries four bits; the two others are spare.
_SPARE = {"A": "B", "E": "F", "I": "J", "M": "N", "Q": "R", "U": "V", "Y": "Z", "c": "d", "g": "h", "k": "l"}
_SPARE |= {"o": "p", "s": "t", "w": "x", "0": "1", "4": "5", "8": "9"}


def _with_spare_bits(token):
    return token[:-1] + _SPARE[token[-1]]


@pytest.mark.parametrize(
    "respell",
    [lambda token: f"{token}=", lambda token: f"{token}==", _with_spare_bits],
    ids=["padded", "padded twice", "spare bits"],
)
@pytest.mark.parametrize("location", ["headers", "cookies"])
def test_a1_padding_appended_to_a_revoked_token_does_not_revive_it(location, respell):
    auth = make_auth(JWT_TOKEN_LOCATION=[location], JWT_COOKIE_SECURE=False)
    token = auth.create_access_token("mallory")
    auth.set_token_blocklist(lambda text, **_: text == token)

    def status_of(text):
        client = make_door(auth)
        if location == "headers":
            return client.get("/p", headers=bearer(text)).status_code
        return with_cookie(client, text).get("/p").status_code

    assert (status_of(token), status_of(respell(token))) == (401, 401)


def test_a2_an_access_token_in_the_query_does_not_pass_for_a_refresh_token():
    auth = make_auth(JWT_TOKEN_LOCATION=["headers", "query"])
    client = make_door(auth)
    answer = client.post("/r", params={"token": auth.create_access_token("alice")})
    assert (answer.status_code, answer.json()["error_type"]) == (401, "RefreshTokenRequiredError")


def test_a2_a_refresh_token_in_the_query_is_taken_as_one():
    auth = make_auth(JWT_TOKEN_LOCATION=["headers", "query"])
    answer = make_door(auth).post("/r", params={"token": auth.create_refresh_token("alice")})
    assert (answer.status_code, answer.json()) == (200, {"sub": "alice"})


@pytest.mark.parametrize(
    ("prefix", "status"),
    [("", 401), ("Bearer Bearer ", 400), ("bearer ", 200), ("BEARER ", 200), ("Bearer ", 200)],
)
def test_a6_the_scheme_is_checked_and_its_case_is_not(prefix, status):
    auth = make_auth()
    header = {"Authorization": prefix + auth.create_access_token("alice")}
    assert make_door(auth).get("/p", headers=header).status_code == status


def test_a6_a_header_of_another_scheme_does_not_hide_the_cookie():
    auth = make_auth(JWT_TOKEN_LOCATION=["headers", "cookies"], JWT_COOKIE_SECURE=False)
    client = with_cookie(make_door(auth), auth.create_access_token("alice"))
    assert client.get("/p", headers={"Authorization": "Basic dTpw"}).status_code == 200


@pytest.mark.parametrize("value", [b"\xe9", "jeton-café".encode(), b"\xff\xfe\xed\xa0\x80"])
def test_a7_a_csrf_value_that_is_not_ascii_is_refused_like_any_wrong_one(value):
    auth = make_auth(**COOKIES)
    client = with_cookie(make_door(auth), auth.create_access_token("alice"))
    answer = client.post("/p", headers={"X-CSRF-TOKEN": value})
    assert (answer.status_code, answer.json()["error_type"]) == (403, "CSRFError")


def test_a8_a_websocket_takes_no_token_from_the_query_unless_that_is_a_location():
    auth = make_auth()
    client = make_door(auth)

    @client.app.websocket("/ws")
    async def greet(socket: WebSocket, payload=auth.WS_AUTH_REQUIRED):
        await socket.accept()
        await socket.send_text(payload.sub)

    url = f"/ws?token={auth.create_access_token('alice')}"
    with pytest.raises(WebSocketDenialResponse) as refusal, client.websocket_connect(url):
        pass
    assert refusal.value.status_code == 401


@pytest.mark.parametrize("missing", ["type", "exp", "jti", "iat", "sub"])
def test_a9_a_token_without_one_of_its_vital_claims_is_no_access_token(missing):
    now = int(time.time())
    claims = {"sub": "alice", "type": "access", "jti": "one", "iat": now, "exp": now + 60}
    client = make_door(make_auth())
    assert client.get("/p", headers=bearer(forge(claims, SECRET))).status_code == 200
    del claims[missing]
    assert client.get("/p", headers=bearer(forge(claims, SECRET))).status_code == 401


def test_a9_a_token_that_only_names_a_subject_is_no_access_token():
    client = make_door(make_auth())
    assert client.get("/p", headers=bearer(forge({"sub": "alice"}, SECRET))).status_code == 401


@pytest.mark.parametrize("write", [repr, str])
@pytest.mark.parametrize("field", ["JWT_SECRET_KEY", "JWT_PREVIOUS_SECRET_KEY"])
def test_a11_a_secret_is_not_in_the_text_of_its_configuration(field, write):
    config = AuthXConfig(**{field: SECRET})
    assert SECRET not in write(config)
    assert getattr(config, field) == SECRET


def test_a11_a_private_key_is_not_in_the_text_of_its_configuration():
    assert "MIIE" not in repr(AuthXConfig(JWT_ALGORITHM="RS256", JWT_PRIVATE_KEY="MIIE not a key"))


def test_a11_tokens_are_not_in_the_text_of_a_pair():
    pair = make_auth().create_token_pair("alice")
    assert pair.access_token not in repr(pair)
    assert pair.refresh_token not in f"{pair}"
    assert claims_of(pair.access_token)["sub"] == "alice"
