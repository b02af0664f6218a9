"""What a request with a cookie has to prove, and what needs no proof."""

from base64 import urlsafe_b64encode
from hashlib import sha256

import pytest
from fastapi import Depends, FastAPI, Form, Request
from fastapi.testclient import TestClient
from tests.support.asgi import COOKIES, NOW, SECRET, authorization, cookies, knock, make_auth
from tests.support.axes import spread
from tests.support.tokens import claims_of

from authx import RequestToken
from authx.exceptions import CSRFError
from authx.token import create_token

METHODS = ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"]
FORM = ("Content-Type", "application/x-www-form-urlencoded")


def make_door(auth):
    app = FastAPI()
    auth.handle_errors(app)

    async def protected(payload=auth.ACCESS_REQUIRED):
        return payload.sub

    async def refresh(payload=auth.REFRESH_REQUIRED):
        return payload.sub

    app.add_api_route("/p", protected, methods=METHODS)
    app.add_api_route("/r", refresh, methods=METHODS)
    return app


@pytest.fixture
def auth():
    return make_auth(**COOKIES)


@pytest.fixture
def token(auth):
    return auth.create_access_token("alice")


@pytest.fixture
def value(token):
    return claims_of(token)["csrf"]


@pytest.fixture
def app(auth):
    return make_door(auth)


def with_value(token, *values, name="X-CSRF-TOKEN"):
    return [cookies(access_token_cookie=token), *[(name, value) for value in values]]


class TestWhichRequests:
    @pytest.mark.parametrize("method", METHODS)
    def test_methods_that_change_something_need_the_value(self, app, token, value, method):
        needed = method in ("POST", "PUT", "PATCH", "DELETE")
        assert knock(app, method=method, headers=with_value(token)).status == (403 if needed else 200)
        assert knock(app, method=method, headers=with_value(token, value)).status == 200

    def test_the_methods_are_configurable(self):
        auth = make_auth(**COOKIES, JWT_CSRF_METHODS=["GET"])
        app, token = make_door(auth), auth.create_access_token("alice")
        assert knock(app, method="GET", headers=with_value(token)).status == 403
        assert knock(app, method="POST", headers=with_value(token)).status == 200

    def test_no_request_needs_it_where_protection_is_off(self):
        auth = make_auth(**COOKIES, JWT_COOKIE_CSRF_PROTECT=False)
        assert knock(make_door(auth), "/p", "POST", with_value(auth.create_access_token("alice"))).status == 200

    @pytest.mark.parametrize("place", ["headers", "query", "json"])
    def test_what_a_browser_does_not_send_by_itself_needs_no_value(self, place):
        auth = make_auth(JWT_TOKEN_LOCATION=[place, "cookies"])
        app, token = make_door(auth), auth.create_access_token("alice")
        requests = {
            "headers": {"headers": [authorization(token)]},
            "query": {"query": f"token={token}"},
            "json": {
                "headers": [("Content-Type", "application/json")],
                "body": b'{"access_token": "%s"}' % token.encode(),
            },
        }
        assert knock(app, "/p", "POST", **requests[place]).status == 200

    def test_a_refresh_cookie_needs_its_own_value(self, auth, app, value):
        token = auth.create_refresh_token("alice")
        header = cookies(refresh_token_cookie=token)
        assert knock(app, "/r", "POST", [header, ("X-CSRF-TOKEN", value)]).json["code"] == "csrf_mismatch"
        assert knock(app, "/r", "POST", [header, ("X-CSRF-TOKEN", claims_of(token)["csrf"])]).status == 200


class TestTheHeader:
    @pytest.mark.parametrize("name", ["X-CSRF-TOKEN", "x-csrf-token", "X-Csrf-Token"])
    def test_its_name_is_compared_without_regard_to_case(self, app, token, value, name):
        assert knock(app, method="POST", headers=with_value(token, value, name=name)).status == 200

    @pytest.mark.parametrize(
        "change",
        [str.upper, lambda value: value[:-1], lambda value: value + "0", lambda value: "0", lambda value: f'"{value}"'],
        ids=["upper", "shorter", "longer", "other", "quoted"],
    )
    def test_any_other_value_is_refused(self, app, token, value, change):
        answer = knock(app, method="POST", headers=with_value(token, change(value)))
        assert answer.json["code"] == "csrf_mismatch"

    def test_the_value_of_another_login_is_refused(self, auth, app, token):
        other = claims_of(auth.create_access_token("alice"))["csrf"]
        assert knock(app, method="POST", headers=with_value(token, other)).json["code"] == "csrf_mismatch"

    def test_an_empty_value_is_none(self, app, token):
        assert knock(app, method="POST", headers=with_value(token, "")).json["code"] == "csrf_missing"

    @pytest.mark.parametrize("right_first", [True, False])
    def test_two_different_values_are_refused(self, app, token, value, right_first):
        values = [value, "another"] if right_first else ["another", value]
        assert knock(app, method="POST", headers=with_value(token, *values)).json["code"] == "csrf_mismatch"

    def test_the_cookie_with_the_value_proves_nothing(self, app, token, value):
        headers = [cookies(access_token_cookie=token, csrf_access_token=value)]
        assert knock(app, method="POST", headers=headers).json["code"] == "csrf_missing"

    def test_the_cookie_with_the_value_may_be_absent_or_another(self, app, token, value):
        headers = [cookies(access_token_cookie=token, csrf_access_token="another"), ("X-CSRF-TOKEN", value)]
        assert knock(app, method="POST", headers=headers).status == 200

    def test_the_error_says_which_header_and_which_cookie(self, app, token):
        message = knock(app, method="POST", headers=with_value(token)).json["message"]
        assert "X-CSRF-TOKEN" in message
        assert "csrf_access_token" in message
        assert "form" not in message

    def test_the_error_names_what_is_configured(self):
        auth = make_auth(
            **COOKIES,
            JWT_CSRF_CHECK_FORM=True,
            JWT_REFRESH_CSRF_HEADER_NAME="X-Proof",
            JWT_REFRESH_CSRF_COOKIE_NAME="proof",
            JWT_REFRESH_CSRF_FIELD_NAME="proof_field",
        )
        header = cookies(refresh_token_cookie=auth.create_refresh_token("alice"))
        message = knock(make_door(auth), "/r", "POST", [header]).json["message"]
        for name in ("X-Proof", "cookie proof", "proof_field"):
            assert name in message


class TestEmptyValues:
    """A token without a CSRF value matches nothing, least of all nothing."""

    @pytest.mark.parametrize(
        ("csrf", "sent"),
        [("", ""), ("", "x"), (None, ""), (None, "None"), (None, "null"), (None, "x"), (True, "True"), (True, "")],
    )
    def test_an_empty_claim_never_matches(self, app, csrf, sent):
        data = {"csrf": csrf} if csrf is not None else None
        token = create_token("alice", SECRET, expiry=NOW + 60, issued=NOW, data=data)
        assert knock(app, headers=with_value(token)).status in (200, 401)
        assert knock(app, method="POST", headers=with_value(token, sent)).status in (401, 403)

    def test_a_token_made_for_a_header_is_no_use_in_a_cookie(self, app):
        token = make_auth().create_access_token("alice")
        assert claims_of(token)["csrf"] == ""
        assert knock(app, headers=with_value(token)).status == 200
        assert knock(app, method="POST", headers=with_value(token, "x")).json["code"] == "csrf_mismatch"

    def test_demanding_a_value_while_protection_is_off_lets_nobody_in(self):
        auth = make_auth(**COOKIES, JWT_COOKIE_CSRF_PROTECT=False)
        app, token = FastAPI(), auth.create_access_token("alice")
        demanding = Depends(auth.token_required(verify_csrf=True))

        @app.post("/p", dependencies=[demanding])
        async def protected():
            return "open"

        assert knock(app, method="POST", headers=with_value(token)).json["code"] == "csrf_missing"
        assert knock(app, method="POST", headers=with_value(token, "x")).json["code"] == "csrf_mismatch"


class TestForm:
    @pytest.fixture
    def auth(self):
        return make_auth(**COOKIES, JWT_CSRF_CHECK_FORM=True)

    def test_a_field_may_carry_the_value(self, app, token, value):
        headers = [*with_value(token), FORM]
        assert knock(app, method="POST", headers=headers, body=f"a=1&csrf_token={value}".encode()).status == 200

    @pytest.mark.parametrize("body", [b"", b"csrf_token=", b"a=1", b"CSRF_TOKEN=x", b"{}"])
    def test_a_form_without_the_field_has_no_value(self, app, token, body):
        answer = knock(app, method="POST", headers=[*with_value(token), FORM], body=body)
        assert answer.json["code"] == "csrf_missing"

    def test_another_value_is_refused(self, app, token):
        answer = knock(app, method="POST", headers=[*with_value(token), FORM], body=b"csrf_token=another")
        assert answer.json["code"] == "csrf_mismatch"

    @pytest.mark.parametrize("right", ["header", "form"])
    def test_the_header_goes_first(self, app, token, value, right):
        header, form = (value, "another") if right == "header" else ("another", value)
        answer = knock(
            app, method="POST", headers=[*with_value(token, header), FORM], body=f"csrf_token={form}".encode()
        )
        assert answer.status == (200 if right == "header" else 403)

    def test_a_body_of_json_is_no_form(self, app, token, value):
        headers = [*with_value(token), ("Content-Type", "application/json")]
        answer = knock(app, method="POST", headers=headers, body=f'{{"csrf_token": "{value}"}}'.encode())
        assert answer.json["code"] == "csrf_missing"

    def test_the_field_is_not_looked_at_unless_told_to(self):
        auth = make_auth(**COOKIES)
        token = auth.create_access_token("alice")
        body = f"csrf_token={claims_of(token)['csrf']}".encode()
        answer = knock(make_door(auth), method="POST", headers=[*with_value(token), FORM], body=body)
        assert (answer.json["code"], answer.reads) == ("csrf_missing", 0)

    def test_the_body_is_not_read_where_the_header_has_the_value(self, app, token, value):
        answer = knock(app, method="POST", headers=[*with_value(token, value), FORM], body=b"csrf_token=another")
        assert (answer.status, answer.reads) == (200, 0)

    @pytest.mark.parametrize(
        ("content_type", "body"),
        [
            ("multipart/form-data", b"x"),
            ("multipart/form-data; boundary=", b"x"),
            ("multipart/form-data; boundary=b", b"--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--"),
            ("multipart/form-data; boundary=b", b"garbage"),
            ("application/x-www-form-urlencoded", b"csrf_token=%ff%fe&%ed%a0%80=1"),
            ("application/x-www-form-urlencoded", b"&".join([b"a=1"] * 5000)),
        ],
    )
    def test_a_form_that_cannot_be_read_is_the_clients_mistake(self, app, token, content_type, body):
        headers = [*with_value(token), ("Content-Type", content_type)]
        answer = knock(app, method="POST", headers=headers, body=body)
        assert answer.status in (400, 403)
        assert answer.raised is None

    def test_a_file_of_that_name_is_no_value(self, app, token, value):
        client = TestClient(app, base_url="https://testserver")
        client.cookies.set("access_token_cookie", token)
        answer = client.post("/p", files={"csrf_token": ("name.txt", value)})
        assert answer.json()["code"] == "csrf_missing"

    def test_a_multipart_field_may_carry_the_value(self, app, token, value):
        client = TestClient(app, base_url="https://testserver")
        client.cookies.set("access_token_cookie", token)
        answer = client.post("/p", files={"upload": ("name.txt", b"x")}, data={"csrf_token": value})
        assert answer.status_code == 200

    def test_the_form_is_left_for_the_route(self, auth, app, token, value):
        @app.post("/form")
        async def take(text: str = Form(), payload=auth.ACCESS_REQUIRED):
            return text

        @app.post("/raw")
        async def raw(request: Request, payload=auth.ACCESS_REQUIRED):
            return (await request.form())["text"]

        headers, body = [*with_value(token), FORM], f"text=hello&csrf_token={value}".encode()
        for path in ("/form", "/raw"):
            assert knock(app, path, "POST", headers, body).json == "hello"


class TestOrigin:
    @pytest.fixture
    def auth(self):
        return make_auth(**COOKIES, JWT_CSRF_TRUSTED_ORIGINS=["https://front.example", "http://localhost:3000"])

    @pytest.mark.parametrize("origin", ["https://front.example", "http://localhost:3000", "https://door.example", None])
    def test_own_and_trusted_origins_pass(self, app, token, value, origin):
        headers = with_value(token, value)
        if origin is not None:
            headers.append(("Origin", origin))
        assert knock(app, method="POST", headers=headers).status == 200

    @pytest.mark.parametrize(
        "origin",
        [
            "https://evil.example",
            "http://front.example",
            "https://front.example:8443",
            "https://front.example.evil.example",
            "https://evil-front.example",
            "https://Front.example",
            "https://front.example/",
            "http://localhost",
            "http://door.example",
            "https://sub.door.example",
            "null",
            "",
            "file://",
            "https://front.example, https://evil.example",
        ],
    )
    def test_any_other_origin_is_refused_whatever_the_value_is(self, app, token, value, origin):
        for sent in (value, "another"):
            answer = knock(app, method="POST", headers=[*with_value(token, sent), ("Origin", origin)])
            assert (answer.status, answer.json["code"]) == (403, "csrf_origin")

    @pytest.mark.parametrize("order", [1, -1])
    def test_one_foreign_origin_among_two_is_enough(self, app, token, value, order):
        origins = [("Origin", "https://front.example"), ("Origin", "https://evil.example")]
        answer = knock(app, method="POST", headers=[*with_value(token, value), *origins[::order]])
        assert answer.json["code"] == "csrf_origin"

    @pytest.mark.parametrize(
        ("scheme", "host", "origin", "status"),
        [
            ("https", "door.example:443", "https://door.example", 200),
            ("https", "DOOR.example", "https://door.example", 200),
            ("https", "door.example:8443", "https://door.example:8443", 200),
            ("https", "door.example:8443", "https://door.example", 403),
            ("http", "door.example:80", "http://door.example", 200),
            ("http", "door.example", "https://door.example", 403),
            ("https", "[::1]:8000", "https://[::1]:8000", 200),
            ("https", None, "https://door.example", 403),
        ],
    )
    def test_the_own_origin_is_where_the_request_was_sent_to(self, app, token, value, scheme, host, origin, status):
        headers = [*with_value(token, value), ("Origin", origin)]
        assert knock(app, method="POST", headers=headers, scheme=scheme, host=host).status == status

    @pytest.mark.parametrize(
        ("site", "status"), [("same-origin", 200), ("none", 200), ("cross-site", 403), ("same-site", 403)]
    )
    def test_without_an_origin_the_browsers_word_on_the_site_counts(self, app, token, value, site, status):
        headers = [*with_value(token, value), ("Sec-Fetch-Site", site)]
        assert knock(app, method="POST", headers=headers).status == status

    def test_a_trusted_origin_goes_before_the_browsers_word_on_the_site(self, app, token, value):
        headers = [*with_value(token, value), ("Origin", "https://front.example"), ("Sec-Fetch-Site", "cross-site")]
        assert knock(app, method="POST", headers=headers).status == 200

    @pytest.mark.parametrize("header", [("Origin", "https://front.example"), ("Sec-Fetch-Site", "same-origin")])
    def test_a_good_origin_does_not_replace_the_value(self, app, token, header):
        assert knock(app, method="POST", headers=[*with_value(token), header]).json["code"] == "csrf_missing"
        answer = knock(app, method="POST", headers=[*with_value(token, "another"), header])
        assert answer.json["code"] == "csrf_mismatch"

    def test_a_request_that_needs_no_value_needs_no_origin(self, app, token):
        assert knock(app, headers=[*with_value(token), ("Origin", "https://evil.example")]).status == 200

    def test_a_token_in_a_header_needs_no_origin(self):
        auth = make_auth(JWT_TOKEN_LOCATION=["headers", "cookies"], JWT_CSRF_TRUSTED_ORIGINS=["https://front.example"])
        headers = [authorization(auth.create_access_token("alice")), ("Origin", "https://evil.example")]
        assert knock(make_door(auth), method="POST", headers=headers).status == 200

    @pytest.mark.parametrize("header", [("Origin", "https://evil.example"), ("Sec-Fetch-Site", "cross-site")])
    def test_origins_are_not_looked_at_where_none_is_trusted(self, header):
        auth = make_auth(**COOKIES)
        token = auth.create_access_token("alice")
        headers = [*with_value(token, claims_of(token)["csrf"]), header]
        assert knock(make_door(auth), method="POST", headers=headers).status == 200

    def test_the_error_does_not_repeat_the_origin(self, app, token, value):
        answer = knock(app, method="POST", headers=[*with_value(token, value), ("Origin", "https://evil.example")])
        assert b"evil" not in answer.body


class TestVerifyCSRF:
    @pytest.fixture
    def app(self, auth):
        app = FastAPI()
        for verify in (True, False, None):
            guard = Depends(auth.token_required(verify_csrf=verify))
            scoped = Depends(auth.scopes_required("read", verify_csrf=verify))

            async def protected():
                return "open"

            for path, dependency in ((f"/{verify}", guard), (f"/scoped/{verify}", scoped)):
                app.add_api_route(path, protected, methods=METHODS, dependencies=[dependency])
        return app

    @pytest.fixture
    def token(self, auth):
        return auth.create_access_token("alice", scopes=["read"])

    @pytest.mark.parametrize(("method", "prefix"), spread(METHODS, ["/", "/scoped/"]))
    def test_true_needs_the_value_on_every_method(self, app, token, value, method, prefix):
        path = f"{prefix}True"
        assert knock(app, path, method, with_value(token)).status == 403
        assert knock(app, path, method, with_value(token, "another")).status == 403
        assert knock(app, path, method, with_value(token, value)).status == 200

    @pytest.mark.parametrize(("method", "prefix"), spread(METHODS, ["/", "/scoped/"]))
    def test_false_needs_it_on_none(self, app, token, method, prefix):
        path = f"{prefix}False"
        assert knock(app, path, method, with_value(token)).status == 200
        assert knock(app, path, method, with_value(token, "another")).status == 200

    @pytest.mark.parametrize(("method", "prefix"), spread(METHODS, ["/", "/scoped/"]))
    def test_none_is_as_configured(self, app, token, method, prefix):
        status = 403 if method in ("POST", "PUT", "PATCH", "DELETE") else 200
        assert knock(app, f"{prefix}None", method, with_value(token)).status == status

    @pytest.mark.parametrize("order", [1, -1])
    def test_two_dependencies_that_differ_are_both_obeyed(self, auth, token, value, order):
        app = FastAPI()
        guards = [Depends(auth.token_required(verify_csrf=verify)) for verify in (False, True)]

        @app.get("/p", dependencies=guards[::order])
        async def protected():
            return "open"

        assert knock(app, headers=with_value(token)).status == 403
        assert knock(app, headers=with_value(token, value)).status == 200


class TestLaterPlaces:
    """A cookie without its value is passed over where a later place has a token."""

    @pytest.mark.parametrize("place", ["headers", "query"])
    def test_a_later_place_that_has_a_token_decides(self, place):
        auth = make_auth(JWT_TOKEN_LOCATION=["cookies", place])
        cookie = cookies(access_token_cookie=auth.create_access_token("of the cookie"))
        token = auth.create_access_token("alice")
        query = f"token={token}" if place == "query" else ""
        headers = [cookie, authorization(token)] if place == "headers" else [cookie]
        assert knock(make_door(auth), "/p", "POST", headers, query=query).json == "alice"

    def test_without_one_the_value_is_missed(self):
        auth = make_auth(JWT_TOKEN_LOCATION=["cookies", "headers"])
        answer = knock(make_door(auth), "/p", "POST", with_value(auth.create_access_token("alice")))
        assert answer.json["code"] == "csrf_missing"

    def test_a_cookie_with_another_value_is_not_passed_over(self):
        auth = make_auth(JWT_TOKEN_LOCATION=["cookies", "headers"])
        token = auth.create_access_token("alice")
        headers = [*with_value(token, "another"), authorization(token)]
        assert knock(make_door(auth), "/p", "POST", headers).json["code"] == "csrf_mismatch"


class TestThePair:
    @pytest.fixture
    def pair(self, auth):
        return auth.create_token_pair("alice")

    def test_the_access_value_follows_from_the_sessions_value_alone(self, pair):
        session = claims_of(pair.refresh_token)["csrf"]
        digest = sha256(f"{session}:access".encode()).digest()
        assert claims_of(pair.access_token)["csrf"] == urlsafe_b64encode(digest).rstrip(b"=").decode()

    def test_the_two_values_are_not_interchangeable(self, app, pair):
        access, refresh = claims_of(pair.access_token)["csrf"], claims_of(pair.refresh_token)["csrf"]
        assert access != refresh
        assert knock(app, "/p", "POST", with_value(pair.access_token, refresh)).json["code"] == "csrf_mismatch"
        header = cookies(refresh_token_cookie=pair.refresh_token)
        assert knock(app, "/r", "POST", [header, ("X-CSRF-TOKEN", access)]).json["code"] == "csrf_mismatch"

    def test_every_session_has_a_value_of_its_own(self, auth):
        values = {claims_of(auth.create_token_pair("alice").refresh_token)["csrf"] for _ in range(50)}
        assert len(values) == 50

    def test_an_access_token_made_alone_has_a_random_value(self, auth):
        values = {claims_of(auth.create_access_token("alice"))["csrf"] for _ in range(50)}
        assert len(values) == 50

    @pytest.mark.parametrize("fields", [{"JWT_COOKIE_CSRF_PROTECT": False}, {"JWT_TOKEN_LOCATION": ["headers"]}])
    def test_the_values_are_empty_where_nobody_asks_for_them(self, fields):
        auth = make_auth(**COOKIES | fields)
        pair = auth.create_token_pair("alice")
        assert [claims_of(token)["csrf"] for token in (pair.access_token, pair.refresh_token)] == ["", ""]


class TestByHand:
    """`verify_token` on a token from a request, and on one that was built by hand."""

    @pytest.fixture
    def app(self, auth):
        app = FastAPI()
        auth.handle_errors(app)

        @app.api_route("/p", methods=["GET"])
        async def read(request: Request, check: bool = True):
            return auth.verify_token(await auth.get_access_token_from_request(request), verify_csrf=check).sub

        @app.api_route("/p", methods=["POST"])
        async def write(request: Request, check: bool = True):
            return auth.verify_token(await auth.get_access_token_from_request(request), verify_csrf=check).sub

        return app

    def test_a_token_of_a_request_that_needs_no_value_passes(self, app, token):
        assert knock(app, headers=with_value(token)).json == "alice"

    def test_a_token_of_a_request_that_needs_the_value_is_compared(self, app, token, value):
        assert knock(app, method="POST", headers=with_value(token)).json["code"] == "csrf_missing"
        assert knock(app, method="POST", headers=with_value(token, "another")).json["code"] == "csrf_mismatch"
        assert knock(app, method="POST", headers=with_value(token, value)).json == "alice"

    def test_it_is_not_compared_if_told_so(self, app, token):
        answer = knock(app, method="POST", headers=with_value(token, "another"), query="check=false")
        assert answer.json == "alice"

    @pytest.mark.parametrize("csrf", [None, "", "another"])
    def test_a_token_built_by_hand_is_always_compared(self, auth, token, csrf):
        with pytest.raises(CSRFError):
            auth.verify_token(RequestToken(token=token, csrf=csrf, location="cookies"))

    def test_a_token_built_by_hand_passes_with_its_value(self, auth, token, value):
        assert auth.verify_token(RequestToken(token=token, csrf=value, location="cookies")).sub == "alice"

    @pytest.mark.parametrize("location", ["headers", "json", "query"])
    def test_a_token_built_by_hand_for_another_place_needs_none(self, auth, token, location):
        assert auth.verify_token(RequestToken(token=token, location=location)).sub == "alice"

    def test_the_mark_does_not_travel_in_json_or_copies_of_the_fields(self, auth, token):
        marked = RequestToken(token=token, location="cookies")
        marked._csrf_exempt = True
        rebuilt = RequestToken.model_validate_json(marked.model_dump_json())
        with pytest.raises(CSRFError):
            auth.verify_token(rebuilt)

    def test_nobody_can_ask_for_the_mark_from_outside(self, auth, token):
        built = RequestToken.model_validate({"token": token, "location": "cookies", "_csrf_exempt": True})
        with pytest.raises(CSRFError):
            auth.verify_token(built)
