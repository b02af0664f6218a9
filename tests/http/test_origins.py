"""Pages of other origins: what their requests may do to the browser's cookies."""

import logging

import pytest
from fastapi import Depends, FastAPI, Request, Response, WebSocket
from fastapi.testclient import TestClient
from starlette.testclient import WebSocketDenialResponse
from tests.support.asgi import COOKIES, OTHER_SECRET, cookies, knock, make_auth
from tests.support.axes import pairwise, spread
from tests.support.tokens import claims_of

from authx.dependencies import AuthXDependency
from authx.testing import Clock

FOREIGN = [
    [("Origin", "https://evil.example")],
    [("Origin", "https://evil.example"), ("Sec-Fetch-Site", "cross-site")],
    [("Origin", "null")],
    [("Origin", "null"), ("Sec-Fetch-Site", "cross-site")],
    [("Origin", "http://door.example")],
    [("Origin", "https://door.example:8443")],
    [("Sec-Fetch-Site", "cross-site")],
    [("Sec-Fetch-Site", "same-site")],
]
OWN = [
    [],
    [("Origin", "https://door.example")],
    [("Origin", "https://door.example"), ("Sec-Fetch-Site", "same-origin")],
    # A page that hides its address, and a server behind a proxy that hides its own.
    [("Origin", "null"), ("Sec-Fetch-Site", "same-origin")],
    [("Origin", "https://front.of.the.proxy.example"), ("Sec-Fetch-Site", "same-origin")],
    [("Sec-Fetch-Site", "same-origin")],
    [("Sec-Fetch-Site", "none")],
]


def make_site(auth):
    app = FastAPI()
    auth.handle_errors(app)

    @app.api_route("/logout", methods=["GET", "POST"])
    def logout(response: Response):
        auth.unset_cookies(response)
        return "done"

    @app.post("/bundle")
    async def bundle(both: AuthXDependency = auth.BUNDLE):
        both.unset_cookies()
        return "done"

    @app.post("/guarded")
    async def guarded(response: Response, payload=Depends(auth.access_token_required)):
        auth.unset_cookies(response)
        return "done"

    @app.post("/refresh")
    async def refresh(payload=Depends(auth.refresh_token_required)):
        return "done"

    @app.post("/login")
    def login(response: Response):
        auth.set_access_cookies(auth.create_access_token("alice"), response)
        return "done"

    @app.post("/save")
    async def save(payload=Depends(auth.access_token_required)):
        return "done"

    @app.post("/save-unprotected")
    async def save_unprotected(payload=Depends(auth.token_required(verify_csrf=False))):
        return "done"

    return app


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def auth(clock):
    return make_auth(clock, **COOKIES)


@pytest.fixture
def site(auth):
    return make_site(auth)


@pytest.fixture
def token(auth):
    return auth.create_access_token("alice")


def proof(token):
    return [cookies(access_token_cookie=token), ("X-CSRF-TOKEN", claims_of(token)["csrf"])]


class TestDeletionByHand:
    @pytest.mark.parametrize(("headers", "path"), spread(FOREIGN, ["/logout", "/bundle"]), ids=str)
    def test_a_foreign_page_deletes_nothing(self, site, path, headers, caplog):
        answer = knock(site, path, "POST", headers)
        assert (answer.status, answer.cookies) == (200, [])
        assert "JWT_CSRF_TRUSTED_ORIGINS" in caplog.text
        assert "evil" not in caplog.text

    @pytest.mark.parametrize(("headers", "path"), spread(OWN, ["/logout", "/bundle"]), ids=str)
    def test_an_own_page_or_a_program_deletes_them(self, site, path, headers, caplog):
        caplog.set_level(logging.WARNING)
        assert len(knock(site, path, "POST", headers).cookies) == 4
        assert caplog.text == ""

    def test_an_own_page_needs_no_csrf_value(self, site, token):
        headers = [cookies(access_token_cookie=token), ("Origin", "https://door.example")]
        assert len(knock(site, "/logout", "POST", headers).cookies) == 4

    @pytest.mark.parametrize("sent", [None, "wrong", ""])
    def test_the_cookies_of_a_foreign_request_do_not_prove_anything_without_their_csrf_value(self, site, token, sent):
        headers = [cookies(access_token_cookie=token), *FOREIGN[0]]
        if sent is not None:
            headers.append(("X-CSRF-TOKEN", sent))
        assert knock(site, "/logout", "POST", headers).cookies == []

    @pytest.mark.parametrize("path", ["/logout", "/bundle", "/guarded"])
    def test_a_page_of_another_origin_with_the_csrf_value_is_a_front_end(self, site, token, path):
        assert len(knock(site, path, "POST", [*proof(token), *FOREIGN[0]]).cookies) == 4

    @pytest.mark.parametrize("name", ["access_token_cookie", "refresh_token_cookie"])
    def test_a_forged_cookie_with_a_matching_value_proves_nothing(self, site, name):
        forged = make_auth(**COOKIES, JWT_SECRET_KEY=OTHER_SECRET).create_access_token("alice")
        headers = [cookies(**{name: forged}), ("X-CSRF-TOKEN", claims_of(forged)["csrf"]), *FOREIGN[0]]
        assert knock(site, "/logout", "POST", headers).cookies == []

    def test_an_expired_cookie_still_proves_who_asks(self, clock, site, token):
        clock.now += 86_400
        assert len(knock(site, "/logout", "POST", [*proof(token), *FOREIGN[0]]).cookies) == 4

    def test_an_image_on_another_site_deletes_nothing(self, site):
        assert knock(site, "/logout", "GET", [("Sec-Fetch-Site", "cross-site")]).cookies == []

    def test_a_link_on_another_site_deletes_nothing_although_it_brings_the_cookies_along(self, site, token):
        headers = [cookies(access_token_cookie=token), ("Sec-Fetch-Site", "cross-site")]
        assert knock(site, "/logout", "GET", headers).cookies == []

    @pytest.mark.parametrize("site_of_the_page", ["none", "same-origin", None])
    def test_a_link_of_our_own_and_an_address_that_was_typed_delete_the_cookies(self, site, token, site_of_the_page):
        sent = [] if site_of_the_page is None else [("Sec-Fetch-Site", site_of_the_page)]
        assert len(knock(site, "/logout", "GET", [cookies(access_token_cookie=token), *sent]).cookies) == 4

    def test_a_trusted_page_needs_no_proof(self):
        auth = make_auth(**COOKIES, JWT_CSRF_TRUSTED_ORIGINS=["https://front.example"])
        assert len(knock(make_site(auth), "/logout", "POST", [("Origin", "https://front.example")]).cookies) == 4

    def test_where_origins_are_checked_no_value_stands_in_for_them(self):
        auth = make_auth(**COOKIES, JWT_CSRF_TRUSTED_ORIGINS=["https://front.example"])
        headers = [*proof(auth.create_access_token("alice")), *FOREIGN[0]]
        assert knock(make_site(auth), "/logout", "POST", headers).cookies == []

    def test_outside_of_a_request_they_are_written_to_any_response(self, auth):
        response = Response()
        auth.unset_cookies(response)
        assert len(response.headers.getlist("set-cookie")) == 4

    def test_a_csrf_value_in_a_form_that_a_guard_has_read_counts(self):
        auth = make_auth(**COOKIES, JWT_CSRF_CHECK_FORM=True)
        token = auth.create_access_token("alice")
        headers = [
            cookies(access_token_cookie=token),
            ("Content-Type", "application/x-www-form-urlencoded"),
            *FOREIGN[0],
        ]
        body = f"csrf_token={claims_of(token)['csrf']}".encode()
        assert len(knock(make_site(auth), "/guarded", "POST", headers, body).cookies) == 4


class TestRefusedRefreshTokens:
    """An error of refresh deletes cookies only for a request that may have that."""

    @pytest.fixture
    def refresh(self, auth):
        return auth.create_refresh_token("alice")

    def ask(self, site, refresh, *more, csrf="right"):
        value = {"right": claims_of(refresh)["csrf"], "wrong": "wrong"}[csrf]
        return knock(site, "/refresh", "POST", [cookies(refresh_token_cookie=refresh), ("X-CSRF-TOKEN", value), *more])

    @pytest.mark.parametrize("origin", [OWN[0], FOREIGN[0]], ids=str)
    def test_an_expired_token_with_its_csrf_value_clears_the_cookies(self, clock, site, refresh, origin):
        clock.now += 365 * 86_400
        answer = self.ask(site, refresh, *origin)
        assert (answer.json["code"], len(answer.cookies)) == ("refresh_expired", 4)

    @pytest.mark.parametrize("origin", [OWN[0], FOREIGN[0]], ids=str)
    def test_an_expired_token_with_another_csrf_value_clears_none(self, clock, site, refresh, origin):
        clock.now += 365 * 86_400
        answer = self.ask(site, refresh, *origin, csrf="wrong")
        assert (answer.json["code"], answer.cookies) == ("refresh_expired", [])

    @pytest.mark.parametrize(("origin", "cleared"), [(OWN[0], 4), (OWN[1], 4), (FOREIGN[0], 0)], ids=str)
    def test_a_cookie_that_proves_nothing_is_cleared_unless_a_foreign_page_asks(self, site, origin, cleared):
        headers = [cookies(refresh_token_cookie="garbage"), ("X-CSRF-TOKEN", "any"), *origin]
        answer = knock(site, "/refresh", "POST", headers)
        assert (answer.json["code"], len(answer.cookies)) == ("refresh_invalid", cleared)

    @pytest.mark.parametrize("headers", FOREIGN, ids=str)
    def test_a_foreign_form_with_a_bad_token_in_its_address_clears_none(self, headers):
        auth = make_auth(JWT_TOKEN_LOCATION=["cookies", "query"])
        answer = knock(make_site(auth), "/refresh", "POST", headers, query="token=garbage")
        assert (answer.json["code"], answer.cookies) == ("refresh_invalid", [])


class TestTheCheck:
    """Where origins are configured, requests with cookies from elsewhere are refused."""

    @pytest.mark.parametrize(
        ("headers", "fields", "protect", "path"),
        pairwise(
            FOREIGN,
            [
                {"JWT_CSRF_TRUSTED_ORIGINS": ["https://front.example"]},
                {"JWT_ORIGINS": ["https://door.example"]},
                {"JWT_ORIGINS": ["https://door.example"], "JWT_CSRF_TRUSTED_ORIGINS": ["https://front.example"]},
            ],
            [True, False],
            ["/save", "/save-unprotected"],
        ),
        ids=str,
    )
    def test_a_foreign_page_is_refused_also_with_csrf_protection_off(self, fields, protect, path, headers):
        auth = make_auth(**COOKIES, **fields, JWT_COOKIE_CSRF_PROTECT=protect)
        answer = knock(make_site(auth), path, "POST", [*proof(auth.create_access_token("alice")), *headers])
        assert (answer.status, answer.json["code"]) == (403, "csrf_origin")

    @pytest.mark.parametrize("origin", ["https://door.example", "https://front.example"])
    def test_own_and_trusted_pages_pass_with_csrf_protection_off(self, origin):
        auth = make_auth(**COOKIES, JWT_CSRF_TRUSTED_ORIGINS=["https://front.example"], JWT_COOKIE_CSRF_PROTECT=False)
        headers = [cookies(access_token_cookie=auth.create_access_token("alice")), ("Origin", origin)]
        assert knock(make_site(auth), "/save", "POST", headers).status == 200

    def test_a_request_that_changes_nothing_is_not_checked(self):
        auth = make_auth(**COOKIES, JWT_ORIGINS=["https://app.example"], JWT_COOKIE_CSRF_PROTECT=False)
        app = make_site(auth)
        app.add_api_route("/read", lambda: "done", dependencies=[Depends(auth.access_token_required)])
        headers = [cookies(access_token_cookie=auth.create_access_token("alice")), *FOREIGN[0]]
        assert knock(app, "/read", "GET", headers).status == 200

    @pytest.mark.parametrize(("origin", "status"), [("https://app.example", 200), ("https://door.example", 403)])
    @pytest.mark.parametrize("host", ["door.example", "app.example", "evil.example", None])
    def test_named_origins_count_and_the_host_header_does_not(self, origin, status, host):
        auth = make_auth(**COOKIES, JWT_ORIGINS=["https://app.example"])
        headers = [*proof(auth.create_access_token("alice")), ("Origin", origin)]
        assert knock(make_site(auth), "/save", "POST", headers, host=host).status == status

    def test_a_host_name_that_was_rebound_is_refused_whatever_the_browser_says_of_the_site(self):
        auth = make_auth(**COOKIES, JWT_ORIGINS=["https://app.example"])
        headers = [
            *proof(auth.create_access_token("alice")),
            ("Origin", "http://evil.example"),
            ("Sec-Fetch-Site", "same-origin"),
        ]
        assert knock(make_site(auth), "/save", "POST", headers, host="evil.example", scheme="http").status == 403

    @pytest.mark.parametrize(("origin", "passes"), [("https://app.example", True), ("http://testserver", False)])
    def test_a_websocket_is_compared_with_the_named_origins(self, origin, passes):
        auth = make_auth(**COOKIES, JWT_ORIGINS=["https://app.example"])
        app = FastAPI()

        @app.websocket("/ws")
        async def greet(socket: WebSocket, payload=auth.WS_AUTH_REQUIRED):
            await socket.accept()
            await socket.close()

        headers = {"Cookie": f"access_token_cookie={auth.create_access_token('alice')}", "Origin": origin}
        client = TestClient(app)
        if passes:
            with client.websocket_connect("/ws", headers=headers):
                return
        with pytest.raises(WebSocketDenialResponse) as refused, client.websocket_connect("/ws", headers=headers):
            pass
        assert refused.value.json()["code"] == "csrf_origin"


class TestSetting:
    """Where origins are configured, no foreign page signs the browser in."""

    @pytest.mark.parametrize("headers", FOREIGN, ids=str)
    def test_a_foreign_page_sets_no_cookies(self, headers):
        auth = make_auth(**COOKIES, JWT_ORIGINS=["https://app.example"])
        answer = knock(make_site(auth), "/login", "POST", headers)
        assert (answer.status, answer.json["code"], answer.cookies) == (403, "csrf_origin", [])

    @pytest.mark.parametrize("headers", [[], [("Origin", "https://app.example")]], ids=str)
    def test_an_own_page_does(self, headers):
        auth = make_auth(**COOKIES, JWT_ORIGINS=["https://app.example"])
        assert len(knock(make_site(auth), "/login", "POST", headers).cookies) == 2

    def test_a_return_from_a_login_page_elsewhere_does(self):
        auth = make_auth(**COOKIES, JWT_ORIGINS=["https://app.example"])
        app = FastAPI()
        auth.handle_errors(app)

        @app.get("/callback")
        def callback(response: Response):
            auth.set_access_cookies(auth.create_access_token("alice"), response)

        assert len(knock(app, "/callback", "GET", [("Sec-Fetch-Site", "cross-site")]).cookies) == 2

    def test_without_configured_origins_a_front_end_elsewhere_does(self, site):
        assert len(knock(site, "/login", "POST", FOREIGN[0]).cookies) == 2


class TestStrayQuotes:
    @pytest.mark.parametrize(
        ("written", "status"),
        [("{}", 200), ('"{}"', 200), (' "{}" ', 200), ('{}"', 401), ('"{}', 401), ('""{}""', 401), ("'{}'", 401)],
    )
    def test_only_a_matching_pair_of_quotes_is_taken_away(self, site, token, written, status):
        app = FastAPI()
        auth = make_auth(**COOKIES)
        app.add_api_route("/p", lambda: "done", dependencies=[Depends(auth.access_token_required)])
        headers = [cookies(access_token_cookie=written.format(token))]
        assert knock(app, "/p", "GET", headers).status == status

    @pytest.mark.parametrize("written", ["", '""', " "])
    def test_nothing_between_quotes_is_no_cookie(self, written):
        app = FastAPI()
        auth = make_auth(**COOKIES)
        app.add_api_route("/p", lambda: "done", dependencies=[Depends(auth.access_token_required)])
        assert knock(app, "/p", "GET", [cookies(access_token_cookie=written)]).json["code"] == "token_missing"


def test_a_request_of_a_route_is_not_needed_to_know_it(auth):
    """`unset_cookies(response)` finds the request of the application that it runs in."""
    app = FastAPI()
    auth.handle_errors(app)

    @app.post("/")
    async def route(request: Request):
        response = Response()
        auth.unset_cookies(response)
        return response

    assert knock(app, "/", "POST", FOREIGN[0]).cookies == []
    assert len(knock(app, "/", "POST").cookies) == 4
