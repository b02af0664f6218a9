"""The codec against PyJWT and joserfc, on random tokens.

What both of them refuse, ours refuses; what ours accepts, both accept, and read the same claims in it.
Ours may refuse more, but only for the reasons in `STRICTER`: a token that has none of these features is
accepted exactly where both accept it.
"""

import base64
import json
import random
import secrets
import sys
import time
import warnings
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache

import joserfc.jwk
import joserfc.jwt
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import given
from hypothesis import strategies as st
from joserfc.jws import JWSRegistry

from authx.exceptions import JWTDecodeError
from authx.jose import base64url, jws
from authx.jose.asymmetric_key import AsymmetricKey
from authx.jose.jwk import public_jwk
from authx.jose.key import KeyRing, key_from_secret
from authx.tokens.verifier import Verifier

SECRET = "a secret of at least sixty-four bytes, for it also signs with HS512 !"
NOW = 1_800_000_000
LEEWAY = 10
CASES = 4000
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551

# What ours refuses on purpose where the two others may accept it.
STRICTER = {
    # Two parsers that read a name twice can read two different tokens (RFC 7515 section 4 lets us refuse).
    "duplicate name",
    # JSON is UTF-8 between systems, without a mark (RFC 8259 section 8.1); json.loads guesses.
    "not UTF-8",
    # json.loads reads NaN, Infinity and 1e400; no other JSON parser agrees on them.
    "not finite",
    # A text with half a character cannot be stored or sent on as UTF-8.
    "lone surrogate",
    # Bounds, so that no token costs more than its size says.
    "deep",
    "integer beyond floats",
    # Members that ask the verifier to do something else than check this signature with its own key.
    "refused member",
    # A kid that could be a path, a query or an attack on a log.
    "unusual kid",
    # A token of another kind that happens to be signed with the same key (RFC 8725 section 3.11).
    "other typ",
}
LONE_SURROGATE = ["\\ud800", "x\\udfff", "\\udc00\\ud800"]
TEXTS = ["", "a", "é", "€uro", "\U0001f600", "a\u0000b", 'quo"te', "back\\slash", "\u2028", "x" * 200, "\x7f", "null"]
NUMBERS = ["0", "-0", "1.0", "1e2", "1E+2", "-1.5e-3", "0.1e1", "1e-400", "1.00000000000000000001", "9007199254740993"]
LARGE = [2**63 - 1, 2**63, 2**64 - 1, 2**64, -(2**63) - 1, 10**30 + 1, 10**300 + 7]


# Keys


@cache
def pair(algorithm):
    if algorithm == "RS256":
        return rsa.generate_private_key(65537, 2048)
    return ec.generate_private_key(ec.SECP256R1()) if algorithm == "ES256" else ed25519.Ed25519PrivateKey.generate()


@cache
def own_key(algorithm):
    if algorithm.startswith("HS"):
        return key_from_secret(SECRET, algorithm)
    return AsymmetricKey(pair(algorithm), algorithm)


@cache
def pyjwt_key(algorithm):
    return SECRET if algorithm.startswith("HS") else pair(algorithm).public_key()


@cache
def joserfc_key(algorithm):
    if algorithm.startswith("HS"):
        return joserfc.jwk.OctKey.import_key(SECRET)
    return joserfc.jwk.import_key(public_jwk(pair(algorithm).public_key()))


@cache
def joserfc_registry(algorithm):
    # RFC 7515 section 4: unknown members are to be ignored, which it does only if told so.
    registry = JWSRegistry(algorithms=[algorithm], strict_check_header=False)
    registry.max_header_length = registry.max_payload_length = registry.max_signature_length = 2**24
    return registry


@cache
def ring(algorithm):
    return KeyRing(None, [own_key(algorithm)])


# Judges: the claims, or None for a refusal.


def ours(token, algorithm):
    try:
        return jws.decode(token, ring(algorithm))
    except JWTDecodeError:
        return None


def pyjwt(token, algorithm):
    try:
        return jwt.decode(token, pyjwt_key(algorithm), [algorithm], options=dict.fromkeys(UNCHECKED, False))
    except Exception:  # noqa: BLE001 - a crash of theirs is no acceptance
        return None


def joserfc_(token, algorithm):
    try:
        return joserfc.jwt.decode(token, joserfc_key(algorithm), registry=joserfc_registry(algorithm)).claims
    except Exception:  # noqa: BLE001 - a crash of theirs is no acceptance
        return None


UNCHECKED = ("verify_exp", "verify_nbf", "verify_iat", "verify_aud", "verify_iss", "verify_sub", "verify_jti")


def same(a, b):
    """Compare claims, types included: 1, 1.0 and True are three values."""
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[name], b[name]) for name in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b


# Random tokens


@dataclass
class Draft:
    """A token in the making, and which of the features of `STRICTER` it has."""

    rng: random.Random
    algorithm: str
    features: set[str] = field(default_factory=set)
    # Whether the features are all known, so that acceptance can be predicted exactly.
    known: bool = True

    def chance(self, one_in: int) -> bool:
        return self.rng.randrange(one_in) == 0

    def text(self, value: str) -> str:
        """Write a text as JSON, in one of the many ways there are."""
        out = []
        for character in value:
            if self.chance(8) or character in '"\\' or character < " ":
                units = character.encode("utf-16-be")
                out += [f"\\u{units[i : i + 2].hex()}" for i in range(0, len(units), 2)]
            else:
                out.append(character)
        return '"' + "".join(out) + '"'

    def value(self, depth: int = 0) -> str:
        kind = self.rng.randrange(12 if depth < 4 else 8)
        if kind < 2:
            return self.text(self.rng.choice(TEXTS))
        if kind == 2:
            return str(self.rng.choice([self.rng.randrange(-1000, 10**12), self.rng.choice(LARGE)]))
        if kind == 3:
            return self.rng.choice(NUMBERS)
        if kind == 4:
            return repr(self.rng.uniform(-1e6, 1e6))
        if kind < 8:
            return self.rng.choice(["null", "true", "false"])
        if kind < 10:
            return self.array([self.value(depth + 1) for _ in range(self.rng.randrange(4))])
        names = self.rng.sample(TEXTS, self.rng.randrange(4))
        return self.object([(name, self.value(depth + 1)) for name in names])

    def space(self) -> str:
        return self.rng.choice([" ", "\n", "\t", "\r\n", "  "]) if self.chance(12) else ""

    def array(self, values: list[str]) -> str:
        return "[" + self.space() + ("," + self.space()).join(values) + self.space() + "]"

    def object(self, members: list[tuple[str, str]]) -> str:
        written = [f"{self.text(name)}{self.space()}:{self.space()}{value}" for name, value in members]
        if members and self.chance(40):
            self.features.add("duplicate name")
            written.insert(
                self.rng.randrange(len(written) + 1), f"{self.text(self.rng.choice(members)[0])}:{self.value(4)}"
            )
        return "{" + self.space() + ("," + self.space()).join(written) + self.space() + "}"

    def header(self) -> str:
        members = [("alg", self.text(self.algorithm))]
        if self.chance(15):
            wrong = [
                '"none"',
                '"None"',
                '""',
                "null",
                "256",
                '["HS256"]',
                "{}",
                '"hs256"',
                '"HS384"',
                '"RS256"',
                '"PS256"',
            ]
            members = [("alg", self.rng.choice(wrong))]
        elif self.chance(60):
            members = []
        if not self.chance(3):
            typ, other = "JWT", self.chance(15)
            if other:
                self.features.add("other typ")
                typ = self.rng.choice(["dpop+jwt", "secevent+jwt", "", "JWT ", "JWS", "application/x"])
            elif self.chance(4):
                typ = self.rng.choice(["jwt", "at+jwt", "AT+JWT", "application/at+jwt", "application/JWT"])
            members.append(("typ", self.text(typ)))
        if self.chance(3):
            kid = self.rng.choice(["a", "key-1", "2026_11", "k" * 128, "urn:key", "a@b=~+"])
            if self.chance(8):
                self.features.add("unusual kid")
                kid = self.rng.choice(["../../dev/null", "' OR '1'='1", "a\0", "é", "", "k" * 129, "a b", "a\n"])
            members.append(("kid", self.text(kid)))
        elif self.chance(40):
            self.features.add("unusual kid")
            members.append(("kid", self.rng.choice(["1", "null", '["a"]', "{}", "true"])))
        if self.chance(8):
            members.append((self.rng.choice(["x", "custom", "é", "alg2", "exp", "sub"]), self.value(2)))
        if self.chance(40):
            members.append(("cty", self.rng.choice(['"JWT"', '"json"', "1", "null", "[]"])))
        if self.chance(12):
            self.features.add("refused member")
            members += self.rng.choice(
                [
                    [("crit", '["exp"]'), ("exp", "1")],
                    [("crit", "[]")],
                    [("crit", "null")],
                    [("crit", '"alg"')],
                    [("crit", '["alg"]')],
                    [("b64", "false")],
                    [("b64", "true")],
                    [("crit", '["b64"]'), ("b64", "false")],
                    [("crit", '["b64"]'), ("b64", "true")],
                    [("zip", '"DEF"')],
                    [("jku", '"https://127.0.0.1/k"')],
                    [("x5u", '"https://127.0.0.1/c"')],
                    [("x5c", '["AA"]')],
                    [("x5t", '"AA"')],
                    [("x5t#S256", '"AA"')],
                    [("jwk", '{"kty":"oct","k":"AA"}')],
                ]
            )
        self.rng.shuffle(members)
        return self.object(members)

    def claims(self) -> str:
        moment = self.moment
        members = [
            ("sub", self.text(self.rng.choice(["user", "é", "x" * 255]))),
            ("jti", self.text(f"id{self.rng.random()}")),
            ("iat", moment(-100, 0)),
            ("exp", moment(20, 1000)),
            ("type", '"access"'),
        ]
        if self.chance(3):
            members.append(("nbf", moment(-100, 0)))
        if self.chance(6):
            members.append(("aud", self.rng.choice(['"me"', '["me","you"]', "[]", '""', '"you"'])))
        if self.chance(6):
            members.append(("iss", self.rng.choice(['"me"', '""'])))
        if self.chance(3):
            spoiled = self.rng.randrange(len(members))
            name = members.pop(spoiled)[0]
            if not self.chance(5):
                offset = self.rng.choice([0, -10, 10, self.rng.randrange(-1000, 1000)])
                members.append((name, self.value() if self.chance(2) else str(NOW + offset)))
        names = self.rng.sample(["role", "é", "a b", "n", "deep", "SUB", "Exp"], self.rng.randrange(4))
        members += [(name, self.value()) for name in names]
        if self.chance(30):
            members.append(("odd", self.odd_value()))
        self.rng.shuffle(members)
        return self.object(members)

    def moment(self, earliest: int, latest: int) -> str:
        seconds = NOW + self.rng.randrange(earliest, latest + 1)
        # Fractions only away from a boundary: PyJWT cuts them off before it compares.
        return self.rng.choice([str(seconds), str(seconds), f"{seconds}.0", f"{seconds / 1e9!r}e9"])

    def odd_value(self) -> str:
        name = self.rng.choice(["not finite", "lone surrogate", "deep", "integer beyond floats"])
        self.features.add(name)
        if name == "not finite":
            return self.rng.choice(["NaN", "Infinity", "-Infinity", "1e400", "-1e999"])
        if name == "lone surrogate":
            return f'"{self.rng.choice(LONE_SURROGATE)}"'
        if name == "deep":
            depth = self.rng.choice([254, 300, 500])
            return "[" * depth + "]" * depth
        return self.rng.choice(["", "-"]) + "9" * self.rng.choice([309, 400, 4300])

    def bytes_of(self, text: str) -> bytes:
        if self.chance(30):
            self.features.add("not UTF-8")
            return text.encode(
                self.rng.choice(["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le"])
            )
        raw = text.encode()
        if self.chance(30):
            # Any bytes instead of some: what that makes of the text is not predicted.
            self.known = False
            raw = mutated(self.rng, raw)
        return raw

    def segment(self, raw: bytes) -> bytes:
        encoded = base64.urlsafe_b64encode(raw).rstrip(b"=")
        if not self.chance(30):
            return encoded
        self.known = False
        return self.rng.choice(
            [
                lambda: base64.urlsafe_b64encode(raw),
                lambda: base64.b64encode(raw).rstrip(b"="),
                lambda: encoded + b"=",
                lambda: encoded + b"\n",
                lambda: encoded[:4] + b"\n" + encoded[4:],
                lambda: encoded[:-1] + bytes([encoded[-1] ^ 1]),
                lambda: encoded + b"A",
            ]
        )()

    def token(self) -> bytes:
        header, claims = self.bytes_of(self.header()), self.bytes_of(self.claims())
        signing_input = self.segment(header) + b"." + self.segment(claims)
        signature = own_key(self.algorithm).sign(signing_input)
        if self.algorithm == "ES256" and self.chance(4):
            signature = twin(signature)
        token = signing_input + b"." + signature
        if self.chance(4):
            self.known = False
            token = mutated_token(self.rng, token)
        return token


def twin(signature: bytes) -> bytes:
    """Write the other signature that ECDSA takes for the same message."""
    raw = base64url.decode(signature)
    return base64url.encode(raw[:32] + (P256_ORDER - int.from_bytes(raw[32:])).to_bytes(32))


def mutated(rng: random.Random, raw: bytes) -> bytes:
    out = bytearray(raw)
    for _ in range(rng.randrange(1, 4)):
        place = rng.randrange(len(out) + 1)
        choice = rng.randrange(5)
        if choice == 0 and out:
            out[place % len(out)] ^= 1 << rng.randrange(8)
        elif choice == 1:
            out[place:place] = rng.choice([b",", b"{", b"}", b'"', b"\\", b"\0", b"\xff", b" ", b"0", b"null", b"//x"])
        elif choice == 2:
            del out[place : place + rng.randrange(1, 6)]
        elif choice == 3:
            out[place:place] = out[place : place + rng.randrange(1, 30)]
        else:
            out += rng.choice([b" ", b"x", b"{}", b"\0", b"\xc2\xa0", b"\xed\xa0\x80"])
    return bytes(out)


def mutated_token(rng: random.Random, token: bytes) -> bytes:
    parts = token.split(b".")
    choice = rng.randrange(9)
    if choice == 0:
        out = bytearray(token)
        out[rng.randrange(len(out))] ^= 1 << rng.randrange(8)
        return bytes(out)
    if choice == 1:
        rng.shuffle(parts)
    elif choice == 2:
        del parts[rng.randrange(len(parts))]
    elif choice == 3:
        parts.insert(rng.randrange(len(parts) + 1), rng.choice([b"", *parts]))
    elif choice == 4:
        return token[: rng.randrange(len(token))]
    elif choice == 5:
        place = rng.randrange(len(token) + 1)
        return (
            token[:place] + rng.choice([b"=", b"==", b".", b"\n", b" ", b"A", b"%2E", b"\0", b"\xe9"]) + token[place:]
        )
    elif choice == 6:
        place = rng.randrange(len(parts))
        parts[place] += b"=" * (-len(parts[place]) % 4 or 1)
    elif choice == 7:
        parts[-1] = parts[-1][:-1] + bytes([rng.choice(b"ABCDwxyz0123-_")])
    else:
        parts[-1] = rng.choice([b"", parts[-1].swapcase(), parts[0], own_key("HS256").sign(b"other")])
    return b".".join(parts)


def draft(rng: random.Random) -> Draft:
    return Draft(rng, rng.choice(["HS256"] * 8 + ["HS384", "HS512", "ES256", "EdDSA", "RS256"]))


# Properties


@dataclass
class Tally:
    """How often each outcome occurred: a comparison that never sees one of them proves nothing."""

    accepted_by_all: int = 0
    refused_by_all: int = 0
    refused_by_ours_alone: int = 0


def compare(made: Draft, token: bytes, tally: Tally) -> None:
    own = ours(token, made.algorithm)
    theirs = pyjwt(token, made.algorithm), joserfc_(token, made.algorithm)
    assert ours(token, made.algorithm) == own
    if own is not None:
        assert same(own, theirs[0])
        assert same(own, theirs[1])
        tally.accepted_by_all += 1
    elif None in theirs:
        tally.refused_by_all += theirs == (None, None)
    else:
        tally.refused_by_ours_alone += 1
    if made.known:
        assert (own is not None) == (None not in theirs and not made.features & STRICTER)


@pytest.fixture
def quiet():
    """Two libraries that warn of what is asked of them on purpose."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@pytest.fixture
def fuzz(request, capsys):
    """Give random sources: a fixed number of them, or for as long as was asked for."""
    seconds = request.config.getoption("--fuzz-seconds")
    seed = secrets.randbits(48) if seconds else 7515

    def sources():
        end = time.monotonic() + seconds
        number = 0
        while time.monotonic() < end if seconds else number < CASES:
            yield f"{seed}/{number}", random.Random(f"{seed}/{number}")
            number += 1
        if seconds:
            with capsys.disabled():
                sys.stdout.write(f"\n{request.node.name}: {number} tokens from seed {seed}\n")

    return sources


def test_what_ours_accepts_both_accept_and_what_both_refuse_ours_refuses(fuzz, quiet):
    tally = Tally()
    for name, rng in fuzz():
        made = draft(rng)
        token = made.token()
        try:
            compare(made, token, tally)
        except Exception as error:
            raise AssertionError(f"random source {name}: {made.algorithm} {made.features}") from error
    assert min(tally.accepted_by_all, tally.refused_by_all, tally.refused_by_ours_alone) > 50, tally


@pytest.fixture
def frozen_time(monkeypatch):
    """Stop the clock that PyJWT reads; the two others are told the time."""

    class Stopped(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.fromtimestamp(NOW, tz)

    monkeypatch.setattr("jwt.api_jwt.datetime", Stopped)


def test_a_verified_token_is_one_that_both_verify_at_that_moment(fuzz, quiet, frozen_time):
    accepted = refused = 0
    registry = joserfc.jwt.JWTClaimsRegistry(now=NOW, leeway=LEEWAY)
    verifiers = {}
    for name, rng in fuzz():
        made = draft(rng)
        token = made.token()
        verifier = verifiers.setdefault(
            made.algorithm, Verifier(ring(made.algorithm), leeway=LEEWAY, may_lack_exp=["access"], remember=64)
        )
        try:
            claims = verifier.verify(token, NOW).claims
        except JWTDecodeError:
            refused += 1
            continue
        accepted += 1
        note = f"random source {name}: {made.algorithm} {claims}"
        assert verifier.verify(token, NOW).claims == claims, note
        assert same(jwt.decode(token, pyjwt_key(made.algorithm), [made.algorithm], leeway=LEEWAY), claims), note
        theirs = joserfc.jwt.decode(token, joserfc_key(made.algorithm), registry=joserfc_registry(made.algorithm))
        assert same(theirs.claims, claims), note
        registry.validate(theirs.claims)
    assert accepted > 50
    assert refused > 50


def test_what_ours_signs_both_accept(fuzz, quiet):
    for name, rng in fuzz():
        made = draft(rng)
        claims = json.loads(made.claims())
        headers = {"kid": "some-key", "x": json.loads(Draft(rng, "HS256").value())} if made.chance(2) else None
        try:
            token = jws.encode(claims, own_key(made.algorithm), headers).encode()
        except ValueError:
            # Not finite, a lone surrogate, too deep, too large: refused before it is signed.
            assert made.features & STRICTER, name
            continue
        for judge in (ours, pyjwt, joserfc_):
            assert same(judge(token, made.algorithm), claims), f"random source {name}: {judge.__name__}"


@given(
    st.binary(max_size=60) | st.just(b'{"alg":"HS256"}') | st.text('{}[]":,algHS256 \\u0', max_size=30).map(str.encode),
    st.binary(max_size=60) | st.text('{}[]":,ab01.eE-+ \\u0NaN', max_size=40).map(str.encode) | st.just(b"{}"),
)
def test_any_bytes_signed_as_header_and_claims_are_accepted_only_where_both_accept_them(header, claims):
    signing_input = base64url.encode(header) + b"." + base64url.encode(claims)
    token = signing_input + b"." + own_key("HS256").sign(signing_input)
    own = ours(token, "HS256")
    if own is not None:
        assert same(own, pyjwt(token, "HS256"))
        assert same(own, joserfc_(token, "HS256"))


@given(st.binary(max_size=200) | st.lists(st.text(max_size=20).map(str.encode), max_size=5).map(b".".join))
def test_any_bytes_at_all_are_refused_as_a_token(token):
    assert ours(token, "HS256") is None
    assert pyjwt(token, "HS256") is None


def test_the_serialized_keys_are_the_ones_that_all_three_use():
    for algorithm in ("RS256", "ES256", "EdDSA"):
        public = (
            pair(algorithm)
            .public_key()
            .public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        )
        theirs = joserfc_key(algorithm).as_der(private=False)
        assert theirs == public
