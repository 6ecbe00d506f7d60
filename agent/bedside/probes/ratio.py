"""The ratio of two logged metrics that should differ, or should not: coarse against fine, reference against policy.

Step by step such a ratio wavers; whether it is 1 is a question about its mean and that mean's error. The probe judges nothing.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from bedside.probes.probe import Probe, schedule_of
from bedside.schedule import Schedule
from bedside_protocol.records import Array, Scalar, Snapshot

_BLOCKS = 20
_BLOCK_STEPS = 25
"""20 × 25 steps: neighbouring steps are alike, the means of blocks of 25 nearly independent."""
_ERRORS = 1.7
"""Standard errors added to the mean: what is called equal within a bound is so with 95 % confidence, one-sided (Student, 19 degrees)."""
_EXACT_PAIRS = 200
"""Over which a ratio that never leaves 1 means one and the same quantity under two names."""
_MOST_PAIRS = 2000
_MOST_WAITING = 1024
"""Steps of which one of the two metrics has come: values on a device come up to 512 rows late."""
_TRAJECTORY = 200
_SMALLEST = 1e-12
"""What a ratio of 0 or less counts as in the mean logarithm: far from 1, and finite."""
_Z95 = 1.959964


class Ratio(Probe):
    """`numerator` / `denominator`, both names of logged metrics, at the steps where both are logged, by one call of `log` or by two.

    `success`, `strong`: what average would be a success, and a strong one, as declared beforehand.

    A snapshot has the scalars `now`, `avg50`, `avg100` (of the last pairs), `peak`, `lowest` (of the run) and `count` (pairs of the run);
    over the last 500 steps (or the 20 latest pairs where they are logged more rarely than every 25 steps) `above` (share > 1) with its
    Wilson 95 % interval `above_low`, `above_high` (for independent steps; else the true one is wider), `ratio_of_means`,
    `mean_of_ratios` and `equal`: |mean ln ratio| + 1.7 standard errors of the mean over 20 blocks, NaN before there are so many steps;
    `apart` (largest |ratio − 1| of the last 200 pairs, NaN before); `success` and `strong` (1 where the mean of the last 100 pairs reaches
    what was declared, else 0; NaN where nothing was, or before 100 pairs); and `left_out` (pairs of the run whose denominator is not above
    zero, or which hold NaN or an infinity). The trajectory `ratio` has the last 200 pairs at most, `step` their steps.
    """

    kind = "ratio"

    def __init__(
        self,
        name: str,
        numerator: str,
        denominator: str,
        *,
        success: float | None = None,
        strong: float | None = None,
        every: int | Schedule = 50,
    ) -> None:
        super().__init__(name, schedule_of(every))
        self.numerator, self.denominator = numerator, denominator
        self.reads = (numerator, denominator)
        self._success, self._strong = self._goal("success", success), self._goal("strong", strong)
        self._waiting: dict[int, tuple[float | None, float | None]] = {}
        self._pairs: deque[tuple[int, float, float]] = deque(maxlen=_MOST_PAIRS)
        """(step, numerator, denominator), the latest."""
        self._count = self._left_out = 0
        self._peak, self._lowest = -math.inf, math.inf

    def settings(self) -> Mapping[str, Scalar]:
        goals = {"success": self._success, "strong": self._strong}
        named: dict[str, Scalar] = {"numerator": self.numerator, "denominator": self.denominator}
        return named | {name: goal for name, goal in goals.items() if not math.isnan(goal)}

    def logged(self, step: int, row: Mapping[str, float]) -> None:
        before = self._waiting.pop(step, (None, None))
        above, below = row.get(self.numerator, before[0]), row.get(self.denominator, before[1])
        if above is None or below is None:
            if (above, below) != (None, None):
                self._waiting[step] = (above, below)
            if len(self._waiting) > _MOST_WAITING:
                del self._waiting[next(iter(self._waiting))]
            return
        if not (math.isfinite(above) and math.isfinite(below) and below > 0 and math.isfinite(above / below)):
            self._left_out += 1
            return
        self._pairs.append((step, above, below))
        self._count += 1
        self._peak, self._lowest = max(self._peak, above / below), min(self._lowest, above / below)

    def measure(self, step: int) -> Snapshot | None:
        if not self._pairs:
            if self._left_out:
                self.say(f"{self.denominator} is never a number above zero beside {self.numerator}: there is no ratio")
            return None
        steps, above, below = np.array(self._pairs).T
        ratios = above / below
        latest = steps > steps[-1] - _BLOCKS * block_steps(steps)
        shares = int((ratios[latest] > 1).sum()), int(latest.sum())
        low, high = wilson(*shares)
        hundred = float(ratios[-100:].mean())
        judged = hundred if ratios.size >= 100 else math.nan
        scalars = {
            "now": float(ratios[-1]),
            "avg50": float(ratios[-50:].mean()),
            "avg100": hundred,
            "peak": self._peak,
            "lowest": self._lowest,
            "above": shares[0] / shares[1],
            "above_low": low,
            "above_high": high,
            "ratio_of_means": float(above[latest].mean() / below[latest].mean()),
            "mean_of_ratios": float(ratios[latest].mean()),
            "equal": distance_from_equal(steps, ratios),
            "apart": float(np.abs(ratios[-_EXACT_PAIRS:] - 1).max()) if ratios.size >= _EXACT_PAIRS else math.nan,
            "count": float(self._count),
            "left_out": float(self._left_out),
            "success": _reached(judged, self._success),
            "strong": _reached(judged, self._strong),
        }
        latest_ones = slice(-_TRAJECTORY, None)
        arrays = {"ratio": Array("trajectory", ratios[latest_ones]), "step": Array("trajectory", steps[latest_ones].astype(np.int64))}
        return Snapshot(self.name, self.kind, step, scalars, arrays)

    def _goal(self, what: str, goal: float | None) -> float:
        if goal is None:
            return math.nan
        if isinstance(goal, int | float | np.number) and math.isfinite(goal):
            return float(goal)
        self.say(f"{what} is a ratio, not {goal!r}")
        return math.nan


def distance_from_equal(steps: NDArray[np.float64], ratios: NDArray[np.float64]) -> float:
    """How far the mean ln ratio of the latest 20 blocks is from 0, plus 1.7 standard errors; NaN where they do not reach so far back.

    A block is 25 steps, or a pair where pairs are rarer. The mean is that of the blocks' means, whose scatter gives the error.
    """
    width = block_steps(steps)
    age = (steps[-1] - steps) // width
    if age[0] < _BLOCKS - 1:
        return math.nan
    logs = np.log(np.maximum(ratios, _SMALLEST))
    blocks = np.array([logs[age == block].mean() for block in range(_BLOCKS) if (age == block).any()])
    if blocks.size < _BLOCKS // 2:
        return math.nan
    return float(abs(blocks.mean()) + _ERRORS * blocks.std(ddof=1) / math.sqrt(blocks.size))


def block_steps(steps: NDArray[np.float64]) -> float:
    """Steps of one block: 25, or the usual gap of the latest pairs where that is more."""
    recent = steps[-_BLOCKS - 1 :]
    return max(float(_BLOCK_STEPS), float(np.median(np.diff(recent)))) if recent.size > 1 else float(_BLOCK_STEPS)


def wilson(hits: int, trials: int) -> tuple[float, float]:
    """The 95 % score interval of a share of `hits` in `trials` (E. B. Wilson, J. Am. Stat. Assoc. 22, 1927)."""
    share, z2 = hits / trials, _Z95**2
    centre = (share + z2 / (2 * trials)) / (1 + z2 / trials)
    half = _Z95 / (1 + z2 / trials) * math.sqrt(share * (1 - share) / trials + z2 / (4 * trials**2))
    return max(0.0, centre - half), min(1.0, centre + half)


def _reached(average: float, goal: float) -> float:
    return math.nan if math.isnan(average) or math.isnan(goal) else float(average >= goal)
