"""Every kind of body keeps its type and its bytes, the first time and when it is sent again."""

import re

import pytest
from tests.browser.wire import Answer, refusal
from tests.support.axes import spread

JSON = [("Content-Type", "application/json")]
OK = Answer(200, {}, JSON)
FORM = "(() => { const f = new FormData(); f.set('a', 'ä'); f.set('b', new File(['x\\0y'], 'f.bin')); return f })()"
BODIES = {
    "form": FORM,
    "search": "new URLSearchParams({ a: 'ä b' })",
    "blob with a type": "new Blob(['hi'], { type: 'image/png' })",
    "blob without a type": "new Blob(['hi'])",
    "file": "new File(['hi'], 'f.csv', { type: 'text/csv' })",
    "buffer": "new Uint8Array([0, 255, 10, 13]).buffer",
    "array": "new Uint8Array([0, 255, 10, 13])",
    "view": "new DataView(new Uint8Array([0, 255]).buffer)",
    "text": "'hi ä'",
    "empty text": "''",
    "nothing": "null",
    "object": "new String('an object')",
}
HEADERS = {
    "no headers": "",
    "an object": "headers: { 'X-Mine': '1' },",
    "Headers": "headers: new Headers({ 'X-Mine': '1' }),",
    "pairs": "headers: [['X-Mine', '1']],",
    "a type": "headers: { 'content-type': 'application/x-mine', 'X-Mine': '1' },",
}
REQUESTS = {
    "alone": "(headers, body) => [new Request('/echo', { method: 'POST', ...headers, body })]",
    "with init": "(headers, body) => [new Request('/echo', { method: 'POST', body }), { cache: 'no-store' }]",
    "with other headers": "(headers, body) => [new Request('/echo', { method: 'POST', body }), headers]",
    "with another body": "(more, body) => [new Request('/echo', { method: 'POST', body: 'a' }), { ...more, body }]",
}
REFUSALS = {
    "refresh": refusal(401, "refresh", "token_expired"),
    "retry": refusal(503, "retry", after="0"),
}


def plain(exchange):
    """What came, without the boundary that each form draws anew."""
    kind, body = exchange.headers.get("content-type"), exchange.body
    boundary = re.match(rb"--(----WebKitFormBoundary\w+)\r\n", body)
    if boundary:
        body = body.replace(boundary[1], b"-")
        kind = kind and kind.replace(boundary[1].decode(), "-")
    return exchange.method, kind, body, exchange.headers.get("x-mine")


def sent(tab, wire, call, *answers):
    """Make a call that answers end; give what arrived for it."""
    before = len(wire.exchanges)
    wire.instead["/echo"] = iter(answers)
    assert tab.evaluate(f"{call}.then((answer) => answer.status)") == answers[-1].status
    arrived = [plain(one) for one in wire.exchanges[before:] if one.path == "/echo"]
    assert len(arrived) == len(answers)
    return arrived


# Every body with and without a type that the page gives; in which form it gives headers depends on no body.
@pytest.mark.parametrize(
    ("body", "headers", "wire"),
    [
        *spread(BODIES, ["no headers"], ["memory", "cookies"]),
        *spread(BODIES, ["a type"], ["cookies", "memory"]),
        *spread(["form", "text", "buffer", "nothing"], ["an object", "Headers", "pairs"], ["memory", "cookies"]),
    ],
    indirect=["wire"],
)
def test_it_is_sent_as_fetch_sends_it_and_again_as_the_first_time(tab, wire, body, headers):
    init = f"'/echo', {{ method: 'POST', {HEADERS[headers]} body: {BODIES[body]} }}"
    (expected,) = sent(tab, wire, f"fetch({init})", OK)
    for refused in REFUSALS.values():
        assert sent(tab, wire, f"auth.fetch({init})", refused, OK) == [expected, expected]


@pytest.mark.parametrize(
    ("body", "arguments"),
    [*spread(["form"], REQUESTS), *spread(["search", "blob with a type", "buffer", "text"], REQUESTS)],
)
def test_a_request_object_is_sent_as_fetch_sends_it_and_again_as_the_first_time(tab, wire, body, arguments):
    call = f"(...({REQUESTS[arguments]})({{ headers: {{ 'X-Mine': '1' }} }}, {BODIES[body]}))"
    (expected,) = sent(tab, wire, f"fetch{call}", OK)
    for refused in REFUSALS.values():
        assert sent(tab, wire, f"auth.fetch{call}", refused, OK) == [expected, expected]


@pytest.mark.parametrize("headers", [HEADERS["no headers"], HEADERS["a type"]])
def test_a_stream_is_sent_with_the_type_that_was_given(tab, headers):
    """By a stand-in for the browser's fetch, which sends streams over HTTP/2 only."""
    got = tab.evaluate(
        f"""async () => {{
          const sent = []
          const transport = async (request) => {{
            if (!request.url.endsWith('/upload')) return fetch(request)
            sent.push([request.headers.get('content-type'), request.headers.get('x-mine'), await request.text()])
            return new Response('{{}}')
          }}
          const client = createAuthClient({{ fetch: transport }})
          const body = new Response('in pieces').body
          await client.fetch('/upload', {{ method: 'POST', duplex: 'half', {headers} body }})
          client.destroy()
          return sent
        }}"""
    )
    assert got == [["application/x-mine" if headers else None, "1" if headers else None, "in pieces"]]


@pytest.mark.parametrize(
    ("init", "name", "value"),
    [
        ("{ referrer: '/from' }", "referer", "/from"),
        ("{ referrerPolicy: 'no-referrer' }", "referer", None),
        ("{ headers: { 'X-Mine': '1' }, referrer: '/from' }", "referer", "/from"),
        ("{ cache: 'no-store' }", "cache-control", "no-cache"),
        ("{ credentials: 'same-origin' }", "x-mine", None),
        ("null", "x-mine", None),
    ],
)
def test_other_options_are_kept_too(tab, wire, init, name, value):
    before = len(wire.exchanges)
    wire.instead["/echo"] = iter([REFUSALS["refresh"], OK])
    tab.evaluate(f"auth.fetch('/echo', {init})")
    got = [one.headers.get(name) for one in wire.exchanges[before:] if one.path == "/echo"]
    assert got == [value and (wire.address + value if value.startswith("/") else value)] * 2


@pytest.mark.parametrize("make", ["new Request('/echo', {})", "'/echo', {}"])
def test_a_referrer_policy_of_the_page_and_of_a_request_is_kept(tab, wire, make):
    wire.instead["/echo"] = iter([OK])
    tab.evaluate(f"auth.fetch({make.format('{ referrerPolicy: `origin` }')})")
    assert wire.last("/echo").headers["referer"] == f"{wire.address}/"


def test_a_form_beside_a_header_of_the_page_reaches_the_application(tab):
    form = FORM.replace("'a'", "'text'")
    call = f"auth.fetch('/notes', {{ method: 'POST', body: {form}, headers: {{ 'X-Request-Id': '1' }} }})"
    assert tab.evaluate(f"{call}.then((answer) => answer.json())") == {"sub": "anna", "text": "ä"}
