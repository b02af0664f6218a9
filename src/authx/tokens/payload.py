"""Payloads of claims that have been checked, equal to those that validation would make, without its cost."""

from copy import deepcopy
from datetime import UTC, datetime
from functools import lru_cache, partial
from typing import Any, Final

from pydantic import BaseModel

from authx.core.scopes import granted_scopes
from authx.jose.json_object import JSONObject
from authx.schema import TokenPayload

__all__ = ["make_payload", "payload_parts"]

_DEFAULTS: Final[dict[str, Any]] = {
    name: None if field.default_factory is not None else field.default
    for name, field in TokenPayload.model_fields.items()
}
# Many tokens of a busy service end in the same second.
_utc: Final = lru_cache(maxsize=1024)(partial(datetime.fromtimestamp, tz=UTC))
# What validation sets, set without it.
_new: Final = object.__new__
_set_fields: Final = vars(BaseModel)["__dict__"].__set__
_set_names: Final = vars(BaseModel)["__pydantic_fields_set__"].__set__
_set_extra: Final = vars(BaseModel)["__pydantic_extra__"].__set__
_set_private: Final = vars(BaseModel)["__pydantic_private__"].__set__


def payload_parts(claims: JSONObject) -> tuple[dict[str, Any], set[str], dict[str, Any]]:
    """Sort claims that `check_shape` accepted into fields, names that were given, and extra claims."""
    fields: dict[str, Any] = _DEFAULTS | claims
    extra: dict[str, Any] = {}
    if len(fields) != len(_DEFAULTS):
        extra = {name: fields.pop(name) for name in claims if name not in _DEFAULTS}
        if fields["scopes"] is None:
            fields["scopes"] = granted_scopes(extra)
    exp = fields["exp"]
    if exp is not None:
        fields["exp"] = _utc(exp)
    return fields, set(claims), extra


def make_payload(fields: dict[str, Any], names: set[str], extra: dict[str, Any]) -> TokenPayload:
    """Make a payload of parts; it keeps the first two."""
    # The claims are shared and the payload is not: what is mutable in them is copied.
    if fields["scopes"] is not None:
        fields["scopes"] = fields["scopes"].copy()
    if fields["aud"].__class__ is list:
        fields["aud"] = fields["aud"].copy()
    payload = _new(TokenPayload)
    _set_fields(payload, fields)
    _set_names(payload, names)
    _set_extra(payload, deepcopy(extra) if extra else {})
    _set_private(payload, None)
    return payload
