"""Published test vectors: what the standards say, our keys say, and two other libraries say too."""

import json
import warnings
from base64 import urlsafe_b64decode
from pathlib import Path

import joserfc.errors
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519
from joserfc import jws as joserfc_jws
from joserfc.jwk import import_key

from authx.exceptions import JWTDecodeError
from authx.jose import base64url, jws
from authx.jose.asymmetric_key import AsymmetricKey
from authx.jose.jwk import public_jwk, thumbprint
from authx.jose.key import KeyRing, key_from_secret

VECTORS = Path(__file__).parent.parent / "vectors"
CURVES = {"ES256": ec.SECP256R1(), "ES384": ec.SECP384R1(), "ES512": ec.SECP521R1()}
PRIVATE = ("d", "p", "q", "dp", "dq", "qi")
DETERMINISTIC = ("HS", "RS", "Ed")
ALGORITHMS = ["HS256", "RS256", "PS384", "ES256", "ES512", "EdDSA"]


def load(name):
    return json.loads((VECTORS / name).read_text())["vectors"]


def table(*names):
    return [pytest.param(vector, id=f"{name} {vector['name']}") for name in names for vector in load(f"{name}.json")]


def key_of(vector):
    jwk = vector["key"]
    if jwk["kty"] == "oct":
        return key_from_secret(base64url.decode(jwk["k"].encode()), vector["alg"])
    return AsymmetricKey(import_key(jwk).raw_value, vector["alg"])


SIGNED = [param for param in table("rfc7515", "rfc7520", "rfc8037") if param.values[0]["alg"] != "none"]
EXAMPLES = [param for param in SIGNED if not param.values[0]["compact"].startswith(".")]
CLAIMS = [param for param in SIGNED if param.values[0]["payload"].startswith("{")]


@pytest.mark.parametrize("vector", SIGNED)
def test_a_vector_says_what_its_payload_is(vector):
    header, payload, _ = vector["compact"].encode().split(b".")
    assert base64url.decode(payload).decode() == vector["payload"]
    assert not header or json.loads(base64url.decode(header))["alg"] == vector["alg"]


@pytest.mark.parametrize("vector", SIGNED)
def test_the_key_verifies_its_vectors_signature_and_no_other(vector):
    key = key_of(vector)
    signing_input, _, signature = vector["compact"].encode().rpartition(b".")
    assert key.verify(signing_input, signature)
    assert not key.verify(signing_input + b"A", signature)
    assert not key.verify(signing_input, (b"B" if signature[:1] == b"A" else b"A") + signature[1:])


@pytest.mark.parametrize("vector", SIGNED)
def test_the_key_signs_what_its_vector_signs(vector):
    key = key_of(vector)
    signing_input, _, expected = vector["compact"].encode().rpartition(b".")
    signature = key.sign(signing_input)
    assert key.verify(signing_input, signature)
    if vector["alg"].startswith(DETERMINISTIC):
        assert signature == expected


@pytest.mark.parametrize("vector", EXAMPLES)
def test_pyjwt_verifies_the_vector_too(vector):
    public = {name: value for name, value in vector["key"].items() if name not in PRIVATE}
    key = jwt.PyJWK(public, algorithm=vector["alg"])
    assert jwt.PyJWS().decode(vector["compact"], key, algorithms=[vector["alg"]]).decode() == vector["payload"]


@pytest.mark.parametrize("vector", EXAMPLES)
def test_joserfc_verifies_the_vector_too(vector):
    with warnings.catch_warnings():
        # It advises against the name EdDSA, which is the one that RFC 8037 has.
        warnings.simplefilter("ignore")
        read = joserfc_jws.deserialize_compact(vector["compact"], import_key(vector["key"]), algorithms=[vector["alg"]])
    assert read.payload.decode() == vector["payload"]


@pytest.mark.parametrize("vector", CLAIMS)
def test_the_codec_reads_the_vectors_that_hold_claims(vector):
    ring = KeyRing(None, [key_of(vector)])
    assert jws.decode(vector["compact"].encode(), ring) == json.loads(vector["payload"])


@pytest.mark.parametrize("vector", [param for param in EXAMPLES if not param.values[0]["payload"].startswith("{")])
def test_the_codec_refuses_a_good_signature_over_what_is_no_claims(vector):
    with pytest.raises(JWTDecodeError):
        jws.decode(vector["compact"].encode(), KeyRing(None, [key_of(vector)]))


def test_the_unsecured_token_of_rfc_7515_a_5_is_refused_whatever_the_keys():
    vectors = load("rfc7515.json")
    (unsecured,) = [vector for vector in vectors if vector["alg"] == "none"]
    token = unsecured["compact"].encode()
    assert token.endswith(b".")
    for vector in vectors:
        if vector["alg"] != "none":
            with pytest.raises(JWTDecodeError):
                jws.decode(token, KeyRing(None, [key_of(vector)]))
    with pytest.raises(jwt.InvalidTokenError):
        jwt.decode(token, "k" * 32, algorithms=ALGORITHMS)
    with pytest.raises(joserfc.errors.JoseError):
        joserfc_jws.deserialize_compact(token, import_key({"kty": "oct", "k": "A" * 43}), algorithms=ALGORITHMS)


@pytest.mark.parametrize("vector", table("thumbprints"))
def test_a_thumbprint_is_the_published_one(vector):
    assert thumbprint(vector["key"]) == vector["thumbprint"]
    parsed = import_key(vector["key"]).raw_value
    assert thumbprint(public_jwk(parsed)) == vector["thumbprint"]


@pytest.mark.parametrize("vector", table("rfc6979"))
def test_ecdsa_signatures_are_the_deterministic_ones_of_rfc_6979(vector):
    key = key_of(vector)
    expected = base64url.encode(bytes.fromhex(vector["r"] + vector["s"]))
    assert key.sign(vector["message"].encode()) == expected
    assert key.verify(vector["message"].encode(), expected)


@pytest.mark.parametrize("vector", table("rfc8032"))
def test_eddsa_signatures_are_those_of_rfc_8032(vector):
    private_type = ed25519.Ed25519PrivateKey if vector["curve"] == "Ed25519" else ed448.Ed448PrivateKey
    private = private_type.from_private_bytes(bytes.fromhex(vector["secret"]))
    assert private.public_key().public_bytes_raw().hex() == vector["public"]
    key = AsymmetricKey(private, "EdDSA")
    signature = base64url.encode(bytes.fromhex(vector["signature"]))
    assert key.sign(bytes.fromhex(vector["message"])) == signature
    assert key.verify(bytes.fromhex(vector["message"]), signature)


@pytest.mark.parametrize("vector", table("fips186_sigver"))
def test_ecdsa_verification_agrees_with_nists_vectors(vector):
    message, signature = bytes.fromhex(vector["message"]), bytes.fromhex(vector["r"] + vector["s"])
    assert key_of(vector).verify(message, base64url.encode(signature)) is vector["valid"]


@pytest.mark.parametrize("vector", table("fips186_sigver"))
def test_nists_vectors_are_right_about_themselves(vector):
    x, y = (int.from_bytes(urlsafe_b64decode(vector["key"][name] + "==")) for name in ("x", "y"))
    public = ec.EllipticCurvePublicNumbers(x, y, CURVES[vector["alg"]]).public_key()
    algorithm = jwt.get_algorithm_by_name(vector["alg"])
    signature = bytes.fromhex(vector["r"] + vector["s"])
    assert algorithm.verify(bytes.fromhex(vector["message"]), public, signature) is vector["valid"]
