"""Payloads made of checked claims, without validation."""

from copy import deepcopy

from hypothesis import given
from hypothesis import strategies as st

from authx.core.claims import check_shape
from authx.core.ids import session_id
from authx.schema import TokenPayload
from authx.tokens.payload import make_payload, payload_parts
from authx.tokens.verifier import Verified

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
    made, validated = make_payload(*payload_parts(claims)), TokenPayload.model_validate(claims)
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
