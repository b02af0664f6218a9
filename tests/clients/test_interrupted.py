"""A refresh that nobody finishes: those who wait for it do not hang, and do not all try in turn."""

import asyncio
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import httpx2
import pytest
from tests.clients.fake import BASE, BUSY, PAIR, REFRESH
from tests.clients.world import ANNA
from tests.support.waiting import PATIENCE, until, wait_until

from authx.clients import AuthXAuth, LoginError, TokenPair
from authx.clients.session import Flight, Session
from authx.testing import Clock


def answer(request, status, body):
    """Make an answer as a transport would."""
    return httpx2.Response(status, json=body, request=request)


def tokens(number):
    return {"access_token": f"access-{number}", "refresh_token": f"refresh-{number}"}


def begin(auth, expected="/refresh"):
    """Begin a flow by hand; give it, and the first request it sends."""
    flow = auth.sync_auth_flow(httpx2.Request("GET", f"{BASE}/items"))
    request = next(flow)
    assert request.url.path == expected
    return flow, request


def expired(**more):
    clock = Clock()
    pair = TokenPair("access-0", "refresh-0", expires_at=clock())
    return AuthXAuth(BASE, tokens=pair, clock=clock, **more)


@pytest.fixture
def joined(monkeypatch):
    """Of each request that needs a refresh, whether it leads it; those that do not wait for it."""
    seen = []
    join = Session.join

    def noted(self):
        flight, leads = join(self)
        seen.append(leads)
        return flight, leads

    monkeypatch.setattr(Session, "join", noted)
    return seen


def test_a_task_that_is_cancelled_hands_over_to_one_of_those_who_wait(world, joined):
    async def main():
        auth = AuthXAuth(world.base, clock=world.clock, **ANNA)
        async with httpx2.AsyncClient(auth=auth, timeout=PATIENCE) as client:
            await client.get(f"{world.address}/protected")
            world.expire()
            world.go.clear()
            leader = asyncio.create_task(client.get(f"{world.address}/protected"))
            assert await asyncio.to_thread(world.refreshing.wait, PATIENCE)
            others = [asyncio.create_task(client.get(f"{world.address}/protected")) for _ in range(20)]
            await until(lambda: joined.count(False) == 20, "the wait of the others")
            leader.cancel()
            await until(lambda: len(world.presented) == 2, "the second try")
            world.go.set()
            return [one.status_code for one in await asyncio.gather(*others)]

    assert asyncio.run(main()) == [200] * 20
    assert len(world.presented) == 2
    assert len(set(world.presented)) == 1, "the same token is presented again"
    assert world.events == ["replay"]


def test_a_task_that_waits_may_be_cancelled_without_harm_to_the_others(world, joined):
    async def main():
        auth = AuthXAuth(world.base, clock=world.clock, **ANNA)
        async with httpx2.AsyncClient(auth=auth, timeout=PATIENCE) as client:
            await client.get(f"{world.address}/protected")
            world.expire()
            world.go.clear()
            tasks = [asyncio.create_task(client.get(f"{world.address}/protected")) for _ in range(10)]
            await until(lambda: joined.count(False) == 9, "the wait of the others")
            for one in tasks[5:]:
                one.cancel()
            world.go.set()
            return [one.status_code for one in await asyncio.gather(*tasks[:5])]

    assert asyncio.run(main()) == [200] * 5
    assert len(world.presented) == 1


def test_a_refresh_that_times_out_is_repeated_once_and_not_by_everybody_in_turn(joined):
    count, auth, tries = 20, expired(), []

    def silent(request):
        """Answers no refresh; each one lasts until everybody else waits for it."""
        if request.url.path != "/refresh":
            return httpx2.Response(401, json=REFRESH[1])
        tries.append(request)
        wait_until(lambda: len(joined) >= sum(range(count, count - len(tries), -1)), "the wait of the others")
        raise httpx2.ReadTimeout("no answer", request=request)

    with httpx2.Client(auth=auth, transport=httpx2.MockTransport(silent)) as client, ThreadPoolExecutor(count) as pool:

        def get(_):
            try:
                return client.get(f"{BASE}/items").status_code
            except httpx2.ReadTimeout:
                return "timed out"

        results = list(pool.map(get, range(count)))
    assert Counter(results) == {"timed out": 2, 401: count - 2}
    assert len(tries) == 2
    assert auth.tokens is not None


def test_a_flow_that_is_closed_wakes_those_who_wait(joined):
    auth = expired()
    flow, _ = begin(auth)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(begin, auth)
        wait_until(lambda: False in joined, "the wait")
        assert not waiting.done()
        flow.close()
        other, request = waiting.result(PATIENCE)
    assert request.headers["authorization"] == "Bearer refresh-0"
    other.close()


def test_a_leader_that_is_never_heard_of_again_is_waited_for_no_longer_than_patience():
    auth = expired(patience=0.1)
    flow, _ = begin(auth)
    other, request = begin(auth)
    assert request.headers["authorization"] == "Bearer refresh-0"
    flow.close()
    other.close()


def test_an_asynchronous_leader_that_is_never_heard_of_again_is_waited_for_no_longer_than_patience():
    auth = expired(patience=0.1)
    flow, _ = begin(auth)

    async def main():
        other = auth.async_auth_flow(httpx2.Request("GET", f"{BASE}/items"))
        request = await anext(other)
        await other.aclose()
        return request

    assert asyncio.run(main()).url.path == "/refresh"
    flow.close()


class NeverLed(Session):
    """Everybody waits for somebody else."""

    def join(self):
        return Flight(patience=0.01), False


def test_those_for_whom_nobody_could_log_in_are_told_so(monkeypatch):
    monkeypatch.setattr(Session, "join", NeverLed.join)
    with pytest.raises(LoginError, match="Login failed: the server did not answer"):
        begin(AuthXAuth(BASE, **ANNA))


def test_those_for_whom_nobody_could_save_the_end_of_a_session_go_without_a_token(monkeypatch):
    auth = AuthXAuth(BASE, tokens=PAIR, on_tokens=print)
    auth._session.replace(auth._session.state, None)
    monkeypatch.setattr(Session, "join", NeverLed.join)
    flow, request = begin(auth, "/items")
    assert "authorization" not in request.headers
    flow.close()


def test_an_older_answer_never_replaces_a_newer_one():
    auth = expired(patience=0.05)
    late, late_request = begin(auth)
    other, request = begin(auth)
    other.send(answer(request, 200, tokens(1)))
    other.close()
    again = auth.sync_auth_flow(httpx2.Request("GET", f"{BASE}/items"))
    request = next(again)
    assert request.headers["authorization"] == "Bearer access-1"
    request = again.send(answer(request, *REFRESH))
    assert request.headers["authorization"] == "Bearer refresh-1"
    again.send(answer(request, 200, tokens(2)))
    again.close()
    request = late.send(answer(late_request, 200, tokens(1)))
    assert request.headers["authorization"] == "Bearer access-2"
    assert auth.tokens == TokenPair("access-2", "refresh-2")
    late.close()


def test_a_late_refusal_of_an_older_token_does_not_end_the_newer_session():
    told = []
    auth = expired(patience=0.05, on_tokens=told.append)
    late, late_request = begin(auth)
    other, request = begin(auth)
    other.send(answer(request, 200, tokens(1)))
    other.close()
    request = late.send(answer(late_request, 401, {"code": "refresh_reused", "action": "login"}))
    assert request.headers["authorization"] == "Bearer access-1"
    assert told == [TokenPair("access-1", "refresh-1")]
    late.close()


def test_a_refusal_that_comes_after_a_refresh_is_answered_with_the_token_that_is_there_by_then():
    auth = AuthXAuth(BASE, tokens=PAIR)
    first, first_request = begin(auth, "/items")
    second, second_request = begin(auth, "/items")
    request = first.send(answer(first_request, *REFRESH))
    assert request.url.path == "/refresh"
    first.send(answer(request, 200, tokens(1)))
    request = second.send(answer(second_request, *REFRESH))
    assert (request.url.path, request.headers["authorization"]) == ("/items", "Bearer access-1")
    first.close()
    second.close()


def test_a_token_that_another_request_has_renewed_is_renewed_once_more_where_it_is_refused_too():
    auth = AuthXAuth(BASE, tokens=PAIR)
    first, first_request = begin(auth, "/items")
    second, second_request = begin(auth, "/items")
    first.send(answer(first.send(answer(first_request, *REFRESH)), 200, tokens(1)))
    request = second.send(answer(second_request, *REFRESH))
    assert request.headers["authorization"] == "Bearer access-1"
    request = second.send(answer(request, *REFRESH))
    assert (request.url.path, request.headers["authorization"]) == ("/refresh", "Bearer refresh-1")
    first.close()
    second.close()


def test_a_leader_that_waits_as_the_server_says_is_waited_for(joined):
    with ThreadPoolExecutor(1) as pool:

        def sleep(_):
            nonlocal waiting
            waiting = pool.submit(begin, auth, "/items")
            wait_until(lambda: False in joined, "the wait")
            with pytest.raises(TimeoutError):
                waiting.result(0.3)

        waiting, auth = None, expired(patience=0.1, sleep=sleep)
        flow, request = begin(auth)
        again = flow.send(answer(request, *BUSY[:2]))
        flow.send(answer(again, 200, tokens(1)))
        other, request = waiting.result(PATIENCE)
    assert request.headers["authorization"] == "Bearer access-1"
    flow.close()
    other.close()


def test_a_blocking_request_on_the_event_loop_of_the_leader_does_not_wait_for_it():
    auth = expired(patience=3600)

    async def main():
        leader = auth.async_auth_flow(httpx2.Request("GET", f"{BASE}/items"))
        await anext(leader)
        flow, request = begin(auth)
        flow.close()
        await leader.aclose()
        return request

    assert asyncio.run(main()).headers["authorization"] == "Bearer refresh-0"


def test_waiting_for_a_thread_does_not_block_the_event_loop(joined):
    auth = expired()
    flow, request = begin(auth)

    async def main():
        other = auth.async_auth_flow(httpx2.Request("GET", f"{BASE}/items"))
        waiting = asyncio.ensure_future(anext(other))
        await until(lambda: False in joined, "the wait")
        assert not waiting.done()
        thread = threading.Thread(target=flow.send, args=(answer(request, 200, tokens(1)),))
        thread.start()
        sent = await asyncio.wait_for(waiting, PATIENCE)
        thread.join()
        await other.aclose()
        return sent

    assert asyncio.run(main()).headers["authorization"] == "Bearer access-1"
    flow.close()


def test_an_event_loop_that_ends_while_a_task_waits_harms_nobody(caplog):
    auth = expired()
    flow, request = begin(auth)

    async def main():
        other = auth.async_auth_flow(httpx2.Request("GET", f"{BASE}/items"))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(other), 0.01)

    asyncio.run(main())
    assert flow.send(answer(request, 200, tokens(1))).url.path == "/items"
    flow.close()
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


def test_a_task_cancelled_while_it_saves_leaves_the_tokens_to_be_saved_by_the_next(fake, library):
    saved = []
    slow, saving = True, asyncio.Event()

    async def save(pair):
        if slow:
            saving.set()
            await asyncio.Event().wait()
        saved.append(pair)

    async def main():
        nonlocal slow
        auth = AuthXAuth(BASE, on_tokens=save, **ANNA)
        async with library.AsyncClient(auth=auth, transport=library.MockTransport(fake.answer)) as client:
            first = asyncio.create_task(client.get(f"{BASE}/items"))
            await saving.wait()
            first.cancel()
            with pytest.raises(asyncio.CancelledError):
                await first
            slow = False
            assert (await client.get(f"{BASE}/items")).status_code == 200

    asyncio.run(main())
    assert saved == [TokenPair("access-1", "refresh-1")]
    assert fake.paths() == ["/login", "/items"]
