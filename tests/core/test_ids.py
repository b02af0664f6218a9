"""Identifiers: their form, the time in them, and what they can be derived from."""

import hashlib
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authx.core.ids import is_session_id_of, refresh_jti, session_created_at, session_id, subject_hash, uuid4

MOMENTS = st.integers(0, 2**48 - 1)
SUBJECTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=255)


@given(st.binary(min_size=16, max_size=16))
def test_a_random_id_is_a_version_4_uuid_of_these_bytes(randomness):
    text = uuid4(randomness)
    assert text == str(uuid.UUID(bytes=randomness, version=4))


@given(SUBJECTS, MOMENTS, st.binary(min_size=8, max_size=16))
def test_a_session_id_has_the_form_of_rfc_9562_section_5_7(sub, created_ms, randomness):
    sid = session_id(sub, created_ms, randomness)
    parsed = uuid.UUID(sid)
    assert str(parsed) == sid
    assert parsed.version == 7
    assert parsed.variant == uuid.RFC_4122
    assert parsed.int >> 80 == created_ms


@given(SUBJECTS, MOMENTS, st.binary(min_size=8, max_size=8))
def test_a_session_id_tells_when_it_was_made(sub, created_ms, randomness):
    assert session_created_at(session_id(sub, created_ms, randomness)) == created_ms


@given(st.lists(MOMENTS, min_size=2, max_size=8, unique=True), st.data())
def test_session_ids_sort_by_age_whatever_their_subjects(moments, draw):
    made = [session_id(draw.draw(SUBJECTS), moment, draw.draw(st.binary(min_size=8, max_size=8))) for moment in moments]
    assert [session_created_at(sid) for sid in sorted(made)] == sorted(moments)


@given(SUBJECTS)
def test_a_subjects_hash_is_the_first_16_bits_of_its_sha_256(sub):
    assert subject_hash(sub) == hashlib.sha256(sub.encode()).hexdigest()[:4]


@given(SUBJECTS, MOMENTS, st.binary(min_size=8, max_size=8))
def test_a_session_id_ends_in_its_subjects_hash_and_is_recognised_as_its(sub, created_ms, randomness):
    sid = session_id(sub, created_ms, randomness)
    assert sid[-4:] == subject_hash(sub)
    assert is_session_id_of(sid, sub)


def test_every_random_bit_reaches_the_session_id():
    base = session_id("u", 0, bytes(8))
    changed = {session_id("u", 0, (1 << bit).to_bytes(8)) for bit in range(64)} - {base}
    # 58 of the 64 bits fit: 12 after the version, 2 after the variant's two and 44 more.
    assert len(changed) == 58


@pytest.mark.parametrize(
    "sid",
    [
        pytest.param(None, id="none"),
        pytest.param(7, id="a number"),
        pytest.param([], id="a list"),
        pytest.param("", id="empty"),
        pytest.param(b"0196a8c0-0000-7000-8000-0000000020bfe", id="bytes"),
        pytest.param(str(uuid.UUID(int=0)), id="the nil UUID"),
        pytest.param(session_id("u", 1, bytes(8))[:14] + "4" + session_id("u", 1, bytes(8))[15:], id="version 4"),
        pytest.param(session_id("u", 1, bytes(8)).upper(), id="upper case"),
        pytest.param(session_id("u", 1, bytes(8)).replace("-", ""), id="without dashes"),
        pytest.param("{" + session_id("u", 1, bytes(8)) + "}", id="in braces"),
        pytest.param(session_id("u", 1, bytes(8)) + "\n", id="a newline behind"),
        pytest.param("\u0660" + session_id("u", 1, bytes(8))[1:], id="a digit of another script"),
        pytest.param(session_id("u", 1, bytes(8))[:19] + "c" + session_id("u", 1, bytes(8))[20:], id="other variant"),
    ],
)
def test_what_is_not_of_the_form_is_nobodys_session_id(sid):
    assert not is_session_id_of(sid, "u")


def test_another_subjects_session_id_is_not_recognised():
    assert not is_session_id_of(session_id("alice", 1, bytes(8)), "eve")


def test_a_refresh_tokens_id_depends_on_session_and_generation_alone():
    sid = session_id("u", 1, bytes(8))
    assert refresh_jti(sid, 3) == refresh_jti(sid, 3)
    assert len({refresh_jti(sid, generation) for generation in range(1000)}) == 1000
    assert refresh_jti(sid, 3) != refresh_jti(session_id("u", 2, bytes(8)), 3)


@given(MOMENTS, st.integers(0, 2**31 - 1))
def test_a_refresh_tokens_id_is_a_version_8_uuid(created_ms, generation):
    jti = refresh_jti(session_id("u", created_ms, bytes(8)), generation)
    parsed = uuid.UUID(jti)
    assert str(parsed) == jti
    assert parsed.version == 8
    assert parsed.variant == uuid.RFC_4122


def test_a_refresh_tokens_id_is_the_hash_that_rows_and_tokens_agree_on():
    sid = "00000000-0001-7000-8000-00000000" + subject_hash("u")
    bits = int.from_bytes(hashlib.sha256(f"{sid}:5".encode()).digest()[:16])
    version_and_variant = (0xF << 76, 0x8 << 76, 0x3 << 62, 0x2 << 62)
    bits = bits & ~version_and_variant[0] | version_and_variant[1]
    bits = bits & ~version_and_variant[2] | version_and_variant[3]
    assert refresh_jti(sid, 5) == str(uuid.UUID(int=bits))
