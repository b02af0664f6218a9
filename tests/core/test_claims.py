"""The checks after a good signature, at their boundaries."""

import math

import pytest

from authx.core.claims import (
    check_audience,
    check_dates,
    check_fresh,
    check_issuer,
    check_not_expired,
    check_scopes,
    check_shape,
    is_subject,
    wrong_type,
)
from authx.core.ids import session_id
from authx.exceptions import (
    AccessTokenRequiredError,
    FreshTokenRequiredError,
    InsufficientScopeError,
    JWTDecodeError,
    RefreshTokenRequiredError,
    TokenExpiredError,
    TokenInvalidAudienceError,
    TokenInvalidIssuerError,
)

NOW = 1_800_000_000.0
LAST_DATE = 253402300799
SID = session_id("u", 1, bytes(8))


def claims(**changes):
    return {"sub": "u", "jti": "j", "iat": int(NOW), **changes}


def without(name):
    return {key: value for key, value in claims().items() if key != name}


# Shape


def test_the_least_that_has_good_shape():
    check_shape(claims())


@pytest.mark.parametrize("name", ["sub", "jti", "iat"])
def test_a_required_claim_that_is_missing_is_refused(name):
    with pytest.raises(JWTDecodeError):
        check_shape(without(name))


NO_TEXT = [None, 1, 1.5, True, [], {}, ["u"]]
NO_DATE = [None, "", "1800000000", "soon", True, False, [], {}, [1], -1, -0.5, LAST_DATE + 1, 1e30, 10**30, 10**400]


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("sub", [*NO_TEXT, "", "x" * 256, "a\0b", "\0", "\ud800", "ok\udfff", "é\ud800"]),
        ("jti", [*NO_TEXT, "", "x" * 256]),
        ("iat", [*NO_DATE, math.nan, math.inf, -math.inf]),
        ("exp", [*NO_DATE, math.nan, math.inf, -math.inf]),
        ("nbf", [*NO_DATE, math.nan, math.inf, -math.inf]),
        ("type", [1, True, [], {}, ["access"]]),
        ("fresh", [None, 0, 1, "true", [], {}]),
        ("csrf", [1, True, [], {}]),
        ("scopes", ["read", 1, True, {}, [1], [None], ["a", 1], [["a"]]]),
        ("aud", [None, 1, True, {}, [1], [None], ["a", 1], [["a"]]]),
        ("iss", [None, 1, True, [], {}, ["me"]]),
        ("login_type", [1, True, [], {}]),
        ("gen", [None, True, False, "0", 0.0, 1.5, [], {}, -1, 2**31, 2**64]),
        ("sid", [None, 1, True, [], {}, "", "x", SID.upper(), session_id("other", 1, bytes(8)), SID + "\n"]),
    ],
)
def test_a_claim_of_a_wrong_type_or_size_is_refused(name, values):
    for value in values:
        with pytest.raises(JWTDecodeError):
            check_shape(claims(**{name: value}))


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("sub", ["x", "x" * 255, "é", "\U0001f600" * 255, "a\nb", "\u202e"]),
        ("jti", ["x", "x" * 255]),
        ("iat", [0, 0.0, 1.5, NOW, LAST_DATE]),
        ("exp", [0, 1.5, 9999999999.5, LAST_DATE, float(LAST_DATE)]),
        ("nbf", [0, 1.5, NOW]),
        ("type", [None, "", "access", "refresh", "other"]),
        ("fresh", [True, False]),
        ("csrf", [None, "", "x"]),
        ("scopes", [None, [], ["a"], ["a", "b"]]),
        ("aud", ["", "a", [], ["a", "b"]]),
        ("iss", ["", "me"]),
        ("login_type", [None, "", "admin"]),
        ("gen", [0, 1, 2**31 - 1]),
        ("sid", [SID]),
        ("custom", [None, 1, [], {"sub": 1}, 10**400]),
    ],
)
def test_a_claim_of_the_right_type_and_size_is_accepted(name, values):
    for value in values:
        check_shape(claims(**{name: value}))


def test_the_identity_may_be_in_another_claim():
    read = {"user_id": "u", "jti": "j", "iat": 1}
    check_shape(read, "user_id")
    assert read["sub"] == "u"


@pytest.mark.parametrize("other", ["v", None, 1, ["u"]])
def test_two_identities_that_differ_are_refused(other):
    with pytest.raises(JWTDecodeError):
        check_shape(claims(user_id=other), "user_id")


@pytest.mark.parametrize("value", [1, None, "", [], "\ud800"])
def test_an_identity_in_another_claim_has_to_be_a_subject_too(value):
    with pytest.raises(JWTDecodeError):
        check_shape({"user_id": value, "jti": "j", "iat": 1}, "user_id")


@pytest.mark.parametrize("value", [1, None, [], "", "secret-value" * 30])
def test_no_refusal_quotes_the_claim(value):
    with pytest.raises(JWTDecodeError) as refusal:
        check_shape(claims(sub=value))
    assert "secret" not in str(refusal.value)


# Times


@pytest.mark.parametrize(
    ("exp", "leeway", "good"),
    [
        (NOW + 1, 0, True),
        (NOW + 0.001, 0, True),
        (NOW, 0, False),
        (NOW - 0.001, 0, False),
        (NOW - 1, 0, False),
        (NOW, 1, True),
        (NOW - 59, 60, True),
        (NOW - 59.999, 60, True),
        (NOW - 60, 60, False),
        (NOW - 61, 60, False),
        (0, 0, False),
        (None, 0, True),
    ],
)
def test_a_token_is_good_strictly_before_its_exp(exp, leeway, good):
    read = claims() if exp is None else claims(exp=exp)
    if good:
        check_not_expired(read, NOW, leeway)
        return
    with pytest.raises(TokenExpiredError):
        check_not_expired(read, NOW, leeway)


@pytest.mark.parametrize("name", ["iat", "nbf"])
@pytest.mark.parametrize(
    ("ahead", "skew", "good"),
    [
        (-100, 10, True),
        (0, 0, True),
        (0.001, 0, False),
        (10, 10, True),
        (10.001, 10, False),
        (11, 10, False),
        (60, 60, True),
    ],
)
def test_a_token_is_not_good_before_its_time_but_for_the_skew(name, ahead, skew, good):
    read = claims(**{name: NOW + ahead})
    if good:
        check_dates(read, NOW, 0, skew)
        return
    with pytest.raises(JWTDecodeError) as refusal:
        check_dates(read, NOW, 0, skew)
    assert not isinstance(refusal.value, TokenExpiredError)


def test_a_token_both_expired_and_issued_in_the_future_is_expired():
    with pytest.raises(TokenExpiredError):
        check_dates(claims(exp=NOW - 1, iat=NOW + 1000), NOW, 0, 10)


def test_the_leeway_of_exp_is_no_skew_for_iat():
    with pytest.raises(JWTDecodeError):
        check_dates(claims(iat=NOW + 30), NOW, 60, 10)


# Issuer and audience


@pytest.mark.parametrize(
    ("iss", "expected", "good"),
    [
        ("me", "me", True),
        ("me/", "me", False),
        ("Me", "me", False),
        ("", "me", False),
        (None, "me", False),
        ("other", None, True),
        (None, None, True),
    ],
)
def test_the_issuer_is_compared_exactly_where_one_is_expected(iss, expected, good):
    read = claims() if iss is None else claims(iss=iss)
    if good:
        check_issuer(read, expected)
        return
    with pytest.raises(TokenInvalidIssuerError):
        check_issuer(read, expected)


@pytest.mark.parametrize(
    ("aud", "expected", "good"),
    [
        ("me", {"me"}, True),
        (["me"], {"me"}, True),
        (["other", "me"], {"me"}, True),
        ("b", {"a", "b"}, True),
        ("me/", {"me"}, False),
        ("Me", {"me"}, False),
        ("m", {"me"}, False),
        ("me too", {"me"}, False),
        (["other"], {"me"}, False),
        ([], {"me"}, False),
        ("", {"me"}, False),
        (None, {"me"}, False),
        ("missing", {"me"}, False),
        ("me", None, False),
        (["me"], None, False),
        ("", None, True),
        ([], None, True),
        (None, None, True),
        ("missing", None, True),
    ],
)
def test_a_token_for_somebody_else_is_refused(aud, expected, good):
    read = claims() if aud == "missing" else claims(aud=aud)
    if good:
        check_audience(read, expected)
        return
    with pytest.raises(TokenInvalidAudienceError):
        check_audience(read, expected)


# Type, freshness, scopes


@pytest.mark.parametrize(
    ("expected", "error"), [("access", AccessTokenRequiredError), ("refresh", RefreshTokenRequiredError)]
)
def test_the_error_for_a_token_of_another_type_says_which_was_expected(expected, error):
    assert isinstance(wrong_type(expected), error)


@pytest.mark.parametrize("value", [False, None, 1, "true", "missing"])
def test_only_a_token_that_says_it_is_fresh_is_fresh(value):
    check_fresh(claims(fresh=True))
    with pytest.raises(FreshTokenRequiredError):
        check_fresh(claims() if value == "missing" else claims(fresh=value))


def test_scopes_have_to_cover_the_required_ones():
    check_scopes(claims(scopes=["a:*"]), ["a:b"], all_required=True)
    with pytest.raises(InsufficientScopeError) as refusal:
        check_scopes(claims(scopes=["a:*"]), ["a:b", "c"], all_required=True)
    assert (refusal.value.required, refusal.value.provided) == (["a:b", "c"], ["a:*"])


@pytest.mark.parametrize("scopes", [None, "missing", []])
def test_a_token_without_scopes_covers_no_required_one(scopes):
    with pytest.raises(InsufficientScopeError):
        check_scopes(claims() if scopes == "missing" else claims(scopes=scopes), ["a"], all_required=True)


@pytest.mark.parametrize(
    ("sub", "good"),
    [
        ("u", True),
        ("é" * 255, True),
        ("", False),
        ("x" * 256, False),
        ("a\0", False),
        ("\udc80", False),
        (1, False),
        (None, False),
    ],
    ids=ascii,
)
def test_a_subject_is_a_text_that_every_store_can_hold(sub, good):
    assert is_subject(sub) is good
