"""However many requests need a new token at once, a real server sees one refresh."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import httpx2
import pytest
from tests.clients.world import ANNA
from tests.support.waiting import PATIENCE, wait_until

from authx.clients import AuthXAuth
from authx.testing import Clock

MANY = 50


def by_threads(client, url, count):
    """Send as many requests at once, each from a thread of its own; give the statuses."""
    ready = threading.Barrier(count)

    def get(_):
        ready.wait()
        return client.get(url).status_code

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(get, range(count)))


async def by_tasks(client, url, count):
    """As `by_threads`, each from a task of its own."""
    answers = await asyncio.gather(*(client.get(url) for _ in range(count)))
    return [answer.status_code for answer in answers]


@pytest.fixture(params=["expiry is known", "expiry shows in the refusal"])
def client_clock(request, world):
    """The client's clock, which goes with the server's or stands still."""
    return world.clock if request.param == "expiry is known" else Clock(world.clock())


def test_fifty_threads(world, library, client_clock):
    auth = AuthXAuth(world.base, clock=client_clock, **ANNA)
    with library.Client(auth=auth, timeout=PATIENCE) as client:
        assert client.get(f"{world.address}/protected").status_code == 200
        world.expire()
        world.delay = 0.1
        assert by_threads(client, f"{world.address}/protected", MANY) == [200] * MANY
    assert (len(world.presented), world.logins) == (1, 1)


def test_fifty_tasks(world, library, client_clock):
    async def main():
        auth = AuthXAuth(world.base, clock=client_clock, **ANNA)
        async with library.AsyncClient(auth=auth, timeout=PATIENCE) as client:
            assert (await client.get(f"{world.address}/protected")).status_code == 200
            world.expire()
            world.delay = 0.1
            assert await by_tasks(client, f"{world.address}/protected", MANY) == [200] * MANY

    asyncio.run(main())
    assert (len(world.presented), world.logins) == (1, 1)


def test_threads_and_tasks_that_share_one_auth_object(world, client_clock):
    auth = AuthXAuth(world.base, clock=client_clock, **ANNA)

    async def main(client):
        async with httpx2.AsyncClient(auth=auth, timeout=PATIENCE) as asynchronous:
            threads = asyncio.to_thread(by_threads, client, f"{world.address}/protected", 25)
            return await asyncio.gather(threads, by_tasks(asynchronous, f"{world.address}/protected", 25))

    with httpx2.Client(auth=auth, timeout=PATIENCE) as client:
        client.get(f"{world.address}/protected")
        world.expire()
        world.delay = 0.2
        assert asyncio.run(main(client)) == [[200] * 25, [200] * 25]
    assert (len(world.presented), world.logins) == (1, 1)


def test_one_login_for_all_that_need_the_first(world):
    auth = AuthXAuth(world.base, clock=world.clock, **ANNA)
    with httpx2.Client(auth=auth, timeout=PATIENCE) as client:
        assert by_threads(client, f"{world.address}/protected", MANY) == [200] * MANY
    assert world.logins == 1


def test_one_login_for_all_whose_session_was_revoked(world):
    auth = AuthXAuth(world.base, clock=world.clock, **ANNA)
    with httpx2.Client(auth=auth, timeout=PATIENCE) as client, httpx2.Client(auth=auth, timeout=PATIENCE) as other:
        client.get(f"{world.address}/protected")
        other.post(f"{world.base}/logout/all")
        assert by_threads(client, f"{world.address}/protected", MANY) == [200] * MANY
    assert world.logins == 2


def test_a_wrong_password_is_tried_once_for_all_that_wait(world):
    auth = AuthXAuth(world.base, username="anna", password="wrong", clock=world.clock)

    async def main():
        async with httpx2.AsyncClient(auth=auth, timeout=PATIENCE) as client:
            requests = (client.get(f"{world.address}/protected") for _ in range(20))
            return await asyncio.gather(*requests, return_exceptions=True)

    assert {str(error) for error in asyncio.run(main())} == {
        "Login failed: the server answered 401 credentials_invalid"
    }
    assert world.logins == 1


def test_refreshes_never_overlap_and_always_present_the_newest_token(world):
    auth = AuthXAuth(world.base, clock=world.clock, **ANNA)
    over = threading.Event()

    def work(client):
        statuses = set()
        while not over.is_set():
            statuses.add(client.get(f"{world.address}/protected").status_code)
        return statuses

    with httpx2.Client(auth=auth, timeout=PATIENCE) as client, ThreadPoolExecutor(8) as pool:
        client.get(f"{world.address}/protected")
        work_done = [pool.submit(work, client) for _ in range(8)]
        try:
            for times in range(1, 11):
                world.expire()
                wait_until(lambda times=times: len(world.presented) >= times, "a refresh")
        finally:
            over.set()
        # A token may end once more between its refresh and its use; that request has had its refresh.
        assert {200} <= set.union(*(one.result() for one in work_done)) <= {200, 401}
    assert len(set(world.presented)) == len(world.presented)
    assert (world.together, world.events, world.logins) == (1, [], 1)
