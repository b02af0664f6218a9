"""`authx prune`, on every kind of store that others can reach."""

import asyncio
import json

import pytest

from authx.cli.prune import prune_in_slices
from authx.core.session import Revocation
from authx.testing.contract.harness import DAY

from .places import NOW, listed, row


def test_what_no_token_can_need_is_deleted(authx, place):
    live = row()
    long_over = [row("ben", 40 * DAY + number, expires_at=NOW - 2 * DAY) for number in range(3)]
    place.add(live, *long_over)
    ended = [Revocation(kind="token", key=f"jti-{number}", at=NOW, until=NOW - DAY) for number in range(3)]

    async def revoke(store):
        for one in ended:
            await store.revoke(one)

    place.do(revoke)
    done = authx("prune", "--limit", "2", *place.options)
    assert done.code == 0
    # Rows in Redis go by their time to live; in SQLite the newest number stays.
    assert json.loads(done.out)["deleted"] >= 3
    assert json.loads(authx("prune", *place.options).out) == {"deleted": 0}
    assert listed(authx, place) == [live.sid]


def test_deleting_goes_by_slices_until_there_is_nothing_left():
    class Counting:
        left = 7

        async def prune(self, now, limit):
            gone = min(limit, self.left)
            self.left -= gone
            return gone

    told: list[int] = []
    assert asyncio.run(prune_in_slices(Counting(), 3, told.append)) == 7
    assert told == [3, 6, 7]


@pytest.mark.parametrize("limit", ["0", "-1", "100001", "all"])
def test_a_slice_has_a_size(authx, sqlite, limit):
    assert authx("prune", "--limit", limit, *sqlite.options).code == 2
