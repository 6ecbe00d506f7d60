"""Axes: where a number stands between two others, and which round numbers to write beside it.

Places are shares of the axis, 0 to 1, so whatever draws never meets the numbers themselves: ±1e308 and 5e-324 are as good as any.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bedside_tui.draw import number

_ROUND = (1, 2, 5, 10)
_SECONDS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400)


@dataclass(frozen=True, slots=True)
class Scale:
    """A linear or logarithmic axis from `low` to `high`, both finite, `low` < `high` (and > 0 if `log`)."""

    low: float
    high: float
    log: bool = False

    def place(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Shares of the axis, clipped to 0…1; NaN for NaN, and below zero on a logarithmic axis."""
        with np.errstate(all="ignore"):
            if self.log:
                span = math.log(self.high) - math.log(self.low)
                places = (np.log(np.where(values > 0, values, np.nan)) - math.log(self.low)) / span
            else:
                # Halved before subtracting: the distance of ±1e308 is no double.
                span = self.high / 2 - self.low / 2
                places = (values / 2 - self.low / 2) / span
        return np.asarray(np.clip(places, 0.0, 1.0), dtype=np.float64)

    def ticks(self, most: int) -> list[tuple[float, str]]:
        """(place, label) of at most `most` round numbers, ascending."""
        if most < 1:
            return []
        values = _decades(self.low, self.high, most) if self.log else []
        even = len(values) < 2
        values = _rounds(self.low, self.high, most) if even else values
        step = values[1] - values[0] if len(values) > 1 and even else 0.0
        places = self.place(np.array(values, dtype=np.float64))
        return [(float(place), tick_label(value, step)) for place, value in zip(places, values, strict=True)]


def scale_for(low: float, high: float, *, log: bool = False) -> Scale:
    """An axis that holds `low` and `high` and ends at round numbers, so that it stands still while values move within it.

    A single value gets room around it; a value that is nowhere (NaN) gets 0 to 1.
    """
    if not (math.isfinite(low) and math.isfinite(high)):
        return Scale(0.1, 1.0, log=True) if log else Scale(0.0, 1.0)
    if log:
        low, high = (min(max(end, 1e-300), 1e307) for end in (low, high))
        low, high = (low, high) if high / low > 1.05 else (low / 1.5, high * 1.5)
        return Scale(low, high, log=True)
    if not high / 2 - low / 2 > max(abs(low), abs(high), 1e-290) * 1e-9:
        room = max(abs(low) * 0.1, 1e-6) if low else 1.0
        low, high = max(low - room, -1.7e308), min(high + room, 1.7e308)
    if 0 < low < 0.4 * high:
        low = 0.0
    elif 0.4 * low < high < 0:
        high = 0.0
    step = _step(low, high, 8)
    rounded = math.floor(low / step) * step, math.ceil(high / step) * step
    return Scale(*rounded) if all(map(math.isfinite, rounded)) and rounded[0] < rounded[1] else Scale(low, high)


def tick_label(value: float, step: float = 0.0) -> str:
    """A round number with just the decimals its neighbours at a distance of `step` need."""
    size = max(abs(value), abs(step))
    if not math.isfinite(value) or size >= 999_999.5 or (0 < size < 1e-4):
        return f"{value:.1e}".replace(".0e", "e") if math.isfinite(value) and value else number.value(value) if value else "0"
    near = step or abs(value)
    decimals = max(0, -math.floor(math.log10(near) + 1e-9)) if near else 0
    return f"{value:,.{min(decimals, 6)}f}"


def axis_ticks(low: float, high: float, axis: Literal["step", "time"], most: int) -> list[tuple[float, str]]:
    """(place, label) of round steps or times, at most `most`, ascending."""
    if not (low < high and most >= 1):
        return []
    if axis == "time" and (high - low) / most < _SECONDS[-1]:
        step = float(next(it for it in _SECONDS if it >= (high - low) / most))
        values = [step * at for at in range(math.ceil(low / step), math.floor(high / step) + 1)]
        labels = [number.duration(value) if value else "0" for value in values]
    else:
        values = _rounds(low, high, most, whole=True)
        labels = [number.count(value, 9) if axis == "step" else number.duration(value) for value in values]
    return [((value - low) / (high - low), label) for value, label in zip(values, labels, strict=True)]


def _step(low: float, high: float, most: int) -> float:
    """The smallest round distance that needs at most about `most` steps between `low` and `high`."""
    rough = (high / 4 - low / 4) / most * 4
    rough = rough if math.isfinite(rough) else 1e308
    power = 10.0 ** max(-300, math.floor(math.log10(max(rough, 1e-300))))
    return next((factor * power for factor in _ROUND if factor * power >= rough * 0.999), 10 * power)


def _rounds(low: float, high: float, most: int, *, whole: bool = False) -> list[float]:
    step = _step(low, high, most)
    step = max(step, 1.0) if whole else step
    if not math.isfinite(step):
        return [low, high][:most]
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    every = max(1, -(-(last - first + 1) // most))
    return [at * step for at in range(first, last + 1, every)]


def _decades(low: float, high: float, most: int) -> list[float]:
    """Powers of ten between `low` and `high`, with their doubles and halves where there is room for them."""
    first, last = math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9)
    for factors in ((1, 2, 5), (1, 3)):
        finer = [factor * 10.0**at for at in range(first - 1, last + 1) for factor in factors]
        inside = [value for value in finer if low * (1 - 1e-9) <= value <= high * (1 + 1e-9)]
        if len(inside) <= most:
            return inside
    every = max(1, -(-(last - first + 1) // most))
    return [10.0**at for at in range(first, last + 1, every)]
