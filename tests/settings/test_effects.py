"""Every setting does something: two values, and what differs between them."""

from datetime import timedelta
from pathlib import Path

import pytest
from tests.settings.observations import (
    ALL_PLACES,
    COOKIES,
    ES256,
    FORM,
    Attempt,
    Effect,
    a_repeated_attempt,
    attribute,
    attributes_of_all,
    challenge,
    claim,
    cookie_name,
    cookies_set,
    has_nbf,
    identity,
    lifetime,
    longest,
    looks_at_signatures,
    message_key,
    on_a_store,
    opened,
    own_tokens_pass_with,
    places,
    poll_interval,
    refreshed_after,
    revoked_access,
    signed_by,
    status_after_a_silence,
    status_of,
    status_with_body,
    status_with_header,
    status_with_query,
    store_of_the_url,
    tables,
    token_of,
)
from tests.settings.pems import pem, public_pem
from tests.support.apps import SECRET, make_auth, make_door, make_expired
from tests.support.tokens import OTHER_SECRET, bearer, forge_access, header_of

from authx import AuthX, AuthXConfig
from authx.exceptions import (
    BadConfigurationError,
    RefreshReusedError,
    SessionRevoked,
    TokenExpiredError,
)


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A directory where a store may leave its file."""
    monkeypatch.chdir(tmp_path)


EFFECTS: dict[str, Effect] = {
    "JWT_ALGORITHM": Effect(
        lambda auth: header_of(auth.create_access_token("alice"))["alg"], [("HS256", "HS256"), ("HS384", "HS384")]
    ),
    "JWT_SECRET_KEY": Effect(status_of(token_of()), [(SECRET, 200), (OTHER_SECRET, 401)]),
    "JWT_PRIVATE_KEY": Effect(own_tokens_pass_with("one"), [(pem("one"), 200), (pem("two"), 401)], ES256),
    "JWT_PUBLIC_KEY": Effect(
        status_of(lambda: signed_by("one")), [(public_pem("one"), 200), (public_pem("two"), 401)], ES256
    ),
    "JWT_PREVIOUS_SECRET_KEY": Effect(
        status_of(lambda: forge_access(OTHER_SECRET)), [(None, 401), (OTHER_SECRET, 200)]
    ),
    "JWT_PREVIOUS_PUBLIC_KEY": Effect(
        status_of(lambda: signed_by("one")),
        [(None, 401), (public_pem("one"), 200)],
        ES256 | {"JWT_PUBLIC_KEY": public_pem("two")},
    ),
    "JWT_ACCESS_TOKEN_EXPIRES": Effect(
        lifetime("create_access_token"), [(timedelta(minutes=1), 60), (timedelta(hours=1), 3600), (None, None)]
    ),
    "JWT_REFRESH_TOKEN_EXPIRES": Effect(
        lifetime("create_refresh_token"), [(timedelta(minutes=1), 60), (timedelta(days=1), 86400), (None, None)]
    ),
    "JWT_DECODE_ALGORITHMS": Effect(
        status_of(lambda: make_auth(JWT_SECRET_KEY=SECRET * 2, JWT_ALGORITHM="HS512").create_access_token("alice")),
        [(["HS256"], 401), (["HS256", "HS512"], 200)],
        {"JWT_SECRET_KEY": SECRET * 2},
    ),
    "JWT_DECODE_AUDIENCE": Effect(
        status_of(token_of(aud=["us", "you"])), [(None, 401), ("us", 200), (["you", "they"], 200), ("they", 401)]
    ),
    "JWT_DECODE_ISSUER": Effect(status_of(token_of(iss="us")), [(None, 200), ("us", 200), ("they", 401)]),
    "JWT_DECODE_LEEWAY": Effect(
        lambda auth: make_door(auth).get("/p", headers=bearer(make_expired(auth))).status_code,
        [(0, 401), (None, 401), (60, 200)],
    ),
    "JWT_ENCODE_AUDIENCE": Effect(claim("aud"), [(None, None), ("us", "us"), (["us", "you"], ["us", "you"])]),
    "JWT_ENCODE_ISSUER": Effect(claim("iss"), [(None, None), ("us", "us")]),
    "JWT_ENCODE_NBF": Effect(has_nbf, [(True, True), (False, False)]),
    "JWT_IDENTITY_CLAIM": Effect(identity, [("sub", 401), ("login", 200)]),
    "JWT_ERROR_MESSAGE_KEY": Effect(message_key, [("detail", "detail"), ("msg", "msg"), ("message", "message")]),
    "JWT_ERROR_STATUS": Effect(status_of(lambda: "garbage"), [("rfc", 401), ("authx", 422)]),
    "JWT_REALM": Effect(challenge, [("authx", 'Bearer realm="authx"'), ("Back office", 'Bearer realm="Back office"')]),
    "JWT_TOKEN_LOCATION": Effect(
        places("access"),
        [
            (["headers"], ["headers"]),
            (["json", "query"], ["json", "query"]),
            (["cookies"], ["cookies"]),
            (ALL_PLACES, ["headers", "json", "query", "cookies"]),
            ([], []),
        ],
        {"JWT_COOKIE_CSRF_PROTECT": False},
    ),
    "JWT_REFRESH_TOKEN_LOCATION": Effect(
        places("refresh"),
        [(None, ["headers"]), (["cookies"], ["cookies"]), (["json", "query"], ["json", "query"])],
        {"JWT_COOKIE_CSRF_PROTECT": False},
    ),
    "JWT_HEADER_NAME": Effect(status_with_header("X-Pass", "Bearer "), [("Authorization", 401), ("X-Pass", 200)]),
    "JWT_HEADER_TYPE": Effect(
        status_with_header("Authorization", "Token "), [("Bearer", 401), ("Token", 200), ("token", 200)]
    ),
    "JWT_QUERY_STRING_NAME": Effect(
        status_with_query("ticket"), [("token", 401), ("ticket", 200)], {"JWT_TOKEN_LOCATION": ["query"]}
    ),
    "JWT_JSON_KEY": Effect(
        status_with_body("access", "ticket"), [("access_token", 401), ("ticket", 200)], {"JWT_TOKEN_LOCATION": ["json"]}
    ),
    "JWT_REFRESH_JSON_KEY": Effect(
        status_with_body("refresh", "ticket"),
        [("refresh_token", 401), ("ticket", 200)],
        {"JWT_TOKEN_LOCATION": ["json"]},
    ),
    "JWT_MAX_TOKEN_BYTES": Effect(longest, [(8192, 200), (400, 400)]),
    "JWT_TOKEN_CACHE_SIZE": Effect(looks_at_signatures, [(1024, 1), (1, 1), (0, 2)]),
    "JWT_MAX_BODY_BYTES": Effect(
        Attempt(headers={}, form={"text": "x" * 2000, "csrf_token": "{value}"}), [(1_048_576, 200), (1024, 400)], FORM
    ),
    "JWT_ACCESS_COOKIE_NAME": Effect(
        cookie_name("access", 0), [("access_token_cookie", "access_token_cookie"), ("a", "a")], COOKIES
    ),
    "JWT_ACCESS_COOKIE_PATH": Effect(attribute("Path", "access"), [("/", "/"), ("/api", "/api")], COOKIES),
    "JWT_REFRESH_COOKIE_NAME": Effect(
        cookie_name("refresh", 0), [("refresh_token_cookie", "refresh_token_cookie"), ("r", "r")], COOKIES
    ),
    "JWT_REFRESH_COOKIE_PATH": Effect(attribute("Path", "refresh"), [("/", "/"), ("/auth", "/auth")], COOKIES),
    "JWT_COOKIE_DOMAIN": Effect(
        attributes_of_all("Domain"), [(None, [None] * 4), ("example.org", ["example.org"] * 4)], COOKIES
    ),
    "JWT_COOKIE_MAX_AGE": Effect(
        attributes_of_all("Max-Age"), [(None, [None] * 4), (600, ["600"] * 4), (0, ["0"] * 4)], COOKIES
    ),
    "JWT_COOKIE_SAMESITE": Effect(
        attributes_of_all("SameSite"),
        [("lax", ["lax"] * 4), ("strict", ["strict"] * 4), ("none", ["none"] * 4), (None, [None] * 4)],
        COOKIES,
    ),
    "JWT_COOKIE_SECURE": Effect(
        attributes_of_all("Secure"), [(True, [""] * 4), (False, [None] * 4), ("auto", [""] * 4)], COOKIES
    ),
    "JWT_COOKIE_HTTP_ONLY": Effect(
        attributes_of_all("HttpOnly"), [(True, ["", None, "", None]), (False, [None] * 4)], COOKIES
    ),
    "JWT_SESSION_COOKIE": Effect(
        lambda auth: attribute("Max-Age")(auth) is None, [(True, True), (False, False)], COOKIES
    ),
    "JWT_COOKIE_CSRF_PROTECT": Effect(Attempt(headers={}), [(True, 403), (False, 200)], COOKIES),
    "JWT_CSRF_IN_COOKIES": Effect(
        cookies_set,
        [(True, ["access_token_cookie", "csrf_access_token"]), (False, ["access_token_cookie"])],
        COOKIES,
    ),
    "JWT_CSRF_METHODS": Effect(Attempt(method="GET", headers={}), [(["POST"], 200), (["POST", "GET"], 403)], COOKIES),
    "JWT_CSRF_CHECK_FORM": Effect(
        Attempt(headers={}, form={"csrf_token": "{value}"}), [(False, 403), (True, 200)], COOKIES
    ),
    "JWT_ORIGINS": Effect(
        Attempt(headers={"X-CSRF-TOKEN": "{value}", "Origin": "https://front.example"}),
        [([], 200), (["https://front.example"], 200), (["https://back.example"], 403)],
        COOKIES,
    ),
    "JWT_CSRF_TRUSTED_ORIGINS": Effect(
        Attempt(headers={"X-CSRF-TOKEN": "{value}", "Origin": "https://front.example"}),
        [([], 200), (["https://front.example"], 200), (["https://back.example"], 403)],
        COOKIES,
    ),
    "JWT_ACCESS_CSRF_COOKIE_NAME": Effect(
        cookie_name("access", 1), [("csrf_access_token", "csrf_access_token"), ("c", "c")], COOKIES
    ),
    "JWT_REFRESH_CSRF_COOKIE_NAME": Effect(
        cookie_name("refresh", 1), [("csrf_refresh_token", "csrf_refresh_token"), ("c", "c")], COOKIES
    ),
    "JWT_ACCESS_CSRF_COOKIE_PATH": Effect(attribute("Path", "access", 1), [("/", "/"), ("/front", "/front")], COOKIES),
    "JWT_REFRESH_CSRF_COOKIE_PATH": Effect(
        attribute("Path", "refresh", 1), [("/", "/"), ("/front", "/front")], COOKIES
    ),
    "JWT_ACCESS_CSRF_HEADER_NAME": Effect(
        Attempt(headers={"X-Proof": "{value}"}), [("X-CSRF-TOKEN", 403), ("X-Proof", 200)], COOKIES
    ),
    "JWT_REFRESH_CSRF_HEADER_NAME": Effect(
        Attempt("refresh", headers={"X-Proof": "{value}"}), [("X-CSRF-TOKEN", 403), ("X-Proof", 200)], COOKIES
    ),
    "JWT_ACCESS_CSRF_FIELD_NAME": Effect(
        Attempt(headers={}, form={"proof": "{value}"}), [("csrf_token", 403), ("proof", 200)], FORM
    ),
    "JWT_REFRESH_CSRF_FIELD_NAME": Effect(
        Attempt("refresh", headers={}, form={"proof": "{value}"}), [("csrf_token", 403), ("proof", 200)], FORM
    ),
    "JWT_STORE_URL": Effect(store_of_the_url, [(None, "no store"), ("sqlite:///sessions.db", [])]),
    "JWT_STORE_PREFIX": Effect(tables, [("authx_", ["authx_"]), ("login_", ["login_"])]),
    "JWT_STORE_CREATE_SCHEMA": Effect(on_a_store(opened), [(True, "opened"), (False, BadConfigurationError.__name__)]),
    "JWT_SESSION_MAX_AGE": Effect(
        refreshed_after(timedelta(days=2)),
        [
            (timedelta(days=90), "refreshed"),
            (None, "refreshed"),
            (timedelta(days=1), TokenExpiredError.__name__),
        ],
    ),
    "JWT_REFRESH_GRACE_PERIOD": Effect(
        refreshed_after(timedelta(minutes=1), timedelta(seconds=10)),
        [
            (timedelta(seconds=30), "refreshed"),
            (timedelta(seconds=5), RefreshReusedError.__name__),
            (timedelta(0), RefreshReusedError.__name__),
        ],
    ),
    "JWT_RETRY_KEY_HEADER": Effect(
        on_a_store(a_repeated_attempt),
        [
            ("X-Attempt", "refreshed"),
            ("Idempotency-Key", RefreshReusedError.__name__),
            (None, RefreshReusedError.__name__),
        ],
    ),
    "JWT_REVOCATION_CHECK": Effect(
        on_a_store(revoked_access),
        [("feed", SessionRevoked.__name__), ("store", SessionRevoked.__name__), ("none", "passed")],
    ),
    "JWT_REVOCATION_POLL_INTERVAL": Effect(poll_interval, [(timedelta(seconds=0.5), 0.5), (timedelta(seconds=2), 2.0)]),
    "JWT_REVOCATION_MAX_STALENESS": Effect(
        status_after_a_silence,
        [(timedelta(seconds=30), "passed"), (None, "passed"), (timedelta(milliseconds=10), "unavailable")],
        {"JWT_REVOCATION_POLL_INTERVAL": timedelta(milliseconds=1)},
    ),
}

# Accepted so that AuthX's applications start; what they ask for is done without being asked.
BY_ITSELF = {
    "JWT_SESSION_TRACKING": "a store tracks every session",
    "JWT_SESSION_UPDATE_LAST_ACTIVE": "each refresh updates it",
}

# Obeyed by a method of `AuthX` that does not exist yet; once it does, each needs an effect above.
AWAITED_BY = {
    "JWT_IMPLICIT_REFRESH_ROUTE_EXCLUDE": "implicit_refresh_middleware",
    "JWT_IMPLICIT_REFRESH_ROUTE_INCLUDE": "implicit_refresh_middleware",
    "JWT_IMPLICIT_REFRESH_METHOD_EXCLUDE": "implicit_refresh_middleware",
    "JWT_IMPLICIT_REFRESH_METHOD_INCLUDE": "implicit_refresh_middleware",
    "JWT_IMPLICIT_REFRESH_DELTATIME": "implicit_refresh_middleware",
}

CASES = [
    pytest.param(name, value, expected, id=f"{name}-{index}")
    for name, effect in EFFECTS.items()
    for index, (value, expected) in enumerate(effect.outcomes)
]


def test_every_field_has_an_effect_or_a_reason_for_none():
    assert set(AuthXConfig.model_fields) == EFFECTS.keys() | BY_ITSELF.keys() | AWAITED_BY.keys()


@pytest.mark.parametrize("name", EFFECTS)
def test_what_is_observed_differs_between_the_values_of_a_field(name):
    assert len({repr(expected) for _, expected in EFFECTS[name].outcomes}) > 1


@pytest.mark.parametrize(("name", "value", "expected"), CASES)
def test_a_value_of_a_field_has_its_effect(name, value, expected):
    effect = EFFECTS[name]
    auth = make_auth(**effect.given | {name: value})
    assert effect.observe(auth) == expected


@pytest.mark.parametrize("name", BY_ITSELF)
def test_a_field_without_effect_says_so_in_its_description(name):
    description = AuthXConfig.model_fields[name].description
    assert description is not None
    assert "Accepted for AuthX applications" in description


@pytest.mark.parametrize("name", AWAITED_BY)
def test_a_field_that_waits_for_a_feature_waits_no_longer_once_it_is_there(name):
    assert not hasattr(AuthX, AWAITED_BY[name])
