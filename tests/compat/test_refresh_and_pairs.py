"""Acceptance of refresh tokens, freshness and token pairs: A11 to A21."""

from datetime import timedelta

import pytest
from fastapi import Depends, FastAPI, HTTPException, Response
from tests.support.tokens import bearer, claims_of

from authx import AuthXDependency, TokenPayload, TokenResponse

from .answers import MISSING, NOT_ACCESS, NOT_FRESH, NOT_REFRESH, REFRESH_INVALID, REFRESH_MISSING

FOUR_COOKIES = {"access_token_cookie", "csrf_access_token", "refresh_token_cookie", "csrf_refresh_token"}


def refreshing_application(auth, *, fresh=False):
    app = FastAPI()
    auth.handle_errors(app)

    @app.post("/login")
    def login(username: str = "alice"):
        return {
            "access_token": auth.create_access_token(uid=username, fresh=fresh),
            "refresh_token": auth.create_refresh_token(uid=username),
        }

    @app.post("/refresh")
    def refresh(payload: TokenPayload = Depends(auth.refresh_token_required)):
        return {"access_token": auth.create_access_token(uid=payload.sub)}

    @app.get("/protected")
    def protected(payload: TokenPayload = Depends(auth.access_token_required)):
        return {"user": payload.sub}

    @app.post("/change-password", dependencies=[Depends(auth.fresh_token_required)])
    def change_password():
        return {"message": "Password changed"}

    return app


@pytest.fixture
def client(make_auth, browse):
    return browse(refreshing_application(make_auth()))


@pytest.fixture
def tokens(client):
    return client.post("/login").json()


def test_a11_login_answers_both_tokens(tokens):
    assert [claims_of(tokens[name])["type"] for name in ("access_token", "refresh_token")] == [
        "access",
        "refresh",
    ]


def test_a11_the_access_token_opens_the_protected_route(client, tokens):
    answer = client.get("/protected", headers=bearer(tokens["access_token"]))
    assert (answer.status_code, answer.json()) == (200, {"user": "alice"})


def test_a11_a_refresh_token_buys_a_new_access_token(client, tokens):
    answer = client.post("/refresh", headers=bearer(tokens["refresh_token"]))
    assert answer.status_code == 200
    assert answer.json()["access_token"] != tokens["access_token"]


def test_a11_the_new_access_token_opens_the_protected_route(client, tokens):
    renewed = client.post("/refresh", headers=bearer(tokens["refresh_token"])).json()["access_token"]
    assert client.get("/protected", headers=bearer(renewed)).json() == {"user": "alice"}


def test_a11_a_refresh_token_opens_no_protected_route(client, tokens, refused):
    refused(client.get("/protected", headers=bearer(tokens["refresh_token"])), NOT_ACCESS)


def test_a11_an_access_token_buys_nothing(client, tokens, refused):
    refused(client.post("/refresh", headers=bearer(tokens["access_token"])), NOT_REFRESH)


def test_a11_no_refresh_token_is_refused(client, refused):
    refused(client.post("/refresh"), REFRESH_MISSING)


def test_a11_a_garbage_refresh_token_is_refused(client, refused):
    refused(client.post("/refresh", headers=bearer("garbage")), REFRESH_INVALID)


@pytest.mark.parametrize("seconds", [True, False], ids=["integer seconds", "timedelta"])
@pytest.mark.parametrize("which", ["access", "refresh"])
def test_a12_a_token_lives_as_long_as_configured(make_auth, which, seconds):
    life = {"access": timedelta(minutes=7), "refresh": timedelta(days=30)}
    fields = {f"JWT_{name.upper()}_TOKEN_EXPIRES": span for name, span in life.items()}
    if seconds:
        fields = {field: int(span.total_seconds()) for field, span in fields.items()}
    claims = claims_of(getattr(make_auth(**fields), f"create_{which}_token")(uid="alice"))
    assert claims["exp"] - claims["iat"] == pytest.approx(life[which].total_seconds(), abs=1)


@pytest.fixture
def cookie_client(make_auth, browse):
    auth, app = make_auth(JWT_TOKEN_LOCATION=["cookies"], JWT_COOKIE_CSRF_PROTECT=True), FastAPI()
    auth.handle_errors(app)

    @app.post("/login")
    def login(response: Response):
        auth.set_access_cookies(auth.create_access_token(uid="alice"), response)
        auth.set_refresh_cookies(auth.create_refresh_token(uid="alice"), response)
        return {"message": "Logged in"}

    @app.post("/logout")
    def logout(response: Response):
        auth.unset_cookies(response)
        return {"message": "Logged out"}

    return browse(app)


def test_a13_login_sets_four_cookies(cookie_client):
    cookie_client.post("/login")
    assert set(cookie_client.cookies) == FOUR_COOKIES


def test_a13_logout_leaves_no_cookie(cookie_client):
    cookie_client.post("/login")
    cookie_client.post("/logout")
    assert set(cookie_client.cookies) == set()


@pytest.fixture
def body_client(make_auth, browse):
    return browse(refreshing_application(make_auth(JWT_TOKEN_LOCATION=["headers", "json"])))


def test_a14_a_refresh_token_may_travel_in_the_json_body(body_client):
    tokens = body_client.post("/login").json()
    answer = body_client.post("/refresh", json={"refresh_token": tokens["refresh_token"]})
    assert answer.status_code == 200
    assert answer.json()["access_token"] != tokens["access_token"]


def test_a14_an_access_token_in_the_refresh_field_is_refused(body_client, refused):
    tokens = body_client.post("/login").json()
    refused(body_client.post("/refresh", json={"refresh_token": tokens["access_token"]}), NOT_REFRESH)


def test_a14_the_header_is_used_before_the_body(body_client):
    header, body = (
        body_client.post("/login", params={"username": name}).json()["refresh_token"]
        for name in ("in-header", "in-body")
    )
    answer = body_client.post("/refresh", headers=bearer(header), json={"refresh_token": body})
    assert claims_of(answer.json()["access_token"])["sub"] == "in-header"


@pytest.fixture
def fresh_client(make_auth, browse):
    return browse(refreshing_application(make_auth(), fresh=True))


@pytest.fixture
def fresh_and_stale(fresh_client):
    tokens = fresh_client.post("/login").json()
    renewed = fresh_client.post("/refresh", headers=bearer(tokens["refresh_token"])).json()
    return {"fresh": tokens["access_token"], "stale": renewed["access_token"]}


def test_a15_a_fresh_token_changes_the_password(fresh_client, fresh_and_stale):
    assert fresh_client.post("/change-password", headers=bearer(fresh_and_stale["fresh"])).status_code == 200


def test_a15_a_refreshed_token_is_too_stale_for_it(fresh_client, fresh_and_stale, refused):
    refused(fresh_client.post("/change-password", headers=bearer(fresh_and_stale["stale"])), NOT_FRESH)


@pytest.mark.parametrize("age", ["fresh", "stale"])
def test_a15_either_opens_the_protected_route(fresh_client, fresh_and_stale, age):
    assert fresh_client.get("/protected", headers=bearer(fresh_and_stale[age])).status_code == 200


@pytest.mark.parametrize(("fresh", "status"), [(True, 200), (False, 401)])
def test_a16_a_route_may_ask_for_freshness_itself(make_auth, browse, fresh, status):
    auth, app = make_auth(), FastAPI()

    @app.get("/sensitive")
    def sensitive(payload: TokenPayload = Depends(auth.access_token_required)):
        if not payload.fresh:
            raise HTTPException(401, detail="Log in again")
        return {"user": payload.sub}

    token = auth.create_access_token(uid="alice", fresh=fresh)
    assert browse(app).get("/sensitive", headers=bearer(token)).status_code == status


@pytest.fixture
def pair_client(make_auth, browse):
    auth, app = make_auth(), FastAPI()
    auth.handle_errors(app)

    @app.post("/login", response_model=TokenResponse)
    def login():
        return auth.create_token_pair(uid="alice")

    @app.post("/refresh", response_model=TokenResponse)
    def refresh(payload: TokenPayload = Depends(auth.refresh_token_required)):
        return auth.create_token_pair(uid=payload.sub)

    @app.get("/protected")
    def protected(payload: TokenPayload = Depends(auth.access_token_required)):
        return {"user": payload.sub}

    return browse(app)


def test_a17_a_pair_has_exactly_three_keys(pair_client):
    assert list(pair_client.post("/login").json()) == ["access_token", "refresh_token", "token_type"]


def test_a17_a_pair_is_of_type_bearer(pair_client):
    assert pair_client.post("/login").json()["token_type"] == "bearer"


def test_a17_the_access_token_of_a_pair_works(pair_client):
    pair = pair_client.post("/login").json()
    assert pair_client.get("/protected", headers=bearer(pair["access_token"])).json() == {"user": "alice"}


def test_a17_refreshing_replaces_both_tokens(pair_client):
    first = pair_client.post("/login").json()
    second = pair_client.post("/refresh", headers=bearer(first["refresh_token"])).json()
    assert len({pair[name] for pair in (first, second) for name in ("access_token", "refresh_token")}) == 4


def test_a17_the_refresh_token_of_a_refreshed_pair_works(pair_client):
    pair = pair_client.post("/login").json()
    for _ in range(2):
        answer = pair_client.post("/refresh", headers=bearer(pair["refresh_token"]))
        pair = answer.json()
    assert answer.status_code == 200


def test_a17_the_access_token_of_a_pair_does_not_refresh(pair_client, refused):
    pair = pair_client.post("/login").json()
    refused(pair_client.post("/refresh", headers=bearer(pair["access_token"])), NOT_REFRESH)


def test_a17_no_token_is_refused(pair_client, refused):
    refused(pair_client.get("/protected"), MISSING)


def test_a18_each_token_of_a_pair_has_its_own_scopes(make_auth):
    pair = make_auth().create_token_pair(uid="alice", access_scopes=["read", "write"], refresh_scopes=["refresh"])
    assert claims_of(pair.access_token)["scopes"] == ["read", "write"]
    assert claims_of(pair.refresh_token)["scopes"] == ["refresh"]


def test_a19_a_pair_may_have_its_own_lifetimes(make_auth):
    pair = make_auth().create_token_pair(
        uid="alice", access_expiry=timedelta(minutes=30), refresh_expiry=timedelta(days=7)
    )
    lives = [claims["exp"] - claims["iat"] for claims in map(claims_of, (pair.access_token, pair.refresh_token))]
    assert lives == pytest.approx([30 * 60, 7 * 86400], abs=1)


@pytest.mark.parametrize("fresh", [True, False])
def test_a20_the_access_token_of_a_pair_is_as_fresh_as_asked(make_auth, fresh):
    pair = make_auth().create_token_pair(uid="alice", fresh=fresh)
    assert claims_of(pair.access_token)["fresh"] is fresh


def test_a20_the_refresh_token_of_a_fresh_pair_is_not_fresh(make_auth):
    pair = make_auth().create_token_pair(uid="alice", fresh=True)
    assert "fresh" not in claims_of(pair.refresh_token)


@pytest.fixture
def bundle_login(make_auth, browse):
    auth, app = make_auth(JWT_TOKEN_LOCATION=["headers", "cookies"]), FastAPI()

    @app.post("/login", response_model=TokenResponse)
    def login(deps: AuthXDependency = auth.BUNDLE):
        pair = deps.create_token_pair(uid="alice")
        deps.set_access_cookies(pair.access_token)
        deps.set_refresh_cookies(pair.refresh_token)
        return pair

    client = browse(app)
    return client, client.post("/login")


def test_a21_the_bundle_sets_four_cookies_from_a_pair(bundle_login):
    client, _ = bundle_login
    assert set(client.cookies) == FOUR_COOKIES


def test_a21_the_bundle_answers_the_pair_it_put_into_cookies(bundle_login):
    client, answer = bundle_login
    assert answer.json() == {
        "access_token": client.cookies["access_token_cookie"],
        "refresh_token": client.cookies["refresh_token_cookie"],
        "token_type": "bearer",
    }
