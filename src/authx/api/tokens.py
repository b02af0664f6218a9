"""The public methods that make, find and verify tokens."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final

from starlette.requests import Request

from authx.api.instance import Expiry, Instance
from authx.exceptions import AuthXException, MissingTokenError
from authx.http.authenticate import attach_evidence, authenticate_text
from authx.http.cookie_delivery import mark_private
from authx.http.injections import NotADependency, TokenFinder
from authx.http.locations import Found
from authx.http.requirement import Requirement
from authx.schema import RequestToken, TokenPayload, TokenResponse
from authx.token import to_bytes
from authx.tokens.issuer import TokenRequest
from authx.types import UID, StringOrSequence, TokenLocation, TokenType

__all__ = ["TokenMethods"]

_VERIFY: Final = NotADependency(
    "auth.verify_token works inside a route: as a dependency it would take the token from the request's body. "
    "Write Depends(auth.access_token_required)."
)


class TokenMethods(Instance):
    """Making, finding and verifying tokens."""

    _finders: dict[TokenType, TokenFinder]

    def _now(self) -> float:
        # A call deeper than the method that asks: freezegun leaves the first calls of a thread, where FastAPI runs
        # plain functions, with the real time.
        return self._runtime.clock()

    def create_access_token(
        self,
        uid: UID,
        fresh: bool = False,
        headers: Mapping[str, Any] | None = None,
        expiry: Expiry = None,
        data: Mapping[str, Any] | None = None,
        audience: StringOrSequence | None = None,
        scopes: Sequence[str] | None = None,
        *,
        sid: str | None = None,
    ) -> str:
        """Make an access token.

        Args:
            uid: The subject: a `str`, `int` or `uuid.UUID` whose text has 1 to 255 characters.
            fresh: Whether the user has just proved who they are.
            headers: Further members of the JOSE header, such as `kid`.
            expiry: When it ends: a time, or a duration from now; as configured by default.
            data: Further claims. Claims with an argument or a setting of their own are refused.
            audience: `aud`; as configured by default, empty for none.
            scopes: What it allows; no such claim by default.
            sid: The session it belongs to, from a payload's `sid`; one of its own by default.

        Returns:
            The compact token (RFC 7519).

        Raises:
            BadConfigurationError: The signing key is missing.
            TypeError: `data` sets a reserved claim, or `uid` has a wrong type.
            ValueError: An argument cannot be part of a token.
        """
        mark_private()
        request = TokenRequest(
            uid=uid,
            fresh=fresh,
            headers=headers,
            expiry=expiry,
            data=data,
            audience=audience,
            scopes=scopes,
            sid=sid,
        )
        return self._runtime.issuer.access_token(request, self._now()).token

    def create_refresh_token(
        self,
        uid: UID,
        headers: Mapping[str, Any] | None = None,
        expiry: Expiry = None,
        data: Mapping[str, Any] | None = None,
        audience: StringOrSequence | None = None,
        scopes: Sequence[str] | None = None,
        *,
        fresh: bool = False,  # noqa: ARG002 - AuthX ignores it too
    ) -> str:
        """Make the first refresh token of a new session.

        Args:
            uid: The subject: a `str`, `int` or `uuid.UUID` whose text has 1 to 255 characters.
            headers: Further members of the JOSE header.
            expiry: When it ends: a time, or a duration from now; as configured by default.
            data: Further claims. Claims with an argument or a setting of their own are refused.
            audience: `aud`; as configured by default, empty for none.
            scopes: What it allows; no such claim by default.
            fresh: Accepted without effect: refresh tokens are never fresh.

        Returns:
            The compact token.

        Raises:
            BadConfigurationError: The signing key is missing.
            TypeError: `data` sets a reserved claim, or `uid` has a wrong type.
            ValueError: An argument cannot be part of a token.
        """
        mark_private()
        request = TokenRequest(uid=uid, headers=headers, expiry=expiry, data=data, audience=audience, scopes=scopes)
        return self._runtime.issuer.refresh_token(request, self._now()).token

    def create_token_pair(
        self,
        uid: UID,
        fresh: bool = False,
        headers: Mapping[str, Any] | None = None,
        access_expiry: Expiry = None,
        refresh_expiry: Expiry = None,
        data: Mapping[str, Any] | None = None,
        audience: StringOrSequence | None = None,
        access_scopes: Sequence[str] | None = None,
        refresh_scopes: Sequence[str] | None = None,
    ) -> TokenResponse:
        """Make an access and a refresh token of one new session.

        Args:
            uid: The subject: a `str`, `int` or `uuid.UUID` whose text has 1 to 255 characters.
            fresh: Whether the user has just proved who they are; for the access token.
            headers: Further members of both JOSE headers.
            access_expiry: When the access token ends.
            refresh_expiry: When the refresh token ends.
            data: Further claims of both.
            audience: `aud` of both.
            access_scopes: What the access token allows.
            refresh_scopes: What the refresh token allows.

        Returns:
            The pair, in the form of RFC 6749 section 5.1.

        Raises:
            BadConfigurationError: The signing key is missing.
            TypeError: `data` sets a reserved claim, or `uid` has a wrong type.
            ValueError: An argument cannot be part of a token.
        """
        mark_private()
        issuer, now = self._runtime.issuer, self._now()
        sid, csrf = issuer.new_sid(uid, now), issuer.new_csrf()
        access = TokenRequest(
            uid=uid,
            fresh=fresh,
            headers=headers,
            expiry=access_expiry,
            data=data,
            audience=audience,
            scopes=access_scopes,
            sid=sid,
            csrf=csrf or None,
        )
        refresh = TokenRequest(
            uid=uid,
            headers=headers,
            expiry=refresh_expiry,
            data=data,
            audience=audience,
            scopes=refresh_scopes,
            sid=sid,
            csrf=csrf,
        )
        return TokenResponse(
            access_token=issuer.access_token(access, now).token,
            refresh_token=issuer.refresh_token(refresh, now).token,
        )

    async def get_access_token_from_request(
        self, request: Request, locations: Sequence[TokenLocation] | None = None
    ) -> RequestToken:
        """Find a request's access token; nothing about it is verified.

        Args:
            request: The request.
            locations: Where to look, in order; as configured by default.

        Returns:
            The token.

        Raises:
            MissingTokenError: There is none.
            InvalidRequestError: There are two, or it is too long.
            KeyError: A location's name is unknown.
        """
        return await self._finders["access"].find(request, locations)

    async def get_refresh_token_from_request(
        self, request: Request, locations: Sequence[TokenLocation] | None = None
    ) -> RequestToken:
        """Find a request's refresh token; see `get_access_token_from_request`."""
        return await self._finders["refresh"].find(request, locations)

    async def get_token_from_request(
        self,
        request: Request,
        type: TokenType = "access",  # noqa: A002 - the argument's name is AuthX's
        optional: bool = True,
        locations: Sequence[TokenLocation] | None = None,
    ) -> RequestToken | None:
        """Find a request's token, if it has one; nothing about it is verified.

        Args:
            request: The request.
            type: `access` or `refresh`.
            optional: Whether there may be none.
            locations: Where to look, in order; as configured by default.

        Returns:
            The token, or `None`.

        Raises:
            MissingTokenError: There is none and `optional` is False.
            InvalidRequestError: There are two, or it is too long.
            KeyError: A location's name is unknown.
        """
        try:
            return await self._finders[type].find(request, locations)
        except MissingTokenError:
            if optional:
                return None
            raise

    def verify_token(
        self,
        token: Annotated[RequestToken, _VERIFY],
        verify_type: bool = True,
        verify_fresh: bool = False,
        verify_csrf: bool = True,
    ) -> TokenPayload:
        """Verify a token found in a request.

        The checks and their order are those of a dependency, with two exceptions, because this cannot wait. The store
        is never asked: where the revocation feed cannot answer for the token, that is refused. A blocklist is asked
        only if it is a sync function that runs here: one that was registered as `inline`, or any in a worker thread.

        Args:
            token: The token.
            verify_type: Whether it must be of the type it was looked for as.
            verify_fresh: Whether it must be fresh.
            verify_csrf: Whether a cookie's token must come with its CSRF value, where its request needs one.

        Returns:
            The payload.

        Raises:
            JWTDecodeError: Or a child of it that says what is wrong.
            TokenTypeError: It is of the other type.
            LoginTypeMismatchError: The instance has a login type, and the token has another one or none.
            FreshTokenRequiredError: It is not fresh.
            CSRFError: The CSRF value is missing or another one.
            SessionRevoked: Its session was ended.
            RevokedTokenError: It was revoked itself.
            StoreUnavailableError: The feed cannot answer: the store is not open yet, has been silent for too long, or
                the token is older than what the feed remembers.
            InvalidRequestError: It is too long.
        """
        runtime = self._runtime
        requirement = Requirement(kind=token.type, verify_type=verify_type, verify_fresh=verify_fresh)
        exempt = not verify_csrf or token.location != "cookies" or token._csrf_exempt
        try:
            found = Found(to_bytes(token.token), token.location, token.csrf, csrf_exempt=exempt)
            return authenticate_text(runtime, found, requirement, self._now()).payload()
        except AuthXException as error:
            attach_evidence(runtime, error, None, token.type, ends_cookies=False)
            raise
