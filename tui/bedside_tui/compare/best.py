"""Which of several values is the best, and which way is better for what a probe measures.

A direction is given only where nobody would doubt it: a learning rate, a norm or the largest update have none.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

from bedside_protocol.definitions import NOTHING_SAID
from bedside_protocol.records import Direction

_OF_ALL: Final[Mapping[str, Direction]] = {"nonfinite": "down", "failed": "down", "infinite": "down", "outside": "down"}
_OF_KIND: Final[Mapping[str, Mapping[str, Direction]]] = {
    "activations": {"dead": "down", "dead_max": "down", "saturated": "down", "saturated_max": "down", "rank_min": "up"},
    "attention": {"invalid": "down", "uniform": "down"},
    "class_balance": {"accuracy": "up", "missing": "down"},
    "codebook": {"used": "up", "usage": "up", "perplexity": "up", "dead": "down"},
    "gradients": {"none": "down", "zero": "down", "unowned": "down", "unchanged": "down"},
    "rollout": {"collapse": "down", "best": "down"},
    "samples": {"psnr": "up"},
    "schedule": {"deviation": "down", "deviation_max": "down"},
    "structure": {"never_reset": "down", "same_batch": "down"},
    "success": {"rate": "up", "drop": "down"},
}  # fmt: skip
"""By kind of probe and scalar; `psnr/made` is a `psnr`."""


def direction_of(kind: str, scalar: str) -> Direction | None:
    """Which way is better for a scalar of a probe of some kind. A probe of the user's own is known by what its scalars are called."""
    base = scalar.partition("/")[0]
    if base in _OF_ALL:
        return _OF_ALL[base]
    if kind in _OF_KIND:
        return _OF_KIND[kind].get(base)
    return NOTHING_SAID.direction_of(scalar)


def best(values: Sequence[float | None], direction: Direction | None) -> frozenset[int]:
    """The places of the best value, several where they tie; none without a direction, or where there is only one value to choose from.

    NaN is never the best, nor is an infinity that a sound quantity only reaches upwards (a perfect likeness has infinitely many dB).
    """
    if direction is None or sum(value is not None for value in values) < 2:
        return frozenset()
    known = {
        place: value
        for place, value in enumerate(values)
        if value is not None and (math.isfinite(value) or (direction == "up" and value == math.inf))
    }
    if not known:
        return frozenset()
    winner = max(known.values()) if direction == "up" else min(known.values())
    return frozenset(place for place, value in known.items() if value == winner)


def same(one: object, other: object) -> bool:
    """Whether two values are equal to a person: NaN is NaN, and True is not 1."""
    if isinstance(one, float) and isinstance(other, float) and math.isnan(one) and math.isnan(other):
        return True
    return isinstance(one, bool) == isinstance(other, bool) and one == other
