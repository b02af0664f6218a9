"""Settings: where their values come from, what is refused, and what follows when one changes."""

import asyncio
import copy
import gc
import importlib.util
import inspect
import logging
import os
import pickle
import weakref
from collections.abc import Callable
from datetime import timedelta
from functools import cache
from types import FunctionType, ModuleType
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from fastapi import Request, Response
from pydantic import ValidationError
from tests.support.apps import SECRET, make_auth, make_door, with_cookie
from tests.support.tokens import OTHER_SECRET, bearer, claims_of, forge_access, header_of

from authx import AuthX, AuthXConfig
from authx.exceptions import BadConfigurationError, RefreshReusedError
from authx.settings.feature import FeatureSettings


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.upper().startswith("JWT_"):
            monkeypatch.delenv(name)


class TestSources:
    def test_a_keyword_goes_before_the_environment(self, monkeypatch):
        monkeypatch.setenv("JWT_HEADER_TYPE", "Token")
        assert AuthXConfig(JWT_HEADER_TYPE="Pass").JWT_HEADER_TYPE == "Pass"

    def test_the_environment_goes_before_the_default(self, monkeypatch):
        monkeypatch.setenv("JWT_HEADER_TYPE", "Token")
        assert AuthXConfig().JWT_HEADER_TYPE == "Token"

    @pytest.mark.parametrize("name", ["JWT_SECRET_KEY", "jwt_secret_key", "Jwt_Secret_Key"])
    def test_the_case_of_a_variable_does_not_matter(self, monkeypatch, name):
        monkeypatch.setenv(name, SECRET)
        assert AuthXConfig().JWT_SECRET_KEY == SECRET

    def test_the_environment_is_read_at_construction_and_never_after(self, monkeypatch):
        monkeypatch.setenv("JWT_HEADER_TYPE", "Token")
        config = AuthXConfig()
        monkeypatch.setenv("JWT_HEADER_TYPE", "Pass")
        assert config.JWT_HEADER_TYPE == "Token"
        assert AuthXConfig().JWT_HEADER_TYPE == "Pass"

    def test_a_file_is_read_only_where_it_is_named(self, tmp_path, monkeypatch):
        (tmp_path / ".env").write_text("JWT_HEADER_TYPE=Token\n")
        monkeypatch.chdir(tmp_path)
        assert AuthXConfig().JWT_HEADER_TYPE == "Bearer"
        assert AuthXConfig(_env_file=".env").JWT_HEADER_TYPE == "Token"

    @pytest.mark.parametrize("text", ["", " ", "\t\r\n"], ids=repr)
    @pytest.mark.parametrize("name", AuthXConfig.model_fields)
    def test_an_empty_variable_is_an_unset_one(self, monkeypatch, name, text):
        monkeypatch.setenv(name, text)
        config = AuthXConfig()
        assert config == AuthXConfig.model_construct()
        assert not config.model_fields_set

    def test_an_empty_line_of_a_file_is_an_unset_variable(self, tmp_path):
        (tmp_path / ".env").write_text("".join(f"{name}=\n" for name in AuthXConfig.model_fields))
        assert not AuthXConfig(_env_file=tmp_path / ".env").model_fields_set

    def test_an_empty_variable_does_not_hide_what_a_file_says(self, monkeypatch, tmp_path):
        monkeypatch.setenv("JWT_HEADER_TYPE", "")
        (tmp_path / ".env").write_text("JWT_HEADER_TYPE=Token\n")
        assert AuthXConfig(_env_file=tmp_path / ".env").JWT_HEADER_TYPE == "Token"

    def test_a_file_may_hold_variables_of_other_programs(self, tmp_path):
        (tmp_path / ".env").write_text("DATABASE_URL=x\nJWT_COOKIE_MAX_AGE=60\nJWT_TOKEN_LOCATION=cookies\n")
        config = AuthXConfig(_env_file=tmp_path / ".env")
        assert (config.JWT_COOKIE_MAX_AGE, config.JWT_TOKEN_LOCATION) == (60, ["cookies"])

    def test_a_mistake_in_a_file_names_the_file(self, tmp_path):
        (tmp_path / ".env").write_text("JWT_COOKIE_MAX_AGE=a-day\n")
        with pytest.raises(BadConfigurationError, match=r"JWT_COOKIE_MAX_AGE in .*\.env cannot be read") as refusal:
            AuthXConfig(_env_file=tmp_path / ".env")
        assert "a-day" not in str(refusal.value)

    def test_secrets_may_be_files_of_a_directory(self, tmp_path):
        (tmp_path / "jwt_secret_key").write_text(SECRET + "\n")
        (tmp_path / "jwt_token_location").write_text("cookies,headers\n")
        (tmp_path / "jwt_cookie_domain").write_text("\n")
        config = AuthXConfig(_secrets_dir=tmp_path)
        assert (config.JWT_SECRET_KEY, config.JWT_TOKEN_LOCATION) == (SECRET, ["cookies", "headers"])
        assert config.JWT_COOKIE_DOMAIN is None

    def test_every_variable_that_cannot_be_read_is_named_at_once_and_no_value_is(self, monkeypatch):
        wrong = {
            name: "k9-not-a-value"
            for name, field in AuthXConfig.model_fields.items()
            if "str" not in str(field.annotation)
        }
        for name, text in wrong.items():
            monkeypatch.setenv(name, text)
        with pytest.raises(BadConfigurationError) as refusal:
            AuthXConfig()
        assert [name for name in wrong if f"{name} in the environment" not in str(refusal.value)] == []
        assert "k9" not in str(refusal.value)

    def test_a_keyword_goes_before_a_variable_that_cannot_be_read(self, monkeypatch):
        monkeypatch.setenv("JWT_COOKIE_MAX_AGE", "a day")
        assert AuthXConfig(JWT_COOKIE_MAX_AGE=5).JWT_COOKIE_MAX_AGE == 5

    @pytest.mark.parametrize(
        ("name", "text", "value"),
        [
            ("JWT_ALGORITHM", "HS512\r", "HS512"),
            ("JWT_COOKIE_SECURE", " false ", False),
            ("JWT_COOKIE_MAX_AGE", "60\n", 60),
            ("JWT_COOKIE_MAX_AGE", "null", None),
            ("JWT_COOKIE_SAMESITE", "none", "none"),
            ("JWT_COOKIE_SAMESITE", "null", None),
            ("JWT_REVOCATION_CHECK", "none", "none"),
            ("JWT_RETRY_KEY_HEADER", "null", None),
            ("JWT_RETRY_KEY_HEADER", "None", None),
            ("JWT_RETRY_KEY_HEADER", "X-Attempt", "X-Attempt"),
            ("JWT_STORE_URL", "memory://\r", "memory://"),
            ("JWT_SECRET_KEY", " white space belongs to a secret ", " white space belongs to a secret "),
        ],
    )
    def test_white_space_around_a_value_is_none_of_it_except_in_a_secret(self, monkeypatch, name, text, value):
        monkeypatch.setenv(name, text)
        assert getattr(AuthXConfig(), name) == value

    def test_an_unknown_keyword_is_refused(self):
        with pytest.raises(ValidationError, match="JWT_SECRET"):
            AuthXConfig(JWT_SECRET="misspelt")

    def test_an_unknown_variable_is_none_of_our_business(self, monkeypatch):
        monkeypatch.setenv("JWT_SECRET", "of another program")
        assert AuthXConfig().JWT_SECRET_KEY is None

    def test_two_configurations_share_no_list(self):
        AuthXConfig().JWT_TOKEN_LOCATION.append("query")
        assert AuthXConfig().JWT_TOKEN_LOCATION == ["headers"]


class TestComposition:
    def test_every_setting_belongs_to_one_feature_and_is_described(self):
        features = [
            kind for kind in AuthXConfig.__mro__ if issubclass(kind, FeatureSettings) and kind is not AuthXConfig
        ]
        names = [name for feature in features for name in inspect.get_annotations(feature)]
        assert sorted(names) == sorted(AuthXConfig.model_fields)
        assert all(field.description for field in AuthXConfig.model_fields.values())

    def test_a_subclass_may_change_a_default_and_its_subclass_keeps_that(self):
        class Ours(AuthXConfig):
            JWT_HEADER_NAME: str = "X-Token"

        class Theirs(Ours):
            EXTRA: str = "more"

        assert (Ours().JWT_HEADER_NAME, Theirs().JWT_HEADER_NAME, Theirs().EXTRA) == ("X-Token", "X-Token", "more")
        assert AuthXConfig().JWT_HEADER_NAME == "Authorization"

    def test_settings_are_no_attributes_of_the_class(self):
        assert [name for name in AuthXConfig.model_fields if hasattr(AuthXConfig, name)] == []


MINUTE = timedelta(minutes=1)


class TestDurations:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("900", timedelta(seconds=900)),
            ("0.5", timedelta(milliseconds=500)),
            ("+60", MINUTE),
            (" 60 ", MINUTE),
            ("PT15M", timedelta(minutes=15)),
            ("P1D", timedelta(days=1)),
            ("P1DT1H", timedelta(hours=25)),
            ("00:15:00", timedelta(minutes=15)),
            ("1 day, 00:00:01", timedelta(days=1, seconds=1)),
            ("null", None),
            ("none", None),
            ("None", None),
            ("NULL", None),
        ],
    )
    @pytest.mark.parametrize("field", ["JWT_ACCESS_TOKEN_EXPIRES", "JWT_REFRESH_TOKEN_EXPIRES"])
    def test_the_environment_may_spell_a_lifetime_so(self, monkeypatch, field, text, expected):
        monkeypatch.setenv(field, text)
        assert getattr(AuthXConfig(), field) == expected

    @pytest.mark.parametrize("text", ["soon", "15m", "1e3", "nan", "inf", "0x10"])
    def test_the_environment_may_not_spell_a_lifetime_so(self, monkeypatch, text):
        monkeypatch.setenv("JWT_ACCESS_TOKEN_EXPIRES", text)
        with pytest.raises(BadConfigurationError, match="JWT_ACCESS_TOKEN_EXPIRES"):
            AuthXConfig()

    @pytest.mark.parametrize("text", ["null", "none"])
    def test_a_duration_that_has_to_be_there_cannot_be_none(self, monkeypatch, text):
        monkeypatch.setenv("JWT_IMPLICIT_REFRESH_DELTATIME", text)
        with pytest.raises(BadConfigurationError, match="JWT_IMPLICIT_REFRESH_DELTATIME"):
            AuthXConfig()

    def test_a_duration_that_has_to_be_there_may_be_bare_seconds(self, monkeypatch):
        monkeypatch.setenv("JWT_IMPLICIT_REFRESH_DELTATIME", "60")
        assert AuthXConfig().JWT_IMPLICIT_REFRESH_DELTATIME == MINUTE

    @pytest.mark.parametrize("value", [MINUTE, 60, 60.0, "PT1M", "00:01:00", "60"])
    def test_a_keyword_may_give_a_lifetime_so(self, value):
        assert AuthXConfig(JWT_ACCESS_TOKEN_EXPIRES=value).JWT_ACCESS_TOKEN_EXPIRES == MINUTE


class TestSequences:
    def test_the_environment_spells_them_as_json(self, monkeypatch):
        monkeypatch.setenv("JWT_TOKEN_LOCATION", '["cookies", "headers"]')
        assert AuthXConfig().JWT_TOKEN_LOCATION == ["cookies", "headers"]

    @pytest.mark.parametrize(
        ("field", "text", "expected"),
        [
            ("JWT_TOKEN_LOCATION", "cookies", ["cookies"]),
            ("JWT_TOKEN_LOCATION", "headers,cookies", ["headers", "cookies"]),
            ("JWT_TOKEN_LOCATION", " headers , cookies, ", ["headers", "cookies"]),
            ("JWT_REFRESH_TOKEN_LOCATION", "cookies,json", ["cookies", "json"]),
            ("JWT_CSRF_METHODS", "POST, PUT", ["POST", "PUT"]),
            (
                "JWT_CSRF_TRUSTED_ORIGINS",
                "https://a.example, https://b.example:8443",
                ["https://a.example", "https://b.example:8443"],
            ),
            ("JWT_DECODE_ALGORITHMS", "HS256,HS512", ["HS256", "HS512"]),
            ("JWT_IMPLICIT_REFRESH_ROUTE_EXCLUDE", "/a,/b", ["/a", "/b"]),
            ("JWT_DECODE_AUDIENCE", "us, you", ["us", "you"]),
            ("JWT_DECODE_AUDIENCE", '["us,you"]', ["us,you"]),
            ("JWT_ENCODE_AUDIENCE", " us ", "us"),
        ],
    )
    def test_the_environment_separates_them_by_commas(self, monkeypatch, field, text, expected):
        monkeypatch.setenv(field, text)
        assert getattr(AuthXConfig(), field) == expected

    @pytest.mark.parametrize("text", ['["cookies"', "[cookies]", '["body"]', "[1]", "body", "cookies;headers"])
    @pytest.mark.parametrize(
        "field", ["JWT_TOKEN_LOCATION", "JWT_REFRESH_TOKEN_LOCATION", "JWT_CSRF_METHODS", "JWT_DECODE_ALGORITHMS"]
    )
    def test_a_list_that_cannot_be_read_is_refused_with_the_form_that_can(self, monkeypatch, field, text):
        monkeypatch.setenv(field, text)
        with pytest.raises(BadConfigurationError, match=rf"^{field} in the environment.* such as {field}=\w+,\w+,"):
            AuthXConfig()

    def test_none_is_null_where_there_may_be_none(self, monkeypatch):
        monkeypatch.setenv("JWT_REFRESH_TOKEN_LOCATION", "null")
        assert AuthXConfig().JWT_REFRESH_TOKEN_LOCATION is None

    @pytest.mark.parametrize("field", ["JWT_DECODE_AUDIENCE", "JWT_ENCODE_AUDIENCE"])
    @pytest.mark.parametrize(("text", "expected"), [("us", "us"), ('["us", "you"]', ["us", "you"]), ("{us}", "{us}")])
    def test_an_audience_is_text_or_a_json_array(self, monkeypatch, field, text, expected):
        monkeypatch.setenv(field, text)
        assert getattr(AuthXConfig(), field) == expected

    def test_an_audience_that_begins_like_an_array_has_to_be_one(self, monkeypatch):
        monkeypatch.setenv("JWT_DECODE_AUDIENCE", "[us")
        with pytest.raises(BadConfigurationError, match="JWT_DECODE_AUDIENCE"):
            AuthXConfig()


class TestTypes:
    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("JWT_ALGORITHM", "none"),
            ("JWT_ALGORITHM", "hs256"),
            ("JWT_DECODE_ALGORITHMS", ["none"]),
            ("JWT_TOKEN_LOCATION", "headers"),
            ("JWT_TOKEN_LOCATION", {"headers"}),
            ("JWT_TOKEN_LOCATION", ["body"]),
            ("JWT_REFRESH_TOKEN_LOCATION", ["body"]),
            ("JWT_CSRF_METHODS", ["post"]),
            ("JWT_CSRF_METHODS", "POST"),
            ("JWT_CSRF_TRUSTED_ORIGINS", "https://front.example"),
            ("JWT_COOKIE_SAMESITE", "Lax"),
            ("JWT_COOKIE_SECURE", "always"),
            ("JWT_HEADER_TYPE", None),
            ("JWT_ERROR_STATUS", "AuthX"),
            ("JWT_MAX_TOKEN_BYTES", 255),
            ("JWT_MAX_TOKEN_BYTES", -1),
            ("JWT_TOKEN_CACHE_SIZE", -1),
        ],
    )
    def test_a_value_of_a_wrong_type_or_range_is_refused(self, field, value):
        with pytest.raises(ValidationError, match=field):
            AuthXConfig(**{field: value})

    @pytest.mark.parametrize("text", ["maybe", "2"])
    def test_a_text_that_is_no_boolean_is_refused(self, monkeypatch, text):
        monkeypatch.setenv("JWT_COOKIE_CSRF_PROTECT", text)
        with pytest.raises(BadConfigurationError, match=r"JWT_COOKIE_CSRF_PROTECT.*write true or false"):
            AuthXConfig()

    @pytest.mark.parametrize(("text", "expected"), [("auto", "auto"), ("true", True), ("0", False), ("off", False)])
    def test_secure_is_a_boolean_or_auto(self, monkeypatch, text, expected):
        monkeypatch.setenv("JWT_COOKIE_SECURE", text)
        assert AuthXConfig().JWT_COOKIE_SECURE is expected or expected == AuthXConfig().JWT_COOKIE_SECURE


SECRETS = ["JWT_SECRET_KEY", "JWT_PREVIOUS_SECRET_KEY", "JWT_PRIVATE_KEY"]


class TestMasking:
    @pytest.mark.parametrize("field", SECRETS)
    def test_a_secret_reads_as_it_was_given(self, field):
        assert getattr(AuthXConfig(**{field: SECRET}), field) == SECRET

    @pytest.mark.parametrize("field", SECRETS)
    @pytest.mark.parametrize(
        "write",
        [
            repr,
            str,
            "{}".format,
            lambda config: " ".join(map(repr, config.__rich_repr__())),
            lambda config: " ".join(map(str, config.__pretty__(repr))),
            lambda config: repr(AuthX(config=config)),
            lambda config: repr(vars(AuthX(config=config))),
        ],
        ids=["repr", "str", "format", "rich", "pretty", "an instance", "an instance's attributes"],
    )
    def test_a_secret_is_in_no_text_about_the_settings(self, field, write):
        config = AuthXConfig(**{field: SECRET})
        if field == "JWT_PRIVATE_KEY":
            config.JWT_SECRET_KEY = "x" * 32
        assert SECRET not in write(config)

    def test_it_can_be_seen_that_a_secret_is_there(self):
        assert "JWT_SECRET_KEY='**********'" in repr(AuthXConfig(JWT_SECRET_KEY=SECRET))
        assert "JWT_SECRET_KEY=None" in repr(AuthXConfig())

    @pytest.mark.parametrize("field", SECRETS)
    def test_a_secret_of_a_wrong_type_is_not_in_the_error(self, field):
        with pytest.raises(ValidationError) as refusal:
            AuthXConfig(**{field: [SECRET]})
        assert SECRET not in str(refusal.value)

    def test_a_secret_is_not_in_the_error_about_another_field(self, monkeypatch):
        monkeypatch.setenv("JWT_SECRET_KEY", SECRET)
        with pytest.raises(ValidationError) as refusal:
            AuthXConfig(JWT_COOKIE_SAMESITE="Lax", JWT_PREVIOUS_SECRET_KEY=SECRET)
        assert SECRET not in str(refusal.value)

    def test_a_secret_is_not_in_the_error_about_a_misspelt_keyword(self):
        with pytest.raises(ValidationError) as refusal:
            AuthXConfig(JWT_SECRETKEY=SECRET)
        assert SECRET not in str(refusal.value)

    def test_a_key_that_cannot_be_read_is_not_in_the_error(self):
        broken = pem("one").replace("\n", "\nq", 3)
        inside = broken.splitlines()[2]
        with pytest.raises(BadConfigurationError) as refusal:
            AuthX(config=AuthXConfig(JWT_ALGORITHM="ES256", JWT_PRIVATE_KEY=broken))
        assert inside not in str(refusal.value)
        # Nor in the errors it came from, which a traceback would show.
        assert refusal.value.__cause__ is None
        assert refusal.value.__suppress_context__

    def test_a_pem_key_in_place_of_a_secret_is_not_in_the_error(self):
        with pytest.raises(BadConfigurationError) as refusal:
            AuthXConfig(JWT_SECRET_KEY=pem("one"))
        assert pem("one").splitlines()[1] not in str(refusal.value)

    def test_a_short_secret_is_logged_once_without_the_secret(self, caplog):
        with caplog.at_level(logging.DEBUG, logger="authx"):
            AuthX(config=AuthXConfig(JWT_SECRET_KEY="short-secret")).create_access_token("alice")
        warnings = [record for record in caplog.records if record.name.startswith("authx")]
        assert [record.levelno for record in warnings] == [logging.WARNING]
        assert "short-secret" not in caplog.text
        assert "12 bytes" in caplog.text

    def test_a_secret_of_32_bytes_is_not_warned_of(self, caplog):
        AuthX(config=AuthXConfig(JWT_SECRET_KEY="x" * 32)).create_access_token("alice")
        assert caplog.records == []


@cache
def pem(name: str) -> str:
    """A private key on P-256, the same one for the same name."""
    return _private(ec.generate_private_key(ec.SECP256R1()))


@cache
def rsa_pem(bits: int) -> str:
    return _private(rsa.generate_private_key(public_exponent=65537, key_size=bits))


def _private(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey, password: bytes | None = None) -> str:
    encryption: serialization.KeySerializationEncryption = (
        serialization.NoEncryption() if password is None else serialization.BestAvailableEncryption(password)
    )
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, encryption).decode()


@cache
def public_pem(name: str) -> str:
    key = serialization.load_pem_private_key(pem(name).encode(), None).public_key()
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()


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
            "JWT_PRIVATE_KEY": _private(ec.generate_private_key(ec.SECP256R1()), b"password"),
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


def _set_cookie(auth):
    response = Response()
    auth.set_access_cookies(auth.create_access_token("alice"), response)
    return response.headers.getlist("set-cookie")[0]


class TestAssignment:
    """What is derived from a setting follows it, at its next use, in an application that is running."""

    def test_the_secret_that_signs_and_verifies(self):
        auth = make_auth()
        client = make_door(auth)
        assert client.get("/p", headers=bearer(forge_access(OTHER_SECRET))).status_code == 401
        auth.config.JWT_SECRET_KEY = OTHER_SECRET
        assert client.get("/p", headers=bearer(forge_access(OTHER_SECRET))).status_code == 200
        assert client.get("/p", headers=bearer(forge_access(SECRET))).status_code == 401
        assert client.get("/p", headers=bearer(auth.create_access_token("alice"))).status_code == 200

    def test_a_token_that_was_verified_before_is_not_remembered_past_its_key(self):
        auth = make_auth()
        client, header = make_door(auth), bearer(auth.create_access_token("alice"))
        assert client.get("/p", headers=header).status_code == 200
        auth.config.JWT_SECRET_KEY = OTHER_SECRET
        assert client.get("/p", headers=header).status_code == 401

    def test_a_former_secret(self):
        auth = make_auth()
        client, header = make_door(auth), bearer(forge_access(OTHER_SECRET))
        auth.config.JWT_PREVIOUS_SECRET_KEY = OTHER_SECRET
        assert client.get("/p", headers=header).status_code == 200
        auth.config.JWT_PREVIOUS_SECRET_KEY = None
        assert client.get("/p", headers=header).status_code == 401

    def test_the_algorithm(self):
        auth = make_auth()
        old = auth.create_access_token("alice")
        auth.config.JWT_ALGORITHM = "HS384"
        client = make_door(auth)
        new = auth.create_access_token("alice")
        assert header_of(new)["alg"] == "HS384"
        assert client.get("/p", headers=bearer(new)).status_code == 200
        assert client.get("/p", headers=bearer(old)).status_code == 401

    def test_the_lifetimes(self):
        auth = make_auth()
        auth.config.JWT_ACCESS_TOKEN_EXPIRES = timedelta(hours=5)
        auth.config.JWT_REFRESH_TOKEN_EXPIRES = None
        claims = claims_of(auth.create_access_token("alice"))
        assert claims["exp"] - claims["iat"] in (18000, 18001)
        assert "exp" not in claims_of(auth.create_refresh_token("alice"))

    @pytest.mark.parametrize(
        ("field", "value", "claims"),
        [
            ("JWT_DECODE_ISSUER", "us", {}),
            ("JWT_DECODE_AUDIENCE", "us", {}),
            ("JWT_DECODE_LEEWAY", 0, {"exp": 1_000_000_000}),
        ],
    )
    def test_the_checks_also_of_a_token_that_was_verified_before(self, field, value, claims):
        auth = make_auth(JWT_DECODE_LEEWAY=2_000_000_000)
        client, header = make_door(auth), bearer(forge_access(SECRET, **claims))
        assert client.get("/p", headers=header).status_code == 200
        setattr(auth.config, field, value)
        assert client.get("/p", headers=header).status_code == 401

    def test_the_locations(self):
        auth = make_auth()
        client, token = make_door(auth), auth.create_access_token("alice")
        auth.config.JWT_TOKEN_LOCATION = ["query"]
        assert client.get("/p", headers=bearer(token)).status_code == 401
        assert client.get("/p", params={"token": token}).status_code == 200

    def test_the_locations_of_refresh_tokens(self):
        auth = make_auth()
        client, token = make_door(auth), auth.create_refresh_token("alice")
        auth.config.JWT_REFRESH_TOKEN_LOCATION = ["query"]
        assert client.post("/r", headers=bearer(token)).status_code == 401
        assert client.post("/r", params={"token": token}).status_code == 200

    def test_the_header(self):
        auth = make_auth()
        client, token = make_door(auth), auth.create_access_token("alice")
        auth.config.JWT_HEADER_NAME = "X-Pass"
        auth.config.JWT_HEADER_TYPE = ""
        assert client.get("/p", headers={"X-Pass": token}).status_code == 200
        assert client.get("/p", headers=bearer(token)).status_code == 401

    def test_the_cookies(self):
        auth = make_auth(JWT_TOKEN_LOCATION=["cookies"])
        _set_cookie(auth)
        auth.config.JWT_ACCESS_COOKIE_NAME = "a"
        auth.config.JWT_ACCESS_COOKIE_PATH = "/api"
        auth.config.JWT_COOKIE_SECURE = False
        auth.config.JWT_COOKIE_SAMESITE = "strict"
        auth.config.JWT_COOKIE_MAX_AGE = 60
        token, _, attributes = _set_cookie(auth).partition("; ")
        assert token.startswith("a=")
        assert sorted(attributes.split("; ")) == ["HttpOnly", "Max-Age=60", "Path=/api", "SameSite=strict"]
        assert with_cookie(make_door(auth), token.partition("=")[2], "a").get("/p").status_code == 200

    def test_the_csrf_protection(self):
        auth = make_auth(JWT_TOKEN_LOCATION=["cookies"])
        client = with_cookie(make_door(auth), auth.create_access_token("alice"))
        assert client.post("/p").status_code == 403
        auth.config.JWT_COOKIE_CSRF_PROTECT = False
        assert client.post("/p").status_code == 200
        assert "csrf_access_token" not in _set_cookie(auth)

    def test_the_answers_to_errors(self):
        auth = make_auth()
        client = make_door(auth)
        auth.config.JWT_REALM = "Back office"
        auth.config.JWT_ERROR_MESSAGE_KEY = "detail"
        auth.config.JWT_ERROR_STATUS = "authx"
        answer = client.get("/p", headers=bearer("garbage"))
        assert answer.status_code == 422
        assert answer.json() == {"detail": "Invalid Token", "error_type": "JWTDecodeError"}
        assert answer.headers["WWW-Authenticate"].startswith('Bearer realm="Back office"')

    def test_the_longest_token(self):
        auth = make_auth()
        client, header = make_door(auth), bearer(auth.create_access_token("alice"))
        auth.config.JWT_MAX_TOKEN_BYTES = 256
        assert client.get("/p", headers=header).status_code == 400

    def test_a_contradiction_is_refused_at_the_next_use(self):
        auth = make_auth()
        auth.config.JWT_COOKIE_SAMESITE = "none"
        auth.config.JWT_COOKIE_SECURE = False
        with pytest.raises(BadConfigurationError, match="JWT_COOKIE_SECURE=True"):
            auth.create_access_token("alice")

    def test_an_algorithm_that_does_not_exist_is_refused_at_the_next_use(self):
        auth = make_auth()
        auth.config.JWT_ALGORITHM = "none"
        assert not auth.config.is_algo_symmetric
        assert not auth.config.is_algo_asymmetric
        with pytest.raises(BadConfigurationError, match="JWT_ALGORITHM"):
            auth.create_access_token("alice")

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("JWT_CSRF_METHODS", "POST"),
            ("JWT_CSRF_METHODS", ["post"]),
            ("JWT_TOKEN_LOCATION", "headers"),
            ("JWT_TOKEN_LOCATION", ["body"]),
            ("JWT_COOKIE_SECURE", "never"),
            ("JWT_COOKIE_SAMESITE", "None; Domain=evil.example"),
            ("JWT_COOKIE_MAX_AGE", "60; Domain=evil.example"),
            ("JWT_ACCESS_TOKEN_EXPIRES", "soon"),
            ("JWT_DECODE_LEEWAY", "a little"),
            ("JWT_HEADER_NAME", None),
            ("JWT_SECRET_KEY", [SECRET]),
        ],
    )
    def test_a_value_of_a_wrong_type_is_refused_at_the_next_use(self, field, value):
        auth = make_auth()
        setattr(auth.config, field, value)
        with pytest.raises(BadConfigurationError, match=field) as refusal:
            auth.create_access_token("alice")
        assert SECRET not in str(refusal.value)

    def test_a_bare_number_assigned_as_lifetime_is_never_a_moment_of_1970(self):
        auth = make_auth()
        auth.config.JWT_ACCESS_TOKEN_EXPIRES = 900
        try:
            claims = claims_of(auth.create_access_token("alice"))
        except BadConfigurationError:
            return
        assert claims["exp"] - claims["iat"] in (900, 901)

    def test_an_assignment_puts_a_contradiction_right(self):
        auth = make_auth()
        auth.config.JWT_COOKIE_SAMESITE = "none"
        auth.config.JWT_COOKIE_SECURE = False
        with pytest.raises(BadConfigurationError):
            auth.create_access_token("alice")
        auth.config.JWT_COOKIE_SECURE = True
        assert claims_of(auth.create_access_token("alice"))["sub"] == "alice"

    def test_every_instance_with_the_same_settings_follows(self):
        config = AuthXConfig(JWT_SECRET_KEY=SECRET)
        instances = [AuthX(config=config), AuthX(config=config)]
        for auth in instances:
            auth.create_access_token("alice")
        config.JWT_ENCODE_ISSUER = "us"
        assert [claims_of(auth.create_access_token("alice"))["iss"] for auth in instances] == ["us", "us"]


class TestSessionSettings:
    """What runs on a store follows its settings too."""

    @pytest.fixture
    def url(self, tmp_path):
        return f"sqlite:///{tmp_path}/sessions.db"

    def test_a_store_assigned_after_construction_is_used(self, url):
        auth = make_auth()

        async def use():
            auth.config.JWT_STORE_URL = url
            await auth.open()
            sessions = await auth.list_sessions("alice")
            await auth.close()
            return sessions

        assert asyncio.run(use()) == []

    def test_the_grace_period_assigned_after_construction_is_kept(self, url):
        auth = make_auth(JWT_STORE_URL=url)

        async def use():
            token = auth.create_refresh_token("alice")
            await auth.refresh(request_with(token), Response())
            auth.config.JWT_REFRESH_GRACE_PERIOD = timedelta(0)
            try:
                await auth.refresh(request_with(token), Response())
            finally:
                await auth.close()

        with pytest.raises(RefreshReusedError):
            asyncio.run(use())

    def test_the_way_of_checking_assigned_after_construction_is_taken(self, url):
        auth = make_auth(JWT_STORE_URL=url)

        async def use():
            token = auth.create_access_token("alice")
            await auth.open()
            await auth.revoke_all_sessions("alice")
            auth.config.JWT_REVOCATION_CHECK = "none"
            payload = await auth.access_token_required(request_with(token))
            await auth.close()
            return payload.sub

        assert asyncio.run(use()) == "alice"

    def test_what_ran_with_the_former_settings_runs_no_longer(self, url, tmp_path):
        auth = make_auth(JWT_STORE_URL=url)

        async def use():
            await auth.open()
            before = asyncio.all_tasks()
            auth.load_config(AuthXConfig(JWT_SECRET_KEY=SECRET, JWT_STORE_URL=f"sqlite:///{tmp_path}/other.db"))
            await auth.open()
            await auth.close()
            await asyncio.sleep(0)
            return [task for task in before if not task.done()]

        # The one that asks.
        assert len(asyncio.run(use())) == 1

    @pytest.mark.parametrize(
        ("field", "value", "advice"),
        [
            ("JWT_REFRESH_GRACE_PERIOD", timedelta(minutes=6), "0 to 5 minutes"),
            ("JWT_REFRESH_GRACE_PERIOD", timedelta(seconds=-1), "0 to 5 minutes"),
            ("JWT_SESSION_MAX_AGE", timedelta(0), "longer than 0"),
            ("JWT_REVOCATION_POLL_INTERVAL", timedelta(0), "longer than 0"),
            ("JWT_REVOCATION_MAX_STALENESS", timedelta(seconds=1), "two JWT_REVOCATION_POLL_INTERVAL"),
        ],
    )
    def test_durations_that_cannot_work_are_refused(self, field, value, advice):
        with pytest.raises(BadConfigurationError, match=advice):
            AuthXConfig(**{field: value})

    @pytest.mark.parametrize(
        ("fields", "advice"),
        [
            ({"JWT_STORE_URL": "sessions.db"}, "scheme"),
            ({"JWT_STORE_URL": "mongodb://user:hunter2@host/"}, "scheme"),
            ({"JWT_STORE_URL": "sqlite:///:memory:"}, "memory://"),
            ({"JWT_STORE_URL": "sqlite:///a.db", "JWT_STORE_PREFIX": "a-b"}, "JWT_STORE_PREFIX"),
            ({"JWT_STORE_URL": "sqlite:///a.db", "JWT_STORE_PREFIX": "1a"}, "JWT_STORE_PREFIX"),
            ({"JWT_STORE_URL": "sqlite:///a.db", "JWT_STORE_PREFIX": ""}, "JWT_STORE_PREFIX"),
        ],
        ids=str,
    )
    def test_a_store_that_cannot_be_is_refused_when_the_instance_is_made(self, fields, advice):
        config = AuthXConfig(JWT_SECRET_KEY=SECRET, **fields)
        with pytest.raises(BadConfigurationError, match=advice) as refusal:
            AuthX(config=config)
        assert "hunter2" not in str(refusal.value)

    def test_the_password_of_a_store_is_in_no_text_about_the_settings(self):
        config = AuthXConfig(JWT_STORE_URL="postgresql://user:hunter2@host/db")
        assert "hunter2" not in f"{config!r} {config}"


def request_with(token):
    header = (b"authorization", b"Bearer " + token.encode())
    return Request({"type": "http", "method": "POST", "path": "/", "query_string": b"", "headers": [header]})


class TestLoadConfig:
    def test_the_settings_are_replaced_for_routes_declared_before(self):
        auth = AuthX()
        client = make_door(auth)
        config = AuthXConfig(JWT_SECRET_KEY=SECRET, JWT_HEADER_NAME="X-Pass")
        auth.load_config(config)
        assert auth.config is config
        header = {"X-Pass": f"Bearer {auth.create_access_token('alice')}"}
        assert client.get("/p", headers=header).status_code == 200

    def test_assignments_to_the_new_settings_are_followed(self):
        auth = make_auth()
        auth.load_config(AuthXConfig(JWT_SECRET_KEY=SECRET))
        auth.config.JWT_ENCODE_ISSUER = "us"
        assert claims_of(auth.create_access_token("alice"))["iss"] == "us"

    def test_assignments_to_the_former_settings_change_nothing(self):
        former = AuthXConfig(JWT_SECRET_KEY=SECRET)
        auth = AuthX(config=former)
        auth.load_config(AuthXConfig(JWT_SECRET_KEY=SECRET))
        former.JWT_ENCODE_ISSUER = "us"
        assert "iss" not in claims_of(auth.create_access_token("alice"))

    def test_tokens_of_the_former_key_end(self):
        auth = make_auth()
        client, header = make_door(auth), bearer(auth.create_access_token("alice"))
        assert client.get("/p", headers=header).status_code == 200
        auth.load_config(AuthXConfig(JWT_SECRET_KEY=OTHER_SECRET))
        assert client.get("/p", headers=header).status_code == 401

    def test_settings_that_cannot_work_are_refused(self):
        auth = make_auth()
        with pytest.raises(BadConfigurationError):
            auth.load_config(AuthXConfig(JWT_ALGORITHM="ES256", JWT_PRIVATE_KEY="no key"))

    def test_settings_that_were_refused_are_not_in_force(self):
        auth = make_auth()
        with pytest.raises(BadConfigurationError):
            auth.load_config(AuthXConfig(JWT_ALGORITHM="ES256", JWT_PRIVATE_KEY="no key"))
        assert header_of(auth.create_access_token("alice"))["alg"] == "HS256"

    def test_the_callbacks_stay(self):
        auth = make_auth()
        token = auth.create_access_token("alice")
        auth.set_token_blocklist(lambda text: text == token, inline=True)
        auth.load_config(AuthXConfig(JWT_SECRET_KEY=SECRET))
        assert make_door(auth).get("/p", headers=bearer(token)).status_code == 401


COPIES = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "model_copy": lambda config: config.model_copy(),
    "model_copy deep": lambda config: config.model_copy(deep=True),
    "pickle": lambda config: pickle.loads(pickle.dumps(config)),
}


@pytest.fixture(params=COPIES.values(), ids=COPIES)
def duplicate(request):
    return request.param


class TestCopies:
    def test_a_copy_has_the_same_values(self, duplicate):
        config = AuthXConfig(JWT_SECRET_KEY=SECRET, JWT_TOKEN_LOCATION=["cookies"])
        AuthX(config=config)
        assert duplicate(config).model_dump() == config.model_dump()

    def test_a_copy_knows_which_fields_were_set(self, duplicate):
        config = AuthXConfig(JWT_SECRET_KEY=SECRET, JWT_ERROR_MESSAGE_KEY="msg")
        AuthX(config=config)
        auth = AuthX(config=duplicate(config))
        assert "msg" in make_door(auth).get("/p").json()

    def test_a_copy_is_masked_too(self, duplicate):
        assert SECRET not in repr(duplicate(AuthXConfig(JWT_SECRET_KEY=SECRET)))

    def test_an_assignment_to_a_copy_leaves_the_original_alone(self, duplicate):
        config = AuthXConfig(JWT_SECRET_KEY=SECRET)
        auth = AuthX(config=config)
        duplicate(config).JWT_ENCODE_ISSUER = "us"
        assert "iss" not in claims_of(auth.create_access_token("alice"))

    def test_an_instance_of_the_copy_follows_the_copy_alone(self, duplicate):
        config = AuthXConfig(JWT_SECRET_KEY=SECRET)
        original = AuthX(config=config)
        copied = duplicate(config)
        auth = AuthX(config=copied)
        copied.JWT_ENCODE_ISSUER = "them"
        config.JWT_ENCODE_ISSUER = "us"
        assert claims_of(auth.create_access_token("alice"))["iss"] == "them"
        assert claims_of(original.create_access_token("alice"))["iss"] == "us"

    def test_a_copy_keeps_no_instance_of_the_original_alive(self, duplicate):
        config = AuthXConfig(JWT_SECRET_KEY=SECRET)
        auth = AuthX(config=config)
        copied = duplicate(config)
        gone = weakref.ref(auth)
        del auth, config
        gc.collect()
        assert gone() is None
        assert copied.JWT_SECRET_KEY == SECRET

    def test_a_copy_equals_the_original_whether_that_is_in_use_or_not(self, duplicate):
        config = AuthXConfig(JWT_SECRET_KEY=SECRET)
        AuthX(config=config)
        assert duplicate(config) == config

    def test_use_does_not_make_settings_differ(self):
        config = AuthXConfig(JWT_SECRET_KEY=SECRET)
        AuthX(config=config)
        assert config == AuthXConfig(JWT_SECRET_KEY=SECRET)

    def test_an_assigned_value_equals_one_that_was_given(self):
        config = AuthXConfig(JWT_SECRET_KEY=SECRET)
        config.JWT_ENCODE_ISSUER = "us"
        assert config == AuthXConfig(JWT_SECRET_KEY=SECRET, JWT_ENCODE_ISSUER="us")

    @pytest.mark.parametrize(
        ("field", "value"), [("JWT_CSRF_METHODS", "POST"), ("JWT_CSRF_METHODS", ["post"]), ("JWT_REALM", '"')]
    )
    def test_a_change_made_while_copying_is_looked_at_like_any_other(self, field, value):
        with pytest.raises(BadConfigurationError, match=field):
            AuthX(config=AuthXConfig(JWT_SECRET_KEY=SECRET).model_copy(update={field: value}))

    def test_a_value_assigned_to_a_copy_is_looked_at_also_when_the_original_was_used_since(self, duplicate):
        config = AuthXConfig(JWT_SECRET_KEY=SECRET)
        copied = duplicate(config)
        copied.JWT_CSRF_METHODS = "POST"
        AuthX(config=config).create_access_token("alice")
        with pytest.raises(BadConfigurationError, match="JWT_CSRF_METHODS"):
            AuthX(config=copied)

    def test_changes_can_be_made_while_copying(self):
        config = AuthXConfig(JWT_SECRET_KEY=SECRET)
        AuthX(config=config)
        changed = config.model_copy(update={"JWT_ENCODE_ISSUER": "us"})
        assert claims_of(AuthX(config=changed).create_access_token("alice"))["iss"] == "us"
        assert config.JWT_ENCODE_ISSUER is None


class TestLifetimes:
    def test_an_instance_that_is_dropped_is_collected(self):
        config = AuthXConfig(JWT_SECRET_KEY=SECRET)
        auth = AuthX(config=config)
        auth.create_access_token("alice")
        gone = weakref.ref(auth)
        del auth
        gc.collect()
        assert gone() is None

    def test_settings_that_are_dropped_are_collected(self):
        config = AuthXConfig(JWT_SECRET_KEY=SECRET)
        AuthX(config=config).create_access_token("alice")
        gone = weakref.ref(config)
        del config
        gc.collect()
        assert gone() is None

    def test_settings_that_were_replaced_are_collected(self):
        auth = make_auth()
        gone = weakref.ref(auth.config)
        auth.load_config(AuthXConfig(JWT_SECRET_KEY=SECRET))
        gc.collect()
        assert gone() is None

    def test_instances_that_came_and_went_leave_nothing_with_the_settings(self):
        config = AuthXConfig(JWT_SECRET_KEY=SECRET)
        AuthX(config=config)
        gc.collect()
        before = len(reachable_from(config))
        for _ in range(1000):
            AuthX(config=config)
        gc.collect()
        # What is left of the last ones may go when the next one comes.
        AuthX(config=config)
        gc.collect()
        assert len(reachable_from(config)) <= before + 10

    def test_settings_that_are_loaded_again_and_again_leave_nothing_behind(self):
        auth = make_auth()
        config = auth.config
        gc.collect()
        before = len(reachable_from(config))
        for _ in range(1000):
            auth.load_config(config)
        gc.collect()
        assert len(reachable_from(config)) <= before + 10


def reachable_from(root: object) -> set[int]:
    """The ids of everything an object keeps alive, classes and modules aside."""
    seen: set[int] = set()
    waiting = gc.get_referents(root)
    while waiting:
        thing = waiting.pop()
        if id(thing) not in seen and gc.is_tracked(thing) and not isinstance(thing, type | ModuleType):
            seen.add(id(thing))
            # A function's referents are its module, which is not the settings' own.
            waiting.extend(thing.__closure__ or () if isinstance(thing, FunctionType) else gc.get_referents(thing))
    return seen
