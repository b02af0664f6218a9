"""JSON objects, read strictly: no duplicate keys, finite numbers, exact integers, nothing but UTF-8."""

import json
from enum import Enum
from math import isfinite
from typing import Final, NoReturn, TypeAlias

import orjson

__all__ = ["JSONObject", "JSONValue", "NotAnObjectError", "dump_object", "load_object"]

JSONValue: TypeAlias = "bool | int | float | str | list[JSONValue] | dict[str, JSONValue] | None"
JSONObject: TypeAlias = dict[str, JSONValue]


class NotAnObjectError(ValueError):
    """It is JSON, but an array, a text, a number or a constant."""


def load_object(raw: bytes) -> JSONObject:
    """Read one JSON object from UTF-8 without a byte order mark; integers of any size are exact."""
    value = orjson.loads(raw)
    if type(value) is not dict:
        raise NotAnObjectError("not a JSON object")
    try:
        # A dictionary that writes back byte for byte had no duplicate key and no number rounded.
        if orjson.dumps(value) == raw:
            return value
    except orjson.JSONEncodeError as error:
        raise ValueError("nested too deeply") from error
    return _load_slowly(raw)


def _load_slowly(raw: bytes) -> JSONObject:
    """Read an object that orjson accepts but writes in another way."""
    value: JSONObject = json.loads(raw, object_pairs_hook=_unique, parse_float=_finite, parse_constant=_refuse_constant)
    return value


def _unique(pairs: list[tuple[str, JSONValue]]) -> JSONObject:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a name occurs twice")
    return value


def _finite(text: str) -> float:
    number = float(text)
    if not isfinite(number):
        raise ValueError("a number is not finite")
    return number


def _refuse_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not JSON")


def dump_object(value: JSONObject) -> bytes:
    """Write one JSON object, compactly, in the order given."""
    try:
        raw = orjson.dumps(value, option=_PLAIN)
    except orjson.JSONEncodeError:
        # Integers beyond 64 bits are good JSON; whatever else was refused shows in the comparison.
        return _dump_slowly(value)
    if b"null" in raw and json.loads(raw) != value:
        # orjson writes NaN and infinities as null without a word.
        json.dumps(value, allow_nan=False, default=_as_orjson)
    return raw


def _as_orjson(value: object) -> object:
    """Show the standard library what orjson made of an identifier or a member of an enumeration."""
    return value.value if isinstance(value, Enum) else str(value)


def _dump_slowly(value: JSONObject) -> bytes:
    try:
        raw = json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()
    except RecursionError:
        raise ValueError("nested too deeply") from None
    load_object(raw)
    if not _has_text_names(value):
        raise TypeError("names in JSON are texts")
    return raw


def _has_text_names(value: object) -> bool:
    if isinstance(value, dict):
        return all(isinstance(name, str) and _has_text_names(inner) for name, inner in value.items())
    return not isinstance(value, list | tuple) or all(map(_has_text_names, value))


# What is written is what was given: no dataclass, date or subclass is turned into something else.
_PLAIN: Final = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME
