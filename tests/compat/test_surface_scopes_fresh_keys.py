"""Surface: the scope tables, freshness in every location, algorithms and key rotation."""

import hashlib
import time

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from fastapi import Depends, FastAPI, Response
from tests.support.tokens import OTHER_SECRET, SECRET, bearer, forge, forge_access, header_of

from authx import RequestToken, TokenPayload
from authx.exceptions import (
    BadConfigurationError,
    JWTDecodeError,
    TokenExpiredError,
    TokenInvalidSignatureError,
)

from .answers import EXPIRED, MISSING, NOT_ACCESS, NOT_FRESH

PREVIOUS = "the secret that was used before this one was"


@pytest.mark.parametrize(
    ("required", "granted", "match"),
    [
        ("read", "read", True),
        ("read", "write", False),
        ("users:read", "users:read", True),
        ("users:read", "users:*", True),
        ("users", "users:*", True),
        ("users:a:b", "users:*", True),
        ("users:a", "users:a:*", True),
        ("users:b", "users:a:*", False),
        ("usersx", "users:*", False),
        ("users:read:x", "users:read", False),
        ("Users:read", "users:read", False),
        ("users:*", "users:*", True),
        ("users:*", "users:read", False),
        ("admin:*", "admin", False),
        ("admin:*", "admin:users:*", False),
        ("admin:users:*", "admin:*", True),
        ("read", "*", False),
        ("*", "*", True),
        ("users:read", "*", False),
        ("users:read", "*:read", False),
        ("users:read", "users*", False),
        ("users:read", "admin:*", False),
        (" read", "read", False),
    ],
)
def test_one_granted_scope_satisfies_one_required_scope(required, granted, match):
    assert TokenPayload(sub="alice", scopes=[granted]).has_scopes(required) is match


@pytest.mark.parametrize(
    ("required", "granted", "all_of", "any_of"),
    [
        ([], None, True, True),
        ([], [], True, False),
        ([], ["a"], True, False),
        (["a"], None, False, False),
        (["a"], [], False, False),
        (["a", "b"], ["a"], False, True),
        (["a", "b"], ["a", "b"], True, True),
        (["admin:users", "posts:read"], ["admin:*", "posts:*"], True, True),
    ],
)
def test_several_scopes_are_required_together_or_one_of_them(required, granted, all_of, any_of):
    payload = TokenPayload(sub="alice", scopes=granted)
    assert (payload.has_scopes(*required), payload.has_scopes(*required, all_required=False)) == (
        all_of,
        any_of,
    )


@pytest.fixture
def fresh_door(make_auth, browse):
    """Sends a token to a fresh-only route by a location."""
    auth = make_auth(JWT_TOKEN_LOCATION=["headers", "cookies", "json", "query"])
    app = FastAPI()
    auth.handle_errors(app)

    @app.get("/", dependencies=[Depends(auth.fresh_token_required)])
    def door():
        return "open"

    def send(token, location):
        client = browse(app)
        if location == "cookies":
            client.cookies.set("access_token_cookie", token)
        return client.request(
            "GET",
            "/",
            headers=bearer(token) if location == "headers" else None,
            params={"token": token} if location == "query" else None,
            json={"access_token": token, "refresh_token": token} if location == "json" else None,
        )

    send.auth = auth
    return send


LOCATIONS = ["headers", "cookies", "json", "query"]


@pytest.mark.parametrize("location", LOCATIONS)
def test_a_fresh_token_passes_from_any_location(fresh_door, location):
    token = fresh_door.auth.create_access_token(uid="alice", fresh=True)
    assert fresh_door(token, location).json() == "open"


@pytest.mark.parametrize("location", LOCATIONS)
def test_a_stale_token_is_refused_from_any_location(fresh_door, refused, location):
    refused(fresh_door(fresh_door.auth.create_access_token(uid="alice"), location), NOT_FRESH)


@pytest.mark.parametrize("location", LOCATIONS)
def test_a_refresh_token_is_refused_as_such_by_a_fresh_route(fresh_door, refused, location):
    refused(fresh_door(fresh_door.auth.create_refresh_token(uid="alice"), location), NOT_ACCESS)


def test_no_token_is_refused_as_such_by_a_fresh_route(fresh_door, refused):
    refused(fresh_door("", "nowhere"), MISSING)


@pytest.fixture
def rotated(make_auth):
    return make_auth(JWT_PREVIOUS_SECRET_KEY=PREVIOUS)


@pytest.fixture
def rotated_door(rotated, browse):
    app = FastAPI()
    rotated.handle_errors(app)

    @app.get("/", dependencies=[Depends(rotated.access_token_required)])
    def door():
        return "open"

    return browse(app)


@pytest.mark.parametrize("secret", [SECRET, PREVIOUS], ids=["current key", "previous key"])
def test_during_a_rotation_an_expired_token_is_expired(rotated_door, refused, secret):
    refused(rotated_door.get("/", headers=bearer(forge_access(secret, exp=1))), EXPIRED)


@pytest.mark.parametrize("secret", [SECRET, PREVIOUS], ids=["current key", "previous key"])
def test_during_a_rotation_a_wrong_type_is_a_wrong_type(rotated_door, refused, secret):
    refused(rotated_door.get("/", headers=bearer(forge_access(secret, type="refresh"))), NOT_ACCESS)


def verified(auth, token):
    return auth.verify_token(RequestToken(token=token, location="headers"))


def test_verify_token_accepts_the_previous_key(rotated):
    assert verified(rotated, forge_access(PREVIOUS)).sub == "alice"


def test_verify_token_reports_an_expired_token_of_the_previous_key(rotated):
    with pytest.raises(TokenExpiredError):
        verified(rotated, forge_access(PREVIOUS, exp=1))


def test_verify_token_refuses_any_other_key(rotated):
    with pytest.raises(TokenInvalidSignatureError):
        verified(rotated, forge_access(OTHER_SECRET))


def test_cookies_take_a_token_of_the_previous_key(make_auth):
    auth = make_auth(JWT_TOKEN_LOCATION=["cookies"], JWT_PREVIOUS_SECRET_KEY=PREVIOUS)
    response = Response()
    auth.set_access_cookies(forge_access(PREVIOUS, csrf="value"), response)
    assert "csrf_access_token=value" in str(response.raw_headers)


def pem_pair(private_key):
    return (
        private_key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode(),
        private_key.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode(),
    )


CURVES = {"ES256": ec.SECP256R1, "ES256K": ec.SECP256K1, "ES384": ec.SECP384R1, "ES512": ec.SECP521R1}
RSA_ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"]
ASYMMETRIC = [*RSA_ALGORITHMS, *CURVES, "EdDSA"]


@pytest.fixture
def keys_of(rsa_pair):
    def keys(algorithm):
        if algorithm in CURVES:
            return pem_pair(ec.generate_private_key(CURVES[algorithm]()))
        if algorithm == "EdDSA":
            return pem_pair(ed25519.Ed25519PrivateKey.generate())
        return rsa_pair

    return keys


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
def test_every_symmetric_algorithm_signs_and_verifies(make_auth, algorithm):
    auth = make_auth(JWT_ALGORITHM=algorithm, JWT_SECRET_KEY=hashlib.sha512(SECRET.encode()).hexdigest())
    token = auth.create_access_token(uid="alice")
    assert header_of(token)["alg"] == algorithm
    assert verified(auth, token).sub == "alice"


@pytest.mark.parametrize("algorithm", ASYMMETRIC)
def test_every_asymmetric_algorithm_signs_and_verifies(make_auth, keys_of, algorithm):
    private, public = keys_of(algorithm)
    auth = make_auth(JWT_ALGORITHM=algorithm, JWT_PRIVATE_KEY=private, JWT_PUBLIC_KEY=public)
    token = auth.create_access_token(uid="alice")
    assert header_of(token)["alg"] == algorithm
    assert verified(auth, token).sub == "alice"


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
def test_the_private_key_alone_signs_and_the_public_key_alone_verifies(make_auth, keys_of, algorithm):
    private, public = keys_of(algorithm)
    issuer = make_auth(JWT_ALGORITHM=algorithm, JWT_PRIVATE_KEY=private)
    verifier = make_auth(JWT_ALGORITHM=algorithm, JWT_PUBLIC_KEY=public)
    assert verified(verifier, issuer.create_access_token(uid="alice")).sub == "alice"


def test_the_public_key_alone_does_not_sign(make_auth, rsa_pair):
    with pytest.raises(BadConfigurationError):
        make_auth(JWT_ALGORITHM="RS256", JWT_PUBLIC_KEY=rsa_pair[1]).create_access_token(uid="alice")


def test_a_public_key_is_never_used_as_a_shared_secret(make_auth, rsa_pair):
    private, public = rsa_pair
    auth = make_auth(JWT_ALGORITHM="RS256", JWT_PRIVATE_KEY=private, JWT_PUBLIC_KEY=public)
    with pytest.raises(JWTDecodeError):
        verified(auth, forge_access(public))


def test_the_payload_of_another_key_pair_is_refused(make_auth, rsa_pair, older_rsa_pair):
    issuer = make_auth(JWT_ALGORITHM="RS256", JWT_PRIVATE_KEY=older_rsa_pair[0])
    verifier = make_auth(JWT_ALGORITHM="RS256", JWT_PUBLIC_KEY=rsa_pair[1])
    with pytest.raises(TokenInvalidSignatureError):
        verified(verifier, issuer.create_access_token(uid="alice"))


def test_other_decode_algorithms_of_the_same_secret_are_accepted(make_auth):
    secret = hashlib.sha512(SECRET.encode()).hexdigest()
    issuer = make_auth(JWT_ALGORITHM="HS512", JWT_SECRET_KEY=secret)
    auth = make_auth(JWT_SECRET_KEY=secret, JWT_DECODE_ALGORITHMS=["HS256", "HS512"])
    assert verified(auth, issuer.create_access_token(uid="alice")).sub == "alice"


def test_an_algorithm_that_is_not_listed_is_refused(make_auth):
    secret = hashlib.sha512(SECRET.encode()).hexdigest()
    issuer = make_auth(JWT_ALGORITHM="HS512", JWT_SECRET_KEY=secret)
    with pytest.raises(JWTDecodeError):
        verified(make_auth(JWT_SECRET_KEY=secret), issuer.create_access_token(uid="alice"))


@pytest.mark.parametrize("ago", [5, 59])
def test_leeway_forgives_a_token_that_has_just_expired(make_auth, ago):
    auth = make_auth(JWT_DECODE_LEEWAY=60)
    assert verified(auth, forge_access(exp=int(time.time()) - ago)).sub == "alice"


@pytest.mark.parametrize("claims", [{"user_id": "alice"}, {"user_id": "alice", "sub": "alice"}])
def test_another_identity_claim_is_read_as_the_subject(make_auth, claims):
    token = forge({"type": "access", "iat": 1_700_000_000, "jti": "j", "exp": 4_000_000_000} | claims)
    assert verified(make_auth(JWT_IDENTITY_CLAIM="user_id"), token).sub == "alice"


def test_two_identities_in_one_token_are_invalid(make_auth):
    token = forge_access(user_id="mallory", sub="alice")
    with pytest.raises(JWTDecodeError):
        verified(make_auth(JWT_IDENTITY_CLAIM="user_id"), token)
