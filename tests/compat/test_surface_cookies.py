"""Surface: the cookies that carry tokens and CSRF values."""

from datetime import timedelta

import pytest
from fastapi import FastAPI
from fastapi.responses import JSONResponse, RedirectResponse, Response
from tests.support.tokens import claims_of

from .cookies import set_cookies_of

KINDS = ["access", "refresh"]
ALL_FOUR = {"access_token_cookie", "csrf_access_token", "refresh_token_cookie", "csrf_refresh_token"}


@pytest.fixture
def baked(make_auth):
    """The cookies that setting a token of a kind puts on a response, and the token."""

    def bake(kind, max_age=None, token_life=None, **fields):
        auth, response = make_auth(**{"JWT_TOKEN_LOCATION": ["cookies"]} | fields), Response()
        token = getattr(auth, f"create_{kind}_token")(uid="alice", expiry=token_life)
        getattr(auth, f"set_{kind}_cookies")(token, response, max_age=max_age)
        return set_cookies_of(response), token

    return bake


@pytest.mark.parametrize("kind", KINDS)
def test_the_token_cookie_holds_the_token(baked, kind):
    cookies, token = baked(kind)
    assert cookies[f"{kind}_token_cookie"].value == token


@pytest.mark.parametrize("kind", KINDS)
def test_the_csrf_cookie_holds_the_claim(baked, kind):
    cookies, token = baked(kind)
    assert cookies[f"csrf_{kind}_token"].value == claims_of(token)["csrf"]


@pytest.mark.parametrize("kind", KINDS)
def test_the_token_cookie_looks_as_documented(baked, kind):
    cookies, _ = baked(kind)
    assert cookies[f"{kind}_token_cookie"].attributes == {
        "path": "/",
        "samesite": "lax",
        "secure": True,
        "httponly": True,
    }


@pytest.mark.parametrize("kind", KINDS)
def test_the_csrf_cookie_can_be_read_by_scripts(baked, kind):
    cookies, _ = baked(kind)
    assert cookies[f"csrf_{kind}_token"].attributes == {"path": "/", "samesite": "lax", "secure": True}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("switch", ["JWT_COOKIE_CSRF_PROTECT", "JWT_CSRF_IN_COOKIES"])
def test_without_csrf_cookies_only_the_token_is_set(baked, kind, switch):
    cookies, _ = baked(kind, **{switch: False})
    assert set(cookies) == {f"{kind}_token_cookie"}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("fields", "attribute", "value"),
    [
        ({"JWT_COOKIE_DOMAIN": "example.org"}, "domain", "example.org"),
        ({"JWT_COOKIE_SAMESITE": "strict"}, "samesite", "strict"),
        ({"JWT_COOKIE_SAMESITE": "none"}, "samesite", "none"),
        ({"JWT_COOKIE_SAMESITE": None}, "samesite", None),
        ({"JWT_COOKIE_SECURE": False}, "secure", None),
        ({"JWT_COOKIE_SECURE": "auto"}, "secure", True),
        ({"JWT_COOKIE_MAX_AGE": 3600}, "max-age", "3600"),
        ({"JWT_SESSION_COOKIE": True}, "max-age", None),
    ],
)
def test_both_cookies_get_a_configured_attribute(baked, kind, fields, attribute, value):
    cookies, _ = baked(kind, **fields)
    assert [cookie.attributes.get(attribute) for cookie in cookies.values()] == [value, value]


@pytest.mark.parametrize("kind", KINDS)
def test_each_cookie_has_its_own_name_and_path(baked, kind):
    name = kind.upper()
    cookies, _ = baked(
        kind,
        **{
            f"JWT_{name}_COOKIE_NAME": "t",
            f"JWT_{name}_COOKIE_PATH": "/token",
            f"JWT_{name}_CSRF_COOKIE_NAME": "c",
            f"JWT_{name}_CSRF_COOKIE_PATH": "/csrf",
        },
    )
    assert {key: cookie.attributes["path"] for key, cookie in cookies.items()} == {
        "t": "/token",
        "c": "/csrf",
    }


def test_http_only_can_be_turned_off(baked):
    cookies, _ = baked("access", JWT_COOKIE_HTTP_ONLY=False)
    assert "httponly" not in cookies["access_token_cookie"].attributes


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("max_age", "written"), [(60, "60"), (0, "0"), (None, "3600")])
def test_the_age_of_the_call_counts_before_the_configured_one(baked, kind, max_age, written):
    cookies, _ = baked(kind, max_age=max_age, JWT_COOKIE_MAX_AGE=3600)
    assert [cookie.attributes.get("max-age") for cookie in cookies.values()] == [written, written]


@pytest.mark.parametrize("kind", KINDS)
def test_a_lasting_cookie_lives_as_long_as_its_token(baked, kind):
    cookies, _ = baked(kind, token_life=timedelta(minutes=10), JWT_SESSION_COOKIE=False)
    for cookie in cookies.values():
        assert int(cookie.attributes["max-age"]) == pytest.approx(600, abs=2)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "fields",
    [
        {"JWT_ENCODE_AUDIENCE": "another service"},
        {"JWT_ENCODE_ISSUER": "me", "JWT_DECODE_ISSUER": "another"},
    ],
    ids=["audience", "issuer"],
)
def test_a_token_for_another_service_can_be_set(baked, kind, fields):
    cookies, token = baked(kind, **fields)
    assert cookies[f"csrf_{kind}_token"].value == claims_of(token)["csrf"]


@pytest.mark.parametrize(
    "response", [Response(), JSONResponse({}), RedirectResponse("/")], ids=["plain", "json", "redirect"]
)
def test_any_response_takes_cookies(make_auth, response):
    auth = make_auth(JWT_TOKEN_LOCATION=["cookies"])
    assert auth.set_access_cookies(auth.create_access_token(uid="alice"), response) is None
    assert "access_token_cookie" in response.headers["set-cookie"]


@pytest.mark.parametrize(
    ("method", "names"),
    [
        ("unset_access_cookies", {"access_token_cookie", "csrf_access_token"}),
        ("unset_refresh_cookies", {"refresh_token_cookie", "csrf_refresh_token"}),
        ("unset_cookies", ALL_FOUR),
    ],
)
def test_unsetting_empties_the_cookies_at_once(make_auth, method, names):
    response = Response()
    assert getattr(make_auth(JWT_TOKEN_LOCATION=["cookies"]), method)(response) is None
    cookies = set_cookies_of(response)
    assert set(cookies) == names
    assert {(cookie.value, cookie.attributes["max-age"]) for cookie in cookies.values()} == {("", "0")}


@pytest.mark.parametrize("switch", ["JWT_COOKIE_CSRF_PROTECT", "JWT_CSRF_IN_COOKIES"])
def test_without_csrf_cookies_only_the_tokens_are_unset(make_auth, switch):
    response = Response()
    make_auth(**{"JWT_TOKEN_LOCATION": ["cookies"], switch: False}).unset_cookies(response)
    assert set(set_cookies_of(response)) == {"access_token_cookie", "refresh_token_cookie"}


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"JWT_COOKIE_SAMESITE": "none", "JWT_COOKIE_DOMAIN": "example.org", "JWT_ACCESS_COOKIE_PATH": "/api"},
        {"JWT_COOKIE_SAMESITE": "strict", "JWT_COOKIE_SECURE": False, "JWT_COOKIE_HTTP_ONLY": False},
    ],
)
def test_a_cookie_is_deleted_with_the_attributes_it_was_set_with(make_auth, fields):
    auth = make_auth(**{"JWT_TOKEN_LOCATION": ["cookies"]} | fields)
    setting, unsetting = Response(), Response()
    auth.set_access_cookies(auth.create_access_token(uid="alice"), setting)
    auth.unset_access_cookies(unsetting)
    deleted = {name: cookie.attributes for name, cookie in set_cookies_of(unsetting).items()}
    for attributes in deleted.values():
        attributes.pop("max-age")
        attributes.pop("expires", None)
    assert deleted == {name: cookie.attributes for name, cookie in set_cookies_of(setting).items()}


@pytest.mark.parametrize("method", ["set", "unset"])
def test_an_answer_with_cookies_is_not_stored(make_auth, browse, method):
    auth, app = make_auth(JWT_TOKEN_LOCATION=["cookies"]), FastAPI()
    auth.handle_errors(app)

    @app.post("/")
    def act(response: Response):
        if method == "set":
            auth.set_access_cookies(auth.create_access_token(uid="alice"), response)
        else:
            auth.unset_cookies(response)

    assert browse(app).post("/").headers["Cache-Control"] == "no-store"
