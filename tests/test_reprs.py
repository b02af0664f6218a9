"""Error trackers print local variables: no record shows a token, a CSRF value or a password."""

import dataclasses
import importlib
import inspect
import pkgutil

import pytest
from pydantic import BaseModel
from tests.support.apps import SECRET, make_auth
from tests.support.inside import parts_of

import authx
from authx.schema import RequestToken, SessionTokens, TokenPayload

# Names of fields that hold a secret, or something with a secret in it.
SENSITIVE = {
    "access_token", "claims", "cookies", "credentials", "csrf", "csrf_token", "key", "material", "password", "pem",
    "private_key", "raw", "refresh_csrf_token", "refresh_token", "retry_hash", "retry_key", "secret", "token", "url",
    "JWT_SECRET_KEY", "JWT_PRIVATE_KEY", "JWT_PREVIOUS_SECRET_KEY", "JWT_STORE_URL",
}  # fmt: skip
# Fields of these names that hold no secret.
HARMLESS = {
    ("CookiePair", "token"),  # how the cookie of a token is written
    ("CookiePair", "csrf"),
    ("PolicyCondition", "key"),
    ("Revocation", "key"),  # an id
    ("Runtime", "cookies"),  # pairs
    ("Renewal", "credentials"),  # which hide the password themselves
}


def records():
    """Every record of the library: dataclasses, named tuples and models."""
    found = {}
    for module in pkgutil.walk_packages(authx.__path__, "authx."):
        if module.name.endswith("__main__"):
            continue
        for _, kind in inspect.getmembers(importlib.import_module(module.name), inspect.isclass):
            if kind.__module__.startswith("authx.") and fields_of(kind):
                found[f"{kind.__module__}.{kind.__qualname__}"] = kind
    return found


def fields_of(kind):
    if dataclasses.is_dataclass(kind):
        return [field.name for field in dataclasses.fields(kind)]
    if issubclass(kind, tuple):
        return list(getattr(kind, "_fields", ()))
    return list(kind.model_fields) if issubclass(kind, BaseModel) else []


def filled(kind):
    """A record whose fields hold their own names, marked."""
    values = {name: f"<{name}>" for name in fields_of(kind)}
    if issubclass(kind, BaseModel):
        return kind.model_construct(**values)
    if issubclass(kind, tuple):
        return kind(**values)
    record = object.__new__(kind)
    for name, value in values.items():
        object.__setattr__(record, name, value)
    return record


RECORDS = records()


@pytest.mark.parametrize("name", RECORDS)
def test_no_record_shows_what_has_to_stay_secret(name):
    kind = RECORDS[name]
    shown = repr(filled(kind))
    secrets = [field for field in fields_of(kind) if field in SENSITIVE and (kind.__name__, field) not in HARMLESS]
    assert [field for field in secrets if f"<{field}>" in shown] == []


def test_the_records_that_carry_secrets_are_among_those_that_are_looked_at():
    looked_at = {name.rpartition(".")[2] for name in RECORDS}
    assert looked_at >= {
        "Found", "Issued", "TokenRequest", "PresentedToken", "TokenPair", "Server", "State", "Work",
        "_Credentials", "_Carried", "_Answer", "Parts", "Place", "RequestToken", "TokenPayload", "SessionTokens",
        "AuthXConfig",
    }  # fmt: skip


def test_public_models_hide_their_secrets_in_every_text_about_them():
    auth = make_auth(JWT_TOKEN_LOCATION=["cookies"])
    pair = auth.create_token_pair("alice")
    found = RequestToken(token=pair.access_token, csrf="the-csrf", location="cookies")
    payload = auth.verify_token(found, verify_csrf=False)
    assert payload.csrf
    tokens = SessionTokens(access_token="the-access", refresh_token="the-refresh", csrf_token="the-csrf")
    text = " ".join(write(model) for model in (pair, found, payload, tokens) for write in (repr, str))
    for secret in (pair.access_token, pair.refresh_token, payload.csrf, "the-access", "the-refresh", "the-csrf"):
        assert secret not in text


@pytest.mark.parametrize("model", [RequestToken, TokenPayload])
def test_an_error_about_a_models_fields_repeats_none_of_them(model):
    with pytest.raises(ValueError, match="validation error") as refusal:
        model.model_validate({"token": ["s3cret"], "sub": ["s3cret"], "csrf": ["s3cret"], "location": "s3cret"})
    assert "s3cret" not in str(refusal.value)


def test_an_instance_and_its_parts_show_no_key():
    assert SECRET not in " ".join(map(repr, parts_of(make_auth())))
