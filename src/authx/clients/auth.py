"""The auth object for httpx2 and httpx: it logs in, refreshes and retries."""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterable, Mapping
from inspect import iscoroutinefunction
from itertools import count
from threading import TIMEOUT_MAX
from typing import TYPE_CHECKING, Any, Final

from authx.clients.answers import Action, Refusal, may_be_refusal, read_challenge, read_refusal
from authx.clients.bodies import can_be_resent
from authx.clients.errors import LoginError
from authx.clients.flight import SingleFlight
from authx.clients.renewal import Renewal, Waiting
from authx.clients.server import Credentials, Paths, Server
from authx.clients.state import Keeper
from authx.clients.steps import Flow, Steps, read, send
from authx.clients.tokens import TokenPair
from authx.clock import timestamp

if TYPE_CHECKING:
    import httpx
    import httpx2
    from httpx2 import Request, Response

__all__ = ["AuthXAuth"]

_MAX_TRIES: Final = 10
_UNAUTHORIZED: Final = 401
# Not actions of the server's: the token that was refused is not the newest one any more; a redirect has lost it.
_NEWER: Final = "newer"
_REDIRECTED: Final = "redirected"


class AuthXAuth(Flow):
    """Logs in, refreshes and retries for a client of httpx2 or httpx, blocking or asynchronous (on asyncio).

    One object may serve any number of clients, threads and tasks: they share one session and one refresh at a time.
    It gives its token to requests to the origin of `base` that carry no such header themselves, and leaves all
    others as they are. What it sends itself goes through the client whose request needs it.

    An answer is obeyed if its body has an `action`: `refresh` (401) refreshes and sends the request again, `login`
    (401) ends the session, logs in again where it can, and sends the request again, `retry` (429, 503) waits and
    sends it again. Each happens once, `retry` up to `max_tries` times. All other answers are returned as they came.
    A request whose body is a stream is never sent again. Only a 401 with the action `login` ends the session; no
    failure of the network and no status of 500 or more does.

    Args:
        base: The URL below which login, refresh and logout are, such as `https://example.com/auth`.
        username: The user name to log in with; goes with `password`.
        password: The password.
        tokens: Tokens of an earlier login, which are used first.
        on_tokens: Is told of each new pair before it is used, and `None` when the session has ended, one call at a
            time. A coroutine function works with asynchronous clients only; another function is called where the
            request is made, so it should be quick there. What it raises is raised to whoever made the request that
            led to the call; the tokens remain in use, and it is called again before the next request is sent. It
            must not send requests with this auth object.
        origins: Further origins that get tokens, such as `https://api.example.com`.
        login_path: Where to log in, below `base`.
        refresh_path: Where to refresh, below `base`.
        logout_path: Where to log out, below `base`.
        header_name: The header that carries a token; the server's `JWT_HEADER_NAME`.
        header_type: What stands before the token (RFC 6750 section 2.1); the server's `JWT_HEADER_TYPE`.
        retry_key_header: The header that marks all attempts at one refresh, so that a lost answer can be asked for
            again at any time; the server's `JWT_RETRY_KEY_HEADER`. `None` sends none.
        save_retry_key: Whether `on_tokens` is told of a pair once more before its first refresh, with the key of that
            refresh in `retry_key`. A program that is killed meanwhile then goes on with what it saved.
        headers: Further headers for login, refresh and logout, such as a key that a gateway wants.
        margin: Seconds before its end at which an access token is renewed; never more than a tenth of its life.
        max_wait: Seconds of `Retry-After` (RFC 9110 section 10.2.3) that are waited for; if it is more, or it was the
            last try, the answer is returned. Without a readable `Retry-After` it waits one second.
        max_tries: How often a request is sent at most while the answer is `retry`; 1 to 10.
        patience: Seconds a request waits for the login or refresh of another one that gives no sign of life, before
            it does it itself.
        clock: Returns the time in seconds since 1970; `None` reads the system's clock.
        sleep: Waits in a thread for seconds.
        async_sleep: Waits on an event loop for seconds.

    Raises:
        TypeError: An argument is unknown or of a wrong type.
        ValueError: There is neither a password nor a token pair, or an argument is out of its range. The message
            repeats no argument.
        ImportError: On import, where neither httpx2 nor httpx is installed.
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
        self._server = Server(
            base,
            Paths(login_path, refresh_path, logout_path),
            origins=origins,
            header=header_name,
            scheme=header_type,
            retry_key_header=retry_key_header,
            headers=headers or {},
        )
        clock = clock or timestamp
        self._keeper = Keeper(
            tokens, margin=margin, clock=clock, is_told=on_tokens is not None, is_key_told=save_retry_key
        )
        self._waiting = Waiting(max_tries, max_wait, clock, sleep, async_sleep)
        self._renewal = Renewal(
            self._server,
            self._keeper,
            SingleFlight(patience),
            self._waiting,
            Credentials(username, password) if username is not None and password is not None else None,
            on_tokens,
        )

    @property
    def tokens(self) -> TokenPair | None:
        """The newest pair, with the key of an unfinished refresh; `None` while nobody is logged in."""
        return self._keeper.state.tokens

    def __repr__(self) -> str:
        state = "logged in" if self.tokens is not None else "not logged in"
        return f"<{type(self).__name__} {self._server.base} {state}>"

    def logout(self, client: "httpx2.Client | httpx.Client") -> None:
        """End the session on the server and forget the tokens; `on_tokens` is told.

        A later request logs in again where the password is known. Without tokens nothing is sent.

        Args:
            client: Sends the request; with its own `auth=` or without.

        Raises:
            httpx2.HTTPError: Or that of httpx, as the client is: the server did not answer, or its answer is neither
                a success nor 401. The tokens are kept, so that it can be tried again.
            TypeError: `on_tokens` is a coroutine function.
        """
        if self.tokens is not None:
            _check_logout(client.post(self._server.logout_url, auth=_Logout(self._renewal)))

    async def alogout(self, client: "httpx2.AsyncClient | httpx.AsyncClient") -> None:
        """As `logout`, with an asynchronous client.

        Args:
            client: Sends the request; with its own `auth=` or without.

        Raises:
            httpx2.HTTPError: Or that of httpx; see `logout`.
        """
        if self.tokens is not None:
            _check_logout(await client.post(self._server.logout_url, auth=_Logout(self._renewal)))

    def sync_auth_flow(self, request: Any) -> Generator[Any, Any, None]:
        """Send a request and what goes with it; called by blocking clients.

        Raises:
            LoginError: There is no token, and the login failed.
            TypeError: `on_tokens` is a coroutine function.
        """
        _check_blocking(self._renewal.tell)
        return super().sync_auth_flow(request)

    def async_auth_flow(self, request: Any) -> AsyncGenerator[Any, Any]:
        """Send a request and what goes with it; called by asynchronous clients.

        Raises:
            LoginError: There is no token, and the login failed.
        """
        return super().async_auth_flow(request)

    def _steps(self, request: "Request") -> "Steps[Response]":
        if not self._server.gets_token(request):
            return (yield from send(request))
        failure = yield from self._renewal.ensure(request)
        if failure is not None and self.tokens is None and self._renewal.credentials is not None:
            raise LoginError(failure.status, failure.code)
        # The old token may still be good. If it is not, this request has had its refresh.
        done = set() if failure is None else {Action.REFRESH.value}
        for tries in count(1):
            pair = self._keeper.pair
            sent = self._server.with_token(request, pair.access_token) if pair else request
            answer = yield from send(sent)
            refusal = yield from self._refusal(answer)
            if refusal.action is None:
                break
            if pair and answer.request is not sent and self._server.gets_token(answer.request):
                # The token was lost on the way to where it may go: the refusal is not about it.
                request = answer.request
                again = _REDIRECTED not in done
                done.add(_REDIRECTED)
            elif refusal.action is Action.RETRY:
                again = yield from self._wait(request, refusal, answer, tries)
            else:
                again = yield from self._renew(request, refusal.action, pair, done)
            if not again or not can_be_resent(request):
                break
        return answer

    def _refusal(self, answer: "Response") -> Steps[Refusal]:
        """Read what an answer asks for; only a refusal's body is read, for others may be streams."""
        if not self._server.owns(answer.url):
            return Refusal(None)
        if answer.request.method == "HEAD":
            return read_challenge(answer.status_code, answer.headers)
        if not may_be_refusal(answer.status_code, answer.headers):
            return Refusal(None)
        yield from read(answer)
        return read_refusal(answer.status_code, answer.content)

    def _wait(self, request: "Request", refusal: Refusal, answer: "Response", tries: int) -> Steps[bool]:
        seconds = self._waiting.seconds(refusal, answer, tries)
        if seconds is None or not can_be_resent(request):
            return False
        yield from self._waiting.sleep(seconds)
        return True

    def _renew(self, request: "Request", action: Action, pair: TokenPair | None, done: set[str]) -> Steps[bool]:
        """Get another token than the one refused, each way once a request; tell whether there is one."""
        newest = self._keeper.pair
        way = action.value if newest is None or newest is pair else _NEWER
        if way in done:
            return False
        done.add(way)
        if action is Action.LOGIN:
            self._keeper.renew(pair, None)
        else:
            self._keeper.doubt(pair)
        failure = yield from self._renewal.ensure(request)
        return failure is None and self._keeper.pair is not None and self._keeper.pair is not pair


class _Logout(Flow):
    """Sends the request that ends the session in the place of the one it is given."""

    def __init__(self, renewal: Renewal) -> None:
        self._renewal = renewal

    def sync_auth_flow(self, request: Any) -> Generator[Any, Any, None]:
        _check_blocking(self._renewal.tell)
        return super().sync_auth_flow(request)

    def _steps(self, request: "Request") -> "Steps[Response]":
        return self._renewal.end(request)


def _check_blocking(tell: object) -> None:
    if iscoroutinefunction(tell) or iscoroutinefunction(getattr(tell, "__call__", None)):  # noqa: B004
        raise TypeError("on_tokens is a coroutine function, which works with asynchronous clients only")


def _check_logout(answer: "httpx2.Response | httpx.Response") -> None:
    if answer.status_code != _UNAUTHORIZED:
        answer.raise_for_status()
