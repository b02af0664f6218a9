"""Cookies as lines: the attributes they are set with are the ones they are deleted with."""

from http.cookies import SimpleCookie

import pytest

from authx.core.cookies import MAX_BYTES, Cookie, CookiePair

TOKEN = Cookie(name="access", path="/app", domain="example.com", same_site="strict", http_only=True)
PLAIN = Cookie(name="csrf", path="/", domain=None, same_site=None, http_only=False)


def attributes(line: bytes) -> set[str]:
    return set(line.decode().split("; ")[1:])


def test_a_cookie_is_set_with_every_attribute_it_has():
    line = TOKEN.header("a.b.c", max_age=60, secure=True)
    assert line.startswith(b"access=a.b.c; ")
    assert attributes(line) == {
        "Domain=example.com",
        "HttpOnly",
        "Max-Age=60",
        "Path=/app",
        "SameSite=strict",
        "Secure",
    }


def test_a_cookie_is_set_without_the_attributes_it_does_not_have():
    assert PLAIN.header("v", max_age=None, secure=False) == b"csrf=v; Path=/"


def test_a_lifetime_of_zero_is_a_lifetime():
    assert b"Max-Age=0" in PLAIN.header("v", max_age=0, secure=False)


@pytest.mark.parametrize("cookie", [TOKEN, PLAIN])
@pytest.mark.parametrize("secure", [True, False])
def test_a_cookie_is_deleted_with_the_attributes_it_was_set_with(cookie, secure):
    set_with = attributes(cookie.header("v", max_age=None, secure=secure))
    deleted_with = attributes(cookie.deletion(secure=secure))
    assert deleted_with - set_with == {"Max-Age=0", "expires=Thu, 01 Jan 1970 00:00:00 GMT"}
    assert set_with <= deleted_with


def test_a_deletion_is_understood_by_a_cookie_parser():
    morsel = SimpleCookie(TOKEN.deletion(secure=True).decode())["access"]
    assert (morsel.value, morsel["max-age"], morsel["path"]) == ("", "0", "/app")


def test_a_cookie_of_the_greatest_size_is_set():
    value = "x" * (MAX_BYTES - len("access"))
    assert TOKEN.header(value, max_age=None, secure=True).startswith(b"access=xxx")


def test_a_cookie_that_browsers_would_drop_is_refused():
    with pytest.raises(ValueError, match="access"):
        TOKEN.header("x" * (MAX_BYTES - len("access") + 1), max_age=None, secure=True)


@pytest.mark.parametrize(
    "value", ["a;b", "a b", "a,b", 'a"b', "a\\b", "a\r\nSet-Cookie: x=y", "a\0", "é", "\x7f", "a\tb"], ids=ascii
)
def test_a_value_that_would_break_the_line_is_refused(value):
    with pytest.raises(ValueError) as refusal:
        TOKEN.header(value, max_age=None, secure=True)
    assert value not in str(refusal.value)


def test_a_pair_sets_and_deletes_both_cookies():
    pair = CookiePair(TOKEN, PLAIN)
    assert [line.split(b"=")[0] for line in pair.headers("t", "c", max_age=1, secure=True)] == [b"access", b"csrf"]
    assert [line.split(b"=")[0] for line in pair.deletions(secure=True)] == [b"access", b"csrf"]


def test_a_pair_without_a_csrf_cookie_sets_and_deletes_one():
    pair = CookiePair(TOKEN, None)
    assert len(pair.headers("t", "c", max_age=None, secure=True)) == 1
    assert len(pair.deletions(secure=True)) == 1
