"""Tokens obtained and renewed, once for all requests that wait."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Final

from authx.clients.answers import MAX_BODY_BYTES, Action, Refusal, read_refusal, seconds_to_wait
from authx.clients.flight import Failure, Flight, Outcome, SingleFlight
from authx.clients.server import Credentials, Server
from authx.clients.state import Keeper, Need, next_need
from authx.clients.steps import Steps, read, save, send, sleep, wait_for
from authx.clients.tokens import TokenPair, read_pair

if TYPE_CHECKING:
    from httpx2 import Request, Response

__all__ = ["Renewal", "Waiting"]

# A request takes part in so many attempts that nobody answered, each as long as a time-out, and no more.
_MAX_UNANSWERED: Final = 2
_DEFAULT_WAIT: Final = 1.0
_UNAUTHORIZED: Final = 401


@dataclass(frozen=True, slots=True)
class Waiting:
    """How long, and how often, to wait for a server that says `retry`.

    Attributes:
        max_tries: How often a request is sent at most.
        max_wait: Seconds to wait at most before one of them.
        clock: Seconds since 1970.
        blocking: Sleeps in a thread.
        asynchronous: Sleeps on an event loop.
    """

    max_tries: int
    max_wait: float
    clock: Callable[[], float]
    blocking: Callable[[float], object]
    asynchronous: Callable[[float], Awaitable[object]]

    def seconds(self, refusal: Refusal, answer: "Response", tries: int) -> float | None:
        """Decide whether to send a request again.

        Args:
            refusal: What its answer asks for.
            answer: The answer.
            tries: How often it has been sent.

        Returns:
            Seconds to wait before; `None`: do not send it again.
        """
        if refusal.action is not Action.RETRY or tries >= self.max_tries:
            return None
        seconds = seconds_to_wait(answer.headers, self.clock(), _DEFAULT_WAIT)
        return seconds if seconds <= self.max_wait else None

    def sleep(self, seconds: float) -> Steps[None]:
        """Let time pass.

        Args:
            seconds: How much.
        """
        yield from sleep(seconds, self.blocking, self.asynchronous)


@dataclass(frozen=True, slots=True)
class Renewal:
    """Does what has to be done before a request is sent, one at a time for all of them.

    Attributes:
        server: Makes the requests.
        keeper: Knows the newest pair.
        flights: Lets one at a time do it.
        waiting: How long to wait for a server that says `retry`.
        credentials: What to log in with, if it is known.
        tell: Is told of each new pair, and of its end.
    """

    server: Server
    keeper: Keeper
    flights: SingleFlight
    waiting: Waiting
    credentials: Credentials | None = None
    tell: Callable[[TokenPair | None], object] | None = field(default=None, repr=False)

    def ensure(self, like: "Request") -> Steps[Failure | None]:
        """Do what is needed, or wait for whoever is doing it.

        Args:
            like: The request that needs it.

        Returns:
            What went wrong, if something did.
        """
        for _ in range(_MAX_UNANSWERED):
            if self._need() is Need.NOTHING:
                return None
            flight, leads = self.flights.join()
            if leads:
                with flight:
                    outcome = yield from self._do_all(flight, like)
                    flight.finish(outcome)
            else:
                outcome = yield from wait_for(flight)
            if outcome.decided:
                return outcome.failure
        return None if self._need() is Need.NOTHING else Failure()

    def end(self, like: "Request") -> "Steps[Response]":
        """Log out.

        Args:
            like: A request of the client that is to do it.

        Returns:
            The server's answer. Unless it is a success or says that the session is over, the tokens are kept.
        """
        while True:
            flight, leads = self.flights.join()
            if leads:
                break
            yield from wait_for(flight)
        with flight:
            pair = self.keeper.pair
            answer, _ = yield from self._ask(flight, lambda: self.server.logout(like, pair))
            if answer.is_success or answer.status_code == _UNAUTHORIZED:
                self.keeper.renew(pair, None)
            if not self.keeper.state.is_saved:
                yield from self._save(flight)
            return answer

    def _need(self) -> Need:
        return next_need(self.keeper.state, self.waiting.clock(), can_log_in=self.credentials is not None)

    def _do_all(self, flight: Flight, like: "Request") -> Steps[Outcome]:
        done: set[Need] = set()
        while (need := self._need()) is not Need.NOTHING and need not in done:
            if need is Need.SAVE:
                yield from self._save(flight)
                continue
            done.add(need)
            ask = self._refresh if need is Need.REFRESH else self._log_in
            failure = yield from ask(flight, like)
            if failure is not None:
                return Outcome(failure=failure)
        return Outcome()

    def _save(self, flight: Flight) -> Steps[None]:
        flight.extend()
        state = self.keeper.state
        if self.tell is not None:
            yield from save(self.tell, state.tokens, flight)
        self.keeper.saved(state.pair)

    def _refresh(self, flight: Flight, like: "Request") -> Steps[Failure | None]:
        """Exchange the refresh token (RFC 6749 section 6); only a plain refusal ends the session."""
        pair = self.keeper.pair
        if pair is None or (token := pair.refresh_token) is None:
            return None
        # Whoever hears nothing asks again with the same key, and is given the same tokens, however late it is.
        key = self.keeper.retry_key(pair)
        if not self.keeper.state.is_saved:
            yield from self._save(flight)
        answer, asked_at = yield from self._ask(flight, lambda: self.server.refresh(like, token, key))
        refusal = self._refusal(answer)
        if answer.status_code == _UNAUTHORIZED:
            self.keeper.forget_key(pair)
            if refusal.action is Action.LOGIN:
                self.keeper.renew(pair, None)
                return None
        return self._take(answer, pair, asked_at, refusal)

    def _log_in(self, flight: Flight, like: "Request") -> Steps[Failure | None]:
        pair, credentials = self.keeper.pair, self.credentials
        if credentials is None:
            return None
        answer, asked_at = yield from self._ask(flight, lambda: self.server.login(like, credentials))
        return self._take(answer, pair, asked_at, self._refusal(answer))

    def _take(self, answer: "Response", former: TokenPair | None, asked_at: float, refusal: Refusal) -> Failure | None:
        pair = read_pair(answer.content, former, asked_at) if answer.is_success else None
        if pair is None:
            return Failure(answer.status_code, refusal.code)
        self.server.note_cookies(answer, pair)
        self.keeper.renew(former, pair)
        return None

    def _ask(self, flight: Flight, make: "Callable[[], Request]") -> "Steps[tuple[Response, float]]":
        """Send one of our own requests, as often as the server wants it; return its answer, and when it was sent."""
        for tries in count(1):
            flight.extend()
            asked_at = self.waiting.clock()
            request = make()
            answer = yield from send(request)
            # One byte more than is ever looked at, so that a body which is too long is known to be.
            yield from read(answer, MAX_BODY_BYTES + 1)
            if answer.request is not request:
                # The client has followed a redirect, without what the request was about: the redirect is the answer.
                answer = next((one for one in answer.history if one.request is request), answer)
            seconds = self.waiting.seconds(self._refusal(answer), answer, tries)
            if seconds is None:
                break
            flight.extend(seconds)
            yield from self.waiting.sleep(seconds)
        return answer, asked_at

    def _refusal(self, answer: "Response") -> Refusal:
        return read_refusal(answer.status_code, answer.content)
