"""What is derived from a setting follows it."""

from datetime import timedelta

import pytest
from fastapi import Response
from tests.support.apps import SECRET, make_auth, make_door, with_cookie
from tests.support.tokens import OTHER_SECRET, bearer, claims_of, forge_access, header_of

from authx import AuthX, AuthXConfig
from authx.exceptions import BadConfigurationError


def _set_cookie(auth):
    response = Response()
    auth.set_access_cookies(auth.create_access_token("alice"), response)
    return response.headers.getlist("set-cookie")[0]


class TestAssignment:
    """What is derived from a setting follows it, at its next use, in an application that is running."""

    def test_the_secret_that_signs_and_verifies(self):
        auth = make_auth()
        client = make_door(auth)
        assert client.get("/p", headers=bearer(forge_access(OTHER_SECRET))).status_code == 401
        auth.config.JWT_SECRET_KEY = OTHER_SECRET
        assert client.get("/p", headers=bearer(forge_access(OTHER_SECRET))).status_code == 200
        assert client.get("/p", headers=bearer(forge_access(SECRET))).status_code == 401
        assert client.get("/p", headers=bearer(auth.create_access_token("alice"))).status_code == 200

    def test_a_token_that_was_verified_before_is_not_remembered_past_its_key(self):
        auth = make_auth()
        client, header = make_door(auth), bearer(auth.create_access_token("alice"))
        assert client.get("/p", headers=header).status_code == 200
        auth.config.JWT_SECRET_KEY = OTHER_SECRET
        assert client.get("/p", headers=header).status_code == 401

    def test_a_former_secret(self):
        auth = make_auth()
        client, header = make_door(auth), bearer(forge_access(OTHER_SECRET))
        auth.config.JWT_PREVIOUS_SECRET_KEY = OTHER_SECRET
        assert client.get("/p", headers=header).status_code == 200
        auth.config.JWT_PREVIOUS_SECRET_KEY = None
        assert client.get("/p", headers=header).status_code == 401

    def test_the_algorithm(self):
        auth = make_auth()
        old = auth.create_access_token("alice")
        auth.config.JWT_ALGORITHM = "HS384"
        client = make_door(auth)
        new = auth.create_access_token("alice")
        assert header_of(new)["alg"] == "HS384"
        assert client.get("/p", headers=bearer(new)).status_code == 200
        assert client.get("/p", headers=bearer(old)).status_code == 401

    def test_the_lifetimes(self):
        auth = make_auth()
        auth.config.JWT_ACCESS_TOKEN_EXPIRES = timedelta(hours=5)
        auth.config.JWT_REFRESH_TOKEN_EXPIRES = None
        claims = claims_of(auth.create_access_token("alice"))
        assert claims["exp"] - claims["iat"] in (18000, 18001)
        assert "exp" not in claims_of(auth.create_refresh_token("alice"))

    @pytest.mark.parametrize(
        ("field", "value", "claims"),
        [
            ("JWT_DECODE_ISSUER", "us", {}),
            ("JWT_DECODE_AUDIENCE", "us", {}),
            ("JWT_DECODE_LEEWAY", 0, {"exp": 1_000_000_000}),
        ],
    )
    def test_the_checks_also_of_a_token_that_was_verified_before(self, field, value, claims):
        auth = make_auth(JWT_DECODE_LEEWAY=2_000_000_000)
        client, header = make_door(auth), bearer(forge_access(SECRET, **claims))
        assert client.get("/p", headers=header).status_code == 200
        setattr(auth.config, field, value)
        assert client.get("/p", headers=header).status_code == 401

    def test_the_locations(self):
        auth = make_auth()
        client, token = make_door(auth), auth.create_access_token("alice")
        auth.config.JWT_TOKEN_LOCATION = ["query"]
        assert client.get("/p", headers=bearer(token)).status_code == 401
        assert client.get("/p", params={"token": token}).status_code == 200

    def test_the_locations_of_refresh_tokens(self):
        auth = make_auth()
        client, token = make_door(auth), auth.create_refresh_token("alice")
        auth.config.JWT_REFRESH_TOKEN_LOCATION = ["query"]
        assert client.post("/r", headers=bearer(token)).status_code == 401
        assert client.post("/r", params={"token": token}).status_code == 200

    def test_the_header(self):
        auth = make_auth()
        client, token = make_door(auth), auth.create_access_token("alice")
        auth.config.JWT_HEADER_NAME = "X-Pass"
        auth.config.JWT_HEADER_TYPE = ""
        assert client.get("/p", headers={"X-Pass": token}).status_code == 200
        assert client.get("/p", headers=bearer(token)).status_code == 401

    def test_the_cookies(self):
        auth = make_auth(JWT_TOKEN_LOCATION=["cookies"])
        _set_cookie(auth)
        auth.config.JWT_ACCESS_COOKIE_NAME = "a"
        auth.config.JWT_ACCESS_COOKIE_PATH = "/api"
        auth.config.JWT_COOKIE_SECURE = False
        auth.config.JWT_COOKIE_SAMESITE = "strict"
        auth.config.JWT_COOKIE_MAX_AGE = 60
        token, _, attributes = _set_cookie(auth).partition("; ")
        assert token.startswith("a=")
        assert sorted(attributes.split("; ")) == ["HttpOnly", "Max-Age=60", "Path=/api", "SameSite=strict"]
        assert with_cookie(make_door(auth), token.partition("=")[2], "a").get("/p").status_code == 200

    def test_the_csrf_protection(self):
        auth = make_auth(JWT_TOKEN_LOCATION=["cookies"])
        client = with_cookie(make_door(auth), auth.create_access_token("alice"))
        assert client.post("/p").status_code == 403
        auth.config.JWT_COOKIE_CSRF_PROTECT = False
        assert client.post("/p").status_code == 200
        assert "csrf_access_token" not in _set_cookie(auth)

    def test_the_answers_to_errors(self):
        auth = make_auth()
        client = make_door(auth)
        auth.config.JWT_REALM = "Back office"
        auth.config.JWT_ERROR_MESSAGE_KEY = "detail"
        auth.config.JWT_ERROR_STATUS = "authx"
        answer = client.get("/p", headers=bearer("garbage"))
        assert answer.status_code == 422
        assert answer.json() == {"detail": "Invalid Token", "error_type": "JWTDecodeError"}
        assert answer.headers["WWW-Authenticate"].startswith('Bearer realm="Back office"')

    def test_the_longest_token(self):
        auth = make_auth()
        client, header = make_door(auth), bearer(auth.create_access_token("alice"))
        auth.config.JWT_MAX_TOKEN_BYTES = 256
        assert client.get("/p", headers=header).status_code == 400

    def test_a_contradiction_is_refused_at_the_next_use(self):
        auth = make_auth()
        auth.config.JWT_COOKIE_SAMESITE = "none"
        auth.config.JWT_COOKIE_SECURE = False
        with pytest.raises(BadConfigurationError, match="JWT_COOKIE_SECURE=True"):
            auth.create_access_token("alice")

    def test_an_algorithm_that_does_not_exist_is_refused_at_the_next_use(self):
        auth = make_auth()
        auth.config.JWT_ALGORITHM = "none"
        assert not auth.config.is_algo_symmetric
        assert not auth.config.is_algo_asymmetric
        with pytest.raises(BadConfigurationError, match="JWT_ALGORITHM"):
            auth.create_access_token("alice")

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("JWT_CSRF_METHODS", "POST"),
            ("JWT_CSRF_METHODS", ["post"]),
            ("JWT_TOKEN_LOCATION", "headers"),
            ("JWT_TOKEN_LOCATION", ["body"]),
            ("JWT_COOKIE_SECURE", "never"),
            ("JWT_COOKIE_SAMESITE", "None; Domain=evil.example"),
            ("JWT_COOKIE_MAX_AGE", "60; Domain=evil.example"),
            ("JWT_ACCESS_TOKEN_EXPIRES", "soon"),
            ("JWT_DECODE_LEEWAY", "a little"),
            ("JWT_HEADER_NAME", None),
            ("JWT_SECRET_KEY", [SECRET]),
        ],
    )
    def test_a_value_of_a_wrong_type_is_refused_at_the_next_use(self, field, value):
        auth = make_auth()
        setattr(auth.config, field, value)
        with pytest.raises(BadConfigurationError, match=field) as refusal:
            auth.create_access_token("alice")
        assert SECRET not in str(refusal.value)

    def test_a_bare_number_assigned_as_lifetime_is_never_a_moment_of_1970(self):
        auth = make_auth()
        auth.config.JWT_ACCESS_TOKEN_EXPIRES = 900
        try:
            claims = claims_of(auth.create_access_token("alice"))
        except BadConfigurationError:
            return
        assert claims["exp"] - claims["iat"] in (900, 901)

    def test_an_assignment_puts_a_contradiction_right(self):
        auth = make_auth()
        auth.config.JWT_COOKIE_SAMESITE = "none"
        auth.config.JWT_COOKIE_SECURE = False
        with pytest.raises(BadConfigurationError):
            auth.create_access_token("alice")
        auth.config.JWT_COOKIE_SECURE = True
        assert claims_of(auth.create_access_token("alice"))["sub"] == "alice"

    def test_every_instance_with_the_same_settings_follows(self):
        config = AuthXConfig(JWT_SECRET_KEY=SECRET)
        instances = [AuthX(config=config), AuthX(config=config)]
        for auth in instances:
            auth.create_access_token("alice")
        config.JWT_ENCODE_ISSUER = "us"
        assert [claims_of(auth.create_access_token("alice"))["iss"] for auth in instances] == ["us", "us"]


class TestLoadConfig:
    def test_the_settings_are_replaced_for_routes_declared_before(self):
        auth = AuthX()
        client = make_door(auth)
        config = AuthXConfig(JWT_SECRET_KEY=SECRET, JWT_HEADER_NAME="X-Pass")
        auth.load_config(config)
        assert auth.config is config
        header = {"X-Pass": f"Bearer {auth.create_access_token('alice')}"}
        assert client.get("/p", headers=header).status_code == 200

    def test_assignments_to_the_new_settings_are_followed(self):
        auth = make_auth()
        auth.load_config(AuthXConfig(JWT_SECRET_KEY=SECRET))
        auth.config.JWT_ENCODE_ISSUER = "us"
        assert claims_of(auth.create_access_token("alice"))["iss"] == "us"

    def test_assignments_to_the_former_settings_change_nothing(self):
        former = AuthXConfig(JWT_SECRET_KEY=SECRET)
        auth = AuthX(config=former)
        auth.load_config(AuthXConfig(JWT_SECRET_KEY=SECRET))
        former.JWT_ENCODE_ISSUER = "us"
        assert "iss" not in claims_of(auth.create_access_token("alice"))

    def test_tokens_of_the_former_key_end(self):
        auth = make_auth()
        client, header = make_door(auth), bearer(auth.create_access_token("alice"))
        assert client.get("/p", headers=header).status_code == 200
        auth.load_config(AuthXConfig(JWT_SECRET_KEY=OTHER_SECRET))
        assert client.get("/p", headers=header).status_code == 401

    def test_settings_that_cannot_work_are_refused(self):
        auth = make_auth()
        with pytest.raises(BadConfigurationError):
            auth.load_config(AuthXConfig(JWT_ALGORITHM="ES256", JWT_PRIVATE_KEY="no key"))

    def test_settings_that_were_refused_are_not_in_force(self):
        auth = make_auth()
        with pytest.raises(BadConfigurationError):
            auth.load_config(AuthXConfig(JWT_ALGORITHM="ES256", JWT_PRIVATE_KEY="no key"))
        assert header_of(auth.create_access_token("alice"))["alg"] == "HS256"

    def test_the_callbacks_stay(self):
        auth = make_auth()
        token = auth.create_access_token("alice")
        auth.set_token_blocklist(lambda text: text == token, inline=True)
        auth.load_config(AuthXConfig(JWT_SECRET_KEY=SECRET))
        assert make_door(auth).get("/p", headers=bearer(token)).status_code == 401
