"""What a screen may ask of a series: one history up to the moment that is shown."""

from __future__ import annotations

from typing import Literal, Protocol

from bedside_protocol.series import Columns


class History(Protocol):
    """One series up to the view's moment, readable at any width without touching every point."""

    def __len__(self) -> int:
        """Number of points."""

    def columns(self, width: int, *, axis: Literal["step", "time"] = "step", smoothing: float = 0.0) -> Columns:
        """At most `width` min/max columns over the whole history; see `bedside_protocol.series`."""

    def value_at(self, step: float) -> tuple[int, float] | None:
        """The (step, value) of the last point at or before `step`, None before the first."""

    @property
    def last(self) -> tuple[int, float, float]:
        """(step, time, value) of the newest point; (0, 0.0, nan) when empty."""

    @property
    def lowest(self) -> tuple[int, float] | None:
        """(step, value) of the smallest finite value so far."""

    @property
    def highest(self) -> tuple[int, float] | None:
        """(step, value) of the largest finite value so far."""
