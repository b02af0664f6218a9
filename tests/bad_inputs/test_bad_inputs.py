"""Whatever a client sends gets the answer that the table of errors has for it, and never a 500 or a 422.

Every token in the table is good in all but the one thing its row is about: else it would be refused for
another reason, and prove nothing. Requests go to the application byte for byte.
"""

import asyncio
import json
import logging
import socket
import subprocess
import sys
import tempfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tests.support.asgi import Answer, knock
from tests.support.processes import running, stop
from tests.support.waiting import PATIENCE

from . import forge
from .doors import ASYMMETRIC, REVOKED, SETTINGS, door, make_door
from .forge import (
    CSRF,
    DROP,
    HEADER,
    NOW,
    OTHER_SECRET,
    SECRET,
    access,
    b64,
    claims,
    raw_claim,
    raw_claims,
    token,
    with_header,
)

MiB = 2**20
GOOD = access()
HEAD, BODY, SIGNATURE = GOOD.split(b".")
REFRESH = forge.refresh()
FLATTENED = json.dumps({"protected": HEAD.decode(), "payload": BODY.decode(), "signature": SIGNATURE.decode()})
INVALID = (401, "token_invalid")
EXPIRED = (401, "token_expired")
MISSING = (401, "token_missing")
WRONG_TYPE = (401, "token_wrong_type")
BROKEN = (400, "request_invalid")
CSRF_MISSING = (403, "csrf_missing")
CSRF_WRONG = (403, "csrf_mismatch")
CSRF_ORIGIN = (403, "csrf_origin")
FINE = (200, None)


@dataclass(frozen=True)
class Row:
    """One request and the answer it must get.

    Attributes:
        id: What is bad about it.
        expected: Status and code of the answer.
        headers: Its headers.
        method: Its method.
        path: Its path.
        body: Its body.
        query: Its query string.
        door: The application it goes to.
    """

    id: str
    expected: tuple[int, str | None]
    headers: tuple[tuple[str, bytes], ...] = ()
    method: str = "GET"
    path: str = "/p"
    body: bytes = b""
    query: bytes = b""
    door: str = "plain"


def tokens(rows: dict[str, bytes], expected: tuple[int, str | None] = INVALID, door: str = "plain", **more: Any):
    """Rows that present each token as it should be presented."""
    return [
        Row(name, expected, (("Authorization", b"Bearer " + raw),), door=door, **more) for name, raw in rows.items()
    ]


def headers(rows: dict[str, bytes | tuple[bytes, ...]], expected: tuple[int, str | None], door: str = "plain"):
    """Rows with one or more `Authorization` headers."""
    return [
        Row(
            name,
            expected,
            tuple(("Authorization", value) for value in ((values,) if isinstance(values, bytes) else values)),
            door=door,
        )
        for name, values in rows.items()
    ]


def cookies(rows: dict[str, bytes], expected: tuple[int, str | None], door: str = "cookies", **more: Any):
    """Rows with one `Cookie` header."""
    return [Row(name, expected, (("Cookie", value),), door=door, **more) for name, value in rows.items()]


def posts(
    rows: dict[str, tuple[tuple[str, bytes], ...]],
    expected: tuple[int, str | None],
    door: str = "cookies",
    cookie: bytes = GOOD,
    **more: Any,
):
    """Rows that send a good cookie with an unsafe method, and these headers."""
    carried = ("Cookie", b"access_token_cookie=" + cookie)
    return [Row(name, expected, (carried, *sent), method="POST", door=door, **more) for name, sent in rows.items()]


def bodies(
    rows: dict[str, bytes],
    expected: tuple[int, str | None],
    content_type: bytes = b"application/json",
    door: str = "json",
):
    """Rows with a body where JSON is a location."""
    return [
        Row(name, expected, (("Content-Type", content_type),), method="POST", body=body, door=door)
        for name, body in rows.items()
    ]


def queries(rows: dict[str, bytes], expected: tuple[int, str | None]):
    """Rows with a query string where the query is a location."""
    return [Row(name, expected, query=query, door="query") for name, query in rows.items()]


ROWS: list[Row] = [
    # What is good, so that a row that is refused is refused for what it says.
    *tokens(
        {"a good token": GOOD, "a token without csrf": access(csrf=DROP), "a token without nbf": access(nbf=DROP)}, FINE
    ),
    *tokens({"at RS256, a good token": forge.rs256()}, FINE, "RS256"),
    *tokens(
        {"at ES256, a good token": forge.es256(), "at ES256, its twin": forge.es256_twin(forge.es256())}, FINE, "ES256"
    ),
    *tokens({"at EdDSA, a good token": forge.eddsa()}, FINE, "EdDSA"),
    # Algorithms
    *tokens(
        {
            "alg none, no signature": forge.unsigned({"alg": "none"}) + b".",
            "alg none, two segments": forge.unsigned({"alg": "none"}),
            "alg none, a good signature": with_header(alg="none"),
            "alg None": with_header(alg="None"),
            "alg NONE": with_header(alg="NONE"),
            "alg nOnE": with_header(alg="nOnE"),
            "alg empty": with_header(alg=""),
            "alg missing": token({"typ": "JWT"}),
            "alg null": with_header(alg=None),
            "alg a number": with_header(alg=256),
            "alg a list": with_header(alg=["HS256"]),
            "alg an object": with_header(alg={}),
            "alg in lower case": with_header(alg="hs256"),
            "alg with a space": with_header(alg="HS256 "),
            "alg HS512, signed so": token({"alg": "HS512"}, digest="sha512"),
            "alg HS384, signed so": token({"alg": "HS384"}, digest="sha384"),
            "alg HS512, signed with HS256": with_header(alg="HS512"),
            "alg RS256, signed with HS256": with_header(alg="RS256"),
            "alg RS256, signed so": forge.rs256(),
            "alg dir": with_header(alg="dir", enc="A256GCM"),
        }
    ),
    *tokens(
        {
            **{
                f"at RS256, HS256 with the public key as {form}": forge.by_public_key(forge.rsa_pair(), form)
                for form in ("PEM", "PEM without its last newline", "DER", "OpenSSH", "modulus", "JWK")
            },
            "at RS256, an HMAC that says RS256": forge.by_public_key(forge.rsa_pair(), "PEM", {"alg": "RS256"}),
            "at RS256, PS256": forge.rs256(forge.unsigned({"alg": "PS256"}), pss=True),
            "at RS256, a PSS signature that says RS256": forge.rs256(pss=True),
            "at RS256, RS512 with SHA-256": forge.rs256(forge.unsigned({"alg": "RS512"})),
            "at RS256, alg none": forge.unsigned({"alg": "none"}) + b".",
            "at RS256, a key that came along": forge.by_embedded_key(),
            "at RS256, another key": forge.by_embedded_key().replace(HEAD, b""),
        },
        door="RS256",
    ),
    *tokens({"at ES256, HS256 with the public key": forge.by_public_key(forge.ec_pair(), "PEM")}, door="ES256"),
    *tokens({"at EdDSA, HS256 with the public key": forge.by_public_key(forge.ed25519_pair(), "PEM")}, door="EdDSA"),
    *tokens({"at ES384, ES256 by its key": forge.es256_by_p384(), "at ES384, ES256": forge.es256()}, door="ES384"),
    *tokens(
        {
            "at ES256, r of zero": forge.es256(r=0),
            "at ES256, s of zero": forge.es256(s=0),
            "at ES256, both zero": forge.es256(r=0, s=0),
            "at ES256, r of the order": forge.es256(r=forge.P256_ORDER),
            "at ES256, s of the order": forge.es256(s=forge.P256_ORDER),
            "at ES256, r of all ones": forge.es256(r=2**256 - 1),
            "at ES256, DER": forge.es256_in_der(),
            "at ES256, 63 bytes": forge.es256_of_length(63),
            "at ES256, 65 bytes": forge.es256_of_length(65),
            "at ES256, 96 bytes": forge.es256_of_length(96),
            "at ES256, 32 bytes": forge.es256_of_length(32),
        },
        door="ES256",
    ),
    *tokens({"at EdDSA, a scalar beyond the order": forge.eddsa(beyond_order=True)}, door="EdDSA"),
    # Members of the header
    *tokens(
        {
            "crit exp": with_header(crit=["exp"], exp=NOW + 900),
            "crit of an extension": with_header(crit=["http://x/y"], **{"http://x/y": True}),
            "crit empty": with_header(crit=[]),
            "crit a text": with_header(crit="exp"),
            "crit null": with_header(crit=None),
            "crit alg": with_header(crit=["alg"]),
            "crit b64 twice": with_header(crit=["b64", "b64"], b64=True),
            "b64 false": with_header(b64=False),
            "b64 true": with_header(b64=True),
            "b64 false, critical": with_header(b64=False, crit=["b64"]),
            "b64 false, a raw payload": forge.signed(b64(b'{"alg":"HS256","b64":false,"crit":["b64"]}') + b".{}"),
            "zip": with_header(zip="DEF"),
            "zip, a compressed payload": token({**HEADER, "zip": "DEF"}, zlib.compress(forge.text(claims()))[2:-4]),
            "jku": with_header(jku="http://127.0.0.1:9/keys"),
            "x5u": with_header(x5u="http://127.0.0.1:9/cert"),
            "x5c": with_header(x5c=["AA=="]),
            "x5t": with_header(x5t="AA"),
            "x5t#S256": with_header(**{"x5t#S256": "AA"}),
            "jwk of our secret": with_header(jwk={"kty": "oct", "k": b64(SECRET.encode()).decode()}),
            "kid a path": with_header(kid="../../../../dev/null"),
            "kid SQL": with_header(kid="' OR '1'='1"),
            "kid with NUL": with_header(kid="a\0"),
            "kid percent-encoded NUL": with_header(kid="%00"),
            "kid LDAP": with_header(kid="*)(uid=*))(|(uid=*"),
            "kid with a newline": with_header(kid="a\nb"),
            "kid beyond ASCII": with_header(kid="é"),
            "kid a number": with_header(kid=1),
            "kid null": with_header(kid=None),
            "kid a list": with_header(kid=["a"]),
            "kid an object": with_header(kid={}),
            "kid empty": with_header(kid=""),
            "kid of 129 characters": with_header(kid="k" * 129),
            "kid unknown, another secret": token({**HEADER, "kid": "unknown"}, secret=OTHER_SECRET),
            "typ of a proof": with_header(typ="dpop+jwt"),
            "typ of an event": with_header(typ="secevent+jwt"),
            "typ a number": with_header(typ=1),
            "typ null": with_header(typ=None),
            "typ empty": with_header(typ=""),
            "typ with a space": with_header(typ="at+jwt "),
            "cty a number": with_header(cty=1),
        }
    ),
    *tokens(
        {
            "typ missing": token({"alg": "HS256"}),
            "typ at+jwt": with_header(typ="at+jwt"),
            "typ AT+JWT": with_header(typ="AT+JWT"),
            "typ application/at+jwt": with_header(typ="application/at+jwt"),
            # Applications may name their keys themselves.
            "kid unknown, our secret": with_header(kid="2026-key_1"),
            "a member nobody knows": with_header(custom=[1]),
        },
        FINE,
    ),
    *tokens({"kid of 64 KiB": with_header(kid="k" * 2**16)}, BROKEN),
    # Other kinds of token
    *tokens(
        {
            "a token in a token": token({**HEADER, "cty": "JWT"}, GOOD),
            "an ID token": token(
                payload={"iss": "https://me.example", "sub": "user", "aud": "app", "exp": NOW + 9, "iat": NOW}
            ),
            "a CSRF value": CSRF.encode(),
            "JWE": b64(b'{"alg":"dir","enc":"A256GCM"}') + b"..AAAA.AAAA.AAAA",
            "JWE that costs": b64(b'{"alg":"PBES2-HS256+A128KW","enc":"A128GCM","p2c":1000000000}') + b".AA.AA.AA.AA",
            "the text null": b"null",
            "the text undefined": b"undefined",
            "the text NaN": b"NaN",
            "a signature alone": SIGNATURE,
            "one member of a JSON serialization": b'{"payload":"e30"}',
        }
    ),
    *tokens({"a JSON serialization": FLATTENED.encode(), "an object's text": b"[object Object]"}, BROKEN),
    *tokens(
        {"a refresh token": REFRESH, "a token of a third type": access(type="email"), "no type": access(type=DROP)},
        WRONG_TYPE,
    ),
    *tokens({"an access token for a refresh": GOOD}, WRONG_TYPE, method="POST", path="/r"),
    *tokens({"garbage for a refresh": b"a.b.c"}, (401, "refresh_invalid"), method="POST", path="/r"),
    *tokens(
        {"a refresh token too old": forge.refresh(exp=NOW - 1)}, (401, "refresh_expired"), method="POST", path="/r"
    ),
    *tokens({"not fresh": GOOD}, (401, "fresh_required"), path="/fresh"),
    # JSON
    *tokens(
        {
            "alg twice, none first": token(b'{"alg":"none","alg":"HS256"}'),
            "alg twice, none last": token(b'{"alg":"HS256","alg":"none"}'),
            "alg twice, once escaped": token(b'{"\\u0061lg":"none","alg":"HS256"}'),
            "kid twice": token(b'{"alg":"HS256","kid":"a","kid":"b"}'),
            "typ twice": token(b'{"alg":"HS256","typ":"JWT","typ":"JWT"}'),
            "header a list": token([]),
            "header null": token(b"null"),
            "header a number": token(b"1"),
            "header a text": token(b'"HS256"'),
            "header empty": token(b""),
            "header an empty object": token({}),
            "header with a mark": token(b"\xef\xbb\xbf" + forge.text(HEADER)),
            "header in UTF-16": token(json.dumps(HEADER).encode("utf-16")),
            "header in UTF-32": token(json.dumps(HEADER).encode("utf-32")),
            "header with a trailing comma": token(b'{"alg":"HS256",}'),
            "header with a comment": token(b'{"alg":"HS256"}//'),
            "header in single quotes": token(b"{'alg':'HS256'}"),
            "header deeply nested": token(b'{"alg":"HS256","x":' + b"[" * 2000 + b"]" * 2000 + b"}"),
            "header that only opens": token(b'{"alg":"HS256","x":' + b"[" * 5000),
            "sub twice": raw_claims(b'"sub":"admin"'),
            "sub twice, once escaped": raw_claims(b'"\\u0073ub":"admin"'),
            "exp twice": raw_claims(b'"exp":99999999999'),
            "scopes twice": raw_claims(b'"scopes":["a"],"scopes":["b"]'),
            "a name twice, three levels down": raw_claims(b'"x":[{"y":{"z":1,"z":2}}]'),
            "payload a list": token(payload=[]),
            "payload a text": token(payload=b'"x"'),
            "payload a number": token(payload=b"1"),
            "payload null": token(payload=b"null"),
            "payload true": token(payload=b"true"),
            "payload empty": token(payload=b""),
            "payload an empty object": token(payload={}),
            "payload with a mark": token(payload=b"\xef\xbb\xbf" + forge.text(claims())),
            "payload in UTF-16": token(payload=json.dumps(claims()).encode("utf-16")),
            "payload in UTF-32": token(payload=json.dumps(claims()).encode("utf-32")),
            "payload with 0xFF": raw_claims(b'"x":"\xff"'),
            "payload with an overlong form": raw_claims(b'"x":"\xc0\xaf"'),
            "payload in CESU-8": raw_claims(b'"x":"\xed\xa0\xbd\xed\xb8\x80"'),
            "payload with trailing garbage": token(payload=forge.text(claims()) + b"x"),
            "payload with a second object": token(payload=forge.text(claims()) * 2),
            "payload with a trailing comma": raw_claims(b'"x":1,'),
            "payload with a comment": raw_claims(b'"x":1/**/'),
            "payload in single quotes": token(payload=str(claims()).encode()),
            "payload with a raw NUL": raw_claims(b'"x":"\0"'),
            "payload deeply nested": raw_claims(b'"x":' + b"[" * 2000 + b"]" * 2000),
            "payload that only opens": token(payload=b'{"x":' + b"[" * 5000),
            "an integer of 400 digits": raw_claims(b'"x":' + b"9" * 400),
            "an integer of 5000 digits": raw_claims(b'"x":' + b"9" * 5000),
            "NaN in a claim of one's own": raw_claims(b'"x":NaN'),
            "1e400 in a claim of one's own": raw_claims(b'"x":1e400'),
            "a lone surrogate in a claim of one's own": raw_claims(b'"x":"\\udc80"'),
        }
    ),
    *tokens(
        {
            "white space in the header": token(b' {"alg" : "HS256"}\r\n'),
            "white space in the payload": token(payload=json.dumps(claims(), indent=2).encode()),
            "an integer beyond 64 bits": raw_claims(b'"x":340282366920938463463374607431768211456'),
            "254 levels": raw_claims(b'"x":' + b"[" * 253 + b"]" * 253),
        },
        FINE,
    ),
    # Sizes
    *tokens({"8192 bytes": forge.of_size(8192)}, FINE),
    *tokens(
        {
            "8193 bytes": forge.of_size(8193),
            "a payload of 1 MiB": access(x="x" * MiB),
            "nesting of 100 000 levels": raw_claims(b'"x":' + b"[" * 100_000 + b"]" * 100_000),
            "100 000 members": access(**{f"m{number}": 1 for number in range(100_000)}),
            "8 MiB of one letter": b"a" * (8 * MiB),
            "8 MiB of a good token's form": b"a." + b"a" * (8 * MiB) + b".a",
            "100 000 dots": b"." * 100_000,
        },
        BROKEN,
    ),
    # Times
    *tokens(
        {
            **{
                f"{name} {value.decode()[:24]}": raw_claim(name, value)
                for name in ("exp", "nbf", "iat")
                for value in (
                    b'"99999999999"',
                    b'""',
                    b"NaN",
                    b"Infinity",
                    b"-Infinity",
                    b"1e400",
                    b"1e30",
                    b"253402300800",
                    b"1" + b"0" * 30,
                    b"1" + b"0" * 400,
                    b"-1",
                    b"true",
                    b"false",
                    b"null",
                    b"[]",
                    b"[1900000900]",
                    b"{}",
                )
            },
            "exp missing": access(exp=DROP),
            "iat missing": access(iat=DROP),
            "iat 11 s ahead": access(iat=NOW + 11),
            "nbf 11 s ahead": access(nbf=NOW + 11),
            "iat far ahead": access(iat=NOW + 10**6, exp=NOW + 10**7),
        }
    ),
    *tokens({"exp 0": access(exp=0), "exp of now": access(exp=NOW), "exp a second ago": access(exp=NOW - 1)}, EXPIRED),
    *tokens(
        {"exp with half a second left": access(exp=NOW + 0.5), "exp of 9999999999.5": access(exp=9999999999.5)}, FINE
    ),
    *tokens(
        {
            "iat 10 s ahead": access(iat=NOW + 10),
            "nbf 10 s ahead": access(nbf=NOW + 10),
            "iat of a float": access(iat=NOW - 0.5),
        },
        FINE,
    ),
    *tokens(
        {"exp within the leeway": access(exp=NOW - 59), "iat within the leeway": access(iat=NOW + 60)}, FINE, "lenient"
    ),
    *tokens({"exp at the leeway's end": access(exp=NOW - 60)}, EXPIRED, "lenient"),
    *tokens(
        {"iat beyond the leeway": access(iat=NOW + 61), "nbf beyond the leeway": access(nbf=NOW + 61)},
        INVALID,
        "lenient",
    ),
    # Claims of wrong types and sizes
    *tokens(
        {
            **{
                f"{name} {json.dumps(value)[:20]}": access(**{name: value})
                for name, values in {
                    "sub": (1, None, [], {}, True, "", 1.5, ["user"], "a\0b", "x" * 256),
                    "jti": (1, None, [], {}, True, "", "x" * 256),
                    "type": (1, [], {}, True, ["access"]),
                    "fresh": (None, 0, 1, "true", [], {}),
                    "csrf": (1, [], {}, True),
                    "scopes": ("a b", 1, {}, [1], [None], ["a", 1], [["a"]], True),
                    "aud": (1, {}, [1], [None], True, None),
                    "iss": (1, {}, [], ["https://me.example"], True, None),
                    "login_type": (1, {}, [], True),
                    "sid": (1, None, [], "", "x", "00000000-0000-0000-0000-000000000000"),
                    "gen": (-1, 1.5, "0", None, True, 2**31),
                }.items()
                for value in values
            },
            "sub missing": access(sub=DROP),
            "jti missing": access(jti=DROP),
            "sub of a lone surrogate": raw_claim("sub", b'"\\ud800"'),
            "jti of a lone surrogate": raw_claim("jti", b'"\\ud800"'),
            "sub of surrogates the wrong way round": raw_claim("sub", b'"\\udc00\\ud800"'),
            "aud where none is expected": access(aud="me"),
            # Bound to a key that nobody asks about here, it is no bearer token (RFC 9449 section 7.2).
            "cnf of a key": access(cnf={"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}),
            "cnf empty": access(cnf={}),
            "cnf null": access(cnf=None),
        }
    ),
    *tokens({"sub of 64 KiB": access(sub="x" * 2**16)}, BROKEN),
    *tokens(
        {
            "sub of 255 characters": access(sub="\U0001f600" * 255),
            "sub with a newline": access(sub="a\nb"),
            "sub with a mark that turns text round": access(sub="\u202eabc"),
            "scopes null": access(scopes=None),
        },
        FINE,
    ),
    # Issuer and audience
    *tokens(
        {
            f"at a service, {name}": access(**{"aud": "me", "iss": "https://me.example"} | changes)
            for name, changes in {
                "aud missing": {"aud": DROP},
                "aud null": {"aud": None},
                "aud an object": {"aud": {}},
                "aud empty": {"aud": []},
                "aud an empty text": {"aud": ""},
                "aud a list of a number": {"aud": [1]},
                "aud a list of null": {"aud": [None]},
                "aud mine and a number": {"aud": ["me", 1]},
                "aud another": {"aud": "you"},
                "aud longer": {"aud": "me.example"},
                "aud shorter": {"aud": "m"},
                "aud with a slash": {"aud": "me/"},
                "aud in capitals": {"aud": "ME"},
                "aud a list in a list": {"aud": [["me"]]},
                "iss missing": {"iss": DROP},
                "iss another": {"iss": "https://staging.me.example"},
                "iss a list": {"iss": ["https://me.example"]},
                "iss with a slash": {"iss": "https://me.example/"},
                "iss in capitals": {"iss": "https://ME.example"},
                "iss null": {"iss": None},
            }.items()
        },
        door="service",
    ),
    *tokens(
        {f"at a service, aud {aud}": access(aud=aud, iss="https://me.example") for aud in ("me", ["you", "me"])},
        FINE,
        "service",
    ),
    # Form
    *tokens(
        {
            "one segment": HEAD,
            "two segments": HEAD + b"." + BODY,
            "two segments and a dot": HEAD + b"." + BODY + b".",
            "four segments": GOOD + b"." + SIGNATURE,
            "five segments": GOOD + b".AA.AA",
            "two dots": b"..",
            "one dot": b".",
            "a dot behind": GOOD + b".",
            "a dot in front": b"." + GOOD,
            "padding on the header": GOOD.replace(b".", b"=.", 1),
            "padding on the payload": HEAD + b"." + BODY + b"=." + SIGNATURE,
            "padding on the signature": GOOD + b"=",
            "two paddings on the signature": GOOD + b"==",
            "padding that was signed": forge.signed(HEAD + b"." + BODY + b"="),
            "the standard alphabet": forge.signed(HEAD + b"." + BODY + b"++//"),
            "spare bits set in the signature": GOOD[:-1] + bytes([GOOD[-1] + 1]),
            "spare bits set in the payload": forge.signed(HEAD + b"." + b64(forge.text(claims(x="y")))[:-1] + b"1"),
            "a newline inside": HEAD + b"." + BODY[:9] + b"\n" + BODY[9:] + b"." + SIGNATURE,
            "a newline behind": GOOD + b"\n",
            "a return behind": GOOD + b"\r\n",
            "a vertical tab behind": GOOD + b"\x0b",
            "NUL behind": GOOD + b"\0",
            "NUL inside": HEAD + b".\0" + BODY + b"." + SIGNATURE,
            "Latin-1 behind": GOOD + b"\xe9",
            "UTF-8 behind": GOOD + "é".encode(),
            "a lone surrogate behind": GOOD + b"\xed\xa0\x80",
            "all bytes from 0x80": bytes(range(0x80, 0x100)),
            "percent signs for dots": GOOD.replace(b".", b"%2E"),
            "no signature": HEAD + b"." + BODY + b".",
            "half a signature": GOOD[:-20],
            "a bit of the signature flipped": GOOD[:-5] + bytes([GOOD[-5] ^ 1]) + GOOD[-4:],
            "a bit of the payload flipped": HEAD
            + b"."
            + BODY[:9]
            + bytes([BODY[9] ^ 1])
            + BODY[10:]
            + b"."
            + SIGNATURE,
            "the signature of another token": HEAD + b"." + BODY + b"." + REFRESH.rpartition(b".")[2],
            "the payload of another token": HEAD + b"." + REFRESH.split(b".")[1] + b"." + SIGNATURE,
            "another secret": token(secret=OTHER_SECRET),
            "an empty secret": token(secret=b""),
            "a former secret, no longer accepted": token(
                {**HEADER, "kid": "former"}, secret="a former secret of this application"
            ),
            "quotes around": b'"' + GOOD + b'"',
            "braces around": b"<" + GOOD + b">",
        }
    ),
    # Revoked
    *tokens({"revoked": REVOKED}, (401, "token_revoked"), "by text"),
    *tokens({"revoked, with padding": REVOKED + b"=", "revoked, with a dot": REVOKED + b"."}, INVALID, "by text"),
    *tokens({"not revoked": GOOD}, FINE, "by text"),
    *tokens(
        {
            "revoked by its id": (revoked := forge.es256(payload=claims(jti="a revoked token's id"))),
            "revoked by its id, its twin": forge.es256_twin(revoked),
        },
        (401, "token_revoked"),
        "by id",
    ),
    # The Authorization header
    Row("no header", MISSING),
    *headers(
        {
            "an empty header": b"",
            "a scheme alone": b"Bearer",
            "a scheme and a space": b"Bearer ",
            "a scheme and three spaces": b"Bearer   ",
            "a scheme in lower case, alone": b"bearer",
            "no scheme": GOOD,
            "a space and no scheme": b" " + GOOD,
            "Basic": b"Basic dTpw",
            "Basic with a good token": b"Basic " + GOOD,
            "Token": b"Token " + GOOD,
            "Digest": b'Digest username="u"',
            "DPoP": b"DPoP " + GOOD,
            "a longer scheme": b"BearerX " + GOOD,
            "a scheme with something in front": b"xBearer " + GOOD,
            "a scheme and no space": b"Bearer" + GOOD,
            "a scheme and a colon": b"Bearer: " + GOOD,
            "a scheme and an equals sign": b"Bearer=" + GOOD,
            "a scheme beyond ASCII": b"B\xe9arer " + GOOD,
            "a scheme of Kelvin signs": "Bearer\u212a ".encode() + GOOD,
            "NUL": b"\0",
            "bytes beyond ASCII": b"\xff\xfe",
        },
        MISSING,
    ),
    *headers(
        {
            "lower case": b"bearer " + GOOD,
            "capitals": b"BEARER " + GOOD,
            "mixed case": b"bEaReR " + GOOD,
            "two spaces": b"Bearer  " + GOOD,
            "spaces behind": b"Bearer " + GOOD + b"  ",
        },
        FINE,
    ),
    *headers(
        {
            "a tab": b"Bearer\t" + GOOD,
            "a space and a tab": b"Bearer \t" + GOOD,
            "a tab behind": b"Bearer " + GOOD + b"\t",
            "two tokens": b"Bearer " + GOOD + b" " + GOOD,
            "a token and a word": b"Bearer " + GOOD + b" x",
            "a list of two": b"Bearer " + GOOD + b", Bearer " + GOOD,
            "a list without spaces": b"Bearer " + GOOD + b"," + GOOD,
            "a comma behind": b"Bearer " + GOOD + b",",
            "the scheme twice": b"Bearer Bearer " + GOOD,
            "the scheme twice, mixed": b"bearer Bearer " + GOOD,
            "a folded line": b"Bearer " + GOOD + b"\r\n " + GOOD,
            "100 KiB": b"Bearer " + b"a" * 100 * 1024,
            "two headers, the same": (b"Bearer " + GOOD, b"Bearer " + GOOD),
            "two headers, good and bad": (b"Bearer " + GOOD, b"Bearer x"),
            "two headers, bad and good": (b"Bearer x", b"Bearer " + GOOD),
            "two headers, Basic and good": (b"Basic dTpw", b"Bearer " + GOOD),
            "two headers, good and empty": (b"Bearer " + GOOD, b""),
            "Bearer and DPoP": (b"Bearer " + GOOD, b"DPoP " + GOOD),
            "three headers": (b"Bearer " + GOOD,) * 3,
        },
        BROKEN,
    ),
    *headers({"at no scheme, a token": GOOD, "at no scheme, spaces around": b"  " + GOOD + b" "}, FINE, "no scheme"),
    *headers({"at no scheme, a scheme": b"Bearer " + GOOD}, BROKEN, "no scheme"),
    *headers({"at no scheme, nothing": b"", "at no scheme, spaces": b"  "}, MISSING, "no scheme"),
    # Places that are none
    Row("a token in the query", MISSING, query=b"token=" + GOOD),
    Row("a token as access_token in the query", MISSING, query=b"access_token=" + GOOD),
    Row("a token in a cookie", MISSING, (("Cookie", b"access_token_cookie=" + GOOD),)),
    Row(
        "a token in a form",
        MISSING,
        (("Content-Type", b"application/x-www-form-urlencoded"),),
        "POST",
        body=b"access_token=" + GOOD,
    ),
    Row(
        "a token in JSON",
        MISSING,
        (("Content-Type", b"application/json"),),
        "POST",
        body=b'{"access_token":"' + GOOD + b'"}',
    ),
    Row("HEAD without a token", MISSING, method="HEAD"),
    Row("HEAD with a token", FINE, (("Authorization", b"Bearer " + GOOD),), "HEAD"),
    # Several places
    Row("everywhere, nothing", MISSING, door="everywhere"),
    *[
        Row(
            f"everywhere, {name}",
            expected,
            (("Cookie", b"access_token_cookie=" + GOOD), ("Authorization", value)),
            door="everywhere",
        )
        for name, value, expected in [
            ("a good cookie and Basic", b"Basic dTpw", FINE),
            ("a good cookie and no scheme", GOOD, FINE),
            ("a good cookie and a scheme alone", b"Bearer", FINE),
            # The first place that has a token decides, however good that of a later one is.
            ("a good cookie and a bad header", b"Bearer x", INVALID),
            ("a good cookie and a broken header", b"Bearer x y", BROKEN),
            ("a good cookie and an old header", b"Bearer " + access(exp=NOW - 1), EXPIRED),
        ]
    ],
    Row(
        "everywhere, a good header and a bad cookie without CSRF value",
        FINE,
        (("Authorization", b"Bearer " + GOOD), ("Cookie", b"access_token_cookie=x")),
        "POST",
        door="everywhere",
    ),
    Row(
        "everywhere, a cookie without CSRF value and a good query",
        FINE,
        (("Cookie", b"access_token_cookie=x"),),
        "POST",
        query=b"token=" + GOOD,
        door="everywhere",
    ),
    # CSRF
    *posts(
        {
            "a good value": (("X-CSRF-TOKEN", CSRF.encode()),),
            "a good value twice": (("X-CSRF-TOKEN", CSRF.encode()),) * 2,
        },
        FINE,
    ),
    *posts(
        {
            "no value": (),
            "an empty value": (("X-CSRF-TOKEN", b""),),
            "the value in its cookie alone": (("Cookie", b"csrf_access_token=" + CSRF.encode()),),
            "the value in another header": (("X-CSRF", CSRF.encode()), ("X-XSRF-TOKEN", CSRF.encode())),
        },
        CSRF_MISSING,
    ),
    *posts({"the value in the query": ()}, CSRF_MISSING, query=b"csrf_token=" + CSRF.encode()),
    *posts(
        {"the value in a body": (("Content-Type", b"application/x-www-form-urlencoded"),)},
        CSRF_MISSING,
        body=b"csrf_token=" + CSRF.encode(),
    ),
    *posts(
        {
            **{
                f"a value {name}": (("X-CSRF-TOKEN", value),)
                for name, value in {
                    "of another session": b"the-value-of-another-session",
                    "in capitals": CSRF.upper().encode(),
                    "too short": CSRF[:-1].encode(),
                    "too long": CSRF.encode() + b"x",
                    "with a space behind": CSRF.encode() + b" ",
                    "with a space in front": b" " + CSRF.encode(),
                    "with NUL behind": CSRF.encode() + b"\0",
                    "in Latin-1": b"\xe9",
                    "in UTF-8": "é\U0001f600".encode(),
                    "of a lone surrogate": b"\xed\xa0\x80",
                    "of all bytes from 0x80": bytes(range(0x80, 0x100)),
                    "of 1 MiB": b"x" * MiB,
                    "that is the token": GOOD,
                    "null": b"null",
                    "of two values": CSRF.encode() + b", " + CSRF.encode(),
                }.items()
            },
            "two values, good and bad": (("X-CSRF-TOKEN", CSRF.encode()), ("X-CSRF-TOKEN", b"x")),
            "two values, bad and good": (("X-CSRF-TOKEN", b"x"), ("X-CSRF-TOKEN", CSRF.encode())),
            "two values, good and empty": (("X-CSRF-TOKEN", CSRF.encode()), ("X-CSRF-TOKEN", b"")),
            "a cookie and a header of the attacker's": (
                ("X-CSRF-TOKEN", b"evil"),
                ("Cookie", b"csrf_access_token=evil"),
            ),
        },
        CSRF_WRONG,
    ),
    *[
        row
        for name, changed, expected in [
            ("a token without csrf", DROP, CSRF_WRONG),
            ("a token whose csrf is empty", "", CSRF_WRONG),
            ("a token whose csrf is null", None, CSRF_WRONG),
            ("a token whose csrf is a number", 1, INVALID),
            ("a token whose csrf is beyond ASCII", "é", CSRF_WRONG),
        ]
        for row in posts(
            {name: (("X-CSRF-TOKEN", b"None" if changed is None else b"1"),)}, expected, cookie=access(csrf=changed)
        )
    ],
    *posts({"a bad cookie and no value": ()}, CSRF_MISSING, cookie=b"x"),
    *posts({"a bad cookie and a value": (("X-CSRF-TOKEN", CSRF.encode()),)}, INVALID, cookie=b"x"),
    *posts({"an old cookie and a value": (("X-CSRF-TOKEN", CSRF.encode()),)}, EXPIRED, cookie=access(exp=NOW - 1)),
    *[
        row
        for name, sent, expected in [
            ("our own", b"https://door.example", FINE),
            ("a trusted one", b"https://front.example", FINE),
            ("null", b"null", CSRF_ORIGIN),
            ("of a longer name", b"https://front.example.evil.com", CSRF_ORIGIN),
            ("of another port", b"https://front.example:8443", CSRF_ORIGIN),
            ("of another scheme", b"http://front.example", CSRF_ORIGIN),
            ("of a subdomain", b"https://x.front.example", CSRF_ORIGIN),
            ("empty", b"", CSRF_ORIGIN),
            ("in Latin-1", b"https://\xe9", CSRF_ORIGIN),
            ("with a path", b"https://front.example/", CSRF_ORIGIN),
        ]
        for row in posts(
            {f"an origin, {name}": (("X-CSRF-TOKEN", CSRF.encode()), ("Origin", sent))}, expected, "origins"
        )
    ],
    *[
        row
        for sent, expected in [
            (b"cross-site", CSRF_ORIGIN),
            (b"same-site", CSRF_ORIGIN),
            (b"same-origin", FINE),
            (b"none", FINE),
            (b"banana", FINE),
            (b"\xff", FINE),
        ]
        for row in posts(
            {f"from a page that is {sent!r}": (("X-CSRF-TOKEN", CSRF.encode()), ("Sec-Fetch-Site", sent))},
            expected,
            "origins",
        )
    ],
    *posts({"a good value from nobody knows where": (("X-CSRF-TOKEN", CSRF.encode()),)}, FINE, "origins"),
    *posts({"a good origin and no value": (("Origin", b"https://front.example"),)}, CSRF_MISSING, "origins"),
    *posts(
        {
            "two origins": (
                ("X-CSRF-TOKEN", CSRF.encode()),
                ("Origin", b"https://front.example"),
                ("Origin", b"https://evil.example"),
            )
        },
        CSRF_ORIGIN,
        "origins",
    ),
    # CSRF values in forms
    *[
        row
        for name, content_type, body, expected in [
            ("a good value", b"application/x-www-form-urlencoded", b"csrf_token=" + CSRF.encode(), FINE),
            ("a bad value", b"application/x-www-form-urlencoded", b"csrf_token=x", CSRF_WRONG),
            (
                "a value beyond ASCII",
                b"application/x-www-form-urlencoded",
                b"csrf_token=%C3%A9%ED%A0%80%FF",
                CSRF_WRONG,
            ),
            ("raw bytes", b"application/x-www-form-urlencoded", bytes(range(256)), CSRF_MISSING),
            ("no such field", b"application/x-www-form-urlencoded", b"a=b", CSRF_MISSING),
            ("an empty field", b"application/x-www-form-urlencoded", b"csrf_token=", CSRF_MISSING),
            ("nothing", b"application/x-www-form-urlencoded", b"", CSRF_MISSING),
            ("2000 fields", b"application/x-www-form-urlencoded", b"a=b&" * 2000, BROKEN),
            ("no boundary", b"multipart/form-data", b"--x", BROKEN),
            ("parts that are none", b"multipart/form-data; boundary=x", b"garbage", BROKEN),
            (
                "a part cut short",
                b"multipart/form-data; boundary=x",
                b"--x\r\nContent-Disposition: form-data",
                CSRF_MISSING,
            ),
            ("a part without a name", b"multipart/form-data; boundary=x", b"--x\r\n\r\nv\r\n--x--\r\n", BROKEN),
            (
                "a part of an unknown character set",
                b"multipart/form-data; boundary=x; charset=nonsense",
                b'--x\r\nContent-Disposition: form-data; name="csrf_token"\r\n\r\n\xff\r\n--x--\r\n',
                CSRF_WRONG,
            ),
            (
                "a file",
                b"multipart/form-data; boundary=x",
                b'--x\r\nContent-Disposition: form-data; name="csrf_token"; filename="f"\r\n\r\nv\r\n--x--\r\n',
                CSRF_MISSING,
            ),
            ("a form that is JSON", b"application/json", b'{"csrf_token":"' + CSRF.encode() + b'"}', CSRF_MISSING),
            ("a content type that is none", b"\xff;;=", b"csrf_token=x", CSRF_MISSING),
        ]
        for row in posts({f"in a form, {name}": (("Content-Type", content_type),)}, expected, "form", body=body)
    ],
    # Cookies
    *cookies(
        {
            "a good cookie": b"access_token_cookie=" + GOOD,
            "a good cookie among others": b"a=b; access_token_cookie=" + GOOD + b"; c",
            "a good cookie without spaces": b"a=b;access_token_cookie=" + GOOD,
            "a good cookie twice": b"access_token_cookie=" + GOOD + b"; access_token_cookie=" + GOOD,
            "a good cookie in quotes": b'access_token_cookie="' + GOOD + b'"',
            "a good cookie beside one in capitals": b"ACCESS_TOKEN_COOKIE=evil; access_token_cookie=" + GOOD,
            "a good cookie beside one of a longer name": b"xaccess_token_cookie=evil; access_token_cookie=" + GOOD,
            "a good cookie beside an empty one": b"access_token_cookie=; access_token_cookie=" + GOOD,
            "a good cookie beside bytes": b"\xff\xfe=\x80; access_token_cookie=" + GOOD,
        },
        FINE,
    ),
    *cookies(
        {
            "an empty header of cookies": b"",
            "an empty cookie": b"access_token_cookie=",
            "an empty cookie in quotes": b'access_token_cookie=""',
            "a cookie without value": b"access_token_cookie",
            "separators alone": b";;;=",
            "many separators": b";" * 100_000,
            "a cookie in capitals": b"ACCESS_TOKEN_COOKIE=" + GOOD,
            "a cookie of a longer name": b"xaccess_token_cookie=" + GOOD,
            "a name in a value": b"a=access_token_cookie",
            "the refresh cookie": b"refresh_token_cookie=" + REFRESH,
            "an access token in the refresh cookie": b"refresh_token_cookie=" + GOOD,
            "bytes beyond ASCII": b"\xff\xfe\x00\x80",
        },
        MISSING,
    ),
    *cookies(
        {
            "a cookie of garbage": b"access_token_cookie=garbage",
            "a cookie in Latin-1": b"access_token_cookie=\xe9",
            "a cookie in UTF-8": "access_token_cookie=é\U0001f600".encode(),
            "a cookie of a lone surrogate": b"access_token_cookie=\xed\xa0\x80",
            "a cookie with NUL": b"access_token_cookie=" + GOOD + b"\0",
            "a cookie with padding": b"access_token_cookie=" + GOOD + b"=",
            "a cookie with a tab inside": b"access_token_cookie=" + GOOD[:9] + b"\t" + GOOD[9:],
            "a cookie with a scheme": b"access_token_cookie=Bearer " + GOOD,
            "a cookie of equals signs": b"access_token_cookie====",
            "two tokens in a cookie": b"access_token_cookie=" + GOOD + b" " + GOOD,
            "alg none in a cookie": b"access_token_cookie=" + forge.unsigned({"alg": "none"}) + b".",
        },
        INVALID,
    ),
    *cookies({"the refresh token in the access cookie": b"access_token_cookie=" + REFRESH}, WRONG_TYPE),
    *cookies(
        {
            "two cookies, good and bad": b"access_token_cookie=" + GOOD + b"; access_token_cookie=x",
            "two cookies, bad and good": b"access_token_cookie=x; access_token_cookie=" + GOOD,
            "two cookies, both good": b"access_token_cookie=" + GOOD + b"; access_token_cookie=" + access(jti="other"),
            "a cookie of 8 MiB": b"access_token_cookie=" + b"a" * (8 * MiB),
        },
        BROKEN,
    ),
    Row(
        "two cookies in two headers",
        BROKEN,
        (("Cookie", b"access_token_cookie=" + GOOD), ("Cookie", b"access_token_cookie=x")),
        door="cookies",
    ),
    Row(
        "the access cookie for a refresh",
        (401, "refresh_missing"),
        (("Cookie", b"access_token_cookie=" + GOOD),),
        "POST",
        "/r",
        door="cookies",
    ),
    *[
        Row(
            f"for a refresh, {name}",
            expected,
            (("Cookie", b"refresh_token_cookie=" + value), ("X-CSRF-TOKEN", CSRF.encode())),
            "POST",
            "/r",
            door="cookies",
        )
        for name, value, expected in [
            ("a good cookie", REFRESH, FINE),
            ("a cookie of garbage", b"x", (401, "refresh_invalid")),
            ("an old cookie", forge.refresh(exp=NOW - 1), (401, "refresh_expired")),
            ("an access token in its cookie", GOOD, WRONG_TYPE),
        ]
    ],
    # JSON bodies
    *bodies(
        {"a good token": b'{"access_token":"' + GOOD + b'"}', "white space": b' {"access_token" : "' + GOOD + b'" } '},
        FINE,
    ),
    *bodies(
        {"a good token, a parameter": b'{"access_token":"' + GOOD + b'"}'}, FINE, b"Application/JSON; charset=utf-8"
    ),
    *bodies(
        {
            "no body": b"",
            "a body of spaces": b" \n",
            "an empty object": b"{}",
            "a list": b"[]",
            "a text": b'"' + GOOD + b'"',
            "null": b"null",
            "a number": b"1",
            "a token that is a number": b'{"access_token":1}',
            "a token that is null": b'{"access_token":null}',
            "a token that is a list": b'{"access_token":["' + GOOD + b'"]}',
            "a token that is an object": b'{"access_token":{}}',
            "another key": b'{"token":"' + GOOD + b'"}',
            "the refresh token's key": b'{"refresh_token":"' + GOOD + b'"}',
        },
        MISSING,
    ),
    *bodies(
        {f"a good token as {content_type!r}": b'{"access_token":"' + GOOD + b'"}' for content_type in (b"text/plain",)},
        MISSING,
        b"text/plain",
    ),
    *bodies({"a good token as nothing": b'{"access_token":"' + GOOD + b'"}'}, MISSING, b""),
    *bodies({"a good token as bytes": b'{"access_token":"' + GOOD + b'"}'}, MISSING, b"\xff/\xff"),
    *bodies(
        {
            "an empty token": b'{"access_token":""}',
            "a token beyond ASCII": '{"access_token":"é\U0001f600"}'.encode(),
            "a token of an escaped pair": b'{"access_token":"\\ud83d\\ude00"}',
            "a token with NUL": b'{"access_token":"' + GOOD + b'\\u0000"}',
            "a token with padding": b'{"access_token":"' + GOOD + b'="}',
        },
        INVALID,
    ),
    *bodies(
        {
            "no JSON": b"access_token=" + GOOD,
            "half of it": b'{"access_token":"' + GOOD,
            "the key twice": b'{"access_token":"x","access_token":"' + GOOD + b'"}',
            "another key twice": b'{"a":1,"a":2,"access_token":"' + GOOD + b'"}',
            "a lone surrogate": b'{"access_token":"\\ud800"}',
            "a lone surrogate elsewhere": b'{"a":"\\udfff","access_token":"' + GOOD + b'"}',
            "NaN": b'{"a":NaN,"access_token":"' + GOOD + b'"}',
            "1e400": b'{"a":1e400,"access_token":"' + GOOD + b'"}',
            "a mark": b'\xef\xbb\xbf{"access_token":"' + GOOD + b'"}',
            "UTF-16": ('{"access_token":"' + GOOD.decode() + '"}').encode("utf-16"),
            "no UTF-8": b'{"a":"\xff","access_token":"' + GOOD + b'"}',
            "10 000 levels": b'{"a":' + b"[" * 10_000 + b"]" * 10_000 + b"}",
            "100 000 openings": b"[" * 100_000,
            "something behind": b'{"access_token":"' + GOOD + b'"}x',
            "a token of 8 MiB": b'{"access_token":"' + b"a" * (8 * MiB) + b'"}',
            "bytes": bytes(range(256)),
        },
        BROKEN,
    ),
    Row(
        "two content types",
        MISSING,
        (("Content-Type", b"application/json"), ("Content-Type", b"text/plain")),
        "POST",
        body=b'{"access_token":"' + GOOD + b'"}',
        door="json",
    ),
    # Queries
    *queries(
        {"a good token in the query": b"token=" + GOOD, "the same token twice": b"token=" + GOOD + b"&token=" + GOOD},
        FINE,
    ),
    *queries(
        {"a query without token": b"a=b", "the name alone": b"&&=&", "a name in capitals": b"TOKEN=" + GOOD}, MISSING
    ),
    *queries(
        {
            "an empty token in the query": b"token=",
            "a surrogate in the query": b"token=%ED%A0%80",
            "no UTF-8 in the query": b"token=%FF%FE",
            "raw bytes in the query": b"token=\xff\xfe\x00",
            "NUL in the query": b"token=" + GOOD + b"%00",
            "half an escape": b"token=%",
            "a plus sign": b"token=" + GOOD + b"+",
            "a scheme in the query": b"token=Bearer%20" + GOOD,
        },
        INVALID,
    ),
    *queries(
        {
            "two different tokens": b"token=" + GOOD + b"&token=x",
            "an empty token and a good one": b"token=&token=" + GOOD,
            "1001 parameters": b"&".join([b"a=b"] * 1001),
            "8 MiB in the query": b"token=" + b"a" * (8 * MiB),
        },
        BROKEN,
    ),
]


def ask(row: Row, *, handle_errors: bool = True) -> Answer:
    return knock(door(row.door, handle_errors=handle_errors), row.path, row.method, row.headers, row.body, row.query)


def code_of(answer: Answer) -> str | None:
    return answer.json["code"] if answer.status != 200 and answer.body else None


def secrets_of(row: Row) -> list[str]:
    """What came with a request and has no place in its answer or in a log."""
    carried = [part for _, value in row.headers for part in value.replace(b"=", b" ").replace(b";", b" ").split()]
    parts = [*carried, *row.body.split(b'"'), *row.query.replace(b"&", b"=").split(b"=")]
    return [part.decode("latin-1") for part in parts if len(part) > 30 and b"/" not in part[:20]]


def test_no_two_rows_have_one_name():
    names = [(row.id, row.door, row.method, row.path) for row in ROWS]
    assert not {name for name in names if names.count(name) > 1}
    assert {row.door for row in ROWS} == SETTINGS.keys() | ASYMMETRIC.keys()


@pytest.mark.parametrize("row", [pytest.param(row, id=f"{row.door}: {row.id}") for row in ROWS])
def test_a_request_gets_the_answer_of_the_table(row, caplog):
    caplog.set_level(logging.DEBUG)
    answer = ask(row)
    assert answer.raised is None
    if row.method == "HEAD":
        assert answer.status == row.expected[0]
    else:
        assert (answer.status, code_of(answer)) == row.expected
    check_challenge(answer, row.expected[1])
    shown = answer.body.decode() + str(answer.headers) + caplog.text
    assert not [secret for secret in secrets_of(row) if secret in shown]


def check_challenge(answer: Answer, code: str | None) -> None:
    """RFC 6750 section 3.1: an error where there were credentials, none where there were none."""
    challenge = answer.get("www-authenticate")
    if answer.status not in (400, 401):
        assert challenge is None
        return
    assert challenge is not None
    assert challenge.startswith('Bearer realm="authx"')
    expected = {"request_invalid": "invalid_request", "fresh_required": "insufficient_user_authentication"}
    error = expected.get(str(code), None if code == "token_missing" else "invalid_token")
    assert ("error=" in challenge) is (error is not None)
    assert error is None or f'error="{error}"' in challenge
    assert challenge.isascii()


@pytest.mark.parametrize("row", [pytest.param(row, id=f"{row.door}: {row.id}") for row in ROWS[::9]])
def test_an_application_that_registered_no_handler_gives_the_same_answer(row):
    with_handler, without = ask(row), ask(row, handle_errors=False)
    assert without.raised is None
    assert (without.status, without.body) == (with_handler.status, with_handler.body)
    assert without.get("www-authenticate") == with_handler.get("www-authenticate")


def test_a_token_that_was_seen_before_excuses_nothing_about_the_next_request():
    app = door("plain")
    for _ in range(3):
        assert knock(app, headers=[("Authorization", b"Bearer " + GOOD)]).status == 200
    for row in ROWS:
        if row.door == "plain" and row.expected != FINE and any(GOOD in value for _, value in row.headers):
            assert (ask(row).status, row.id) == (row.expected[0], row.id)


@pytest.mark.parametrize("name", ["plain", "lenient"])
@pytest.mark.parametrize(
    ("changes", "moments"),
    [
        ({}, (NOW + 899.999, NOW + 900, NOW + 901, NOW + 959.999, NOW + 960, NOW + 10**6)),
        ({"exp": NOW + 9.5}, (NOW + 9, NOW + 9.499, NOW + 9.5, NOW + 69.499, NOW + 69.5)),
        ({}, (NOW - 9.999, NOW - 10, NOW - 10.001, NOW - 60, NOW - 60.001)),
        ({"iat": NOW - 1000}, (NOW - 10, NOW - 10.001, NOW - 60, NOW - 60.001)),
        ({"nbf": DROP}, (NOW - 10, NOW - 10.001, NOW - 60, NOW - 60.001)),
    ],
)
def test_a_token_that_was_seen_before_is_refused_whenever_it_would_be_refused_unseen(name, changes, moments):
    time = [float(NOW)]
    remembering = make_door(name, lambda: time[0])
    forgetting = make_door(name, lambda: time[0], JWT_TOKEN_CACHE_SIZE=0)
    row = [("Authorization", b"Bearer " + access(**changes))]
    outcomes = set()
    for moment in moments:
        time[0] = float(NOW)
        assert knock(remembering, headers=row).status == 200
        time[0] = moment
        seen, unseen = knock(remembering, headers=row), knock(forgetting, headers=row)
        assert (seen.status, seen.body) == (unseen.status, unseen.body), moment
        outcomes.add(seen.status)
    assert outcomes == {200, 401}


def test_a_route_that_only_looks_for_a_token_never_fails_on_one():
    for row in ROWS:
        if row.door == "plain" and row.path == "/p":
            answer = knock(door("plain"), "/found", "GET", row.headers, row.body, row.query)
            assert answer.raised is None
            assert answer.status in (200, 400), row.id


def test_a_preflight_is_not_authenticated():
    answer = knock(
        door("plain"), method="OPTIONS", headers=[("Origin", b"https://x"), ("Access-Control-Request-Method", b"GET")]
    )
    assert answer.status == 405
    assert answer.get("www-authenticate") is None


def test_no_address_in_a_header_is_ever_fetched():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        address = f"http://127.0.0.1:{listener.getsockname()[1]}/keys"
        for name in ("jku", "x5u"):
            for raw in (
                with_header(**{name: address}),
                with_header(**{name: address, "kid": "theirs", "alg": "RS256"}),
            ):
                assert knock(door("plain"), headers=[("Authorization", b"Bearer " + raw)]).status == 401
        with pytest.raises(BlockingIOError):
            listener.accept()


# WebSockets


async def shake_hands(
    name: str, headers: list[tuple[bytes, bytes]], query: bytes, *, denial: bool
) -> list[dict[str, Any]]:
    scope = {
        "type": "websocket",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "scheme": "wss",
        "path": "/ws",
        "raw_path": b"/ws",
        "root_path": "",
        "query_string": query,
        "headers": [(b"host", b"door.example"), *headers],
        "subprotocols": [],
        "client": ("192.0.2.1", 40000),
        "server": ("192.0.2.2", 443),
        "state": {},
        "extensions": {"websocket.http.response": {}} if denial else {},
    }
    arrived = [{"type": "websocket.connect"}]
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return arrived.pop() if arrived else {"type": "websocket.disconnect", "code": 1000}

    async def send(message: Any) -> None:
        sent.append(message)

    await door(name)(scope, receive, send)
    return sent


COOKIE = (b"cookie", b"access_token_cookie=" + GOOD)
HANDSHAKES: dict[str, tuple[str, list[tuple[bytes, bytes]], bytes, int]] = {
    "a good header": ("plain", [(b"authorization", b"Bearer " + GOOD)], b"", 101),
    "no token": ("plain", [], b"", 401),
    "a bad token": ("plain", [(b"authorization", b"Bearer x")], b"", 401),
    "bytes": ("plain", [(b"authorization", b"Bearer \xff\x00")], b"", 401),
    "a refresh token": ("plain", [(b"authorization", b"Bearer " + REFRESH)], b"", 401),
    "two headers": ("plain", [(b"authorization", b"Bearer " + GOOD)] * 2, b"", 400),
    "8 MiB": ("plain", [(b"authorization", b"Bearer " + b"a" * 8 * MiB)], b"", 400),
    "a query that is no place": ("plain", [], b"token=" + GOOD, 401),
    "a cookie from our own page": ("cookies", [COOKIE, (b"origin", b"https://door.example")], b"", 101),
    "a cookie from another page": ("cookies", [COOKIE, (b"origin", b"https://evil.example")], b"", 403),
    "a cookie from a page of no origin": ("cookies", [COOKIE, (b"origin", b"null")], b"", 403),
    "a cookie from a page of bytes": ("cookies", [COOKIE, (b"origin", b"\xff")], b"", 403),
    "two cookies": ("cookies", [COOKIE, (b"cookie", b"access_token_cookie=x")], b"", 400),
    "a bad cookie": ("cookies", [(b"cookie", b"access_token_cookie=\xe9")], b"", 401),
}


@pytest.mark.parametrize(("name", "headers", "query", "status"), HANDSHAKES.values(), ids=HANDSHAKES)
def test_a_handshake_is_refused_before_it_is_accepted(name, headers, query, status):
    denied = asyncio.run(shake_hands(name, headers, query, denial=True))
    closed = asyncio.run(shake_hands(name, headers, query, denial=False))
    if status == 101:
        assert denied[0]["type"] == closed[0]["type"] == "websocket.accept"
        return
    assert (denied[0]["type"], denied[0]["status"]) == ("websocket.http.response.start", status)
    assert [(message["type"], message["code"]) for message in closed] == [("websocket.close", 1008)]
    assert GOOD.decode() not in str(denied) + str(closed)


# Any bytes at all

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


# A real server

SERVER = Path(__file__).with_name("server.py")


@pytest.fixture(scope="module")
def port():
    with tempfile.TemporaryFile("w+") as log:
        with running([sys.executable, SERVER], stdout=subprocess.PIPE, stderr=log, text=True) as process:
            yield int(process.stdout.readline())
            stop(process)
        log.seek(0)
        assert "Traceback" not in log.read()


def converse(port: int, raw: bytes) -> bytes:
    """Send bytes, and read until the server closes the connection or has sent an answer's head."""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection:
        answer = b""
        try:
            connection.sendall(raw)
            while b"\r\n\r\n" not in answer and (part := connection.recv(65536)):
                answer += part
            while (
                b"content-length" in answer and not answer.endswith((b"}", b'"')) and (part := connection.recv(65536))
            ):
                answer += part
        except (ConnectionResetError, BrokenPipeError):
            # It stopped reading what it had refused.
            pass
        return answer


def request(*lines: bytes, path: bytes = b"/p") -> bytes:
    return b"\r\n".join([b"GET " + path + b" HTTP/1.1", b"Host: localhost", b"Connection: close", *lines, b"", b""])


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param([b"Authorization: Bearer " + b"a" * (8 * MiB)], id="8 MiB"),
        pytest.param([b"Authorization: Bearer " + b"a" * 20_000], id="20 kB"),
        pytest.param([b"Authorization: Bearer " + GOOD, b" " + GOOD], id="a folded line"),
        pytest.param([b"Authorization: Bearer " + GOOD, b"\tx"], id="a line folded with a tab"),
        pytest.param([b"Authorization: Bearer a\0b"], id="NUL"),
        pytest.param([b"Authorization: Bearer a\x01b"], id="a control byte"),
        pytest.param([b"Authorization: Bearer \xff\xfe\x80"], id="bytes beyond ASCII"),
        pytest.param([b"Authorization: Bearer " + GOOD, b"Authorization: Bearer " + GOOD], id="two headers"),
        pytest.param([b"Authorization Bearer x"], id="no colon"),
        pytest.param([b"Authorization : Bearer x"], id="a space before the colon"),
        pytest.param([b"Authorization: Bearer x\nX: y"], id="a bare newline"),
        pytest.param([b"Cookie: access_token_cookie=\xff\x00"], id="a cookie of bytes"),
    ],
)
def test_a_server_answers_a_bad_request_with_4xx_or_closes_and_serves_the_next(port, lines):
    answer = converse(port, request(*lines))
    assert not answer or answer.startswith(b"HTTP/1.1 4")
    token = json.loads(converse(port, request(path=b"/login")).rpartition(b"\r\n")[2])
    assert converse(port, request(b"Authorization: Bearer " + token.encode())).startswith(b"HTTP/1.1 200")
