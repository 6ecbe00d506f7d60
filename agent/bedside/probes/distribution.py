"""How values are spread: the range and quantiles of a tensor, such as the tau a diffusion draws or what a model predicts.

Values are read on scheduled steps only. It knows nothing of what they stand for, and judges nothing.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bedside.probes.intake import Refused, is_no_real_step, is_tensor, numbers
from bedside.probes.probe import Probe, schedule_of
from bedside.probes.subsample import thinned
from bedside.schedule import Schedule
from bedside_protocol.records import Array, Snapshot

BINS = 40
_QUANTILES = {"q01": 0.01, "q05": 0.05, "q25": 0.25, "q50": 0.5, "q75": 0.75, "q95": 0.95, "q99": 0.99}
_MOST_VALUES = 1 << 16
"""Values of an observation that go into its quantiles: the 1 % quantile is then known to about 0.04 % of the ranks."""

_CHUNK = 1 << 22
"""Values looked at in one go for the range: what is needed beside a tensor of any size stays small."""

_OBSERVATIONS = 16
"""Observations kept for one measurement, the latest: gradient accumulation makes several a step, a forgotten registration any number."""


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    """One observation: how much of it is finite, its range, and evenly spread finite values."""

    count: int
    nonfinite: int
    low: float
    high: float
    values: NDArray[np.float64]


class Distribution(Probe):
    """The distribution of the values of a tensor.

    A snapshot has the scalars `count` (finite values) and `nonfinite` (NaN and infinities, left out of all else), `min`, `max`, `mean`,
    `std` (of the population), the quantiles `q01 q05 q25 q50 q75 q95 q99` (interpolated linearly, as numpy's), and the histogram
    `values`: int64 (40), values in 40 equal bins from `min` to `max`; where all values are equal, all are in the first. Several
    observations of a step are pooled. Of an observation with more than 65,536 values, `count`, `nonfinite`, `min` and `max` are
    exact, and the rest is that of 65,536 evenly spread ones.
    """

    kind = "distribution"
    lead = 1

    def __init__(self, name: str, *, every: int | Schedule = 50) -> None:
        super().__init__(name, schedule_of(every))
        self._seen: deque[_Seen] = deque(maxlen=_OBSERVATIONS)

    def observe(self, values: object) -> None:
        """Real numbers of any shape, as a tensor, an array, nested lists or one number. Never raises.

        Returns at once on steps that are not scheduled; on those that are, the device is waited for.
        """
        if self.idle:
            return
        with self.taking("values"):
            if not is_no_real_step(values):
                self._seen.append(_look(values))

    def measure(self, step: int) -> Snapshot | None:
        if not self._seen:
            return None
        seen = list(self._seen)
        self._seen.clear()
        scalars = {"count": float(sum(one.count for one in seen)), "nonfinite": float(sum(one.nonfinite for one in seen))}
        if scalars["nonfinite"]:
            self.say("NaN or infinity among values: they are counted and left out")
        values = np.concatenate([one.values for one in seen])
        if not values.size:
            return Snapshot(self.name, self.kind, step, scalars)
        low, high = min(one.low for one in seen), max(one.high for one in seen)
        with np.errstate(all="ignore"):  # a standard deviation past the largest number is infinite, and that is what is told
            scalars |= {"min": low, "max": high, "mean": float(values.mean()), "std": float(values.std())}
            scalars |= dict(zip(_QUANTILES, np.quantile(values, list(_QUANTILES.values())).tolist(), strict=True))
        return Snapshot(self.name, self.kind, step, scalars, {"values": Array("histogram", histogram(values, low, high))})


def histogram(values: NDArray[np.float64], low: float, high: float) -> NDArray[np.int64]:
    """How many of the values lie in each of 40 equal bins from `low` to `high`, both included. Any finite range is taken.

    `numpy.histogram` refuses ranges of a few representable numbers, and those whose width is no longer finite.
    """
    width = high / 2 - low / 2
    places = (values / 2 - low / 2) / width * BINS if width > 0 else np.zeros(values.shape)
    return np.bincount(np.clip(places.astype(np.int64), 0, BINS - 1), minlength=BINS)


def _look(given: object) -> _Seen:
    flat = _flat(given)
    counts, low, high = 0, math.inf, -math.inf
    for begin in range(0, flat.shape[0], _CHUNK):
        chunk = flat[begin : begin + _CHUNK]
        least, most = float(chunk.min()), float(chunk.max())  # on a device these wait for it; a NaN anywhere makes both NaN
        if not math.isfinite(least) or not math.isfinite(most):
            chunk = chunk[_is_finite(chunk)]
            least, most = (float(chunk.min()), float(chunk.max())) if chunk.shape[0] else (math.inf, -math.inf)
        counts += chunk.shape[0]
        low, high = min(low, least), max(high, most)
    values = numbers(thinned(flat, _MOST_VALUES))
    return _Seen(counts, flat.shape[0] - counts, low, high, values[np.isfinite(values)])


def _flat(given: object) -> Any:
    """The values in one dimension: a view of a tensor where its layout allows, a copy of anything else. Refused where there are none."""
    if is_tensor(given) and given.is_complex():
        raise Refused("complex numbers are not measured")
    flat = given.detach().reshape(-1) if is_tensor(given) else numbers(given).reshape(-1)
    if flat.shape[0] == 0:
        raise Refused("an empty set of values")
    return flat


def _is_finite(chunk: Any) -> Any:
    return chunk.isfinite() if is_tensor(chunk) else np.isfinite(chunk)
