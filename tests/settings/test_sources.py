"""Where the values of settings come from, and how texts are read."""

from datetime import timedelta

import pytest
from pydantic import ValidationError
from tests.support.apps import SECRET

from authx import AuthXConfig
from authx.exceptions import BadConfigurationError


class TestSources:
    def test_a_keyword_goes_before_the_environment(self, monkeypatch):
        monkeypatch.setenv("JWT_HEADER_TYPE", "Token")
        assert AuthXConfig(JWT_HEADER_TYPE="Pass").JWT_HEADER_TYPE == "Pass"

    def test_the_environment_goes_before_the_default(self, monkeypatch):
        monkeypatch.setenv("JWT_HEADER_TYPE", "Token")
        assert AuthXConfig().JWT_HEADER_TYPE == "Token"

    @pytest.mark.parametrize("name", ["JWT_SECRET_KEY", "jwt_secret_key", "Jwt_Secret_Key"])
    def test_the_case_of_a_variable_does_not_matter(self, monkeypatch, name):
        monkeypatch.setenv(name, SECRET)
        assert AuthXConfig().JWT_SECRET_KEY == SECRET

    def test_the_environment_is_read_at_construction_and_never_after(self, monkeypatch):
        monkeypatch.setenv("JWT_HEADER_TYPE", "Token")
        config = AuthXConfig()
        monkeypatch.setenv("JWT_HEADER_TYPE", "Pass")
        assert config.JWT_HEADER_TYPE == "Token"
        assert AuthXConfig().JWT_HEADER_TYPE == "Pass"

    def test_a_file_is_read_only_where_it_is_named(self, tmp_path, monkeypatch):
        (tmp_path / ".env").write_text("JWT_HEADER_TYPE=Token\n")
        monkeypatch.chdir(tmp_path)
        assert AuthXConfig().JWT_HEADER_TYPE == "Bearer"
        assert AuthXConfig(_env_file=".env").JWT_HEADER_TYPE == "Token"

    @pytest.mark.parametrize("text", ["", " ", "\t\r\n"], ids=repr)
    def test_an_empty_variable_is_an_unset_one(self, monkeypatch, text):
        for name in AuthXConfig.model_fields:
            monkeypatch.setenv(name, text)
        config = AuthXConfig()
        assert config == AuthXConfig.model_construct()
        assert not config.model_fields_set

    def test_an_empty_line_of_a_file_is_an_unset_variable(self, tmp_path):
        (tmp_path / ".env").write_text("".join(f"{name}=\n" for name in AuthXConfig.model_fields))
        assert not AuthXConfig(_env_file=tmp_path / ".env").model_fields_set

    def test_an_empty_variable_does_not_hide_what_a_file_says(self, monkeypatch, tmp_path):
        monkeypatch.setenv("JWT_HEADER_TYPE", "")
        (tmp_path / ".env").write_text("JWT_HEADER_TYPE=Token\n")
        assert AuthXConfig(_env_file=tmp_path / ".env").JWT_HEADER_TYPE == "Token"

    def test_a_file_may_hold_variables_of_other_programs(self, tmp_path):
        (tmp_path / ".env").write_text("DATABASE_URL=x\nJWT_COOKIE_MAX_AGE=60\nJWT_TOKEN_LOCATION=cookies\n")
        config = AuthXConfig(_env_file=tmp_path / ".env")
        assert (config.JWT_COOKIE_MAX_AGE, config.JWT_TOKEN_LOCATION) == (60, ["cookies"])

    def test_a_mistake_in_a_file_names_the_file(self, tmp_path):
        (tmp_path / ".env").write_text("JWT_COOKIE_MAX_AGE=a-day\n")
        with pytest.raises(BadConfigurationError, match=r"JWT_COOKIE_MAX_AGE in .*\.env cannot be read") as refusal:
            AuthXConfig(_env_file=tmp_path / ".env")
        assert "a-day" not in str(refusal.value)

    def test_secrets_may_be_files_of_a_directory(self, tmp_path):
        (tmp_path / "jwt_secret_key").write_text(SECRET + "\n")
        (tmp_path / "jwt_token_location").write_text("cookies,headers\n")
        (tmp_path / "jwt_cookie_domain").write_text("\n")
        config = AuthXConfig(_secrets_dir=tmp_path)
        assert (config.JWT_SECRET_KEY, config.JWT_TOKEN_LOCATION) == (SECRET, ["cookies", "headers"])
        assert config.JWT_COOKIE_DOMAIN is None

    def test_every_variable_that_cannot_be_read_is_named_at_once_and_no_value_is(self, monkeypatch):
        wrong = {
            name: "k9-not-a-value"
            for name, field in AuthXConfig.model_fields.items()
            if "str" not in str(field.annotation)
        }
        for name, text in wrong.items():
            monkeypatch.setenv(name, text)
        with pytest.raises(BadConfigurationError) as refusal:
            AuthXConfig()
        assert [name for name in wrong if f"{name} in the environment" not in str(refusal.value)] == []
        assert "k9" not in str(refusal.value)

    def test_a_keyword_goes_before_a_variable_that_cannot_be_read(self, monkeypatch):
        monkeypatch.setenv("JWT_COOKIE_MAX_AGE", "a day")
        assert AuthXConfig(JWT_COOKIE_MAX_AGE=5).JWT_COOKIE_MAX_AGE == 5

    @pytest.mark.parametrize(
        ("name", "text", "value"),
        [
            ("JWT_ALGORITHM", "HS512\r", "HS512"),
            ("JWT_COOKIE_SECURE", " false ", False),
            ("JWT_COOKIE_MAX_AGE", "60\n", 60),
            ("JWT_COOKIE_MAX_AGE", "null", None),
            ("JWT_COOKIE_SAMESITE", "none", "none"),
            ("JWT_COOKIE_SAMESITE", "null", None),
            ("JWT_REVOCATION_CHECK", "none", "none"),
            ("JWT_RETRY_KEY_HEADER", "null", None),
            ("JWT_RETRY_KEY_HEADER", "None", None),
            ("JWT_RETRY_KEY_HEADER", "X-Attempt", "X-Attempt"),
            ("JWT_STORE_URL", "memory://\r", "memory://"),
            ("JWT_SECRET_KEY", " white space belongs to a secret ", " white space belongs to a secret "),
        ],
    )
    def test_white_space_around_a_value_is_none_of_it_except_in_a_secret(self, monkeypatch, name, text, value):
        monkeypatch.setenv(name, text)
        assert getattr(AuthXConfig(), name) == value

    def test_an_unknown_keyword_is_refused(self):
        with pytest.raises(ValidationError, match="JWT_SECRET"):
            AuthXConfig(JWT_SECRET="misspelt")

    def test_an_unknown_variable_is_none_of_our_business(self, monkeypatch):
        monkeypatch.setenv("JWT_SECRET", "of another program")
        assert AuthXConfig().JWT_SECRET_KEY is None

    def test_two_configurations_share_no_list(self):
        AuthXConfig().JWT_TOKEN_LOCATION.append("query")
        assert AuthXConfig().JWT_TOKEN_LOCATION == ["headers"]


MINUTE = timedelta(minutes=1)


class TestDurations:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("900", timedelta(seconds=900)),
            ("0.5", timedelta(milliseconds=500)),
            ("+60", MINUTE),
            (" 60 ", MINUTE),
            ("PT15M", timedelta(minutes=15)),
            ("P1D", timedelta(days=1)),
            ("P1DT1H", timedelta(hours=25)),
            ("00:15:00", timedelta(minutes=15)),
            ("1 day, 00:00:01", timedelta(days=1, seconds=1)),
            ("null", None),
            ("none", None),
            ("None", None),
            ("NULL", None),
        ],
    )
    @pytest.mark.parametrize("field", ["JWT_ACCESS_TOKEN_EXPIRES", "JWT_REFRESH_TOKEN_EXPIRES"])
    def test_the_environment_may_spell_a_lifetime_so(self, monkeypatch, field, text, expected):
        monkeypatch.setenv(field, text)
        assert getattr(AuthXConfig(), field) == expected

    @pytest.mark.parametrize("text", ["soon", "15m", "1e3", "nan", "inf", "0x10"])
    def test_the_environment_may_not_spell_a_lifetime_so(self, monkeypatch, text):
        monkeypatch.setenv("JWT_ACCESS_TOKEN_EXPIRES", text)
        with pytest.raises(BadConfigurationError, match="JWT_ACCESS_TOKEN_EXPIRES"):
            AuthXConfig()

    @pytest.mark.parametrize("text", ["null", "none"])
    def test_a_duration_that_has_to_be_there_cannot_be_none(self, monkeypatch, text):
        monkeypatch.setenv("JWT_IMPLICIT_REFRESH_DELTATIME", text)
        with pytest.raises(BadConfigurationError, match="JWT_IMPLICIT_REFRESH_DELTATIME"):
            AuthXConfig()

    def test_a_duration_that_has_to_be_there_may_be_bare_seconds(self, monkeypatch):
        monkeypatch.setenv("JWT_IMPLICIT_REFRESH_DELTATIME", "60")
        assert AuthXConfig().JWT_IMPLICIT_REFRESH_DELTATIME == MINUTE

    @pytest.mark.parametrize("value", [MINUTE, 60, 60.0, "PT1M", "00:01:00", "60"])
    def test_a_keyword_may_give_a_lifetime_so(self, value):
        assert AuthXConfig(JWT_ACCESS_TOKEN_EXPIRES=value).JWT_ACCESS_TOKEN_EXPIRES == MINUTE


class TestSequences:
    def test_the_environment_spells_them_as_json(self, monkeypatch):
        monkeypatch.setenv("JWT_TOKEN_LOCATION", '["cookies", "headers"]')
        assert AuthXConfig().JWT_TOKEN_LOCATION == ["cookies", "headers"]

    @pytest.mark.parametrize(
        ("field", "text", "expected"),
        [
            ("JWT_TOKEN_LOCATION", "cookies", ["cookies"]),
            ("JWT_TOKEN_LOCATION", "headers,cookies", ["headers", "cookies"]),
            ("JWT_TOKEN_LOCATION", " headers , cookies, ", ["headers", "cookies"]),
            ("JWT_REFRESH_TOKEN_LOCATION", "cookies,json", ["cookies", "json"]),
            ("JWT_CSRF_METHODS", "POST, PUT", ["POST", "PUT"]),
            (
                "JWT_CSRF_TRUSTED_ORIGINS",
                "https://a.example, https://b.example:8443",
                ["https://a.example", "https://b.example:8443"],
            ),
            ("JWT_DECODE_ALGORITHMS", "HS256,HS512", ["HS256", "HS512"]),
            ("JWT_IMPLICIT_REFRESH_ROUTE_EXCLUDE", "/a,/b", ["/a", "/b"]),
            ("JWT_DECODE_AUDIENCE", "us, you", ["us", "you"]),
            ("JWT_DECODE_AUDIENCE", '["us,you"]', ["us,you"]),
            ("JWT_ENCODE_AUDIENCE", " us ", "us"),
        ],
    )
    def test_the_environment_separates_them_by_commas(self, monkeypatch, field, text, expected):
        monkeypatch.setenv(field, text)
        assert getattr(AuthXConfig(), field) == expected

    @pytest.mark.parametrize("text", ['["cookies"', "[cookies]", '["body"]', "[1]", "body", "cookies;headers"])
    @pytest.mark.parametrize(
        "field", ["JWT_TOKEN_LOCATION", "JWT_REFRESH_TOKEN_LOCATION", "JWT_CSRF_METHODS", "JWT_DECODE_ALGORITHMS"]
    )
    def test_a_list_that_cannot_be_read_is_refused_with_the_form_that_can(self, monkeypatch, field, text):
        monkeypatch.setenv(field, text)
        with pytest.raises(BadConfigurationError, match=rf"^{field} in the environment.* such as {field}=\w+,\w+,"):
            AuthXConfig()

    def test_none_is_null_where_there_may_be_none(self, monkeypatch):
        monkeypatch.setenv("JWT_REFRESH_TOKEN_LOCATION", "null")
        assert AuthXConfig().JWT_REFRESH_TOKEN_LOCATION is None

    @pytest.mark.parametrize("field", ["JWT_DECODE_AUDIENCE", "JWT_ENCODE_AUDIENCE"])
    @pytest.mark.parametrize(("text", "expected"), [("us", "us"), ('["us", "you"]', ["us", "you"]), ("{us}", "{us}")])
    def test_an_audience_is_text_or_a_json_array(self, monkeypatch, field, text, expected):
        monkeypatch.setenv(field, text)
        assert getattr(AuthXConfig(), field) == expected

    def test_an_audience_that_begins_like_an_array_has_to_be_one(self, monkeypatch):
        monkeypatch.setenv("JWT_DECODE_AUDIENCE", "[us")
        with pytest.raises(BadConfigurationError, match="JWT_DECODE_AUDIENCE"):
            AuthXConfig()


class TestTypes:
    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("JWT_ALGORITHM", "none"),
            ("JWT_ALGORITHM", "hs256"),
            ("JWT_DECODE_ALGORITHMS", ["none"]),
            ("JWT_TOKEN_LOCATION", "headers"),
            ("JWT_TOKEN_LOCATION", {"headers"}),
            ("JWT_TOKEN_LOCATION", ["body"]),
            ("JWT_REFRESH_TOKEN_LOCATION", ["body"]),
            ("JWT_CSRF_METHODS", ["post"]),
            ("JWT_CSRF_METHODS", "POST"),
            ("JWT_CSRF_TRUSTED_ORIGINS", "https://front.example"),
            ("JWT_COOKIE_SAMESITE", "Lax"),
            ("JWT_COOKIE_SECURE", "always"),
            ("JWT_HEADER_TYPE", None),
            ("JWT_ERROR_STATUS", "AuthX"),
            ("JWT_MAX_TOKEN_BYTES", 255),
            ("JWT_MAX_TOKEN_BYTES", -1),
            ("JWT_TOKEN_CACHE_SIZE", -1),
        ],
    )
    def test_a_value_of_a_wrong_type_or_range_is_refused(self, field, value):
        with pytest.raises(ValidationError, match=field):
            AuthXConfig(**{field: value})

    @pytest.mark.parametrize("text", ["maybe", "2"])
    def test_a_text_that_is_no_boolean_is_refused(self, monkeypatch, text):
        monkeypatch.setenv("JWT_COOKIE_CSRF_PROTECT", text)
        with pytest.raises(BadConfigurationError, match=r"JWT_COOKIE_CSRF_PROTECT.*write true or false"):
            AuthXConfig()

    @pytest.mark.parametrize(("text", "expected"), [("auto", "auto"), ("true", True), ("0", False), ("off", False)])
    def test_secure_is_a_boolean_or_auto(self, monkeypatch, text, expected):
        monkeypatch.setenv("JWT_COOKIE_SECURE", text)
        assert AuthXConfig().JWT_COOKIE_SECURE is expected or expected == AuthXConfig().JWT_COOKIE_SECURE
