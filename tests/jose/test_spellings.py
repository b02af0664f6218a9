"""ECDSA has two signatures for every message; a list of revoked texts has to know both."""

import asyncio

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from fastapi import FastAPI
from fastapi.testclient import TestClient

from authx import AuthX, AuthXConfig
from authx.jose.jws import spellings
from authx.jose.key import KeyRing, key_from_pem, key_from_secret

CURVES = {"ES256": ec.SECP256R1(), "ES384": ec.SECP384R1(), "ES512": ec.SECP521R1(), "ES256K": ec.SECP256K1()}


def pem_on(curve):
    key = ec.generate_private_key(curve)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


@pytest.mark.parametrize("algorithm", CURVES)
def test_the_twin_of_an_ecdsa_signature_verifies_and_has_the_first_as_its_own_twin(algorithm):
    key = key_from_pem(pem_on(CURVES[algorithm]), algorithm)
    signature = key.sign(b"header.payload")
    twin = key.twin(signature)
    assert twin != signature
    assert key.verify(b"header.payload", twin)
    assert key.twin(twin) == signature


def test_a_mac_has_no_twin():
    key = key_from_secret("k" * 48, "HS256")
    token = b"header.payload." + key.sign(b"header.payload")
    assert spellings(token, KeyRing(key, [key])) == [token]


@pytest.mark.parametrize("algorithm", CURVES)
def test_a_revoked_ecdsa_token_is_revoked_in_its_other_spelling_too(algorithm):
    auth = AuthX(AuthXConfig(JWT_ALGORITHM=algorithm, JWT_PRIVATE_KEY=pem_on(CURVES[algorithm])))
    revoked = set()
    auth.set_token_blocklist(lambda token: token in revoked, inline=True)
    app = FastAPI()
    app.get("/", dependencies=[auth.ACCESS_REQUIRED])(lambda: "in")
    token = auth.create_access_token("alice")
    _, twin = spellings(token.encode(), auth._runtime.verifier.ring)
    client = TestClient(app)
    assert client.get("/", headers={"Authorization": f"Bearer {twin.decode()}"}).status_code == 200
    revoked.add(token)
    for spelling in (token, twin.decode()):
        answer = client.get("/", headers={"Authorization": f"Bearer {spelling}"})
        assert answer.json()["code"] == "token_revoked"


def test_a_token_that_is_on_no_list_is_asked_about_once_with_a_mac():
    auth = AuthX(AuthXConfig(JWT_SECRET_KEY="k" * 48))
    asked = []
    auth.set_token_blocklist(asked.append, inline=True)
    assert asyncio.run(auth.is_token_in_blocklist(auth.create_access_token("alice"))) is False
    assert len(asked) == 1
