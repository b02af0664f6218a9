"""JSON Web Keys: they name the public half alone, and another library reads the same key."""

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from joserfc.jwk import import_key

from authx.jose import base64url
from authx.jose.jwk import public_jwk, thumbprint

PRIVATE_MEMBERS = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"}
PAIRS = {
    "RSA": rsa.generate_private_key(65537, 2048),
    "P-256": ec.generate_private_key(ec.SECP256R1()),
    "P-384": ec.generate_private_key(ec.SECP384R1()),
    "P-521": ec.generate_private_key(ec.SECP521R1()),
    "secp256k1": ec.generate_private_key(ec.SECP256K1()),
    "Ed25519": ed25519.Ed25519PrivateKey.generate(),
    "Ed448": ed448.Ed448PrivateKey.generate(),
}
# RFC 8037, appendix A.1.
ED25519 = {
    "kty": "OKP",
    "crv": "Ed25519",
    "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
    "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
}


@pytest.mark.parametrize("pair", PAIRS.values(), ids=PAIRS)
def test_a_public_jwk_reads_back_as_the_same_key(pair):
    assert import_key(public_jwk(pair.public_key())).raw_value == pair.public_key()


@pytest.mark.parametrize("pair", PAIRS.values(), ids=PAIRS)
def test_a_public_jwk_has_no_private_member(pair):
    assert not PRIVATE_MEMBERS & public_jwk(pair.public_key()).keys()


@pytest.mark.parametrize(
    ("curve", "number"),
    [(ec.SECP256R1(), 379), (ec.SECP384R1(), 197), (ec.SECP521R1(), 1), (ec.SECP256K1(), 153)],
    ids=["P-256", "P-384", "P-521", "secp256k1"],
)
def test_coordinates_keep_their_leading_zeros(curve, number):
    # These small multiples of the generators are points whose x begins with a zero byte.
    public = ec.derive_private_key(number, curve).public_key()
    size = (curve.key_size + 7) // 8
    assert public.public_numbers().x < 1 << 8 * (size - 1)
    jwk = public_jwk(public)
    assert len(base64url.decode(jwk["x"].encode())) == len(base64url.decode(jwk["y"].encode())) == size
    assert import_key(jwk).raw_value == public


def test_a_thumbprint_depends_on_the_required_members_alone():
    assert thumbprint({**ED25519, "kid": "x", "use": "sig", "alg": "EdDSA"}) == thumbprint(
        {name: value for name, value in ED25519.items() if name != "d"}
    )


@pytest.mark.parametrize("jwk", [{}, {"kty": "EC"}, {"kty": "XYZ"}, {"kty": "OKP", "crv": "Ed25519"}], ids=str)
def test_a_thumbprint_needs_the_required_members(jwk):
    with pytest.raises(ValueError):
        thumbprint(jwk)
