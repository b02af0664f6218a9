"""An application's own functions: sync or async, plain, partial or object, all answer alike."""

from collections.abc import Callable
from functools import partial
from inspect import isawaitable, iscoroutinefunction
from typing import Any, Final

from starlette.concurrency import run_in_threadpool

__all__ = ["Callback"]


class Callback:
    """A function of the application that may wait.

    A sync function runs in a thread, where it can block nobody, unless it is registered as `inline`.

    Args:
        function: A function, coroutine function, partial, or an object with `__call__`.
        inline: Whether a sync function runs on the event loop: right for a look-up in memory.

    Raises:
        TypeError: `function` cannot be called.
    """

    __slots__ = ("_on_loop", "function")

    def __init__(self, function: Callable[..., Any], *, inline: bool = False) -> None:
        if not callable(function):
            raise TypeError(f"a callback must be a function, not {type(function).__name__}: pass it without calling it")
        self.function: Final = function
        self._on_loop = inline or _is_async(function)

    async def __call__(self, *arguments: object, **more: Any) -> object:
        """Ask.

        Args:
            *arguments: What to ask about.
            **more: Passed on.

        Returns:
            The answer, awaited if it was an awaitable.
        """
        if self._on_loop:
            answer = self.function(*arguments, **more)
        else:
            answer = await run_in_threadpool(self.function, *arguments, **more)
        return await answer if isawaitable(answer) else answer


def _is_async(function: Callable[..., Any]) -> bool:
    while isinstance(function, partial):
        function = function.func
    return iscoroutinefunction(function) or iscoroutinefunction(getattr(function, "__call__", None))  # noqa: B004
