"""The codec: what one of our keys signed, exactly, and nothing a header may say changes that."""

import base64
import hashlib
import hmac
import json

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from authx.exceptions import BadConfigurationError, JWTDecodeError, TokenInvalidSignatureError
from authx.jose import jws
from authx.jose.asymmetric_key import AsymmetricKey
from authx.jose.key import KeyRing, key_from_secret

SECRET = b"a secret of at least sixty-four bytes, for it also signs with HS512 !"
CLAIMS = {"sub": "u", "n": 1}
KEY = key_from_secret(SECRET, "HS256")


def b64(raw: bytes) -> bytes:
    return base64.urlsafe_b64encode(raw).rstrip(b"=")


def seal(header: bytes, payload: bytes, secret: bytes = SECRET) -> bytes:
    """Sign any two byte strings as header and payload, with nothing of the library."""
    signing_input = b64(header) + b"." + b64(payload)
    return signing_input + b"." + b64(hmac.digest(secret, signing_input, hashlib.sha256))


def ring() -> KeyRing:
    return KeyRing(KEY, [KEY])


def test_what_is_signed_is_read_back_equal():
    claims = {"sub": "é", "n": 2**70, "f": 0.5, "x": None, "deep": {"a": [True, "\U0001f600"]}}
    assert jws.decode(jws.encode(claims, KEY).encode(), ring()) == claims


def test_each_reading_gives_a_dictionary_of_its_own():
    keys, token = ring(), jws.encode({"a": []}, KEY).encode()
    jws.decode(token, keys)["a"].append(1)
    assert jws.decode(token, keys) == {"a": []}


def test_a_token_is_three_segments_of_header_claims_and_signature():
    header, payload, signature = jws.encode(CLAIMS, KEY).split(".")
    assert json.loads(base64.urlsafe_b64decode(header + "==")) == {"alg": "HS256", "typ": "JWT"}
    assert json.loads(base64.urlsafe_b64decode(payload + "==")) == CLAIMS
    assert len(signature) == 43


@pytest.mark.parametrize(
    "header",
    [
        {"alg": "HS256"},
        {"alg": "HS256", "typ": "JWT"},
        {"alg": "HS256", "typ": "jwt"},
        {"alg": "HS256", "typ": "at+jwt"},
        {"alg": "HS256", "typ": "AT+JWT"},
        {"alg": "HS256", "typ": "application/at+jwt"},
        {"alg": "HS256", "typ": "application/jwt"},
        {"alg": "HS256", "kid": "a"},
        {"alg": "HS256", "kid": "A-z_0.9~:@+="},
        {"alg": "HS256", "kid": "k" * 128},
        {"alg": "HS256", "custom": {"a": [1]}},
    ],
    ids=json.dumps,
)
def test_a_header_that_asks_for_nothing_but_this_signature_is_accepted(header):
    assert jws.decode(seal(json.dumps(header).encode(), b'{"sub":"u"}'), ring()) == {"sub": "u"}


@pytest.mark.parametrize("space", [b" ", b"\n", b"\r\n\t "])
def test_white_space_is_no_matter_in_header_and_claims(space):
    token = seal(b'{"alg":' + space + b'"HS256"}' + space, space + b'{"sub":"u"}' + space)
    assert jws.decode(token, ring()) == {"sub": "u"}


REFUSED_HEADERS = {
    "no alg": b"{}",
    "alg null": b'{"alg":null}',
    "alg a number": b'{"alg":256}',
    "alg a list": b'{"alg":["HS256"]}',
    "alg an object": b'{"alg":{}}',
    "alg empty": b'{"alg":""}',
    "alg in lower case": b'{"alg":"hs256"}',
    "alg with a space": b'{"alg":"HS256 "}',
    "alg of another strength": b'{"alg":"HS512"}',
    "alg of another family": b'{"alg":"RS256"}',
    "alg none": b'{"alg":"none"}',
    "alg NoNe": b'{"alg":"NoNe"}',
    "alg twice, none first": b'{"alg":"none","alg":"HS256"}',
    "alg twice, none last": b'{"alg":"HS256","alg":"none"}',
    "alg twice, once escaped": b'{"alg":"none","\\u0061lg":"HS256"}',
    "kid twice": b'{"alg":"HS256","kid":"a","kid":"b"}',
    "crit": b'{"alg":"HS256","crit":["exp"],"exp":1}',
    "crit empty": b'{"alg":"HS256","crit":[]}',
    "crit null": b'{"alg":"HS256","crit":null}',
    "crit a text": b'{"alg":"HS256","crit":"exp"}',
    "b64 false": b'{"alg":"HS256","b64":false}',
    "b64 true": b'{"alg":"HS256","b64":true}',
    "b64 false and critical": b'{"alg":"HS256","b64":false,"crit":["b64"]}',
    "zip": b'{"alg":"HS256","zip":"DEF"}',
    "jku": b'{"alg":"HS256","jku":"http://127.0.0.1/keys"}',
    "jwk": b'{"alg":"HS256","jwk":{"kty":"oct","k":"AA"}}',
    "x5u": b'{"alg":"HS256","x5u":"http://127.0.0.1/cert"}',
    "x5c": b'{"alg":"HS256","x5c":["AA"]}',
    "x5t": b'{"alg":"HS256","x5t":"AA"}',
    "x5t#S256": b'{"alg":"HS256","x5t#S256":"AA"}',
    "typ null": b'{"alg":"HS256","typ":null}',
    "typ a number": b'{"alg":"HS256","typ":1}',
    "typ empty": b'{"alg":"HS256","typ":""}',
    "typ of a proof": b'{"alg":"HS256","typ":"dpop+jwt"}',
    "typ of an event": b'{"alg":"HS256","typ":"secevent+jwt"}',
    "typ with a space": b'{"alg":"HS256","typ":"at+jwt "}',
    "typ twice prefixed": b'{"alg":"HS256","typ":"application/application/jwt"}',
    "kid null": b'{"alg":"HS256","kid":null}',
    "kid a number": b'{"alg":"HS256","kid":1}',
    "kid a list": b'{"alg":"HS256","kid":["a"]}',
    "kid an object": b'{"alg":"HS256","kid":{}}',
    "kid empty": b'{"alg":"HS256","kid":""}',
    "kid a path": b'{"alg":"HS256","kid":"../../../../dev/null"}',
    "kid of SQL": b'{"alg":"HS256","kid":"\' OR \'1\'=\'1"}',
    "kid with NUL": b'{"alg":"HS256","kid":"a\\u0000"}',
    "kid with a newline": b'{"alg":"HS256","kid":"a\\n"}',
    "kid beyond ASCII": '{"alg":"HS256","kid":"é"}'.encode(),
    "kid with percent signs": b'{"alg":"HS256","kid":"%00"}',
    "kid of LDAP": b'{"alg":"HS256","kid":"*)(uid=*"}',
    "kid too long": b'{"alg":"HS256","kid":"' + b"k" * 129 + b'"}',
    "a list": b"[]",
    "a list around": b'[{"alg":"HS256"}]',
    "null": b"null",
    "a number": b"1",
    "a text": b'"HS256"',
    "nothing": b"",
    "a byte order mark": b'\xef\xbb\xbf{"alg":"HS256"}',
    "UTF-16": '{"alg":"HS256"}'.encode("utf-16"),
    "UTF-32": '{"alg":"HS256"}'.encode("utf-32"),
    "no UTF-8": b'{"alg":"HS256","x":"\xff"}',
    "trailing garbage": b'{"alg":"HS256"}x',
    "a trailing comma": b'{"alg":"HS256",}',
    "deeply nested": b'{"alg":"HS256","x":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
}


@pytest.mark.parametrize("header", REFUSED_HEADERS.values(), ids=REFUSED_HEADERS)
def test_any_other_header_is_refused_although_the_signature_is_good(header):
    keys = ring()
    before = dict(keys.by_header)
    with pytest.raises(JWTDecodeError) as refusal:
        jws.decode(seal(header, b'{"sub":"u"}'), keys)
    assert type(refusal.value) is JWTDecodeError
    assert keys.by_header == before


def test_no_refusal_of_a_header_quotes_it():
    for header in (b'{"alg":"secret-alg"}', b'{"alg":"HS256","kid":"secret kid"}', b'{"alg":"HS256","typ":"secret"}'):
        with pytest.raises(JWTDecodeError) as refusal:
            jws.decode(seal(header, b"{}"), ring())
        assert "secret" not in str(refusal.value)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"[]",
        b"null",
        b"true",
        b"1",
        b'"text"',
        b'{"a":1,"a":1}',
        b'{"a":{"b":1,"b":2}}',
        b'{"a":NaN}',
        b'{"a":1e400}',
        b'{"a":"\\ud800"}',
        b'{"a":"\xed\xa0\x80"}',
        b'\xef\xbb\xbf{"a":1}',
        '{"a":1}'.encode("utf-16"),
        b'{"a":1}x',
        b"x\x9c\xabVJT\xb2R0\xac\x05\x00\x0bR\x02\x8d",
        b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"a":' + b"9" * 5000 + b"}",
    ],
    ids=range(18),
)
def test_a_payload_that_is_no_strict_json_object_is_refused_although_the_signature_is_good(payload):
    with pytest.raises(JWTDecodeError):
        jws.decode(seal(b'{"alg":"HS256","typ":"JWT"}', payload), ring())


GOOD = jws.encode(CLAIMS, KEY).encode()
HEAD, BODY, SIGNATURE = GOOD.split(b".")

BROKEN = {
    "nothing": b"",
    "a dot": b".",
    "two dots": b"..",
    "three dots": b"...",
    "one segment": HEAD,
    "two segments": HEAD + b"." + BODY,
    "no signature": HEAD + b"." + BODY + b".",
    "four segments": GOOD + b"." + SIGNATURE,
    "five segments": GOOD + b".a.b",
    "a dot in front": b"." + GOOD,
    "a dot behind": GOOD + b".",
    "an empty header": b"." + BODY + b"." + SIGNATURE,
    "an empty payload": HEAD + b".." + SIGNATURE,
    "segments swapped": BODY + b"." + HEAD + b"." + SIGNATURE,
    "padding on the header": HEAD + b"=." + BODY + b"." + SIGNATURE,
    "padding on the payload": HEAD + b"." + BODY + b"=." + SIGNATURE,
    "padding on the signature": GOOD + b"=",
    "a newline behind": GOOD + b"\n",
    "a space in front": b" " + GOOD,
    "a NUL behind": GOOD + b"\0",
    "no ASCII": GOOD[:-1] + b"\xe9",
    "UTF-8": GOOD + "é".encode(),
    "percent signs for dots": GOOD.replace(b".", b"%2E"),
    "JSON serialization": json.dumps(
        {"payload": BODY.decode(), "protected": HEAD.decode(), "signature": SIGNATURE.decode()}
    ).encode(),
    "a hundred thousand dots": b"." * 100_000,
    "eight mebibytes": b"a" * 2**23,
}


@pytest.mark.parametrize("token", BROKEN.values(), ids=BROKEN)
def test_what_is_no_compact_token_is_refused(token):
    with pytest.raises(JWTDecodeError):
        jws.decode(token, ring())


def test_every_flipped_bit_is_noticed():
    keys = ring()
    for place in range(len(GOOD)):
        for bit in range(8):
            changed = bytearray(GOOD)
            changed[place] ^= 1 << bit
            with pytest.raises(JWTDecodeError):
                jws.decode(bytes(changed), keys)


def test_every_other_last_character_is_refused():
    for last in b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_":
        if last != GOOD[-1]:
            with pytest.raises(JWTDecodeError):
                jws.decode(GOOD[:-1] + bytes([last]), ring())


def test_a_truncated_token_is_refused_wherever_it_ends():
    for length in range(len(GOOD)):
        with pytest.raises(JWTDecodeError):
            jws.decode(GOOD[:length], ring())


def test_a_public_key_is_no_secret_for_a_token_that_claims_so():
    pair = rsa.generate_private_key(65537, 2048)
    public = pair.public_key()
    keys = KeyRing(None, [AsymmetricKey(public, "RS256")])
    guesses = [
        public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        public.public_bytes(Encoding.PEM, PublicFormat.PKCS1),
        public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH),
        public.public_numbers().n.to_bytes(256),
    ]
    for secret in guesses:
        for header in (b'{"alg":"HS256"}', b'{"alg":"RS256"}'):
            with pytest.raises(JWTDecodeError):
                jws.decode(seal(header, b'{"sub":"u"}', secret), keys)


def test_an_empty_ring_is_a_mistake_of_the_configuration():
    with pytest.raises(BadConfigurationError):
        jws.decode(GOOD, KeyRing(None, []))


def test_a_bad_signature_is_told_apart_from_a_bad_form():
    with pytest.raises(TokenInvalidSignatureError):
        jws.decode(seal(b'{"alg":"HS256","typ":"JWT"}', b"{}", b"another secret"), ring())


def test_a_bad_signature_is_noticed_before_the_payload_is_looked_at():
    with pytest.raises(TokenInvalidSignatureError):
        jws.decode(HEAD + b"." + b"!" * 20 + b"." + SIGNATURE, ring())


# Signing


@pytest.mark.parametrize("headers", [{"kid": "mine"}, {"typ": "at+jwt"}, {"custom": 1}, {"alg": "HS256"}, {}, None])
def test_further_header_members_are_written_and_accepted(headers):
    token = jws.encode(CLAIMS, KEY, headers)
    header = json.loads(base64.urlsafe_b64decode(token.split(".")[0] + "=="))
    assert header == {"alg": "HS256", "typ": "JWT", **(headers or {})}
    assert jws.decode(token.encode(), ring()) == CLAIMS


@pytest.mark.parametrize(
    "headers",
    [
        {"alg": "none"},
        {"alg": "HS512"},
        {"alg": None},
        {"crit": ["exp"]},
        {"b64": False},
        {"zip": "DEF"},
        {"jku": "http://127.0.0.1"},
        {"jwk": {}},
        {"x5c": []},
        {"typ": "dpop+jwt"},
        {"typ": 1},
        {"kid": 1},
        {"kid": "a b"},
        {"kid": ""},
        {"kid": "k" * 129},
        {"x": float("nan")},
        {"x": "\ud800"},
    ],
    ids=ascii,
)
def test_header_members_that_would_be_refused_at_reading_are_refused_at_signing(headers):
    with pytest.raises(ValueError):
        jws.encode(CLAIMS, KEY, headers)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), [float("-inf")], "\ud800"], ids=ascii)
def test_claims_that_no_json_holds_are_refused_at_signing(value):
    with pytest.raises(ValueError):
        jws.encode({"a": value}, KEY)


@pytest.mark.parametrize("headers", [{1: "x"}, {"x": object()}, {"x": {1, 2}}], ids=["number", "object", "set"])
def test_header_members_that_have_no_place_in_json_are_refused_at_signing(headers):
    with pytest.raises(TypeError):
        jws.encode(CLAIMS, KEY, headers)


# Reading without asking who signed


def test_claims_can_be_read_without_a_key():
    assert jws.read_unverified(GOOD) == CLAIMS
    assert jws.read_unverified(HEAD + b"." + BODY + b".") == CLAIMS


@pytest.mark.parametrize("token", [b"", b"a", b"a.b", b"a.b.c.d", b"!.!.!", b"e30.W10.", b".e30.", b"e30.e30"])
def test_what_is_no_token_cannot_be_read_even_without_a_key(token):
    with pytest.raises(JWTDecodeError):
        jws.read_unverified(token)
