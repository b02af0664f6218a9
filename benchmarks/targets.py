"""What the library promises, and what was measured of it. Information: nothing fails here."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from benchmarks.coordinator import DJANGO, OURS, PEERS, Part, Series


@dataclass(frozen=True, slots=True)
class Target:
    """One promise.

    Args:
        promise: in words, with its limit.
        limit: the number promised.
        measured: the number measured: the median of the rounds.
        lowest: the same number from the minimums, which other programs on the machine disturb least.
        unit: what follows a number.
        at_least: whether the limit is a lower one.
    """

    promise: str
    limit: float
    measured: float
    lowest: float
    unit: str
    at_least: bool = False

    @property
    def kept(self) -> bool:
        return self.measured >= self.limit if self.at_least else self.measured <= self.limit


def _ratio(
    part: Part, promise: str, limit: float, above: str, below: tuple[str, str], *, at_least: bool = False
) -> Iterator[Target]:
    mine, theirs = part.find(above, OURS), part.find(*below)
    if mine is None or theirs is None:
        return
    if at_least:
        mine, theirs = theirs, mine
    yield Target(promise, limit, mine.over(theirs), mine.minimum / theirs.minimum, "x", at_least)


def codec(part: Part) -> Iterator[Target]:
    """Promises about verifying and signing."""
    floor = "HS256 verify floor"
    yield from _ratio(part, "verify HS256, first sight: at most 1.2 x floor", 1.2, "HS256 verify authx", (floor, OURS))
    yield from _ratio(
        part,
        "verify HS256, first sight: at least 8 times faster than PyJWT",
        8,
        "HS256 verify authx",
        ("HS256 verify PyJWT", PEERS),
        at_least=True,
    )
    remembered = part.find("HS256 verify authx remembered", OURS)
    if remembered is not None:
        yield Target("verify a remembered token: under 1 µs", 1.0, remembered.median, remembered.minimum, "µs")
    for algorithm, limit in (("RS256", 1.4), ("ES256", 1.3), ("EdDSA", 1.3)):
        yield from _ratio(
            part,
            f"verify {algorithm}, first sight: at most {limit} x raw verification",
            limit,
            f"{algorithm} verify authx",
            (f"{algorithm} verify floor", OURS),
        )
    yield from _ratio(part, "sign HS256: at most 1.5 x floor", 1.5, "HS256 sign authx", ("HS256 sign floor", OURS))
    yield from _ratio(
        part, "sign RS256: at most 1.1 x raw signature", 1.1, "RS256 sign authx", ("RS256 sign floor", OURS)
    )


def _added(part: Part, one: Series) -> tuple[float, float]:
    base = part.baseline(one)
    assert base is not None
    return one.minus(base), one.minimum - base.minimum


def _added_over(
    part: Part, promise: str, limit: float, above: tuple[str, str], below: tuple[str, str], *, inverse: bool
) -> Iterator[Target]:
    mine, theirs = part.find(*above), part.find(*below)
    if mine is None or theirs is None:
        return
    (ours, ours_lowest), (other, other_lowest) = _added(part, mine), _added(part, theirs)
    if inverse:
        yield Target(promise, limit, other / ours, other_lowest / ours_lowest, "x less", at_least=True)
    else:
        yield Target(promise, limit, ours / other, ours_lowest / other_lowest, "x")


def http(part: Part) -> Iterator[Target]:
    """Promises about what protection adds to a bare route."""
    for sight, name in (("remembered", "payload authx"), ("first sight", "payload first sight authx")):
        yield from _added_over(
            part,
            f"header HS256, payload injected, {sight}: adds at most 1/15 of what AuthX adds",
            15,
            (name, OURS),
            ("payload AuthX", PEERS),
            inverse=True,
        )
        yield from _added_over(
            part,
            f"header HS256, payload injected, {sight}: adds at most 1.15 x what the one by hand adds",
            1.15,
            (name, OURS),
            ("by hand", OURS),
            inverse=False,
        )
    for against, rival in (
        ("AuthX with the header alone", "payload"),
        ("AuthX with the same three", "three locations"),
    ):
        yield from _added_over(
            part,
            f"three locations, remembered: adds at most 1/10 of what {against} adds",
            10,
            ("three locations authx", OURS),
            (f"{rival} AuthX", PEERS),
            inverse=True,
        )
    yield from _no_threads(part)
    yield from _nodes(part)


def _no_threads(part: Part) -> Iterator[Target]:
    asynchronous = [
        one
        for one in part.series
        if one.environment == OURS and one.case.name.endswith(" authx") and " sync " not in one.case.name
    ]
    if asynchronous:
        hops = max(one.case.facts["threads"] for one in asynchronous)
        yield Target("thread hops of any async route: 0", 0, hops, hops, "")


def _nodes(part: Part) -> Iterator[Target]:
    for name, locations in (("payload authx", 1), ("three locations authx", 3)):
        one = part.find(name, OURS)
        if one is not None:
            nodes = one.case.facts["nodes"]
            yield Target(
                f"dependency nodes with {locations} configured location(s): {locations}",
                locations,
                nodes,
                nodes,
                "",
            )


def imports(series: list[Series]) -> Iterator[Target]:
    """The promise about importing."""
    own = {one.case.name: one for one in series if one.environment == OURS}
    if not own:
        return
    base = own["fastapi"]
    for name in ("package", "names"):
        one = own[name]
        # A minimum by definition: everything that disturbs an import makes it longer.
        over = (one.minimum - base.minimum) / 1000
        yield Target(f"{one.case.title}: at most 60 ms over import fastapi", 60, over, over, "ms")


def stores(part: Part) -> Iterator[Target]:
    """Promises about sessions on a store."""
    for one in part.series:
        kind, _, tag = one.case.name.removeprefix("advance ").partition(" ")
        if one.case.name.startswith("advance ") and tag == "authx":
            yield from _ratio(
                part,
                f"{one.case.title}: at least 0.8 of the rate of its bare driver",
                0.8,
                one.case.name,
                (f"advance {kind} bare", OURS),
                at_least=True,
            )
    yield from _ratio(
        part,
        "rotating refresh on SQLite: at most 0.6 x AuthX's refresh, which keeps no state",
        0.6,
        "refresh sqlite authx",
        ("refresh AuthX", PEERS),
    )
    for one in part.series:
        if one.environment == DJANGO:
            yield from _ratio(
                part,
                f"rotating refresh on SQLite: at least 10 times the rate of simplejwt's ({one.case.title})",
                10,
                "refresh sqlite authx",
                (one.case.name, DJANGO),
                at_least=True,
            )
    yield from _stampedes(part)


def revocations(part: Part) -> Iterator[Target]:
    """Promises about the revocation check."""
    one = part.find("access revocations", OURS)
    if one is None:
        return
    added, lowest = _added(part, one)
    yield Target(
        "revocation check, 100,000 live revocations: adds at most 2 µs to an access check", 2, added, lowest, "µs"
    )
    size = one.case.facts["bytes"]
    yield Target("memory of a live revocation: at most 200 bytes", 200, size, size, "bytes")


def _stampedes(part: Part) -> Iterator[Target]:
    for one in part.series:
        if one.case.name.startswith("stampede "):
            # What a refresh by itself asks is the unit.
            asked = one.case.facts["stampede"] / one.case.facts["requests"] / one.case.facts["alone"]
            yield Target(f"{one.case.title}: at most 3 x the store's work for one", 3, asked, asked, "x")


def growth(series: Sequence[Series]) -> Iterator[Target]:
    """The promise about many sessions."""
    for few, many in zip(series[::2], series[1::2], strict=True):
        yield Target(
            f"{many.case.title}: at most 1.6 x that among few",
            1.6,
            many.over(few),
            many.minimum / few.minimum,
            "x",
        )
