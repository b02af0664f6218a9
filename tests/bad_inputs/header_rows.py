"""Requests whose headers, places or CSRF values are bad."""

from .forge import CSRF, DROP, NOW, access
from .rows import (
    BROKEN,
    CSRF_MISSING,
    CSRF_ORIGIN,
    CSRF_WRONG,
    EXPIRED,
    FINE,
    GOOD,
    INVALID,
    MISSING,
    MiB,
    Row,
    headers,
    posts,
)

ROWS: list[Row] = [
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
]
