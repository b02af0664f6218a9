"""Lost answers, servers that are down, stolen tokens: a real server, and what is left of the session."""

import asyncio
import json
import subprocess
import sys
from contextlib import closing
from dataclasses import asdict, replace

import httpx2
import pytest
from tests.clients.fake import holds
from tests.clients.wire import wire_to
from tests.clients.world import ANNA, World
from tests.support.processes import running
from tests.support.waiting import PATIENCE

from authx.clients import AuthXAuth, TokenPair

HOUR = 3600  # long after the grace period


@pytest.mark.parametrize("later", [0, HOUR])
def test_a_refresh_whose_answer_was_lost_is_repeated_with_the_same_token(world, library, later):
    with wire_to(world.port) as wire:
        auth = AuthXAuth(f"{wire.address}/auth", clock=world.clock, **ANNA)
        with library.Client(auth=auth, timeout=PATIENCE) as client:
            client.get(f"{wire.address}/protected")
            world.expire()
            wire.cuts = 1
            with pytest.raises(library.RemoteProtocolError):
                client.get(f"{wire.address}/protected")
            world.clock.advance(later)
            assert client.get(f"{wire.address}/protected").status_code == 200
    assert (len(world.presented), len(set(world.presented))) == (2, 1)
    assert (world.events, world.logins) == (["replay"], 1)


def test_a_refresh_whose_answer_was_lost_is_repeated_by_an_asynchronous_client_too(world, library):
    async def main(wire):
        auth = AuthXAuth(f"{wire.address}/auth", clock=world.clock, **ANNA)
        async with library.AsyncClient(auth=auth, timeout=PATIENCE) as client:
            await client.get(f"{wire.address}/protected")
            world.expire()
            wire.cuts = 1
            with pytest.raises(library.RemoteProtocolError):
                await client.get(f"{wire.address}/protected")
            assert (await client.get(f"{wire.address}/protected")).status_code == 200

    with wire_to(world.port) as wire:
        asyncio.run(main(wire))
    assert (len(world.presented), len(set(world.presented)), world.logins) == (2, 1, 1)


PROGRAM = """
import json, sys
from dataclasses import asdict
from pathlib import Path
import httpx2
from authx.clients import AuthXAuth, TokenPair
address, file, *options = sys.argv[1:]
auth = AuthXAuth(
    address + "/auth",
    tokens=TokenPair(**json.loads(Path(file).read_text())),
    on_tokens=lambda pair: Path(file).write_text(json.dumps(pair and asdict(pair))),
    save_retry_key=bool(options),
)
with httpx2.Client(auth=auth, timeout=60) as client:
    print(client.get(address + "/protected").status_code)
"""


@pytest.mark.parametrize(("options", "later"), [([], 0), (["save_retry_key"], HOUR)])
def test_a_process_that_is_killed_while_it_refreshes_is_still_logged_in_when_it_starts_again(
    world, tmp_path, options, later
):
    file = tmp_path / "tokens.json"
    command = [sys.executable, "-c", PROGRAM, world.address, str(file), *options]
    first = httpx2.post(f"{world.base}/login", json=ANNA, timeout=PATIENCE).json()
    pair = TokenPair(first["access_token"], first["refresh_token"], expires_at=0)
    file.write_text(json.dumps(asdict(pair)))
    world.go.clear()
    with running(command):
        assert world.refreshing.wait(PATIENCE)
    world.go.set()
    assert world.refreshed.wait(PATIENCE)
    saved = TokenPair(**json.loads(file.read_text()))
    assert saved == replace(pair, retry_key=saved.retry_key)
    assert (saved.retry_key is not None) == bool(options)
    world.clock.advance(later)
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    assert done.stdout == "200\n", done.stderr
    renewed = TokenPair(**json.loads(file.read_text()))
    assert renewed.refresh_token != pair.refresh_token
    assert renewed.retry_key is None
    assert (world.presented, world.events) == ([pair.refresh_token] * 2, ["replay"])


def test_a_server_that_is_down_for_a_while_logs_nobody_out(library):
    told = []
    with closing(World()) as world, library.Client(timeout=PATIENCE) as client:
        with world.served():
            auth = AuthXAuth(world.base, clock=world.clock, on_tokens=told.append, **ANNA)
            assert client.get(f"{world.address}/protected", auth=auth).status_code == 200
        world.expire()
        before = auth.tokens
        for _ in range(3):
            with pytest.raises(library.TransportError):
                client.get(f"{world.address}/protected", auth=auth)
        assert holds(auth, before)
        with world.served():
            assert client.get(f"{world.address}/protected", auth=auth).status_code == 200
    assert (len(world.presented), world.logins) == (1, 1)
    assert told == [before, auth.tokens]


def steal(world, token):
    """Exchange a token twice, as a thief does."""
    for _ in range(2):
        answer = httpx2.post(f"{world.base}/refresh", headers={"Authorization": f"Bearer {token}"}, timeout=PATIENCE)
        token = answer.json()["refresh_token"]


def test_a_stolen_token_that_shows_as_reused_ends_the_session(world, library):
    told = []
    first = httpx2.post(f"{world.base}/login", json=ANNA, timeout=PATIENCE).json()
    pair = TokenPair(first["access_token"], first["refresh_token"])
    auth = AuthXAuth(world.base, tokens=pair, on_tokens=told.append, clock=world.clock)
    steal(world, pair.refresh_token)
    world.expire()
    with library.Client(auth=auth, timeout=PATIENCE) as client:
        assert client.get(f"{world.address}/protected").status_code == 401
    assert (auth.tokens, told, world.events) == (None, [None], ["refresh_reused"])


def test_a_stolen_token_that_shows_as_reused_is_followed_by_a_login(world, library):
    told = []
    auth = AuthXAuth(world.base, on_tokens=told.append, clock=world.clock, **ANNA)
    with library.Client(auth=auth, timeout=PATIENCE) as client:
        client.get(f"{world.address}/protected")
        steal(world, auth.tokens.refresh_token)
        world.expire()
        assert client.get(f"{world.address}/protected").status_code == 200
    assert told[1] is None
    assert told[2] is auth.tokens
    assert world.logins == 2


def test_a_refusal_leaves_the_body_of_a_good_answer_alone(world, library):
    auth = AuthXAuth(world.base, clock=world.clock, **ANNA)
    with (
        library.Client(auth=auth, timeout=PATIENCE) as client,
        client.stream("GET", f"{world.address}/protected") as answer,
    ):
        assert not answer.is_stream_consumed
        assert not answer.is_closed
        assert b"".join(answer.iter_bytes()) == b'{"message":"You have access"}'


def test_a_client_with_a_single_connection_is_enough(world, library):
    auth = AuthXAuth(world.base, clock=world.clock, **ANNA)
    with library.Client(auth=auth, limits=library.Limits(max_connections=1), timeout=PATIENCE) as client:
        for _ in range(2):
            with client.stream("GET", f"{world.address}/protected") as answer:
                assert answer.read() == b'{"message":"You have access"}'
            world.expire()
