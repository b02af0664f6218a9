"""Keys: one algorithm each, parsed once, strict about what fits, silent about what they hold."""

import hashlib
import hmac
import json

import joserfc.jwk
import joserfc.jwt
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from hypothesis import assume, given
from hypothesis import strategies as st
from tests.support.keys import flip, private, private_pem, public_pem

from authx.exceptions import BadConfigurationError, JWTDecodeError, TokenInvalidSignatureError
from authx.jose import base64url, jws
from authx.jose.asymmetric_key import AsymmetricKey
from authx.jose.key import _MAX_REMEMBERED_HEADERS, KeyRing, SecretKey, key_from_secret

SECRET = "a secret of at least sixty-four bytes, for it also signs with HS512 !"
MESSAGE = b"header.payload"
CLAIMS = {"sub": "u", "n": 1}
HMACS = {"HS256": hashlib.sha256, "HS384": hashlib.sha384, "HS512": hashlib.sha512}


# Secrets


@pytest.mark.parametrize("algorithm", HMACS)
def test_a_secret_of_any_length_signs_with_the_hmac_of_its_algorithm(algorithm):
    secret = bytes(range(1, 256)) * 4
    for length in (1, 15, 32, 63, 64, 65, 127, 128, 129, 1000):
        expected = hmac.digest(secret[:length], MESSAGE, HMACS[algorithm])
        key = key_from_secret(secret[:length], algorithm)
        assert base64url.decode(key.sign(MESSAGE)) == expected
        assert key.verify(MESSAGE, base64url.encode(expected))


@given(st.binary(min_size=1, max_size=200), st.binary(max_size=300), st.sampled_from(sorted(HMACS)))
def test_any_secret_gives_the_standard_librarys_hmac(secret, message, algorithm):
    assume(b"-----BEGIN " not in secret)
    made = key_from_secret(b"\0" + secret, algorithm).sign(message)
    assert base64url.decode(made) == hmac.digest(b"\0" + secret, message, HMACS[algorithm])


def test_a_secret_of_text_is_its_utf_8():
    assert key_from_secret("schlüssel", "HS256").sign(MESSAGE) == key_from_secret("schlüssel".encode(), "HS256").sign(
        MESSAGE
    )


def test_using_a_key_does_not_change_it():
    key = key_from_secret(SECRET, "HS256")
    first = key.sign(MESSAGE)
    key.sign(b"something else")
    assert key.sign(MESSAGE) == first


@pytest.mark.parametrize("algorithm", HMACS)
def test_pyjwt_and_joserfc_verify_what_a_secret_signs(algorithm):
    token = jws.encode(CLAIMS, key_from_secret(SECRET, algorithm))
    assert jwt.decode(token, SECRET, algorithms=[algorithm]) == CLAIMS
    assert joserfc.jwt.decode(token, joserfc.jwk.OctKey.import_key(SECRET), algorithms=[algorithm]).claims == CLAIMS


@pytest.mark.parametrize("algorithm", HMACS)
def test_a_secret_verifies_no_other_signature(algorithm):
    key = key_from_secret(SECRET, algorithm)
    good = key.sign(MESSAGE)
    wrong = [b"", b"A", good[:-1], good + b"A", good + b"=", good.swapcase(), b"\xff" * len(good), b"A" * len(good)]
    wrong += [flip(good, bit) for bit in range(len(base64url.decode(good)) * 8)]
    assert not [signature for signature in wrong if key.verify(MESSAGE, signature)]


@pytest.mark.parametrize("secret", ["", b""])
def test_an_empty_secret_is_refused(secret):
    with pytest.raises(BadConfigurationError):
        key_from_secret(secret, "HS256")


@pytest.mark.parametrize("kind", ["RSA", "P-256", "Ed25519"])
def test_a_pem_key_is_no_secret(kind):
    for pem in (public_pem(private(kind)), private_pem(private(kind)), " \n" + public_pem(private(kind))):
        for secret in (pem, pem.encode()):
            with pytest.raises(BadConfigurationError, match="PEM or SSH key"):
                key_from_secret(secret, "HS256")


@pytest.mark.parametrize("kind", ["RSA", "P-256", "P-384", "P-521", "Ed25519"])
def test_an_ssh_public_key_is_no_secret(kind):
    line = private(kind).public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    with pytest.raises(BadConfigurationError):
        key_from_secret(line, "HS256")


@pytest.mark.parametrize("algorithm", ["none", "NONE", "", "hs256", "RS256", "EdDSA", "HS1"])
def test_a_secret_is_for_no_other_algorithm(algorithm):
    with pytest.raises(BadConfigurationError):
        key_from_secret(SECRET, algorithm)


def test_a_lone_surrogate_in_a_secret_is_some_secret_and_no_crash():
    key = key_from_secret("\ud800", "HS256")
    assert key.verify(MESSAGE, key.sign(MESSAGE))


def test_the_repr_of_a_secret_does_not_show_it():
    ring = KeyRing(key_from_secret(SECRET, "HS256", "k"), [key_from_secret(SECRET, "HS512")])
    assert "secret of" not in repr(ring)
    assert repr(ring.signer) == "SecretKey(algorithm='HS256', kid='k')"


def test_a_secret_key_keeps_no_copy_of_its_secret():
    key = key_from_secret(SECRET, "HS256")
    held = [getattr(key, name) for name in SecretKey.__slots__]
    assert not [value for value in held if value in (SECRET, SECRET.encode())]


# Rings


class Counting:
    """A key that counts how often it is asked."""

    def __init__(self, key):
        self._key = key
        self.algorithm, self.kid, self.can_sign, self.header = key.algorithm, key.kid, key.can_sign, key.header
        self.asked = 0

    def sign(self, signing_input):
        return self._key.sign(signing_input)

    def verify(self, signing_input, signature):
        self.asked += 1
        return self._key.verify(signing_input, signature)


def secret_key(name, kid=None, algorithm="HS256"):
    return Counting(key_from_secret(f"{name} {SECRET}", algorithm, kid))


def test_a_former_key_still_verifies():
    new, old = secret_key("new"), secret_key("old")
    ring = KeyRing(new, [new, old])
    assert jws.decode(jws.encode(CLAIMS, old).encode(), ring) == CLAIMS
    assert jws.decode(jws.encode(CLAIMS, new).encode(), ring) == CLAIMS


def test_a_key_that_is_not_in_the_ring_does_not_verify():
    ring = KeyRing(None, [secret_key("ours")])
    with pytest.raises(TokenInvalidSignatureError):
        jws.decode(jws.encode(CLAIMS, secret_key("theirs")).encode(), ring)


def test_a_named_key_is_the_only_one_tried():
    a, b = secret_key("a", "a"), secret_key("b", "b")
    ring = KeyRing(a, [a, b])
    assert jws.decode(jws.encode(CLAIMS, b).encode(), ring) == CLAIMS
    assert (a.asked, b.asked) == (0, 1)


def test_a_name_of_one_key_does_not_let_another_verify():
    a, b = secret_key("a", "a"), secret_key("b", "b")
    forged = jws.encode(CLAIMS, b, {"kid": "a"})
    with pytest.raises(TokenInvalidSignatureError):
        jws.decode(forged.encode(), KeyRing(a, [a, b]))


def test_an_unknown_name_lets_all_keys_of_the_algorithm_be_tried():
    a, b, other = secret_key("a", "a"), secret_key("b", "b"), secret_key("c", "c", "HS384")
    token = jws.encode(CLAIMS, b, {"kid": "set-by-the-application"})
    assert jws.decode(token.encode(), KeyRing(a, [a, other, b])) == CLAIMS
    assert (a.asked, b.asked, other.asked) == (1, 1, 0)


def test_a_key_of_another_algorithm_is_never_asked():
    strong = secret_key("x", algorithm="HS512")
    ring = KeyRing(None, [strong])
    with pytest.raises(JWTDecodeError):
        jws.decode(jws.encode(CLAIMS, secret_key("x")).encode(), ring)
    assert strong.asked == 0


def test_a_signature_of_another_length_never_reaches_the_arithmetic(monkeypatch):
    key = AsymmetricKey(private("RSA"), "RS256")
    reached = []
    monkeypatch.setattr(key, "_verify", lambda *arguments: reached.append(arguments))
    size = len(key.sign(MESSAGE))
    for length in (0, 1, 43, size - 1, size + 1, 2 * size):
        assert not key.verify(MESSAGE, b"A" * length)
    assert reached == []


def test_the_two_headers_of_each_key_are_known_from_the_start():
    ring = KeyRing(None, [secret_key("a", "a"), secret_key("b", algorithm="HS384")])
    heads = [json.loads(base64url.decode(header)) for header in ring.by_header]
    assert sorted(heads, key=str) == sorted(
        [
            {"alg": "HS256", "typ": "JWT", "kid": "a"},
            {"alg": "HS256", "typ": "JWT"},
            {"alg": "HS384", "typ": "JWT"},
        ],
        key=str,
    )


def test_a_header_is_remembered_after_a_good_signature():
    key = secret_key("a")
    ring = KeyRing(key, [key])
    token = jws.encode(CLAIMS, key, {"kid": "other"}).encode()
    header = token.partition(b".")[0]
    assert header not in ring.by_header
    jws.decode(token, ring)
    assert ring.by_header[header] == (key,)


def test_a_header_is_not_remembered_after_a_bad_signature():
    ours, theirs = secret_key("ours"), secret_key("theirs")
    ring = KeyRing(ours, [ours])
    before = dict(ring.by_header)
    for number in range(1000):
        with pytest.raises(TokenInvalidSignatureError):
            jws.decode(jws.encode(CLAIMS, theirs, {"kid": f"k{number}"}).encode(), ring)
    assert ring.by_header == before


def test_the_number_of_remembered_headers_is_bounded_and_the_rest_still_verifies():
    key = secret_key("a")
    ring = KeyRing(key, [key])
    for number in range(_MAX_REMEMBERED_HEADERS + 50):
        assert jws.decode(jws.encode(CLAIMS, key, {"kid": f"k{number}"}).encode(), ring) == CLAIMS
    assert len(ring.by_header) == _MAX_REMEMBERED_HEADERS


def test_a_remembered_header_does_not_excuse_a_bad_signature():
    key = secret_key("a")
    ring = KeyRing(key, [key])
    token = jws.encode(CLAIMS, key).encode()
    jws.decode(token, ring)
    with pytest.raises(TokenInvalidSignatureError):
        jws.decode(flip_last(token), ring)


def flip_last(token: bytes) -> bytes:
    head, _, signature = token.rpartition(b".")
    return head + b"." + flip(signature, 0)
