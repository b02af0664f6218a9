"""Keys as people hand them over: PEM, certificates, and what environment variables make of them.

No message repeats a part of the key.
"""

import re
from base64 import b64decode
from binascii import Error as BadBase64Error
from collections.abc import Callable, Iterable
from typing import Any, Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import (
    load_der_private_key,
    load_der_public_key,
    load_pem_private_key,
    load_pem_public_key,
)
from cryptography.x509 import load_der_x509_certificate, load_pem_x509_certificate

from authx.exceptions import BadConfigurationError

__all__ = ["read_key"]

_BLOCK: Final = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----(.*?)-----END \1-----", re.DOTALL)
_CERTIFICATES: Final = (b"CERTIFICATE", b"X509 CERTIFICATE")
_WHOLE: Final = "Pass all of it, from -----BEGIN to the last dash of -----END ...-----"
_OPENSSH: Final = "it is an OpenSSH key; convert "
_FROM_PRIVATE: Final = (
    f"{_OPENSSH}a copy of it to PEM: ssh-keygen -p -m PEM -f copy (for Ed25519, with OpenSSH 9.6 or later: "
    "ssh-keygen -p -m PKCS8 -f copy), or make a new key: openssl genpkey -algorithm ed25519"
)
_FROM_PUBLIC: Final = f"{_OPENSSH}it to PEM: ssh-keygen -e -m PKCS8 -f key.pub (for Ed25519, with OpenSSH 9.6 or later)"
_NOT_PEM: Final = (
    "it is not in PEM form, which begins with -----BEGIN. If it is the path of a file, pass the file's content"
)
_ENCRYPTED: Final = (
    "it is encrypted; decrypt it and keep it in a secret store: openssl pkey -in key.pem -out decrypted.pem"
)
# What keys look like that cannot be read, and what to do about them.
_FOREIGN: Final[tuple[tuple[bytes, str], ...]] = (
    (b"BEGIN OPENSSH PRIVATE KEY", _FROM_PRIVATE),
    (b"BEGIN SSH2 ", _FROM_PUBLIC),
    (
        b"PuTTY-User-Key-File",
        "it is a PuTTY key; convert it: puttygen key.ppk -O private-openssh -o key, then ssh-keygen -p -m PEM -f key",
    ),
    (b"BEGIN PGP ", "it is a PGP key, which cannot sign tokens; make a key: openssl genpkey -algorithm ed25519"),
    (b"BEGIN CERTIFICATE REQUEST", "it is a certificate request; pass the certificate or the public key"),
    (b"BEGIN NEW CERTIFICATE REQUEST", "it is a certificate request; pass the certificate or the public key"),
    (b"BEGIN ENCRYPTED PRIVATE KEY", _ENCRYPTED),
    (b"Proc-Type: 4,ENCRYPTED", _ENCRYPTED),
)
_SSH_PUBLIC: Final = (b"ssh-", b"ecdsa-sha2-", b"sk-ssh-", b"sk-ecdsa-")


def read_key(material: str | bytes) -> Any:
    r"""Read a key or the public key of a certificate: PEM, also in one line or with `\n` as two characters, or DER."""
    # The dates, names and signatures of a certificate are not checked.
    raw = material.encode("utf-8", "surrogatepass") if isinstance(material, str) else material
    raw = _unwrapped(raw)
    for mark, advice in _FOREIGN:
        if mark in raw:
            raise BadConfigurationError(advice)
    if raw.startswith(_SSH_PUBLIC):
        raise BadConfigurationError(_FROM_PUBLIC)
    if raw.startswith(b"{"):
        raise BadConfigurationError("it is a JSON Web Key; convert it to PEM")
    if b"-----BEGIN " in raw:
        return _from_pem(raw)
    key = _first(raw, (load_der_public_key, _private_from_der, _certificate_from_der))
    if key is None:
        raise BadConfigurationError(_NOT_PEM)
    return key


def _unwrapped(raw: bytes) -> bytes:
    """Take away what shells, `.env` files and panels put around a key or in place of its line breaks."""
    if raw[:1] == b"\x30":
        return raw  # DER
    raw = raw.strip(b"\"'`\xef\xbb\xbf \t\r\n")
    raw = raw.replace(b"\\r", b"").replace(b"\\n", b"\n")
    if b"-----BEGIN " in raw:
        return raw
    try:
        return b64decode(b"".join(raw.split()), validate=True) or raw
    except (BadBase64Error, ValueError):
        return raw


def _from_pem(raw: bytes) -> Any:
    blocks = [(label, body) for label, body in _BLOCK.findall(raw) if label != b"EC PARAMETERS"]
    if not blocks:
        raise BadConfigurationError(f"the PEM text is not complete. {_WHOLE}")
    # Of a key and the certificate that belongs to it, the private key has both halves.
    label, body = next((block for block in blocks if block[0].endswith(b"PRIVATE KEY")), blocks[0])
    text = b"-----BEGIN %b-----\n%b\n-----END %b-----\n" % (label, _lines(body), label)
    if label in _CERTIFICATES:
        load: Callable[[bytes], Any] = _certificate_from_pem
    else:
        load = _private_from_pem if label.endswith(b"PRIVATE KEY") else load_pem_public_key
    key = _first(text, [load])
    if key is None:
        raise BadConfigurationError(f"the PEM text cannot be read. {_WHOLE}")
    return key


def _lines(body: bytes) -> bytes:
    letters = b"".join(body.split())
    return b"\n".join(letters[start : start + 64] for start in range(0, len(letters), 64))


def _first(raw: bytes, loaders: Iterable[Callable[[bytes], Any]]) -> Any:
    """Read with the first loader that can; the parser's own errors may quote the key."""
    for load in loaders:
        try:
            return load(raw)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            continue
    return None


def _private_from_pem(raw: bytes) -> Any:
    return load_pem_private_key(raw, password=None)


def _private_from_der(raw: bytes) -> Any:
    return load_der_private_key(raw, password=None)


def _certificate_from_pem(raw: bytes) -> Any:
    return load_pem_x509_certificate(raw).public_key()


def _certificate_from_der(raw: bytes) -> Any:
    return load_der_x509_certificate(raw).public_key()
