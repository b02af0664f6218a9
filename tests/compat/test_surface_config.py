"""Surface: the configuration's fields, their defaults and where their values come from."""

from datetime import timedelta

import pytest
from pydantic import ValidationError
from tests.support.tokens import OTHER_SECRET, SECRET

from authx import AuthX, AuthXConfig, RequestToken
from authx.exceptions import BadConfigurationError

DEFAULTS = {
    "JWT_ALGORITHM": "HS256",
    "JWT_SECRET_KEY": None,
    "JWT_PRIVATE_KEY": None,
    "JWT_PUBLIC_KEY": None,
    "JWT_PREVIOUS_SECRET_KEY": None,
    "JWT_PREVIOUS_PUBLIC_KEY": None,
    "JWT_ACCESS_TOKEN_EXPIRES": timedelta(minutes=15),
    "JWT_REFRESH_TOKEN_EXPIRES": timedelta(days=20),
    "JWT_DECODE_ALGORITHMS": ["HS256"],
    "JWT_DECODE_AUDIENCE": None,
    "JWT_DECODE_ISSUER": None,
    "JWT_DECODE_LEEWAY": 0,
    "JWT_ENCODE_AUDIENCE": None,
    "JWT_ENCODE_ISSUER": None,
    "JWT_ENCODE_NBF": True,
    "JWT_IDENTITY_CLAIM": "sub",
    "JWT_ERROR_MESSAGE_KEY": "msg",
    "JWT_TOKEN_LOCATION": ["headers"],
    "JWT_HEADER_NAME": "Authorization",
    "JWT_HEADER_TYPE": "Bearer",
    "JWT_QUERY_STRING_NAME": "token",
    "JWT_JSON_KEY": "access_token",
    "JWT_REFRESH_JSON_KEY": "refresh_token",
    "JWT_ACCESS_COOKIE_NAME": "access_token_cookie",
    "JWT_ACCESS_COOKIE_PATH": "/",
    "JWT_REFRESH_COOKIE_NAME": "refresh_token_cookie",
    "JWT_REFRESH_COOKIE_PATH": "/",
    "JWT_COOKIE_DOMAIN": None,
    "JWT_COOKIE_MAX_AGE": None,
    "JWT_COOKIE_SAMESITE": "lax",
    "JWT_COOKIE_SECURE": True,
    "JWT_COOKIE_HTTP_ONLY": True,
    "JWT_SESSION_COOKIE": True,
    "JWT_COOKIE_CSRF_PROTECT": True,
    "JWT_CSRF_IN_COOKIES": True,
    "JWT_CSRF_METHODS": ["POST", "PUT", "PATCH", "DELETE"],
    "JWT_CSRF_CHECK_FORM": False,
    "JWT_ACCESS_CSRF_COOKIE_NAME": "csrf_access_token",
    "JWT_REFRESH_CSRF_COOKIE_NAME": "csrf_refresh_token",
    "JWT_ACCESS_CSRF_COOKIE_PATH": "/",
    "JWT_REFRESH_CSRF_COOKIE_PATH": "/",
    "JWT_ACCESS_CSRF_HEADER_NAME": "X-CSRF-TOKEN",
    "JWT_REFRESH_CSRF_HEADER_NAME": "X-CSRF-TOKEN",
    "JWT_ACCESS_CSRF_FIELD_NAME": "csrf_token",
    "JWT_REFRESH_CSRF_FIELD_NAME": "csrf_token",
    "JWT_SESSION_TRACKING": False,
    "JWT_SESSION_UPDATE_LAST_ACTIVE": True,
    "JWT_IMPLICIT_REFRESH_ROUTE_EXCLUDE": [],
    "JWT_IMPLICIT_REFRESH_ROUTE_INCLUDE": [],
    "JWT_IMPLICIT_REFRESH_METHOD_EXCLUDE": [],
    "JWT_IMPLICIT_REFRESH_METHOD_INCLUDE": [],
    "JWT_IMPLICIT_REFRESH_DELTATIME": timedelta(minutes=10),
}

ALGORITHMS = ["HS256", "HS384", "HS512", "ES256", "ES256K", "ES384", "ES512"]
ALGORITHMS += ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"]


def test_there_are_fifty_two_fields_to_keep():
    assert len(DEFAULTS) == 52


@pytest.mark.parametrize(("field", "default"), DEFAULTS.items(), ids=DEFAULTS)
def test_a_field_has_its_default(field, default):
    assert getattr(AuthXConfig(), field) == default


@pytest.mark.parametrize("field", DEFAULTS)
def test_a_default_is_accepted_when_written_out(field):
    config = AuthXConfig(**{field: DEFAULTS[field]})
    assert getattr(config, field) == DEFAULTS[field]


def test_list_defaults_are_not_shared_between_configurations():
    AuthXConfig().JWT_TOKEN_LOCATION.append("cookies")
    config = AuthXConfig()
    assert config.JWT_TOKEN_LOCATION == ["headers"]


@pytest.mark.parametrize("algorithm", [*ALGORITHMS, "EdDSA"])
def test_every_listed_algorithm_is_accepted(algorithm):
    assert algorithm == AuthXConfig(JWT_ALGORITHM=algorithm).JWT_ALGORITHM


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("JWT_ACCESS_TOKEN_EXPIRES", None),
        ("JWT_REFRESH_TOKEN_EXPIRES", None),
        ("JWT_DECODE_AUDIENCE", "one"),
        ("JWT_DECODE_AUDIENCE", ["one", "two"]),
        ("JWT_ENCODE_AUDIENCE", ["one", "two"]),
        ("JWT_DECODE_LEEWAY", 30),
        ("JWT_DECODE_LEEWAY", None),
        ("JWT_TOKEN_LOCATION", ("headers", "cookies")),
        ("JWT_TOKEN_LOCATION", ["headers", "cookies", "json", "query"]),
        ("JWT_TOKEN_LOCATION", []),
        ("JWT_HEADER_TYPE", ""),
        ("JWT_HEADER_TYPE", "Token"),
        ("JWT_COOKIE_MAX_AGE", 3600),
        ("JWT_COOKIE_DOMAIN", "example.org"),
        ("JWT_COOKIE_SAMESITE", "strict"),
        ("JWT_COOKIE_SAMESITE", "none"),
        ("JWT_COOKIE_SAMESITE", None),
        ("JWT_COOKIE_SECURE", False),
        ("JWT_COOKIE_SECURE", "auto"),
        ("JWT_CSRF_METHODS", ["POST"]),
        ("JWT_SESSION_TRACKING", True),
        ("JWT_IMPLICIT_REFRESH_METHOD_INCLUDE", ["GET"]),
        ("JWT_IMPLICIT_REFRESH_ROUTE_EXCLUDE", ["/login"]),
    ],
)
def test_a_value_is_kept_as_it_was_given(field, value):
    assert getattr(AuthXConfig(**{field: value}), field) == value


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("JWT_ALGORITHM", "none"),
        ("JWT_ALGORITHM", "HS1"),
        ("JWT_ALGORITHM", None),
        ("JWT_TOKEN_LOCATION", "headers"),
        ("JWT_TOKEN_LOCATION", {"headers"}),
        ("JWT_TOKEN_LOCATION", ["header"]),
        ("JWT_HEADER_TYPE", None),
        ("JWT_CSRF_METHODS", ["post"]),
        ("JWT_COOKIE_SAMESITE", "Lax"),
        ("JWT_COOKIE_MAX_AGE", "soon"),
        ("JWT_COOKIE_SECURE", "perhaps"),
        ("JWT_ACCESS_TOKEN_EXPIRES", "soon"),
        ("JWT_NO_SUCH_FIELD", 1),
        ("JWT_ERROR_STATUS", "other"),
    ],
)
def test_a_wrong_value_is_a_validation_error(field, value):
    with pytest.raises(ValidationError):
        AuthXConfig(**{field: value})


@pytest.mark.parametrize(
    ("given", "life"),
    [
        (timedelta(hours=2), timedelta(hours=2)),
        (3600, timedelta(hours=1)),
        (0.5, timedelta(milliseconds=500)),
        ("PT15M", timedelta(minutes=15)),
        ("P1D", timedelta(days=1)),
    ],
)
def test_a_duration_may_be_given_in_several_forms(given, life):
    config = AuthXConfig(JWT_ACCESS_TOKEN_EXPIRES=given)
    assert life == config.JWT_ACCESS_TOKEN_EXPIRES


@pytest.mark.parametrize("name", ["JWT_HEADER_NAME", "jwt_header_name"])
def test_a_variable_is_named_like_its_field_in_any_case(monkeypatch, name):
    monkeypatch.setenv(name, "X-Auth")
    assert AuthXConfig().JWT_HEADER_NAME == "X-Auth"


def test_a_keyword_beats_the_environment(monkeypatch):
    monkeypatch.setenv("JWT_HEADER_NAME", "X-From-Environment")
    assert AuthXConfig(JWT_HEADER_NAME="X-From-Keyword").JWT_HEADER_NAME == "X-From-Keyword"


def test_the_environment_is_read_at_each_construction(monkeypatch):
    before = AuthXConfig()
    monkeypatch.setenv("JWT_HEADER_NAME", "X-Auth")
    assert (before.JWT_HEADER_NAME, AuthXConfig().JWT_HEADER_NAME) == ("Authorization", "X-Auth")


def test_an_unknown_variable_is_ignored(monkeypatch):
    monkeypatch.setenv("JWT_NO_SUCH_FIELD", "1")
    assert not hasattr(AuthXConfig(), "JWT_NO_SUCH_FIELD")


def test_no_env_file_is_read_by_default(monkeypatch, tmp_path):
    (tmp_path / ".env").write_text("JWT_HEADER_NAME=X-From-File\n")
    monkeypatch.chdir(tmp_path)
    assert AuthXConfig().JWT_HEADER_NAME == "Authorization"


def test_an_env_file_is_read_when_named(tmp_path):
    (tmp_path / "settings.env").write_text("JWT_HEADER_NAME=X-From-File\n")
    assert AuthXConfig(_env_file=tmp_path / "settings.env").JWT_HEADER_NAME == "X-From-File"


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("JWT_TOKEN_LOCATION", '["cookies","headers"]', ["cookies", "headers"]),
        ("JWT_DECODE_AUDIENCE", "one", "one"),
        ("JWT_ENCODE_AUDIENCE", '["one","two"]', ["one", "two"]),
        ("JWT_COOKIE_SECURE", "0", False),
        ("JWT_COOKIE_SECURE", "true", True),
        ("JWT_COOKIE_SECURE", "auto", "auto"),
        ("JWT_COOKIE_CSRF_PROTECT", "false", False),
        ("JWT_ACCESS_TOKEN_EXPIRES", "PT5M", timedelta(minutes=5)),
        ("JWT_ACCESS_TOKEN_EXPIRES", "P1D", timedelta(days=1)),
        ("JWT_ACCESS_TOKEN_EXPIRES", "00:15:30", timedelta(minutes=15, seconds=30)),
        ("JWT_ACCESS_TOKEN_EXPIRES", "900", timedelta(seconds=900)),
        ("JWT_ACCESS_TOKEN_EXPIRES", "null", None),
        ("JWT_REFRESH_TOKEN_EXPIRES", "none", None),
        ("JWT_COOKIE_MAX_AGE", "60", 60),
    ],
)
def test_a_variable_is_read_as_its_field_is_typed(monkeypatch, name, text, value):
    monkeypatch.setenv(name, text)
    assert getattr(AuthXConfig(), name) == value


@pytest.mark.parametrize("text", ["headers", "headers,cookies"])
def test_a_sequence_in_the_environment_need_not_be_json(monkeypatch, text):
    monkeypatch.setenv("JWT_TOKEN_LOCATION", text)
    assert text.split(",") == AuthXConfig().JWT_TOKEN_LOCATION


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("JWT_COOKIE_HTTP_ONLY", "perhaps"),
        ("JWT_ACCESS_TOKEN_EXPIRES", "soon"),
    ],
)
def test_an_unreadable_variable_is_a_configuration_error(monkeypatch, name, text):
    monkeypatch.setenv(name, text)
    with pytest.raises(BadConfigurationError, match=name):
        AuthXConfig()


def test_a_field_may_be_assigned_without_validation():
    config = AuthXConfig()
    config.JWT_ALGORITHM = "unsupported"
    assert config.JWT_ALGORITHM == "unsupported"


def test_an_assigned_field_takes_effect_at_next_use(make_auth):
    auth, other = make_auth(JWT_SECRET_KEY=SECRET), make_auth(JWT_SECRET_KEY=OTHER_SECRET)
    auth.create_access_token(uid="alice")
    auth.config.JWT_SECRET_KEY = OTHER_SECRET
    token = RequestToken(token=auth.create_access_token(uid="alice"), location="headers")
    assert other.verify_token(token).sub == "alice"


SYMMETRIC = {"JWT_SECRET_KEY": "s" * 64, "JWT_PREVIOUS_SECRET_KEY": "p" * 64}
ASYMMETRIC = {"JWT_PRIVATE_KEY": "private", "JWT_PUBLIC_KEY": "public", "JWT_PREVIOUS_PUBLIC_KEY": "previous"}


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_an_algorithm_is_either_symmetric_or_asymmetric(algorithm):
    config = AuthXConfig()
    config.JWT_ALGORITHM = algorithm
    hmac = algorithm.startswith("HS")
    assert (config.is_algo_symmetric, config.is_algo_asymmetric) == (hmac, not hmac)


def test_an_unsupported_algorithm_is_neither():
    config = AuthXConfig()
    config.JWT_ALGORITHM = "unsupported"
    assert (config.is_algo_symmetric, config.is_algo_asymmetric) == (False, False)


def test_a_symmetric_algorithm_signs_and_verifies_with_the_secret():
    config = AuthXConfig(**SYMMETRIC)
    assert (config.private_key, config.public_key, config.previous_public_key) == (
        "s" * 64,
        "s" * 64,
        "p" * 64,
    )


def test_an_asymmetric_algorithm_has_a_key_for_each_task():
    config = AuthXConfig(**SYMMETRIC)
    for field, value in (ASYMMETRIC | {"JWT_ALGORITHM": "RS256"}).items():
        setattr(config, field, value)
    assert (config.private_key, config.public_key, config.previous_public_key) == (
        "private",
        "public",
        "previous",
    )


@pytest.mark.parametrize("algorithm", ["HS256", "RS256", "unsupported"])
@pytest.mark.parametrize("which", ["private_key", "public_key"])
def test_a_missing_key_is_an_error_when_it_is_read(algorithm, which):
    config = AuthXConfig()
    config.JWT_ALGORITHM = algorithm
    with pytest.raises(BadConfigurationError):
        getattr(config, which)


@pytest.mark.parametrize("algorithm", ["HS256", "RS256", "unsupported"])
def test_a_missing_previous_key_is_none(algorithm):
    config = AuthXConfig()
    config.JWT_ALGORITHM = algorithm
    assert config.previous_public_key is None


def test_a_configuration_knows_its_locations():
    config = AuthXConfig(JWT_TOKEN_LOCATION=["headers", "json"])
    assert [config.has_location(name) for name in ("headers", "json", "cookies", "query")] == [
        True,
        True,
        False,
        False,
    ]


def test_the_secret_reads_as_plain_text():
    assert AuthXConfig(JWT_SECRET_KEY=SECRET).JWT_SECRET_KEY == SECRET


@pytest.mark.parametrize("show", [repr, str])
@pytest.mark.parametrize("field", ["JWT_SECRET_KEY", "JWT_PREVIOUS_SECRET_KEY"])
def test_no_secret_is_shown(field, show):
    assert SECRET not in show(AuthXConfig(**{field: SECRET}))


@pytest.mark.parametrize(
    "fields",
    [
        {"JWT_COOKIE_SAMESITE": "none", "JWT_COOKIE_SECURE": False},
        {"JWT_ACCESS_COOKIE_NAME": "__Host-access", "JWT_COOKIE_DOMAIN": "example.org"},
        {"JWT_REFRESH_COOKIE_NAME": "__Host-refresh", "JWT_REFRESH_COOKIE_PATH": "/auth"},
        {"JWT_ACCESS_COOKIE_NAME": "__Secure-access", "JWT_COOKIE_SECURE": False},
    ],
    ids=["none-insecure", "host-domain", "host-path", "secure-insecure"],
)
def test_cookies_no_browser_would_take_are_refused_at_construction(configure, fields):
    with pytest.raises(BadConfigurationError):
        AuthX(config=configure(**{"JWT_TOKEN_LOCATION": ["cookies"]} | fields))
