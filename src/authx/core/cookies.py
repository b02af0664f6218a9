"""Cookies as ready data: names and attributes joined once, so that setting one is writing a line."""

from dataclasses import dataclass
from typing import Final

__all__ = ["Cookie", "CookiePair"]

# What browsers keep of name and value together (RFC 6265bis section 5.6).
MAX_BYTES: Final = 4096
_LONG_AGO: Final = "Thu, 01 Jan 1970 00:00:00 GMT"


@dataclass(frozen=True, slots=True)
class Cookie:
    """One cookie of the library.

    Attributes:
        name: Its name.
        path: Its Path.
        domain: Its Domain; `None` for the host alone.
        same_site: Its SameSite; `None` leaves the attribute out.
        http_only: Whether scripts cannot read it.
    """

    name: str
    path: str
    domain: str | None
    same_site: str | None
    http_only: bool

    def header(self, value: str, *, max_age: int | None, secure: bool) -> bytes:
        """Write the `Set-Cookie` line that sets it.

        Args:
            value: Its value: token or base64url characters only.
            max_age: Seconds to keep it; `None` until the browser ends.
            secure: Whether it travels over TLS only.

        Returns:
            The header's value.

        Raises:
            ValueError: Browsers would drop it for its size, or its value is no cookie value.
        """
        if len(self.name) + len(value) > MAX_BYTES:
            raise ValueError(
                f"The cookie {self.name} would have {len(self.name) + len(value)} bytes and browsers drop cookies over "
                f"{MAX_BYTES}: put less into the token"
            )
        if not value.isascii() or not value.isprintable() or any(character in value for character in ' ",;\\'):
            raise ValueError(f"The value for the cookie {self.name} is no cookie value")
        return self._line(value, max_age, secure, expires=None)

    def deletion(self, *, secure: bool) -> bytes:
        """Write the `Set-Cookie` line that deletes it, with the attributes it was set with.

        Args:
            secure: Whether it was set to travel over TLS only.

        Returns:
            The header's value.
        """
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
    """A token's cookie and the readable one with its CSRF value.

    Attributes:
        token: Carries the token.
        csrf: Carries the CSRF value; `None` where it does not travel in a cookie.
    """

    token: Cookie
    csrf: Cookie | None

    def headers(self, token: str, csrf: str, *, max_age: int | None, secure: bool) -> list[bytes]:
        """Write the lines that set both.

        Args:
            token: The compact token.
            csrf: Its CSRF value.
            max_age: Seconds to keep them; `None` until the browser ends.
            secure: Whether they travel over TLS only.

        Returns:
            One or two header values.

        Raises:
            ValueError: Browsers would drop one of them.
        """
        lines = [self.token.header(token, max_age=max_age, secure=secure)]
        if self.csrf is not None:
            lines.append(self.csrf.header(csrf, max_age=max_age, secure=secure))
        return lines

    def deletions(self, *, secure: bool) -> list[bytes]:
        """Write the lines that delete both.

        Args:
            secure: Whether they were set to travel over TLS only.

        Returns:
            One or two header values.
        """
        cookies = [self.token] if self.csrf is None else [self.token, self.csrf]
        return [cookie.deletion(secure=secure) for cookie in cookies]
