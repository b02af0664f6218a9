"""`authx inspect`, piped and as a text for people."""

import json
import re
import time
from datetime import timedelta

import pytest

from authx import AuthX, AuthXConfig
from authx.token import create_token

from .conftest import SECRET

AUTH = AuthX(AuthXConfig(JWT_SECRET_KEY=SECRET, JWT_TOKEN_LOCATION=["cookies"]))


@pytest.fixture
def with_key(monkeypatch):
    monkeypatch.setenv("JWT_SECRET_KEY", SECRET)


@pytest.mark.parametrize("way", ["argument", "dash", "nothing"])
def test_a_token_is_taken_from_the_command_line_or_from_standard_input(authx, with_key, way):
    token = AUTH.create_access_token("anna")
    arguments = {"argument": [token], "dash": ["-"], "nothing": []}[way]
    done = authx("inspect", *arguments, given=b"" if way == "argument" else f"Bearer {token}\n".encode())
    shown = json.loads(done.out)
    assert (done.code, done.err) == (0, "")
    assert shown["accepted"] is True
    assert shown["signature"]["state"] == "good"
    assert shown["claims"]["sub"] == "anna"


def test_times_are_told_in_words(authx, with_key):
    meaning = json.loads(authx("inspect", AUTH.create_access_token("anna")).out)["meaning"]["claims"]
    assert re.fullmatch(r"expires in 1[45] minutes, at 20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ", meaning["exp"])
    assert "begun" in meaning["sid"]


def test_an_expired_token_is_refused_and_says_since_when(authx, with_key):
    token = AuthX(AUTH.config, clock=lambda: time.time() - 3 * 86_400).create_access_token("anna")
    done = authx("inspect", token, "--table")
    assert done.code == 1
    assert "refused: it expired 2 days ago" in done.out
    assert "signature: good" in done.out


def test_every_known_claim_is_explained(authx, with_key):
    token = AUTH.create_refresh_token("anna", data={"colour": "blue"}, scopes=["posts:read"])
    shown = json.loads(authx("inspect", token).out)
    assert set(shown["claims"]) - set(shown["meaning"]["claims"]) == {"colour"}


@pytest.mark.parametrize("form", ["--json", "--table"])
def test_neither_token_nor_secret_nor_csrf_value_is_ever_shown(authx, with_key, form):
    inner = create_token("ben", SECRET)
    token = AUTH.create_access_token("anna", data={"inner": {"tokens": [inner]}, "url": "redis://:hush@host"})
    csrf = AUTH._runtime.verifier.verify(token.encode(), time.time()).claims["csrf"]
    done = authx("inspect", token, form)
    for part in (*token.split("."), *inner.split(".")[1:], SECRET, csrf, "hush"):
        assert part not in done.out + done.err


def test_what_a_token_says_cannot_drive_the_terminal(authx, with_key):
    token = AUTH.create_access_token("anna", data={"note\x1b[2J": "\x1b[31mred\x9b\u202e[bold]markup[/bold]"})
    for form in ("--json", "--table"):
        out = authx("inspect", token, form).out
        assert "\x1b" not in out
        assert "\x9b" not in out
        assert "\u202e" not in out
    assert "[bold]markup[/bold]" in out


@pytest.mark.parametrize(
    ("token", "reason"),
    [("", "empty"), ("x", "has 1"), ("a.b.c", "not base64url"), ("W10.W10.c2ln", "no object"), ("x" * 8193, "8,193")],
)
def test_what_cannot_be_read_is_a_usage_error_that_says_why(authx, token, reason):
    for done in (authx("inspect", token), authx("inspect", "-", given=token.encode())):
        assert (done.code, done.out) == (2, "")
        assert reason in done.err


def test_bytes_that_are_no_text_are_no_token(authx):
    assert authx("inspect", given=b"\xff\xfe\x00").code == 2


def test_a_forged_token_is_refused(authx, with_key):
    token = AuthX(AuthXConfig(JWT_SECRET_KEY=SECRET[::-1])).create_access_token("anna")
    done = authx("inspect", token, "--table")
    assert done.code == 1
    assert "signature: bad" in done.out


def test_without_a_key_the_signature_is_not_checked(authx):
    done = authx("inspect", AUTH.create_access_token("anna"))
    shown = json.loads(done.out)
    assert done.code == 0
    assert shown["signature"] == {"state": "not checked", "reason": "no key configured"}
    assert shown["accepted"] is None
    assert "not checked (no key configured)" in authx("inspect", AUTH.create_access_token("anna"), "--table").out


def test_the_settings_may_be_those_of_an_instance(authx, folder):
    (folder / "ours.py").write_text(
        "from authx import AuthX, AuthXConfig\n"
        f"auth = AuthX(AuthXConfig(JWT_SECRET_KEY={SECRET!r}, JWT_DECODE_AUDIENCE='us'))\n"
        "print('this is not JSON')\n"
    )
    done = authx("inspect", AUTH.create_access_token("anna", audience="them"), "--auth", "ours:auth")
    assert done.code == 1
    assert [problem["code"] for problem in json.loads(done.out)["problems"]] == ["audience"]


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("JWT_ALGORITHM", "none", "JWT_ALGORITHM in the environment cannot be read (it should be"),
        ("JWT_TOKEN_LOCATION", "cookie", "such as JWT_TOKEN_LOCATION=headers,cookies"),
        ("JWT_TOKEN_LOCATION", '"headers"', "it begins with a quote): remove the quotes, and write"),
        (
            "JWT_IMPLICIT_REFRESH_ROUTE_INCLUDE",
            "[/profile",
            "such as JWT_IMPLICIT_REFRESH_ROUTE_INCLUDE=/profile,/notes",
        ),
        ("JWT_DECODE_LEEWAY", "-1", "JWT_DECODE_LEEWAY is negative"),
    ],
)
def test_settings_that_cannot_work_are_named(authx, monkeypatch, name, value, reason):
    monkeypatch.setenv(name, value)
    done = authx("inspect", AUTH.create_access_token("anna"))
    assert (done.code, done.out) == (2, "")
    assert reason in done.err


def test_a_refresh_token_says_that_it_opens_nothing(authx, with_key):
    out = authx("inspect", AUTH.create_refresh_token("anna", expiry=timedelta(days=9, minutes=1)), "--table").out
    assert "refresh (a refresh token: it is exchanged for new tokens, and opens nothing)" in " ".join(out.split())
    assert "expires in 9 days" in " ".join(out.split())
