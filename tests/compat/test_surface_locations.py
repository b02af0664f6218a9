"""Surface: where a token is looked for, and what counts as one."""

import json

import pytest
from fastapi import Depends, FastAPI
from pydantic import BaseModel
from tests.support.tokens import bearer, forge_access

from authx import TokenPayload

from .answers import BROKEN_REQUEST, INVALID, MISSING, NOT_ACCESS, NOT_REFRESH, REFRESH_MISSING


class Note(BaseModel):
    text: str


@pytest.fixture
def opened(make_auth, browse):
    """A client and its AuthX: GET or POST /door wants an access token, /refresh a refresh token."""

    def build(*locations, **fields):
        auth, app = make_auth(JWT_TOKEN_LOCATION=list(locations), **fields), FastAPI()
        auth.handle_errors(app)

        @app.api_route("/door", methods=["GET", "POST"])
        def door(payload: TokenPayload = Depends(auth.access_token_required)):
            return payload.sub

        @app.post("/refresh")
        def refresh(payload: TokenPayload = Depends(auth.refresh_token_required)):
            return payload.sub

        @app.post("/notes")
        def note(note: Note, payload: TokenPayload = Depends(auth.access_token_required)):
            return [payload.sub, note.text]

        return browse(app), auth

    return build


@pytest.fixture
def with_header(opened):
    """The answer to a header value in which TOKEN stands for a good access token."""

    def ask(value, name="Authorization", **fields):
        client, auth = opened("headers", **fields)
        return client.get("/door", headers={name: value.replace("TOKEN", auth.create_access_token("alice"))})

    return ask


@pytest.mark.parametrize("value", ["Bearer TOKEN", "bearer TOKEN", "BEARER TOKEN"])
def test_the_scheme_is_read_in_any_case(with_header, value):
    assert with_header(value).json() == "alice"


@pytest.mark.parametrize("value", ["TOKEN", "Basic dXNlcjpwYXNz", "Bearer", "Bearer ", "", "Token TOKEN"])
def test_a_header_without_the_scheme_holds_no_token(with_header, refused, value):
    refused(with_header(value), MISSING)


@pytest.mark.parametrize("value", ["Bearer Bearer TOKEN", "Bearer TOKEN more", "Bearer TOKEN, Basic x"])
def test_more_than_one_token_after_the_scheme_is_refused(with_header, value):
    answer = with_header(value)
    assert answer.status_code in {400, 401, 422}
    assert answer.json()["error_type"] in {"MissingTokenError", "JWTDecodeError", "InvalidRequestError"}


def test_header_and_scheme_may_have_other_names(with_header):
    answer = with_header("Token TOKEN", name="X-Auth", JWT_HEADER_NAME="X-Auth", JWT_HEADER_TYPE="Token")
    assert answer.json() == "alice"


def test_without_a_scheme_the_whole_header_is_the_token(with_header):
    answer = with_header("TOKEN", name="X-Auth", JWT_HEADER_NAME="X-Auth", JWT_HEADER_TYPE="")
    assert answer.json() == "alice"


def test_two_authorization_headers_are_a_broken_request(opened, refused):
    client, auth = opened("headers")
    value = f"Bearer {auth.create_access_token('alice')}"
    refused(client.get("/door", headers=[("Authorization", value), ("Authorization", value)]), BROKEN_REQUEST)


def test_two_different_cookies_of_one_name_are_a_broken_request(opened, refused):
    client, auth = opened("cookies")
    cookies = "; ".join(f"access_token_cookie={auth.create_access_token(name)}" for name in ("alice", "bob"))
    refused(client.get("/door", headers={"Cookie": cookies}), BROKEN_REQUEST)


@pytest.mark.parametrize("location", ["cookies", "query", "json"])
def test_after_a_foreign_scheme_the_next_location_is_asked(opened, location):
    client, auth = opened("headers", location)
    token, headers = auth.create_access_token("alice"), {"Authorization": "Basic dXNlcjpwYXNz"}
    if location == "cookies":
        client.cookies.set("access_token_cookie", token)
    params = {"token": token} if location == "query" else None
    body = {"access_token": token} if location == "json" else None
    assert client.request("GET", "/door", headers=headers, params=params, json=body).json() == "alice"


def test_after_a_bad_token_no_other_location_is_asked(opened, refused):
    client, auth = opened("headers", "query")
    params = {"token": auth.create_access_token("alice")}
    refused(client.get("/door", headers=bearer("garbage"), params=params), INVALID)


def test_an_empty_cookie_is_no_token(opened, refused):
    client, _ = opened("cookies")
    refused(client.get("/door", headers={"Cookie": "access_token_cookie="}), MISSING)


def test_a_cookie_without_its_csrf_value_is_passed_over_for_the_next_location(opened):
    client, auth = opened("cookies", "query")
    client.cookies.set("access_token_cookie", auth.create_access_token("cookie"))
    assert client.post("/door", params={"token": auth.create_access_token("query")}).json() == "query"


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "application/json; charset=utf-8",
        "Application/JSON",
        'application/json;charset="utf-8"',
    ],
)
def test_a_json_body_is_recognised_by_its_media_type(opened, content_type):
    client, auth = opened("json")
    body = json.dumps({"access_token": auth.create_access_token("alice")})
    assert client.post("/door", content=body, headers={"Content-Type": content_type}).json() == "alice"


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/json-patch+json", "application/jsonx", "multipart/form-data"]
)
def test_another_media_type_is_no_json_body(opened, refused, content_type):
    client, auth = opened("json")
    body = json.dumps({"access_token": auth.create_access_token("alice")})
    refused(client.post("/door", content=body, headers={"Content-Type": content_type}), MISSING)


@pytest.mark.parametrize("body", [{}, [], "text", 7, None, {"access_token": 7}, {"access_token": None}])
def test_a_json_body_without_a_text_under_the_key_holds_no_token(opened, refused, body):
    client, _ = opened("json")
    answer = client.post("/door", content=json.dumps(body), headers={"Content-Type": "application/json"})
    refused(answer, MISSING)


@pytest.mark.parametrize("body", [b"{", b"\xff\xfe", b'{"access_token": "x",}', b"nonsense"])
def test_unreadable_json_is_a_broken_request(opened, refused, body):
    client, _ = opened("json")
    refused(client.post("/door", content=body, headers={"Content-Type": "application/json"}), BROKEN_REQUEST)


def test_a_get_request_may_carry_a_json_body(opened):
    client, auth = opened("json")
    answer = client.request("GET", "/door", json={"access_token": auth.create_access_token("alice")})
    assert answer.json() == "alice"


def test_reading_the_token_leaves_the_body_to_the_route(opened):
    client, auth = opened("json")
    body = {"access_token": auth.create_access_token("alice"), "text": "milk"}
    assert client.post("/notes", json=body).json() == ["alice", "milk"]


def test_json_keys_may_have_other_names(opened):
    client, auth = opened("json", JWT_JSON_KEY="at", JWT_REFRESH_JSON_KEY="rt")
    assert client.post("/door", json={"at": auth.create_access_token("alice")}).json() == "alice"
    assert client.post("/refresh", json={"rt": auth.create_refresh_token("alice")}).json() == "alice"


def test_the_query_parameter_may_have_another_name(opened):
    client, auth = opened("query", JWT_QUERY_STRING_NAME="jwt")
    assert client.get("/door", params={"jwt": auth.create_access_token("alice")}).json() == "alice"


def test_an_empty_query_parameter_is_refused(opened, refused):
    client, _ = opened("query")
    answer = client.get("/door", params={"token": ""})
    refused(answer, INVALID)


def test_an_empty_text_in_the_json_body_is_refused(opened, refused):
    client, _ = opened("json")
    refused(client.post("/door", json={"access_token": ""}), INVALID)


def test_a_refresh_token_in_the_query_refreshes(opened):
    client, auth = opened("query")
    assert client.post("/refresh", params={"token": auth.create_refresh_token("alice")}).json() == "alice"


def test_an_access_token_in_the_query_does_not_refresh(opened, refused):
    client, auth = opened("query")
    refused(client.post("/refresh", params={"token": auth.create_access_token("alice")}), NOT_REFRESH)


@pytest.mark.parametrize("location", ["headers", "cookies", "json", "query"])
def test_a_location_that_is_not_configured_is_not_asked(opened, refused, location):
    configured = "json" if location != "json" else "query"
    client, auth = opened(configured)
    token = auth.create_access_token("alice")
    client.cookies.set("access_token_cookie", token)
    everywhere = {
        "headers": bearer(token) if location == "headers" else None,
        "params": {"token": token} if location == "query" else None,
        "json": {"access_token": token} if location == "json" else None,
    }
    refused(client.request("GET", "/door", **everywhere), MISSING)


def test_refresh_tokens_may_travel_elsewhere(opened, refused):
    client, auth = opened("headers", JWT_REFRESH_TOKEN_LOCATION=["query"])
    token = auth.create_refresh_token("alice")
    assert client.post("/refresh", params={"token": token}).json() == "alice"
    refused(client.post("/refresh", headers=bearer(token)), REFRESH_MISSING)


def test_a_token_over_the_size_limit_is_a_broken_request(opened, refused):
    client, _ = opened("headers")
    refused(client.get("/door", headers=bearer(forge_access(padding="x" * 8192))), BROKEN_REQUEST)


def test_a_token_within_the_size_limit_is_read(opened):
    client, _ = opened("headers")
    assert client.get("/door", headers=bearer(forge_access(padding="x" * 4096))).json() == "alice"


def test_a_foreign_token_of_the_other_type_opens_nothing(opened, refused):
    client, _ = opened("headers")
    refused(client.get("/door", headers=bearer(forge_access(type="refresh"))), NOT_ACCESS)


def test_a_foreign_token_with_the_usual_claims_opens_the_door(opened):
    client, _ = opened("headers")
    assert client.get("/door", headers=bearer(forge_access())).json() == "alice"
