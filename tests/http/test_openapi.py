"""What the OpenAPI document says of protected routes: the ways in, and every status."""

import pytest
from fastapi import APIRouter, Depends, FastAPI
from fastapi.testclient import TestClient
from tests.support.asgi import make_auth

BEARER = {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}


def schemes_of(app):
    return app.openapi().get("components", {}).get("securitySchemes", {})


def operation(app, path="/p", method="get"):
    return app.openapi()["paths"][path][method]


def one_route(auth, dependency=None, method="GET", handled=True):
    app = FastAPI()
    if handled:
        auth.handle_errors(app)
    required = Depends(auth.access_token_required if dependency is None else dependency)

    async def protected(given=required):
        return "open"

    app.add_api_route("/p", protected, methods=[method])
    return app


class TestSchemes:
    @pytest.mark.parametrize(
        ("fields", "kind", "expected"),
        [
            ({}, "access", {"AuthXBearer": BEARER}),
            ({"JWT_HEADER_NAME": "AUTHORIZATION", "JWT_HEADER_TYPE": "bearer"}, "access", {"AuthXBearer": BEARER}),
            (
                {"JWT_HEADER_NAME": "X-Pass"},
                "access",
                {"AuthXHeader": {"type": "apiKey", "in": "header", "name": "X-Pass"}},
            ),
            (
                {"JWT_HEADER_TYPE": "Token"},
                "access",
                {"AuthXHeader": {"type": "apiKey", "in": "header", "name": "Authorization"}},
            ),
            (
                {"JWT_TOKEN_LOCATION": ["cookies"], "JWT_ACCESS_COOKIE_NAME": "a"},
                "access",
                {"AuthXAccessCookie": {"type": "apiKey", "in": "cookie", "name": "a"}},
            ),
            (
                {"JWT_TOKEN_LOCATION": ["cookies"], "JWT_REFRESH_COOKIE_NAME": "r"},
                "refresh",
                {"AuthXRefreshCookie": {"type": "apiKey", "in": "cookie", "name": "r"}},
            ),
            (
                {"JWT_TOKEN_LOCATION": ["query"], "JWT_QUERY_STRING_NAME": "t"},
                "access",
                {"AuthXQuery": {"type": "apiKey", "in": "query", "name": "t"}},
            ),
            ({"JWT_TOKEN_LOCATION": ["json"]}, "access", {}),
            (
                {"JWT_REFRESH_TOKEN_LOCATION": ["cookies"]},
                "refresh",
                {"AuthXRefreshCookie": {"type": "apiKey", "in": "cookie", "name": "refresh_token_cookie"}},
            ),
            ({"JWT_REFRESH_TOKEN_LOCATION": ["cookies"]}, "access", {"AuthXBearer": BEARER}),
        ],
        ids=str,
    )
    def test_a_place_has_its_scheme(self, fields, kind, expected):
        auth = make_auth(**fields)
        app = one_route(auth, auth.token_required(kind))
        shown = schemes_of(app)
        assert all(scheme.pop("description") for scheme in shown.values())
        assert shown == expected
        assert operation(app).get("security", []) == [{name: []} for name in expected]

    @pytest.mark.parametrize(
        "order", [["headers", "cookies", "query"], ["query", "json", "cookies", "headers"]], ids=str
    )
    def test_several_places_are_alternatives_in_a_fixed_order(self, order):
        auth = make_auth(JWT_TOKEN_LOCATION=order)
        assert operation(one_route(auth))["security"] == [
            {"AuthXBearer": []},
            {"AuthXAccessCookie": []},
            {"AuthXQuery": []},
        ]

    def test_places_of_the_dependency_are_shown_instead_of_the_configured_ones(self):
        auth = make_auth(JWT_TOKEN_LOCATION=["headers", "cookies"])
        app = one_route(auth, auth.token_required(locations=["query"]))
        assert operation(app)["security"] == [{"AuthXQuery": []}]

    @pytest.mark.parametrize(
        "guard",
        [
            lambda auth: auth.access_token_required,
            lambda auth: auth.refresh_token_required,
            lambda auth: auth.fresh_token_required,
            lambda auth: auth.scopes_required("a"),
            lambda auth: auth.get_current_subject,
        ],
    )
    def test_every_dependency_that_lets_in_is_shown(self, guard):
        auth = make_auth()
        assert operation(one_route(auth, guard(auth)))["security"] == [{"AuthXBearer": []}]

    @pytest.mark.parametrize("name", ["ACCESS_TOKEN", "REFRESH_TOKEN", "BUNDLE"])
    def test_what_lets_everybody_in_is_not(self, name):
        auth = make_auth()
        app = one_route(auth, getattr(auth, name).dependency)
        assert "security" not in operation(app)
        assert schemes_of(app) == {}

    def test_the_pasted_token_is_described(self):
        description = schemes_of(one_route(make_auth()))["AuthXBearer"]["description"]
        assert "Bearer" in description
        assert "secret" in description

    def test_a_websocket_is_no_operation(self):
        auth, app = make_auth(), FastAPI()

        @app.websocket("/ws")
        async def greet(payload=auth.WS_AUTH_REQUIRED):
            """Nothing to do."""

        assert app.openapi()["paths"] == {}

    @pytest.mark.parametrize("locations", [["headers"], ["headers", "cookies", "query", "json"]], ids=str)
    def test_no_operation_gains_parameters_or_a_body(self, locations):
        auth = make_auth(JWT_TOKEN_LOCATION=locations)
        for guard in (auth.access_token_required, auth.get_current_subject, auth.ACCESS_TOKEN.dependency):
            shown = operation(one_route(auth, guard, "POST"), method="post")
            assert "parameters" not in shown
            assert "requestBody" not in shown

    def test_the_scheme_is_that_of_the_moment_the_dependency_was_made(self):
        auth = make_auth()
        app = one_route(auth)
        auth.config.JWT_TOKEN_LOCATION = ["query"]
        assert operation(app)["security"] == [{"AuthXBearer": []}]

    def test_two_dependencies_on_a_route_show_a_scheme_once(self):
        auth, app = make_auth(), FastAPI(dependencies=[])

        @app.get("/p", dependencies=[auth.ACCESS_REQUIRED, auth.FRESH_REQUIRED])
        async def protected(payload=auth.ACCESS_REQUIRED):
            return "open"

        assert operation(app)["security"] == [{"AuthXBearer": []}]


class TestStatuses:
    def statuses(self, app, method="get"):
        return set(operation(app, method=method)["responses"]) - {"200"}

    @pytest.mark.parametrize(
        ("fields", "method", "expected"),
        [
            ({}, "GET", {"400", "401"}),
            ({}, "POST", {"400", "401"}),
            ({"JWT_TOKEN_LOCATION": ["cookies"]}, "GET", {"400", "401"}),
            ({"JWT_TOKEN_LOCATION": ["cookies"]}, "POST", {"400", "401", "403"}),
            ({"JWT_TOKEN_LOCATION": ["cookies"], "JWT_COOKIE_CSRF_PROTECT": False}, "POST", {"400", "401"}),
            ({"JWT_TOKEN_LOCATION": ["cookies"], "JWT_CSRF_METHODS": ["GET"]}, "GET", {"400", "401", "403"}),
            ({"JWT_ERROR_STATUS": "authx"}, "GET", {"400", "401", "422"}),
            ({"JWT_ERROR_STATUS": "authx", "JWT_TOKEN_LOCATION": ["cookies"]}, "POST", {"400", "401", "422"}),
        ],
        ids=lambda one: str(sorted(one) if isinstance(one, set) else one),
    )
    def test_a_protected_route_shows_what_it_answers(self, fields, method, expected):
        app = one_route(make_auth(**fields), method=method)
        assert self.statuses(app, method.lower()) == expected

    def test_a_route_that_asks_for_scopes_shows_403(self):
        auth = make_auth()
        app = one_route(auth, auth.scopes_required("a"))
        assert self.statuses(app) == {"400", "401", "403"}
        assert "scope" in operation(app)["responses"]["403"]["description"]

    @pytest.mark.parametrize(("verify", "expected"), [(True, {"400", "401", "403"}), (False, {"400", "401"})])
    def test_csrf_is_shown_where_the_dependency_asks_for_it(self, verify, expected):
        auth = make_auth(JWT_TOKEN_LOCATION=["cookies"])
        app = one_route(auth, auth.token_required(verify_csrf=verify))
        assert self.statuses(app) == expected

    def test_an_open_route_shows_none(self):
        auth, app = make_auth(), FastAPI()
        auth.handle_errors(app)

        @app.get("/p")
        async def welcome():
            return "open"

        assert self.statuses(app) == set()
        assert "AuthXError" not in app.openapi().get("components", {}).get("schemas", {})

    def test_each_is_described_with_its_body(self):
        app = one_route(make_auth())
        for status in ("400", "401"):
            shown = operation(app)["responses"][status]
            assert shown["description"]
            assert shown["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/AuthXError"}
        schema = app.openapi()["components"]["schemas"]["AuthXError"]
        assert set(schema["required"]) == {"message", "error_type", "code", "action"}
        assert "retry" in schema["properties"]["action"]["enum"]

    def test_the_document_holds_together(self):
        app = one_route(make_auth(JWT_TOKEN_LOCATION=["headers", "cookies", "query"]), method="POST")
        document = app.openapi()
        text = TestClient(app).get("/openapi.json").text
        assert text.count("#/components/schemas/AuthXError") == 3
        assert "$defs" not in text
        assert set(document["components"]["securitySchemes"]) == {"AuthXBearer", "AuthXAccessCookie", "AuthXQuery"}

    def test_what_the_application_says_of_a_status_stays(self):
        auth, app = make_auth(), FastAPI()
        auth.handle_errors(app)

        @app.get("/p", dependencies=[auth.ACCESS_REQUIRED], responses={401: {"description": "Go away"}})
        async def protected():
            return "open"

        assert operation(app)["responses"]["401"] == {"description": "Go away"}
        assert "400" in operation(app)["responses"]

    @pytest.mark.parametrize("level", ["application", "router", "included router", "nested dependency"])
    def test_it_is_shown_at_whatever_level_the_dependency_is(self, level):
        auth = make_auth()
        app = FastAPI(dependencies=[auth.ACCESS_REQUIRED] if level == "application" else [])
        auth.handle_errors(app)
        router = APIRouter(dependencies=[auth.ACCESS_REQUIRED] if level == "router" else [])

        async def nested(payload=auth.ACCESS_REQUIRED):
            return payload

        @router.get("/p", dependencies=[Depends(nested)] if level == "nested dependency" else [])
        async def protected():
            return "open"

        app.include_router(router, dependencies=[auth.ACCESS_REQUIRED] if level == "included router" else [])
        assert self.statuses(app) == {"400", "401"}

    def test_it_is_shown_with_a_prefix(self):
        auth, app, router = make_auth(), FastAPI(), APIRouter(prefix="/in")
        auth.handle_errors(app)

        @router.get("/{item}", dependencies=[auth.ACCESS_REQUIRED])
        async def protected(item: int):
            return item

        app.include_router(router, prefix="/api")
        # FastAPI's own 422 for a path that is no number is its own.
        assert set(operation(app, "/api/in/{item}")["responses"]) == {"200", "400", "401", "422"}

    def test_routes_declared_after_the_document_was_read_are_shown_once_it_is_made_again(self):
        auth = make_auth()
        app = one_route(auth)
        app.openapi()

        @app.get("/later", dependencies=[auth.ACCESS_REQUIRED])
        async def later():
            return "open"

        app.openapi_schema = None
        assert set(operation(app, "/later")["responses"]) == {"200", "400", "401"}

    def test_a_document_of_the_applications_own_is_described_too(self):
        auth = make_auth()
        app = one_route(auth, handled=False)
        made = app.openapi

        def openapi():
            document = made()
            document["info"]["x-own"] = True
            return document

        app.openapi = openapi
        auth.handle_errors(app)
        assert app.openapi()["info"]["x-own"] is True
        assert self.statuses(app) == {"400", "401"}

    def test_asking_for_the_document_twice_changes_nothing(self):
        app = one_route(make_auth())
        assert app.openapi() == app.openapi()

    def test_two_instances_describe_their_own_routes(self):
        one, other = make_auth(), make_auth(JWT_ERROR_STATUS="authx")
        app = FastAPI()
        one.handle_errors(app)
        other.handle_errors(app)

        @app.get("/one", dependencies=[one.ACCESS_REQUIRED])
        async def first():
            return "open"

        @app.get("/other", dependencies=[other.ACCESS_REQUIRED])
        async def second():
            return "open"

        assert "422" not in operation(app, "/one")["responses"]
        assert "422" in operation(app, "/other")["responses"]
