"""Key pairs: what they sign and verify, and which keys are refused for what."""

import warnings

import joserfc.jwk
import joserfc.jwt
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import dsa, rsa, x25519
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from tests.support.keys import KINDS, flip, private, private_pem, public_pem

from authx.exceptions import BadConfigurationError
from authx.jose import base64url, jws
from authx.jose.asymmetric_key import AsymmetricKey
from authx.jose.jwk import public_jwk, thumbprint
from authx.jose.key import KeyRing, UnfittingKeyError, key_from_pem, key_from_secret

SECRET = "a secret of at least sixty-four bytes, for it also signs with HS512 !"
MESSAGE = b"header.payload"
CLAIMS = {"sub": "u", "n": 1}
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


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


@pytest.mark.parametrize(("algorithm", "kind", "size"), KINDS)
def test_the_repr_of_a_key_pair_shows_no_number_of_it(algorithm, kind, size):
    key = AsymmetricKey(private(kind), algorithm)
    body = "".join(private_pem(private(kind)).splitlines()[1:-1])
    assert repr(key) == f"AsymmetricKey(algorithm={algorithm!r}, kid={key.kid!r}, can_sign=True)"
    assert body[:24] not in repr(key)
