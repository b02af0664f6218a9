"""What runs on a store follows its settings."""

import asyncio
from datetime import timedelta

import pytest
from fastapi import Response
from tests.settings.observations import request_with
from tests.support.apps import SECRET, make_auth

from authx import AuthX, AuthXConfig
from authx.exceptions import BadConfigurationError, RefreshReusedError


class TestSessionSettings:
    """What runs on a store follows its settings too."""

    @pytest.fixture
    def url(self, tmp_path):
        return f"sqlite:///{tmp_path}/sessions.db"

    def test_a_store_assigned_after_construction_is_used(self, url):
        auth = make_auth()

        async def use():
            auth.config.JWT_STORE_URL = url
            await auth.open()
            sessions = await auth.list_sessions("alice")
            await auth.close()
            return sessions

        assert asyncio.run(use()) == []

    def test_the_grace_period_assigned_after_construction_is_kept(self, url):
        auth = make_auth(JWT_STORE_URL=url)

        async def use():
            token = auth.create_refresh_token("alice")
            await auth.refresh(request_with(token), Response())
            auth.config.JWT_REFRESH_GRACE_PERIOD = timedelta(0)
            try:
                await auth.refresh(request_with(token), Response())
            finally:
                await auth.close()

        with pytest.raises(RefreshReusedError):
            asyncio.run(use())

    def test_the_way_of_checking_assigned_after_construction_is_taken(self, url):
        auth = make_auth(JWT_STORE_URL=url)

        async def use():
            token = auth.create_access_token("alice")
            await auth.open()
            await auth.revoke_all_sessions("alice")
            auth.config.JWT_REVOCATION_CHECK = "none"
            payload = await auth.access_token_required(request_with(token))
            await auth.close()
            return payload.sub

        assert asyncio.run(use()) == "alice"

    def test_what_ran_with_the_former_settings_runs_no_longer(self, url, tmp_path):
        auth = make_auth(JWT_STORE_URL=url)

        async def use():
            await auth.open()
            before = asyncio.all_tasks()
            auth.load_config(AuthXConfig(JWT_SECRET_KEY=SECRET, JWT_STORE_URL=f"sqlite:///{tmp_path}/other.db"))
            await auth.open()
            await auth.close()
            await asyncio.sleep(0)
            return [task for task in before if not task.done()]

        # The one that asks.
        assert len(asyncio.run(use())) == 1

    @pytest.mark.parametrize(
        ("field", "value", "advice"),
        [
            ("JWT_REFRESH_GRACE_PERIOD", timedelta(minutes=6), "0 to 5 minutes"),
            ("JWT_REFRESH_GRACE_PERIOD", timedelta(seconds=-1), "0 to 5 minutes"),
            ("JWT_SESSION_MAX_AGE", timedelta(0), "longer than 0"),
            ("JWT_REVOCATION_POLL_INTERVAL", timedelta(0), "longer than 0"),
            ("JWT_REVOCATION_MAX_STALENESS", timedelta(seconds=1), "two JWT_REVOCATION_POLL_INTERVAL"),
        ],
    )
    def test_durations_that_cannot_work_are_refused(self, field, value, advice):
        with pytest.raises(BadConfigurationError, match=advice):
            AuthXConfig(**{field: value})

    @pytest.mark.parametrize(
        ("fields", "advice"),
        [
            ({"JWT_STORE_URL": "sessions.db"}, "scheme"),
            ({"JWT_STORE_URL": "mongodb://user:hunter2@host/"}, "scheme"),
            ({"JWT_STORE_URL": "sqlite:///:memory:"}, "memory://"),
            ({"JWT_STORE_URL": "sqlite:///a.db", "JWT_STORE_PREFIX": "a-b"}, "JWT_STORE_PREFIX"),
            ({"JWT_STORE_URL": "sqlite:///a.db", "JWT_STORE_PREFIX": "1a"}, "JWT_STORE_PREFIX"),
            ({"JWT_STORE_URL": "sqlite:///a.db", "JWT_STORE_PREFIX": ""}, "JWT_STORE_PREFIX"),
        ],
        ids=str,
    )
    def test_a_store_that_cannot_be_is_refused_when_the_instance_is_made(self, fields, advice):
        config = AuthXConfig(JWT_SECRET_KEY=SECRET, **fields)
        with pytest.raises(BadConfigurationError, match=advice) as refusal:
            AuthX(config=config)
        assert "hunter2" not in str(refusal.value)

    def test_the_password_of_a_store_is_in_no_text_about_the_settings(self):
        config = AuthXConfig(JWT_STORE_URL="postgresql://user:hunter2@host/db")
        assert "hunter2" not in f"{config!r} {config}"
