"""Surface: the AuthX object, what it creates, reads, verifies and injects."""

from datetime import UTC, datetime, timedelta

import pytest
from fastapi import Depends, FastAPI, Request
from tests.support.tokens import bearer, claims_of, header_of

from authx import AuthX, AuthXConfig, RequestToken, TokenResponse
from authx.exceptions import (
    AccessTokenRequiredError,
    BadConfigurationError,
    FreshTokenRequiredError,
    MissingTokenError,
)

from .answers import MISSING

RESERVED = ["sub", "fresh", "exp", "type", "iss", "aud", "csrf", "scopes", "nbf", "sid", "gen", "cnf"]
CREATORS = ["create_access_token", "create_refresh_token"]


@pytest.fixture
def auth(make_auth):
    return make_auth()


@pytest.fixture(params=CREATORS)
def create(auth, request):
    return getattr(auth, request.param)


def in_header(token, kind="access"):
    return RequestToken(token=token, type=kind, location="headers")


def test_without_a_model_the_model_is_an_empty_dict(auth):
    assert auth.model == {}


def test_the_login_type_can_be_read_and_written(configure):
    auth = AuthX(configure(), login_type="user")
    auth.login_type = "admin"
    assert auth.login_type == "admin"


def test_the_configuration_cannot_be_assigned(auth, configure):
    with pytest.raises(AttributeError):
        auth.config = configure()


def test_a_loaded_configuration_is_the_configuration(auth, configure):
    config = configure(JWT_HEADER_NAME="X-Auth")
    assert auth.load_config(config) is None
    assert auth.config is config


def test_two_objects_without_configuration_do_not_share_one():
    assert AuthX().config is not AuthX().config


def test_a_configuration_made_by_default_reads_the_environment_then(monkeypatch):
    monkeypatch.setenv("JWT_HEADER_NAME", "X-Auth")
    assert AuthX().config.JWT_HEADER_NAME == "X-Auth"


def test_a_configuration_may_be_loaded_after_the_routes_are_declared(configure, browse):
    auth, app = AuthX(), FastAPI()

    @app.get("/door", dependencies=[Depends(auth.access_token_required)])
    def door():
        return "open"

    auth.load_config(configure(JWT_HEADER_NAME="X-Auth", JWT_HEADER_TYPE="Token"))
    headers = {"X-Auth": f"Token {auth.create_access_token(uid='alice')}"}
    assert browse(app).get("/door", headers=headers).json() == "open"


@pytest.mark.parametrize("method", [*CREATORS, "create_token_pair"])
def test_without_a_key_nothing_is_signed(method):
    with pytest.raises(BadConfigurationError):
        getattr(AuthX(config=AuthXConfig()), method)(uid="alice")


def test_arguments_may_be_given_by_position(auth):
    expiry, data = timedelta(minutes=1), {"role": "admin"}
    token = auth.create_access_token("alice", True, {"kid": "k1"}, expiry, data, "audience", ["read"])
    claims = claims_of(token)
    assert {name: claims[name] for name in ("sub", "fresh", "role", "aud", "scopes")} == {
        "sub": "alice",
        "fresh": True,
        "role": "admin",
        "aud": "audience",
        "scopes": ["read"],
    }
    assert header_of(token)["kid"] == "k1"


@pytest.mark.parametrize("uid", [True, None, ["alice"]])
def test_a_subject_must_be_a_user_id(create, uid):
    with pytest.raises((ValueError, TypeError)):
        create(uid=uid)


@pytest.mark.parametrize("uid", ["", "a" * 256, "nul\0", "\ud800"], ids=["empty", "long", "NUL", "surrogate"])
def test_a_subject_must_be_of_sound_length_and_letters(create, uid):
    with pytest.raises(ValueError):
        create(uid=uid)


@pytest.mark.parametrize("uid", ["a", "a" * 255, "Zoë", "用户", "a b"])
def test_a_subject_comes_back_as_it_was_given(auth, uid):
    assert auth.verify_token(in_header(auth.create_access_token(uid=uid))).sub == uid


@pytest.mark.parametrize("name", RESERVED)
def test_data_cannot_set_a_reserved_claim(create, name):
    with pytest.raises(TypeError):
        create(uid="alice", data={name: "x"})


def test_data_may_set_the_jti_and_the_time_of_issue(create):
    claims = claims_of(create(uid="alice", data={"jti": "mine", "iat": 1_000_000_000}))
    assert (claims["jti"], claims["iat"]) == ("mine", 1_000_000_000)


def test_data_may_set_the_login_type_where_the_object_has_none(create):
    assert claims_of(create(uid="alice", data={"login_type": "admin"}))["login_type"] == "admin"


def test_the_objects_login_type_wins_over_data(configure):
    token = AuthX(configure(), login_type="user").create_access_token(uid="alice", data={"login_type": "admin"})
    assert claims_of(token)["login_type"] == "user"


def test_the_callers_data_is_left_alone(create):
    data, headers = {"role": "admin"}, {"kid": "k1"}
    create(uid="alice", data=data, headers=headers)
    assert (data, headers) == ({"role": "admin"}, {"kid": "k1"})


@pytest.mark.parametrize(
    ("given", "written"),
    [(None, "configured"), ("own", "own"), (["own", "other"], ["own", "other"]), ("", None), ([], None)],
)
def test_the_audience_falls_back_to_the_configuration(make_auth, given, written):
    token = make_auth(JWT_ENCODE_AUDIENCE="configured").create_access_token(uid="alice", audience=given)
    assert claims_of(token).get("aud") == written


@pytest.mark.parametrize(("given", "written"), [(None, None), ([], []), (["read"], ["read"]), (("a", "b"), ["a", "b"])])
def test_scopes_are_written_as_an_array(create, given, written):
    assert claims_of(create(uid="alice", scopes=given)).get("scopes") == written


def test_scopes_given_as_text_are_an_error(create):
    with pytest.raises((ValueError, TypeError)):
        create(uid="alice", scopes="read")


def test_an_expiry_may_be_a_moment(create):
    moment = datetime.now(UTC) + timedelta(hours=3)
    assert claims_of(create(uid="alice", expiry=moment))["exp"] == pytest.approx(moment.timestamp(), abs=1)


def test_an_expiry_may_be_a_span(create):
    claims = claims_of(create(uid="alice", expiry=timedelta(hours=3)))
    assert claims["exp"] - claims["iat"] == 3 * 3600


@pytest.mark.parametrize("expiry", [timedelta(0), timedelta(seconds=-5), "past moment", "past number"])
def test_an_expiry_that_has_passed_is_refused(create, expiry):
    moment = datetime.now(UTC) - timedelta(seconds=5)
    expiry = {"past moment": moment, "past number": moment.timestamp()}.get(expiry, expiry)
    with pytest.raises(ValueError, match="has passed already"):
        create(uid="alice", expiry=expiry)


@pytest.mark.parametrize("expiry", ["15m", True, [], b"900", {}])
def test_an_expiry_of_a_wrong_type_is_refused_with_the_types_that_are_right(create, expiry):
    with pytest.raises(TypeError, match="pass a timedelta, a datetime or seconds"):
        create(uid="alice", expiry=expiry)


@pytest.mark.parametrize("seconds", [0.001, 0.5, 1])
def test_a_span_below_a_second_counts_as_one(create, seconds):
    claims = claims_of(create(uid="alice", expiry=timedelta(seconds=seconds)))
    assert claims["exp"] - claims["iat"] == 1


@pytest.mark.parametrize("kind", ["access", "refresh"])
def test_a_token_without_lifetime_has_no_expiry_and_is_accepted(make_auth, kind):
    auth = make_auth(**{f"JWT_{kind.upper()}_TOKEN_EXPIRES": None})
    token = getattr(auth, f"create_{kind}_token")(uid="alice")
    assert "exp" not in claims_of(token)
    assert auth.verify_token(in_header(token, kind)).sub == "alice"


def test_a_pair_shares_headers_data_and_audience(make_auth):
    pair = make_auth().create_token_pair(uid="alice", headers={"kid": "k1"}, data={"role": "admin"}, audience=["one"])
    tokens = [pair.access_token, pair.refresh_token]
    assert isinstance(pair, TokenResponse)
    assert [header_of(token)["kid"] for token in tokens] == ["k1", "k1"]
    assert [(claims_of(token)["role"], claims_of(token)["aud"]) for token in tokens] == [("admin", ["one"])] * 2


@pytest.fixture
def inside(browse):
    """Runs a coroutine function inside a request and returns what it returned or raised."""

    def run(act, **sent):
        app, seen = FastAPI(), []

        @app.api_route("/", methods=["GET", "POST"])
        async def route(request: Request):
            try:
                seen.append(await act(request))
            except Exception as error:  # noqa: BLE001  # the test looks at whatever it was
                seen.append(error)

        client = browse(app)
        for name, value in sent.pop("cookies", {}).items():
            client.cookies.set(name, value)
        client.request(sent.pop("method", "GET"), "/", **sent)
        return seen[0]

    return run


@pytest.mark.parametrize("kind", ["access", "refresh"])
def test_a_token_is_read_from_a_request_unverified(auth, inside, kind):
    reader = getattr(auth, f"get_{kind}_token_from_request")
    assert inside(reader, headers=bearer("x")).model_dump() == {
        "token": "x",
        "csrf": None,
        "type": kind,
        "location": "headers",
    }


@pytest.mark.parametrize("kind", ["access", "refresh"])
def test_reading_no_token_is_an_error(auth, inside, kind):
    assert isinstance(inside(getattr(auth, f"get_{kind}_token_from_request")), MissingTokenError)


def test_reading_an_optional_token_gives_none(auth, inside):
    assert inside(auth.get_token_from_request) is None


def test_reading_a_token_that_is_not_optional_is_an_error(auth, inside):
    outcome = inside(lambda request: auth.get_token_from_request(request, optional=False))
    assert isinstance(outcome, MissingTokenError)


def test_locations_of_a_call_need_not_be_configured(auth, inside):
    outcome = inside(
        lambda request: auth.get_access_token_from_request(request, locations=["query"]),
        params={"token": "x"},
    )
    assert (outcome.token, outcome.location) == ("x", "query")


def test_no_locations_at_all_find_nothing(auth, inside):
    outcome = inside(lambda request: auth.get_access_token_from_request(request, locations=[]), headers=bearer("x"))
    assert isinstance(outcome, MissingTokenError)


def test_an_unknown_location_is_a_key_error(auth, inside):
    outcome = inside(lambda request: auth.get_access_token_from_request(request, locations=["body"]))
    assert isinstance(outcome, KeyError)


def test_a_missing_token_says_where_it_was_looked_for(auth, inside):
    outcome = inside(auth.get_access_token_from_request)
    assert len(outcome.args) == 1
    assert "Authorization" in str(outcome)


def test_a_missing_token_has_one_message_for_each_location(make_auth, inside):
    auth = make_auth(JWT_TOKEN_LOCATION=["query", "cookies", "headers"])
    outcome = inside(auth.get_access_token_from_request)
    names = ["token", "access_token_cookie", "Authorization"]
    assert [name for name, text in zip(names, outcome.args, strict=True) if name in text] == names


def test_verify_token_returns_the_payload(auth):
    assert auth.verify_token(in_header(auth.create_access_token(uid="alice"))).sub == "alice"


def test_verify_token_checks_the_type(auth):
    token = RequestToken(token=auth.create_refresh_token(uid="alice"), location="headers")
    with pytest.raises(AccessTokenRequiredError):
        auth.verify_token(token)


def test_verify_token_can_leave_the_type_alone(auth):
    token = RequestToken(token=auth.create_refresh_token(uid="alice"), location="headers")
    assert auth.verify_token(token, verify_type=False).type == "refresh"


def test_verify_token_can_ask_for_freshness(auth):
    with pytest.raises(FreshTokenRequiredError):
        auth.verify_token(in_header(auth.create_access_token(uid="alice")), verify_fresh=True)


@pytest.fixture
def cookie_auth(make_auth):
    return make_auth(JWT_TOKEN_LOCATION=["cookies"])


def test_verify_token_compares_nothing_for_a_safe_request(cookie_auth, inside):
    async def act(request):
        return cookie_auth.verify_token(await cookie_auth.get_access_token_from_request(request))

    cookie = cookie_auth.create_access_token(uid="alice")
    assert inside(act, cookies={"access_token_cookie": cookie}).sub == "alice"


def test_a_dependency_may_be_awaited_by_hand(auth, inside):
    async def act(request):
        return await auth.access_token_required(request=request)

    assert inside(act, headers=bearer(auth.create_access_token(uid="alice"))).sub == "alice"


@pytest.mark.parametrize("name", ["access_token_required", "refresh_token_required", "fresh_token_required"])
def test_a_dependency_is_one_stable_object(auth, name):
    assert getattr(auth, name) is getattr(auth, name)


def test_dependencies_with_equal_arguments_are_one_object(auth):
    assert auth.token_required(type="refresh") is auth.token_required(type="refresh")
    assert auth.scopes_required("a", "b") is auth.scopes_required("a", "b")


def test_a_dependency_can_be_overridden(auth, browse):
    app = FastAPI()

    @app.get("/door", dependencies=[Depends(auth.access_token_required)])
    def door():
        return "open"

    app.dependency_overrides[auth.access_token_required] = lambda: None
    assert browse(app).get("/door").json() == "open"


def test_an_alias_is_overridden_with_its_dependency(auth, browse):
    app = FastAPI()

    @app.get("/door", dependencies=[auth.ACCESS_REQUIRED])
    def door():
        return "open"

    app.dependency_overrides[auth.access_token_required] = lambda: None
    assert browse(app).get("/door").json() == "open"


def test_the_locations_of_a_dependency_replace_the_configured_ones(auth, browse, refused):
    app = FastAPI()
    auth.handle_errors(app)

    @app.get("/door", dependencies=[Depends(auth.token_required(locations=["query"]))])
    def door():
        return "open"

    token, client = auth.create_access_token(uid="alice"), browse(app)
    assert client.get("/door", params={"token": token}).json() == "open"
    refused(client.get("/door", headers=bearer(token)), MISSING)


def test_a_dependency_may_accept_either_type(auth, browse):
    app = FastAPI()

    @app.get("/door", dependencies=[Depends(auth.token_required(verify_type=False))])
    def door():
        return "open"

    assert browse(app).get("/door", headers=bearer(auth.create_refresh_token(uid="alice"))).json() == "open"


def test_the_openapi_document_stays_public(auth, browse):
    app = FastAPI(dependencies=[Depends(auth.access_token_required)])
    assert browse(app).get("/openapi.json").status_code == 200
