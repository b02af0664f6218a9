"""Time limits of the stores, lengthened for tests that are about something else: a busy machine is no fault."""

import pytest
from tests.support.waiting import PATIENCE

from authx.stores.postgresql import connections, connectors, listener
from authx.stores.redis import wire


def let_stores_take_their_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lengthen every limit within which a store has to answer."""
    monkeypatch.setattr(wire, "_CONNECT_TIMEOUT", PATIENCE)
    monkeypatch.setattr(wire.Lanes.call, "__defaults__", (PATIENCE,))
    for module in (listener, connections):
        monkeypatch.setattr(module, "STATEMENT_SECONDS", PATIENCE)
    monkeypatch.setattr(connections, "_WAIT_SECONDS", PATIENCE)
    monkeypatch.setitem(connectors._SETTINGS, "statement_timeout", f"{1000 * PATIENCE:.0f}")
