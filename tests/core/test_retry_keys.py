"""The retry key: which header values are one, and what is kept of it."""

from hashlib import sha256

import pytest

from authx.core.retry_keys import retry_hash, usable_key

SID = "018c0000-0000-7000-8000-000000002bd8"
KEY = b"0123456789abcdef"


@pytest.mark.parametrize(
    "key",
    [KEY, b"k" * 128, b"!#$%&'()*+,-./:;<=>?@[]^_`{|}~", b"3fa85f64-5717-4562-b3fc-2c963f66afa6", b"'" * 16],
)
def test_a_key_has_16_to_128_visible_characters_and_may_be_quoted(key):
    assert usable_key([key]) == key
    assert usable_key([b'"%s"' % key]) == key
    assert usable_key([b" \t%s\t " % key]) == key


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b'""',
        KEY[:15],
        b'"%s"' % KEY[:15],
        b"k" * 129,
        KEY + b" " + KEY,
        KEY + b"\xe9",
        KEY + "é".encode(),
        KEY + b"\x00",
        KEY + b"\x7f",
        KEY + b"\n",
        KEY + b"\\",
        KEY[:8] + b'"' + KEY[8:],
        b'"' + KEY,
        KEY + b'"',
        b'""%s""' % KEY,
        b'"%s" x' % KEY,
        KEY + b", " + KEY,
    ],
)
def test_what_cannot_be_a_key_counts_as_none(value):
    assert usable_key([value]) is None
    assert usable_key([KEY, value]) is None


def test_a_header_that_is_sent_twice_counts_if_both_say_the_same():
    assert usable_key([]) is None
    assert usable_key([KEY, KEY]) == KEY
    assert usable_key([KEY, b'"%s"' % KEY]) == KEY
    assert usable_key([KEY, KEY + b"x"]) is None


def test_the_hash_is_the_one_that_is_documented():
    written = b"authx-retry\x00" + SID.encode() + b"\x0041\x00" + KEY
    assert retry_hash(SID, 41, KEY) == sha256(written).hexdigest()[:32]


def test_each_session_generation_and_key_has_another_hash():
    hashes = {
        retry_hash(sid, generation, key) for sid in (SID, "x") for generation in (0, 1) for key in (KEY, b"k" * 20)
    }
    assert len(hashes) == 8


def test_an_id_that_is_no_text_of_unicode_is_hashed_too():
    assert len(retry_hash("\ud800", 0, KEY)) == 32
