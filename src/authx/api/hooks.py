"""The public methods that register the application's own functions."""

from collections.abc import Callable
from functools import partial
from typing import Any, Final, TypeVar, overload

from authx.api.instance import Instance
from authx.http.authenticate import is_blocked
from authx.http.hooks import Callback

__all__ = ["HookMethods"]

_F = TypeVar("_F", bound=Callable[..., Any])
_DECORATE: Final = object()


class HookMethods(Instance):
    """Registering the functions that answer for the application: revoked tokens, subjects, claims."""

    @overload
    def set_token_blocklist(self, callback: _F, *, inline: bool = False) -> _F: ...

    @overload
    def set_token_blocklist(self, callback: None, *, inline: bool = False) -> None: ...

    @overload
    def set_token_blocklist(self, *, inline: bool = False) -> Callable[[_F], _F]: ...

    def set_token_blocklist(self, callback: Any = _DECORATE, *, inline: bool = False) -> Any:
        """Register the function that says whether a token is revoked; usable as a decorator.

        It is asked after signature, times and type were checked, once a request.

        Args:
            callback: Takes the compact token; sync or async. `None` asks nobody.
            inline: Whether a sync function runs on the event loop instead of in a thread.

        Returns:
            The callback.

        Raises:
            TypeError: The callback cannot be called.
        """
        if callback is _DECORATE:
            return partial(self.set_token_blocklist, inline=inline)
        self._holder.hooks.blocklist = None if callback is None else Callback(callback, inline=inline)
        return callback

    @overload
    def set_subject_getter(self, callback: _F, *, inline: bool = False) -> _F: ...

    @overload
    def set_subject_getter(self, callback: None, *, inline: bool = False) -> None: ...

    @overload
    def set_subject_getter(self, *, inline: bool = False) -> Callable[[_F], _F]: ...

    def set_subject_getter(self, callback: Any = _DECORATE, *, inline: bool = False) -> Any:
        """Register the function that finds the subject of a token; usable as a decorator.

        Args:
            callback: Takes `sub`; sync or async. Returns the subject, or `None` or `False` where there is none.
                `None` unsets it.
            inline: Whether a sync function runs on the event loop instead of in a thread.

        Returns:
            The callback.

        Raises:
            TypeError: The callback cannot be called.
        """
        if callback is _DECORATE:
            return partial(self.set_subject_getter, inline=inline)
        self._holder.hooks.subject_getter = None if callback is None else Callback(callback, inline=inline)
        return callback

    @overload
    def set_claims_getter(self, callback: _F, *, inline: bool = False) -> _F: ...

    @overload
    def set_claims_getter(self, callback: None, *, inline: bool = False) -> None: ...

    @overload
    def set_claims_getter(self, *, inline: bool = False) -> Callable[[_F], _F]: ...

    def set_claims_getter(self, callback: Any = _DECORATE, *, inline: bool = False) -> Any:
        """Register the function that gives new access tokens fresh claims at a refresh; usable as a decorator.

        Args:
            callback: Takes the uid and the refresh token's payload, sync or async; returns claims that
                replace those of the refresh token, `scopes` its scopes, or `None`. `None` unsets it.
            inline: Whether a sync function runs on the event loop instead of in a thread.

        Returns:
            The callback.

        Raises:
            TypeError: The callback cannot be called.
        """
        if callback is _DECORATE:
            return partial(self.set_claims_getter, inline=inline)
        self._holder.hooks.claims_getter = None if callback is None else Callback(callback, inline=inline)
        return callback

    # AuthX's names for two of them.
    set_callback_token_blocklist = set_token_blocklist
    set_callback_get_model_instance = set_subject_getter

    @property
    def callback_is_token_in_blocklist(self) -> Callable[..., Any] | None:
        """The function that says whether a token is revoked."""
        return None if self._holder.hooks.blocklist is None else self._holder.hooks.blocklist.function

    @property
    def callback_get_model_instance(self) -> Callable[..., Any] | None:
        """The function that finds a subject."""
        getter = self._holder.hooks.subject_getter
        return None if getter is None else getter.function

    @property
    def is_token_callback_set(self) -> bool:
        """Whether a function says which tokens are revoked."""
        return self._holder.hooks.blocklist is not None

    @property
    def is_model_callback_set(self) -> bool:
        """Whether a function finds subjects."""
        return self._holder.hooks.subject_getter is not None

    async def is_token_in_blocklist(self, token: str | None, **kwargs: Any) -> bool:
        """Ask the application whether a token is revoked.

        Args:
            token: The compact token.
            **kwargs: Passed on to the callback.

        Returns:
            Its answer; False where there is no token or nobody to ask.
        """
        if self._holder.hooks.blocklist is None or token is None:
            return False
        if not token.isascii():
            return bool(await self._holder.hooks.blocklist(token, **kwargs))
        return await is_blocked(self._runtime, token.encode("ascii"), **kwargs)
