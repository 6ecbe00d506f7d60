"""Whether a memory is flat: the slope of samples, its interval, and what they say of a bound. Numbers in, numbers out."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final, Literal

MIB: Final = 1 << 20
HOUR: Final = 3600.0
_Z: Final = 1.96
"""Of the normal distribution: 95 % within."""

Judgement = Literal["flat", "grows", "not decided"]


@dataclass(frozen=True, slots=True)
class Slope:
    """Units an hour: the middle of the slopes of all pairs of points (Theil, Sen), which a burst does not bend, and its 95 % interval."""

    an_hour: float
    low: float
    high: float

    def against(self, bound: float) -> Judgement:
        """`flat` where the whole interval is within the bound, `grows` where all of it is above."""
        if self.high <= bound:
            return "flat"
        return "grows" if self.low > bound else "not decided"


def slope(times: Sequence[float], values: Sequence[float]) -> Slope:
    """The slope of values over increasing times in seconds, three points at least; the interval after Sen (1968, JASA 63, 1379)."""
    count = len(times)
    points = itertools.combinations(zip(times, values, strict=True), 2)
    slopes = sorted(HOUR * (later - earlier) / (after - before) for (before, earlier), (after, later) in points)
    pairs = len(slopes)
    spread = _Z * math.sqrt(count * (count - 1) * (2 * count + 5) / 18)
    low, high = max(0, math.floor((pairs - spread) / 2)), min(pairs - 1, math.ceil((pairs + spread) / 2))
    return Slope(median(slopes), slopes[low], slopes[high])


def thinned(times: Sequence[float], values: Sequence[float], every: float) -> tuple[list[float], list[float]]:
    """The medians of each `every` seconds: neighbouring samples of a memory are no independent ones."""
    found = [
        (median(time for time, _ in group), median(value for _, value in group))
        for _, group in (
            (place, list(each)) for place, each in itertools.groupby(zip(times, values, strict=True), key=lambda point: point[0] // every)
        )
    ]
    return [time for time, _ in found], [value for _, value in found]
