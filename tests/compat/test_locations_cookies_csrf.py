"""Acceptance of token locations, cookies and CSRF: A22 to A34."""

import pytest
from fastapi import Depends, FastAPI, Form, HTTPException, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from tests.support.tokens import bearer

from authx import AuthXDependency, RequestToken, TokenPayload
from authx.exceptions import AuthXException

from .answers import (
    CSRF_MISMATCH,
    CSRF_MISSING,
    MISSING,
    MISSING_BUT_REFRESHABLE,
    NOT_ACCESS,
    REFRESH_MISSING,
)

ALL_LOCATIONS = ["headers", "cookies", "json", "query"]


def protected_application(auth):
    """Cookie login and logout, and one protected path for every kind of request."""
    app = FastAPI()
    auth.handle_errors(app)

    @app.post("/login")
    def login(response: Response):
        token = auth.create_access_token(uid="alice")
        auth.set_access_cookies(token, response)
        return {"access_token": token}

    @app.post("/logout")
    def logout(response: Response):
        auth.unset_access_cookies(response)
        return {"message": "Logged out"}

    @app.api_route("/protected", methods=["GET", "POST"])
    def protected(payload: TokenPayload = Depends(auth.access_token_required)):
        return {"user": payload.sub}

    return app


def test_a22_the_header_settings_may_be_written_out(make_auth, browse):
    auth = make_auth(JWT_TOKEN_LOCATION=["headers"], JWT_HEADER_NAME="Authorization", JWT_HEADER_TYPE="Bearer")
    client = browse(protected_application(auth))
    token = client.post("/login").json()["access_token"]
    assert client.get("/protected", headers=bearer(token)).json() == {"user": "alice"}


@pytest.fixture
def cookie_client(make_auth, browse):
    auth = make_auth(JWT_TOKEN_LOCATION=["cookies"], JWT_COOKIE_CSRF_PROTECT=True, JWT_COOKIE_SECURE=False)
    client = browse(protected_application(auth), base_url="http://testserver")
    client.post("/login")
    return client


def test_a23_login_sets_the_token_and_its_csrf_value(cookie_client):
    assert set(cookie_client.cookies) == {"access_token_cookie", "csrf_access_token"}


def test_a23_the_cookie_opens_a_safe_request(cookie_client):
    assert cookie_client.get("/protected").json() == {"user": "alice"}


def test_a23_logout_takes_the_cookies_away(cookie_client):
    assert cookie_client.post("/logout").status_code == 200
    assert set(cookie_client.cookies) == set()


def test_a23_after_logout_the_door_is_closed(cookie_client, refused):
    cookie_client.post("/logout")
    refused(cookie_client.get("/protected"), MISSING)


def test_a24_the_csrf_value_in_the_header_opens_an_unsafe_request(cookie_client):
    csrf = cookie_client.cookies["csrf_access_token"]
    assert cookie_client.post("/protected", headers={"X-CSRF-TOKEN": csrf}).json() == {"user": "alice"}


def test_a24_an_unsafe_request_without_the_csrf_value_is_refused(cookie_client, refused):
    refused(cookie_client.post("/protected"), CSRF_MISSING)


def test_a24_an_unsafe_request_with_a_wrong_csrf_value_is_refused(cookie_client, refused):
    refused(cookie_client.post("/protected", headers={"X-CSRF-TOKEN": "wrong"}), CSRF_MISMATCH)


@pytest.fixture
def hand_made_cookie_client(make_auth, browse):
    auth = make_auth(JWT_TOKEN_LOCATION=["cookies"])
    app = protected_application(auth)

    @app.post("/login-by-hand")
    def login_by_hand(response: Response):
        response.set_cookie(auth.config.JWT_ACCESS_COOKIE_NAME, auth.create_access_token(uid="alice"))

    client = browse(app)
    client.post("/login-by-hand")
    return client


def test_a25_a_cookie_set_by_hand_opens_a_safe_request(hand_made_cookie_client):
    assert hand_made_cookie_client.get("/protected").status_code == 200


def test_a25_a_guessed_csrf_value_opens_no_unsafe_request(hand_made_cookie_client, refused):
    answer = hand_made_cookie_client.post("/protected", headers={"X-CSRF-TOKEN": "a-guess"})
    refused(answer, CSRF_MISMATCH)


@pytest.fixture
def unprotected_client(make_auth, browse):
    auth = make_auth(JWT_TOKEN_LOCATION=["cookies"], JWT_COOKIE_CSRF_PROTECT=False)
    client = browse(protected_application(auth))
    client.post("/login")
    return client


def test_a26_without_csrf_protection_only_the_token_cookie_is_set(unprotected_client):
    assert set(unprotected_client.cookies) == {"access_token_cookie"}


def test_a26_without_csrf_protection_the_cookie_alone_opens_an_unsafe_request(unprotected_client):
    assert unprotected_client.post("/protected").json() == {"user": "alice"}


@pytest.fixture
def query_auth(make_auth):
    return make_auth(JWT_TOKEN_LOCATION=["query"])


def test_a27_a_token_may_travel_in_the_query(query_auth, browse):
    client = browse(protected_application(query_auth))
    token = query_auth.create_access_token(uid="alice")
    assert client.get("/protected", params={"token": token}).json() == {"user": "alice"}


def test_a27_a_refresh_token_in_the_query_opens_no_protected_route(query_auth, browse, refused):
    client = browse(protected_application(query_auth))
    token = query_auth.create_refresh_token(uid="alice")
    refused(client.get("/protected", params={"token": token}), NOT_ACCESS)


@pytest.fixture
def json_auth(make_auth):
    return make_auth(JWT_TOKEN_LOCATION=["json"])


def test_a28_a_token_may_travel_in_the_json_body(json_auth, browse):
    client = browse(protected_application(json_auth))
    token = json_auth.create_access_token(uid="alice")
    assert client.post("/protected", json={"access_token": token}).json() == {"user": "alice"}


def test_a28_a_body_of_another_content_type_holds_no_token(json_auth, browse, refused):
    client = browse(protected_application(json_auth))
    body = f'{{"access_token": "{json_auth.create_access_token(uid="alice")}"}}'
    refused(client.post("/protected", content=body, headers={"Content-Type": "text/plain"}), MISSING)


def send_by(client, location, token):
    """Puts the token where a location looks for it, in a request that needs no CSRF value."""
    if location == "json":
        return client.post("/where", json={"access_token": token})
    if location == "query":
        return client.get("/where", params={"token": token})
    if location == "headers":
        return client.get("/where", headers=bearer(token))
    client.cookies.set("access_token_cookie", token)
    return client.get("/where")


@pytest.fixture
def where_app(make_auth):
    def build(locations):
        auth, app = make_auth(JWT_TOKEN_LOCATION=locations), FastAPI()
        auth.handle_errors(app)

        @app.api_route("/where", methods=["GET", "POST"], dependencies=[Depends(auth.access_token_required)])
        async def where(request: Request):
            token: RequestToken = await auth.get_access_token_from_request(request)
            return token.location

        return auth, app

    return build


@pytest.mark.parametrize("location", ALL_LOCATIONS)
def test_a29_with_all_four_locations_any_one_works(where_app, browse, location):
    auth, app = where_app(ALL_LOCATIONS)
    answer = send_by(browse(app), location, auth.create_access_token(uid="alice"))
    assert (answer.status_code, answer.json()) == (200, location)


@pytest.mark.parametrize("order", [ALL_LOCATIONS, ALL_LOCATIONS[::-1], ["cookies", "query", "headers"]])
def test_a29_the_first_configured_location_wins(where_app, browse, order):
    auth, app = where_app(order)
    token, client = auth.create_access_token(uid="alice"), browse(app)
    client.cookies.set("access_token_cookie", token)
    answer = client.request(
        "GET", "/where", headers=bearer(token), params={"token": token}, json={"access_token": token}
    )
    assert answer.json() == order[0]


@pytest.fixture
def dual_client(make_auth, browse):
    auth, app = make_auth(JWT_TOKEN_LOCATION=["headers", "cookies"]), FastAPI()
    auth.handle_errors(app)

    @app.post("/login")
    def login(response: Response):
        auth.set_refresh_cookies(auth.create_refresh_token(uid="alice"), response)
        return {"access_token": auth.create_access_token(uid="alice")}

    @app.api_route("/protected", methods=["GET", "POST"])
    async def protected(request: Request):
        token = await auth.get_access_token_from_request(request, locations=["headers"])
        return {"user": auth.verify_token(token, verify_csrf=False).sub}

    @app.post("/refresh")
    async def refresh(request: Request):
        token = await auth.get_refresh_token_from_request(request, locations=["cookies"])
        return {"access_token": auth.create_access_token(uid=auth.verify_token(token).sub)}

    @app.post("/logout")
    def logout(response: Response):
        auth.unset_refresh_cookies(response)

    return browse(app)


@pytest.fixture
def dual_login(dual_client):
    return dual_client.post("/login")


def test_a30_login_answers_only_the_access_token(dual_login):
    assert list(dual_login.json()) == ["access_token"]


def test_a30_login_sets_only_the_refresh_cookies(dual_login):
    assert set(dual_login.cookies) == {"refresh_token_cookie", "csrf_refresh_token"}


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a30_the_header_opens_the_route_without_any_csrf_value(dual_client, dual_login, method):
    headers = bearer(dual_login.json()["access_token"])
    assert dual_client.request(method, "/protected", headers=headers).json() == {"user": "alice"}


def test_a30_refreshing_without_the_csrf_value_is_refused(dual_client, dual_login, refused):
    refused(dual_client.post("/refresh"), CSRF_MISSING)


def test_a30_refreshing_with_a_wrong_csrf_value_is_refused(dual_client, dual_login, refused):
    refused(dual_client.post("/refresh", headers={"X-CSRF-TOKEN": "wrong"}), CSRF_MISMATCH)


def test_a30_refreshing_with_the_csrf_value_answers_a_working_token(dual_client, dual_login):
    csrf = dual_client.cookies["csrf_refresh_token"]
    renewed = dual_client.post("/refresh", headers={"X-CSRF-TOKEN": csrf}).json()["access_token"]
    assert dual_client.get("/protected", headers=bearer(renewed)).status_code == 200


def test_a30_logout_clears_both_cookies(dual_client, dual_login):
    dual_client.post("/logout")
    assert set(dual_client.cookies) == set()


@pytest.fixture
def everywhere_client(make_auth, browse):
    auth = make_auth(
        JWT_TOKEN_LOCATION=["headers", "query", "cookies", "json"],
        JWT_COOKIE_CSRF_PROTECT=False,
        JWT_ACCESS_CSRF_HEADER_NAME="X-CSRF-TOKEN-Access",
        JWT_REFRESH_CSRF_HEADER_NAME="X-CSRF-TOKEN-Refresh",
    )
    app = FastAPI()
    auth.handle_errors(app)

    @app.post("/login")
    def login(response: Response):
        pair = auth.create_token_pair(uid="alice")
        auth.set_access_cookies(pair.access_token, response)
        auth.set_refresh_cookies(pair.refresh_token, response)
        return pair

    @app.api_route("/where", methods=["GET", "POST"])
    async def where(request: Request, verify_csrf: bool = True):
        token = await auth.get_access_token_from_request(request)
        auth.verify_token(token, verify_csrf=verify_csrf)
        return token.location

    return browse(app)


@pytest.mark.parametrize("location", ["headers", "query", "json"])
def test_a31_a_token_from_login_works_from_any_location(everywhere_client, location):
    token = everywhere_client.post("/login").json()["access_token"]
    everywhere_client.cookies.clear()
    answer = send_by(everywhere_client, location, token)
    assert (answer.status_code, answer.json()) == (200, location)


def test_a31_the_cookie_works_where_the_route_skips_the_csrf_check(everywhere_client):
    everywhere_client.post("/login")
    answer = everywhere_client.get("/where", params={"verify_csrf": "false"})
    assert (answer.status_code, answer.json()) == (200, "cookies")


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a31_the_cookie_works_as_well_where_protection_is_off(everywhere_client, method):
    everywhere_client.post("/login")
    answer = everywhere_client.request(method, "/where")
    assert (answer.status_code, answer.json()) == (200, "cookies")


def test_a31_nothing_at_all_is_refused(everywhere_client, refused):
    refused(everywhere_client.get("/where"), MISSING)


def bundle_routes(app, auth):
    @app.post("/login")
    def login(deps: AuthXDependency = auth.BUNDLE):
        deps.set_access_cookies(deps.create_access_token(uid="alice"))
        deps.set_refresh_cookies(deps.create_refresh_token(uid="alice"))

    @app.post("/refresh")
    def refresh(payload: TokenPayload = auth.REFRESH_REQUIRED, deps: AuthXDependency = auth.BUNDLE):
        deps.set_access_cookies(deps.create_access_token(uid=payload.sub))

    @app.post("/logout", dependencies=[auth.ACCESS_REQUIRED])
    def logout(deps: AuthXDependency = auth.BUNDLE):
        deps.unset_cookies()


def response_routes(app, auth):
    @app.post("/login")
    def login(response: Response):
        auth.set_access_cookies(auth.create_access_token(uid="alice"), response)
        auth.set_refresh_cookies(auth.create_refresh_token(uid="alice"), response)

    @app.post("/refresh")
    def refresh(response: Response, payload: TokenPayload = Depends(auth.refresh_token_required)):
        auth.set_access_cookies(auth.create_access_token(uid=payload.sub), response)

    @app.post("/logout", dependencies=[Depends(auth.access_token_required)])
    def logout(response: Response):
        auth.unset_cookies(response)


@pytest.fixture(params=[bundle_routes, response_routes], ids=["a32-bundle", "a33-response"])
def complete_client(make_auth, browse, request):
    auth, app = make_auth(JWT_TOKEN_LOCATION=["cookies"]), FastAPI()
    auth.handle_errors(app)
    request.param(app, auth)

    @app.get("/protected")
    def protected(payload: TokenPayload = auth.ACCESS_REQUIRED):
        return {"user": payload.sub}

    client = browse(app)
    client.post("/login")
    return client


def csrf_header(client, which):
    return {"X-CSRF-TOKEN": client.cookies[f"csrf_{which}_token"]}


def test_a32_a33_login_opens_the_protected_route(complete_client):
    assert complete_client.get("/protected").json() == {"user": "alice"}


def test_a32_a33_refreshing_replaces_the_access_cookie(complete_client):
    before = complete_client.cookies["access_token_cookie"]
    answer = complete_client.post("/refresh", headers=csrf_header(complete_client, "refresh"))
    assert answer.status_code == 200
    assert complete_client.cookies["access_token_cookie"] != before


def test_a32_a33_the_refreshed_cookie_opens_the_protected_route(complete_client):
    complete_client.post("/refresh", headers=csrf_header(complete_client, "refresh"))
    assert complete_client.get("/protected").json() == {"user": "alice"}


def test_a32_a33_refreshing_without_the_csrf_value_is_refused(complete_client, refused):
    refused(complete_client.post("/refresh"), CSRF_MISSING)


def test_a32_a33_logout_with_the_csrf_value_clears_every_cookie(complete_client):
    assert complete_client.post("/logout", headers=csrf_header(complete_client, "access")).status_code == 200
    assert set(complete_client.cookies) == set()


def test_a32_a33_logout_without_the_csrf_value_is_refused(complete_client, refused):
    refused(complete_client.post("/logout"), CSRF_MISSING)


def test_a32_a33_after_logout_the_door_is_closed(complete_client, refused):
    complete_client.post("/logout", headers=csrf_header(complete_client, "access"))
    refused(complete_client.get("/protected"), MISSING)


def test_a32_a33_after_logout_nothing_can_be_refreshed(complete_client, refused):
    complete_client.post("/logout", headers=csrf_header(complete_client, "access"))
    refused(complete_client.post("/refresh"), REFRESH_MISSING)


def test_a32_a33_without_the_access_cookie_the_answer_advises_to_refresh(complete_client, refused):
    complete_client.cookies.delete("access_token_cookie")
    refused(complete_client.get("/protected"), MISSING_BUT_REFRESHABLE)


@pytest.fixture
def pages(make_auth, browse):
    """Server-rendered pages: forms, redirects, and a dependency that sends strangers to the login page."""
    auth, app = make_auth(JWT_TOKEN_LOCATION=["cookies"], JWT_CSRF_CHECK_FORM=True), FastAPI()
    auth.handle_errors(app)

    async def visitor(request: Request):
        try:
            token = await auth.get_access_token_from_request(request)
            return auth.verify_token(token, verify_csrf=False)
        except AuthXException as error:
            raise HTTPException(303, headers={"Location": "/login"}) from error

    @app.post("/login")
    def login(username: str = Form(), password: str = Form()):
        if password != "test":
            raise HTTPException(401, detail="Invalid credentials")
        response = RedirectResponse("/dashboard", status_code=303)
        auth.set_access_cookies(auth.create_access_token(uid=username), response)
        return response

    @app.get("/dashboard")
    def dashboard(request: Request, payload: TokenPayload = Depends(visitor)):
        csrf = request.cookies["csrf_access_token"]
        return HTMLResponse(f'{payload.sub} <input type="hidden" name="csrf_token" value="{csrf}">')

    @app.post("/notes")
    def add_note(text: str = Form(), payload: TokenPayload = Depends(visitor)):
        return HTMLResponse(f"{payload.sub}: {text}")

    @app.post("/strict-notes")
    def add_strict_note(text: str = Form(), payload: TokenPayload = Depends(auth.access_token_required)):
        return HTMLResponse(f"{payload.sub}: {text}")

    @app.get("/logout")
    def logout():
        response = RedirectResponse("/login", status_code=303)
        auth.unset_access_cookies(response)
        return response

    return browse(app)


@pytest.fixture
def known_visitor(pages):
    pages.post("/login", data={"username": "alice", "password": "test"})
    return pages


def form_with_csrf(client, **fields):
    page = client.get("/dashboard").text
    return fields | {"csrf_token": page.split('value="')[1].split('"')[0]}


def test_a34_a_stranger_is_sent_to_the_login_page(pages):
    answer = pages.get("/dashboard")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/login")


def test_a34_login_redirects_with_cookies(pages):
    answer = pages.post("/login", data={"username": "alice", "password": "test"})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/dashboard")
    assert set(answer.cookies) == {"access_token_cookie", "csrf_access_token"}


def test_a34_after_login_the_page_is_shown(known_visitor):
    answer = known_visitor.get("/dashboard")
    assert answer.status_code == 200
    assert answer.text.startswith("alice ")


def test_a34_a_form_without_the_csrf_field_is_sent_to_the_login_page(known_visitor):
    answer = known_visitor.post("/notes", data={"text": "milk"})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/login")


def test_a34_a_form_with_the_csrf_field_passes_and_keeps_its_own_fields(known_visitor):
    answer = known_visitor.post("/notes", data=form_with_csrf(known_visitor, text="milk"))
    assert (answer.status_code, answer.text) == (200, "alice: milk")


def test_a34_a_dependency_accepts_the_csrf_field(known_visitor):
    answer = known_visitor.post("/strict-notes", data=form_with_csrf(known_visitor, text="milk"))
    assert (answer.status_code, answer.text) == (200, "alice: milk")


def test_a34_a_dependency_compares_the_csrf_field(known_visitor, refused):
    form = {"text": "milk", "csrf_token": "wrong"}
    refused(known_visitor.post("/strict-notes", data=form), CSRF_MISMATCH)


def test_a34_a_dependency_misses_the_csrf_field(known_visitor, refused):
    refused(known_visitor.post("/strict-notes", data={"text": "milk"}), CSRF_MISSING)


def test_a34_logout_redirects_and_clears_the_cookies(known_visitor):
    answer = known_visitor.get("/logout")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/login")
    assert set(known_visitor.cookies) == set()
