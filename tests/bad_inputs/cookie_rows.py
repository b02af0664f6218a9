"""Requests whose cookies, bodies or query are bad."""

from . import forge
from .forge import CSRF, NOW, access
from .rows import BROKEN, FINE, GOOD, INVALID, MISSING, REFRESH, WRONG_TYPE, MiB, Row, bodies, cookies, queries

ROWS: list[Row] = [
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
