"""The value cursor on a trajectory whose steps are known: which of its values is read, and where that lies on the chart."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bedside_tui.cursor import Cursor, Spot, ValueAt, beside
from bedside_tui.draw.cells import Pin
from bedside_tui.widgets.curves import rulers
from bedside_tui.widgets.panels.given import Floats

_FARTHEST = 2.0**53
"""Steps beyond which, as floats, they are none."""


@dataclass(frozen=True, slots=True)
class Under:
    """A trajectory of values logged at `steps`, under the cursor."""

    steps: Floats
    cursor: Cursor

    @property
    def rulers(self) -> list[Pin]:
        """The cursor, and behind it what is pinned, at shares of the way from the first value to the last."""
        far = max(1, len(self.steps) - 1)
        places = ((ruler, self._place(ruler.at)) for ruler in rulers(self.cursor, "step"))
        return [ruler._replace(at=place / far) for ruler, place in places if place is not None]

    @property
    def step(self) -> int | None:
        """The step whose values are read, None before the first."""
        place = self._place(self.cursor.at.step)
        return int(self.steps[place]) if place is not None else None

    def value(self, values: Floats) -> ValueAt | None:
        """The value at the cursor, and how it differs from that at the pin; None before the first, and where there is not one a step."""
        point = self._point(values, self.cursor.at)
        return beside(point, self._point(values, self.cursor.pin)) if point is not None else None

    def _point(self, values: Floats, spot: Spot | None) -> tuple[int, float] | None:
        place = self._place(spot.step) if spot is not None and len(values) == len(self.steps) else None
        return (int(self.steps[place]), float(values[place])) if place is not None else None

    def _place(self, step: float) -> int | None:
        """The last value at or before a step."""
        before = np.flatnonzero((self.steps <= step) & (np.abs(self.steps) < _FARTHEST))
        return int(before[-1]) if len(before) else None
