"""An application's own functions: sync or async, plain, partial or object, all answer alike."""

import os
from asyncio import get_running_loop
from collections.abc import Callable
from functools import partial
from inspect import isawaitable, iscoroutine, iscoroutinefunction
from typing import Any, Final

from anyio import CapacityLimiter, to_thread
from anyio.lowlevel import RunVar

__all__ = ["Callback", "Hooks"]

_LOGIN_THREADS: Final = min(32, (os.cpu_count() or 1) + 4)
# One for each event loop, made where it is first needed.
_login_limiter: Final[RunVar[CapacityLimiter]] = RunVar("authx_login_limiter")


class Callback:
    """A function of the application that may wait.

    A sync function runs in a thread, where it can block nobody, unless it is registered as `inline`.
    """

    __slots__ = ("_for_strangers", "_is_async", "_on_loop", "function")

    def __init__(self, function: Callable[..., Any], *, inline: bool = False, for_strangers: bool = False) -> None:
        if not callable(function):
            raise TypeError(f"a callback must be a function, not {type(function).__name__}: pass it without calling it")
        self.function: Final = function
        self._is_async = _is_async(function)
        self._on_loop = inline or self._is_async
        self._for_strangers = for_strangers

    @property
    def answers_at_once(self) -> bool:
        """Whether it can be asked here without waiting: a sync function, and no event loop that it must not block."""
        if self._is_async or self._on_loop:
            return not self._is_async
        try:
            get_running_loop()
        except RuntimeError:
            return True
        return False

    def ask_at_once(self, *arguments: object) -> object:
        """Ask without waiting; `None` where it answers with something to wait for after all."""
        answer = self.function(*arguments)
        if not isawaitable(answer):
            return answer
        if iscoroutine(answer):
            answer.close()
        return None

    async def __call__(self, *arguments: object, **more: Any) -> object:
        """Ask, and await the answer if it is an awaitable."""
        if self._on_loop:
            answer = self.function(*arguments, **more)
        else:
            limiter = _limiter_of_logins() if self._for_strangers else None
            answer = await to_thread.run_sync(partial(self.function, *arguments, **more), limiter=limiter)
        return await answer if isawaitable(answer) else answer


class Hooks:
    """The application's own functions, each `None` where there is none."""

    __slots__ = ("blocklist", "claims_getter", "subject_getter")

    def __init__(self) -> None:
        self.blocklist: Callback | None = None
        self.subject_getter: Callback | None = None
        self.claims_getter: Callback | None = None


def _limiter_of_logins() -> CapacityLimiter:
    limiter = _login_limiter.get(None)
    if limiter is None:
        limiter = CapacityLimiter(_LOGIN_THREADS)
        _login_limiter.set(limiter)
    return limiter


def _is_async(function: Callable[..., Any]) -> bool:
    while isinstance(function, partial):
        function = function.func
    return iscoroutinefunction(function) or iscoroutinefunction(getattr(function, "__call__", None))  # noqa: B004
