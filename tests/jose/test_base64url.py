"""Base64url: one spelling for each byte string, and the decoder takes that one alone."""

import base64
import binascii
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authx.jose.base64url import decode, encode

ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def canonical_by_stdlib(text: bytes) -> bytes | None:
    """Say what a text decodes to if it is exactly what the standard library writes for those bytes."""
    try:
        data = base64.b64decode(text + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except binascii.Error:
        return None
    return data if base64.urlsafe_b64encode(data).rstrip(b"=") == text else None


def decoded_or_none(text: bytes) -> bytes | None:
    try:
        return decode(text)
    except ValueError:
        return None


@pytest.mark.parametrize("front", [b"", b"A", b"__", b"AAAA", b"AAAAA", b"-_-_-_"], ids=len)
def test_every_tail_of_two_characters_decodes_exactly_where_the_standard_library_writes_it(front):
    for pair in product(ALPHABET, repeat=2):
        text = front + bytes(pair)
        assert decoded_or_none(text) == canonical_by_stdlib(text), text


@pytest.mark.parametrize("place", range(4))
@pytest.mark.parametrize("length", range(1, 5))
def test_no_byte_beyond_the_alphabet_is_accepted_at_any_place(place, length):
    if place >= length:
        place = length - 1
    for byte in range(256):
        if byte not in ALPHABET:
            text = bytearray(b"A" * length)
            text[place] = byte
            assert decoded_or_none(bytes(text)) is None, bytes(text)


@given(st.binary(max_size=200))
def test_what_is_encoded_decodes_to_itself(data):
    assert decode(encode(data)) == data
    assert encode(data) == base64.urlsafe_b64encode(data).rstrip(b"=")


@given(st.binary(max_size=40) | st.text(alphabet=ALPHABET.decode() + "=+/ \n", max_size=40).map(str.encode))
def test_any_text_decodes_exactly_where_it_is_the_canonical_spelling(text):
    assert decoded_or_none(text) == canonical_by_stdlib(text)


@given(st.binary(min_size=1, max_size=60), st.data())
def test_no_two_texts_decode_to_the_same_bytes(data, draw):
    text = encode(data)
    place = draw.draw(st.integers(0, len(text)))
    junk = draw.draw(st.sampled_from([b"=", b"\n", b" ", b"\r\n", b"\0", b"\xc2\xa0", b"==="]))
    assert decoded_or_none(text[:place] + junk + text[place:]) is None


def test_no_text_is_no_bytes():
    assert (encode(b""), decode(b"")) == (b"", b"")


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(b"A", id="one character alone"),
        pytest.param(b"AAAAA", id="one character over"),
        pytest.param(b"AA==", id="padding"),
        pytest.param(b"AAA=", id="one padding character"),
        pytest.param(b"AAAA====", id="a group of padding"),
        pytest.param(b"====", id="nothing but padding"),
        pytest.param(b"+/AA", id="the standard alphabet"),
        pytest.param(b"AAAA\n", id="a newline at the end"),
        pytest.param(b"AA AA", id="a space inside"),
        pytest.param(b"AAA\0", id="NUL"),
        pytest.param("AAé".encode(), id="UTF-8"),
        pytest.param(b"AB", id="spare bits in two characters"),
        pytest.param(b"AAB", id="spare bits in three characters"),
    ],
)
def test_any_other_spelling_is_refused(text):
    with pytest.raises(ValueError):
        decode(text)
