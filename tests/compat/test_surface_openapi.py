"""Surface: the security schemes that the OpenAPI document shows."""

import pytest
from fastapi import Depends, FastAPI

ALL_LOCATIONS = ["json", "query", "cookies", "headers"]


@pytest.fixture
def documented(make_auth, browse):
    """The schemes of a document, and the requirements of its one operation."""

    def read(dependency, **fields):
        auth, app = make_auth(**fields), FastAPI()
        app.get("/", dependencies=[dependency(auth)])(lambda: None)
        document = browse(app).get("/openapi.json").json()
        operation = document["paths"]["/"]["get"]
        return document.get("components", {}).get("securitySchemes", {}), operation

    return read


def access(auth):
    return Depends(auth.access_token_required)


def refresh(auth):
    return Depends(auth.refresh_token_required)


def without_description(scheme):
    return {key: value for key, value in scheme.items() if key != "description"}


BEARER = {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}


@pytest.mark.parametrize(
    ("dependency", "fields", "name", "scheme"),
    [
        (access, {}, "AuthXBearer", BEARER),
        (access, {"JWT_HEADER_NAME": "authorization", "JWT_HEADER_TYPE": "bearer"}, "AuthXBearer", BEARER),
        (
            access,
            {"JWT_HEADER_NAME": "X-Auth"},
            "AuthXHeader",
            {"type": "apiKey", "in": "header", "name": "X-Auth"},
        ),
        (
            access,
            {"JWT_HEADER_TYPE": "Token"},
            "AuthXHeader",
            {"type": "apiKey", "in": "header", "name": "Authorization"},
        ),
        (
            access,
            {"JWT_TOKEN_LOCATION": ["cookies"], "JWT_ACCESS_COOKIE_NAME": "a"},
            "AuthXAccessCookie",
            {"type": "apiKey", "in": "cookie", "name": "a"},
        ),
        (
            refresh,
            {"JWT_TOKEN_LOCATION": ["cookies"], "JWT_REFRESH_COOKIE_NAME": "r"},
            "AuthXRefreshCookie",
            {"type": "apiKey", "in": "cookie", "name": "r"},
        ),
        (
            access,
            {"JWT_TOKEN_LOCATION": ["query"], "JWT_QUERY_STRING_NAME": "q"},
            "AuthXQuery",
            {"type": "apiKey", "in": "query", "name": "q"},
        ),
    ],
)
def test_a_location_is_shown_as_a_scheme(documented, dependency, fields, name, scheme):
    schemes, operation = documented(dependency, **fields)
    assert {key: without_description(value) for key, value in schemes.items()} == {name: scheme}
    assert operation["security"] == [{name: []}]


def test_a_json_body_is_no_scheme(documented):
    schemes, operation = documented(access, JWT_TOKEN_LOCATION=["json"])
    assert (schemes, "security" in operation) == ({}, False)


def test_several_locations_are_alternatives_in_a_fixed_order(documented):
    _, operation = documented(access, JWT_TOKEN_LOCATION=ALL_LOCATIONS)
    assert operation["security"] == [{"AuthXBearer": []}, {"AuthXAccessCookie": []}, {"AuthXQuery": []}]


def test_every_scheme_is_described(documented):
    schemes, _ = documented(access, JWT_TOKEN_LOCATION=ALL_LOCATIONS)
    assert all(scheme["description"] for scheme in schemes.values())


@pytest.mark.parametrize("locations", [["headers"], ALL_LOCATIONS])
def test_an_operation_gains_no_parameters(documented, locations):
    _, operation = documented(access, JWT_TOKEN_LOCATION=locations)
    assert operation.get("parameters", []) == []


@pytest.mark.parametrize(
    "dependency",
    [
        access,
        refresh,
        lambda auth: Depends(auth.fresh_token_required),
        lambda auth: Depends(auth.token_required(verify_type=False)),
        lambda auth: Depends(auth.scopes_required("read")),
        lambda auth: auth.ACCESS_REQUIRED,
        lambda auth: auth.REFRESH_REQUIRED,
        lambda auth: auth.FRESH_REQUIRED,
        lambda auth: auth.CURRENT_SUBJECT,
        lambda auth: Depends(auth.get_current_subject),
    ],
    ids=[
        "access_token_required",
        "refresh_token_required",
        "fresh_token_required",
        "token_required",
        "scopes_required",
        "ACCESS_REQUIRED",
        "REFRESH_REQUIRED",
        "FRESH_REQUIRED",
        "CURRENT_SUBJECT",
        "get_current_subject",
    ],
)
def test_a_dependency_that_demands_a_token_shows_its_scheme(documented, dependency):
    _, operation = documented(dependency)
    assert operation["security"] == [{"AuthXBearer": []}]


@pytest.mark.parametrize("name", ["ACCESS_TOKEN", "REFRESH_TOKEN", "BUNDLE"])
def test_a_dependency_that_demands_nothing_shows_no_scheme(documented, name):
    _, operation = documented(lambda auth: getattr(auth, name))
    assert "security" not in operation


def test_the_locations_of_a_dependency_are_the_ones_shown(documented):
    _, operation = documented(lambda auth: Depends(auth.token_required(locations=["query"])))
    assert operation["security"] == [{"AuthXQuery": []}]


def test_a_scheme_that_is_shown_is_not_enforced(make_auth, browse):
    auth, app = make_auth(JWT_TOKEN_LOCATION=["headers", "cookies"]), FastAPI()
    app.get("/", dependencies=[auth.ACCESS_REQUIRED])(lambda: "open")
    client = browse(app)
    client.cookies.set("access_token_cookie", auth.create_access_token(uid="alice"))
    assert client.get("/").json() == "open"
