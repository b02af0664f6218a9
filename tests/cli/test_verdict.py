"""What is wrong with a token: everything, and nothing that an application would not say."""

import time
from datetime import timedelta

import pytest

from authx import AuthX, AuthXConfig, RequestToken
from authx.cli.reading import read
from authx.cli.verdict import examine
from authx.exceptions import AuthXException
from authx.jose import jws
from authx.jose.key import key_from_secret
from authx.tokens.configured_keys import build_ring

from .conftest import SECRET

CONFIG = AuthXConfig(JWT_SECRET_KEY=SECRET)
KEY = key_from_secret(SECRET, "HS256")
NOW = int(time.time())
CLAIMS = {"sub": "anna", "jti": "one", "type": "access", "iat": NOW, "exp": NOW + 900}


def token(headers=None, key=KEY, **changes) -> str:
    claims = {name: value for name, value in (CLAIMS | changes).items() if value is not None}
    return jws.encode(claims, key, headers)


def verdict(text: str, config=CONFIG, now=NOW):
    signature, problems = examine(read(text, 8192), build_ring(config), config, now)
    return signature.state, [problem.code for problem in problems]


UNSIGNED = "eyJhbGciOiJub25lIn0." + token().split(".")[1] + "."
TABLE = [
    (token(), [], "good"),
    (token(type="refresh"), [], "good"),
    (token(exp=NOW), ["expired"], "good"),
    (token(exp=NOW - 86_400), ["expired"], "good"),
    (token(iat=NOW + 60, exp=NOW + 900), ["not_yet_valid"], "good"),
    (token(nbf=NOW + 60), ["not_yet_valid"], "good"),
    (token(nbf=NOW + 5), [], "good"),
    (token(exp=None), ["endless"], "good"),
    (token(type="other"), ["type"], "good"),
    (token(type=None), ["type"], "good"),
    (token(aud="somebody"), ["audience"], "good"),
    (token(exp=NOW - 9, aud="somebody"), ["expired", "audience"], "good"),
    (token(sub=None), ["claims"], "good"),
    (token(jti=None), ["claims"], "good"),
    (token(exp="tomorrow"), ["claims"], "good"),
    (token(cnf={"jkt": "x"}), ["claims"], "good"),
    (token(key=key_from_secret(SECRET[::-1], "HS256")), ["signature"], "bad"),
    (token(key=key_from_secret(SECRET, "HS512")), ["algorithm"], "not checked"),
    (token(headers={"kid": "other"}), [], "good"),
    (UNSIGNED, ["unsigned"], "bad"),
]


@pytest.mark.parametrize(("text", "codes", "state"), TABLE)
def test_every_reason_to_refuse_a_token_is_found(text, codes, state):
    assert verdict(text) == (state, codes)


@pytest.mark.parametrize(("text", "codes", "state"), TABLE)
def test_an_application_comes_to_the_same_verdict(text, codes, state):
    auth = AuthX(CONFIG, clock=lambda: NOW)
    kind = "refresh" if read(text, 8192).claims.get("type") == "refresh" else "access"
    try:
        auth.verify_token(RequestToken(token=text, location="headers", type=kind))
    except AuthXException:
        accepted = False
    else:
        accepted = True
    assert accepted is (codes == [])


def test_what_is_expected_of_audience_and_issuer_counts():
    config = AuthXConfig(JWT_SECRET_KEY=SECRET, JWT_DECODE_AUDIENCE=["api", "web"], JWT_DECODE_ISSUER="me")
    assert verdict(token(aud="web", iss="me"), config) == ("good", [])
    assert verdict(token(aud="other", iss="you"), config) == ("good", ["issuer", "audience"])
    assert verdict(token(), config) == ("good", ["issuer", "audience"])


def test_leeway_counts():
    config = AuthXConfig(JWT_SECRET_KEY=SECRET, JWT_DECODE_LEEWAY=30)
    assert verdict(token(exp=NOW - 29), config) == ("good", [])
    assert verdict(token(exp=NOW - 30), config) == ("good", ["expired"])


def test_a_type_may_be_without_end_where_it_is_configured_so():
    config = AuthXConfig(JWT_SECRET_KEY=SECRET, JWT_REFRESH_TOKEN_EXPIRES=None)
    assert verdict(token(type="refresh", exp=None), config) == ("good", [])
    assert verdict(token(exp=None), config) == ("good", ["endless"])


def test_without_a_key_nobodys_expectations_are_known():
    config = AuthXConfig()
    assert verdict(token(aud="somebody"), config) == ("not checked", [])
    assert verdict(token(exp=NOW - 1), config) == ("not checked", ["expired"])
    assert verdict(token(aud="somebody"), AuthXConfig(JWT_DECODE_AUDIENCE="me")) == ("not checked", ["audience"])


def test_the_former_key_still_counts():
    config = AuthXConfig(JWT_SECRET_KEY=SECRET[::-1], JWT_PREVIOUS_SECRET_KEY=SECRET)
    assert verdict(token(), config) == ("good", [])


def test_a_token_made_by_an_instance_is_good():
    auth = AuthX(AuthXConfig(JWT_SECRET_KEY=SECRET, JWT_TOKEN_LOCATION=["cookies"]))
    pair = auth.create_token_pair("anna", access_expiry=timedelta(minutes=5))
    assert verdict(pair.access_token, auth.config, time.time()) == ("good", [])
    assert verdict(pair.refresh_token, auth.config, time.time()) == ("good", [])
