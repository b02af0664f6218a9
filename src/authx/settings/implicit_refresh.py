"""When a response renews a cookie that is about to expire."""

from datetime import timedelta

from pydantic import Field

from authx.settings.feature import Duration, FeatureSettings
from authx.types import HTTPMethods

__all__ = ["ImplicitRefreshSettings"]


class ImplicitRefreshSettings(FeatureSettings):
    """Implicit refresh."""

    JWT_IMPLICIT_REFRESH_ROUTE_EXCLUDE: list[str] = Field(
        default=[], description="Exact paths that never renew a cookie.", examples=["/login,/logout"]
    )
    JWT_IMPLICIT_REFRESH_ROUTE_INCLUDE: list[str] = Field(
        default=[], description="Exact paths that renew it whatever the method.", examples=["/profile,/notes"]
    )
    JWT_IMPLICIT_REFRESH_METHOD_EXCLUDE: HTTPMethods = Field(default=[], description="Methods that never renew it.")
    JWT_IMPLICIT_REFRESH_METHOD_INCLUDE: HTTPMethods = Field(
        default=[], description="Methods that renew it; empty: all."
    )
    JWT_IMPLICIT_REFRESH_DELTATIME: Duration = Field(
        default=timedelta(minutes=10), description="Remaining life below which it is renewed."
    )
