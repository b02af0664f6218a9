"""Tokens whose JSON, size, times, claims or form is bad, and tokens that were revoked."""

import json

from . import forge
from .doors import REVOKED
from .forge import DROP, HEADER, NOW, OTHER_SECRET, access, b64, claims, raw_claim, raw_claims, token
from .rows import BODY, BROKEN, EXPIRED, FINE, GOOD, HEAD, INVALID, REFRESH, SIGNATURE, MiB, Row, tokens

ROWS: list[Row] = [
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
]
