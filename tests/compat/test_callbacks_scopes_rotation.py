"""Acceptance of blocklists, scopes and key rotation: A44 to A55."""

from collections.abc import Iterator
from typing import Annotated

import pytest
from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse
from sqlalchemy import String, create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from sqlalchemy.pool import StaticPool
from tests.support.tokens import OTHER_SECRET, SECRET, bearer, claims_of

from authx import AuthX, AuthXConfig, TokenPayload
from authx.exceptions import InsufficientScopeError

from .answers import BAD_SIGNATURE, NO_SCOPE, REVOKED

OLD_SECRET = "the secret of last year, still accepted today"


def door(auth):
    """One protected route, with the blocklist of the caller's choice."""
    app = FastAPI()
    auth.handle_errors(app)

    @app.get("/door", dependencies=[Depends(auth.access_token_required)])
    def opened():
        return "open"

    return app


class Base(DeclarativeBase):
    pass


class RevokedRow(Base):
    __tablename__ = "revoked"
    token: Mapped[str] = mapped_column(String, primary_key=True)


class KeyValueStore:
    """Answers like a key-value server's client: how many of the keys exist."""

    def __init__(self):
        self.values: dict[str, str] = {}

    def set(self, key, value):
        self.values[key] = value

    def exists(self, *keys):
        return sum(key in self.values for key in keys)


@pytest.fixture
def database() -> Iterator[Session]:
    engine = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        yield session
    engine.dispose()


@pytest.fixture
def blocklists(database):
    """For each kind of blocklist: the callback that asks it, and the call that adds a token."""
    seen, store = set(), KeyValueStore()

    def in_set(token):
        return token in seen

    def in_database(token):
        return database.get(RevokedRow, token) is not None

    def row_of(token):
        return database.get(RevokedRow, token)

    def add_to_database(token):
        database.add(RevokedRow(token=token))
        database.commit()

    def in_store(token):
        return store.exists(f"revoked:{token}")

    async def in_async_store(token):
        return store.exists(f"revoked:{token}")

    def add_to_store(token):
        store.set(f"revoked:{token}", "1")

    return {
        "a44-set": (in_set, seen.add),
        "a45-database": (in_database, add_to_database),
        "a45-database-row": (row_of, add_to_database),
        "a45-store": (in_store, add_to_store),
        "a45-async-store": (in_async_store, add_to_store),
    }


@pytest.fixture(
    params=["a44-set", "a45-database", "a45-database-row", "a45-store", "a45-async-store"],
)
def logout_client(make_auth, browse, blocklists, request):
    auth = make_auth()
    app = door(auth)
    is_revoked, add = blocklists[request.param]
    auth.set_callback_token_blocklist(is_revoked)

    @app.post("/login")
    def login():
        return auth.create_access_token(uid="alice")

    @app.post("/logout", dependencies=[Depends(auth.access_token_required)])
    async def logout(request: Request):
        token = await auth.get_access_token_from_request(request)
        add(token.token)

    return browse(app)


@pytest.fixture
def logged_in(logout_client):
    return bearer(logout_client.post("/login").json())


def test_a44_a45_before_logout_the_token_is_accepted(logout_client, logged_in):
    assert logout_client.get("/door", headers=logged_in).status_code == 200


def test_a44_a45_after_logout_the_token_is_revoked(logout_client, logged_in, refused):
    assert logout_client.post("/logout", headers=logged_in).status_code == 200
    refused(logout_client.get("/door", headers=logged_in), REVOKED)


def test_a44_a45_logout_revokes_no_other_token(logout_client, logged_in):
    other = bearer(logout_client.post("/login").json())
    logout_client.post("/logout", headers=logged_in)
    assert logout_client.get("/door", headers=other).status_code == 200


def test_a44_the_blocklist_may_be_set_with_a_decorator(make_auth, browse, refused):
    auth = make_auth()

    @auth.set_callback_token_blocklist
    def everything_is_revoked(token: str) -> bool:
        return True

    refused(browse(door(auth)).get("/door", headers=bearer(auth.create_access_token(uid="alice"))), REVOKED)


def test_a46_logout_with_headers_sees_one_value_as_both_tokens(make_auth, browse):
    auth = make_auth()
    app = door(auth)

    @app.post("/logout", dependencies=[Depends(auth.access_token_required)])
    async def logout(request: Request):
        access = await auth.get_access_token_from_request(request)
        refresh = await auth.get_refresh_token_from_request(request)
        return [access.model_dump(), refresh.model_dump()]

    token = auth.create_access_token(uid="alice")
    as_header = {"token": token, "csrf": None, "location": "headers"}
    assert browse(app).post("/logout", headers=bearer(token)).json() == [
        as_header | {"type": "access"},
        as_header | {"type": "refresh"},
    ]


def test_a46_logout_may_revoke_both_tokens(make_auth, browse, refused):
    auth, revoked = make_auth(JWT_TOKEN_LOCATION=["cookies"], JWT_COOKIE_CSRF_PROTECT=False), set()
    app = door(auth)
    auth.set_callback_token_blocklist(lambda token: token in revoked)

    @app.post("/logout", dependencies=[Depends(auth.access_token_required)])
    async def logout(request: Request):
        revoked.add((await auth.get_access_token_from_request(request)).token)
        revoked.add((await auth.get_refresh_token_from_request(request)).token)

    @app.post("/refresh", dependencies=[Depends(auth.refresh_token_required)])
    def refresh():
        return "never reached after logout"

    client = browse(app)
    client.cookies.set("access_token_cookie", auth.create_access_token(uid="alice"))
    client.cookies.set("refresh_token_cookie", auth.create_refresh_token(uid="alice"))
    client.post("/logout")
    refused(client.get("/door"), REVOKED)
    refused(client.post("/refresh"), REVOKED)


@pytest.fixture
def own_blocklist(make_auth, browse):
    auth, app, ended = make_auth(), FastAPI(), set()
    auth.handle_errors(app)
    auth.token_blocklist_callback = lambda payload: payload.jti in ended

    @app.get("/profile")
    def profile(payload: TokenPayload = Depends(auth.access_token_required)):
        if payload.jti in ended:
            raise HTTPException(401, detail="Token has been revoked")
        return payload.sub

    @app.post("/logout")
    def logout(payload: TokenPayload = Depends(auth.access_token_required)):
        ended.add(payload.jti)

    return auth, browse(app)


def test_a47_the_route_compares_the_jti_after_logout(own_blocklist):
    auth, client = own_blocklist
    headers = bearer(auth.create_access_token(uid="alice"))
    client.post("/logout", headers=headers)
    assert client.get("/profile", headers=headers).status_code == 401


def test_a47_another_token_of_the_user_is_not_touched(own_blocklist):
    auth, client = own_blocklist
    client.post("/logout", headers=bearer(auth.create_access_token(uid="alice")))
    assert client.get("/profile", headers=bearer(auth.create_access_token(uid="alice"))).status_code == 200


def test_a47_an_attribute_of_the_applications_own_does_no_harm(own_blocklist):
    auth, client = own_blocklist
    answer = client.get("/profile", headers=bearer(auth.create_access_token(uid="alice")))
    assert (answer.status_code, answer.json()) == (200, "alice")


@pytest.mark.parametrize(
    "scopes",
    [["read"], ["users:read", "posts:write"], ["admin:*"], ["admin:users:*", "read"]],
)
@pytest.mark.parametrize("which", ["access", "refresh"])
def test_a48_the_scopes_claim_is_the_list(make_auth, which, scopes):
    token = getattr(make_auth(), f"create_{which}_token")(uid="alice", scopes=scopes)
    assert claims_of(token)["scopes"] == scopes


@pytest.fixture
def scoped(make_auth, browse):
    """Asks a route with the given requirement, as a user with the given scopes."""
    auth = make_auth()

    def ask(required, granted, **how):
        app = FastAPI()
        auth.handle_errors(app)
        payload_of = Annotated[TokenPayload, Depends(auth.scopes_required(*required, **how))]

        @app.get("/door")
        def door(payload: payload_of):
            return payload.sub

        token = auth.create_access_token(uid="alice", scopes=granted)
        return browse(app).get("/door", headers=bearer(token))

    return ask


@pytest.mark.parametrize(
    ("required", "granted"),
    [
        (["read"], ["read"]),
        (["users:read"], ["users:*"]),
        (["users"], ["users:*"]),
        (["admin:users:*"], ["admin:*"]),
        (["read", "write"], ["read", "write", "delete"]),
        (["admin:users", "posts:read"], ["admin:*", "posts:*"]),
        ([], None),
    ],
)
def test_a49_sufficient_scopes_pass_and_inject_the_payload(scoped, required, granted):
    answer = scoped(required, granted)
    assert (answer.status_code, answer.json()) == (200, "alice")


@pytest.mark.parametrize(
    ("required", "granted"),
    [
        (["read"], ["write"]),
        (["read"], None),
        (["read"], []),
        (["users:*"], ["users:read"]),
        (["usersx"], ["users:*"]),
        (["read", "write"], ["read"]),
        (["read"], ["*"]),
    ],
)
def test_a49_insufficient_scopes_are_refused(scoped, refused, required, granted):
    refused(scoped(required, granted), NO_SCOPE)


@pytest.mark.parametrize("granted", [["read"], ["write"], ["read", "write"]])
def test_a49_any_one_of_several_scopes_may_do(scoped, granted):
    assert scoped(["read", "write"], granted, all_required=False).status_code == 200


@pytest.mark.parametrize("granted", [["delete"], [], None])
def test_a49_none_of_several_scopes_will_not_do(scoped, refused, granted):
    refused(scoped(["read", "write"], granted, all_required=False), NO_SCOPE)


def test_a49_the_refusal_names_what_was_needed(scoped, refused):
    body = refused(scoped(["posts:delete"], ["posts:read"]), NO_SCOPE)
    assert "posts:delete" in body["message"]


@pytest.mark.parametrize(
    ("asked", "found"),
    [("users:read", True), ("posts:read", True), ("posts:write", False), ("admin:*", False)],
)
def test_a50_a_route_may_ask_for_scopes_itself(make_auth, browse, asked, found):
    auth, app = make_auth(), FastAPI()

    @app.get("/may")
    def may(scope: str, payload: TokenPayload = Depends(auth.access_token_required)):
        return payload.has_scopes(scope)

    token = auth.create_access_token(uid="alice", scopes=["users:*", "posts:read"])
    assert browse(app).get("/may", params={"scope": asked}, headers=bearer(token)).json() is found


@pytest.mark.parametrize("order", ["own handler first", "own handler last"])
def test_a51_the_applications_own_handler_answers_a_scope_refusal(make_auth, browse, order):
    auth, app = make_auth(), FastAPI()

    def add_own_handler():
        @app.exception_handler(InsufficientScopeError)
        async def explain(request: Request, error: InsufficientScopeError):
            return JSONResponse({"need": error.required, "have": error.provided}, status_code=418)

    if order == "own handler first":
        add_own_handler()
    auth.handle_errors(app)
    if order == "own handler last":
        add_own_handler()

    @app.get("/door", dependencies=[Depends(auth.scopes_required("write"))])
    def door():
        return "never reached"

    token = auth.create_access_token(uid="alice", scopes=["read"])
    answer = browse(app).get("/door", headers=bearer(token))
    assert (answer.status_code, answer.json()) == (418, {"need": ["write"], "have": ["read"]})


ROLES = {
    "admin": ["admin:*"],
    "editor": ["posts:read", "posts:write"],
    "viewer": ["posts:read"],
}


@pytest.fixture
def blog(make_auth, browse):
    auth, app = make_auth(), FastAPI()
    auth.handle_errors(app)

    @app.get("/admin", dependencies=[Depends(auth.scopes_required("admin:users"))])
    def admin():
        return "admin"

    @app.post("/posts", dependencies=[Depends(auth.scopes_required("posts:write"))])
    def write():
        return "written"

    @app.get("/posts", dependencies=[Depends(auth.scopes_required("posts:read"))])
    def read():
        return "read"

    def ask(role, method, path):
        token = auth.create_access_token(uid=role, scopes=ROLES[role])
        return browse(app).request(method, path, headers=bearer(token)).status_code

    return ask


@pytest.mark.parametrize(
    ("role", "method", "path", "status"),
    [
        ("admin", "GET", "/admin", 200),
        ("editor", "GET", "/admin", 403),
        ("viewer", "GET", "/admin", 403),
        ("admin", "POST", "/posts", 403),
        ("editor", "POST", "/posts", 200),
        ("viewer", "POST", "/posts", 403),
        ("editor", "GET", "/posts", 200),
        ("viewer", "GET", "/posts", 200),
    ],
)
def test_a52_each_role_of_the_blog_reaches_its_own_routes(blog, role, method, path, status):
    assert blog(role, method, path) == status


@pytest.fixture
def rotated(make_auth):
    return make_auth(JWT_SECRET_KEY=SECRET, JWT_PREVIOUS_SECRET_KEY=OLD_SECRET)


@pytest.mark.parametrize("secret", [SECRET, OLD_SECRET], ids=["new key", "previous key"])
def test_a53_a_token_of_either_key_is_accepted(rotated, make_auth, browse, secret):
    token = make_auth(JWT_SECRET_KEY=secret).create_access_token(uid="alice")
    assert browse(door(rotated)).get("/door", headers=bearer(token)).status_code == 200


def test_a53_a_token_of_an_unknown_key_is_refused(rotated, make_auth, browse, refused):
    token = make_auth(JWT_SECRET_KEY=OTHER_SECRET).create_access_token(uid="alice")
    refused(browse(door(rotated)).get("/door", headers=bearer(token)), BAD_SIGNATURE)


def test_a53_new_tokens_need_only_the_new_key(rotated, make_auth, browse):
    new_key_alone = make_auth(JWT_SECRET_KEY=SECRET)
    headers = bearer(rotated.create_access_token(uid="alice"))
    assert browse(door(new_key_alone)).get("/door", headers=headers).status_code == 200


def test_a53_new_tokens_do_not_verify_with_the_previous_key(rotated, make_auth, browse, refused):
    old_key_alone = make_auth(JWT_SECRET_KEY=OLD_SECRET)
    headers = bearer(rotated.create_access_token(uid="alice"))
    refused(browse(door(old_key_alone)).get("/door", headers=headers), BAD_SIGNATURE)


@pytest.mark.parametrize("issuer", ["old", "new"])
def test_a54_an_rsa_token_of_either_pair_is_accepted(make_auth, browse, rsa_pair, older_rsa_pair, issuer):
    (new_private, new_public), (old_private, old_public) = rsa_pair, older_rsa_pair
    old = make_auth(JWT_ALGORITHM="RS256", JWT_PRIVATE_KEY=old_private, JWT_PUBLIC_KEY=old_public)
    new = make_auth(
        JWT_ALGORITHM="RS256",
        JWT_PRIVATE_KEY=new_private,
        JWT_PUBLIC_KEY=new_public,
        JWT_PREVIOUS_PUBLIC_KEY=old_public,
    )
    token = {"old": old, "new": new}[issuer].create_access_token(uid="alice")
    assert browse(door(new)).get("/door", headers=bearer(token)).status_code == 200


@pytest.mark.parametrize("secret", [SECRET, OLD_SECRET], ids=["new key", "previous key"])
def test_a55_both_keys_may_come_from_the_environment(monkeypatch, make_auth, browse, secret):
    monkeypatch.setenv("JWT_SECRET_KEY", SECRET)
    monkeypatch.setenv("JWT_PREVIOUS_SECRET_KEY", OLD_SECRET)
    auth = AuthX(config=AuthXConfig())
    token = make_auth(JWT_SECRET_KEY=secret).create_access_token(uid="alice")
    assert browse(door(auth)).get("/door", headers=bearer(token)).status_code == 200


def test_a55_an_unknown_key_is_refused_as_well(monkeypatch, configure, make_auth, browse, refused):
    monkeypatch.setenv("JWT_PREVIOUS_SECRET_KEY", OLD_SECRET)
    auth = AuthX(config=configure())
    token = make_auth(JWT_SECRET_KEY=OTHER_SECRET).create_access_token(uid="alice")
    refused(browse(door(auth)).get("/door", headers=bearer(token)), BAD_SIGNATURE)
