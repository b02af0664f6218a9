"""A token goes to the server it is for, and to nobody else."""

import pytest
from tests.clients.fake import BASE, LOGIN, PAIR

ANNA = {"username": "anna", "password": "a pass word"}


@pytest.mark.parametrize(
    "url",
    [
        "http://api.test/items",
        "https://api.test:8443/items",
        "https://api.test.evil.test/items",
        "https://evil-api.test/items",
        "https://evil.test/https://api.test/items",
        "https://api.test@evil.test/items",
        "https://test/items",
        "https://xapi.test/items",
    ],
)
def test_another_origin_gets_no_token_and_no_obedience(kind, fake, url):
    fake.script["/items"] = fake.script["/https://api.test/items"] = [LOGIN]
    auth = kind.auth(tokens=PAIR, **ANNA)
    assert kind.get(fake, auth, url).status_code == 401
    assert len(fake.seen) == 1
    assert "authorization" not in fake.seen[0].headers
    assert auth.tokens is PAIR


@pytest.mark.parametrize(
    "url", [f"{BASE}/items", "https://API.TEST/items", "https://api.test:443/items", "https://api.test/items?a=1#b"]
)
def test_the_origin_of_base_gets_the_token_however_it_is_written(kind, fake, url):
    assert kind.get(fake, kind.auth("https://api.test:443/auth/", tokens=PAIR), url).status_code == 200


def test_further_origins_can_be_named(kind, fake):
    auth = kind.auth(tokens=PAIR, origins=["https://b.test", "http://c.test:8000/"])
    urls = ("https://b.test/x", "http://c.test:8000/x", "http://c.test/x", "https://c.test:8000/x")
    fake.script["/x"] = [(200, {})]
    for url in urls:
        kind.get(fake, auth, url)
    assert fake.tokens("/x") == ["access-0", "access-0", None, None]


def test_a_host_in_another_alphabet_is_one_host(kind, fake):
    auth = kind.auth("https://b\u00fccher.test", tokens=PAIR)
    kind.get(fake, auth, "https://xn--bcher-kva.test/items")
    assert fake.tokens("/items") == ["access-0"]


@pytest.mark.parametrize("value", ["Basic dTpw", "Bearer another"])
def test_a_request_with_its_own_authorization_passes_untouched(kind, fake, value):
    fake.script["/items"] = [LOGIN]
    auth = kind.auth(tokens=PAIR, **ANNA)
    assert kind.get(fake, auth, headers={"Authorization": value}).status_code == 401
    assert fake.seen[0].headers["authorization"] == value
    assert len(fake.seen) == 1
    assert auth.tokens is PAIR


def test_a_client_with_its_own_authorization_passes_untouched(kind, fake):
    auth = kind.auth(**ANNA)
    kind.use(fake, auth, lambda client: client.get(f"{BASE}/items"), headers={"Authorization": "Basic dTpw"})
    assert fake.paths() == ["/items"]


def test_the_token_does_not_follow_a_redirect_to_another_origin(kind, fake):
    fake.script["/items"] = [(302, b"", {"Location": "https://evil.test/trap"})]
    fake.script["/trap"] = [(200, {})]
    kind.get(fake, kind.auth(tokens=PAIR), follow_redirects=True)
    assert (fake.tokens("/items"), fake.tokens("/trap")) == (["access-0"], [None])


def test_token_cookies_that_a_client_keeps_are_not_sent_beside_the_header_and_others_are(kind, fake):
    cookies = [
        ("Set-Cookie", "access_cookie=access-1; Path=/"),
        ("Set-Cookie", "refresh_cookie=refresh-1; Path=/"),
        ("Set-Cookie", "route=b; Path=/"),
    ]

    def login(request):
        body = {"access_token": "access-1", "refresh_token": "refresh-1"}
        return kind.library.Response(200, json=body, headers=cookies)

    usual = fake.answer
    fake.answer = lambda request: login(request) if request.url.path == "/login" else usual(request)
    fake.script["/items"] = [(200, {})]
    auth = kind.auth(**ANNA)

    def act(client):
        client.get(f"{BASE}/items")
        return client.get(f"{BASE}/items")

    async def act_async(client):
        await client.get(f"{BASE}/items")
        return await client.get(f"{BASE}/items")

    kind.use(fake, auth, act_async if kind.is_async else act)
    assert fake.seen[-1].headers["cookie"] == "route=b"
