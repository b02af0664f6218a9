"""What is known of the session: the newest pair, when to renew it, whether its keeper was told."""

import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from math import inf

from authx.clients.tokens import TokenPair, renewal_time

__all__ = ["Keeper", "Need", "State", "next_need"]


class Need(Enum):
    """What has to be done before a request is sent."""

    NOTHING = auto()
    SAVE = auto()
    REFRESH = auto()
    LOGIN = auto()


@dataclass(frozen=True, slots=True)
class State:
    """What is known at one moment.

    Attributes:
        pair: The newest pair; `None` while nobody is logged in.
        renew_at: When to renew the access token, in seconds since 1970; `None` where nothing tells.
        is_saved: Whether the application's callback knows of this pair, or of its end.
        retry_key: What marks the attempts at the refresh of this pair as one; `None` before the first. The pair keeps
            the one that it came with.
    """

    pair: TokenPair | None = None
    renew_at: float | None = None
    is_saved: bool = True
    retry_key: str | None = field(default=None, repr=False)

    @property
    def tokens(self) -> TokenPair | None:
        """The pair with its retry key, as the application gets it."""
        if self.pair is None or self.pair.retry_key == self.retry_key:
            return self.pair
        return replace(self.pair, retry_key=self.retry_key)


def next_need(state: State, now: float, *, can_log_in: bool) -> Need:
    """Decide what has to be done next.

    Args:
        state: What is known.
        now: Seconds since 1970.
        can_log_in: Whether there are a user name and a password.

    Returns:
        The next thing; there may be more after it.
    """
    if not state.is_saved:
        return Need.SAVE
    if state.pair is not None:
        if state.renew_at is None or now < state.renew_at:
            return Need.NOTHING
        if state.pair.refresh_token is not None:
            return Need.REFRESH
    return Need.LOGIN if can_log_in else Need.NOTHING


class Keeper:
    """Keeps the state, for all threads.

    Every change names the pair it is about, and is void once that is not the newest.

    Args:
        pair: The pair to begin with.
        margin: Seconds before an access token's end at which it is renewed.
        clock: Seconds since 1970.
        is_told: Whether somebody has to be told of changes.
        is_key_told: Whether a new retry key is one.
    """

    def __init__(
        self,
        pair: TokenPair | None,
        *,
        margin: float,
        clock: Callable[[], float],
        is_told: bool,
        is_key_told: bool = False,
    ) -> None:
        self._margin = margin
        self._clock = clock
        self._is_told = is_told
        self._is_key_told = is_told and is_key_told
        self._lock = threading.Lock()
        self._state = State(pair, self._renewal(pair), retry_key=None if pair is None else pair.retry_key)

    @property
    def state(self) -> State:
        """What is known now."""
        return self._state

    @property
    def pair(self) -> TokenPair | None:
        """The newest pair."""
        return self._state.pair

    def renew(self, former: TokenPair | None, pair: TokenPair | None) -> None:
        """Put a pair in the place of the one it was exchanged for.

        Args:
            former: The pair that was presented; `None` for a login.
            pair: Its successor; `None` if the session has ended.
        """
        state = State(pair, self._renewal(pair), is_saved=not self._is_told)
        with self._lock:
            if self._state.pair is former and former is not pair:
                self._state = state

    def doubt(self, pair: TokenPair | None) -> None:
        """Note that an access token is to be renewed before it is used again.

        Args:
            pair: The pair whose access token the server refused.
        """
        with self._lock:
            if self._state.pair is pair:
                self._state = replace(self._state, renew_at=-inf)

    def retry_key(self, pair: TokenPair) -> str:
        """Find the key that marks all attempts at one refresh, or draw it.

        Args:
            pair: The pair that is to be refreshed.

        Returns:
            The key, the same one for everybody who refreshes this pair.
        """
        key = secrets.token_urlsafe(16)
        with self._lock:
            if self._state.pair is pair:
                if self._state.retry_key is not None:
                    return self._state.retry_key
                is_saved = self._state.is_saved and not self._is_key_told
                self._state = replace(self._state, retry_key=key, is_saved=is_saved)
        return key

    def forget_key(self, pair: TokenPair) -> None:
        """Let the next attempt count as another refresh.

        Args:
            pair: The pair that was refused.
        """
        with self._lock:
            if self._state.pair is pair:
                self._state = replace(self._state, retry_key=None)

    def saved(self, pair: TokenPair | None) -> None:
        """Note that the application's callback knows of a pair, or of its end.

        Args:
            pair: What it was told.
        """
        with self._lock:
            if self._state.pair is pair:
                self._state = replace(self._state, is_saved=True)

    def _renewal(self, pair: TokenPair | None) -> float | None:
        return None if pair is None else renewal_time(pair, self._clock(), self._margin)
