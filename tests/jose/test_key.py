"""Keys: one algorithm each, parsed once, strict about what fits, silent about what they hold."""

import hashlib
import hmac
import json
import warnings
from functools import cache

import joserfc.jwk
import joserfc.jwt
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa, x25519
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from hypothesis import assume, given
from hypothesis import strategies as st

from authx.exceptions import BadConfigurationError, JWTDecodeError, TokenInvalidSignatureError
from authx.jose import base64url, jws
from authx.jose.asymmetric_key import AsymmetricKey
from authx.jose.jwk import public_jwk, thumbprint
from authx.jose.key import _MAX_REMEMBERED_HEADERS, KeyRing, SecretKey, UnfittingKeyError, key_from_pem, key_from_secret

SECRET = "a secret of at least sixty-four bytes, for it also signs with HS512 !"
MESSAGE = b"header.payload"
CLAIMS = {"sub": "u", "n": 1}
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
HMACS = {"HS256": hashlib.sha256, "HS384": hashlib.sha384, "HS512": hashlib.sha512}

MAKERS = {
    "RSA": lambda: rsa.generate_private_key(65537, 2048),
    "P-256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "P-384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "P-521": lambda: ec.generate_private_key(ec.SECP521R1()),
    "secp256k1": lambda: ec.generate_private_key(ec.SECP256K1()),
    "Ed25519": ed25519.Ed25519PrivateKey.generate,
    "Ed448": ed448.Ed448PrivateKey.generate,
}
# Algorithm, kind of key, bytes of a signature.
ASYMMETRIC = [
    ("RS256", "RSA", 256),
    ("RS384", "RSA", 256),
    ("RS512", "RSA", 256),
    ("PS256", "RSA", 256),
    ("PS384", "RSA", 256),
    ("PS512", "RSA", 256),
    ("ES256", "P-256", 64),
    ("ES384", "P-384", 96),
    ("ES512", "P-521", 132),
    ("ES256K", "secp256k1", 64),
    ("EdDSA", "Ed25519", 64),
    ("EdDSA", "Ed448", 114),
]
KINDS = [pytest.param(algorithm, kind, size, id=f"{algorithm} {kind}") for algorithm, kind, size in ASYMMETRIC]


@cache
def private(kind):
    return MAKERS[kind]()


def private_pem(key, encryption=None, form=serialization.PrivateFormat.PKCS8):
    return key.private_bytes(serialization.Encoding.PEM, form, encryption or serialization.NoEncryption()).decode()


def public_pem(key):
    return (
        key.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )


def flip(encoded: bytes, bit: int) -> bytes:
    raw = bytearray(base64url.decode(encoded))
    raw[bit // 8 % len(raw)] ^= 1 << bit % 8
    return base64url.encode(bytes(raw))


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


# Key pairs


@pytest.mark.parametrize(("algorithm", "kind", "size"), KINDS)
def test_a_private_key_signs_and_its_public_half_verifies(algorithm, kind, size):
    signer = key_from_pem(private_pem(private(kind)), algorithm)
    verifier = key_from_pem(public_pem(private(kind)), algorithm)
    signature = signer.sign(MESSAGE)
    assert len(base64url.decode(signature)) == size
    assert (signer.can_sign, verifier.can_sign) == (True, False)
    for key in (signer, verifier):
        assert key.verify(MESSAGE, signature)
        assert not key.verify(MESSAGE + b"A", signature)
        assert not key.verify(b"", signature)


@pytest.mark.parametrize(("algorithm", "kind", "size"), KINDS)
def test_a_changed_signature_is_refused(algorithm, kind, size):
    key = AsymmetricKey(private(kind), algorithm)
    good = key.sign(MESSAGE)
    raw = base64url.decode(good)
    wrong = [
        b"",
        b"A",
        good[:-1],
        good[:-4],
        good + b"A",
        good + b"=",
        good + b"AAAA",
        b"A" * len(good),
        b"_" * len(good),
        b"." * len(good),
        b"\xff" * len(good),
        base64url.encode(raw + b"\0"),
        base64url.encode(b"\0" + raw),
        base64url.encode(raw[::-1]),
        base64url.encode(raw[size // 2 :] + raw[: size // 2]),
        *(flip(good, bit) for bit in range(0, size * 8, 37)),
    ]
    assert not [signature for signature in wrong if key.verify(MESSAGE, signature)]


@pytest.mark.parametrize(("algorithm", "kind", "size"), KINDS)
def test_pyjwt_and_joserfc_verify_what_a_private_key_signs(algorithm, kind, size):
    key = AsymmetricKey(private(kind), algorithm)
    token = jws.encode(CLAIMS, key)
    assert jwt.decode(token, private(kind).public_key(), algorithms=[algorithm]) == CLAIMS
    with warnings.catch_warnings():
        # It advises against the name EdDSA, which is the one that RFC 8037 has.
        warnings.simplefilter("ignore")
        theirs = joserfc.jwk.import_key(public_jwk(key.public))
        assert joserfc.jwt.decode(token, theirs, algorithms=[algorithm]).claims == CLAIMS


@pytest.mark.parametrize(("algorithm", "kind", "size"), KINDS)
def test_a_private_key_verifies_what_pyjwt_signs(algorithm, kind, size):
    token = jwt.encode(CLAIMS, private(kind), algorithm)
    assert jws.decode(token.encode(), KeyRing(None, [AsymmetricKey(private(kind), algorithm)])) == CLAIMS


@pytest.mark.parametrize(("algorithm", "kind", "size"), [kind for kind in KINDS if kind.values[0][:2] != "PS"])
def test_the_same_claims_give_the_same_token_again(algorithm, kind, size):
    key = AsymmetricKey(private(kind), algorithm)
    assert jws.encode(CLAIMS, key) == jws.encode(CLAIMS, key)


@pytest.mark.parametrize(("algorithm", "kind", "size"), KINDS)
def test_a_public_key_does_not_sign(algorithm, kind, size):
    with pytest.raises(BadConfigurationError):
        AsymmetricKey(private(kind).public_key(), algorithm).sign(MESSAGE)


@pytest.mark.parametrize(
    "form", [serialization.PrivateFormat.PKCS8, serialization.PrivateFormat.TraditionalOpenSSL], ids=str
)
@pytest.mark.parametrize(("algorithm", "kind"), [("RS256", "RSA"), ("ES256", "P-256")])
def test_both_forms_of_private_pem_are_read(algorithm, kind, form):
    pem = private_pem(private(kind), form=form)
    assert key_from_pem(pem, algorithm).verify(MESSAGE, key_from_pem(pem.encode(), algorithm).sign(MESSAGE))


@pytest.mark.parametrize(
    ("algorithm", "kind"),
    [
        ("RS256", "P-256"),
        ("RS256", "Ed25519"),
        ("PS256", "P-256"),
        ("ES256", "RSA"),
        ("ES256", "P-384"),
        ("ES256", "P-521"),
        ("ES256", "secp256k1"),
        ("ES256K", "P-256"),
        ("ES384", "P-256"),
        ("ES384", "P-521"),
        ("ES512", "P-384"),
        ("ES256", "Ed25519"),
        ("EdDSA", "RSA"),
        ("EdDSA", "P-256"),
    ],
)
def test_a_key_of_another_kind_or_curve_is_refused(algorithm, kind):
    for pem in (private_pem(private(kind)), public_pem(private(kind))):
        with pytest.raises(UnfittingKeyError, match=f"{algorithm}.* set JWT_ALGORITHM=") as refused:
            key_from_pem(pem, algorithm)
        named = str(refused.value).partition("set JWT_ALGORITHM=")[2].partition(",")[0]
        assert key_from_pem(pem, named).algorithm == named


@pytest.mark.parametrize("algorithm", ["none", "", "HS256", "rs256", "RS1", "RS128", "ES999", "XX256", "Ed25519"])
def test_an_algorithm_that_does_not_exist_is_refused_as_bad_configuration(algorithm):
    for kind in ("RSA", "P-256", "Ed25519"):
        with pytest.raises(BadConfigurationError):
            AsymmetricKey(private(kind), algorithm)


@pytest.mark.parametrize("bits", [1024, 2047])
def test_an_rsa_key_under_2048_bits_is_refused(bits):
    weak = rsa.generate_private_key(65537, bits)
    for algorithm in ("RS256", "PS512"):
        for pem in (private_pem(weak), public_pem(weak)):
            with pytest.raises(BadConfigurationError, match="2048"):
                key_from_pem(pem, algorithm)


def test_an_encrypted_pem_key_is_refused_with_what_to_do():
    pem = private_pem(private("RSA"), serialization.BestAvailableEncryption(b"pass"))
    with pytest.raises(BadConfigurationError, match="encrypted"):
        key_from_pem(pem, "RS256")
    legacy = private_pem(
        private("RSA"), serialization.BestAvailableEncryption(b"pass"), serialization.PrivateFormat.TraditionalOpenSSL
    )
    with pytest.raises(BadConfigurationError, match="encrypted"):
        key_from_pem(legacy, "RS256")


@pytest.mark.parametrize("text", ["/run/secrets/key.pem", "keys/private.pem", "", "MIIEvQIBADANBgkq", "ssh-rsa AAAA"])
def test_a_path_or_other_text_instead_of_pem_is_refused_with_what_to_do(text):
    with pytest.raises(BadConfigurationError, match="PEM"):
        key_from_pem(text, "RS256")


@pytest.mark.parametrize(
    "pem",
    [
        "-----BEGIN PRIVATE KEY-----\nsecret-material\n-----END PRIVATE KEY-----",
        "-----BEGIN PUBLIC KEY-----\nsecret-material\n-----END PUBLIC KEY-----",
        "-----BEGIN PRIVATE KEY-----",
        "-----BEGIN CERTIFICATE-----\nsecret-material\n-----END CERTIFICATE-----",
        "-----BEGIN OPENSSH PRIVATE KEY-----\nsecret-material\n-----END OPENSSH PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----\n\ud800\n-----END PRIVATE KEY-----",
        private_pem(private("RSA"))[:-200],
        private_pem(private("RSA")).replace("M", "N", 3),
    ],
    ids=range(8),
)
def test_a_broken_pem_key_is_refused_without_quoting_it(pem):
    with pytest.raises(BadConfigurationError) as refusal:
        key_from_pem(pem, "RS256")
    assert "secret-material" not in str(refusal.value)
    assert refusal.value.__context__ is None


@pytest.mark.parametrize(
    "key", [x25519.X25519PrivateKey.generate(), dsa.generate_private_key(2048)], ids=["x25519", "dsa"]
)
@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
def test_a_key_that_is_not_for_tokens_is_refused(key, algorithm):
    for pem in (private_pem(key), public_pem(key)):
        with pytest.raises(BadConfigurationError):
            key_from_pem(pem, algorithm)


def test_a_key_is_named_by_its_thumbprint_unless_it_has_a_name():
    pair = private("P-256")
    assert key_from_pem(public_pem(pair), "ES256").kid == thumbprint(public_jwk(pair.public_key()))
    assert key_from_pem(private_pem(pair), "ES256").kid == thumbprint(public_jwk(pair.public_key()))
    assert key_from_pem(public_pem(pair), "ES256", "mine").kid == "mine"
    assert key_from_secret(SECRET, "HS256").kid is None


# ECDSA's own traps


def es256(r: int, s: int) -> bytes:
    return base64url.encode(r.to_bytes(32) + s.to_bytes(32))


@pytest.mark.parametrize(
    ("r", "s"),
    [
        (0, 0),
        (0, 1),
        (1, 0),
        (1, 1),
        (P256_ORDER, 1),
        (1, P256_ORDER),
        (P256_ORDER, P256_ORDER),
        (P256_ORDER + 1, 1),
        (2**256 - 1, 2**256 - 1),
    ],
)
def test_an_ecdsa_signature_out_of_range_is_refused(r, s):
    assert not AsymmetricKey(private("P-256"), "ES256").verify(MESSAGE, es256(r, s))


def test_an_ecdsa_signature_in_der_is_refused():
    key = AsymmetricKey(private("P-256"), "ES256")
    raw = base64url.decode(key.sign(MESSAGE))
    der = encode_dss_signature(int.from_bytes(raw[:32]), int.from_bytes(raw[32:]))
    for padded in (der, der[:64], der.ljust(96, b"\0")):
        assert not key.verify(MESSAGE, base64url.encode(padded))


def test_an_eddsa_signature_with_a_scalar_beyond_the_order_is_refused():
    order = 2**252 + 27742317777372353535851937790883648493
    key = AsymmetricKey(private("Ed25519"), "EdDSA")
    raw = base64url.decode(key.sign(MESSAGE))
    beyond = int.from_bytes(raw[32:], "little") + order
    assert not key.verify(MESSAGE, base64url.encode(raw[:32] + beyond.to_bytes(32, "little")))


# Secrecy


@pytest.mark.parametrize(("algorithm", "kind", "size"), KINDS)
def test_the_repr_of_a_key_pair_shows_no_number_of_it(algorithm, kind, size):
    key = AsymmetricKey(private(kind), algorithm)
    body = "".join(private_pem(private(kind)).splitlines()[1:-1])
    assert repr(key) == f"AsymmetricKey(algorithm={algorithm!r}, kid={key.kid!r}, can_sign=True)"
    assert body[:24] not in repr(key)


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
