"""The auth object for httpx2 and httpx: it logs in, refreshes and retries."""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterable, Mapping
from inspect import iscoroutinefunction
from itertools import count
from math import inf
from threading import TIMEOUT_MAX
from typing import TYPE_CHECKING, Any, Final

from authx.clients.adapter import AuthBase, can_be_resent
from authx.clients.errors import LoginError
from authx.clients.server import Server
from authx.clients.session import Session, State, Steps, Work, send
from authx.clients.tokens import Refusal, TokenPair, may_be_refusal, read_refusal
from authx.settings.clock import timestamp

if TYPE_CHECKING:
    import httpx
    import httpx2
    from httpx2 import Request, Response

__all__ = ["AuthXAuth"]

_MAX_TRIES: Final = 10
_UNAUTHORIZED: Final = 401


class AuthXAuth(AuthBase):
    """Logs in, refreshes and retries for a client of httpx2 or httpx, blocking or asynchronous (on asyncio).

    One object may serve any number of clients, threads and tasks. They share one session, and one refresh at a time.
    Requests to the origin of `base` that have no such header themselves get the token; all others stay as they are.
    The client whose request needs a login or refresh sends that too.

    The object obeys a response whose body has an `action`: `refresh` (401) refreshes and sends the request again,
    `login` (401) ends the session, logs in again where it can, and sends the request again, `retry` (429, 503) waits
    and sends it again. Each happens once a request, `retry` up to `max_tries` times. All other responses are returned
    as they came. A request whose body is a stream is never sent again. Only a 401 with the action `login` ends the
    session; no network failure and no status of 500 or more does.

    Args:
        base: The URL below which login, refresh and logout are, such as `https://example.com/auth`.
        username: The user name to log in with; goes with `password`.
        password: The password.
        tokens: Tokens of an earlier login, which are used first.
        on_tokens: Called with each new pair before it is used, and with `None` when the session has ended, one call at
            a time. A coroutine function works with asynchronous clients only; any other function blocks their event
            loop. An exception reaches the caller whose request led to the call; the tokens stay in use, and the next
            request calls it again first. It must not send requests with this auth object.
        origins: Further origins that get tokens, such as `https://api.example.com`.
        login_path: The path of the login, below `base`.
        refresh_path: The path of the refresh, below `base`.
        logout_path: The path of the logout, below `base`.
        header_name: The header that carries a token; the server's `JWT_HEADER_NAME`.
        header_type: The text before the token (RFC 6750 section 2.1); the server's `JWT_HEADER_TYPE`.
        retry_key_header: The header that marks all attempts at one refresh, so that a later attempt can get the tokens
            of a lost response; the server's `JWT_RETRY_KEY_HEADER`. `None` sends none.
        save_retry_key: Whether `on_tokens` is called with a pair once more before its first refresh, with the key of
            that refresh in `retry_key`. A program that is killed meanwhile can go on with what it saved.
        headers: Further headers for login, refresh and logout, such as a key that a gateway wants.
        margin: Seconds before its expiry at which an access token is renewed; never more than a tenth of its lifetime.
        max_wait: Seconds of `Retry-After` (RFC 9110 section 10.2.3) to wait at most; if it says more, the response is
            returned. Without a readable `Retry-After`, the wait is one second.
        max_tries: How often a request is sent at most while the action is `retry`; 1 to 10.
        patience: Seconds that a request waits for the login or refresh of another one that shows no sign of life.
        clock: Returns the time in seconds since 1970; `None` reads the system's clock.
        sleep: Sleeps in a thread for seconds.
        async_sleep: Sleeps on an event loop for seconds.

    Raises:
        TypeError: An argument is unknown or of a wrong type.
        ValueError: There is neither a password nor a token pair, or an argument is out of its range. The message
            repeats no argument.
        ImportError: On import, if neither httpx2 nor httpx is installed.
    """

    def __init__(
        self,
        base: str,
        *,
        username: str | None = None,
        password: str | None = None,
        tokens: TokenPair | None = None,
        on_tokens: Callable[[TokenPair | None], Awaitable[object] | object] | None = None,
        origins: Iterable[str] = (),
        login_path: str = "/login",
        refresh_path: str = "/refresh",
        logout_path: str = "/logout",
        header_name: str = "Authorization",
        header_type: str = "Bearer",
        retry_key_header: str | None = "Idempotency-Key",
        save_retry_key: bool = False,
        headers: Mapping[str, str] | None = None,
        margin: float = 10.0,
        max_wait: float = 30.0,
        max_tries: int = 3,
        patience: float = 60.0,
        clock: Callable[[], float] | None = None,
        sleep: Callable[[float], object] = time.sleep,
        async_sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        if (username is None) != (password is None):
            raise ValueError("username and password go together")
        if username is None and tokens is None:
            raise ValueError("give username and password, or tokens, or both")
        if not 1 <= max_tries <= _MAX_TRIES:
            raise ValueError(f"max_tries is 1 to {_MAX_TRIES}")
        if not (margin >= 0 and 0 <= max_wait <= TIMEOUT_MAX and 0 < patience <= TIMEOUT_MAX):
            raise ValueError("margin and max_wait are 0 or more seconds, patience is more than 0; none is endless")
        if tokens is not None and not isinstance(tokens, TokenPair):
            raise TypeError("tokens is a TokenPair")
        paths = login_path, refresh_path, logout_path
        login = {"username": username, "password": password} if username is not None and password is not None else None
        self._server = Server(
            base.rstrip("/"), paths, header_name, header_type, retry_key_header, headers or {}, login, origins
        )
        self._session = Session(
            self._server,
            clock or timestamp,
            sleep,
            async_sleep,
            margin,
            max_wait,
            max_tries,
            patience,
            on_tokens or (lambda _: None),
            save_retry_key,
            tokens,
        )

    @property
    def tokens(self) -> TokenPair | None:
        """The newest pair, with the key of an unfinished refresh; `None` after a logout and before a login."""
        return self._session.state.pair

    def __repr__(self) -> str:
        state = "logged in" if self.tokens is not None else "not logged in"
        return f"<{type(self).__name__} {self._server.base} {state}>"

    def logout(self, client: "httpx2.Client | httpx.Client") -> None:
        """End the session on the server, forget the tokens and call `on_tokens` with `None`.

        A later request logs in again if the password is known. Without tokens, nothing is sent.

        Args:
            client: Sends the request; with its own `auth=` or without.

        Raises:
            httpx2.HTTPError: Or that of httpx, as the client is: the server did not answer, or its answer is neither
                a success nor 401. The tokens are kept, so that you can try again.
            TypeError: `on_tokens` is a coroutine function.
        """
        if self.tokens is not None:
            _check_logout(client.post(self._server.logout_url, auth=_Logout(self)))

    async def alogout(self, client: "httpx2.AsyncClient | httpx.AsyncClient") -> None:
        """As `logout`, with an asynchronous client; `on_tokens` may be a coroutine function.

        Args:
            client: Sends the request; with its own `auth=` or without.

        Raises:
            httpx2.HTTPError: Or that of httpx, as with `logout`.
        """
        if self.tokens is not None:
            _check_logout(await client.post(self._server.logout_url, auth=_Logout(self)))

    def sync_auth_flow(self, request: Any) -> Generator[Any, Any, None]:
        """Send a request and what it needs; blocking clients call this.

        Raises:
            LoginError: A token is missing, and the login failed.
            TypeError: `on_tokens` is a coroutine function.
        """
        on_tokens = self._session.on_tokens
        if iscoroutinefunction(on_tokens) or iscoroutinefunction(getattr(on_tokens, "__call__", None)):  # noqa: B004
            raise TypeError("on_tokens is a coroutine function, which works with asynchronous clients only")
        steps, response = self._steps(request), None
        try:
            while (step := _advance(steps, response)) is not None:
                if isinstance(step, Work):
                    step.blocking()
                else:
                    response = yield step
        finally:
            # If the client stops in the middle, this ends a login or refresh that others wait for.
            steps.close()

    async def async_auth_flow(self, request: Any) -> AsyncGenerator[Any, Any]:
        """Send a request and what it needs; asynchronous clients call this.

        Raises:
            LoginError: A token is missing, and the login failed.
        """
        steps, response = self._steps(request), None
        try:
            while (step := _advance(steps, response)) is not None:
                if isinstance(step, Work):
                    await step.asynchronous()
                else:
                    response = yield step
        finally:
            steps.close()

    def _steps(self, request: "Request") -> "Steps[Response]":
        """Do what a request needs; return the response that the caller gets."""
        server, session = self._server, self._session
        if not server.gets_token(request):
            return (yield from send(request))
        failure = yield from session.ensure(request)
        if failure is not None and self.tokens is None and server.can_log_in:
            raise LoginError(failure.status, failure.code)
        # The old token may still be good. If it is not, this request has had its refresh.
        done = set() if failure is None else {"refresh"}
        for tries in count(1):
            state = session.state
            sent = server.with_token(request, state.pair.access_token) if state.pair else request
            response = yield from send(sent)
            refusal = yield from self._refusal(response)
            if refusal.action is None:
                break
            if state.pair and response.request is not sent and server.gets_token(response.request):
                # A redirect within our origins has lost the token, so the refusal is not about it.
                request, again = response.request, "redirect" not in done
                done.add("redirect")
            elif refusal.action == "retry":
                again = can_be_resent(request) and (yield from session.wait_to_retry(response, refusal, tries))
            else:
                again = yield from self._renew(request, refusal.action, state, done)
            if not again or not can_be_resent(request):
                break
        return response

    def _renew(self, request: "Request", action: str, refused: State, done: set[str]) -> Steps[bool]:
        """Get another token than the refused one, in each way once a request; return whether there is one."""
        session = self._session
        way = action if session.state is refused or session.state.pair is None else "another request"
        if way in done:
            return False
        done.add(way)
        if action == "login":
            session.replace(refused, None)
        else:
            refused.renew_at = -inf
        failure = yield from session.ensure(request)
        return failure is None and session.state.pair is not None and session.state is not refused

    def _refusal(self, response: "Response") -> Steps[Refusal]:
        """Read what a response asks for; only the body of a refusal is read, because others may be streams."""
        status, headers = response.status_code, response.headers
        if not self._server.owns(response.url):
            return Refusal()
        if response.request.method == "HEAD":
            # There is no body, but a challenge (RFC 6750 section 3.1). A refresh shows whether the session is over.
            is_invalid = status == _UNAUTHORIZED and 'error="invalid_token"' in headers.get("www-authenticate", "")
            return Refusal(status, "refresh" if is_invalid else None)
        if not may_be_refusal(status, headers):
            return Refusal()
        yield Work(response.read, response.aread)
        return read_refusal(status, response.content)


class _Logout(AuthXAuth):
    """The auth object of the one request that ends the session of another auth object."""

    def __init__(self, auth: AuthXAuth) -> None:
        vars(self).update(vars(auth))

    def _steps(self, request: "Request") -> "Steps[Response]":
        return self._session.log_out(request)


def _check_logout(response: "httpx2.Response | httpx.Response") -> None:
    if response.status_code != _UNAUTHORIZED:
        response.raise_for_status()


def _advance(steps: "Steps[Response]", last: "Response | None") -> "Request | Work | None":
    """Return the next step; after the last one, have the client return the response to the request.

    Clients return the last response of a flow, which may be that of a refresh. Both have been read and closed.
    """
    try:
        return steps.send(last)
    except StopIteration as end:
        if last is not None and last is not end.value:
            vars(last).clear()
            vars(last).update(vars(end.value))
        return None
