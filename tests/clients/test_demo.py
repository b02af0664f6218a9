"""The demo as its users start it, which sets cookies too."""

import asyncio

import httpx2
import pytest
from tests.demo.server import running_demo

from authx.clients import AuthXAuth, LoginError

TEST = {"username": "test", "password": "test"}


@pytest.fixture(scope="module")
def address():
    with running_demo("--store", "memory://") as demo:
        yield demo.address


def sessions(client, address):
    return client.get(f"{address}/sessions").json()


def test_log_in_refresh_and_log_out_with_a_client_that_keeps_cookies(address, library):
    told = []
    auth = AuthXAuth(address, on_tokens=told.append, **TEST)
    with library.Client(auth=auth) as client:
        assert client.get(f"{address}/protected").json() == {"message": "You have access"}
        assert "access_token_cookie" in client.cookies
        for _ in range(3):
            auth._session.state.renew_at = 0
            assert client.get(f"{address}/protected").status_code == 200
        assert [one["current"] for one in sessions(client, address)].count(True) == 1
        last = auth.tokens
        auth.logout(client)
        assert "access_token_cookie" not in client.cookies
    assert (len(told), auth.tokens) == (5, None)
    with library.Client(headers={"Authorization": f"Bearer {last.access_token}"}) as client:
        assert client.get(f"{address}/protected").json()["code"] == "session_revoked"


def test_the_same_on_an_event_loop(address, library):
    async def main():
        auth = AuthXAuth(address, **TEST)
        async with library.AsyncClient(auth=auth) as client:
            assert (await client.get(f"{address}/protected")).status_code == 200
            auth._session.state.renew_at = 0
            assert (await client.get(f"{address}/protected")).status_code == 200
            await auth.alogout(client)
        assert auth.tokens is None

    asyncio.run(main())


def test_a_refresh_with_header_and_cookies_at_once_is_one_refresh_of_one_session(address, library):
    auth = AuthXAuth(address, **TEST)
    with library.Client(auth=auth) as client:
        client.get(f"{address}/protected")
        token = auth.tokens.refresh_token
        answer = client.post(f"{address}/refresh", headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 200
        auth._session.state.renew_at = 0  # the answer was not for us: our own token is the one before now
        assert client.get(f"{address}/protected").status_code == 200
        auth.logout(client)


def test_cookies_of_another_session_in_the_client_do_not_get_in_the_way(address, library):
    with library.Client() as client:
        first = AuthXAuth(address, **TEST)
        second = AuthXAuth(address, username="alice", password="alice")
        for _ in range(2):
            for auth, uid in ((first, "test"), (second, "alice")):
                auth._session.state.renew_at = 0
                answer = client.get(f"{address}/sessions", auth=auth)
                assert {one["uid"] for one in answer.json()} == {uid}
        first.logout(client)
        assert client.get(f"{address}/protected", auth=second).status_code == 200
        second.logout(client)


def test_several_clients_share_a_session(address):
    auth = AuthXAuth(address, **TEST)
    with httpx2.Client(auth=auth) as one, httpx2.Client(auth=auth) as another:
        ids = []
        for client in (one, another, one, another):
            auth._session.state.renew_at = 0
            ids += [row["session_id"] for row in sessions(client, address) if row["current"]]
        auth.logout(another)
    assert len(ids) == 4
    assert len(set(ids)) == 1


def test_a_wrong_password_is_said_to_be_wrong(address, library):
    auth = AuthXAuth(address, username="test", password="no")
    with library.Client(auth=auth) as client, pytest.raises(LoginError, match="401 credentials_invalid"):
        client.get(f"{address}/protected")
