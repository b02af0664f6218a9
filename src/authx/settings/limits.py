"""How much is read of a request, and remembered of tokens."""

from pydantic import Field

from authx.settings.feature import FeatureSettings

__all__ = ["LimitSettings"]


class LimitSettings(FeatureSettings):
    """Limits."""

    JWT_MAX_TOKEN_BYTES: int = Field(default=8192, ge=256, description="Longest token looked at, in bytes.")
    JWT_MAX_BODY_BYTES: int = Field(
        default=1_048_576, ge=1024, description="How much of a body is read in search of a token or CSRF value."
    )
    JWT_TOKEN_CACHE_SIZE: int = Field(
        default=1024, ge=0, description="Verified tokens remembered per process; 0: none."
    )
