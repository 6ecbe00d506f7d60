"""The value cursor: the step at which every chart says its value, and the step that is pinned to tell the difference from.

A value is that of the last point logged at or before a step, never one between two points. Nothing here draws.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from bedside_protocol.series import Axis
from bedside_tui.draw import number
from bedside_tui.store.history import History


class Spot(NamedTuple):
    """A place on the axes of charts."""

    step: int
    time: float
    """When the step was reached, in seconds of the run; nan where that is not known."""

    def on(self, axis: Axis) -> float:
        """Where it lies on an axis."""
        return float(self.step) if axis == "step" else self.time


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where values are read, on all charts of all screens. `pin`: where differences are taken from, None where there are none."""

    at: Spot
    pin: Spot | None = None

    @property
    def said(self) -> str:
        """`step 1,303 · Δ since 1,000`."""
        since = f" · Δ since {number.count(self.pin.step)}" if self.pin is not None else ""
        return f"step {number.count(self.at.step)}{since}"


def column_step(history: History, width: int, step: float | None, by: int) -> int | None:
    """The last step of the column `by` columns on from the one that holds `step`, of those `width` columns that hold anything.

    Without a step the newest. None where nothing was logged.
    """
    columns = history.columns(width)
    filled = np.flatnonzero((columns.count > 0) | columns.bad)
    if not len(filled):
        return None
    starts = columns.start[filled]
    place = len(starts) - 1
    if step is not None:
        before = int(np.searchsorted(starts, step, side="right")) - 1
        between = before >= 0 and step >= starts[before] + columns.span
        place = min(max(before + by + (between and by < 0), 0), len(starts) - 1)
    newest = history.last[0]
    end = int(starts[place] + columns.span) - 1
    return newest if starts[place] <= newest <= end else end


class ValueAt(NamedTuple):
    """What a series is worth at the cursor."""

    step: int
    """The step of the point, at or before the cursor's."""
    value: float
    change: float | None = None
    """The value less that at the pin; None where nothing is pinned or nothing was logged by then."""
    share: float | None = None
    """The change as a share of the value at the pin; None where that means nothing."""

    @property
    def difference(self) -> str:
        """`Δ -0.0012 -15 %`; empty where there is none to tell."""
        return f"{self.less}{f' {100 * self.share:+.0f} %' if self.share is not None else ''}"

    @property
    def less(self) -> str:
        """`Δ -0.0012`: the difference without its share."""
        return f"Δ {'+' if self.change > 0 else ''}{number.value(self.change)}" if self.change is not None else ""


def value_at(history: History, cursor: Cursor) -> ValueAt | None:
    """The value at the cursor and how it differs from that at the pin; None before the first point."""
    point = history.value_at(cursor.at.step)
    if point is None:
        return None
    before = history.value_at(cursor.pin.step) if cursor.pin is not None else None
    return beside(point, before)


def beside(point: tuple[int, float], other: tuple[int, float] | None) -> ValueAt:
    """A point beside another one: of the same series at another step, or of another run at the same."""
    step, value = point
    if other is None or not (math.isfinite(value) and math.isfinite(other[1])):
        return ValueAt(step, value)
    change = value - other[1]
    share = change / abs(other[1]) if other[1] else math.nan
    return ValueAt(step, value, change, share if abs(share) < 10 else None)
