"""Cookies as ready data: names and attributes joined once, so that setting one is writing a line."""

import re
from dataclasses import dataclass
from typing import Final

__all__ = ["Cookie", "CookiePair"]

# What browsers keep of name and value together (RFC 6265bis section 5.6).
MAX_BYTES: Final = 4096
# Printable ASCII without space, quote, comma, semicolon and backslash (RFC 6265 section 4.1.1).
_VALUE: Final = re.compile(r"[!#-+\--:<-\[\]-~]*")
_LONG_AGO: Final = "Thu, 01 Jan 1970 00:00:00 GMT"


@dataclass(frozen=True, slots=True)
class Cookie:
    """One cookie of the library; an attribute that is `None` is left out."""

    name: str
    path: str
    domain: str | None
    same_site: str | None
    http_only: bool

    def header(self, value: str, *, max_age: int | None, secure: bool) -> bytes:
        """Write the `Set-Cookie` line that sets it, for `max_age` seconds or, with `None`, until the browser ends."""
        if len(self.name) + len(value) > MAX_BYTES:
            raise ValueError(
                f"The cookie {self.name} would have {len(self.name) + len(value)} bytes and browsers drop cookies over "
                f"{MAX_BYTES}: put less into the token"
            )
        if _VALUE.fullmatch(value) is None:
            raise ValueError(f"The value for the cookie {self.name} is no cookie value")
        domain = "" if self.domain is None else f"; Domain={self.domain}"
        http_only = "; HttpOnly" if self.http_only else ""
        age = "" if max_age is None else f"; Max-Age={max_age}"
        return f"{self.name}={value}{domain}{http_only}{age}{self._end(secure)}".encode("ascii")

    def deletion(self, *, secure: bool) -> bytes:
        """Write the `Set-Cookie` line that deletes it, with the attributes it was set with."""
        domain = "" if self.domain is None else f"; Domain={self.domain}"
        http_only = "; HttpOnly" if self.http_only else ""
        line = f'{self.name}=""{domain}; expires={_LONG_AGO}{http_only}; Max-Age=0{self._end(secure)}'
        return line.encode("ascii")

    def _end(self, secure: bool) -> str:
        same_site = "" if self.same_site is None else f"; SameSite={self.same_site}"
        return f"; Path={self.path}{same_site}{'; Secure' if secure else ''}"


@dataclass(frozen=True, slots=True)
class CookiePair:
    """A token's cookie and the readable one with its CSRF value, where that travels in a cookie."""

    token: Cookie
    csrf: Cookie | None

    def headers(self, token: str, csrf: str, *, max_age: int | None, secure: bool) -> list[bytes]:
        """Write the lines that set both."""
        lines = [self.token.header(token, max_age=max_age, secure=secure)]
        if self.csrf is not None:
            lines.append(self.csrf.header(csrf, max_age=max_age, secure=secure))
        return lines

    def deletions(self, *, secure: bool) -> list[bytes]:
        """Write the lines that delete both."""
        cookies = [self.token] if self.csrf is None else [self.token, self.csrf]
        return [cookie.deletion(secure=secure) for cookie in cookies]
