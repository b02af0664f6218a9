"""Set-Cookie headers taken apart."""

from dataclasses import dataclass
from http.cookies import Morsel, SimpleCookie
from typing import Any


@dataclass(frozen=True)
class SetCookie:
    """One Set-Cookie header: what a browser is told to keep, and how."""

    value: str
    attributes: dict[str, str | bool]


def set_cookies_of(response: Any) -> dict[str, SetCookie]:
    """Every cookie that an answer sets, by name; a name set twice is an error."""
    headers = response.headers
    lines = headers.get_list("set-cookie") if hasattr(headers, "get_list") else headers.getlist("set-cookie")
    found: dict[str, SetCookie] = {}
    for line in lines:
        ((name, morsel),) = SimpleCookie(line).items()
        assert name not in found, f"{name} is set twice"
        found[name] = SetCookie(morsel.value, _attributes(morsel))
    return found


def _attributes(morsel: "Morsel[str]") -> dict[str, str | bool]:
    return {name: value for name, value in morsel.items() if value != ""}
