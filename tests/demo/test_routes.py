"""The demo's routes, in process: what they answer, and what logout ends."""

import pytest
from fastapi.testclient import TestClient

from authx.demo.app import create_app, demo_config
from authx.demo.users import Users
from authx.testing import Clock
from authx.token import decode_token

CREDENTIALS = {"username": "test", "password": "test"}
COOKIES = {"access_token_cookie", "refresh_token_cookie", "csrf_access_token", "csrf_refresh_token"}


ALICE = {"username": "alice", "password": "alice"}


pytestmark = pytest.mark.usefixtures("no_settings_from_outside")


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def app(clock):
    return create_app(clock=clock)


@pytest.fixture
def client(app):
    """A client that the demo is started for, and stopped after."""
    with TestClient(app) as client:
        yield client


@pytest.fixture
def browser(client):
    """A client that keeps cookies and has logged in."""
    client.post("/login", json=CREDENTIALS)
    return client


@pytest.fixture
def tokens(client):
    """The tokens of a login whose cookies were thrown away."""
    return log_in(client)


def log_in(client, credentials=CREDENTIALS):
    tokens = client.post("/login", json=credentials).json()
    client.cookies.clear()
    return tokens


def refresh(client, token):
    answer = client.post("/refresh", headers=bearer(token))
    client.cookies.clear()
    return answer


def code(client, token):
    """What the protected route says to an access token."""
    return client.get("/protected", headers=bearer(token)).json().get("code")


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


def csrf(client, kind):
    return {"X-CSRF-TOKEN": client.cookies[f"csrf_{kind}_token"]}


def test_login_answers_two_tokens_and_what_a_front_end_has_to_know_of_them(tokens):
    assert set(tokens) == {
        *("access_token", "refresh_token", "token_type"),
        *("expires_in", "refresh_expires_in", "csrf_token", "refresh_csrf_token"),
    }


def test_login_keeps_its_answer_out_of_caches(client):
    assert client.post("/login", json=CREDENTIALS).headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("scheme", "secure"),
    [("http", False), ("https", True)],
)
def test_cookies_are_secure_where_the_demo_is_served_over_tls(app, scheme, secure):
    answer = TestClient(app, base_url=f"{scheme}://testserver").post("/login", json=CREDENTIALS)
    lines = answer.headers.get_list("set-cookie")
    assert {line.partition("=")[0] for line in lines} == COOKIES
    assert {"Secure" in line for line in lines} == {secure}


@pytest.mark.parametrize(
    "credentials",
    [
        {"username": "test", "password": "wrong"},
        {"username": "nobody", "password": "test"},
        {"username": "", "password": ""},
        {"username": "test", "password": "tést"},
    ],
)
def test_login_refuses_wrong_credentials_without_saying_which(client, credentials):
    answer = client.post("/login", json=credentials)
    assert (answer.status_code, answer.json()["code"]) == (401, "credentials_invalid")
    assert answer.headers.get_list("set-cookie") == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'{"username": "test"}',
        b'{"username": 1, "password": "test"}',
        b'{"username": "test", "password": "\\ud800"}',
        b'{"username": "test", "password": "' + b"x" * 20_000 + b'"}',
    ],
)
def test_login_refuses_a_body_that_is_no_login(client, body):
    answer = client.post("/login", content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (400, "request_invalid")


def test_an_access_token_in_the_header_is_let_in(client, tokens):
    answer = client.get("/protected", headers=bearer(tokens["access_token"]))
    assert (answer.status_code, answer.json()) == (200, {"message": "You have access"})


def test_an_access_token_in_a_cookie_is_let_in(browser):
    assert browser.get("/protected").json() == {"message": "You have access"}


def test_nobody_else_is_let_in(client):
    assert client.get("/protected").json()["code"] == "token_missing"


def test_alice_has_sessions_of_her_own(client, tokens):
    alice = log_in(client, ALICE)
    client.post("/logout/all", headers=bearer(alice["access_token"]))
    assert code(client, alice["access_token"]) == "session_revoked"
    assert code(client, tokens["access_token"]) is None


def test_refresh_exchanges_both_tokens(client, tokens):
    new = refresh(client, tokens["refresh_token"]).json()
    assert {new["access_token"], new["refresh_token"]}.isdisjoint({tokens["access_token"], tokens["refresh_token"]})
    assert code(client, new["access_token"]) is None
    assert refresh(client, new["refresh_token"]).status_code == 200


def test_a_refresh_token_gets_the_same_successor_again_for_half_a_minute(client, tokens, clock):
    new = refresh(client, tokens["refresh_token"]).json()
    clock.advance(30)
    assert refresh(client, tokens["refresh_token"]).json()["refresh_token"] == new["refresh_token"]


def test_an_old_refresh_token_ends_the_session(client, tokens, clock):
    new = refresh(client, tokens["refresh_token"]).json()
    clock.advance(31)
    assert refresh(client, tokens["refresh_token"]).json()["code"] == "refresh_reused"
    assert refresh(client, new["refresh_token"]).json()["code"] == "session_revoked"
    assert code(client, new["access_token"]) == "session_revoked"


def test_a_lapsed_access_cookie_is_renewed_by_refresh(browser, clock):
    clock.advance(16 * 60)
    assert browser.get("/protected").json()["action"] == "refresh"
    assert browser.post("/refresh", headers=csrf(browser, "refresh")).status_code == 200
    assert browser.get("/protected").status_code == 200


@pytest.mark.parametrize("value", [{}, {"X-CSRF-TOKEN": "guessed"}])
def test_refresh_by_cookie_needs_its_csrf_value(browser, value):
    answer = browser.post("/refresh", headers=value)
    assert (answer.status_code, answer.json()["action"]) == (403, "csrf")


@pytest.mark.parametrize("which", ["access_token", "refresh_token"])
def test_logout_ends_every_token_of_the_login_with_either_of_them(client, tokens, which):
    new = refresh(client, tokens["refresh_token"]).json()
    assert client.post("/logout", headers=bearer(tokens[which])).json() == {"message": "Logged out"}
    assert code(client, tokens["access_token"]) == code(client, new["access_token"]) == "session_revoked"
    assert refresh(client, new["refresh_token"]).json()["code"] == "session_revoked"


def test_logout_spares_the_users_other_logins(client, tokens):
    other = log_in(client)["access_token"]
    client.post("/logout", headers=bearer(tokens["access_token"]))
    assert code(client, other) is None


@pytest.mark.parametrize(("question", "here"), [("", "session_revoked"), ("?keep_current=true", None)])
def test_logout_everywhere_ends_every_login_of_the_user(client, tokens, question, here):
    other = log_in(client)["access_token"]
    client.post(f"/logout/all{question}", headers=bearer(tokens["access_token"]))
    assert code(client, other) == "session_revoked"
    assert code(client, tokens["access_token"]) == here


def test_sessions_lists_the_users_logins_newest_first(client, tokens, clock):
    clock.advance(1)
    client.headers["user-agent"] = "a second device"
    other = log_in(client)
    log_in(client, ALICE)
    sessions = client.get("/sessions", headers=bearer(tokens["access_token"])).json()
    assert [session["current"] for session in sessions] == [False, True]
    assert sessions[0]["user_agent"] == "a second device"
    assert sessions[0]["session_id"] == decode_token(other["access_token"], "", verify=False)["sid"]


def test_a_session_of_ones_own_can_be_ended_by_its_id(client, tokens):
    other = log_in(client)["access_token"]
    session = decode_token(other, "", verify=False)["sid"]
    assert client.delete(f"/sessions/{session}", headers=bearer(tokens["access_token"])).status_code == 204
    assert code(client, other) == "session_revoked"
    assert code(client, tokens["access_token"]) is None


def test_somebody_elses_session_is_not_there(client, tokens):
    alice = log_in(client, ALICE)["access_token"]
    session = decode_token(alice, "", verify=False)["sid"]
    answer = client.delete(f"/sessions/{session}", headers=bearer(tokens["access_token"]))
    assert (answer.status_code, answer.json()["code"]) == (404, "session_not_found")
    assert code(client, alice) is None


@pytest.mark.parametrize("kind", ["access", "refresh"])
def test_logout_by_cookie_takes_the_csrf_value_of_either_token(browser, kind):
    kept = {name: browser.cookies[name] for name in COOKIES}
    assert browser.post("/logout", headers=csrf(browser, kind)).json() == {"message": "Logged out"}
    assert not browser.cookies
    browser.cookies.update(kept)
    assert browser.get("/protected").json()["code"] == "session_revoked"


@pytest.mark.parametrize("value", [{}, {"X-CSRF-TOKEN": "guessed"}])
def test_logout_asked_for_by_another_sites_page_ends_nothing(browser, value):
    assert browser.post("/logout", headers=value).status_code == 403
    assert browser.get("/protected").status_code == 200


def test_logout_works_with_a_lapsed_access_cookie(browser, clock):
    clock.advance(16 * 60)
    assert browser.post("/logout", headers=csrf(browser, "refresh")).status_code == 200
    assert not browser.cookies


@pytest.mark.parametrize("headers", [{}, bearer("garbage"), {"Authorization": "Basic dTpw"}])
def test_logout_with_nothing_to_end_is_no_error(client, headers):
    assert client.post("/logout", headers=headers).json() == {"message": "Logged out"}


def test_logout_can_be_repeated(client, tokens):
    for _ in range(2):
        assert client.post("/logout", headers=bearer(tokens["access_token"])).status_code == 200


def test_the_front_page_shows_the_way_to_the_routes_and_the_lines_to_paste(app):
    page = TestClient(create_app(address="http://localhost:9000")).get("/")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert 'href="docs"' in page.text
    assert "http://localhost:9000/login" in page.text
    assert "{&quot;username&quot;:&quot;test&quot;, &quot;password&quot;:&quot;test&quot;}" in page.text


def test_every_route_is_documented(client):
    paths = client.get("/openapi.json").json()["paths"]
    assert set(paths) == {
        *("/login", "/refresh", "/protected", "/logout", "/logout/all", "/sessions", "/sessions/{session_id}"),
        *("/lab/events", "/lab/store"),
    }


def test_each_demo_in_memory_has_a_secret_of_its_own(tokens):
    with TestClient(create_app()) as other:
        assert code(other, tokens["access_token"]) == "token_invalid"


def test_a_configured_secret_is_used(monkeypatch):
    monkeypatch.setenv("JWT_SECRET_KEY", "the secret of a demo in a test, long enough")
    with TestClient(create_app()) as client:
        token = log_in(client)["access_token"]
    assert decode_token(token, "the secret of a demo in a test, long enough")["sub"] == "test"


def test_a_restart_ends_no_session(monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with TestClient(create_app(demo_config())) as client:
        ended, lasting = log_in(client), log_in(client)
        client.post("/logout", headers=bearer(ended["refresh_token"]))
    with TestClient(create_app(demo_config())) as client:
        assert refresh(client, lasting["refresh_token"]).status_code == 200
        assert code(client, lasting["access_token"]) is None
        assert code(client, ended["access_token"]) == "session_revoked"


def test_a_store_of_the_environment_is_used(monkeypatch, tmp_path):
    monkeypatch.setenv("JWT_STORE_URL", f"sqlite:///{tmp_path}/mine.db")
    monkeypatch.setenv("JWT_SECRET_KEY", "the secret of a demo in a test, long enough")
    with TestClient(create_app(demo_config())) as client:
        log_in(client)
    assert (tmp_path / "mine.db").is_file()


@pytest.mark.parametrize("name", ["known", "unknown"])
def test_a_password_is_hashed_once_whether_the_user_exists_or_not(name):
    class Counting(Users):
        hashed = 0

        def _hash(self, password):
            self.hashed += 1
            return super()._hash(password)

    users = Counting({"known": "password"})
    users.hashed = 0
    assert not users.accept(name, "another")
    assert users.hashed == 1
