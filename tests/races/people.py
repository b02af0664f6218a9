"""Clients that follow the protocol, and a crowd of them."""

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from tests.races.machines import Machine
from tests.races.wire import Answer, LostAnswerError
from tests.support.waiting import until


class Person:
    """Somebody with one login, whose program refreshes: one request at a time, repeated until it is answered.

    Args:
        name: The user name.
        machines: Asked in turn.
    """

    def __init__(self, name: str, machines: Sequence[Machine]) -> None:
        self.name = name
        self._machines = itertools.cycle(machines)
        self.refresh_token = ""
        self.access_token = ""
        self.happened: Counter[str] = Counter()

    async def log_in(self) -> None:
        self._adopt(await next(self._machines).log_in(self.name))

    async def refresh(self) -> None:
        """Exchange the token, however often that has to be tried."""
        await until(self.try_to_refresh, f"a refresh of {self.name}")

    async def try_to_refresh(self) -> bool:
        """Exchange the token, unless the server or its store is away."""
        try:
            answer = await next(self._machines).refresh(self.refresh_token)
        except LostAnswerError:
            self.happened["lost"] += 1
            return False
        if answer.status == 503:
            self.happened["unavailable"] += 1
            assert int(answer.headers["retry-after"][0]) >= 1
            assert "set-cookie" not in answer.headers
            return False
        assert answer.status == 200, f"{self.name} was logged out: {answer} after {self.happened}"
        self.happened["refreshed"] += 1
        self._adopt(answer)
        return True

    def _adopt(self, answer: Answer) -> None:
        self.refresh_token, self.access_token = answer.body["refresh_token"], answer.body["access_token"]

    async def keep_refreshing(self, over: asyncio.Event) -> None:
        while not over.is_set():
            await self.refresh()


async def log_in_all(count: int, machines: Sequence[Machine]) -> list[Person]:
    """Make people who are logged in; each begins with another machine."""
    people = []
    for number in range(count):
        start = number % len(machines)
        people.append(Person(f"person-{number}", [*machines[start:], *machines[:start]]))
    await asyncio.gather(*(person.log_in() for person in people))
    return people


@asynccontextmanager
async def all_refreshing(people: Sequence[Person]) -> AsyncIterator[None]:
    """Let everybody refresh without a pause for as long as the context lasts; nobody may be logged out."""
    over = asyncio.Event()
    async with asyncio.TaskGroup() as crowd:
        for person in people:
            crowd.create_task(person.keep_refreshing(over))
        try:
            yield
        finally:
            over.set()


def total(people: Sequence[Person]) -> Counter[str]:
    """Count what has happened to all of them."""
    counted: Counter[str] = Counter()
    for person in people:
        counted.update(person.happened)
    return counted
