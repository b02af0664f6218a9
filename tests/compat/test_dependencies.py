"""Acceptance of dependencies, aliases and the subject of a request: A35 to A43."""

from collections.abc import Iterator

import pytest
from fastapi import APIRouter, Depends, FastAPI, HTTPException, Request, Response
from pydantic import BaseModel
from sqlalchemy import String, create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from sqlalchemy.pool import StaticPool
from tests.support.tokens import bearer

from authx import AuthX, RequestToken, TokenPayload
from authx.exceptions import AuthXException

from .answers import CSRF_MISMATCH, MISSING, NOT_ACCESS, NOT_FRESH, NOT_REFRESH


class User(BaseModel):
    id: str
    email: str


@pytest.fixture
def auth(make_auth):
    return make_auth(JWT_TOKEN_LOCATION=["headers", "cookies"])


@pytest.fixture
def app(auth):
    application = FastAPI()
    auth.handle_errors(application)
    return application


@pytest.fixture
def client(app, browse):
    return browse(app)


SPELLINGS = ["alias/listed", "alias/default", "depends/listed", "depends/default"]


@pytest.fixture
def spelled_client(auth, app, client):
    @app.get("/alias/listed", dependencies=[auth.ACCESS_REQUIRED])
    def alias_listed():
        return "open"

    @app.get("/alias/default")
    def alias_default(payload: TokenPayload = auth.ACCESS_REQUIRED):
        return "open" if payload.sub == "alice" else payload.sub

    @app.get("/depends/listed", dependencies=[Depends(auth.access_token_required)])
    def depends_listed():
        return "open"

    @app.get("/depends/default")
    def depends_default(payload: TokenPayload = Depends(auth.access_token_required)):
        return "open" if payload.sub == "alice" else payload.sub

    return client


@pytest.mark.parametrize("path", SPELLINGS)
def test_a35_every_spelling_lets_an_access_token_in(auth, spelled_client, path):
    token = auth.create_access_token(uid="alice")
    assert spelled_client.get(f"/{path}", headers=bearer(token)).json() == "open"


@pytest.mark.parametrize("path", SPELLINGS)
def test_a35_every_spelling_refuses_no_token(spelled_client, refused, path):
    refused(spelled_client.get(f"/{path}"), MISSING)


@pytest.mark.parametrize("path", SPELLINGS)
def test_a35_every_spelling_refuses_a_refresh_token(auth, spelled_client, refused, path):
    token = auth.create_refresh_token(uid="alice")
    refused(spelled_client.get(f"/{path}", headers=bearer(token)), NOT_ACCESS)


@pytest.fixture
def alias_client(auth, app, client):
    @app.post("/refresh")
    def refresh(payload: TokenPayload = auth.REFRESH_REQUIRED):
        return payload.sub

    @app.post("/change-password", dependencies=[auth.FRESH_REQUIRED])
    def change_password():
        return "changed"

    return client


def test_a36_the_refresh_alias_lets_a_refresh_token_in(auth, alias_client):
    token = auth.create_refresh_token(uid="alice")
    assert alias_client.post("/refresh", headers=bearer(token)).json() == "alice"


def test_a36_the_refresh_alias_refuses_an_access_token(auth, alias_client, refused):
    token = auth.create_access_token(uid="alice")
    refused(alias_client.post("/refresh", headers=bearer(token)), NOT_REFRESH)


def test_a36_the_fresh_alias_lets_a_fresh_token_in(auth, alias_client):
    token = auth.create_access_token(uid="alice", fresh=True)
    assert alias_client.post("/change-password", headers=bearer(token)).json() == "changed"


def test_a36_the_fresh_alias_refuses_a_stale_token(auth, alias_client, refused):
    token = auth.create_access_token(uid="alice")
    refused(alias_client.post("/change-password", headers=bearer(token)), NOT_FRESH)


@pytest.fixture
def raw_client(auth, app, client):
    @app.api_route("/access", methods=["GET", "POST"])
    def access(token: RequestToken | None = auth.ACCESS_TOKEN):
        return token

    @app.api_route("/refresh", methods=["GET", "POST"])
    def refresh(token: RequestToken | None = auth.REFRESH_TOKEN):
        return token

    return client


@pytest.mark.parametrize("which", ["access", "refresh"])
def test_a37_a_token_from_the_header_is_injected_unverified(raw_client, which):
    assert raw_client.get(f"/{which}", headers=bearer("unverified")).json() == {
        "token": "unverified",
        "csrf": None,
        "type": which,
        "location": "headers",
    }


@pytest.mark.parametrize("which", ["access", "refresh"])
def test_a37_a_token_from_a_cookie_is_injected_with_its_csrf_value(raw_client, which):
    raw_client.cookies.set(f"{which}_token_cookie", "unverified")
    assert raw_client.post(f"/{which}", headers={"X-CSRF-TOKEN": "value"}).json() == {
        "token": "unverified",
        "csrf": "value",
        "type": which,
        "location": "cookies",
    }


@pytest.mark.parametrize("which", ["access", "refresh"])
def test_a37_no_token_is_injected_as_none(raw_client, which):
    answer = raw_client.get(f"/{which}")
    assert (answer.status_code, answer.json()) == (200, None)


@pytest.mark.parametrize("which", ["access", "refresh"])
def test_a37_a_cookie_without_its_csrf_value_is_injected_as_none(raw_client, which):
    raw_client.cookies.set(f"{which}_token_cookie", "unverified")
    answer = raw_client.post(f"/{which}")
    assert (answer.status_code, answer.json()) == (200, None)


@pytest.fixture
def subject_client(auth, app, client):
    @auth.set_subject_getter
    def find_user(uid: str) -> User | None:
        return User(id=uid, email=f"{uid}@example.org") if uid == "alice" else None

    @app.get("/alias")
    def alias(user: User | None = auth.CURRENT_SUBJECT):
        return {"user": user}

    @app.get("/depends")
    def depends(user: User | None = Depends(auth.get_current_subject)):
        return {"user": user}

    return client


@pytest.mark.parametrize("path", ["alias", "depends"])
def test_a38_the_getters_object_is_injected(auth, subject_client, path):
    answer = subject_client.get(f"/{path}", headers=bearer(auth.create_access_token(uid="alice")))
    assert answer.json() == {"user": {"id": "alice", "email": "alice@example.org"}}


@pytest.mark.parametrize("path", ["alias", "depends"])
def test_a38_no_token_is_refused(subject_client, refused, path):
    refused(subject_client.get(f"/{path}"), MISSING)


@pytest.mark.parametrize("path", ["alias", "depends"])
def test_a38_an_unknown_subject_reaches_the_route_as_none(auth, subject_client, path):
    answer = subject_client.get(f"/{path}", headers=bearer(auth.create_access_token(uid="stranger")))
    assert (answer.status_code, answer.json()) == (200, {"user": None})


class Base(DeclarativeBase):
    pass


class UserRow(Base):
    __tablename__ = "users"
    id: Mapped[str] = mapped_column(String, primary_key=True)
    email: Mapped[str]


@pytest.fixture
def database() -> Iterator[Session]:
    engine = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        yield session
    engine.dispose()


@pytest.fixture(params=["def", "async def"])
def database_client(auth, app, client, database, request):
    database.add(UserRow(id="alice", email="alice@example.org"))
    database.commit()

    def find(uid):
        row = database.get(UserRow, uid)
        return User(id=row.id, email=row.email) if row else None

    async def find_async(uid):
        return find(uid)

    auth.set_subject_getter(find if request.param == "def" else find_async)

    @app.get("/me")
    def me(user: User | None = auth.CURRENT_SUBJECT):
        if user is None:
            raise HTTPException(404, detail="No such user")
        return user

    return client


def test_a39_a_stored_user_is_found(auth, database_client):
    answer = database_client.get("/me", headers=bearer(auth.create_access_token(uid="alice")))
    assert (answer.status_code, answer.json()) == (200, {"id": "alice", "email": "alice@example.org"})


def test_a39_the_route_answers_404_for_a_user_that_is_not_stored(auth, database_client):
    answer = database_client.get("/me", headers=bearer(auth.create_access_token(uid="stranger")))
    assert answer.status_code == 404


def test_a40_the_model_of_the_subject_may_be_named(configure):
    auth: AuthX[User] = AuthX(configure(), model=User)
    assert auth.model is User


def test_a40_the_class_may_be_subscripted(configure):
    assert isinstance(AuthX[User](configure()), AuthX)


@pytest.fixture
def unchecked_client(auth, app, client):
    needs_token = auth.token_required(type="access", verify_type=True, verify_fresh=False, verify_csrf=False)

    @app.post("/unchecked")
    def unchecked(payload: TokenPayload = Depends(needs_token)):
        return payload.sub

    return client


def test_a41_without_csrf_check_a_header_token_passes(auth, unchecked_client):
    headers = bearer(auth.create_access_token(uid="alice"))
    assert unchecked_client.post("/unchecked", headers=headers).json() == "alice"


def test_a41_without_csrf_check_a_cookie_alone_passes(auth, unchecked_client):
    unchecked_client.cookies.set("access_token_cookie", auth.create_access_token(uid="alice"))
    answer = unchecked_client.post("/unchecked")
    assert (answer.status_code, answer.json()) == (200, "alice")


def test_a41_without_csrf_check_a_wrong_value_does_no_harm(auth, unchecked_client):
    unchecked_client.cookies.set("access_token_cookie", auth.create_access_token(uid="alice"))
    answer = unchecked_client.post("/unchecked", headers={"X-CSRF-TOKEN": "wrong"})
    assert answer.status_code == 200


def test_a41_the_check_is_only_off_where_it_was_turned_off(auth, app, unchecked_client, refused):
    @app.post("/checked", dependencies=[Depends(auth.token_required())])
    def checked():
        return "never reached"

    unchecked_client.cookies.set("access_token_cookie", auth.create_access_token(uid="alice"))
    refused(unchecked_client.post("/checked", headers={"X-CSRF-TOKEN": "wrong"}), CSRF_MISMATCH)


@pytest.fixture
def greeting_client(auth, app, client):
    @app.get("/greeting")
    async def greeting(request: Request):
        token = await auth.get_token_from_request(request, optional=True)
        if token is None:
            return "Hello, stranger"
        try:
            return f"Hello, {auth.verify_token(token, verify_csrf=False).sub}"
        except AuthXException:
            return "Hello, whoever you are"

    return client


def test_a42_a_stranger_is_greeted_as_one(greeting_client):
    assert greeting_client.get("/greeting").json() == "Hello, stranger"


def test_a42_a_user_is_greeted_by_name(auth, greeting_client):
    headers = bearer(auth.create_access_token(uid="alice"))
    assert greeting_client.get("/greeting", headers=headers).json() == "Hello, alice"


def test_a42_a_bad_token_is_left_to_the_route(greeting_client):
    assert greeting_client.get("/greeting", headers=bearer("garbage")).json() == "Hello, whoever you are"


@pytest.fixture(params=["route", "router", "application"])
def guarded_client(auth, browse, request):
    everywhere = [Depends(auth.access_token_required)]
    on = {level: everywhere if request.param == level else [] for level in ("route", "router", "application")}
    guarded, public = FastAPI(dependencies=on["application"]), FastAPI()
    router = APIRouter(dependencies=on["router"])

    @router.get("/door", dependencies=on["route"])
    def door():
        return "open"

    @public.post("/login")
    def login(response: Response):
        return auth.create_access_token(uid="alice")

    guarded.include_router(router)
    auth.handle_errors(guarded)
    public.mount("/guarded", guarded)
    return browse(public)


def test_a43_a_protected_level_refuses_no_token(guarded_client, refused):
    refused(guarded_client.get("/guarded/door"), MISSING)


def test_a43_the_public_application_stays_open(guarded_client):
    assert guarded_client.post("/login").status_code == 200


def test_a43_a_protected_level_lets_a_token_in(guarded_client):
    token = guarded_client.post("/login").json()
    assert guarded_client.get("/guarded/door", headers=bearer(token)).json() == "open"
