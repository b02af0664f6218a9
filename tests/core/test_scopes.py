"""Scope matching, as the tables of the compatibility contract have it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authx.core.scopes import has_required_scopes, match_scope

WORDS = st.text("ab:*", max_size=8)


@pytest.mark.parametrize(
    ("required", "granted", "covers"),
    [
        ("read", "read", True),
        ("read", "write", False),
        ("users:read", "users:read", True),
        ("users:read", "users:*", True),
        ("users", "users:*", True),
        ("users:a:b", "users:*", True),
        ("users:a", "users:a:*", True),
        ("users:b", "users:a:*", False),
        ("usersx", "users:*", False),
        ("users:read:x", "users:read", False),
        ("Users:read", "users:read", False),
        ("users:*", "users:*", True),
        ("users:*", "users:read", False),
        ("admin:*", "admin", False),
        ("admin:*", "admin:users:*", False),
        ("admin:users:*", "admin:*", True),
        ("read", "*", False),
        ("*", "*", True),
        ("users:read", "*", False),
        ("users:read", "*:read", False),
        ("users:read", "users*", False),
        ("users:read", "admin:*", False),
        (" read", "read", False),
        ("read ", "read", False),
        ("users:", "users:*", True),
        ("", ":*", True),
        ("users", ":*", False),
    ],
)
def test_a_granted_scope_covers_itself_and_what_is_below_its_wildcard(required, granted, covers):
    assert match_scope(required, granted) is covers


@pytest.mark.parametrize(
    ("required", "granted", "with_all", "with_any"),
    [
        ([], None, True, True),
        ([], [], True, False),
        ([], ["a"], True, False),
        (["a"], None, False, False),
        (["a"], [], False, False),
        (["a", "b"], ["a"], False, True),
        (["a", "b"], ["b", "a"], True, True),
        (["admin:users", "posts:read"], ["admin:*", "posts:*"], True, True),
        (["admin:users", "posts:read"], ["admin:*"], False, True),
        (["a", "b"], ["c"], False, False),
    ],
)
def test_all_required_scopes_are_needed_or_any_one(required, granted, with_all, with_any):
    assert has_required_scopes(required, granted) is with_all
    assert has_required_scopes(required, granted, all_required=False) is with_any


@given(WORDS, WORDS)
def test_a_scope_without_a_wildcard_covers_itself_alone(required, granted):
    if not granted.endswith(":*"):
        assert match_scope(required, granted) is (required == granted)


@given(WORDS)
def test_every_scope_covers_itself(scope):
    assert match_scope(scope, scope)


@given(WORDS, WORDS, WORDS)
def test_a_wider_scope_covers_all_that_a_narrower_one_covers(a, b, c):
    if match_scope(a, b) and match_scope(b, c):
        assert match_scope(a, c)
