"""Cookies as ready data: names and attributes joined once, so that setting one is writing a line."""

from dataclasses import dataclass
from typing import Final

__all__ = ["Cookie", "CookiePair"]

# What browsers keep of name and value together (RFC 6265bis section 5.6).
MAX_BYTES: Final = 4096
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
        """Write the `Set-Cookie` line that sets it; one that browsers would drop is refused."""
        if len(self.name) + len(value) > MAX_BYTES:
            raise ValueError(
                f"The cookie {self.name} would have {len(self.name) + len(value)} bytes and browsers drop cookies over "
                f"{MAX_BYTES}: put less into the token"
            )
        if not value.isascii() or not value.isprintable() or any(character in value for character in ' ",;\\'):
            raise ValueError(f"The value for the cookie {self.name} is no cookie value")
        return self._line(value, max_age, secure, expires=None)

    def deletion(self, *, secure: bool) -> bytes:
        """Write the `Set-Cookie` line that deletes it, with the attributes it was set with."""
        return self._line('""', 0, secure, expires=_LONG_AGO)

    def _line(self, value: str, max_age: int | None, secure: bool, expires: str | None) -> bytes:
        parts = [f"{self.name}={value}"]
        if self.domain is not None:
            parts.append(f"Domain={self.domain}")
        if expires is not None:
            parts.append(f"expires={expires}")
        if self.http_only:
            parts.append("HttpOnly")
        if max_age is not None:
            parts.append(f"Max-Age={max_age}")
        parts.append(f"Path={self.path}")
        if self.same_site is not None:
            parts.append(f"SameSite={self.same_site}")
        if secure:
            parts.append("Secure")
        return "; ".join(parts).encode("ascii")


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
