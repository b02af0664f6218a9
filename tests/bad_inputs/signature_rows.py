"""Tokens whose algorithm, header, kind or form is bad."""

import zlib

from . import forge
from .forge import CSRF, DROP, HEADER, NOW, OTHER_SECRET, SECRET, access, b64, claims, token, with_header
from .rows import BROKEN, FINE, FLATTENED, GOOD, HEAD, REFRESH, SIGNATURE, WRONG_TYPE, Row, tokens

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
]
