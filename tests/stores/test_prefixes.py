"""How the names of tables, channels and keys begin."""

import re
from enum import Enum, StrEnum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authx.exceptions import BadConfigurationError
from authx.stores import open_store
from authx.stores.postgresql import PostgreSQLStore
from authx.stores.prefixes import namespace_prefix, require_prefix
from authx.stores.redis import RedisStore
from authx.stores.sqlite import SQLiteStore

PREFIXES = st.from_regex(r"[a-z](_?[a-zA-Z0-9]){0,14}_?", fullmatch=True)
BAD = {
    "a digit first": "1a_",
    "a hyphen": "a-b",
    "nothing": "",
    "a letter of another alphabet": "ä_",
    "a space": "a b",
    "too long": "x" * 33,
    "SQL": "a;DROP TABLE x;--",
    "braces": "{a}_",
    "a colon": "app:auth:",
    "a line break": "a\n",
    "what begins a login type": "authx__admin_",
    "bytes": b"authx_",
    "no text": 5,
}


@pytest.mark.parametrize("prefix", BAD.values(), ids=BAD)
def test_a_prefix_that_is_not_safe_is_refused_on_every_way(prefix, tmp_path):
    for make in (
        lambda: SQLiteStore(tmp_path / "auth.db", prefix=prefix),
        lambda: PostgreSQLStore("postgresql://host/app", prefix=prefix),
        lambda: RedisStore("redis://host", prefix=prefix),
        *(
            lambda url=url: open_store(url, prefix)
            for url in ("memory://", "sqlite:///a.db", "redis://h", "redis+cluster://h")
        ),
    ):
        with pytest.raises(BadConfigurationError, match="JWT_STORE_PREFIX"):
            make()


def test_a_short_login_type_can_be_read_in_the_names():
    assert namespace_prefix("authx_", "admin") == "authx__admin_"
    assert re.fullmatch(r"authx__superuse_[0-9a-f]{16}_", namespace_prefix("authx_", "super-user"))
    assert re.fullmatch(r"authx__x_[0-9a-f]{16}_", namespace_prefix("authx_", "管理"))


def test_the_members_of_an_enumeration_are_named_by_their_text():
    class Kind(StrEnum):
        ADMIN = "admin"

    class Old(str, Enum):  # noqa: UP042 - the kind is meant
        ADMIN = "admin"

    for member in (Kind.ADMIN, Old.ADMIN):
        assert namespace_prefix("authx_", member) == "authx__admin_"


@given(PREFIXES, st.lists(st.text(), min_size=1, max_size=3))
def test_the_names_of_a_namespace_are_safe_and_not_too_long(prefix, names):
    made = prefix
    for name in names:
        made = namespace_prefix(made, name)
    assert re.fullmatch(r"[a-z][a-zA-Z0-9_]*_", made)
    # PostgreSQL cuts what is longer than 63, and the longest name that follows has 19.
    assert len(made) <= 40
    assert require_prefix(made) == made
    with pytest.raises(BadConfigurationError):
        require_prefix(str.__str__(made))


@given(st.sets(st.tuples(PREFIXES, st.text(alphabet="aA1_-é", max_size=40)), min_size=2))
def test_no_two_namespaces_have_one_name(pairs):
    made = [namespace_prefix(prefix, name).lower() for prefix, name in pairs]
    folded = {(prefix.lower(), name) for prefix, name in pairs}
    assert len(set(made)) >= len(folded)


def test_a_namespace_of_a_namespace_is_none_of_another_name():
    inner = namespace_prefix(namespace_prefix("authx_", "a"), "b")
    assert inner not in {namespace_prefix("authx_", name) for name in ("ab", "a_b", "a__b", "a_", "a__b_")}
