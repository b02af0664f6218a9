"""Settings that cannot work are refused."""

import importlib.util
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from tests.settings.pems import pem, private_pem, public_pem, rsa_pem
from tests.support.apps import SECRET, make_auth, make_door
from tests.support.tokens import bearer

from authx import AuthX, AuthXConfig
from authx.exceptions import BadConfigurationError

COOKIE_NAMES = [
    "JWT_ACCESS_COOKIE_NAME",
    "JWT_REFRESH_COOKIE_NAME",
    "JWT_ACCESS_CSRF_COOKIE_NAME",
    "JWT_REFRESH_CSRF_COOKIE_NAME",
]
COOKIE_PATHS = [name.replace("NAME", "PATH") for name in COOKIE_NAMES]

# Settings that contradict each other, and a part of the advice.
CONTRADICTIONS: list[tuple[dict[str, Any], str]] = [
    ({"JWT_COOKIE_SAMESITE": "none", "JWT_COOKIE_SECURE": False}, "JWT_COOKIE_SECURE=True"),
    ({"JWT_COOKIE_SAMESITE": "none", "JWT_COOKIE_SECURE": "auto"}, "JWT_COOKIE_SECURE=True"),
    *[
        ({one: "same", other: "same"}, "four different names")
        for index, one in enumerate(COOKIE_NAMES)
        for other in COOKIE_NAMES[index + 1 :]
    ],
    *[
        ({COOKIE_NAMES[0]: name}, f"{COOKIE_NAMES[0]}=.* cannot be a cookie's name")
        for name in ("", "a b", "a;b", "a=b", "a,b", "ä", 'a"b', "a\r\nSet-Cookie: b")
    ],
    *[({field: path}, field) for field in COOKIE_PATHS for path in ("", "auth", "/a; Domain=evil.example", "/a\nb")],
    *[
        ({name: "__Host-one"} | more, "__Host- cookie needs")
        for name in COOKIE_NAMES
        for more in (
            {"JWT_COOKIE_SECURE": False},
            {"JWT_COOKIE_SECURE": "auto"},
            {"JWT_COOKIE_DOMAIN": "example.org"},
            {name.replace("NAME", "PATH"): "/auth"},
        )
    ],
    *[
        ({name: "__Secure-one", "JWT_COOKIE_SECURE": secure}, "__Secure- cookie needs JWT_COOKIE_SECURE=True")
        for name in COOKIE_NAMES
        for secure in (False, "auto")
    ],
    *[
        ({"JWT_COOKIE_DOMAIN": domain}, "JWT_COOKIE_DOMAIN must be a host name")
        for domain in ("", "https://example.org", "example.org:8000", "example.org/app", "example.org; Secure", "a\nb")
    ],
    *[
        ({field: name}, f"{field} is no header name")
        for field in ("JWT_HEADER_NAME", "JWT_ACCESS_CSRF_HEADER_NAME", "JWT_REFRESH_CSRF_HEADER_NAME")
        for name in ("", "X Token", "X-Token:", "X-Tøken", "X\r\nY")
    ],
    *[
        ({"JWT_RETRY_KEY_HEADER": name}, "JWT_RETRY_KEY_HEADER is no header name: use .* None ignores retry keys")
        for name in ("", "X Token", "X-Token:", "X-Tøken", "X\r\nY")
    ],
    *[
        ({"JWT_RETRY_KEY_HEADER": name, **fields}, "JWT_RETRY_KEY_HEADER")
        for name, fields in (
            ("authorization", {}),
            ("Authorization", {"JWT_HEADER_NAME": "X-Token"}),
            ("x-token", {"JWT_HEADER_NAME": "X-Token"}),
            ("x-csrf-token", {}),
            ("X-Proof", {"JWT_REFRESH_CSRF_HEADER_NAME": "x-proof"}),
            ("X-Proof", {"JWT_ACCESS_CSRF_HEADER_NAME": "x-proof"}),
            ("Cookie", {}),
            ("Content-Type", {}),
        )
    ],
    *[({"JWT_HEADER_TYPE": kind}, "JWT_HEADER_TYPE") for kind in ("Bearer ", "My Token", "Bearer,", "a\nb")],
    *[({"JWT_REALM": realm}, "JWT_REALM") for realm in ('a"b', "a\\b", "a\r\nSet-Cookie: b", "café", "a\0b")],
    *[
        ({field: ""}, f"{field} is empty")
        for field in ("JWT_QUERY_STRING_NAME", "JWT_JSON_KEY", "JWT_REFRESH_JSON_KEY", "JWT_ERROR_MESSAGE_KEY")
    ],
    *[({"JWT_ERROR_MESSAGE_KEY": key}, "another key") for key in ("error_type", "code", "action")],
    *[
        ({field: [origin]}, rf"{field}: .* write scheme://host")
        for field in ("JWT_ORIGINS", "JWT_CSRF_TRUSTED_ORIGINS")
        for origin in (
            "*",
            "",
            "null",
            "front.example",
            "https://front.example/",
            "https://front.example/app",
            "https://Front.example",
            "https://front.example:port",
            "https://front.example:99999",
            "https://user@front.example",
            "https://*.example",
        )
    ],
    ({"JWT_DECODE_LEEWAY": -1}, "JWT_DECODE_LEEWAY is negative"),
    *[
        ({"JWT_IDENTITY_CLAIM": name}, "JWT_IDENTITY_CLAIM")
        for name in ("", "jti", "type", "iat", "exp", "nbf", "iss", "aud", "csrf", "scopes", "fresh", "login_type")
    ],
    *[({"JWT_IDENTITY_CLAIM": name}, "JWT_IDENTITY_CLAIM") for name in ("sid", "gen", "cnf")],
    *[
        ({field: "-----BEGIN PUBLIC KEY-----\nMIIB"}, "who has the public key")
        for field in ("JWT_SECRET_KEY", "JWT_PREVIOUS_SECRET_KEY")
    ],
    # No token could be used.
    *[
        ({field: lifetime}, field)
        for field in ("JWT_ACCESS_TOKEN_EXPIRES", "JWT_REFRESH_TOKEN_EXPIRES")
        for lifetime in (timedelta(0), timedelta(seconds=-1), timedelta(days=9_000_000))
    ],
    # A value for one purpose would be read for another.
    (
        {"JWT_TOKEN_LOCATION": ["headers", "cookies"], "JWT_HEADER_NAME": "x-csrf-token"},
        "JWT_HEADER_NAME",
    ),
    *[({"JWT_ERROR_MESSAGE_KEY": key}, "another key") for key in ("retry_after", "expected_type", "actual_type")],
    *[
        ({"JWT_CSRF_CHECK_FORM": True, field: ""}, f"{field} is empty")
        for field in ("JWT_ACCESS_CSRF_FIELD_NAME", "JWT_REFRESH_CSRF_FIELD_NAME")
    ],
    # No browser sends these.
    *[
        ({field: [origin]}, "default port")
        for field in ("JWT_ORIGINS", "JWT_CSRF_TRUSTED_ORIGINS")
        for origin in ("https://front.example:443", "http://front.example:80", "https://bücher.example")
    ],
]

# Keys that contradict each other; keys are parsed when an instance takes the settings.
BAD_KEYS: list[tuple[str, Callable[[], dict[str, Any]], str]] = [
    ("a path", lambda: {"JWT_ALGORITHM": "ES256", "JWT_PRIVATE_KEY": "/etc/key.pem"}, "JWT_PRIVATE_KEY.*PEM"),
    ("an RSA key for ES256", lambda: {"JWT_ALGORITHM": "ES256", "JWT_PRIVATE_KEY": rsa_pem(2048)}, "JWT_PRIVATE_KEY"),
    ("an EC key for RS256", lambda: {"JWT_ALGORITHM": "RS256", "JWT_PRIVATE_KEY": pem("one")}, "JWT_PRIVATE_KEY"),
    ("another curve", lambda: {"JWT_ALGORITHM": "ES384", "JWT_PRIVATE_KEY": pem("one")}, "curve"),
    (
        "a public key of another kind",
        lambda: {"JWT_ALGORITHM": "RS256", "JWT_PRIVATE_KEY": rsa_pem(2048), "JWT_PUBLIC_KEY": public_pem("one")},
        "JWT_PUBLIC_KEY",
    ),
    ("a short RSA key", lambda: {"JWT_ALGORITHM": "RS256", "JWT_PRIVATE_KEY": rsa_pem(1024)}, "2048"),
    (
        "a public key in place of the private one",
        lambda: {"JWT_ALGORITHM": "ES256", "JWT_PRIVATE_KEY": public_pem("one")},
        "JWT_PRIVATE_KEY",
    ),
    (
        "an encrypted key",
        lambda: {
            "JWT_ALGORITHM": "ES256",
            "JWT_PRIVATE_KEY": private_pem(ec.generate_private_key(ec.SECP256R1()), b"password"),
        },
        "encrypted",
    ),
    (
        "a former public key of another kind",
        lambda: {
            "JWT_ALGORITHM": "RS256",
            "JWT_PRIVATE_KEY": rsa_pem(2048),
            "JWT_PREVIOUS_PUBLIC_KEY": public_pem("one"),
        },
        "JWT_DECODE_ALGORITHMS",
    ),
    (
        "halves of two pairs",
        lambda: {"JWT_ALGORITHM": "ES256", "JWT_PRIVATE_KEY": pem("one"), "JWT_PUBLIC_KEY": public_pem("two")},
        "JWT_PUBLIC_KEY",
    ),
    (
        "a former secret that no accepted algorithm uses",
        lambda: {"JWT_ALGORITHM": "ES256", "JWT_PRIVATE_KEY": pem("one"), "JWT_PREVIOUS_SECRET_KEY": SECRET},
        "JWT_DECODE_ALGORITHMS",
    ),
    (
        "a former public key that no accepted algorithm uses",
        lambda: {"JWT_SECRET_KEY": SECRET, "JWT_PREVIOUS_PUBLIC_KEY": public_pem("one")},
        "JWT_DECODE_ALGORITHMS",
    ),
]


class TestContradictions:
    @pytest.mark.parametrize(("fields", "advice"), CONTRADICTIONS, ids=str)
    def test_what_cannot_work_is_refused_with_what_to_do(self, fields, advice):
        with pytest.raises(BadConfigurationError, match=advice):
            AuthXConfig(**fields)

    @pytest.mark.parametrize(("fields", "advice"), [case[1:] for case in BAD_KEYS], ids=[case[0] for case in BAD_KEYS])
    def test_a_key_that_cannot_work_is_refused_when_the_instance_is_made(self, fields, advice):
        config = AuthXConfig(**fields())
        with pytest.raises(BadConfigurationError, match=advice):
            AuthX(config=config)

    def test_every_mistake_is_named_at_once(self):
        with pytest.raises(BadConfigurationError) as refusal:
            AuthXConfig(JWT_DECODE_LEEWAY=-1, JWT_REALM='"', JWT_COOKIE_DOMAIN="https://example.org")
        for field in ("JWT_DECODE_LEEWAY", "JWT_REALM", "JWT_COOKIE_DOMAIN"):
            assert field in str(refusal.value)

    def test_mistakes_in_the_environment_are_refused_alike(self, monkeypatch):
        monkeypatch.setenv("JWT_COOKIE_SAMESITE", "none")
        monkeypatch.setenv("JWT_COOKIE_SECURE", "false")
        with pytest.raises(BadConfigurationError):
            AuthXConfig()

    def test_form_fields_need_their_parser(self, monkeypatch):
        find = importlib.util.find_spec
        monkeypatch.setattr(
            "authx.http.runtime.find_spec", lambda name: None if name == "python_multipart" else find(name)
        )
        config = AuthXConfig(JWT_SECRET_KEY=SECRET, JWT_CSRF_CHECK_FORM=True)
        with pytest.raises(BadConfigurationError, match="pip install"):
            AuthX(config=config)

    @pytest.mark.parametrize(
        "fields",
        [
            {"JWT_COOKIE_SAMESITE": "none"},
            {"JWT_COOKIE_SAMESITE": None, "JWT_COOKIE_SECURE": False},
            {"JWT_ACCESS_COOKIE_NAME": "__Host-access"},
            {"JWT_REFRESH_COOKIE_NAME": "__Secure-refresh", "JWT_REFRESH_COOKIE_PATH": "/auth"},
            {"JWT_REFRESH_COOKIE_NAME": "__Secure-refresh", "JWT_COOKIE_DOMAIN": "example.org"},
            {"JWT_COOKIE_DOMAIN": ".example.org"},
            {"JWT_COOKIE_DOMAIN": "localhost"},
            {"JWT_HEADER_TYPE": ""},
            {"JWT_CSRF_TRUSTED_ORIGINS": ["https://front.example", "http://localhost:3000", "http://[::1]:8000"]},
            {"JWT_DECODE_LEEWAY": None},
            {"JWT_ENCODE_AUDIENCE": "them", "JWT_DECODE_AUDIENCE": "us"},
            {"JWT_TOKEN_LOCATION": [], "JWT_REFRESH_TOKEN_LOCATION": ["cookies"]},
            {"JWT_ALGORITHM": "RS256", "JWT_PRIVATE_KEY": None},
        ],
        ids=str,
    )
    def test_what_can_work_is_not_refused(self, fields):
        assert AuthX(config=AuthXConfig(**fields)).config.JWT_TOKEN_LOCATION is not None

    def test_a_former_pair_may_still_sign_while_the_next_one_is_made_known(self):
        fields = {"JWT_PRIVATE_KEY": pem("one"), "JWT_PUBLIC_KEY": public_pem("two")}
        auth = make_auth(JWT_ALGORITHM="ES256", **fields, JWT_PREVIOUS_PUBLIC_KEY=public_pem("one"))
        token = auth.create_access_token("alice")
        assert make_door(auth).get("/p", headers=bearer(token)).status_code == 200

    def test_a_missing_key_is_named_at_its_first_use_and_not_before(self):
        auth = AuthX()
        with pytest.raises(BadConfigurationError, match="JWT_SECRET_KEY is not set"):
            auth.create_access_token("alice")

    def test_a_missing_private_key_is_named_at_its_first_use(self):
        auth = AuthX(config=AuthXConfig(JWT_ALGORITHM="ES256", JWT_PUBLIC_KEY=public_pem("one")))
        with pytest.raises(BadConfigurationError, match="JWT_PRIVATE_KEY is not set"):
            auth.create_access_token("alice")
