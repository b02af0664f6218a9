"""What the verifier checks besides the signature, at its boundaries, what it remembers, and the payloads it makes."""

from copy import deepcopy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authx.core.claims import check_shape
from authx.core.ids import session_id
from authx.exceptions import JWTDecodeError, LoginTypeMismatchError, TokenExpiredError
from authx.jose import jws
from authx.jose.key import KeyRing, key_from_secret
from authx.schema import TokenPayload
from authx.tokens.verifier import Verified, Verifier

NOW = 1_800_000_000.0
KEY = key_from_secret(b"a secret of at least thirty-two bytes", "HS256")
DAY = 24 * 3600


def token(**changes) -> bytes:
    claims = {"sub": "u", "jti": "j", "type": "access", "iat": int(NOW), "exp": int(NOW) + 60, **changes}
    return jws.encode({name: value for name, value in claims.items() if value is not ...}, KEY).encode()


def verifier(**settings) -> Verifier:
    return Verifier(KeyRing(KEY, [KEY]), **settings)


def sid(age: float) -> str:
    return session_id("u", int((NOW - age) * 1000), bytes(8))


@pytest.mark.parametrize("remember", [0, 8])
@pytest.mark.parametrize("leeway", [0, 20])
def test_a_token_is_good_strictly_before_its_exp_and_the_leeway(remember, leeway):
    checks = verifier(leeway=leeway, remember=remember)
    made = token(exp=int(NOW) + 60)
    for _ in range(2):
        assert checks.verify(made, NOW + 59.9 + leeway)
        with pytest.raises(TokenExpiredError):
            checks.verify(made, NOW + 60 + leeway)


@pytest.mark.parametrize("remember", [0, 8])
@pytest.mark.parametrize("early", [{"iat": int(NOW) + 30}, {"nbf": int(NOW) + 30}])
@pytest.mark.parametrize(("leeway", "skew"), [(0, 10), (20, 20)])
def test_a_token_is_good_from_its_iat_and_nbf_on_with_some_seconds_between_clocks(early, leeway, skew, remember):
    checks = verifier(leeway=leeway, remember=remember)
    made = token(**early)
    for _ in range(2):
        with pytest.raises(JWTDecodeError, match=r"iat|nbf"):
            checks.verify(made, NOW + 30 - skew - 0.1)
        assert checks.verify(made, NOW + 30 - skew)


def test_only_the_types_that_may_lack_an_exp_do():
    checks = verifier(may_lack_exp=["refresh"])
    assert checks.verify(token(exp=..., type="refresh"), NOW + 10 * 365 * DAY)
    with pytest.raises(JWTDecodeError, match="exp is missing"):
        checks.verify(token(exp=...), NOW)


@pytest.mark.parametrize("remember", [0, 8])
def test_an_access_token_ends_with_its_session_whatever_its_exp_says(remember):
    checks = verifier(max_age=DAY, leeway=20, remember=remember)
    made = token(sid=sid(DAY - 5), exp=int(NOW) + 60)
    for _ in range(2):
        assert checks.verify(made, NOW + 24.9)
        with pytest.raises(TokenExpiredError, match="Session has expired"):
            checks.verify(made, NOW + 25.1)


def test_the_age_of_a_refresh_tokens_session_is_not_checked_here():
    assert verifier(max_age=DAY).verify(token(sid=sid(2 * DAY), type="refresh"), NOW)


@pytest.mark.parametrize(
    ("settings", "given", "good"),
    [
        ({"login_type": "admin"}, "admin", True),
        ({"login_type": "admin"}, "user", False),
        ({"login_type": "admin"}, ..., False),
        ({"checks_login_type": True}, ..., True),
        ({"checks_login_type": True}, "user", False),
        ({}, "user", True),
    ],
)
def test_a_login_type_is_compared_where_the_instance_has_one_or_a_store(settings, given, good):
    checks, made = verifier(**settings), token(login_type=given)
    if good:
        assert checks.verify(made, NOW)
        assert checks.read(made)
    else:
        with pytest.raises(LoginTypeMismatchError):
            checks.verify(made, NOW)
        with pytest.raises(JWTDecodeError):
            checks.read(made)


def test_a_token_of_any_age_can_be_read():
    claims = verifier(max_age=1).read(token(exp=1, iat=int(NOW) + DAY, sid=sid(2 * DAY)))
    assert claims["sub"] == "u"


def test_a_remembered_token_is_not_verified_again_while_it_is_good():
    checks, made = verifier(remember=2), token()
    verified = checks.verify(made, NOW)
    assert checks.verify(made, NOW) is verified
    for now in (NOW + 60, NOW - 11):
        with pytest.raises(JWTDecodeError):
            checks.verify(made, now)
    assert checks.verify(made, NOW) is verified


def test_the_oldest_token_makes_room_for_the_newest():
    checks = verifier(remember=2)
    made = [token(jti=str(number)) for number in range(3)]
    first = [checks.verify(one, NOW) for one in made]
    # The newest first: looking at the oldest makes room again.
    again = [checks.verify(one, NOW) for one in reversed(made)]
    assert [one is other for one, other in zip(first, reversed(again), strict=True)] == [False, True, True]


def test_nothing_is_remembered_where_the_memory_is_off_or_the_token_is_bad():
    checks = verifier(remember=0)
    assert checks.verify(token(), NOW) is not checks.verify(token(), NOW)
    checks = verifier(remember=1)
    good = checks.verify(token(), NOW)
    with pytest.raises(TokenExpiredError):
        checks.verify(token(exp=int(NOW)), NOW)
    assert checks.verify(token(), NOW) is good


# Payloads, made of checked claims without validation

TEXTS = st.text(max_size=8)
SUBJECTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=8)
# Pydantic takes greater numbers for milliseconds.
DATES = st.integers(0, 20_000_000_000) | st.floats(0, 20_000_000_000)
JSON = st.recursive(st.none() | st.booleans() | st.integers() | TEXTS, lambda inner: st.lists(inner, max_size=3))
LISTS = st.lists(TEXTS, max_size=3)
CLAIMS = st.fixed_dictionaries(
    {"sub": SUBJECTS, "jti": st.text(min_size=1, max_size=8), "iat": DATES},
    optional={
        "exp": DATES,
        "nbf": DATES,
        "type": st.none() | TEXTS,
        "fresh": st.booleans(),
        "csrf": st.none() | TEXTS,
        "scopes": st.none() | LISTS,
        "scope": JSON,
        "iss": TEXTS,
        "aud": TEXTS | LISTS,
        "login_type": st.none() | TEXTS,
        "gen": st.integers(0, 9),
        "role": JSON,
        "team": JSON,
    },
)
EVERYTHING = {
    "sub": "alice",
    "jti": "j",
    "iat": 1,
    "exp": 2.5,
    "sid": session_id("alice", 1, bytes(8)),
    "scopes": ["read"],
    "aud": ["us"],
    "team": {"members": ["alice"]},
}


@given(CLAIMS)
def test_a_payload_is_the_one_that_validation_makes(claims):
    check_shape(claims)
    made, validated = Verified(claims, 0, 0).payload(), TokenPayload.model_validate(claims)
    assert made == validated
    assert made.model_fields_set == validated.model_fields_set
    assert made.extra_dict == validated.extra_dict
    assert made.model_dump_json() == validated.model_dump_json()


def test_what_is_done_to_a_payload_changes_no_other_one_and_no_claim():
    claims = deepcopy(EVERYTHING)
    verified = Verified(claims, 2.5, 0.0)
    for _ in range(4):
        payload = verified.payload()
        assert payload == TokenPayload.model_validate(EVERYTHING)
        assert payload.model_fields_set == set(EVERYTHING)
        payload.sub = "mallory"
        payload.scopes.append("admin")
        payload.aud.append("them")
        payload.team["members"].append("mallory")
        payload.gen = 9
        assert claims == EVERYTHING
