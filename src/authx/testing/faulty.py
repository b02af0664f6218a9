"""A store that fails when a test says so: before anything happened, or after all of it did."""

from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Literal, ParamSpec, TypeAlias, TypeVar, get_args

from authx.exceptions import StoreUnavailableError
from authx.stores import Cutoff, Revocation, Revocations, Rotation, Session, Sessions, Store, namespace_of

__all__ = ["FaultyStore", "Operation"]

Operation: TypeAlias = Literal[
    "open",
    "close",
    "create_schema",
    "create",
    "get",
    "list",
    "advance",
    "revoke",
    "revocations",
    "count_live",
    "wait",
    "prune",
]
_OPERATIONS: Final = frozenset(get_args(Operation))
_Arguments = ParamSpec("_Arguments")
_Answer = TypeVar("_Answer")


@dataclass(slots=True)
class _Fault:
    """What goes wrong with one operation.

    Attributes:
        after_commit: Whether the store does its work first.
        times: How many more calls fail; `None`: all of them.
    """

    after_commit: bool
    times: int | None


class FaultyStore:
    """Wraps any store, and raises `StoreUnavailableError` where a test asks for it.

    A failure before the commit is a store that was never reached. One after it is the worse kind: the work
    is done, and the answer is lost.

    Args:
        store: The store that does the work.

    Attributes:
        store: The store that does the work: what is asked of it directly is neither counted nor fails.
        calls: How often each operation was called, those that failed among them.
    """

    def __init__(self, store: Store) -> None:
        self.store: Final = store
        self.calls: Counter[str] = Counter()
        self._faults: dict[str, _Fault] = {}

    def fail(self, *operations: Operation, after_commit: bool = False, times: int | None = 1) -> None:
        """Let the next calls of operations fail; replaces what was said of them before.

        Args:
            *operations: Names of the store's methods; none means all but `close`.
            after_commit: Whether the store does its work before the call fails.
            times: How many calls of each fail; `None`: all until `heal`.

        Raises:
            ValueError: There is no such operation, or `times` is less than 1.
        """
        unknown = set(operations) - _OPERATIONS
        if unknown:
            raise ValueError(f"no store has {', '.join(sorted(unknown))}; there are {', '.join(sorted(_OPERATIONS))}")
        if times is not None and times < 1:
            raise ValueError(f"times={times} lets nothing fail; use heal() to let everything work")
        for name in operations or _OPERATIONS - {"close"}:
            self._faults[name] = _Fault(after_commit, times)

    def heal(self) -> None:
        """Let everything work again."""
        self._faults.clear()

    def namespace(self, name: str) -> "FaultyStore":
        """As `NamespacedStore.namespace`; what fails here fails there too, and its calls are counted here.

        Raises:
            BadConfigurationError: The store that does the work has no namespaces.
        """
        inner = FaultyStore(namespace_of(self.store, name))
        inner.calls, inner._faults = self.calls, self._faults
        return inner

    async def _do(
        self,
        name: Operation,
        work: Callable[_Arguments, Awaitable[_Answer]],
        /,
        *args: _Arguments.args,
        **kwargs: _Arguments.kwargs,
    ) -> _Answer:
        self.calls[name] += 1
        fault = self._faults.get(name)
        if fault is None:
            return await work(*args, **kwargs)
        if fault.times is not None:
            fault.times -= 1
            if fault.times == 0:
                del self._faults[name]
        if not fault.after_commit:
            raise StoreUnavailableError(f"a test let {name} fail before anything happened")
        await work(*args, **kwargs)
        raise StoreUnavailableError(f"a test let {name} fail after its work was done")

    # The protocol of `authx.stores.Store`

    async def open(self) -> None:
        """As `Store.open`."""
        await self._do("open", self.store.open)

    async def close(self) -> None:
        """As `Store.close`."""
        await self._do("close", self.store.close)

    async def create_schema(self) -> None:
        """As `Store.create_schema`."""
        await self._do("create_schema", self.store.create_schema)

    async def create(self, session: Session) -> bool:
        """As `Store.create`."""
        return await self._do("create", self.store.create, session)

    async def get(self, sid: str, sub: str | None = None) -> tuple[Session | None, Cutoff | None]:
        """As `Store.get`."""
        return await self._do("get", self.store.get, sid, sub)

    async def list(self, sub: str, now: int, limit: int = 100) -> Sessions:
        """As `Store.list`."""
        return await self._do("list", self.store.list, sub, now, limit)

    async def advance(self, rotation: Rotation) -> Session | None:
        """As `Store.advance`."""
        return await self._do("advance", self.store.advance, rotation)

    async def revoke(self, revocation: Revocation) -> Revocation:
        """As `Store.revoke`."""
        return await self._do("revoke", self.store.revoke, revocation)

    async def revocations(self, cursor: str) -> tuple[Revocations, str]:
        """As `Store.revocations`."""
        return await self._do("revocations", self.store.revocations, cursor)

    async def count_live(self, now: int) -> tuple[int, str]:
        """As `Store.count_live`."""
        return await self._do("count_live", self.store.count_live, now)

    async def wait(self, cursor: str, timeout: float) -> None:  # noqa: ASYNC109 - the protocol's own argument
        """As `Store.wait`."""
        await self._do("wait", self.store.wait, cursor, timeout)

    async def prune(self, now: int, limit: int) -> int:
        """As `Store.prune`."""
        return await self._do("prune", self.store.prune, now, limit)
