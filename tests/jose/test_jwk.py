"""JSON Web Keys: what goes out names the public half alone, what comes in is a key or an error."""

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa

from authx.exceptions import BadConfigurationError
from authx.jose import base64url
from authx.jose.asymmetric_key import AsymmetricKey
from authx.jose.jwk import private_or_public_key, public_jwk, thumbprint

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
    assert private_or_public_key(public_jwk(pair.public_key())) == pair.public_key()


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
    assert private_or_public_key(jwk) == public


def test_a_private_jwk_reads_as_the_private_key():
    assert AsymmetricKey(private_or_public_key(ED25519), "EdDSA").can_sign


def test_a_private_rsa_jwk_may_lack_its_prime_factors():
    numbers = PAIRS["RSA"].private_numbers()
    full = {**public_jwk(PAIRS["RSA"].public_key()), "d": text_of(numbers.d)}
    assert private_or_public_key(full).private_numbers().d == numbers.d


def text_of(number):
    return base64url.encode(number.to_bytes((number.bit_length() + 7) // 8)).decode()


def test_a_thumbprint_depends_on_the_required_members_alone():
    assert thumbprint({**ED25519, "kid": "x", "use": "sig", "alg": "EdDSA"}) == thumbprint(
        {name: value for name, value in ED25519.items() if name != "d"}
    )


@pytest.mark.parametrize("jwk", [{}, {"kty": "EC"}, {"kty": "XYZ"}, {"kty": "OKP", "crv": "Ed25519"}], ids=str)
def test_a_thumbprint_needs_the_required_members(jwk):
    with pytest.raises(ValueError):
        thumbprint(jwk)


@pytest.mark.parametrize(
    "jwk",
    [
        pytest.param({}, id="empty"),
        pytest.param({"kty": "oct", "k": "AA"}, id="a secret"),
        pytest.param({"kty": "XYZ"}, id="an unknown type"),
        pytest.param({"kty": ["EC"]}, id="a type that is a list"),
        pytest.param({"kty": "RSA"}, id="RSA without numbers"),
        pytest.param({"kty": "RSA", "n": "AQAB", "e": "AA"}, id="an exponent of zero"),
        pytest.param({"kty": "RSA", "n": 5, "e": "AQAB"}, id="a number instead of text"),
        pytest.param({"kty": "RSA", "n": "!!!!", "e": "AQAB"}, id="no base64url"),
        pytest.param({"kty": "RSA", "n": "é", "e": "AQAB"}, id="no ASCII"),
        pytest.param({"kty": "EC", "crv": "P-256"}, id="EC without a point"),
        pytest.param({"kty": "EC", "crv": "P-256", "x": "AQ", "y": "AQ"}, id="a point off the curve"),
        pytest.param({"kty": "EC", "crv": "P-999", "x": "AQ", "y": "AQ"}, id="an unknown curve"),
        pytest.param({"kty": "EC", "crv": None, "x": "AQ", "y": "AQ"}, id="no curve"),
        pytest.param({"kty": "OKP", "crv": "X25519", "x": ED25519["x"]}, id="a curve that does not sign"),
        pytest.param({"kty": "OKP", "crv": "Ed25519", "x": "AQAB"}, id="a short point"),
        pytest.param({"kty": "OKP", "crv": "Ed25519", "x": ED25519["x"] + "="}, id="padding"),
        pytest.param({"kty": "OKP", "crv": "Ed25519", "d": "secret-material"}, id="a short secret"),
        pytest.param({**ED25519, "d": 7}, id="a secret that is a number"),
    ],
)
def test_a_jwk_that_is_no_key_is_refused_without_quoting_it(jwk):
    with pytest.raises(BadConfigurationError) as refusal:
        private_or_public_key(jwk)
    assert "secret-material" not in str(refusal.value)


@pytest.mark.parametrize("crv", ["P-256", "P-384", "P-521", "secp256k1"])
def test_a_private_ec_jwk_whose_halves_do_not_belong_together_is_refused(crv):
    other = ec.generate_private_key(PAIRS[crv].curve).private_numbers().private_value
    with pytest.raises(BadConfigurationError):
        private_or_public_key({**public_jwk(PAIRS[crv].public_key()), "d": text_of(other)})


def test_a_private_okp_jwk_whose_halves_do_not_belong_together_is_refused():
    other = public_jwk(ed25519.Ed25519PrivateKey.generate().public_key())["x"]
    with pytest.raises(BadConfigurationError):
        private_or_public_key({**ED25519, "x": other})
