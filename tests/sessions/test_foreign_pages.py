"""A page of another site posts to the ready-made routes: the user stays signed in, as the same user."""

import pytest
from tests.sessions.world import foreign_token
from tests.support.axes import spread

pytestmark = pytest.mark.anyio
RIGHT = {"username": "alice", "password": "right"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
FOREIGN = [
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"},
]
PATHS = ["/auth/logout", "/auth/logout/all", "/auth/refresh", "/auth/login", "/hand", "/both"]


def as_a_form(site, path, headers, **more):
    """What another site's form sends: no header of its own, and with SameSite=Lax no cookies."""
    return site.http.post(path, headers={"Cookie": ""} | FORM | headers, **more)


@pytest.mark.parametrize(("path", "headers"), spread(PATHS, FOREIGN), ids=str)
async def test_without_cookies_a_form_changes_none(site, path, headers):
    await site.login()
    answer = await as_a_form(site, path, headers)
    assert answer.status_code in (200, 400, 401)
    assert "set-cookie" not in answer.headers
    assert (await site.http.get("/door")).status_code == 200


@pytest.mark.parametrize(("path", "headers"), spread(PATHS, FOREIGN), ids=str)
async def test_with_cookies_a_form_changes_nothing(site, path, headers):
    await site.login()
    writes = site.writes()
    answer = await site.http.post(path, headers=FORM | headers)
    assert answer.status_code in (400, 403)
    assert "set-cookie" not in answer.headers
    assert site.writes() == writes
    assert (await site.http.get("/door")).status_code == 200


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
async def test_a_logout_of_a_foreign_page_with_a_dead_cookie_deletes_nothing(site, headers):
    answer = await site.http.post("/auth/logout", headers={"Cookie": "access_token_cookie=garbage"} | headers)
    assert (answer.status_code, "set-cookie" in answer.headers) == (200, False)


@pytest.mark.parametrize("headers", [{}, {"Origin": "https://testserver"}, {"Sec-Fetch-Site": "same-origin"}], ids=str)
async def test_an_own_page_deletes_the_cookies_also_without_a_session(site, headers):
    answer = await site.http.post("/auth/logout", headers=headers)
    assert len(answer.headers.get_list("set-cookie")) == 4


@pytest.mark.parametrize("path", ["/auth/logout", "/auth/logout/all"])
async def test_a_front_end_of_another_origin_logs_out_with_its_csrf_value(site, path):
    body = await site.login()
    answer = await site.http.post(path, headers={"X-CSRF-TOKEN": body["csrf_token"]} | FOREIGN[0])
    assert len(answer.headers.get_list("set-cookie")) == 4


@pytest.mark.parametrize(("headers", "path"), spread(FOREIGN, ["/auth/logout", "/auth/logout/all"]), ids=str)
async def test_a_token_in_the_form_s_address_deletes_no_cookies(make_world, path, headers):
    site = await make_world(JWT_TOKEN_LOCATION=["cookies", "query"])
    token = site.auth.create_access_token("mallory")
    answer = await as_a_form(site, path, headers, params={"token": token})
    assert (answer.status_code, "set-cookie" in answer.headers) == (200, False)


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
async def test_a_refresh_token_in_the_form_s_address_signs_nobody_in(make_world, headers):
    site = await make_world(JWT_TOKEN_LOCATION=["cookies", "query"])
    token, writes = foreign_token(site.clock, sub="mallory"), site.writes()
    answer = await as_a_form(site, "/auth/refresh", headers, params={"token": token})
    assert (answer.status_code, answer.json()["code"]) == (403, "csrf_origin")
    assert "set-cookie" not in answer.headers
    assert site.writes() == writes
    assert "csrf_failed" in site.names()


@pytest.mark.parametrize(("headers", "path"), spread(FOREIGN, ["/auth/login", "/enter/alice"]), ids=str)
async def test_where_origins_are_checked_a_foreign_page_signs_nobody_in(make_world, path, headers):
    site = await make_world(JWT_TOKEN_LOCATION=["cookies"], JWT_ORIGINS=["https://testserver"])
    answer = await site.http.post(path, json=RIGHT, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (403, "csrf_origin")
    assert "set-cookie" not in answer.headers
    assert site.writes() == 0
    assert site.names() == ["csrf_failed"]
    own = await site.http.post(path, json=RIGHT, headers={"Origin": "https://testserver"})
    assert len(own.headers.get_list("set-cookie")) == 4


async def test_a_foreign_page_cannot_try_passwords(make_world):
    site = await make_world(JWT_TOKEN_LOCATION=["cookies"], JWT_ORIGINS=["https://testserver"])
    answer = await site.http.post("/auth/login", json=RIGHT | {"password": "wrong"}, headers=FOREIGN[0])
    assert (answer.status_code, answer.json()["code"]) == (403, "csrf_origin")


@pytest.mark.parametrize(("location", "shown"), [("cookies", True), ("headers", False)])
async def test_openapi_shows_the_refusal_of_a_foreign_login(make_world, location, shown):
    site = await make_world(JWT_TOKEN_LOCATION=[location], JWT_ORIGINS=["https://testserver"])
    assert ("403" in site.app.openapi()["paths"]["/auth/login"]["post"]["responses"]) == shown


async def test_tokens_in_headers_may_be_asked_for_from_any_page(make_world):
    world = await make_world(JWT_ORIGINS=["https://testserver"])
    answer = await world.http.post("/auth/login", json=RIGHT, headers=FOREIGN[0])
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/auth/login"),
        ("POST", "/auth/refresh"),
        ("POST", "/auth/logout"),
        ("POST", "/auth/logout/all"),
        ("POST", "/auth/logout/all?keep_current=true"),
        ("GET", "/auth/sessions"),
        ("DELETE", "/auth/sessions/x"),
    ],
)
@pytest.mark.parametrize("signed_in", [True, False])
async def test_no_answer_of_the_router_is_kept_by_a_cache(world, method, path, signed_in):
    tokens = await world.login() if signed_in else {}
    token = tokens.get("refresh_token" if path.endswith("refresh") else "access_token")
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    answer = await world.http.request(method, path, headers=headers, json=RIGHT if path.endswith("login") else None)
    assert answer.headers["cache-control"] == "no-store"


async def test_a_hand_written_list_of_sessions_is_kept_by_no_cache(world):
    @world.app.get("/mine")
    async def mine(payload=world.auth.ACCESS_REQUIRED):
        return await world.auth.list_sessions(payload.sub)

    @world.app.get("/this")
    async def this(payload=world.auth.ACCESS_REQUIRED):
        return await world.auth.get_session(payload.sid)

    tokens = await world.login()
    for path in ("/mine", "/this"):
        answer = await world.http.get(path, headers={"Authorization": f"Bearer {tokens['access_token']}"})
        assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
