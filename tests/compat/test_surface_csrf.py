"""Surface: which requests need a CSRF value, and what is compared."""

import pytest
from fastapi import Depends, FastAPI, Form
from tests.support.tokens import claims_of, forge_access

from authx import TokenPayload

from .answers import CSRF_MISMATCH, CSRF_MISSING

SAFE = ["GET", "HEAD", "OPTIONS"]
UNSAFE = ["POST", "PUT", "PATCH", "DELETE"]


@pytest.fixture
def opened(make_auth, browse):
    """A client with both token cookies, and routes with every kind of CSRF check."""

    def build(**fields):
        auth, app = make_auth(**{"JWT_TOKEN_LOCATION": ["cookies"]} | fields), FastAPI()
        auth.handle_errors(app)

        @app.api_route("/door", methods=[*SAFE, *UNSAFE], dependencies=[auth.ACCESS_REQUIRED])
        def door():
            return "open"

        @app.post("/refresh", dependencies=[auth.REFRESH_REQUIRED])
        def refresh():
            return "refreshed"

        @app.api_route("/always", methods=["GET", "POST"])
        def always(payload: TokenPayload = Depends(auth.token_required(verify_csrf=True))):
            return payload.sub

        @app.post("/never")
        def never(payload: TokenPayload = Depends(auth.token_required(verify_csrf=False))):
            return payload.sub

        @app.post("/form", dependencies=[auth.ACCESS_REQUIRED])
        def form(text: str = Form()):
            return text

        client = browse(app)
        tokens = {kind: getattr(auth, f"create_{kind}_token")(uid="alice") for kind in ("access", "refresh")}
        for kind, token in tokens.items():
            client.cookies.set(f"{kind}_token_cookie", token)
        return client, {kind: claims_of(token)["csrf"] for kind, token in tokens.items()}

    return build


def sent(value, name="X-CSRF-TOKEN"):
    return {name: value}


@pytest.mark.parametrize("method", SAFE)
def test_a_safe_method_needs_no_value(opened, method):
    client, _ = opened()
    assert client.request(method, "/door").status_code == 200


@pytest.mark.parametrize("method", SAFE)
def test_a_safe_method_compares_no_value(opened, method):
    client, _ = opened()
    assert client.request(method, "/door", headers=sent("wrong")).status_code == 200


@pytest.mark.parametrize("method", UNSAFE)
def test_an_unsafe_method_needs_the_value(opened, refused, method):
    client, _ = opened()
    refused(client.request(method, "/door"), CSRF_MISSING)


@pytest.mark.parametrize("method", UNSAFE)
def test_an_unsafe_method_accepts_the_value(opened, method):
    client, values = opened()
    assert client.request(method, "/door", headers=sent(values["access"])).status_code == 200


@pytest.mark.parametrize("name", ["x-csrf-token", "X-Csrf-Token"])
def test_the_header_is_read_in_any_case(opened, name):
    client, values = opened()
    assert client.post("/door", headers=sent(values["access"], name)).status_code == 200


def test_an_empty_value_is_a_missing_one(opened, refused):
    client, _ = opened()
    refused(client.post("/door", headers=sent("")), CSRF_MISSING)


@pytest.mark.parametrize("value", ["wrong", "VALUE", b"\xe9", b"\xff\xfe", "0" * 5000])
def test_any_other_value_is_a_mismatch(opened, refused, value):
    client, _ = opened()
    refused(client.post("/door", headers=sent(value)), CSRF_MISMATCH)


def test_the_methods_that_need_a_value_can_be_chosen(opened, refused):
    client, _ = opened(JWT_CSRF_METHODS=["GET"])
    assert client.post("/door").status_code == 200
    refused(client.get("/door"), CSRF_MISSING)


def test_refreshing_needs_the_value_of_the_refresh_token(opened, refused):
    client, values = opened()
    assert client.post("/refresh", headers=sent(values["refresh"])).status_code == 200
    refused(client.post("/refresh", headers=sent(values["access"])), CSRF_MISMATCH)


def test_each_kind_may_have_its_own_header(opened):
    client, values = opened(JWT_ACCESS_CSRF_HEADER_NAME="X-A", JWT_REFRESH_CSRF_HEADER_NAME="X-R")
    assert client.post("/door", headers=sent(values["access"], "X-A")).status_code == 200
    assert client.post("/refresh", headers=sent(values["refresh"], "X-R")).status_code == 200


def test_a_token_made_without_a_value_matches_nothing(opened, refused):
    client, _ = opened()
    client.cookies.set("access_token_cookie", forge_access(csrf=""))
    refused(client.post("/door", headers=sent("anything")), CSRF_MISMATCH)


def test_the_csrf_cookie_itself_is_never_compared(opened):
    client, values = opened()
    client.cookies.set("csrf_access_token", "another value")
    assert client.post("/door", headers=sent(values["access"])).status_code == 200


def test_a_dependency_can_do_without_the_value(opened):
    client, _ = opened()
    assert client.post("/never").json() == "alice"


def test_a_dependency_can_demand_the_value_of_a_safe_method(opened, refused):
    client, values = opened()
    assert client.get("/always", headers=sent(values["access"])).json() == "alice"
    refused(client.get("/always", headers=sent("wrong")), CSRF_MISMATCH)


def test_a_dependency_that_demands_it_misses_it_on_a_safe_method(opened, refused):
    client, _ = opened()
    refused(client.get("/always"), CSRF_MISSING)


FORM = {"JWT_CSRF_CHECK_FORM": True}


def test_the_value_may_come_in_a_form_field(opened):
    client, values = opened(**FORM)
    answer = client.post("/form", data={"text": "milk", "csrf_token": values["access"]})
    assert (answer.status_code, answer.json()) == (200, "milk")


def test_the_form_field_may_have_another_name(opened):
    client, values = opened(**FORM, JWT_ACCESS_CSRF_FIELD_NAME="proof")
    assert client.post("/form", data={"text": "milk", "proof": values["access"]}).status_code == 200


def test_a_form_is_not_read_unless_configured(opened, refused):
    client, values = opened()
    refused(client.post("/form", data={"text": "milk", "csrf_token": values["access"]}), CSRF_MISSING)


def test_the_header_is_used_before_the_form_field(opened, refused):
    client, values = opened(**FORM)
    data = {"text": "milk", "csrf_token": values["access"]}
    refused(client.post("/form", data=data, headers=sent("wrong")), CSRF_MISMATCH)


def test_a_json_body_is_no_form(opened, refused):
    client, values = opened(**FORM)
    refused(client.post("/door", json={"csrf_token": values["access"]}), CSRF_MISSING)


def test_an_uploaded_file_is_no_value(opened, refused):
    client, values = opened(**FORM)
    files = {"csrf_token": ("name.txt", values["access"].encode())}
    refused(client.post("/door", files=files), CSRF_MISSING)
