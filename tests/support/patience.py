"""Time limits of the stores, lengthened for tests that are about something else: a busy machine is no fault."""

import pytest
from tests.support.waiting import PATIENCE

from authx.stores.postgresql import connections, listener
from authx.stores.redis import connections as redis_connections


def let_stores_take_their_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lengthen every limit within which a store has to answer."""
    monkeypatch.setattr(redis_connections, "CONNECT_SECONDS", PATIENCE)
    monkeypatch.setattr(redis_connections, "DEADLINE", PATIENCE)
    for module in (listener, connections):
        monkeypatch.setattr(module, "STATEMENT_SECONDS", PATIENCE)
    monkeypatch.setattr(connections, "WAIT_SECONDS", PATIENCE)
    monkeypatch.setitem(connections.SETTINGS, "statement_timeout", f"{1000 * PATIENCE:.0f}")
