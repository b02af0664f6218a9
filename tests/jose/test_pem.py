"""Keys as environments, panels and tools hand them over: read, or refused with what to do, and never quoted."""

from base64 import b64encode
from datetime import UTC, datetime, timedelta
from functools import cache

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption
from cryptography.x509.oid import NameOID

from authx.config import AuthXConfig
from authx.exceptions import BadConfigurationError
from authx.jose.key import key_from_pem
from authx.tokens.configured_keys import build_ring

PKCS8 = serialization.PrivateFormat.PKCS8
TRADITIONAL = serialization.PrivateFormat.TraditionalOpenSSL
MESSAGE = b"header.payload"


@cache
def pair(algorithm):
    return {
        "RS256": lambda: rsa.generate_private_key(65537, 2048),
        "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
        "EdDSA": ed25519.Ed25519PrivateKey.generate,
    }[algorithm]()


def private(algorithm, encoding=Encoding.PEM, form=PKCS8, encryption=None):
    raw = pair(algorithm).private_bytes(encoding, form, encryption or NoEncryption())
    return raw.decode() if encoding is Encoding.PEM else raw


def public(algorithm, encoding=Encoding.PEM, form=serialization.PublicFormat.SubjectPublicKeyInfo):
    raw = pair(algorithm).public_key().public_bytes(encoding, form)
    return raw if encoding is Encoding.DER else raw.decode()


@cache
def certificate(algorithm):
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "long expired")])
    begin = datetime(2001, 1, 1, tzinfo=UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(pair(algorithm).public_key())
        .serial_number(1)
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(days=1))
    )
    digest = None if algorithm == "EdDSA" else hashes.SHA256()
    return made.sign(pair(algorithm), digest)


def certificate_pem(algorithm):
    return certificate(algorithm).public_bytes(Encoding.PEM).decode()


def request_pem():
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "asks")])
    made = x509.CertificateSigningRequestBuilder().subject_name(name).sign(pair("ES256"), hashes.SHA256())
    return made.public_bytes(Encoding.PEM).decode()


def body(pem):
    return "".join(pem.splitlines()[1:-1])


WRAPPINGS = {
    "as it is": lambda pem: pem,
    "white space around it": lambda pem: f"\n\t {pem} \r\n",
    r"\n as two characters": lambda pem: pem.replace("\n", "\\n"),
    r"\r\n as four characters": lambda pem: pem.replace("\n", "\\r\\n"),
    "Windows line ends": lambda pem: pem.replace("\n", "\r\n"),
    "old Mac line ends": lambda pem: pem.replace("\n", "\r"),
    "spaces for line ends": lambda pem: pem.replace("\n", " ").strip(),
    "indented": lambda pem: pem.replace("\n", "\n    "),
    "one long line": lambda pem: f"{pem.splitlines()[0]}\n{body(pem)}\n{pem.splitlines()[-1]}",
    "double quotes": lambda pem: f'"{pem}"',
    "single quotes": lambda pem: f"'{pem}'",
    r"quotes and \n": lambda pem: '"' + pem.replace("\n", "\\n") + '"',
    "byte order mark": lambda pem: "\ufeff" + pem,
    "text before it": lambda pem: f"Bag Attributes\n    friendlyName: mine\n{pem}",
    "base64": lambda pem: b64encode(pem.encode()).decode(),
    "base64 in lines": lambda pem: "\n".join(b64encode(pem.encode()).decode()[i : i + 76] for i in range(0, 9999, 76)),
    "bytes": lambda pem: pem.encode(),
}


@pytest.mark.parametrize("wrap", WRAPPINGS.values(), ids=WRAPPINGS)
def test_a_key_is_read_whatever_the_environment_made_of_its_line_breaks(wrap):
    signer = key_from_pem(wrap(private("RS256")), "RS256")
    for material in (public("RS256"), certificate_pem("RS256")):
        verifier = key_from_pem(wrap(material), "RS256")
        assert verifier.verify(MESSAGE, signer.sign(MESSAGE))
        assert (verifier.kid, verifier.can_sign) == (signer.kid, False)


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
@pytest.mark.parametrize("write", [bytes, lambda der: b64encode(der).decode()], ids=["DER", "base64 of DER"])
def test_keys_in_der_form_are_read(algorithm, write):
    signer = key_from_pem(write(private(algorithm, Encoding.DER)), algorithm)
    for der in (public(algorithm, Encoding.DER), certificate(algorithm).public_bytes(Encoding.DER)):
        assert key_from_pem(write(der), algorithm).verify(MESSAGE, signer.sign(MESSAGE))


def test_rsa_keys_in_the_forms_of_pkcs_1_are_read():
    signer = key_from_pem(private("RS256", form=TRADITIONAL), "RS256")
    old = public("RS256", form=serialization.PublicFormat.PKCS1)
    assert old.startswith("-----BEGIN RSA PUBLIC KEY-----")
    assert key_from_pem(old, "RS256").verify(MESSAGE, signer.sign(MESSAGE))


def test_what_openssl_writes_before_a_key_is_passed_over():
    parameters = "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
    assert key_from_pem(parameters + private("ES256"), "ES256").can_sign


def test_of_a_chain_of_certificates_the_first_counts():
    chain = certificate_pem("ES256") + certificate_pem("RS256")
    assert key_from_pem(chain, "ES256").kid == key_from_pem(public("ES256"), "ES256").kid


@pytest.mark.parametrize("in_order", [True, False])
def test_of_a_key_and_its_certificate_the_key_counts(in_order):
    both = [private("ES256"), certificate_pem("ES256")]
    assert key_from_pem("".join(both if in_order else both[::-1]), "ES256").can_sign


# Each with what its message has to name.
FOREIGN = {
    "an OpenSSH private key": (
        lambda: private("RS256", form=serialization.PrivateFormat.OpenSSH),
        "copy of it to PEM: ssh-keygen -p -m PEM -f copy",
    ),
    "an encrypted OpenSSH private key": (
        lambda: private("RS256", form=serialization.PrivateFormat.OpenSSH).replace("\n", "\\n"),
        "copy of it to PEM: ssh-keygen -p -m PEM -f copy",
    ),
    "an OpenSSH Ed25519 key": (
        lambda: private("EdDSA", form=serialization.PrivateFormat.OpenSSH),
        "ssh-keygen -p -m PKCS8 -f copy",
    ),
    **{
        f"an OpenSSH public key of {algorithm}": (
            lambda algorithm=algorithm: public(algorithm, Encoding.OpenSSH, serialization.PublicFormat.OpenSSH),
            "ssh-keygen -e -m PKCS8",
        )
        for algorithm in ("RS256", "ES256", "EdDSA")
    },
    "an SSH2 public key": (
        lambda: "---- BEGIN SSH2 PUBLIC KEY ----\nAAAAsecret\n---- END SSH2 PUBLIC KEY ----",
        "ssh-keygen -e",
    ),
    "a PuTTY key": (lambda: "PuTTY-User-Key-File-3: ssh-rsa\nsecret", "puttygen"),
    "a PGP key": (lambda: "-----BEGIN PGP PRIVATE KEY BLOCK-----\nsecret\n-----END PGP PRIVATE KEY BLOCK-----", "PGP"),
    "an encrypted key": (lambda: private("RS256", encryption=BestAvailableEncryption(b"x")), "openssl pkey -in"),
    "a key encrypted as of old": (
        lambda: private("RS256", Encoding.PEM, TRADITIONAL, BestAvailableEncryption(b"x")),
        "openssl pkey -in",
    ),
    "a certificate request": (request_pem, "certificate request"),
    "a JSON Web Key": (lambda: '{"kty": "oct", "k": "secret"}', "JSON Web Key"),
    "a path": (lambda: "/run/secrets/private.pem", "content"),
    "a path without an extension": (lambda: "/run/secrets/privatekey", "content"),
    "a path on Windows": (lambda: "C:\\keys\\new\\private.pem", "content"),
    "nothing": (lambda: "", "PEM"),
    "quotes with nothing in them": (lambda: '""', "PEM"),
    "a word": (lambda: "secret", "PEM"),
    "the first half": (lambda: private("RS256")[:900], "not complete"),
    "without its last dashes": (lambda: private("RS256").rstrip()[:-3], "not complete"),
    "without its first lines": (lambda: private("RS256")[200:], "PEM"),
    "with a letter lost": (lambda: private("RS256").replace("MII", "MI", 1), "cannot be read"),
    "a body that is no base64": (
        lambda: "-----BEGIN PRIVATE KEY-----\n%%secret%%\n-----END PRIVATE KEY-----",
        "cannot be read",
    ),
}


@pytest.mark.parametrize(("material", "advice"), FOREIGN.values(), ids=FOREIGN)
def test_what_cannot_be_read_is_refused_with_what_to_do_and_without_a_part_of_it(material, advice):
    text = material()
    with pytest.raises(BadConfigurationError) as refusal:
        build_ring(AuthXConfig(JWT_ALGORITHM="RS256", JWT_PRIVATE_KEY=text))
    message = str(refusal.value)
    assert message.startswith("JWT_PRIVATE_KEY: ")
    assert advice in message
    assert "secret " not in message.replace("secret store", "")
    assert not any(part in message for part in (line.strip() for line in text.splitlines()[1:-1]) if len(part) > 5)


@pytest.mark.parametrize("wrap", WRAPPINGS.values(), ids=WRAPPINGS)
def test_a_private_key_in_the_place_of_a_public_one_is_refused_in_every_form(wrap):
    material = wrap(private("ES256"))
    text = material.decode() if isinstance(material, bytes) else material
    for field in ("JWT_PUBLIC_KEY", "JWT_PREVIOUS_PUBLIC_KEY"):
        with pytest.raises(BadConfigurationError, match=f"{field} holds a private key") as refusal:
            build_ring(AuthXConfig(**{"JWT_ALGORITHM": "ES256", "JWT_PUBLIC_KEY": public("ES256")} | {field: text}))
        assert body(private("ES256"))[:20] not in str(refusal.value)


@pytest.mark.parametrize("material", [public, certificate_pem])
def test_a_public_key_in_the_place_of_a_private_one_is_refused(material):
    with pytest.raises(BadConfigurationError, match="JWT_PRIVATE_KEY is a public key or a certificate"):
        build_ring(AuthXConfig(JWT_ALGORITHM="ES256", JWT_PRIVATE_KEY=material("ES256")))


def test_a_certificate_is_accepted_for_each_public_key():
    ring = build_ring(
        AuthXConfig(
            JWT_ALGORITHM="ES256",
            JWT_PRIVATE_KEY=private("ES256"),
            JWT_PUBLIC_KEY=certificate_pem("ES256"),
            JWT_PREVIOUS_PUBLIC_KEY=certificate_pem("RS256"),
            JWT_DECODE_ALGORITHMS=["RS256"],
        )
    )
    assert [key.algorithm for key in ring.verifiers] == ["ES256", "RS256"]
