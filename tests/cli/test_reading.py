"""Taking a token apart: what can be read, and what is said of what cannot."""

import pytest

from authx import AuthX, AuthXConfig
from authx.cli.reading import UnreadableTokenError, read

from .conftest import SECRET

TOKEN = AuthX(AuthXConfig(JWT_SECRET_KEY=SECRET)).create_access_token("anna")
HEADER, PAYLOAD, SIGNATURE = TOKEN.split(".")
EMPTY = "e30"  # {}


@pytest.mark.parametrize(
    "text",
    [
        TOKEN,
        f"  {TOKEN}\n",
        f"Bearer {TOKEN}",
        f"bearer   {TOKEN}\r\n",
        f"Authorization: Bearer {TOKEN}",
        f"authorization:{TOKEN}",
    ],
)
def test_what_stands_around_a_token_does_not_matter(text):
    parts = read(text, 8192)
    assert parts.raw == TOKEN.encode()
    assert (parts.header["alg"], parts.claims["sub"]) == ("HS256", "anna")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "the input is empty"),
        ("  \n", "the input is empty"),
        ("Bearer ", "has 1"),
        ("nonsense", "has 1"),
        (f"{HEADER}.{PAYLOAD}", "has 2"),
        (f"{TOKEN}.{TOKEN}", "has 6"),
        (f"{TOKEN}.x.y", "encrypted"),
        (f'"{TOKEN}"', "quotes"),
        (f"{HEADER}.{PAYLOAD}.{SIGNATURE}=", "its signature is not base64url: it holds the padding ="),
        (f"{HEADER}.{PAYLOAD}.{SIGNATURE[:-2]}+/", "its signature is not base64url: it holds the character '+'"),
        (f"{HEADER}.{PAYLOAD[:9]} {PAYLOAD[9:]}.{SIGNATURE}", "its payload is not base64url: it holds a space"),
        (f"{HEADER}.{PAYLOAD[:9]}\n{PAYLOAD[9:]}.{SIGNATURE}", "its payload is not base64url: it holds a line break"),
        (f"{HEADER}.{PAYLOAD}.{SIGNATURE[:-2]}", "its signature is not base64url: it ends in the middle"),
        (f".{PAYLOAD}.{SIGNATURE}", "its header is empty"),
        (f"{HEADER}..{SIGNATURE}", "its payload is empty"),
        (f"W10.{PAYLOAD}.{SIGNATURE}", "its header is JSON, but no object"),
        (f"{HEADER}.Ingi.{SIGNATURE}", "its payload is JSON, but no object"),
        (f"AAAA.{PAYLOAD}.{SIGNATURE}", "its header is no strict JSON object: it cannot be read"),
        (f"{HEADER}._w.{SIGNATURE}", "its payload is no strict JSON object: it cannot be read"),
        # {"a":1,"a":2}
        (f"{HEADER}.eyJhIjoxLCJhIjoyfQ.{SIGNATURE}", "its payload is no strict JSON object: a name occurs in it twice"),
        ("x" * 9000, "it has 9,000 characters"),
        ("\ufffd\ufffd", "has 1"),
    ],
    # Its signature is another one each time.
    ids=lambda one: None if len(one) < 40 or " " in one else f"{len(one)} characters",
)
def test_a_text_that_is_no_token_is_told_why(text, reason):
    with pytest.raises(UnreadableTokenError) as refused:
        read(text, 8192)
    assert reason in str(refused.value)
    assert PAYLOAD not in str(refused.value)


def test_a_token_without_claims_can_be_read():
    assert read(f"{HEADER}.{EMPTY}.{SIGNATURE}", 8192).claims == {}
