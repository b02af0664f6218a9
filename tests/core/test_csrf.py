"""CSRF values: derived from the session's, compared as bytes, and nothing equals no value."""

import base64
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authx.core.csrf import access_value, same_value


def test_the_access_value_is_the_hash_of_the_sessions():
    digest = hashlib.sha256(b"session-value:access").digest()
    assert access_value("session-value") == base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def test_no_session_value_gives_no_access_value():
    assert access_value("") == ""


def test_the_access_value_does_not_tell_the_sessions():
    assert access_value("x") != "x"
    assert access_value("x") != access_value("y")


@given(st.text(st.characters(codec="utf-8"), min_size=1))
def test_a_value_equals_itself(value):
    assert same_value(value, value)


@given(st.text(st.characters()), st.text(st.characters()))
def test_only_equal_values_are_the_same(expected, given_value):
    assert same_value(expected, given_value) is (bool(expected) and expected == given_value)


@pytest.mark.parametrize(
    ("expected", "sent"),
    [
        ("", ""),
        ("", "x"),
        ("value", ""),
        ("value", "value "),
        ("value", "Value"),
        ("value", "value\0"),
        ("value", "\xe9"),
        ("value", "\ud800"),
        ("value", "\U0001f600" * 1000),
        ("é", "\xc3\xa9"),
        ("value", "v" * 2**20),
    ],
    ids=ascii,
)
def test_any_other_value_is_refused_without_an_error(expected, sent):
    assert same_value(expected, sent) is False
