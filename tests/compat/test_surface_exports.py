"""Surface: what can be imported, and that importing changes nothing else."""

import importlib
import importlib.resources
import subprocess
import sys

import pytest

import authx

TOP_LEVEL = [
    "AuthX",
    "AuthXConfig",
    "AuthXDependency",
    "RequestToken",
    "TokenPayload",
    "TokenResponse",
    "SessionInfo",
    "AuthManager",
    "PolicyCondition",
    "PolicyContext",
    "PolicyDecision",
    "PolicyEngine",
    "PolicyRule",
    "RateLimiter",
    "RateLimitExceeded",
    "InsufficientScopeError",
    "JWTDecodeError",
    "LoginTypeMismatchError",
    "PolicyDeniedError",
    "PolicyEvaluationError",
    "TokenExpiredError",
    "TokenInvalidAudienceError",
    "TokenInvalidIssuerError",
    "TokenInvalidSignatureError",
]

SUBMODULES = {
    "authx.config": ["AuthXConfig"],
    "authx.main": ["AuthX"],
    "authx.dependencies": ["AuthXDependency"],
    "authx.schema": ["TokenPayload", "RequestToken", "TokenResponse"],
    "authx.token": ["create_token", "decode_token"],
    "authx.exceptions": [
        "AuthXException",
        "BadConfigurationError",
        "JWTDecodeError",
        "TokenExpiredError",
        "TokenInvalidSignatureError",
        "TokenInvalidAudienceError",
        "TokenInvalidIssuerError",
        "NoAuthorizationError",
        "CSRFError",
        "TokenError",
        "MissingTokenError",
        "MissingCSRFTokenError",
        "TokenTypeError",
        "AccessTokenRequiredError",
        "RefreshTokenRequiredError",
        "LoginTypeMismatchError",
        "RevokedTokenError",
        "TokenRequiredError",
        "FreshTokenRequiredError",
        "InsufficientScopeError",
        "PolicyDeniedError",
        "PolicyEvaluationError",
        "SessionRevoked",
        "RateLimitExceeded",
        "InvalidToken",
        "AuthxArgumentDeprecationWarning",
    ],
    "authx.types": [
        "Numeric",
        "ObjectOrSequence",
        "StringOrSequence",
        "DateTimeExpression",
        "SymmetricAlgorithmType",
        "AsymmetricAlgorithmType",
        "AlgorithmType",
        "HTTPMethod",
        "HTTPMethods",
        "SameSitePolicy",
        "TokenType",
        "TokenLocation",
        "TokenLocations",
        "T",
        "T_co",
        "TokenCallback",
        "ModelCallback",
        "RateLimitKeyFunc",
        "SessionStoreProtocol",
    ],
    "authx.manager": ["AuthManager"],
    "authx.policy": [
        "PolicyCondition",
        "PolicyContext",
        "PolicyDecision",
        "PolicyEngine",
        "PolicyRule",
        "PolicyEvaluator",
        "PolicyEffect",
        "PolicySource",
        "PolicyOperator",
        "build_policy_environment",
        "default_subject_from_payload",
    ],
    "authx._internal._session": ["InMemorySessionStore"],
}


def test_all_has_every_name_of_the_contract():
    assert set(TOP_LEVEL) <= set(authx.__all__)


@pytest.mark.parametrize("name", authx.__all__)
def test_every_exported_name_exists(name):
    assert getattr(authx, name) is not None


@pytest.mark.parametrize(("module", "name"), [(module, name) for module, names in SUBMODULES.items() for name in names])
def test_every_documented_import_works(module, name):
    assert getattr(importlib.import_module(module), name) is not None


@pytest.mark.parametrize("name", ["AuthX", "AuthXConfig", "TokenPayload", "RequestToken", "TokenResponse"])
def test_a_name_is_one_object_wherever_it_is_imported_from(name):
    homes = [module for module, names in SUBMODULES.items() if name in names]
    assert all(getattr(importlib.import_module(home), name) is getattr(authx, name) for home in homes)


@pytest.mark.parametrize("name", ["TokenCallback", "ModelCallback", "RateLimitKeyFunc", "SessionStoreProtocol"])
def test_no_protocol_is_checked_at_run_time(name):
    protocol = getattr(importlib.import_module("authx.types"), name)
    with pytest.raises(TypeError):
        isinstance(object(), protocol)


@pytest.mark.parametrize(
    ("alias", "values"),
    [
        ("TokenType", {"access", "refresh"}),
        ("TokenLocation", {"headers", "cookies", "json", "query"}),
        ("SameSitePolicy", {"lax", "strict", "none"}),
        ("HTTPMethod", {"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"}),
    ],
)
def test_a_literal_alias_has_the_documented_values(alias, values):
    assert set(getattr(importlib.import_module("authx.types"), alias).__args__) == values


def test_the_package_is_marked_as_typed():
    assert (importlib.resources.files("authx") / "py.typed").is_file()


def run_after_import(statement):
    code = f"import logging, warnings, authx; {statement}"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def test_importing_configures_no_logging():
    untouched = {
        "logging.getLogger().handlers": "[]",
        "logging.getLogger().level == logging.WARNING": "True",
        "logging.getLogger('authx').level == logging.NOTSET": "True",
        "[h for h in logging.getLogger('authx').handlers if type(h) is not logging.NullHandler]": "[]",
    }
    assert run_after_import("\n".join(f"print({what})" for what in untouched)).splitlines() == [*untouched.values()]


def test_importing_does_not_read_the_environment(monkeypatch):
    monkeypatch.setenv("JWT_ALGORITHM", "no such algorithm")
    assert run_after_import("print('imported')").strip() == "imported"
