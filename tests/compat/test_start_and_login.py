"""Acceptance of a first application: A01 to A10."""

import os
import re
from datetime import datetime, timedelta

import pytest
from fastapi import Depends, FastAPI, HTTPException, Request
from pydantic import BaseModel
from tests.support.tokens import SECRET, bearer

import authx
from authx import AuthX, AuthXConfig, TokenPayload

from .answers import INVALID, MISSING

RIGHT = {"username": "test", "password": "test"}


class Credentials(BaseModel):
    username: str
    password: str


def first_application(auth, *, body=False):
    app = FastAPI()
    auth.handle_errors(app)

    def issue(username, password):
        if (username, password) != ("test", "test"):
            raise HTTPException(401, detail="Invalid credentials")
        return {"access_token": auth.create_access_token(uid=username)}

    if body:

        @app.post("/login")
        def login_with_body(data: Credentials):
            return issue(data.username, data.password)
    else:

        @app.post("/login")
        def login_with_query(username: str, password: str):
            return issue(username, password)

    @app.get("/protected", dependencies=[Depends(auth.access_token_required)])
    def protected():
        return {"message": "Hello World"}

    return app


def open_the_door(client, **sent):
    token = client.post("/login", **sent).json()["access_token"]
    return client.get("/protected", headers=bearer(token))


def test_a01_the_package_has_a_version():
    assert re.match(r"\d+\.\d+", authx.__version__)


@pytest.fixture
def client(make_auth, browse):
    return browse(first_application(make_auth(JWT_TOKEN_LOCATION=["headers"])))


def test_a02_login_answers_an_access_token(client):
    answer = client.post("/login", params=RIGHT)
    assert answer.status_code == 200
    assert answer.json()["access_token"].count(".") == 2


def test_a02_the_access_token_opens_the_protected_route(client):
    answer = open_the_door(client, params=RIGHT)
    assert (answer.status_code, answer.json()) == (200, {"message": "Hello World"})


def test_a02_no_token_is_refused(client, refused):
    refused(client.get("/protected"), MISSING)


@pytest.mark.parametrize("garbage", ["garbage", "a.b.c", "..", "a" * 5000])
def test_a02_a_garbage_token_is_refused(client, refused, garbage):
    refused(client.get("/protected", headers=bearer(garbage)), INVALID)


def test_a02_a_wrong_password_gets_the_routes_own_answer(client):
    answer = client.post("/login", params=RIGHT | {"password": "wrong"})
    assert (answer.status_code, answer.json()) == (401, {"detail": "Invalid credentials"})


@pytest.fixture
def loaded_client(configure, browse):
    auth = AuthX()
    auth.load_config(configure(JWT_TOKEN_LOCATION=["headers"]))
    return browse(first_application(auth))


def test_a03_a_configuration_loaded_later_issues_and_accepts_tokens(loaded_client):
    assert open_the_door(loaded_client, params=RIGHT).status_code == 200


def test_a03_a_configuration_loaded_later_refuses_no_token(loaded_client, refused):
    refused(loaded_client.get("/protected"), MISSING)


def test_a03_a_configuration_loaded_later_refuses_garbage(loaded_client, refused):
    refused(loaded_client.get("/protected", headers=bearer("garbage")), INVALID)


def test_a04_the_secret_may_be_read_with_getenv(monkeypatch, browse):
    monkeypatch.setenv("MY_SECRET", SECRET)
    auth = AuthX(config=AuthXConfig(JWT_SECRET_KEY=os.getenv("MY_SECRET")))
    assert open_the_door(browse(first_application(auth)), params=RIGHT).status_code == 200


def test_a04_the_secret_may_come_from_the_environment_alone(monkeypatch, browse):
    monkeypatch.setenv("JWT_SECRET_KEY", SECRET)
    auth = AuthX(config=AuthXConfig())
    assert open_the_door(browse(first_application(auth)), params=RIGHT).status_code == 200


def test_a05_login_may_read_a_json_body(make_auth, browse):
    client = browse(first_application(make_auth(), body=True))
    assert open_the_door(client, json=RIGHT).status_code == 200


def test_a05_a_wrong_password_in_the_body_gets_the_routes_own_answer(make_auth, browse):
    client = browse(first_application(make_auth(), body=True))
    answer = client.post("/login", json=RIGHT | {"password": "wrong"})
    assert (answer.status_code, answer.json()) == (401, {"detail": "Invalid credentials"})


def test_a06_a_route_receives_the_payload(make_auth, browse):
    auth, app = make_auth(), FastAPI()

    @app.get("/claims")
    def claims(payload: TokenPayload = Depends(auth.access_token_required)):
        return {
            "sub": payload.sub,
            "type": payload.type,
            "fresh": payload.fresh,
            "dated": payload.exp is not None and payload.iat is not None,
        }

    answer = browse(app).get("/claims", headers=bearer(auth.create_access_token(uid="alice")))
    assert answer.json() == {"sub": "alice", "type": "access", "fresh": False, "dated": True}


def test_a07_custom_claims_are_read_from_extra_dict(make_auth, browse):
    auth, app = make_auth(), FastAPI()

    @app.get("/claims")
    def claims(payload: TokenPayload = Depends(auth.access_token_required)):
        return [payload.extra_dict.get("role"), payload.extra_dict.get("permissions")]

    token = auth.create_access_token(uid="alice", data={"role": "admin", "permissions": ["read", "write"]})
    assert browse(app).get("/claims", headers=bearer(token)).json() == ["admin", ["read", "write"]]


@pytest.fixture
def payload_client(make_auth, browse):
    auth, app = make_auth(), FastAPI()
    auth.handle_errors(app)

    @app.post("/login/{name}")
    def login(name: str):
        return auth.create_access_token(uid=name, data={"role": name})

    @app.get("/me")
    def me(payload: TokenPayload = Depends(auth.access_token_required)):
        return {"role": payload.extra_dict.get("role"), "expires_in": str(payload.time_until_expiry)}

    @app.get("/admin-only")
    def admin_only(payload: TokenPayload = Depends(auth.access_token_required)):
        if payload.extra_dict.get("role") != "admin":
            raise HTTPException(403, detail="Admin only")
        return {"message": "Welcome"}

    return browse(app)


@pytest.mark.parametrize("name", ["admin", "user"])
def test_a08_the_route_sees_the_role(payload_client, name):
    token = payload_client.post(f"/login/{name}").json()
    assert payload_client.get("/me", headers=bearer(token)).json()["role"] == name


def test_a08_the_time_left_is_the_access_lifetime(payload_client):
    token = payload_client.post("/login/user").json()
    text = payload_client.get("/me", headers=bearer(token)).json()["expires_in"]
    hours, minutes, seconds = text.split(":")
    left = timedelta(hours=int(hours), minutes=int(minutes), seconds=float(seconds))
    # exp is rounded up to a whole second, so up to one second may be left beyond the fifteen minutes.
    assert timedelta(minutes=14, seconds=50) < left <= timedelta(minutes=15, seconds=1)


@pytest.mark.parametrize(("name", "status"), [("admin", 200), ("user", 403)])
def test_a08_only_the_admin_passes_the_role_check(payload_client, name, status):
    token = payload_client.post(f"/login/{name}").json()
    assert payload_client.get("/admin-only", headers=bearer(token)).status_code == status


@pytest.fixture
def token_facts(make_auth, browse):
    auth, app = make_auth(), FastAPI()

    @app.get("/facts")
    def facts(payload: TokenPayload = Depends(auth.access_token_required)):
        return {
            "issued": payload.issued_at.isoformat(),
            "expires": payload.expiry_datetime.isoformat(),
            "left": str(payload.time_until_expiry),
            "age": str(payload.time_since_issued),
            "fresh": payload.fresh,
            "extra": payload.extra_dict,
        }

    return browse(app).get("/facts", headers=bearer(auth.create_access_token(uid="alice"))).json()


@pytest.mark.parametrize("moment", ["issued", "expires"])
def test_a09_times_are_iso_8601_in_utc(token_facts, moment):
    assert datetime.fromisoformat(token_facts[moment]).utcoffset() == timedelta(0)


def test_a09_both_time_spans_are_readable(token_facts):
    assert re.fullmatch(r"0:1[45]:\d\d(\.\d+)?", token_facts["left"])
    assert re.fullmatch(r"0:00:0\d(\.\d+)?", token_facts["age"])


def test_a09_a_plain_token_is_stale_and_has_no_extra_claims(token_facts):
    assert (token_facts["fresh"], token_facts["extra"]) == (False, {})


@pytest.fixture
def manual_client(make_auth, browse):
    auth, app = make_auth(), FastAPI()

    @app.get("/profile")
    async def profile(request: Request):
        try:
            token = await auth.get_access_token_from_request(request)
            payload = auth.verify_token(token)
        except Exception as error:
            raise HTTPException(401, detail=str(error)) from error
        return {"user": payload.sub}

    client = browse(app)
    client.auth_under_test = auth
    return client


def test_a10_a_route_may_verify_by_hand(manual_client):
    token = manual_client.auth_under_test.create_access_token(uid="alice")
    answer = manual_client.get("/profile", headers=bearer(token))
    assert (answer.status_code, answer.json()) == (200, {"user": "alice"})


@pytest.mark.parametrize("headers", [{}, bearer("garbage")], ids=["none", "garbage"])
def test_a10_what_fails_by_hand_says_why(manual_client, headers):
    answer = manual_client.get("/profile", headers=headers)
    assert answer.status_code == 401
    assert answer.json()["detail"]
