"""An envelope over healthy runs of one training: how low and how high the level of a metric may be at each step.

The level is a rolling median, as the rule that is made will take it. The steps that all runs have are cut into at most 64 stretches of
equal ratio. In each the bounds are the lowest and the highest level of any run, moved apart by the larger of `slack` and

    t · s · √(1 + 1/n)

where n is the number of runs, s the standard deviation between the runs' mean levels in this stretch and the eight on each side, pooled,
and t the 99 % quantile of Student's distribution with n - 1 degrees of freedom: with three runs s is hardly known, and t is large. All of
it is in log space where every value is positive, else in the metric's own unit, where `slack` is a share of the level.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from bedside_protocol.alerts.conditions import Leaves
from bedside_protocol.alerts.median import RollingMedian

LEAST_RUNS: Final = 3
LEAST_VALUES: Final = 40
"""Values below which a curve has no level to speak of."""
_STRETCHES: Final = 64
_BESIDE: Final = 8
"""With 3, four in a hundred healthy runs were told, with 8 one, and a level a quarter too high was seen as often."""
_LARGEST_WINDOW: Final = 51
_QUANTILES: Final = (31.82, 6.96, 4.54, 3.75, 3.36, 3.14, 3.00, 2.90, 2.82)
"""99 % of Student's t with 1, 2, … degrees of freedom: with 97.5 %, five in a hundred runs that were fast and healthy were told."""
_MANY: Final = 2.33

Curve: TypeAlias = tuple[NDArray[np.int64], NDArray[np.float64]]
"""Rising steps, and a finite value at each."""


def envelope(curves: Sequence[Curve], slack: float) -> Leaves | None:
    """The bounds of one metric over the runs; None where there are too few values, or no steps that all runs have."""
    values = min(len(steps) for steps, _ in curves)
    if len(curves) < LEAST_RUNS or values < LEAST_VALUES:
        return None
    logarithmic = all((value > 0.0).all() for _, value in curves)
    window = min(_LARGEST_WINDOW, values // 20) | 1
    levels = [_level(curve, window, logarithmic) for curve in curves]
    edges = _edges([steps for steps, _ in levels])
    if len(edges) < 2:
        return None
    means, lowest, highest = (
        np.array([[over(part) for part in _parts(curve, edges)] for curve in levels]) for over in (np.mean, np.min, np.max)
    )
    least = np.log1p(slack) if logarithmic else slack * np.abs(means).mean(axis=0)
    apart = np.maximum(least, _quantile(len(curves)) * _pooled(means.std(axis=0, ddof=1)) * np.sqrt(1.0 + 1.0 / len(curves)))
    low, high = lowest.min(axis=0) - apart, highest.max(axis=0) + apart
    if logarithmic:
        low, high = np.exp(low), np.exp(high)
    return Leaves(tuple(edges), (*low.tolist(), float(low[-1])), (*high.tolist(), float(high[-1])), window)


def patience(curve: Curve) -> int:
    """For how many values a level must be outside before that is told."""
    return max(2, min(20, len(curve[0]) // 20))


def _level(curve: Curve, window: int, logarithmic: bool) -> Curve:
    """The rolling median where its window is full."""
    median = RollingMedian(window)
    level = np.array([median.push(value) for value in curve[1].tolist()])
    return curve[0][window - 1 :], np.log(level[window - 1 :]) if logarithmic else level[window - 1 :]


def _edges(steps: Sequence[NDArray[np.int64]]) -> list[int]:
    """Where the stretches begin, and the last step of all runs; in each, every run has a level."""
    first, last = max(int(one[0]) for one in steps), min(int(one[-1]) for one in steps)
    if first >= last:
        return []
    edges = [first]
    for edge in np.unique(np.geomspace(max(first, 1), last, _STRETCHES + 1).astype(np.int64))[1:].tolist():
        if all(np.searchsorted(one, edge) > np.searchsorted(one, edges[-1]) for one in steps):
            edges.append(edge)
    edges[-1] = last
    return edges


def _parts(curve: Curve, edges: Sequence[int]) -> list[NDArray[np.float64]]:
    """The levels in each stretch; the last step belongs to the last one."""
    steps, level = curve
    cuts = [*np.searchsorted(steps, edges[:-1]).tolist(), int(np.searchsorted(steps, edges[-1], side="right"))]
    return [level[begin:end] for begin, end in pairwise(cuts)]


def _pooled(deviations: NDArray[np.float64]) -> NDArray[np.float64]:
    places = range(len(deviations))
    beside = [deviations[max(0, place - _BESIDE) : place + _BESIDE + 1] for place in places]
    return np.array([np.sqrt(np.mean(np.square(near))) for near in beside])


def _quantile(runs: int) -> float:
    return _QUANTILES[runs - 2] if runs - 2 < len(_QUANTILES) else _MANY
