"""Applications written once against the API that authx and AuthX 1.7.1 share."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, TypeAlias

import orjson
from fastapi import Depends, FastAPI, HTTPException, Response

from authx import AuthX, AuthXConfig, TokenPayload
from benchmarks import tokens
from benchmarks.apps.floor import CREDENTIALS, HELLO, Login
from benchmarks.asgi import Answer, Request, answers, bearer, carries, http_case, json_body
from benchmarks.cases import Case
from benchmarks.micro import forged

Auth: TypeAlias = AuthX[Any]

HAS_SUBJECT = answers({"sub": tokens.SUBJECT})
LOGIN_COOKIES = {"access_token_cookie", "csrf_access_token", "refresh_token_cookie", "csrf_refresh_token"}
INVALID = "Invalid credentials"


@dataclass(frozen=True)
class Subject:
    """Whose cases these are, and what they are compared with.

    Args:
        name: as the tables show it.
        tag: ends the name of each of its cases.
        rival: the tag of the subject that its cases are compared with.
    """

    name: str
    tag: str
    rival: str | None = None

    def case_name(self, what: str) -> str:
        return f"{what} {self.tag}"

    def rival_name(self, what: str) -> str | None:
        return self.rival and f"{what} {self.rival}"


def make_auth(*locations: str, algorithm: str = "HS256", **settings: object) -> Auth:
    """An AuthX instance with the process's keys.

    Args:
        locations: where tokens are looked for; the header alone where none is given.
        algorithm: the signature algorithm.
        settings: more configuration fields.
    """
    if algorithm == "HS256":
        keys: dict[str, object] = {"JWT_SECRET_KEY": tokens.SECRET}
    else:
        pair = tokens.pair(algorithm)
        keys = {"JWT_PRIVATE_KEY": pair.private_pem, "JWT_PUBLIC_KEY": pair.public_pem}
    config = AuthXConfig.model_validate(
        {
            "JWT_ALGORITHM": algorithm,
            "JWT_TOKEN_LOCATION": list(locations) or ["headers"],
            # Longer than any run.
            "JWT_ACCESS_TOKEN_EXPIRES": timedelta(seconds=tokens.LIFETIME),
            **keys,
            **settings,
        }
    )
    return AuthX(config=config)


def make_app(auth: Auth) -> FastAPI:
    """An application with the library's error handling, as the documentation has it."""
    app = FastAPI()
    auth.handle_errors(app)
    return app


def access_tokens(auth: Auth, count: int) -> list[str]:
    """Distinct access tokens."""
    return [auth.create_access_token(uid=tokens.SUBJECT) for _ in range(count)]


def csrf_of(token: str) -> str:
    """The csrf claim of a token."""
    text = token.split(".")[1]
    claims = orjson.loads(tokens.unb64(text.encode()))
    value = claims["csrf"]
    assert isinstance(value, str)
    return value


def with_cookie(token: str) -> Request:
    """A request with an access cookie and its CSRF header, as a browser's script sends it."""
    csrf = csrf_of(token)
    cookie = f"access_token_cookie={token}; csrf_access_token={csrf}"
    return Request(headers=((b"x-csrf-token", csrf.encode()), (b"cookie", cookie.encode())))


def route_level(auth: Auth) -> FastAPI:
    """GET /protected with the dependency at the route."""
    app = make_app(auth)

    @app.get("/protected", dependencies=[Depends(auth.access_token_required)], response_model=None)
    async def route() -> dict[str, str]:
        return HELLO

    return app


def payload_injected(auth: Auth, method: str = "GET") -> FastAPI:
    """`/protected` with the payload injected."""
    app = make_app(auth)

    @app.api_route("/protected", methods=[method], response_model=None)
    async def route(payload: Annotated[TokenPayload, Depends(auth.access_token_required)]) -> dict[str, str]:
        return {"sub": payload.sub}

    return app


def injected_case(
    subject: Subject,
    what: str,
    title: str,
    auth: Auth,
    ring: Sequence[str],
    *,
    rival: str | None = None,
) -> Case:
    """GET with the token in the header and the payload injected."""
    return http_case(
        subject.case_name(what),
        subject.name,
        title,
        payload_injected(auth),
        "GET",
        "/protected",
        [bearer(token) for token in ring],
        accept=HAS_SUBJECT,
        refuse=bearer(forged(ring[0])),
        baseline="bare GET",
        rival=subject.rival_name(rival or what),
    )


def protected_cases(subject: Subject) -> Iterator[Case]:
    """Protected routes with one token that comes again and again."""
    auth = make_auth()
    ring = access_tokens(auth, 1)
    yield http_case(
        subject.case_name("header"),
        subject.name,
        "header HS256, at the route",
        route_level(auth),
        "GET",
        "/protected",
        [bearer(token) for token in ring],
        accept=answers(HELLO),
        refuse=bearer(forged(ring[0])),
        baseline="bare GET",
        rival=subject.rival_name("header"),
    )
    yield injected_case(subject, "payload", "header HS256, payload injected", auth, ring)

    auth = make_auth("headers", "cookies", "query")
    yield injected_case(
        subject,
        "three locations",
        "three locations, payload injected",
        auth,
        access_tokens(auth, 1),
    )

    auth = make_auth("cookies")
    (token,) = access_tokens(auth, 1)
    genuine, other = with_cookie(token), with_cookie(access_tokens(auth, 1)[0])
    yield http_case(
        subject.case_name("cookie"),
        subject.name,
        "cookie and CSRF on POST, payload injected",
        payload_injected(auth, "POST"),
        "POST",
        "/protected",
        [genuine],
        accept=HAS_SUBJECT,
        refuse=Request(headers=(other.headers[0], genuine.headers[1])),
        baseline="bare POST",
        rival=subject.rival_name("cookie"),
    )


def token_cases(subject: Subject) -> Iterator[Case]:
    """Routes that hand out tokens."""
    yield _login_case(subject, "login", "/login, two tokens", asynchronous=True)
    yield _login_case(subject, "login sync", "/login, two tokens, sync def", asynchronous=False)
    yield _login_with_cookies_case(subject)
    yield _refresh_case(subject, "refresh", "/refresh, first sight", asynchronous=True)
    yield _refresh_case(subject, "refresh sync", "/refresh, first sight, sync def", asynchronous=False)


def _two_tokens(auth: Auth, data: Login) -> dict[str, str]:
    if data.username == "test" and data.password == "test":
        return {
            "access_token": auth.create_access_token(uid=data.username),
            "refresh_token": auth.create_refresh_token(uid=data.username),
        }
    raise HTTPException(401, detail=INVALID)


def _login_case(subject: Subject, what: str, title: str, *, asynchronous: bool) -> Case:
    auth = make_auth()
    app = make_app(auth)
    if asynchronous:

        @app.post("/login", response_model=None)
        async def login(data: Login) -> dict[str, str]:
            return _two_tokens(auth, data)

    else:

        @app.post("/login", response_model=None)
        def login_sync(data: Login) -> dict[str, str]:
            return _two_tokens(auth, data)

    return http_case(
        subject.case_name(what),
        subject.name,
        title,
        app,
        "POST",
        "/login",
        [json_body(CREDENTIALS)],
        accept=carries("access_token", "refresh_token"),
        refuse=json_body({**CREDENTIALS, "password": "no"}),
        baseline="bare login",
        rival=subject.rival_name(what),
    )


def _login_with_cookies_case(subject: Subject) -> Case:
    auth = make_auth("cookies")
    app = make_app(auth)

    @app.post("/login", response_model=None)
    async def login(data: Login, response: Response) -> dict[str, str]:
        pair = _two_tokens(auth, data)
        auth.set_access_cookies(pair["access_token"], response)
        auth.set_refresh_cookies(pair["refresh_token"], response)
        return HELLO

    def accept(answer: Answer) -> bool:
        return answers(HELLO)(answer) and set(answer.cookies()) == LOGIN_COOKIES

    return http_case(
        subject.case_name("login cookies"),
        subject.name,
        "/login, two tokens in cookies",
        app,
        "POST",
        "/login",
        [json_body(CREDENTIALS)],
        accept=accept,
        refuse=json_body({**CREDENTIALS, "password": "no"}),
        baseline="bare login",
        rival=subject.rival_name("login cookies"),
    )


def _refresh_case(subject: Subject, what: str, title: str, *, asynchronous: bool) -> Case:
    auth = make_auth()
    app = make_app(auth)
    if asynchronous:

        @app.post("/refresh", response_model=None)
        async def refresh(
            payload: Annotated[TokenPayload, Depends(auth.refresh_token_required)],
        ) -> dict[str, str]:
            return {"access_token": auth.create_access_token(uid=payload.sub)}

    else:

        @app.post("/refresh", response_model=None)
        def refresh_sync(
            payload: Annotated[TokenPayload, Depends(auth.refresh_token_required)],
        ) -> dict[str, str]:
            return {"access_token": auth.create_access_token(uid=payload.sub)}

    # A client refreshes with one token a few times at most.
    ring = [auth.create_refresh_token(uid=tokens.SUBJECT) for _ in range(tokens.RING)]
    return http_case(
        subject.case_name(what),
        subject.name,
        title,
        app,
        "POST",
        "/refresh",
        [bearer(token) for token in ring],
        accept=carries("access_token"),
        refuse=bearer(access_tokens(auth, 1)[0]),
        baseline="bare POST",
        rival=subject.rival_name(what),
    )
