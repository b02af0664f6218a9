"""No text about settings shows a secret."""

import logging

import pytest
from pydantic import ValidationError
from tests.settings.pems import pem
from tests.support.apps import SECRET

from authx import AuthX, AuthXConfig
from authx.exceptions import BadConfigurationError

SECRETS = ["JWT_SECRET_KEY", "JWT_PREVIOUS_SECRET_KEY", "JWT_PRIVATE_KEY"]


class TestMasking:
    @pytest.mark.parametrize("field", SECRETS)
    def test_a_secret_reads_as_it_was_given(self, field):
        assert getattr(AuthXConfig(**{field: SECRET}), field) == SECRET

    @pytest.mark.parametrize("field", SECRETS)
    @pytest.mark.parametrize(
        "write",
        [
            repr,
            str,
            "{}".format,
            lambda config: " ".join(map(repr, config.__rich_repr__())),
            lambda config: " ".join(map(str, config.__pretty__(repr))),
            lambda config: repr(AuthX(config=config)),
            lambda config: repr(vars(AuthX(config=config))),
        ],
        ids=["repr", "str", "format", "rich", "pretty", "an instance", "an instance's attributes"],
    )
    def test_a_secret_is_in_no_text_about_the_settings(self, field, write):
        config = AuthXConfig(**{field: SECRET})
        if field == "JWT_PRIVATE_KEY":
            config.JWT_SECRET_KEY = "x" * 32
        assert SECRET not in write(config)

    def test_it_can_be_seen_that_a_secret_is_there(self):
        assert "JWT_SECRET_KEY='**********'" in repr(AuthXConfig(JWT_SECRET_KEY=SECRET))
        assert "JWT_SECRET_KEY=None" in repr(AuthXConfig())

    @pytest.mark.parametrize("field", SECRETS)
    def test_a_secret_of_a_wrong_type_is_not_in_the_error(self, field):
        with pytest.raises(ValidationError) as refusal:
            AuthXConfig(**{field: [SECRET]})
        assert SECRET not in str(refusal.value)

    def test_a_secret_is_not_in_the_error_about_another_field(self, monkeypatch):
        monkeypatch.setenv("JWT_SECRET_KEY", SECRET)
        with pytest.raises(ValidationError) as refusal:
            AuthXConfig(JWT_COOKIE_SAMESITE="Lax", JWT_PREVIOUS_SECRET_KEY=SECRET)
        assert SECRET not in str(refusal.value)

    def test_a_secret_is_not_in_the_error_about_a_misspelt_keyword(self):
        with pytest.raises(ValidationError) as refusal:
            AuthXConfig(JWT_SECRETKEY=SECRET)
        assert SECRET not in str(refusal.value)

    def test_a_key_that_cannot_be_read_is_not_in_the_error(self):
        broken = pem("one").replace("\n", "\nq", 3)
        inside = broken.splitlines()[2]
        with pytest.raises(BadConfigurationError) as refusal:
            AuthX(config=AuthXConfig(JWT_ALGORITHM="ES256", JWT_PRIVATE_KEY=broken))
        assert inside not in str(refusal.value)
        # Nor in the errors it came from, which a traceback would show.
        assert refusal.value.__cause__ is None
        assert refusal.value.__suppress_context__

    def test_a_pem_key_in_place_of_a_secret_is_not_in_the_error(self):
        with pytest.raises(BadConfigurationError) as refusal:
            AuthXConfig(JWT_SECRET_KEY=pem("one"))
        assert pem("one").splitlines()[1] not in str(refusal.value)

    def test_a_short_secret_is_logged_once_without_the_secret(self, caplog):
        with caplog.at_level(logging.DEBUG, logger="authx"):
            AuthX(config=AuthXConfig(JWT_SECRET_KEY="short-secret")).create_access_token("alice")
        warnings = [record for record in caplog.records if record.name.startswith("authx")]
        assert [record.levelno for record in warnings] == [logging.WARNING]
        assert "short-secret" not in caplog.text
        assert "12 bytes" in caplog.text

    def test_a_secret_of_32_bytes_is_not_warned_of(self, caplog):
        AuthX(config=AuthXConfig(JWT_SECRET_KEY="x" * 32)).create_access_token("alice")
        assert caplog.records == []
