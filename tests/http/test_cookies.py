"""The lines that set and delete cookies."""

from datetime import timedelta

import pytest
from fastapi import FastAPI, Response
from starlette.responses import RedirectResponse, StreamingResponse
from tests.support.asgi import COOKIES, OTHER_SECRET, SECRET, knock, make_auth, request_of
from tests.support.tokens import claims_of

from authx.exceptions import JWTDecodeError
from authx.testing import Clock
from authx.token import create_token


def lines_of(response):
    return response.headers.getlist("set-cookie")


def set_both(auth, response=None, **more):
    """The four cookies of a login, and the tokens in them."""
    response = Response() if response is None else response
    access, refresh = auth.create_access_token("alice"), auth.create_refresh_token("alice")
    auth.set_access_cookies(access, response, **more)
    auth.set_refresh_cookies(refresh, response, **more)
    return lines_of(response), access, refresh


def attributes_of(line):
    """Attributes by lower-case name, of a line that has none of them twice."""
    parts = [part.partition("=") for part in line.split("; ")[1:]]
    assert len({name.lower() for name, _, _ in parts}) == len(parts)
    return {name.lower(): value for name, _, value in parts}


def attributes_without_age(line):
    return {name: value for name, value in attributes_of(line).items() if name not in ("max-age", "expires")}


class TestTypes:
    @pytest.mark.parametrize(("kind", "other"), [("access", "refresh"), ("refresh", "access")])
    @pytest.mark.parametrize("bundled", [False, True])
    def test_the_cookies_of_one_type_do_not_take_a_token_of_the_other(self, kind, other, bundled):
        auth, response = make_auth(**COOKIES), Response()
        token = getattr(auth, f"create_{other}_token")("alice")
        setter = auth
        if bundled:
            setter = auth.get_dependency(request_of(), response)
        with pytest.raises(ValueError, match=f"set_{other}_cookies"):
            getattr(setter, f"set_{kind}_cookies")(token, response)
        assert lines_of(response) == []

    @pytest.mark.parametrize("kind", ["access", "refresh"])
    def test_they_do_not_take_a_token_of_no_type_or_of_another(self, kind):
        auth, response = make_auth(**COOKIES), Response()
        for token in (create_token("alice", SECRET, type="id"), create_token("alice", SECRET, type="")):
            with pytest.raises(ValueError, match="type is"):
                getattr(auth, f"set_{kind}_cookies")(token, response)
        assert lines_of(response) == []


class TestSetting:
    def test_the_four_cookies_by_default(self):
        lines, access, refresh = set_both(make_auth(**COOKIES))
        assert lines == [
            f"access_token_cookie={access}; HttpOnly; Path=/; SameSite=lax; Secure",
            f"csrf_access_token={claims_of(access)['csrf']}; Path=/; SameSite=lax; Secure",
            f"refresh_token_cookie={refresh}; HttpOnly; Path=/; SameSite=lax; Secure",
            f"csrf_refresh_token={claims_of(refresh)['csrf']}; Path=/; SameSite=lax; Secure",
        ]

    def test_every_attribute_at_once(self):
        auth = make_auth(
            **COOKIES,
            JWT_ACCESS_COOKIE_NAME="a",
            JWT_ACCESS_COOKIE_PATH="/api",
            JWT_ACCESS_CSRF_COOKIE_NAME="ac",
            JWT_ACCESS_CSRF_COOKIE_PATH="/front",
            JWT_REFRESH_COOKIE_NAME="r",
            JWT_REFRESH_COOKIE_PATH="/auth",
            JWT_REFRESH_CSRF_COOKIE_NAME="rc",
            JWT_REFRESH_CSRF_COOKIE_PATH="/front/auth",
            JWT_COOKIE_DOMAIN="example.org",
            JWT_COOKIE_SAMESITE="strict",
            JWT_COOKIE_MAX_AGE=60,
        )
        lines, _, _ = set_both(auth)
        common = {"domain": "example.org", "samesite": "strict", "max-age": "60", "secure": ""}
        assert [line.partition("=")[0] for line in lines] == ["a", "ac", "r", "rc"]
        assert [attributes_of(line) for line in lines] == [
            {**common, "path": "/api", "httponly": ""},
            {**common, "path": "/front"},
            {**common, "path": "/auth", "httponly": ""},
            {**common, "path": "/front/auth"},
        ]

    @pytest.mark.parametrize("field", ["JWT_COOKIE_CSRF_PROTECT", "JWT_CSRF_IN_COOKIES"])
    def test_no_csrf_cookie_where_it_is_not_wanted(self, field):
        lines, _, _ = set_both(make_auth(**COOKIES, **{field: False}))
        assert [line.partition("=")[0] for line in lines] == ["access_token_cookie", "refresh_token_cookie"]

    def test_the_csrf_cookie_is_readable_by_scripts_whatever_the_token_is(self):
        lines, _, _ = set_both(make_auth(**COOKIES, JWT_COOKIE_HTTP_ONLY=True))
        assert ["httponly" in attributes_of(line) for line in lines] == [True, False, True, False]

    @pytest.mark.parametrize(
        "response", [Response(), RedirectResponse("/"), StreamingResponse(iter(()))], ids=lambda r: type(r).__name__
    )
    def test_any_response_can_carry_them(self, response):
        lines, _, _ = set_both(make_auth(**COOKIES), response)
        assert len(lines) == 4

    def test_a_response_with_tokens_is_kept_by_no_cache(self):
        response = Response(headers={"Cache-Control": "public, max-age=600"})
        set_both(make_auth(**COOKIES), response)
        assert response.headers.getlist("cache-control") == ["no-store"]

    @pytest.mark.parametrize("token", ["garbage", "", "a.b.c"])
    def test_what_is_no_token_of_ours_is_not_set(self, token):
        response = Response()
        with pytest.raises(JWTDecodeError):
            make_auth(**COOKIES).set_access_cookies(token, response)
        assert lines_of(response) == []

    @pytest.mark.parametrize("token", [None, b"a.b.c", 7])
    def test_what_is_no_text_is_not_set(self, token):
        response = Response()
        with pytest.raises(TypeError, match="set_access_cookies takes a token, which is a str"):
            make_auth(**COOKIES).set_access_cookies(token, response)
        assert lines_of(response) == []

    def test_a_token_of_somebody_else_is_not_set(self):
        response = Response()
        token = make_auth(**COOKIES, JWT_SECRET_KEY=OTHER_SECRET).create_access_token("alice")
        with pytest.raises(JWTDecodeError):
            make_auth(**COOKIES).set_access_cookies(token, response)
        assert lines_of(response) == []

    def test_a_token_of_the_former_key_is_set(self):
        token = make_auth(**COOKIES, JWT_SECRET_KEY=OTHER_SECRET).create_access_token("alice")
        response = Response()
        make_auth(**COOKIES, JWT_PREVIOUS_SECRET_KEY=OTHER_SECRET).set_access_cookies(token, response)
        assert len(lines_of(response)) == 2

    def test_an_expired_token_is_set(self):
        clock = Clock()
        auth, response = make_auth(clock, **COOKIES), Response()
        token = auth.create_access_token("alice")
        clock.now += 3600
        auth.set_access_cookies(token, response)
        assert len(lines_of(response)) == 2

    def test_a_token_that_browsers_would_drop_is_a_clear_mistake(self):
        auth, response = make_auth(**COOKIES), Response()
        token = auth.create_access_token("alice", data={"note": "x" * 4000})
        with pytest.raises(ValueError, match="4096"):
            auth.set_access_cookies(token, response)
        assert lines_of(response) == []

    def test_a_csrf_claim_that_is_no_cookie_value_is_not_set(self):
        auth, response = make_auth(**COOKIES), Response()

        token = create_token("alice", SECRET, csrf="a; Domain=evil.example")
        with pytest.raises(ValueError, match="no cookie value"):
            auth.set_access_cookies(token, response)
        assert lines_of(response) == []


class TestDeleting:
    def test_the_four_cookies_by_default(self):
        response = Response()
        make_auth(**COOKIES).unset_cookies(response)
        epoch = "expires=Thu, 01 Jan 1970 00:00:00 GMT"
        assert lines_of(response) == [
            f'access_token_cookie=""; {epoch}; HttpOnly; Max-Age=0; Path=/; SameSite=lax; Secure',
            f'csrf_access_token=""; {epoch}; Max-Age=0; Path=/; SameSite=lax; Secure',
            f'refresh_token_cookie=""; {epoch}; HttpOnly; Max-Age=0; Path=/; SameSite=lax; Secure',
            f'csrf_refresh_token=""; {epoch}; Max-Age=0; Path=/; SameSite=lax; Secure',
        ]

    @pytest.mark.parametrize(
        "fields",
        [
            {},
            {"JWT_COOKIE_SAMESITE": "none"},
            {"JWT_COOKIE_SAMESITE": None},
            {"JWT_COOKIE_SAMESITE": "strict", "JWT_COOKIE_SECURE": False},
            {"JWT_COOKIE_SECURE": "auto"},
            {"JWT_COOKIE_DOMAIN": ".example.org"},
            {"JWT_COOKIE_HTTP_ONLY": False},
            {"JWT_COOKIE_MAX_AGE": 60},
            {"JWT_SESSION_COOKIE": False},
            {"JWT_ACCESS_COOKIE_PATH": "/api", "JWT_REFRESH_COOKIE_PATH": "/auth"},
            {"JWT_ACCESS_CSRF_COOKIE_PATH": "/a", "JWT_REFRESH_CSRF_COOKIE_PATH": "/b"},
            {"JWT_ACCESS_COOKIE_NAME": "__Host-a", "JWT_REFRESH_CSRF_COOKIE_NAME": "__Secure-c"},
            {"JWT_CSRF_IN_COOKIES": False},
            {"JWT_COOKIE_CSRF_PROTECT": False},
        ],
        ids=str,
    )
    def test_a_deletion_has_the_attributes_the_cookie_was_set_with(self, fields):
        auth, response = make_auth(**COOKIES, **fields), Response()
        lines, _, _ = set_both(auth)
        auth.unset_cookies(response)
        deletions = lines_of(response)
        assert [line.partition("=")[0] for line in deletions] == [line.partition("=")[0] for line in lines]
        assert [attributes_without_age(line) for line in deletions] == [attributes_without_age(line) for line in lines]
        assert {attributes_of(line)["max-age"] for line in deletions} == {"0"}

    @pytest.mark.parametrize(
        ("delete", "names"),
        [
            ("unset_access_cookies", ["access_token_cookie", "csrf_access_token"]),
            ("unset_refresh_cookies", ["refresh_token_cookie", "csrf_refresh_token"]),
        ],
    )
    def test_each_pair_can_go_alone(self, delete, names):
        response = Response()
        getattr(make_auth(**COOKIES), delete)(response)
        assert [line.partition("=")[0] for line in lines_of(response)] == names

    def test_a_response_that_deletes_is_kept_by_no_cache(self):
        response = Response()
        make_auth(**COOKIES).unset_cookies(response)
        assert response.headers["cache-control"] == "no-store"


class TestMaxAge:
    """The argument, then the setting, then the token's life where the cookie is no session's, then none."""

    @pytest.mark.parametrize(
        ("argument", "setting", "session_cookie", "expected"),
        [
            (None, None, True, None),
            (None, None, False, "900"),
            (None, 60, True, "60"),
            (None, 60, False, "60"),
            (None, 0, True, "0"),
            (None, 0, False, "0"),
            (30, None, True, "30"),
            (30, None, False, "30"),
            (30, 60, True, "30"),
            (30, 60, False, "30"),
            (0, None, True, "0"),
            (0, None, False, "0"),
            (0, 60, True, "0"),
            (0, 60, False, "0"),
        ],
    )
    def test_it_follows_the_first_that_speaks(self, argument, setting, session_cookie, expected):
        auth = make_auth(**COOKIES, JWT_COOKIE_MAX_AGE=setting, JWT_SESSION_COOKIE=session_cookie)
        response = Response()
        auth.set_access_cookies(auth.create_access_token("alice"), response, max_age=argument)
        assert [attributes_of(line).get("max-age") for line in lines_of(response)] == [expected] * 2

    def test_each_cookie_follows_its_own_token(self):
        auth = make_auth(
            **COOKIES,
            JWT_SESSION_COOKIE=False,
            JWT_ACCESS_TOKEN_EXPIRES=timedelta(minutes=5),
            JWT_REFRESH_TOKEN_EXPIRES=timedelta(days=1),
        )
        lines, _, _ = set_both(auth)
        assert [attributes_of(line)["max-age"] for line in lines] == ["300", "300", "86400", "86400"]

    def test_it_is_the_life_that_is_left(self):
        clock = Clock()
        auth, response = make_auth(clock, **COOKIES, JWT_SESSION_COOKIE=False), Response()
        token = auth.create_access_token("alice")
        clock.now += 100.5
        auth.set_access_cookies(token, response)
        assert {attributes_of(line)["max-age"] for line in lines_of(response)} == {"800"}

    def test_it_is_nought_for_a_token_that_is_over(self):
        clock = Clock()
        auth, response = make_auth(clock, **COOKIES, JWT_SESSION_COOKIE=False), Response()
        token = auth.create_access_token("alice")
        clock.now += 10_000
        auth.set_access_cookies(token, response)
        assert {attributes_of(line)["max-age"] for line in lines_of(response)} == {"0"}

    def test_a_token_without_end_has_a_cookie_of_the_browsers_session(self):
        auth = make_auth(**COOKIES, JWT_SESSION_COOKIE=False, JWT_ACCESS_TOKEN_EXPIRES=None)
        response = Response()
        auth.set_access_cookies(auth.create_access_token("alice"), response)
        assert all("max-age" not in attributes_of(line) for line in lines_of(response))


class TestSecureAuto:
    """Secure as the request's scheme is, and where there is no request, Secure."""

    @pytest.fixture
    def door(self):
        auth = make_auth(**COOKIES, JWT_COOKIE_SECURE="auto")
        app = FastAPI()

        @app.get("/bundle")
        async def bundle(deps=auth.BUNDLE):
            deps.set_access_cookies(deps.create_access_token("alice"))

        @app.get("/bundle-out")
        async def bundle_out(deps=auth.BUNDLE):
            deps.unset_cookies()

        @app.get("/in")
        async def login(response: Response):
            auth.set_access_cookies(auth.create_access_token("alice"), response)

        @app.get("/in-a-thread")
        def login_in_a_thread(response: Response):
            auth.set_access_cookies(auth.create_access_token("alice"), response)

        @app.get("/out")
        async def logout(response: Response):
            auth.unset_cookies(response)

        @app.post("/refresh")
        async def refresh(payload=auth.REFRESH_REQUIRED):
            return "open"

        return auth, app

    @pytest.mark.parametrize(("scheme", "secure"), [("http", False), ("https", True)])
    @pytest.mark.parametrize("path", ["/bundle", "/bundle-out", "/in", "/in-a-thread", "/out"])
    def test_it_follows_the_scheme_of_the_request(self, door, path, scheme, secure):
        auth, app = door
        auth.handle_errors(app)
        answer = knock(app, path, scheme=scheme)
        assert answer.cookies
        assert {"secure" in attributes_of(line) for line in answer.cookies} == {secure}

    @pytest.mark.parametrize(("scheme", "secure"), [("http", False), ("https", True)])
    def test_it_follows_the_scheme_where_an_error_clears_the_cookies(self, door, scheme, secure):
        _, app = door
        headers = {"Cookie": "refresh_token_cookie=garbage", "X-CSRF-TOKEN": "x"}
        answer = knock(app, "/refresh", "POST", headers, scheme=scheme)
        assert len(answer.cookies) == 4
        assert {"secure" in attributes_of(line) for line in answer.cookies} == {secure}

    def test_it_is_set_where_the_request_is_not_known(self, door):
        auth, app = door
        lines, _, _ = set_both(auth)
        answer = knock(app, "/in", scheme="http")
        assert {"secure" in attributes_of(line) for line in [*lines, *answer.cookies]} == {True}

    @pytest.mark.parametrize("scheme", ["http", "https"])
    @pytest.mark.parametrize("secure", [True, False])
    def test_a_plain_setting_does_not_follow_the_scheme(self, scheme, secure):
        auth, app = make_auth(**COOKIES, JWT_COOKIE_SECURE=secure), FastAPI()
        auth.handle_errors(app)

        @app.get("/in")
        async def login(response: Response):
            auth.set_access_cookies(auth.create_access_token("alice"), response)

        assert {"secure" in attributes_of(line) for line in knock(app, "/in", scheme=scheme).cookies} == {secure}
