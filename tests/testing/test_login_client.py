"""A test client that is logged in, wherever tokens travel."""

from datetime import timedelta

import pytest
from fastapi import Depends, FastAPI
from fastapi.testclient import TestClient
from tests.support.tokens import claims_of

from authx import AuthX, AuthXConfig
from authx.testing import Clock, login_client

SECRET = "a secret of more than thirty-two letters for tests"
LOCATIONS = [
    ["headers"],
    ["cookies"],
    ["query"],
    ["headers", "cookies"],
    ["cookies", "headers"],
    ["json", "headers"],
    ["json", "cookies"],
]


def make(store=None, **fields):
    auth = AuthX(AuthXConfig(**{"JWT_SECRET_KEY": SECRET} | fields), store=store, clock=Clock())
    app = FastAPI()
    auth.handle_errors(app)

    @app.get("/door")
    def door(payload=auth.ACCESS_REQUIRED):
        return payload.model_dump(mode="json") | payload.extra_dict

    @app.api_route("/push", methods=["POST", "PUT", "PATCH", "DELETE"])
    def push(payload=auth.ACCESS_REQUIRED):
        return payload.sub

    @app.post("/hand")
    def hand(payload=auth.REFRESH_REQUIRED):
        return payload.sub

    @app.get("/fresh")
    def fresh(payload=auth.FRESH_REQUIRED):
        return payload.sub

    @app.get("/scoped")
    def scoped(payload=Depends(auth.scopes_required("read"))):
        return payload.sub

    app.include_router(auth.router(lambda name, password: name), prefix="/auth")
    return app, auth


@pytest.mark.parametrize("locations", LOCATIONS, ids=" ".join)
@pytest.mark.parametrize("store", [None, "sqlite"])
def test_every_request_comes_from_the_user(tmp_path, locations, store):
    app, auth = make(store and f"sqlite:///{tmp_path}/auth.db", JWT_TOKEN_LOCATION=locations)
    with login_client(app, auth, "alice") as client:
        assert isinstance(client, TestClient)
        for _ in range(2):
            assert client.get("/door").json()["sub"] == "alice"
            for method in ("POST", "PUT", "PATCH", "DELETE"):
                assert client.request(method, "/push").json() == "alice"


def test_it_needs_no_lifespan():
    app, auth = make()
    assert login_client(app, auth, "alice").get("/door").status_code == 200


def test_scopes_data_and_freshness_are_those_asked_for():
    app, auth = make()
    client = login_client(app, auth, "alice", scopes=["read"], fresh=True, data={"tenant": "red"})
    assert client.get("/scoped").json() == client.get("/fresh").json() == "alice"
    assert client.get("/door").json()["tenant"] == "red"


def test_by_default_it_is_not_fresh_and_has_no_scopes():
    app, auth = make()
    client = login_client(app, auth, "alice")
    assert client.get("/fresh").status_code == 401
    assert client.get("/scoped").status_code == 403


def test_two_clients_are_two_users():
    app, auth = make(JWT_TOKEN_LOCATION=["cookies"])
    alice, bob = login_client(app, auth, "alice"), login_client(app, auth, "bob")
    assert (alice.get("/door").json()["sub"], bob.get("/door").json()["sub"]) == ("alice", "bob")


def test_the_refresh_token_travels_where_the_settings_say():
    app, auth = make(JWT_TOKEN_LOCATION=["headers"], JWT_REFRESH_TOKEN_LOCATION=["cookies"])
    client = login_client(app, auth, "alice")
    assert client.post("/push").json() == "alice"
    assert client.post("/hand").json() == "alice"
    assert set(client.cookies) == {"refresh_token_cookie", "csrf_refresh_token"}


def test_it_refreshes_with_cookies(tmp_path):
    app, auth = make(
        f"sqlite:///{tmp_path}/auth.db",
        JWT_TOKEN_LOCATION=["cookies"],
        JWT_REFRESH_CSRF_HEADER_NAME="X-CSRF-REFRESH",
    )
    with login_client(app, auth, "alice") as client:
        before = client.cookies["refresh_token_cookie"]
        for _ in range(3):
            assert client.post("/auth/refresh").status_code == 200
            assert client.post("/push").json() == "alice"
        assert client.cookies["refresh_token_cookie"] != before
        assert client.post("/auth/logout").status_code == 200
        assert client.get("/door").status_code == 401


def test_where_one_header_serves_both_it_carries_the_access_token_s_value():
    app, auth = make(JWT_TOKEN_LOCATION=["cookies"])
    client = login_client(app, auth, "alice")
    assert client.post("/push").status_code == 200
    assert client.post("/hand").json()["code"] == "csrf_mismatch"
    value = client.cookies["csrf_refresh_token"]
    assert client.post("/hand", headers={"X-CSRF-TOKEN": value}).json() == "alice"


def test_both_tokens_are_of_one_session(tmp_path):
    app, auth = make(f"sqlite:///{tmp_path}/auth.db", JWT_TOKEN_LOCATION=["cookies"])
    client = login_client(app, auth, "alice")
    sids = {claims_of(client.cookies[f"{kind}_token_cookie"])["sid"] for kind in ("access", "refresh")}
    assert len(sids) == 1


def test_what_is_revoked_is_refused(tmp_path):
    app, auth = make(f"sqlite:///{tmp_path}/auth.db")
    with login_client(app, auth, "alice") as client:
        assert client.get("/door").status_code == 200
        client.portal.call(auth.revoke_all_sessions, "alice")
        assert client.get("/door").json()["code"] == "session_revoked"


@pytest.mark.parametrize(
    "fields",
    [
        {"JWT_COOKIE_CSRF_PROTECT": False},
        {"JWT_CSRF_IN_COOKIES": False},
        {"JWT_COOKIE_SECURE": "auto"},
        {"JWT_COOKIE_SAMESITE": "strict"},
        {"JWT_SESSION_COOKIE": False},
        {"JWT_ACCESS_COOKIE_NAME": "a", "JWT_REFRESH_COOKIE_NAME": "r"},
        {"JWT_ACCESS_COOKIE_NAME": "__Host-a"},
        {"JWT_ACCESS_CSRF_HEADER_NAME": "X-Proof"},
        {"JWT_CSRF_TRUSTED_ORIGINS": ["https://app.example"]},
        {"JWT_COOKIE_DOMAIN": "example.com"},
        {"JWT_ACCESS_TOKEN_EXPIRES": timedelta(days=1)},
    ],
    ids=str,
)
def test_cookies_are_those_that_the_settings_describe(fields):
    app, auth = make(JWT_TOKEN_LOCATION=["cookies"], **fields)
    client = login_client(app, auth, "alice", base_url="https://www.example.com")
    assert client.get("/door").json()["sub"] == "alice"
    assert client.post("/push").json() == "alice"


@pytest.mark.parametrize("secure", [False, "auto"])
def test_plain_http_works_where_the_cookies_are_not_secure(secure):
    app, auth = make(JWT_TOKEN_LOCATION=["cookies"], JWT_COOKIE_SECURE=secure)
    client = login_client(app, auth, "alice", base_url="http://testserver")
    assert client.post("/push").json() == "alice"


@pytest.mark.parametrize(
    "fields", [{"JWT_HEADER_NAME": "X-Token"}, {"JWT_HEADER_TYPE": ""}, {"JWT_HEADER_TYPE": "JWT"}], ids=str
)
def test_the_header_is_that_of_the_settings(fields):
    app, auth = make(**fields)
    assert login_client(app, auth, "alice").get("/door").json()["sub"] == "alice"


def test_cookies_that_would_never_be_sent_are_an_error():
    app, auth = make(JWT_TOKEN_LOCATION=["cookies"])
    with pytest.raises(ValueError, match="https"):
        login_client(app, auth, "alice", base_url="http://testserver")


def test_cookies_of_another_domain_are_an_error():
    app, auth = make(JWT_TOKEN_LOCATION=["cookies"], JWT_COOKIE_DOMAIN="example.com")
    with pytest.raises(ValueError, match=r"example\.com"):
        login_client(app, auth, "alice")


def test_access_tokens_in_a_body_only_are_an_error():
    app, auth = make(JWT_TOKEN_LOCATION=["json"])
    with pytest.raises(ValueError, match="JSON"):
        login_client(app, auth, "alice")


def test_refresh_tokens_in_a_body_only_are_left_to_the_test():
    app, auth = make(JWT_TOKEN_LOCATION=["headers"], JWT_REFRESH_TOKEN_LOCATION=["json"])
    client = login_client(app, auth, "alice")
    assert client.get("/door").status_code == 200
    assert client.post("/hand").json()["code"] == "refresh_missing"


@pytest.mark.parametrize("uid", ["", "a\0b"])
def test_a_subject_that_cannot_stand_in_a_token_is_an_error(uid):
    app, auth = make()
    with pytest.raises(ValueError, match="uid"):
        login_client(app, auth, uid)


def test_another_scheme_of_the_same_application_is_somebody_else():
    app, _ = make()
    stranger = AuthX(AuthXConfig(JWT_SECRET_KEY=SECRET + "x"), clock=Clock())
    assert login_client(app, stranger, "alice").get("/door").status_code == 401
