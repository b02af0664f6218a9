"""A refresh whose answer was lost, asked for again long after the grace period: a real server whose clock moves."""

import json
import subprocess
import sys
from dataclasses import asdict, replace

import httpx2
import pytest
from tests.clients.wire import wire_to
from tests.clients.world import ANNA
from tests.support.processes import running
from tests.support.waiting import PATIENCE

from authx.clients import AuthXAuth, TokenPair


def test_a_refresh_whose_answer_was_lost_is_had_an_hour_later_without_a_login(world, library):
    with wire_to(world.port) as wire:
        auth = AuthXAuth(f"{wire.address}/auth", clock=world.clock, **ANNA)
        with library.Client(auth=auth, timeout=PATIENCE) as client:
            client.get(f"{wire.address}/protected")
            world.expire()
            wire.cuts = 1
            with pytest.raises(library.RemoteProtocolError):
                client.get(f"{wire.address}/protected")
            world.clock.advance(3600)
            assert client.get(f"{wire.address}/protected").status_code == 200
    assert (len(world.presented), len(set(world.presented))) == (2, 1)
    assert (world.events, world.logins) == (["replay"], 1)


PROGRAM = """
import json, sys
from dataclasses import asdict
from pathlib import Path
import httpx2
from authx.clients import AuthXAuth, TokenPair
address, file = sys.argv[1], Path(sys.argv[2])
auth = AuthXAuth(
    address + "/auth",
    tokens=TokenPair(**json.loads(file.read_text())),
    on_tokens=lambda pair: file.write_text(json.dumps(pair and asdict(pair))),
    save_retry_key=True,
)
with httpx2.Client(auth=auth, timeout=60) as client:
    print(client.get(address + "/protected").status_code)
"""


def test_a_process_that_is_killed_while_it_refreshes_goes_on_an_hour_later_with_the_key_it_saved(world, tmp_path):
    file = tmp_path / "tokens.json"
    command = [sys.executable, "-c", PROGRAM, world.address, str(file)]
    first = httpx2.post(f"{world.base}/login", json=ANNA, timeout=PATIENCE).json()
    pair = TokenPair(first["access_token"], first["refresh_token"], expires_at=0)
    file.write_text(json.dumps(asdict(pair)))
    world.go.clear()
    with running(command):
        assert world.refreshing.wait(PATIENCE)
    world.go.set()
    assert world.refreshed.wait(PATIENCE)
    kept = TokenPair(**json.loads(file.read_text()))
    assert kept == replace(pair, retry_key=kept.retry_key)
    assert kept.retry_key is not None
    world.clock.advance(3600)
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    assert done.stdout == "200\n", done.stderr
    assert TokenPair(**json.loads(file.read_text())).retry_key is None
    assert (world.presented, world.events) == ([pair.refresh_token] * 2, ["replay"])
