"""The lab behind the demo's page: a store that can be stopped, answers that get lost, events as they happen."""

import asyncio
import json
import threading

import pytest
from fastapi.testclient import TestClient
from tests.support.waiting import PATIENCE

from authx import AuthX
from authx.demo import lab as demo_lab
from authx.demo.app import create_app, demo_config
from authx.exceptions import StoreUnavailableError
from authx.token import decode_token

CREDENTIALS = {"username": "test", "password": "test"}
SECRET = "the secret of a demo that several processes serve"


pytestmark = pytest.mark.usefixtures("no_settings_from_outside")


@pytest.fixture
def app():
    return create_app()


@pytest.fixture
def client(app):
    with TestClient(app) as client:
        yield client


def log_in(client, name="test"):
    tokens = client.post("/login", json={"username": name, "password": name}).json()
    client.cookies.clear()
    return tokens


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


class Listener:
    """Reads the events of a user, from when it is made until a session of theirs has ended, which ends the stream."""

    def __init__(self, client, tokens, after=0, run=None):
        self.heard = []
        begun = threading.Event()
        lab = client.app.state.lab
        look = lab.events

        def look_and_tell(*args):
            begun.set()
            return look(*args)

        lab.events = look_and_tell
        self._thread = threading.Thread(
            target=self._read, args=(client, tokens["access_token"], f"after={after}&run={run or lab.run}")
        )
        self._thread.start()
        assert begun.wait(PATIENCE)

    def _read(self, client, token, query):
        with client.stream("GET", f"/lab/events?{query}", headers=bearer(token)) as answer:
            assert answer.headers["content-type"].startswith("application/x-ndjson")
            self.heard.extend(json.loads(line) for line in answer.iter_lines())

    def finish(self):
        """Wait for the end of the stream; return what was heard."""
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()
        return self.heard


def sid_of(tokens):
    return decode_token(tokens["access_token"], "", verify=False)["sid"]


def stop(client, tokens, seconds):
    return client.post("/lab/store", json={"seconds": seconds}, headers=bearer(tokens["access_token"]))


@pytest.mark.parametrize(("method", "path"), [("GET", "/lab/events"), ("GET", "/lab/store"), ("POST", "/lab/store")])
def test_nobody_gets_into_the_lab_without_a_session(client, method, path):
    assert client.request(method, path).json()["code"] == "token_missing"


def test_a_stopped_store_refuses_refreshes_and_consumes_nothing(client):
    tokens = log_in(client)
    assert stop(client, tokens, 25).json() == {"seconds": 25}
    answer = client.post("/refresh", headers=bearer(tokens["refresh_token"]))
    assert (answer.status_code, answer.json()["action"]) == (503, "retry")
    stop(client, tokens, 0)
    assert client.post("/refresh", headers=bearer(tokens["refresh_token"])).status_code == 200


def test_access_tokens_are_good_without_the_store(client):
    tokens = log_in(client)
    stop(client, tokens, 25)
    assert client.get("/protected", headers=bearer(tokens["access_token"])).status_code == 200


def test_the_switch_says_how_long_the_store_is_stopped(client):
    tokens = log_in(client)
    headers = bearer(tokens["access_token"])
    assert client.get("/lab/store", headers=headers).json() == {"seconds": 0}
    stop(client, tokens, 25)
    assert 0 < client.get("/lab/store", headers=headers).json()["seconds"] <= 25


@pytest.mark.parametrize("seconds", [-1, 26, "soon", None])
def test_the_store_is_not_stopped_for_a_time_that_makes_no_sense(client, seconds):
    tokens = log_in(client)
    assert stop(client, tokens, seconds).status_code == 422
    assert client.get("/lab/store", headers=bearer(tokens["access_token"])).json() == {"seconds": 0}


def test_a_lost_answer_is_one_whose_work_was_done(client):
    tokens = log_in(client)
    headers = bearer(tokens["refresh_token"])
    lost = client.post("/refresh", headers={**headers, "X-Lab": "lose-the-answer"})
    assert (lost.status_code, lost.content, lost.headers.get_list("set-cookie")) == (504, b"", [])
    again = client.post("/refresh", headers=headers).json()
    seen = events_of_session(client, again)
    assert [event["event"] for event in seen] == ["login", "refresh", "replay", "logout"]


def events_of_session(client, tokens):
    """End a session, and hear what happened to it."""
    client.cookies.clear()
    listener = Listener(client, tokens)
    client.post("/logout", headers=bearer(tokens["access_token"]))
    return listener.finish()


def test_a_thief_shows_among_the_events_of_his_victim(client):
    first = log_in(client)
    second = client.post("/refresh", headers=bearer(first["refresh_token"])).json()
    third = client.post("/refresh", headers=bearer(second["refresh_token"])).json()
    client.cookies.clear()
    listener = Listener(client, third)
    assert client.post("/refresh", headers=bearer(first["refresh_token"])).json()["code"] == "refresh_reused"
    theft = listener.finish()[-1]
    assert (theft["event"], theft["distance"]) == ("refresh_reused", 2)


def test_a_user_hears_nothing_of_others(client):
    log_in(client, "alice")
    mine = log_in(client)
    others = log_in(client, "alice")
    client.post("/refresh", headers=bearer(others["refresh_token"]))
    client.post("/logout/all", headers=bearer(others["access_token"]))
    heard = events_of_session(client, mine)
    assert [event["event"] for event in heard] == ["login", "logout"]
    assert {event["session_id"] for event in heard} == {sid_of(mine)}


def test_a_user_hears_nothing_of_failed_logins_and_forged_requests_of_nobody_knows_whom(client):
    client.post("/login", json={"username": "test", "password": "wrong"})
    client.post("/login", json={"username": "test", "password": "test"})
    assert client.post("/refresh", headers={"X-CSRF-TOKEN": "guessed"}).status_code == 403
    heard = [event["event"] for event in events_of_session(client, log_in(client))]
    assert not {"login_failed", "csrf_failed"} & set(heard)


def test_the_numbers_of_events_do_not_tell_how_many_others_there_were(client):
    for _ in range(3):
        log_in(client, "alice")
    assert [event["id"] for event in events_of_session(client, log_in(client))] == [1, 2]


def test_the_events_of_others_push_out_nobody_s(client, monkeypatch):
    monkeypatch.setattr(demo_lab, "_KEPT_EVENTS", 2)
    mine = log_in(client)
    for _ in range(5):
        log_in(client, "alice")
    assert [event["event"] for event in events_of_session(client, mine)] == ["login", "logout"]
    assert [event["id"] for event in client.app.state.lab.events("alice", 0)] == [4, 5]


def test_a_session_that_was_revoked_by_its_id_is_told_to_its_user_alone(client):
    mine, other, stranger = log_in(client), log_in(client), log_in(client, "alice")
    client.delete(f"/sessions/{sid_of(other)}", headers=bearer(mine["access_token"]))
    told = [(event["event"], event["session_id"]) for event in events_of_session(client, mine)]
    assert ("session_revoked", sid_of(other)) in told
    assert [event["event"] for event in events_of_session(client, stranger)] == ["login", "logout"]


def test_the_stream_ends_when_somebody_else_signs_in_with_the_same_browser(client):
    before = log_in(client)
    client.post("/login", json={"username": "test", "password": "test"})
    first = client.cookies["access_token_cookie"]
    listener = Listener(client, {"access_token": first})
    client.post("/login", json={"username": "alice", "password": "alice"})
    assert "alice" not in json.dumps(listener.finish())
    assert client.get("/protected", headers=bearer(before["access_token"])).status_code == 200


def test_the_stream_ends_with_a_session_that_another_program_has_ended(tmp_path, monkeypatch):
    monkeypatch.setenv("JWT_SECRET_KEY", SECRET)
    monkeypatch.setenv("JWT_STORE_URL", f"sqlite:///{tmp_path}/auth.db")
    with TestClient(create_app(demo_config())) as client:
        tokens = log_in(client)
        listener = Listener(client, tokens)

        async def end_it():
            other = AuthX(demo_config())
            await other.revoke_session(sid_of(tokens))
            await other.close()

        asyncio.run(end_it())
        assert [event["event"] for event in listener.finish()] == ["login"]


def test_events_are_told_from_where_the_page_has_got_to(client, app):
    tokens = log_in(client)
    known = app.state.lab.events("test", 0)[-1]["id"]
    listener = Listener(client, tokens, after=known)
    client.post("/logout", headers=bearer(tokens["access_token"]))
    assert [event["event"] for event in listener.finish()] == ["logout"]


def test_events_of_another_run_of_the_server_are_not_what_is_known_of_this_one(client):
    tokens = log_in(client)
    listener = Listener(client, tokens, after=1000, run="another")
    client.post("/logout", headers=bearer(tokens["access_token"]))
    assert [event["event"] for event in listener.finish()] == ["login", "logout"]


def test_no_event_holds_a_token(client):
    tokens = log_in(client)
    told = json.dumps(events_of_session(client, tokens))
    assert tokens["access_token"] not in told
    assert tokens["refresh_token"] not in told


def test_the_stream_ends_when_the_server_is_about_to_stop(client, app):
    listener = Listener(client, log_in(client))
    app.state.lab.closing = True
    assert [event["event"] for event in listener.finish()] == ["login"]


def test_workers_share_the_switch_and_the_events(tmp_path, monkeypatch):
    monkeypatch.setenv("JWT_SECRET_KEY", SECRET)
    monkeypatch.setenv("JWT_STORE_URL", f"sqlite:///{tmp_path}/auth.db")
    make = lambda: TestClient(create_app(demo_config(), lab_file=str(tmp_path / "lab.db")))  # noqa: E731
    with make() as here, make() as there:
        tokens = log_in(here)
        stop(here, tokens, 25)
        assert there.post("/refresh", headers=bearer(tokens["refresh_token"])).status_code == 503
        stop(there, tokens, 0)
        assert [event["event"] for event in there.app.state.lab.events("test", 0)] == ["login"]


@pytest.mark.parametrize("path", ["/refresh", "/logout", "/logout/all", "/sessions", "/lab/events"])
def test_no_answer_says_where_the_store_is(client, monkeypatch, path):
    tokens = log_in(client)

    async def fails(store, name, *args, **kwargs):
        if name == "close":
            return
        raise StoreUnavailableError("the Redis server redis://10.0.0.5:6379/0 is not available")

    monkeypatch.setattr(demo_lab.StoppableStore, "_do", fails)
    token = tokens["refresh_token" if path == "/refresh" else "access_token"]
    client.app.state.lab.closing = True
    method = "GET" if path in {"/sessions", "/lab/events"} else "POST"
    answer = client.request(method, path, headers=bearer(token))
    assert answer.status_code == (200 if path == "/lab/events" else 503)
    assert "redis" not in (answer.text + str(answer.headers)).lower()
    assert "10.0.0.5" not in answer.text + str(answer.headers)
