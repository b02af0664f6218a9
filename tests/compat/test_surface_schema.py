"""Surface: payloads, request tokens, and the functions beneath them."""

import re
import time
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError
from tests.support.tokens import OTHER_SECRET, SECRET, claims_of, forge, forge_access, header_of

from authx import RequestToken, TokenPayload, TokenResponse
from authx.exceptions import (
    AccessTokenRequiredError,
    AuthxArgumentDeprecationWarning,
    CSRFError,
    FreshTokenRequiredError,
    JWTDecodeError,
    RefreshTokenRequiredError,
    TokenExpiredError,
    TokenInvalidAudienceError,
    TokenInvalidIssuerError,
    TokenInvalidSignatureError,
    TokenTypeError,
)
from authx.token import create_token, decode_token

UUID4 = r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"


@pytest.mark.parametrize(
    ("field", "default"),
    [
        ("type", "access"),
        ("exp", None),
        ("nbf", None),
        ("iss", None),
        ("aud", None),
        ("csrf", ""),
        ("scopes", None),
        ("fresh", False),
        ("login_type", None),
        ("sid", None),
        ("gen", None),
    ],
)
def test_a_payload_field_has_its_default(field, default):
    assert getattr(TokenPayload(sub="alice"), field) == default


def test_a_payload_needs_a_subject():
    with pytest.raises(ValidationError):
        TokenPayload()


def test_a_payload_without_jti_gets_a_uuid():
    assert re.fullmatch(UUID4, TokenPayload(sub="alice").jti)


def test_a_payload_is_issued_now():
    assert TokenPayload(sub="alice").iat == pytest.approx(time.time(), abs=2)


def test_other_claims_are_attributes_and_in_the_dump():
    payload = TokenPayload(sub="alice", role="admin")
    assert (payload.role, payload.model_extra, payload.model_dump()["role"]) == (
        "admin",
        {"role": "admin"},
        "admin",
    )


def test_extra_dict_holds_the_claims_of_the_applications_own():
    assert TokenPayload(sub="alice", role="admin", team=["a"]).extra_dict == {"role": "admin", "team": ["a"]}


def test_extra_dict_holds_no_claim_of_the_protocol():
    payload = TokenPayload(sub="alice", sid="s", gen=1, iss="i", aud="a", scopes=["x"], login_type="user")
    assert payload.extra_dict == {}


def test_a_moment_given_as_expiry_stays_that_moment():
    moment = datetime(2100, 1, 1, tzinfo=UTC)
    assert TokenPayload(sub="alice", exp=moment).exp == moment


def test_a_span_given_as_expiry_counts_from_now():
    left = TokenPayload(sub="alice", exp=timedelta(minutes=5)).exp - datetime.now(UTC)
    assert timedelta(minutes=4, seconds=58) < left <= timedelta(minutes=5, seconds=1)


def test_a_number_given_as_expiry_is_a_moment():
    assert TokenPayload(sub="alice", exp=300).exp == datetime(1970, 1, 1, 0, 5, tzinfo=UTC)


def test_a_moment_given_as_not_before_becomes_seconds():
    moment = datetime(2100, 1, 1, tzinfo=UTC)
    assert TokenPayload(sub="alice", nbf=moment).nbf == moment.timestamp()


def test_a_span_given_as_not_before_becomes_seconds_from_now():
    nbf = TokenPayload(sub="alice", nbf=timedelta(minutes=5)).nbf
    assert nbf == pytest.approx(time.time() + 300, abs=2)


@pytest.mark.parametrize("iat", [1_000_000_000, 1_000_000_000.5])
def test_issued_at_is_a_moment_in_utc(iat):
    assert TokenPayload(sub="alice", iat=iat).issued_at == datetime.fromtimestamp(iat, UTC)


def test_issued_at_may_be_a_moment_already():
    moment = datetime(2020, 1, 1, tzinfo=UTC)
    assert TokenPayload(sub="alice", iat=moment).issued_at == moment


def test_issued_at_of_a_span_is_a_type_error():
    with pytest.raises(TypeError):
        _ = TokenPayload(sub="alice", iat=timedelta(minutes=1)).issued_at


def test_expiry_datetime_is_the_moment():
    moment = datetime(2100, 1, 1, tzinfo=UTC)
    assert TokenPayload(sub="alice", exp=moment).expiry_datetime == moment


@pytest.mark.parametrize("name", ["expiry_datetime", "time_until_expiry"])
def test_a_payload_without_expiry_has_no_time_left(name):
    with pytest.raises(TypeError):
        getattr(TokenPayload(sub="alice"), name)


def test_time_until_expiry_may_be_negative():
    assert TokenPayload(sub="alice", exp=300).time_until_expiry < timedelta(0)


def test_time_since_issued_is_the_age():
    age = TokenPayload(sub="alice", iat=time.time() - 60).time_since_issued
    assert timedelta(seconds=59) < age < timedelta(seconds=62)


def test_a_payload_encodes_its_standard_claims():
    payload = TokenPayload(
        sub="alice",
        jti="j",
        iss="i",
        aud="a",
        csrf="c",
        scopes=["read"],
        fresh=True,
        exp=timedelta(minutes=5),
    )
    claims = claims_of(payload.encode(SECRET))
    assert {name: claims[name] for name in ("sub", "jti", "iss", "aud", "csrf", "scopes", "fresh", "type")} == {
        "sub": "alice",
        "jti": "j",
        "iss": "i",
        "aud": "a",
        "csrf": "c",
        "scopes": ["read"],
        "fresh": True,
        "type": "access",
    }


def test_a_payload_encodes_headers_and_data():
    token = TokenPayload(sub="alice").encode(SECRET, headers={"kid": "k1"}, data={"role": "admin"})
    assert (header_of(token)["kid"], claims_of(token)["role"]) == ("k1", "admin")


def test_a_payload_survives_encoding_and_decoding():
    payload = TokenPayload(sub="alice", jti="j", exp=timedelta(minutes=5), scopes=["read"])
    decoded = TokenPayload.decode(payload.encode(SECRET), SECRET)
    assert (decoded.sub, decoded.jti, decoded.scopes) == ("alice", "j", ["read"])


def test_a_decoded_payload_has_an_aware_expiry_and_a_numeric_time_of_issue():
    decoded = TokenPayload.decode(forge_access(exp=4_000_000_000), SECRET)
    assert decoded.exp == datetime.fromtimestamp(4_000_000_000, UTC)
    assert isinstance(decoded.iat, int | float)


@pytest.mark.parametrize(("claim", "value"), [("type", "access"), ("fresh", False), ("csrf", "")])
def test_decoding_a_bare_payload_fills_in_a_default(claim, value):
    assert getattr(TokenPayload.decode(forge({"sub": "alice"}), SECRET), claim) == value


def test_decoding_claims_that_do_not_fit_is_an_error():
    with pytest.raises((ValidationError, JWTDecodeError)):
        TokenPayload.decode(forge_access(scopes="read"), SECRET)


def test_decoding_without_verifying_accepts_any_signature():
    assert TokenPayload.decode(forge_access(OTHER_SECRET), SECRET, verify=False).sub == "alice"


def request_token(token, **fields):
    return RequestToken(**{"token": token, "location": "headers"} | fields)


def test_a_request_token_serialises_as_four_keys():
    assert request_token("t").model_dump_json() == '{"token":"t","csrf":null,"type":"access","location":"headers"}'


@pytest.mark.parametrize("fields", [{}, {"location": "body"}, {"location": "headers", "type": "other"}])
def test_a_request_token_needs_a_known_location_and_type(fields):
    with pytest.raises(ValidationError):
        RequestToken(token="t", **fields)


def test_a_request_token_verifies_to_a_payload():
    assert request_token(forge_access()).verify(SECRET).sub == "alice"


@pytest.mark.parametrize(
    ("claims", "options", "error"),
    [
        ({"exp": 1}, {}, TokenExpiredError),
        ({"aud": "other"}, {"audience": "mine"}, TokenInvalidAudienceError),
        ({"aud": "other"}, {}, TokenInvalidAudienceError),
        ({"iss": "other"}, {"issuer": "mine"}, TokenInvalidIssuerError),
        ({"scopes": "read"}, {}, JWTDecodeError),
        ({"type": "refresh"}, {}, AccessTokenRequiredError),
        ({"type": "refresh"}, {"verify_fresh": True}, AccessTokenRequiredError),
        ({}, {"verify_fresh": True}, FreshTokenRequiredError),
    ],
)
def test_a_request_token_reports_what_is_wrong(claims, options, error):
    with pytest.raises(error):
        request_token(forge_access(**claims)).verify(SECRET, **options)


def test_a_request_token_reports_a_wrong_signature():
    with pytest.raises(TokenInvalidSignatureError):
        request_token(forge_access(OTHER_SECRET)).verify(SECRET)


def test_a_refresh_request_token_demands_a_refresh_token():
    with pytest.raises(RefreshTokenRequiredError):
        request_token(forge_access(), type="refresh").verify(SECRET)


def test_both_type_errors_are_one_kind():
    assert issubclass(AccessTokenRequiredError, TokenTypeError)
    assert issubclass(RefreshTokenRequiredError, TokenTypeError)


@pytest.mark.parametrize(
    ("claims", "options"),
    [
        ({"type": "refresh"}, {"verify_type": False}),
        ({"fresh": True}, {"verify_fresh": True}),
        ({"aud": ["mine", "other"]}, {"audience": "mine"}),
        ({"aud": "mine"}, {"audience": ["mine", "other"]}),
        ({"iss": "mine"}, {"issuer": "mine"}),
        ({"iss": "other"}, {}),
        ({"exp": 1, "aud": "other"}, {"verify_jwt": False}),
    ],
)
def test_a_request_token_passes_the_checks_it_is_asked_for(claims, options):
    assert request_token(forge_access(**claims)).verify(SECRET, **options).sub == "alice"


@pytest.mark.parametrize(
    ("claim", "sent"),
    [
        ("value", "other"),
        ("value", None),
        ("value", ""),
        ("value", "välue"),
        ("value", "\ud800"),
        (None, "value"),
        ("", "value"),
        ("", ""),
    ],
)
def test_a_cookie_token_with_another_csrf_value_is_refused(claim, sent):
    with pytest.raises(CSRFError):
        request_token(forge_access(csrf=claim), csrf=sent, location="cookies").verify(SECRET)


def test_a_cookie_token_with_its_csrf_value_passes():
    token = request_token(forge_access(csrf="value"), csrf="value", location="cookies")
    assert token.verify(SECRET).csrf == "value"


def test_a_cookie_token_passes_without_csrf_check():
    token = request_token(forge_access(csrf="value"), csrf="other", location="cookies")
    assert token.verify(SECRET, verify_csrf=False).sub == "alice"


@pytest.mark.parametrize("location", ["headers", "json", "query"])
def test_a_token_from_elsewhere_needs_no_csrf_value(location):
    assert request_token(forge_access(csrf="value"), location=location).verify(SECRET).sub == "alice"


def test_no_token_is_shown():
    token, pair = (
        request_token("secret-token"),
        TokenResponse(access_token="secret-a", refresh_token="secret-r"),
    )
    assert "secret-" not in f"{token!r} {token} {pair!r} {pair}"


def test_a_token_response_has_its_keys_in_order():
    response = TokenResponse(access_token="a", refresh_token="r")
    assert response.model_dump_json() == '{"access_token":"a","refresh_token":"r","token_type":"bearer"}'


@pytest.mark.parametrize(
    ("arguments", "claim", "written"),
    [
        ({"type": "access", "fresh": True}, "fresh", True),
        ({"type": "access"}, "fresh", False),
        ({"type": "refresh", "fresh": True}, "fresh", None),
        ({"type": "other"}, "type", "other"),
        ({"jti": "mine"}, "jti", "mine"),
        ({"csrf": "mine"}, "csrf", "mine"),
        ({"csrf": ""}, "csrf", ""),
        ({"csrf": False}, "csrf", None),
        ({"csrf": None}, "csrf", None),
        ({"issued": 1_000_000_000}, "iat", 1_000_000_000),
        ({"issued": datetime(2020, 1, 1, 0, 0, 0, 500_000, UTC)}, "iat", 1577836800.5),
        ({"expiry": 4_000_000_000}, "exp", 4_000_000_000),
        ({"expiry": datetime(2100, 1, 1, 0, 0, 0, 500_000, UTC)}, "exp", 4102444800.5),
        ({"expiry": None}, "exp", None),
        ({"not_before": 1_000_000_000}, "nbf", 1_000_000_000),
        ({"audience": "mine"}, "aud", "mine"),
        ({"audience": ["a", "b"]}, "aud", ["a", "b"]),
        ({"audience": ""}, "aud", None),
        ({"issuer": "mine"}, "iss", "mine"),
        ({"issuer": ""}, "iss", None),
        ({"additional_data": {"role": "admin"}}, "role", "admin"),
        ({"additional_data": {"sub": "mallory"}}, "sub", "alice"),
        ({"data": {"sub": "bob"}}, "sub", "bob"),
        ({"data": {"role": "admin"}}, "role", "admin"),
    ],
)
def test_create_token_writes_a_claim(arguments, claim, written):
    assert claims_of(create_token("alice", SECRET, **arguments)).get(claim) == written


def test_create_token_makes_a_csrf_value_on_demand():
    assert re.fullmatch(UUID4, claims_of(create_token("alice", SECRET, csrf=True))["csrf"])


def test_create_token_writes_the_time_of_issue_with_its_fraction():
    assert isinstance(claims_of(create_token("alice", SECRET))["iat"], float)


def test_create_token_counts_a_span_from_now():
    exp = claims_of(create_token("alice", SECRET, expiry=timedelta(minutes=5)))["exp"]
    assert exp == pytest.approx(time.time() + 300, abs=2)
    assert isinstance(exp, float)


@pytest.mark.parametrize("claim", ["fresh", "csrf", "iat", "exp", "iss", "aud", "type", "jti", "nbf", "sub"])
def test_create_token_may_refuse_reserved_claims(claim):
    with pytest.raises(ValueError):
        create_token("alice", SECRET, additional_data={claim: "x"}, ignore_errors=False)


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
def test_create_token_signs_with_the_algorithm_named(algorithm):
    token = create_token("alice", SECRET * 2, algorithm=algorithm)
    assert header_of(token) == {"alg": algorithm, "typ": "JWT"}
    assert decode_token(token, SECRET * 2, algorithms=[algorithm])["sub"] == "alice"


def test_create_token_adds_headers():
    assert header_of(create_token("alice", SECRET, headers={"kid": "k1"}))["kid"] == "k1"


def test_decode_token_returns_the_claims():
    assert decode_token(forge({"sub": "alice", "role": "admin"}), SECRET) == {"sub": "alice", "role": "admin"}


@pytest.mark.parametrize(
    ("claims", "options", "error", "text"),
    [
        ({"exp": 1}, {}, TokenExpiredError, "Token has expired"),
        ({"aud": "other"}, {"audience": "mine"}, TokenInvalidAudienceError, "Invalid audience"),
        ({"aud": "other"}, {}, TokenInvalidAudienceError, "Invalid audience"),
        ({"iss": "other"}, {"issuer": "mine"}, TokenInvalidIssuerError, "Invalid issuer"),
    ],
)
def test_decode_token_has_a_class_and_a_message_for_it(claims, options, error, text):
    with pytest.raises(error) as raised:
        decode_token(forge_access(**claims), SECRET, **options)
    assert (type(raised.value), str(raised.value)) == (error, text)


def test_decode_token_has_a_class_and_a_message_for_a_wrong_signature():
    with pytest.raises(TokenInvalidSignatureError) as raised:
        decode_token(forge_access(OTHER_SECRET), SECRET)
    assert str(raised.value) == "Signature verification failed"


def test_decode_token_has_a_message_for_an_empty_token():
    with pytest.raises(JWTDecodeError) as raised:
        decode_token("", SECRET)
    assert str(raised.value) == "Token must not be empty"


def in_the_future():
    return int(time.time()) + 3600


@pytest.mark.parametrize(
    ("token", "options"),
    [
        ("garbage", {}),
        ("a.b.c", {}),
        (forge({"sub": "alice"}, alg="none"), {}),
        (forge({"sub": "alice"}, alg="HS384"), {}),
        (forge({"sub": "alice", "nbf": in_the_future()}), {}),
        (forge({"sub": "alice", "iat": in_the_future()}), {}),
        (forge({"sub": "alice"}), {"audience": "mine"}),
        (forge({"sub": "alice"}), {"issuer": "mine"}),
        (forge({"sub": 7}), {}),
    ],
    ids=["text", "letters", "none", "alg", "nbf", "iat", "no aud", "no iss", "sub"],
)
def test_decode_token_reports_everything_else_as_invalid(token, options):
    with pytest.raises(JWTDecodeError) as raised:
        decode_token(token, SECRET, **options)
    assert type(raised.value) is JWTDecodeError
    assert str(raised.value).startswith("Invalid token: ")


def test_decode_token_accepts_a_token_without_expiry():
    assert decode_token(forge({"sub": "alice"}), SECRET) == {"sub": "alice"}


def test_decode_token_gives_no_leeway():
    with pytest.raises(TokenExpiredError):
        decode_token(forge({"sub": "alice", "exp": int(time.time())}), SECRET)


@pytest.mark.parametrize("algorithms", [None, []])
def test_decode_token_without_algorithms_means_hs256(algorithms):
    assert decode_token(forge({"sub": "alice"}), SECRET, algorithms=algorithms) == {"sub": "alice"}


def test_decode_token_without_verifying_returns_the_claims_unchecked():
    token = forge({"sub": "alice", "exp": 1, "aud": "other"}, OTHER_SECRET)
    assert decode_token(token, SECRET, verify=False) == {"sub": "alice", "exp": 1, "aud": "other"}


def test_decode_token_warns_that_data_is_not_used():
    with pytest.warns(AuthxArgumentDeprecationWarning):
        decode_token(forge({"sub": "alice"}), SECRET, data={"x": 1})


def test_the_warning_is_a_deprecation_warning():
    assert issubclass(AuthxArgumentDeprecationWarning, DeprecationWarning)
