"""What the library promises, and what was measured of it. Information: nothing fails here."""

from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.coordinator import OURS, PEERS, Part, Series


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
