"""Keys in PEM form."""

from functools import cache

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa


@cache
def pem(name: str) -> str:
    """A private key on P-256, the same one for the same name."""
    return private_pem(ec.generate_private_key(ec.SECP256R1()))


@cache
def rsa_pem(bits: int) -> str:
    return private_pem(rsa.generate_private_key(public_exponent=65537, key_size=bits))


def private_pem(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey, password: bytes | None = None) -> str:
    encryption: serialization.KeySerializationEncryption = (
        serialization.NoEncryption() if password is None else serialization.BestAvailableEncryption(password)
    )
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, encryption).decode()


@cache
def public_pem(name: str) -> str:
    key = serialization.load_pem_private_key(pem(name).encode(), None).public_key()
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()
