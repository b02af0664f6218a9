"""Stores that an application has made, for tests of commands."""

import asyncio
import json
import time
from dataclasses import dataclass
from typing import Any

from authx.core.session import Revocation, Session
from authx.stores import namespace_of, open_store
from authx.testing.contract.harness import session_of

NOW = int(time.time() * 1000)
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


@dataclass
class Place:
    """A store that an application has made.

    Attributes:
        url: Its URL.
        prefix: What its names begin with.
    """

    url: str
    prefix: str

    @property
    def options(self) -> list[str]:
        return ["--store", self.url, "--prefix", self.prefix]

    def do(self, work) -> Any:
        return self.do_for(None, work)

    def do_for(self, login_type: str | None, work) -> Any:
        async def on_it():
            store = namespace_of(open_store(self.url, self.prefix), login_type)
            try:
                await store.open()
                await store.create_schema()
                return await work(store)
            finally:
                await store.close()

        return asyncio.run(on_it())

    def add(self, *rows: Session) -> None:
        async def write(store):
            for row in rows:
                assert await store.create(row)

        self.do(write)

    def get(self, sid: str) -> Session | None:
        return self.do(lambda store: store.get(sid))[0]

    def revocations(self) -> list[Revocation]:
        return self.do(lambda store: store.revocations(""))[0]


def row(sub: str = "anna", ago: int = 0, **fields) -> Session:
    return session_of(sub, NOW - ago, **({"user_agent": BROWSER} | fields))


def listed(authx, place: Place, user: str = "anna") -> list[str]:
    return [one["session_id"] for one in json.loads(authx("sessions", "list", "--user", user, *place.options).out)]
