"""The ready-made router: its routes, their answers, and what OpenAPI says of them."""

from datetime import datetime, timedelta

import pytest
from fastapi import Depends, FastAPI, Header, HTTPException
from fastapi.testclient import TestClient
from tests.sessions.world import REFRESH_LIFE, SECRET, sid_of
from tests.support.axes import spread
from tests.support.tokens import bearer, claims_of

from authx import AuthX, AuthXConfig
from authx.testing import Clock

pytestmark = pytest.mark.anyio

ROUTES = {
    ("POST", "/auth/login"): {200, 400, 401, 503},
    ("POST", "/auth/refresh"): {200, 400, 401, 403, 503},
    ("POST", "/auth/logout"): {200, 400, 403, 503},
    ("POST", "/auth/logout/all"): {200, 400, 401, 403, 503},
    ("GET", "/auth/sessions"): {200, 400, 401, 503},
    ("DELETE", "/auth/sessions/{session_id}"): {204, 400, 401, 403, 404, 503},
}
RIGHT = {"username": "alice", "password": "right"}


def operations(app):
    return {
        (method.upper(), path): operation
        for path, methods in app.openapi()["paths"].items()
        for method, operation in methods.items()
    }


# What OpenAPI says


@pytest.mark.parametrize("route", ROUTES)
async def test_every_status_is_documented(site, route):
    documented = {int(status) for status in operations(site.app)[route]["responses"]}
    assert documented - {422} == ROUTES[route]


async def test_errors_are_described_with_their_body(world):
    for route, statuses in ROUTES.items():
        responses = operations(world.app)[route]["responses"]
        for status in statuses - {200, 204}:
            response = responses[str(status)]
            assert response["description"]
            reference = response["content"]["application/json"]["schema"]["$ref"]
            schema = world.app.openapi()["components"]["schemas"][reference.rpartition("/")[2]]
            assert set(schema["properties"]) == {"message", "error_type", "code", "action"}


async def test_the_body_of_the_login_is_described(world):
    body = operations(world.app)[("POST", "/auth/login")]["requestBody"]
    schema = body["content"]["application/json"]["schema"]
    assert set(schema["required"]) == set(schema["properties"]) == {"username", "password"}
    assert schema["properties"]["password"]["format"] == "password"


async def test_protected_routes_show_their_scheme(world):
    for route in ROUTES:
        secured = "security" in operations(world.app)[route]
        assert secured == (route[1] in ("/auth/logout/all", "/auth/sessions", "/auth/sessions/{session_id}"))


async def test_every_route_has_the_tag_and_a_summary_of_its_own(world):
    found = [operations(world.app)[route] for route in ROUTES]
    assert {tuple(operation["tags"]) for operation in found} == {("auth",)}
    assert len({operation["operationId"] for operation in found}) == len({one["summary"] for one in found}) == 6


async def test_the_answers_models_have_every_field(world):
    schemas = world.app.openapi()["components"]["schemas"]
    tokens = schemas["SessionTokens"]
    assert set(tokens["properties"]) == {
        "access_token",
        "refresh_token",
        "token_type",
        "expires_in",
        "refresh_expires_in",
        "csrf_token",
        "refresh_csrf_token",
    }
    # Which tokens are in the body depends on where they travel.
    assert set(tokens.get("required", [])) <= {"token_type"}
    assert {
        "session_id",
        "created_at",
        "last_active",
        "expires_at",
        "ip_address",
        "user_agent",
        "device_info",
        "current",
    } <= set(schemas["SessionInfo"]["properties"])


# Login


async def test_login_in_the_header_answers_with_the_tokens(world):
    answer = await world.http.post("/auth/login", json=RIGHT)
    body = answer.json()
    assert answer.status_code == 200
    assert set(body) == {"access_token", "refresh_token", "token_type", "expires_in", "refresh_expires_in"}
    assert (body["token_type"], body["expires_in"], body["refresh_expires_in"]) == ("bearer", 900, REFRESH_LIFE)
    assert answer.headers["cache-control"] == "no-store"
    assert "set-cookie" not in answer.headers
    assert await world.knock(body["access_token"]) == 200
    assert claims_of(body["access_token"])["fresh"] is True


async def test_login_with_cookies_sets_them_and_answers_with_csrf_values(site):
    answer = await site.http.post("/auth/login", json=RIGHT)
    assert set(answer.json()) == {"token_type", "expires_in", "refresh_expires_in", "csrf_token", "refresh_csrf_token"}
    assert len(answer.headers.get_list("set-cookie")) == 4
    assert (await site.http.get("/door")).status_code == 200
    push = await site.http.post("/door", headers={"X-CSRF-TOKEN": answer.json()["csrf_token"]})
    assert push.status_code == 200


@pytest.mark.parametrize("body", [{"username": "alice", "password": "wrong"}, {"username": "nobody", "password": ""}])
async def test_wrong_credentials_are_401_and_say_no_more(world, body):
    answer = await world.http.post("/auth/login", json=body)
    assert (answer.status_code, answer.json()["code"], answer.json()["action"]) == (
        401,
        "credentials_invalid",
        "login",
    )
    assert answer.json()["message"] == "User name or password is wrong"
    assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_wrong_credentials_keep_the_cookies_and_the_session(site):
    await site.login()
    answer = await site.http.post("/auth/login", json={"username": "alice", "password": "wrong"})
    assert answer.status_code == 401
    assert "set-cookie" not in answer.headers
    assert (await site.http.get("/door")).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"x"',
        b"{}",
        b'{"username": "alice"}',
        b'{"password": "right"}',
        b'{"username": 7, "password": "right"}',
        b'{"username": "alice", "password": null}',
        b'{"username": "alice", "password": ["right"]}',
        b'{"username": "alice", "username": "bob", "password": "right"}',
        b'{"username": "alice", "password": "right"',
        b'{"username": "\xff", "password": "right"}',
        b'{"username": "alice", "password": "\\ud800"}',
        b'{"username": "alice", "password": NaN}',
        b'{"username": "alice", "password": "right"} {}',
        b"username=alice&password=right",
        b'{"username": "' + b"a" * 20_000 + b'", "password": "right"}',
        b"[" * 10_000,
    ],
    ids=range(20),
)
async def test_a_body_that_is_none_is_400(world, body):
    answer = await world.http.post("/auth/login", content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (400, "request_invalid")
    assert world.writes() == 0


@pytest.mark.parametrize(
    "kind", [None, "text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/jsonx", ""]
)
async def test_another_content_type_is_400(world, kind):
    headers = {} if kind is None else {"Content-Type": kind}
    answer = await world.http.post("/auth/login", content=b'{"username":"alice","password":"right"}', headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (400, "request_invalid")
    assert answer.json()["message"] == "Send the credentials as JSON (Content-Type: application/json)."


@pytest.mark.parametrize("kind", ["application/json", "application/json; charset=utf-8", "Application/JSON"])
async def test_json_may_be_written_in_any_way(world, kind):
    content = b' { "password" : "right" , "more" : [1], "username" : "alice" } '
    answer = await world.http.post("/auth/login", content=content, headers={"Content-Type": kind})
    assert answer.status_code == 200


@pytest.mark.parametrize("username", ["", "a" * 300, "a\u0000b"])
async def test_a_user_name_of_any_kind_is_asked_about_and_refused(make_world, username):
    world = await make_world()
    answer = await world.http.post("/auth/login", json={"username": username, "password": "wrong"})
    assert (answer.status_code, answer.json()["code"]) == (401, "credentials_invalid")


@pytest.mark.parametrize("kind", ["sync", "async", "object"])
async def test_authenticate_may_be_any_callable(make_world, kind):
    world = await make_world()

    async def coroutine(name, password):
        return f"{name}-{password}"

    class Door:
        def __call__(self, name, password):
            return f"{name}-{password}"

    authenticate = {"sync": lambda name, password: f"{name}-{password}", "async": coroutine, "object": Door()}[kind]
    world.app.include_router(world.auth.router(authenticate), prefix="/other")
    answer = await world.http.post("/other/login", json=RIGHT)
    assert claims_of(answer.json()["access_token"])["sub"] == "alice-right"


async def test_a_second_login_ends_the_first_session_of_this_browser(site):
    await site.http.post("/auth/login", json=RIGHT)
    first = site.http.cookies["access_token_cookie"]
    await site.http.post("/auth/login", json=RIGHT)
    answer = await site.http.get("/door", headers={"Cookie": f"access_token_cookie={first}"})
    assert answer.status_code == 400 or answer.json()["code"] == "session_revoked"
    assert (await site.row(first)).revoked_at is not None


# Refresh


async def test_refresh_rotates(world):
    body = await world.login()
    answer = await world.refresh(body["refresh_token"])
    assert answer.status_code == 200
    assert set(answer.json()) == set(body)
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json()["refresh_token"] != body["refresh_token"]


async def test_refresh_with_cookies_rotates_them(site):
    body = await site.login()
    before = site.http.cookies["refresh_token_cookie"]
    answer = await site.http.post("/auth/refresh", headers={"X-CSRF-TOKEN": body["refresh_csrf_token"]})
    assert answer.status_code == 200
    assert set(answer.json()) == set(body)
    assert site.http.cookies["refresh_token_cookie"] != before
    assert len(answer.headers.get_list("set-cookie")) == 4


@pytest.mark.parametrize(("headers", "code"), [({}, "csrf_missing"), ({"X-CSRF-TOKEN": "wrong"}, "csrf_mismatch")])
async def test_refresh_with_cookies_needs_the_csrf_value(site, headers, code):
    await site.login()
    writes = site.writes()
    answer = await site.http.post("/auth/refresh", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (403, code)
    assert site.writes() == writes


async def test_refresh_does_not_take_the_access_token_s_csrf_value(site):
    body = await site.login()
    answer = await site.http.post("/auth/refresh", headers={"X-CSRF-TOKEN": body["csrf_token"]})
    assert (answer.status_code, answer.json()["code"]) == (403, "csrf_mismatch")


async def test_refresh_without_a_token_is_401_and_keeps_the_cookies(site):
    answer = await site.http.post("/auth/refresh")
    assert (answer.status_code, answer.json()["code"], answer.json()["action"]) == (401, "refresh_missing", "login")
    assert "set-cookie" not in answer.headers


async def test_refresh_with_nonsense_is_401_and_clears_the_cookies(site):
    answer = await site.http.post(
        "/auth/refresh", headers={"Cookie": "refresh_token_cookie=nonsense", "X-CSRF-TOKEN": "any"}
    )
    assert (answer.status_code, answer.json()["code"]) == (401, "refresh_invalid")
    assert len(answer.headers.get_list("set-cookie")) == 4


async def test_two_refresh_cookies_are_400(site):
    answer = await site.http.post(
        "/auth/refresh", headers={"Cookie": "refresh_token_cookie=a; refresh_token_cookie=b", "X-CSRF-TOKEN": "any"}
    )
    assert (answer.status_code, answer.json()["code"]) == (400, "request_invalid")


async def test_refresh_reads_a_json_body_where_that_is_a_location(make_world):
    world = await make_world(JWT_TOKEN_LOCATION=["headers"], JWT_REFRESH_TOKEN_LOCATION=["json"])
    body = await world.login()
    answer = await world.http.post("/auth/refresh", json={"refresh_token": body["refresh_token"]})
    assert answer.status_code == 200
    answer = await world.http.post("/auth/refresh", content=b"{", headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (400, "request_invalid")


async def test_every_route_works_where_the_body_is_the_only_place(make_world):
    world = await make_world(JWT_TOKEN_LOCATION=["json"])
    tokens = (await world.http.post("/auth/login", json=RIGHT)).json()
    old = tokens
    answer = await world.http.post("/auth/refresh", json={"refresh_token": tokens["refresh_token"]})
    assert answer.status_code == 200
    tokens = answer.json()
    again = await world.http.post("/auth/login", json=RIGHT | {"refresh_token": tokens["refresh_token"]})
    assert again.status_code == 200
    answer = await world.http.post("/door", json={"access_token": old["access_token"]})
    assert answer.json()["code"] == "session_revoked"
    tokens = again.json()
    assert (await world.http.post("/door", json={"access_token": tokens["access_token"]})).status_code == 200
    for body in ({"access_token": tokens["access_token"]}, {"refresh_token": tokens["refresh_token"]}, {}):
        assert (await world.http.post("/auth/logout", json=body)).status_code == 200
    answer = await world.http.post("/door", json={"access_token": tokens["access_token"]})
    assert answer.json()["code"] == "session_revoked"
    tokens = (await world.http.post("/auth/login", json=RIGHT)).json()
    answer = await world.http.post("/auth/logout/all", json={"access_token": tokens["access_token"]})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("body", "path"),
    [
        *spread(
            [b"{", b"[]", b"null", b"\xff", b"", b'{"a": ' * 5000, b" " * 2_000_000],
            ["login", "refresh", "logout", "logout/all"],
        ),
        (b"", "login"),
        (b"\xff", "refresh"),
        (b"[]", "logout"),
        (b"{", "logout/all"),
    ],
)
async def test_no_route_answers_a_bad_body_with_a_500(make_world, path, body):
    world = await make_world(JWT_TOKEN_LOCATION=["json", "cookies"], JWT_CSRF_CHECK_FORM=True)
    headers = {"Content-Type": "application/json"}
    answer = await world.http.post(f"/auth/{path}", content=body, headers=headers)
    assert answer.status_code == 200 if path == "logout" else answer.status_code in (400, 401)


async def test_the_access_token_in_the_header_and_the_refresh_token_in_a_cookie(make_world):
    site = await make_world(
        JWT_TOKEN_LOCATION=["headers"],
        JWT_REFRESH_TOKEN_LOCATION=["cookies"],
        JWT_REFRESH_COOKIE_PATH="/auth",
        JWT_REFRESH_CSRF_COOKIE_PATH="/auth",
    )
    body = (await site.http.post("/auth/login", json=RIGHT)).json()
    assert set(body) == {"access_token", "token_type", "expires_in", "refresh_expires_in", "refresh_csrf_token"}
    assert await site.knock(body["access_token"]) == 200
    answer = await site.http.post("/auth/refresh", headers={"X-CSRF-TOKEN": body["refresh_csrf_token"]})
    assert answer.status_code == 200
    assert await site.knock(answer.json()["access_token"]) == 200
    csrf = {"X-CSRF-TOKEN": body["refresh_csrf_token"]}
    assert (await site.http.post("/auth/logout", headers=csrf)).status_code == 200
    assert await site.knock(body["access_token"]) == 401


# Logout everywhere


async def test_logout_everywhere_ends_all_sessions(world):
    mine, other, bob = await world.login(), await world.login(), await world.login("bob")
    answer = await world.http.post("/auth/logout/all", headers=bearer(mine["access_token"]))
    assert (answer.status_code, list(answer.json())) == (200, ["message"])
    assert [await world.knock(one["access_token"]) for one in (mine, other, bob)] == [401, 401, 200]


async def test_logout_everywhere_can_keep_the_current_session(world):
    mine, other = await world.login(), await world.login()
    answer = await world.http.post("/auth/logout/all?keep_current=true", headers=bearer(mine["access_token"]))
    assert (answer.status_code, list(answer.json())) == (200, ["message"])
    assert [await world.knock(one["access_token"]) for one in (mine, other)] == [200, 401]
    assert (await world.refresh(mine["refresh_token"])).status_code == 200
    assert (await world.refresh(other["refresh_token"])).json()["code"] == "session_revoked"


async def test_logout_everywhere_can_keep_a_session_that_has_no_row(world):
    access, refresh = world.create_pair()
    await world.http.post("/auth/logout/all?keep_current=true", headers=bearer(access))
    assert await world.knock(access) == 200
    assert (await world.refresh(refresh)).status_code == 200


@pytest.mark.parametrize(("query", "cleared"), [("", 4), ("?keep_current=false", 4), ("?keep_current=true", 0)])
async def test_logout_everywhere_clears_the_cookies_unless_they_are_kept(site, query, cleared):
    body = await site.login()
    answer = await site.http.post(f"/auth/logout/all{query}", headers={"X-CSRF-TOKEN": body["csrf_token"]})
    assert answer.status_code == 200
    assert len(answer.headers.get_list("set-cookie")) == cleared
    assert (await site.http.get("/door")).status_code == (200 if cleared == 0 else 401)


async def test_logout_everywhere_needs_the_csrf_value(site):
    await site.login()
    answer = await site.http.post("/auth/logout/all")
    assert (answer.status_code, answer.json()["code"]) == (403, "csrf_missing")
    assert (await site.http.get("/door")).status_code == 200


async def test_logout_everywhere_with_the_store_down_is_503_and_keeps_the_cookies(site):
    body = await site.login()
    site.store.fail("revoke")
    answer = await site.http.post("/auth/logout/all", headers={"X-CSRF-TOKEN": body["csrf_token"]})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert "set-cookie" not in answer.headers


# The caller's sessions


async def test_the_sessions_are_listed_newest_first_with_the_current_one_marked(world):
    first = await world.login(device_info={"name": "phone"})
    world.clock.advance(5)
    second = await world.login()
    await world.login("bob")
    answer = await world.http.get("/auth/sessions", headers=bearer(first["access_token"]))
    assert answer.status_code == 200
    listed = answer.json()
    assert [one["session_id"] for one in listed] == [sid_of(second["access_token"]), sid_of(first["access_token"])]
    assert [one["current"] for one in listed] == [False, True]
    assert listed[1]["device_info"] == {"name": "phone"}


async def test_times_are_iso_8601_in_utc(world):
    tokens = await world.login()
    (session,) = (await world.http.get("/auth/sessions", headers=bearer(tokens["access_token"]))).json()
    for name in ("created_at", "last_active", "expires_at"):
        moment = datetime.fromisoformat(session[name])
        assert moment.utcoffset() == timedelta(0)
    assert datetime.fromisoformat(session["created_at"]).timestamp() == world.clock.now


async def test_one_of_the_caller_s_own_can_be_ended(world):
    mine, other = await world.login(), await world.login()
    answer = await world.http.delete(
        f"/auth/sessions/{sid_of(other['access_token'])}", headers=bearer(mine["access_token"])
    )
    assert (answer.status_code, answer.content) == (204, b"")
    assert await world.knock(other["access_token"]) == 401
    assert await world.knock(mine["access_token"]) == 200


async def test_the_current_one_can_be_ended(world):
    mine = await world.login()
    sid = sid_of(mine["access_token"])
    assert (await world.http.delete(f"/auth/sessions/{sid}", headers=bearer(mine["access_token"]))).status_code == 204
    assert await world.knock(mine["access_token"]) == 401


async def test_what_is_not_the_caller_s_is_404_whatever_it_is(world):
    mine, bob, ended, expired = (
        await world.login(),
        await world.login("bob"),
        await world.login(),
        await world.login(refresh_expiry=timedelta(seconds=5)),
    )
    await world.auth.revoke_session(sid_of(ended["access_token"]))
    world.clock.advance(5)
    unknown = sid_of(world.create_pair("carol")[0])
    answers = []
    for sid in (
        sid_of(bob["access_token"]),
        sid_of(ended["access_token"]),
        sid_of(expired["access_token"]),
        unknown,
        "x",
        "01BA60D3-3800-7293-8E2F-3738899C2BD8",
        "%00",
        "%FF",
        "a" * 5000,
    ):
        answer = await world.http.delete(f"/auth/sessions/{sid}", headers=bearer(mine["access_token"]))
        assert (answer.status_code, answer.json()["code"]) == (404, "session_not_found"), sid
        answers.append(answer.json())
    assert all(answer == answers[0] for answer in answers)
    assert await world.knock(bob["access_token"]) == 200


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/auth/logout/all"), ("GET", "/auth/sessions"), ("DELETE", "/auth/sessions/x")]
)
async def test_all_but_login_refresh_and_logout_need_an_access_token(world, method, path):
    answer = await world.http.request(method, path)
    assert (answer.status_code, answer.json()["code"]) == (401, "token_missing")
    tokens = await world.login()
    answer = await world.http.request(method, path, headers=bearer(tokens["refresh_token"]))
    assert (answer.status_code, answer.json()["code"]) == (401, "token_wrong_type")


async def test_ending_one_needs_the_csrf_value(site):
    await site.login()
    sid = sid_of(site.http.cookies["access_token_cookie"])
    answer = await site.http.delete(f"/auth/sessions/{sid}")
    assert (answer.status_code, answer.json()["code"]) == (403, "csrf_missing")
    assert (await site.http.get("/door")).status_code == 200


@pytest.mark.parametrize(
    ("operation", "method", "path"),
    [
        ("list", "GET", "/auth/sessions"),
        ("get", "DELETE", "/auth/sessions/{sid}"),
        ("revoke", "DELETE", "/auth/sessions/{sid}"),
        ("revoke", "POST", "/auth/logout"),
        ("revoke", "POST", "/auth/logout/all"),
        ("advance", "POST", "/auth/refresh"),
    ],
)
async def test_a_store_that_does_not_answer_is_503_everywhere(world, operation, method, path):
    tokens = await world.login()
    world.store.fail(operation)
    token = tokens["refresh_token" if path.endswith("refresh") else "access_token"]
    path = path.format(sid=sid_of(token))
    answer = await world.http.request(method, path, headers=bearer(token))
    assert (answer.status_code, answer.json()["code"], answer.headers["retry-after"]) == (503, "auth_unavailable", "1")
    again = await world.http.request(method, path, headers=bearer(token))
    assert again.status_code in (200, 204)


async def test_login_with_the_store_down_is_503(world):
    world.store.fail("create", "get")
    answer = await world.http.post("/auth/login", json=RIGHT)
    assert (answer.status_code, answer.json()["action"]) == (503, "retry")


# Choices


def make_app(**choices):
    auth = AuthX(AuthXConfig(JWT_SECRET_KEY=SECRET), store="memory://", clock=Clock())
    app = FastAPI()
    auth.handle_errors(app)
    app.include_router(auth.router(lambda name, password: name, **choices))
    return app


def test_prefix_tags_and_paths_can_be_chosen():
    app = make_app(
        prefix="/api",
        tags=["me"],
        paths={
            "login": "/in",
            "refresh": "/again",
            "logout": "/out",
            "logout_all": "/out/everywhere",
            "sessions": "/mine",
            "session": "/mine/{session_id}",
        },
    )
    found = operations(app)
    assert set(found) == {
        ("POST", "/api/in"),
        ("POST", "/api/again"),
        ("POST", "/api/out"),
        ("POST", "/api/out/everywhere"),
        ("GET", "/api/mine"),
        ("DELETE", "/api/mine/{session_id}"),
    }
    assert {tuple(operation["tags"]) for operation in found.values()} == {("me",)}
    with TestClient(app, base_url="https://testserver") as client:
        tokens = client.post("/api/in", json=RIGHT).json()
        (session,) = client.get("/api/mine", headers=bearer(tokens["access_token"])).json()
        path = f"/api/mine/{session['session_id']}"
        assert client.delete(path, headers=bearer(tokens["access_token"])).status_code == 204


def test_one_path_can_be_chosen_alone():
    assert ("POST", "/in") in operations(make_app(paths={"login": "/in"}))
    assert ("POST", "/refresh") in operations(make_app(paths={"login": "/in"}))


def test_an_unknown_path_s_name_is_an_error():
    with pytest.raises(ValueError, match="log_in"):
        make_app(paths={"log_in": "/in"})


def test_dependencies_run_before_every_route():
    async def gate(x_gate: str = Header(default="")):
        if x_gate != "open":
            raise HTTPException(418)

    app = make_app(dependencies=[Depends(gate)])
    with TestClient(app, base_url="https://testserver") as client:
        assert client.post("/login", json=RIGHT).status_code == 418
        for method, path in [("POST", "/refresh"), ("POST", "/logout"), ("POST", "/logout/all"), ("GET", "/sessions")]:
            assert client.request(method, path).status_code == 418
        assert client.post("/login", json=RIGHT, headers={"X-Gate": "open"}).status_code == 200


def test_two_routers_of_two_instances_live_in_one_application():
    app = FastAPI()
    kinds = {}
    for name in ("staff", "customers"):
        auth = AuthX(AuthXConfig(JWT_SECRET_KEY=SECRET + name), login_type=name, store="memory://", clock=Clock())
        auth.handle_errors(app)
        app.include_router(auth.router(lambda user, password: user), prefix=f"/{name}")
        kinds[name] = auth
    with TestClient(app, base_url="https://testserver") as client:
        tokens = {name: client.post(f"/{name}/login", json=RIGHT).json() for name in kinds}
        for name in kinds:
            for other in kinds:
                answer = client.get(f"/{name}/sessions", headers=bearer(tokens[other]["access_token"]))
                assert answer.status_code == (200 if name == other else 401)
