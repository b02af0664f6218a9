"""Parameters that do not depend on each other are tested apart, not multiplied."""

from collections.abc import Collection
from itertools import combinations, product
from typing import Any

__all__ = ["pairwise", "spread"]


def spread(*axes: Collection[Any]) -> list[tuple[Any, ...]]:
    """Every value of each axis at least once: as many cases as the longest axis has values."""
    values = [list(axis) for axis in axes]
    return [tuple(axis[case % len(axis)] for axis in values) for case in range(max(map(len, values)))]


def pairwise(*axes: Collection[Any]) -> list[tuple[Any, ...]]:
    """Every two values of different axes together at least once: for axes that may depend on one other."""
    values = [list(axis) for axis in axes]

    def pairs(case: tuple[int, ...]) -> set[tuple[tuple[int, int], tuple[int, int]]]:
        return set(combinations(enumerate(case), 2))

    candidates = list(product(*(range(len(axis)) for axis in values)))
    missing = set().union(*map(pairs, candidates))
    chosen = []
    while missing:
        best = max(candidates, key=lambda case: len(pairs(case) & missing))
        missing -= pairs(best)
        chosen.append(best)
    return [tuple(axis[index] for axis, index in zip(values, case, strict=True)) for case in chosen]
