"""Surface: the claims that tokens carry on the wire."""

import hashlib
import time
import uuid
from base64 import urlsafe_b64encode

import pytest
from tests.support.tokens import claims_of, header_of

from authx import AuthX, RequestToken

COOKIES = {"JWT_TOKEN_LOCATION": ["headers", "cookies"]}


def issue(auth, which, **arguments):
    return getattr(auth, f"create_{which}_token")(uid="alice", **arguments)


@pytest.mark.parametrize("which", ["access", "refresh"])
def test_the_header_names_algorithm_and_type(make_auth, which):
    header = header_of(issue(make_auth(), which))
    assert (header["alg"], header["typ"]) == ("HS256", "JWT")


@pytest.mark.parametrize("which", ["access", "refresh"])
def test_the_header_takes_what_the_caller_adds(make_auth, which):
    assert header_of(issue(make_auth(), which, headers={"x": "y"}))["x"] == "y"


def test_an_access_token_has_its_claims(make_auth):
    assert set(claims_of(issue(make_auth(), "access"))) == {
        *("sub", "jti", "type", "fresh", "csrf", "iat", "exp", "nbf", "sid"),
    }


def test_a_refresh_token_has_its_claims(make_auth):
    assert set(claims_of(issue(make_auth(), "refresh"))) == {
        *("sub", "jti", "type", "csrf", "iat", "exp", "nbf", "sid", "gen"),
    }


@pytest.mark.parametrize("which", ["access", "refresh"])
def test_a_token_says_whose_and_of_which_type_it_is(make_auth, which):
    claims = claims_of(issue(make_auth(), which))
    assert (claims["sub"], claims["type"]) == ("alice", which)


@pytest.mark.parametrize("fresh", [True, False])
def test_an_access_token_says_whether_it_is_fresh(make_auth, fresh):
    assert claims_of(issue(make_auth(), "access", fresh=fresh))["fresh"] is fresh


@pytest.mark.parametrize("which", ["access", "refresh"])
@pytest.mark.parametrize("claim", ["iat", "exp", "nbf"])
def test_times_are_whole_seconds(make_auth, which, claim):
    assert type(claims_of(issue(make_auth(), which))[claim]) is int


@pytest.mark.parametrize("moment", [1_800_000_000.0, 1_800_000_000.25])
def test_issue_is_rounded_down_and_expiry_counts_from_it(configure, moment):
    config = configure(JWT_ACCESS_TOKEN_EXPIRES=60)
    claims = claims_of(issue(AuthX(config=config, clock=lambda: moment), "access"))
    assert claims["iat"] == 1_800_000_000
    assert claims["exp"] == 1_800_000_060


@pytest.mark.parametrize("which", ["access", "refresh"])
def test_a_token_is_valid_from_its_issue(make_auth, which):
    claims = claims_of(issue(make_auth(), which))
    assert claims["nbf"] == claims["iat"]


@pytest.mark.parametrize("which", ["access", "refresh"])
def test_not_before_can_be_left_out(make_auth, which):
    assert "nbf" not in claims_of(issue(make_auth(JWT_ENCODE_NBF=False), which))


@pytest.mark.parametrize("which", ["access", "refresh"])
def test_every_token_has_an_id_of_its_own(make_auth, which):
    auth = make_auth()
    ids = {claims_of(issue(auth, which))["jti"] for _ in range(20)}
    assert len(ids) == 20
    assert all(isinstance(jti, str) and jti for jti in ids)


@pytest.mark.parametrize("which", ["access", "refresh"])
def test_the_session_id_is_a_uuid_that_carries_the_time(make_auth, which):
    session = uuid.UUID(claims_of(issue(make_auth(), which))["sid"])
    assert session.version == 7
    assert (session.int >> 80) / 1000 == pytest.approx(time.time(), abs=5)


@pytest.mark.parametrize("which", ["access", "refresh"])
def test_the_session_id_ends_with_a_hash_of_the_subject(make_auth, which):
    session = claims_of(issue(make_auth(), which))["sid"]
    assert session[-4:] == hashlib.sha256(b"alice").hexdigest()[:4]


def test_two_tokens_made_apart_are_two_sessions(make_auth):
    auth = make_auth()
    assert claims_of(issue(auth, "access"))["sid"] != claims_of(issue(auth, "refresh"))["sid"]


def test_the_tokens_of_a_pair_are_one_session(make_auth):
    pair = make_auth().create_token_pair(uid="alice")
    assert claims_of(pair.access_token)["sid"] == claims_of(pair.refresh_token)["sid"]


def test_an_access_token_can_be_tied_to_a_session(make_auth):
    auth = make_auth()
    session = claims_of(issue(auth, "refresh"))["sid"]
    assert claims_of(issue(auth, "access", sid=session))["sid"] == session


@pytest.mark.parametrize("session", ["", "x", "0", str(uuid.UUID(int=0))])
def test_a_session_id_of_another_form_is_an_error(make_auth, session):
    with pytest.raises(ValueError):
        issue(make_auth(), "access", sid=session)


def test_a_session_id_of_another_subject_is_an_error(make_auth):
    auth = make_auth()
    session = claims_of(auth.create_refresh_token(uid="bob"))["sid"]
    with pytest.raises(ValueError):
        issue(auth, "access", sid=session)


def test_a_refresh_token_made_alone_has_generation_zero(make_auth):
    assert claims_of(issue(make_auth(), "refresh"))["gen"] == 0


@pytest.mark.parametrize("which", ["access", "refresh"])
@pytest.mark.parametrize(
    ("fields", "empty"),
    [({}, True), (COOKIES, False), (COOKIES | {"JWT_COOKIE_CSRF_PROTECT": False}, True)],
    ids=["headers only", "cookies", "protection off"],
)
def test_the_csrf_claim_has_a_value_where_cookies_are_protected(make_auth, which, fields, empty):
    csrf = claims_of(issue(make_auth(**fields), which))["csrf"]
    assert isinstance(csrf, str)
    assert (csrf == "") is empty


def test_the_csrf_values_of_a_pair_differ(make_auth):
    pair = make_auth(**COOKIES).create_token_pair(uid="alice")
    assert claims_of(pair.access_token)["csrf"] != claims_of(pair.refresh_token)["csrf"]


def test_the_csrf_value_for_access_follows_from_the_one_of_the_session(make_auth):
    pair = make_auth(**COOKIES).create_token_pair(uid="alice")
    secret = claims_of(pair.refresh_token)["csrf"]
    digest = hashlib.sha256(f"{secret}:access".encode()).digest()
    assert claims_of(pair.access_token)["csrf"].rstrip("=") == urlsafe_b64encode(digest).decode().rstrip("=")


@pytest.mark.parametrize("which", ["access", "refresh"])
@pytest.mark.parametrize(
    ("fields", "claim", "written"),
    [
        ({"JWT_ENCODE_AUDIENCE": "mine"}, "aud", "mine"),
        ({"JWT_ENCODE_AUDIENCE": ["a", "b"]}, "aud", ["a", "b"]),
        ({"JWT_ENCODE_ISSUER": "me"}, "iss", "me"),
        ({"JWT_IDENTITY_CLAIM": "user_id"}, "user_id", "alice"),
        ({"JWT_IDENTITY_CLAIM": "user_id"}, "sub", "alice"),
    ],
)
def test_a_configured_claim_is_written(make_auth, which, fields, claim, written):
    assert claims_of(issue(make_auth(**fields), which))[claim] == written


@pytest.mark.parametrize("which", ["access", "refresh"])
def test_the_login_type_of_the_object_is_written(configure, which):
    assert claims_of(issue(AuthX(configure(), login_type="admin"), which))["login_type"] == "admin"


@pytest.mark.parametrize("which", ["access", "refresh"])
def test_data_is_written_beside_the_other_claims(make_auth, which):
    assert claims_of(issue(make_auth(), which, data={"role": "admin"}))["role"] == "admin"


@pytest.mark.parametrize("which", ["access", "refresh"])
def test_what_is_written_is_read_again(make_auth, which):
    auth = make_auth()
    token = issue(auth, which, data={"role": "admin"}, scopes=["read"])
    payload = auth.verify_token(RequestToken(token=token, type=which, location="headers"))
    claims = claims_of(token)
    assert (payload.jti, payload.sid, payload.scopes, payload.iat, payload.extra_dict) == (
        claims["jti"],
        claims["sid"],
        ["read"],
        claims["iat"],
        {"role": "admin"},
    )
