"""Any bytes at all get an answer, and never an exception."""

import json

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tests.support.asgi import knock

from .doors import door
from .forge import CSRF, access
from .rows import GOOD, REFRESH

BYTES = st.binary(max_size=60)
MUTATED = st.builds(
    lambda place, bit, raw: raw[:place] + bytes([raw[place] ^ 1 << bit]) + raw[place + 1 :],
    st.integers(0, len(GOOD) - 1),
    st.integers(0, 7),
    st.just(GOOD),
)
TOKEN = st.one_of(BYTES, MUTATED, st.sampled_from([GOOD, REFRESH, b"", b"..", access(exp=0)]))
AUTHORIZATION = st.one_of(
    BYTES, st.builds(bytes.__add__, st.sampled_from([b"Bearer ", b"bearer  ", b"Bearer\t", b"Basic "]), TOKEN)
)
COOKIES = st.one_of(
    BYTES,
    st.lists(
        st.builds(
            lambda name, value, end: name + b"=" + value + end,
            st.sampled_from([b"access_token_cookie", b"refresh_token_cookie", b"csrf_access_token", b"x"]),
            TOKEN,
            st.sampled_from([b"; ", b";", b"", b"="]),
        ),
        max_size=3,
    ).map(b"".join),
)
BODIES = st.one_of(
    BYTES,
    TOKEN.map(lambda raw: b'{"access_token":"' + raw + b'"}'),
    TOKEN.map(lambda raw: b"csrf_token=" + raw),
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(st.characters(), max_size=9),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["access_token", "a"]), inner),
        max_leaves=6,
    ).map(lambda value: json.dumps(value).encode()),
)
TYPES = st.sampled_from(
    [b"application/json", b"application/x-www-form-urlencoded", b"multipart/form-data; boundary=x", b"\xff"]
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    name=st.sampled_from(["plain", "cookies", "everywhere", "form", "json", "query", "origins", "no scheme"]),
    place=st.sampled_from([("GET", "/p"), ("POST", "/p"), ("POST", "/r"), ("GET", "/found"), ("GET", "/fresh")]),
    authorization=st.lists(AUTHORIZATION, max_size=2),
    cookie=st.lists(COOKIES, max_size=2),
    csrf=st.lists(st.one_of(BYTES, st.just(CSRF.encode())), max_size=2),
    origin=st.lists(st.one_of(BYTES, st.just(b"https://front.example")), max_size=1),
    content_type=TYPES,
    body=BODIES,
    query=st.one_of(BYTES, TOKEN.map(lambda raw: b"token=" + raw)),
)
@example(
    "everywhere",
    ("POST", "/p"),
    [b"Bearer \xff"],
    [b"access_token_cookie=\xff"],
    [b"\xff"],
    [],
    b"application/json",
    b'{"access_token":"\\ud800"}',
    b"token=%ED%A0%80",
)
def test_arbitrary_bytes_get_an_answer_and_never_an_exception(
    name, place, authorization, cookie, csrf, origin, content_type, body, query
):
    method, path = place
    sent = [("Authorization", value) for value in authorization]
    sent += [("Cookie", value) for value in cookie]
    sent += [("X-CSRF-TOKEN", value) for value in csrf]
    sent += [("Origin", value) for value in origin]
    answer = knock(door(name), path, method, [*sent, ("Content-Type", content_type)], body, query)
    assert answer.raised is None
    assert answer.status in (200, 400, 401, 403)
    everything = b"\n".join([*authorization, *cookie, body, query])
    if answer.status == 200 and path != "/found":
        assert GOOD in everything or REFRESH in everything
