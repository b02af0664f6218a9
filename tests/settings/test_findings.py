"""The doctor's findings, by table: what each is found for, and that a good configuration has none."""

import secrets
from base64 import b64encode
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from tests.cli.conftest import SECRET

from authx import AuthXConfig
from authx.config import findings
from authx.settings.environment import variable_findings
from authx.settings.secrets import is_example, is_monotonous
from authx.tokens.configured_keys import key_findings

GOOD = {"JWT_SECRET_KEY": SECRET}
IN_COOKIES = {"JWT_TOKEN_LOCATION": ["cookies"], "JWT_REFRESH_COOKIE_PATH": "/auth"}


def pem(key) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


ED25519 = Ed25519PrivateKey.generate()
PRIVATE = pem(ED25519)
PUBLIC = ED25519.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
RSA_SHORT = pem(generate_private_key(65537, 1024))


def of_config(fields, store="lasting", workers=1):
    config = AuthXConfig(**fields)
    return [*key_findings(config), *findings(config, store, workers)]


def found(*arguments) -> list[tuple[str, str]]:
    return [(finding.severity, finding.code) for finding in of_config(*arguments)]


@pytest.mark.parametrize(
    "fields",
    [
        GOOD,
        GOOD | IN_COOKIES,
        GOOD | {"JWT_TOKEN_LOCATION": ["headers"], "JWT_REFRESH_TOKEN_LOCATION": ["cookies"]} | IN_COOKIES,
        GOOD | {"JWT_TOKEN_LOCATION": ["headers", "json"]},
        GOOD | {"JWT_ENCODE_AUDIENCE": ["api", "web"], "JWT_DECODE_AUDIENCE": "api"},
        GOOD | {"JWT_ENCODE_ISSUER": "me", "JWT_DECODE_ISSUER": "me"},
        {"JWT_ALGORITHM": "EdDSA", "JWT_PRIVATE_KEY": PRIVATE},
        {"JWT_ALGORITHM": "HS512", "JWT_SECRET_KEY": "x" + SECRET + SECRET[::-1]},
        # What an algorithm does not use is not looked at.
        {"JWT_ALGORITHM": "EdDSA", "JWT_PRIVATE_KEY": PRIVATE, "JWT_SECRET_KEY": "secret"},
        # Nor cookies where no token travels in them.
        GOOD | {"JWT_COOKIE_SECURE": False, "JWT_COOKIE_HTTP_ONLY": False, "JWT_COOKIE_CSRF_PROTECT": False},
        # Another site's front end is no mistake where its origin is named.
        GOOD | IN_COOKIES | {"JWT_COOKIE_SAMESITE": "none", "JWT_CSRF_TRUSTED_ORIGINS": ["https://front.example"]},
    ],
)
def test_nothing_is_found_in_a_good_configuration(fields):
    assert found(fields) == []


@pytest.mark.parametrize(
    ("fields", "severity", "code"),
    [
        ({}, "error", "key-missing"),
        ({"JWT_ALGORITHM": "EdDSA"}, "error", "key-missing"),
        ({"JWT_ALGORITHM": "EdDSA", "JWT_PUBLIC_KEY": PUBLIC}, "info", "key-verifies-only"),
        ({"JWT_ALGORITHM": "RS256", "JWT_PRIVATE_KEY": RSA_SHORT}, "error", "key-unusable"),
        ({"JWT_ALGORITHM": "RS256", "JWT_PRIVATE_KEY": "private.pem"}, "error", "key-unusable"),
        ({"JWT_SECRET_KEY": "x7Kq-2"}, "error", "secret-short"),
        ({"JWT_SECRET_KEY": "your-secret-key"}, "error", "secret-example"),
        ({"JWT_SECRET_KEY": "ab" * 20}, "error", "secret-monotonous"),
        ({"JWT_SECRET_KEY": SECRET, "JWT_ALGORITHM": "HS512"}, "warning", "secret-shorter-than-hash"),
        ({"JWT_SECRET_KEY": SECRET, "JWT_PREVIOUS_SECRET_KEY": "x7Kq-2"}, "error", "secret-short"),
        (
            {
                "JWT_ALGORITHM": "EdDSA",
                "JWT_PRIVATE_KEY": PRIVATE,
                "JWT_SECRET_KEY": "x7Kq-2",
                "JWT_DECODE_ALGORITHMS": ["HS256"],
            },
            "error",
            "secret-short",
        ),
    ],
)
def test_weak_keys_are_found(fields, severity, code):
    assert (severity, code) in found(fields)


@pytest.mark.parametrize(("field", "key"), [("JWT_PRIVATE_KEY", PRIVATE), ("JWT_PUBLIC_KEY", PUBLIC)])
def test_a_key_whose_algorithm_is_not_set_is_named(field, key):
    missing, *_ = of_config({field: key})
    assert missing.code == "key-missing"
    assert missing.change.endswith(f"or JWT_ALGORITHM=… as {field} needs it")


@pytest.mark.parametrize(
    ("fields", "findings"),
    [
        ({"JWT_PREVIOUS_SECRET_KEY": SECRET[::-1]}, [("info", "key-previous")]),
        (
            {
                "JWT_ALGORITHM": "EdDSA",
                "JWT_PRIVATE_KEY": PRIVATE,
                "JWT_DECODE_ALGORITHMS": ["HS256"],
            },
            [("info", "secret-accepted")],
        ),
        # Where tokens travel
        ({"JWT_TOKEN_LOCATION": ["headers", "query"]}, [("warning", "token-in-query")]),
        ({"JWT_REFRESH_TOKEN_LOCATION": ["query"]}, [("warning", "token-in-query")]),
        # Cookies
        (IN_COOKIES | {"JWT_COOKIE_SECURE": False}, [("error", "cookie-insecure")]),
        (IN_COOKIES | {"JWT_COOKIE_SECURE": "auto"}, [("info", "cookie-secure-auto")]),
        (IN_COOKIES | {"JWT_COOKIE_HTTP_ONLY": False}, [("error", "cookie-readable")]),
        (IN_COOKIES | {"JWT_COOKIE_SAMESITE": None}, [("warning", "cookie-samesite-missing")]),
        (IN_COOKIES | {"JWT_COOKIE_SAMESITE": "none"}, [("warning", "cookie-samesite-none")]),
        (IN_COOKIES | {"JWT_COOKIE_CSRF_PROTECT": False}, [("warning", "csrf-off")]),
        (IN_COOKIES | {"JWT_COOKIE_CSRF_PROTECT": False, "JWT_COOKIE_SAMESITE": "none"}, [("error", "csrf-off")]),
        (IN_COOKIES | {"JWT_CSRF_METHODS": ["POST"]}, [("warning", "csrf-methods")]),
        (IN_COOKIES | {"JWT_COOKIE_DOMAIN": "example.org"}, [("info", "cookie-domain")]),
        (IN_COOKIES | {"JWT_REFRESH_COOKIE_PATH": "/"}, [("info", "cookie-refresh-path")]),
        ({"JWT_REFRESH_TOKEN_LOCATION": ["cookies"]}, [("info", "cookie-refresh-path")]),
        # Lifetimes
        ({"JWT_ACCESS_TOKEN_EXPIRES": timedelta(hours=1)}, []),
        ({"JWT_ACCESS_TOKEN_EXPIRES": timedelta(minutes=61)}, [("warning", "access-long")]),
        ({"JWT_REFRESH_TOKEN_EXPIRES": None}, [("warning", "refresh-endless")]),
        ({"JWT_REFRESH_TOKEN_EXPIRES": timedelta(minutes=5)}, [("warning", "access-outlives-refresh")]),
        ({"JWT_REFRESH_TOKEN_EXPIRES": timedelta(days=90)}, []),
        ({"JWT_REFRESH_TOKEN_EXPIRES": timedelta(days=91)}, [("warning", "refresh-outlives-session")]),
        ({"JWT_SESSION_MAX_AGE": None}, [("info", "session-endless")]),
        ({"JWT_REFRESH_GRACE_PERIOD": timedelta(0)}, [("warning", "grace-off")]),
        ({"JWT_REFRESH_GRACE_PERIOD": timedelta(minutes=1)}, []),
        ({"JWT_REFRESH_GRACE_PERIOD": timedelta(minutes=2)}, [("warning", "grace-long")]),
        ({"JWT_DECODE_LEEWAY": 60}, []),
        ({"JWT_DECODE_LEEWAY": 61}, [("warning", "leeway-long")]),
        # Revocation
        ({"JWT_REVOCATION_CHECK": "none"}, [("warning", "revocation-off")]),
        ({"JWT_REVOCATION_CHECK": "store"}, []),
        ({"JWT_REVOCATION_MAX_STALENESS": None}, [("info", "staleness-unbounded")]),
        # Names
        ({"JWT_ENCODE_AUDIENCE": "api"}, [("warning", "audience-refused")]),
        ({"JWT_ENCODE_AUDIENCE": "api", "JWT_DECODE_AUDIENCE": ["web"]}, [("warning", "audience-refused")]),
        ({"JWT_DECODE_AUDIENCE": "api"}, [("info", "audience-missing")]),
        ({"JWT_ENCODE_ISSUER": "me", "JWT_DECODE_ISSUER": "you"}, [("warning", "issuer-refused")]),
        ({"JWT_DECODE_ISSUER": "you"}, [("info", "issuer-missing")]),
        ({"JWT_ERROR_STATUS": "authx"}, [("info", "answers-as-authx")]),
    ],
)
def test_what_is_risky_is_found_and_nothing_else(fields, findings):
    assert found(GOOD | fields) == findings


def test_access_tokens_without_an_end_are_an_error():
    assert ("error", "access-endless") in found(GOOD | {"JWT_ACCESS_TOKEN_EXPIRES": None})


@pytest.mark.parametrize(
    ("store", "workers", "findings"),
    [
        ("none", 1, [("info", "store-none")]),
        ("memory", 1, [("warning", "memory-forgets")]),
        ("memory", 4, [("error", "memory-workers")]),
        ("lasting", 4, []),
    ],
)
def test_the_store_has_to_fit_the_number_of_processes(store, workers, findings):
    assert found(GOOD, store, workers) == findings


def test_without_a_store_what_concerns_sessions_is_not_looked_at():
    fields = {"JWT_REFRESH_GRACE_PERIOD": timedelta(0), "JWT_SESSION_MAX_AGE": None, "JWT_REVOCATION_CHECK": "none"}
    assert found(GOOD | fields, "none") == [("info", "store-none")]


@pytest.mark.parametrize(
    "secret",
    [
        "your-secret-key",
        "yourSecretKey",
        "SECRET_KEY",
        "changeme",
        "ChangeMe123!",
        "change-me-in-production-please-change-me",
        "super-secret-jwt-token-with-at-least-32-characters-long",
        "a-string-secret-at-least-256-bits-long",
        "your-256-bit-secret",
        "<REPLACE_ME>",
        "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7",
    ],
)
def test_examples_and_placeholders_are_recognised(secret):
    assert is_example(secret)


@pytest.mark.parametrize(
    "secret",
    [
        "a" * 40,
        "0123456789" * 4,
        "abcdefghijklmnopqrstuvwxyz0123456789",
        "zyxwvutsrqponmlkjihgfedcba9876543210",
        "hunter2-hunter2-hunter2-hunter2-hunter2",
        "xyz" * 15 + "x",
    ],
)
def test_long_secrets_that_hold_little_are_recognised(secret):
    assert is_monotonous(secret)


@pytest.mark.parametrize(
    "make",
    [
        lambda: secrets.token_urlsafe(32),
        lambda: secrets.token_hex(32),
        lambda: secrets.token_hex(16),
        lambda: b64encode(secrets.token_bytes(48)).decode(),
        lambda: str(secrets.randbits(128)).rjust(38, "7"),
    ],
)
def test_random_secrets_are_never_taken_for_anything_else(make):
    made = [make() for _ in range(300)]
    assert not [secret for secret in made if is_example(secret) or is_monotonous(secret)]


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("JWT_SECRET", "JWT_SECRET_KEY"),
        ("JWT_ACCESS_TOKEN_EXPIRE", "JWT_ACCESS_TOKEN_EXPIRES"),
        ("jwt_acces_token_expires", "JWT_ACCESS_TOKEN_EXPIRES"),
        ("JWT_COOKIE_SAME_SITE", "JWT_COOKIE_SAMESITE"),
        ("JWT_STORE_URI", "JWT_STORE_URL"),
    ],
)
def test_a_variable_that_is_a_setting_but_for_a_letter_is_found(name, meant):
    (finding,) = variable_findings([name], AuthXConfig.model_fields)
    assert finding.code == "variable-unknown"
    assert meant in finding.change


@pytest.mark.parametrize("name", ["JWT_SECRET_KEY", "jwt_secret_key", "JWT_OF_SOMEBODY_ELSE", "PATH", "SECRET"])
def test_other_variables_are_left_alone(name):
    assert list(variable_findings([name], AuthXConfig.model_fields)) == []


def test_no_finding_repeats_a_secret():
    fields = {
        "JWT_ALGORITHM": "HS512",
        "JWT_SECRET_KEY": "hush-7Kq",
        "JWT_PREVIOUS_SECRET_KEY": "your-secret-key",
        "JWT_STORE_URL": "redis://:hush-7Kq@localhost",
    }
    texts = [text for one in of_config(fields, "memory") for text in (one.message, one.why, one.change)]
    assert not [text for text in texts if "hush" in text or "your-secret-key" in text]
