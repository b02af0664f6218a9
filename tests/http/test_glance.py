"""A glance at the headers never says anything else than a search does: it is the short way, not another one."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authx.exceptions import AuthXException
from authx.http.locations import UNCLEAR, CookieLocation, Found, HeaderLocation, QueryLocation
from authx.http.origins import Origins

HEADER = HeaderLocation("Authorization", "Bearer")
QUERY = QueryLocation("token")


def cookie_location(**changed):
    options = {
        "csrf_cookie": "csrf",
        "csrf_header": "X-CSRF-TOKEN",
        "csrf_field": None,
        "csrf_methods": ["POST"],
        "csrf_protect": True,
        "origins": Origins([], []),
        "body_limit": 1000,
    }
    return CookieLocation("access", **{**options, **changed})


COOKIE = cookie_location()
USUAL = b"a.b.c"
TOKENS = st.just(USUAL) | st.sampled_from(
    [b"", b" a.b.c", b'"a.b.c"', b'a.b.c"', b"a.b.c ", b"a b", b"a,b", b"a=b", b"\ta"]
)
NAMES = st.just(b"access") | st.sampled_from([b"Access", b"xaccess", b"access_x", b"csrf", b" access", b"access "])
PAIRS = st.builds(lambda name, value: name + b"=" + value, NAMES, TOKENS) | st.sampled_from(
    [b"access", b"", b"=access"]
)
GLUE = st.just(b"; ") | st.sampled_from([b";", b" ; "])
COOKIES = st.builds(lambda parts, glue: glue.join(parts), st.lists(PAIRS, min_size=1, max_size=3), GLUE)
SCHEMES = st.just(b"Bearer ") | st.sampled_from([b"bearer ", b"Bearer", b"Bearer  ", b"Bearer\t", b"Basic ", b""])


def some(name, values):
    """None, one or two headers of a name."""
    return st.lists(st.tuples(st.just(name), values), max_size=2)


HEADERS = st.builds(
    lambda *groups: [header for group in groups for header in group],
    some(b"authorization", st.builds(lambda scheme, token: scheme + token, SCHEMES, TOKENS)),
    some(b"cookie", COOKIES),
    some(b"x-csrf-token", st.sampled_from([b"value", b"", b"other", b"\xff"])),
    some(b"origin", st.sampled_from([b"https://api.test", b"https://evil.test"])),
)
SCOPES = st.builds(
    lambda kind, method, headers, query: {
        "type": kind,
        "scheme": "https",
        "method": method,
        "headers": [(b"host", b"api.test"), *headers],
        "query_string": query,
    },
    st.just("http") | st.just("websocket"),
    st.sampled_from(["GET", "POST"]),
    HEADERS,
    st.sampled_from([b"", b"token=a.b.c", b"x=1"]),
)


@pytest.mark.parametrize(
    "place",
    [
        HEADER,
        QUERY,
        COOKIE,
        cookie_location(csrf_protect=False),
        cookie_location(csrf_field="csrf"),
        cookie_location(origins=Origins(["https://api.test"], [])),
    ],
    ids=["header", "query", "cookie", "without CSRF", "with a form", "with origins"],
)
@settings(max_examples=200)
@given(scope=SCOPES, verify_csrf=st.sampled_from([None, True, False]))
def test_a_glance_agrees_with_a_search(place, scope, verify_csrf):
    require_agreement(place, scope, verify_csrf)


@pytest.mark.parametrize(
    "cookies",
    [
        b"xaccess=a.b.c",
        b"x=1; xaccess=a.b.c",
        b"access_x=a.b.c",
        b"x=access=a.b.c",
        b"x=1;access=a.b.c",
        b"access",
        b"access=a.b.c; access=d.e.f",
        b"access=a.b.c; xaccess=1",
    ],
)
def test_a_glance_mistakes_no_other_cookie_for_the_token(cookies):
    scope = {"type": "http", "scheme": "https", "method": "GET", "headers": [(b"cookie", cookies)]}
    require_agreement(COOKIE, scope, None)


def require_agreement(place, scope, verify_csrf):
    glanced = place.glance(scope, verify_csrf)
    # A space or a comma makes it no token: verifying it fails, and then a search says why.
    if glanced is UNCLEAR or (glanced is not None and any(mark in glanced[0] for mark in (b" ", b"\t", b","))):
        return
    found = place.find(scope, verify_csrf)
    if glanced is None:
        assert found is None
    else:
        token, csrf = glanced
        assert found == Found(token, place.name, csrf, csrf_exempt=csrf is None)


@pytest.mark.parametrize(
    ("place", "headers", "glanced"),
    [
        (HEADER, [(b"authorization", b"Bearer a.b.c")], (b"a.b.c", None)),
        (COOKIE, [(b"cookie", b"access=a.b.c; csrf=value"), (b"x-csrf-token", b"value")], (b"a.b.c", "value")),
        (COOKIE, [(b"cookie", b"csrf=value; access=a.b.c"), (b"x-csrf-token", b"value")], (b"a.b.c", "value")),
    ],
)
def test_what_clients_send_every_day_is_clear_at_a_glance(place, headers, glanced):
    scope = {"type": "http", "scheme": "https", "method": "POST", "headers": headers, "query_string": b""}
    assert place.glance(scope, None) == glanced


def test_a_search_refuses_what_a_glance_leaves_to_it():
    scope = {"type": "http", "scheme": "https", "method": "POST", "headers": [(b"cookie", b"access=a; access=b")]}
    assert COOKIE.glance(scope, None) is UNCLEAR
    with pytest.raises(AuthXException):
        COOKIE.find(scope, None)
