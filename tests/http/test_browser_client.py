"""The browser client as the router serves it, and as the package ships it."""

import json
import re
from importlib.resources import files

import minify
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from authx import AuthX, AuthXConfig

FOLDER = files("authx") / "clients" / "browser"
MODULE = (FOLDER / "authx.js").read_text("utf-8")
TYPES = (FOLDER / "authx.d.ts").read_text("utf-8")
MARK = "MARK-of-a-secret-that-nobody-may-see-in-a-public-file"
MEMORY = {"JWT_TOKEN_LOCATION": ["headers"], "JWT_REFRESH_TOKEN_LOCATION": ["cookies"]}


def make_client(paths=None, prefix="/auth", **fields) -> tuple[AuthX, TestClient]:
    auth = AuthX(AuthXConfig(**({"JWT_SECRET_KEY": MARK} | MEMORY | fields)), store="memory://")
    app = FastAPI()
    auth.handle_errors(app)
    app.include_router(auth.router(lambda name, password: None, paths=paths), prefix=prefix)
    return auth, TestClient(app)


def settings_in(script: str) -> dict[str, object]:
    """The settings that a served script has in it."""
    (line,) = re.findall(r"^const served = (.*)$", script, re.MULTILINE)
    base, rest = re.fullmatch(
        r"\{ base: (new URL\('[./]+', import\.meta\.url\)\.href), \.\.\.(\{.*\}) \}", line
    ).groups()
    return {"base": base, **json.loads(rest)}


def test_it_is_javascript_that_caches_ask_about_each_time():
    answer = make_client()[1].get("/auth/client.js")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.text.startswith("// @ts-check")


@pytest.mark.parametrize("form", ["{}", "W/{}", '"other", {}', "*"])
def test_who_has_it_already_is_told_so(form):
    _, client = make_client()
    tag = client.get("/auth/client.js").headers["etag"]
    answer = client.get("/auth/client.js", headers={"If-None-Match": form.format(tag)})
    assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", tag)


def test_who_has_another_one_gets_it():
    _, client = make_client()
    assert client.get("/auth/client.js", headers={"If-None-Match": '"other"'}).status_code == 200


def test_it_is_the_module_of_the_package_with_one_line_changed():
    served = make_client()[1].get("/auth/client.js").text.splitlines()
    shipped = MODULE.splitlines()
    assert len(served) == len(shipped)
    assert [line for line, other in zip(shipped, served, strict=True) if line != other] == [
        "const served = /* settings */ {}"
    ]


def test_no_secret_is_in_it():
    secrets = ["SECRET_KEY", "PREVIOUS_SECRET_KEY", "PRIVATE_KEY", "PUBLIC_KEY"]
    fields = {f"JWT_{name}": MARK for name in secrets}
    fields["JWT_STORE_URL"] = f"redis://user:{MARK}@host"
    script = make_client(**fields)[1].get("/auth/client.js").text
    assert "MARK" not in script
    assert set(settings_in(script)) == {
        "base",
        "paths",
        "header",
        "scheme",
        "csrfHeaders",
        "csrfCookies",
        "csrfMethods",
        "accessCookie",
        "csrfReadable",
        "retryHeader",
    }


def test_renamed_paths_headers_and_cookies_are_in_it():
    settings = settings_in(
        make_client(
            paths={"login": "/sign-in", "refresh": "/again", "logout": "/out", "logout_all": "/out/everywhere"},
            JWT_HEADER_NAME="X-Pass",
            JWT_HEADER_TYPE="",
            JWT_ACCESS_CSRF_HEADER_NAME="X-One",
            JWT_REFRESH_CSRF_HEADER_NAME="X-Two",
            JWT_ACCESS_CSRF_COOKIE_NAME="one",
            JWT_REFRESH_CSRF_COOKIE_NAME="two",
            JWT_CSRF_METHODS=["POST"],
        )[1]
        .get("/auth/client.js")
        .text
    )
    assert settings == {
        "base": "new URL('./', import.meta.url).href",
        "paths": {"login": "sign-in", "refresh": "again", "logout": "out", "logoutAll": "out/everywhere"},
        "header": "X-Pass",
        "scheme": "",
        "csrfHeaders": {"access": "X-One", "refresh": "X-Two"},
        "csrfCookies": {"access": "one", "refresh": "two"},
        "csrfMethods": ["POST"],
        "accessCookie": False,
        "csrfReadable": True,
        "retryHeader": "Idempotency-Key",
    }


@pytest.mark.parametrize(
    ("path", "base"),
    [("/client.js", "./"), ("/assets/authx.js", "../"), ("/a/b/c.mjs", "../../"), ("/client.js/", "../")],
)
def test_it_finds_the_router_from_wherever_it_is_in_it(path, base):
    script = make_client(paths={"client": path})[1].get(f"/auth{path}").text
    assert settings_in(script)["base"] == f"new URL('{base}', import.meta.url).href"


@pytest.mark.parametrize(
    ("fields", "access_cookie", "csrf_readable"),
    [
        ({}, False, True),
        ({"JWT_TOKEN_LOCATION": ["cookies"]}, True, True),
        ({"JWT_TOKEN_LOCATION": ["headers", "cookies"], "JWT_REFRESH_TOKEN_LOCATION": None}, True, True),
        ({"JWT_COOKIE_CSRF_PROTECT": False}, False, False),
        ({"JWT_CSRF_IN_COOKIES": False}, False, False),
        ({"JWT_REFRESH_CSRF_COOKIE_PATH": "/auth"}, False, False),
    ],
)
def test_it_knows_what_it_can_learn_from_cookies(fields, access_cookie, csrf_readable):
    settings = settings_in(make_client(**fields)[1].get("/auth/client.js").text)
    assert (settings["accessCookie"], settings["csrfReadable"]) == (access_cookie, csrf_readable)


def test_a_change_of_settings_is_served_at_once():
    auth, client = make_client()
    before = client.get("/auth/client.js")
    auth.config.JWT_HEADER_NAME = "X-Pass"
    after = client.get("/auth/client.js", headers={"If-None-Match": before.headers["etag"]})
    assert after.status_code == 200
    assert settings_in(after.text)["header"] == "X-Pass"


def test_it_is_no_part_of_the_openapi_document():
    _, client = make_client()
    assert "/auth/client.js" not in client.get("/openapi.json").json()["paths"]


@pytest.mark.parametrize("location", [["headers"], ["headers", "query"], ["json"]])
def test_where_a_page_would_have_to_keep_the_refresh_token_it_is_an_error_that_names_the_setting(location):
    script = make_client(JWT_TOKEN_LOCATION=location, JWT_REFRESH_TOKEN_LOCATION=None)[1].get("/auth/client.js").text
    # Every name is there, or the browser would complain of that.
    assert exports_of(script) == exports_of(MODULE)
    assert "throw new Error(" in script.splitlines()[-1]
    assert "JWT_REFRESH_TOKEN_LOCATION" in script
    assert len(script) < 400


def exports_of(script: str) -> set[str]:
    return set(re.findall(r"^export (?:const|class|function) (\w+)", script, re.MULTILINE))


def test_module_and_types_agree_on_what_is_exported():
    assert exports_of(MODULE) == {"createAuthClient", "AuthError"}
    assert exports_of(TYPES) == exports_of(MODULE)


def test_module_and_types_agree_on_the_methods():
    (interface,) = re.findall(r"^export interface AuthClient \{\n(.*?)^\}", TYPES, re.MULTILINE | re.DOTALL)
    (returned,) = re.findall(r"^  return \{\n(.*?)^  \}", MODULE, re.MULTILINE | re.DOTALL)
    typed = set(re.findall(r"^  (\w+)\(", interface, re.MULTILINE))
    assert typed == {"login", "logout", "logoutAll", "fetch", "session", "onChange", "destroy"}
    assert set(re.findall(r"^    (\w+)[,:(]", returned, re.MULTILINE)) == typed


def test_module_and_types_agree_on_the_options():
    (interface,) = re.findall(r"^export interface AuthClientOptions \{\n(.*?)^\}", TYPES, re.MULTILINE | re.DOTALL)
    (read,) = re.findall(
        r"^  const \{\n(.*?)^  \} = \{ \.\.\.served, \.\.\.options \}", MODULE, re.MULTILINE | re.DOTALL
    )
    typed = set(re.findall(r"^  (\w+)\?:", interface, re.MULTILINE))
    assert {*re.findall(r"^    (\w+)[ :]", read, re.MULTILINE), "paths"} == typed


def test_the_served_settings_are_options():
    (interface,) = re.findall(r"^export interface AuthClientOptions \{\n(.*?)^\}", TYPES, re.MULTILINE | re.DOTALL)
    assert set(settings_in(make_client()[1].get("/auth/client.js").text)) <= set(re.findall(r"(\w+)\?:", interface))


def test_the_module_has_at_most_six_and_a_half_kilobytes_minified():
    assert len(minify.string("text/javascript", MODULE).encode()) <= 6_656


def test_the_module_imports_nothing():
    assert not re.search(r"^\s*import\b|^[^*]*\bimport\(|\brequire\(", MODULE, re.MULTILINE)
