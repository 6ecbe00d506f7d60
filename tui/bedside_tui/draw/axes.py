"""How a chart is read: what lies along the bottom, a linear or logarithmic axis, smoothing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from bedside_protocol.columns import Axis

SMOOTHINGS: Final = (0.0, 0.6, 0.9, 0.98)


@dataclass(frozen=True, slots=True)
class Axes:
    """The way one chart is read."""

    log: bool = False
    axis: Axis = "step"
    smoothing: float = 0.0

    @property
    def said(self) -> str:
        """Only what is not usual."""
        parts = ["log axis"] if self.log else []
        parts += ["over time"] if self.axis == "time" else []
        parts += [f"smoothed {self.smoothing:g}"] if self.smoothing else []
        return " · ".join(parts)

    @property
    def smoother(self) -> Axes:
        """With the next smoothing; none after the strongest."""
        return replace(self, smoothing=SMOOTHINGS[(SMOOTHINGS.index(self.smoothing) + 1) % len(SMOOTHINGS)])

    @property
    def other_scale(self) -> Axes:
        """Logarithmic where it was linear, linear where it was logarithmic."""
        return replace(self, log=not self.log)

    @property
    def other_axis(self) -> Axes:
        """Over seconds where it was over steps, and back."""
        return replace(self, axis="time" if self.axis == "step" else "step")
