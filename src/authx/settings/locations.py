"""Where tokens travel."""

from collections.abc import Iterator, Sequence

from pydantic import Field

from authx.settings.feature import FeatureSettings, is_header_name
from authx.settings.finding import Finding
from authx.types import TokenLocation, TokenLocations, TokenType

__all__ = ["LocationSettings", "contradictions", "findings", "locations_of"]


class LocationSettings(FeatureSettings):
    """Where tokens travel."""

    JWT_TOKEN_LOCATION: TokenLocations = Field(
        default=["headers"], description="Where tokens are looked for, in this order."
    )
    JWT_REFRESH_TOKEN_LOCATION: Sequence[TokenLocation] | None = Field(
        default=None, description="Where refresh tokens are looked for; None: as JWT_TOKEN_LOCATION."
    )
    JWT_HEADER_NAME: str = Field(default="Authorization", description="Header that carries the token.")
    JWT_HEADER_TYPE: str = Field(default="Bearer", description="Scheme before the token in the header; empty: none.")
    JWT_QUERY_STRING_NAME: str = Field(default="token", description="Query parameter that carries the token.")
    JWT_JSON_KEY: str = Field(default="access_token", description="Body key of access tokens.")
    JWT_REFRESH_JSON_KEY: str = Field(default="refresh_token", description="Body key of refresh tokens.")

    def has_location(self, location: TokenLocation) -> bool:
        """Return whether tokens are looked for there.

        Args:
            location: `headers`, `cookies`, `json` or `query`.

        Returns:
            Whether it is in `JWT_TOKEN_LOCATION`.
        """
        return location in self.JWT_TOKEN_LOCATION


def locations_of(settings: LocationSettings, kind: TokenType) -> Sequence[TokenLocation]:
    """Return where tokens of a type travel, in order."""
    if kind == "refresh" and settings.JWT_REFRESH_TOKEN_LOCATION is not None:
        return settings.JWT_REFRESH_TOKEN_LOCATION
    return settings.JWT_TOKEN_LOCATION


def contradictions(settings: LocationSettings) -> Iterator[str]:
    """Yield what cannot work."""
    if not is_header_name(settings.JWT_HEADER_NAME):
        yield "JWT_HEADER_NAME is no header name: use letters, digits and -"
    if settings.JWT_HEADER_TYPE and not is_header_name(settings.JWT_HEADER_TYPE):
        yield "JWT_HEADER_TYPE is no authentication scheme: use one word such as Bearer, or an empty text"
    for field in ("JWT_QUERY_STRING_NAME", "JWT_JSON_KEY", "JWT_REFRESH_JSON_KEY"):
        if not getattr(settings, field):
            yield f"{field} is empty"


def findings(settings: LocationSettings) -> Iterator[Finding]:
    """Yield what `authx check` says of tokens in URLs."""
    for field in ("JWT_TOKEN_LOCATION", "JWT_REFRESH_TOKEN_LOCATION"):
        places = getattr(settings, field)
        if places and "query" in places:
            others = [f'"{place}"' for place in places if place != "query"] or ['"headers"']
            yield Finding(
                "warning",
                "token-in-query",
                f"{field} contains query: tokens are accepted in URLs.",
                "URLs, and the tokens in them, are kept in logs, histories and Referer headers.",
                f"{field}=[{', '.join(others)}]",
            )
