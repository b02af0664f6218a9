"""Surface: names, order and defaults of the parameters of every public callable."""

import inspect

import pytest

from authx import AuthX, AuthXDependency, RequestToken, TokenPayload
from authx import token as token_module
from authx.exceptions import (
    InsufficientScopeError,
    LoginTypeMismatchError,
    PolicyDeniedError,
    RateLimitExceeded,
)

REQUIRED = inspect.Parameter.empty
TOKEN_ARGUMENTS = {"headers": None, "expiry": None, "data": None, "audience": None}
PAIR_ARGUMENTS = {
    "uid": REQUIRED,
    "fresh": False,
    "headers": None,
    "access_expiry": None,
    "refresh_expiry": None,
    "data": None,
    "audience": None,
    "access_scopes": None,
    "refresh_scopes": None,
}
CHECKS = {"verify_type": True, "verify_fresh": False, "verify_csrf": None, "locations": None}
ONE_MODULE = {"request": REQUIRED, "locations": None}
SET_COOKIES = {"token": REQUIRED, "response": REQUIRED, "max_age": None}
SET_COOKIES_IN_BUNDLE = {"token": REQUIRED, "response": None, "max_age": None}
VERIFY = {"key": REQUIRED, "algorithms": None, "audience": None, "issuer": None}

METHODS = [
    (AuthX, "load_config", {"config": REQUIRED}),
    (AuthX, "create_access_token", {"uid": REQUIRED, "fresh": False} | TOKEN_ARGUMENTS | {"scopes": None}),
    (AuthX, "create_refresh_token", {"uid": REQUIRED} | TOKEN_ARGUMENTS | {"scopes": None}),
    (AuthX, "create_token_pair", PAIR_ARGUMENTS),
    (AuthX, "get_access_token_from_request", ONE_MODULE),
    (AuthX, "get_refresh_token_from_request", ONE_MODULE),
    (
        AuthX,
        "get_token_from_request",
        {"request": REQUIRED, "type": "access", "optional": True, "locations": None},
    ),
    (
        AuthX,
        "verify_token",
        {"token": REQUIRED, "verify_type": True, "verify_fresh": False, "verify_csrf": True},
    ),
    (AuthX, "get_dependency", {"request": REQUIRED, "response": REQUIRED}),
    (AuthX, "token_required", {"type": "access"} | CHECKS),
    (AuthX, "set_access_cookies", SET_COOKIES),
    (AuthX, "set_refresh_cookies", SET_COOKIES),
    (AuthX, "unset_access_cookies", {"response": REQUIRED}),
    (AuthX, "unset_refresh_cookies", {"response": REQUIRED}),
    (AuthX, "unset_cookies", {"response": REQUIRED}),
    (AuthX, "handle_errors", {"app": REQUIRED}),
    (AuthX, "ensure_request_exception_handlers", {"request": REQUIRED}),
    (AuthXDependency, "create_token_pair", PAIR_ARGUMENTS),
    (AuthXDependency, "create_access_token", {"uid": REQUIRED, "fresh": False} | TOKEN_ARGUMENTS),
    (AuthXDependency, "create_refresh_token", {"uid": REQUIRED} | TOKEN_ARGUMENTS),
    (AuthXDependency, "set_access_cookies", SET_COOKIES_IN_BUNDLE),
    (AuthXDependency, "set_refresh_cookies", SET_COOKIES_IN_BUNDLE),
    (AuthXDependency, "unset_access_cookies", {"response": None}),
    (AuthXDependency, "unset_refresh_cookies", {"response": None}),
    (AuthXDependency, "unset_cookies", {"response": None}),
    (
        TokenPayload,
        "encode",
        {"key": REQUIRED, "algorithm": "HS256", "ignore_errors": True, "headers": None, "data": None},
    ),
    (
        RequestToken,
        "verify",
        VERIFY | {"verify_jwt": True, "verify_type": True, "verify_csrf": True, "verify_fresh": False},
    ),
]

FUNCTIONS = [
    (
        token_module.create_token,
        {
            "uid": REQUIRED,
            "key": REQUIRED,
            "type": "access",
            "jti": None,
            "expiry": None,
            "issued": None,
            "fresh": False,
            "csrf": None,
            "algorithm": "HS256",
            "headers": None,
            "audience": None,
            "issuer": None,
            "additional_data": None,
            "not_before": None,
            "data": None,
            "ignore_errors": True,
        },
    ),
    (token_module.decode_token, {"token": REQUIRED} | VERIFY | {"verify": True, "data": None}),
    (TokenPayload.decode, {"token": REQUIRED} | VERIFY | {"verify": True}),
    (
        LoginTypeMismatchError,
        {"expected_type": REQUIRED, "actual_type": None, "message": None, "login_type": None},
    ),
    (
        InsufficientScopeError,
        {"required": REQUIRED, "provided": None, "message": None, "login_type": None},
    ),
    (PolicyDeniedError, {"reason": "Policy denied access", "login_type": None}),
    (RateLimitExceeded, {"retry_after": 60, "message": None}),
]


def positional(callable_, *, skip_self):
    parameters = list(inspect.signature(callable_).parameters.values())[skip_self:]
    return [(p.name, p.default) for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]


@pytest.mark.parametrize(
    ("owner", "name", "expected"), METHODS, ids=[f"{owner.__name__}.{name}" for owner, name, _ in METHODS]
)
def test_a_method_takes_its_parameters_in_order(owner, name, expected):
    found = positional(getattr(owner, name), skip_self=True)
    assert found[: len(expected)] == list(expected.items())
    assert all(default is not REQUIRED for _, default in found[len(expected) :])


@pytest.mark.parametrize(("function", "expected"), FUNCTIONS, ids=[function.__qualname__ for function, _ in FUNCTIONS])
def test_a_function_takes_its_parameters_in_order(function, expected):
    assert positional(function, skip_self=False)[: len(expected)] == list(expected.items())


def test_the_constructor_takes_configuration_model_and_login_type():
    names = [name for name, _ in positional(AuthX, skip_self=False)]
    assert names[:3] == ["config", "model", "login_type"]


def test_scopes_required_takes_any_number_of_scopes_and_named_options():
    parameters = list(inspect.signature(AuthX.scopes_required).parameters.values())[1:]
    assert parameters[0].kind is inspect.Parameter.VAR_POSITIONAL
    assert {p.name: p.default for p in parameters[1:]} == {"all_required": True} | CHECKS
    assert all(p.kind is inspect.Parameter.KEYWORD_ONLY for p in parameters[1:])


def test_has_scopes_takes_any_number_of_scopes_and_one_named_option():
    parameters = list(inspect.signature(TokenPayload.has_scopes).parameters.values())[1:]
    assert parameters[0].kind is inspect.Parameter.VAR_POSITIONAL
    assert [(p.name, p.default) for p in parameters[1:]] == [("all_required", True)]


def test_the_bundle_is_made_from_an_authx_a_request_and_a_response():
    names = [name for name, _ in positional(AuthXDependency, skip_self=False)]
    assert names[:3] == ["_from", "request", "response"]


@pytest.mark.parametrize("method", ["create_access_token", "create_refresh_token", "create_token_pair"])
def test_an_unknown_keyword_argument_is_an_error(make_auth, method):
    with pytest.raises(TypeError):
        getattr(make_auth(), method)(uid="alice", scope=["read"])


def test_a_refresh_token_cannot_be_fresh_but_may_be_asked_to(make_auth):
    auth = make_auth()
    token = RequestToken(token=auth.create_refresh_token(uid="alice", fresh=True), type="refresh", location="headers")
    assert auth.verify_token(token).fresh is False


@pytest.mark.parametrize(
    "name",
    [
        "access_token_required",
        "refresh_token_required",
        "fresh_token_required",
        "ACCESS_REQUIRED",
        "REFRESH_REQUIRED",
        "FRESH_REQUIRED",
        "ACCESS_TOKEN",
        "REFRESH_TOKEN",
        "CURRENT_SUBJECT",
        "DEPENDENCY",
        "BUNDLE",
        "config",
        "is_token_callback_set",
        "is_model_callback_set",
    ],
)
def test_a_property_is_read_without_a_call(name):
    assert not inspect.isroutine(inspect.getattr_static(AuthX, name, None))
