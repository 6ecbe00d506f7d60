"""When a probe is due, and how far its schedule must stretch to stay cheap.

This file decides steps and shares. It knows no clock and no probe: the step, the seconds a step takes and the seconds a measurement
cost are arguments, so that every decision here can be tested with plain numbers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

NEVER = 1 << 62
"""A step no training reaches."""

BUDGET = 0.01
"""The share of step time all probes of a run may take together."""


class Schedule(Protocol):
    """The steps at which a probe is measured. `every` is what the viewer shows: steps between two measurements, 0 if there is no such."""

    @property
    def every(self) -> int: ...

    def after(self, step: int, stretch: int = 1) -> int:
        """The first due step later than `step`, with the schedule thinned by `stretch`."""


@dataclass(frozen=True, slots=True)
class Every:
    """Due at the `early` steps, then at the multiples of `every`.

    Stretching leaves the early steps alone: they are few, and what they are for cannot be learnt later.
    """

    every: int
    early: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.every < 1:
            raise ValueError(f"a probe is measured every 1 or more steps, not every {self.every}")

    def after(self, step: int, stretch: int = 1) -> int:
        gap = self.every * stretch
        regular = (step // gap + 1) * gap
        return min([regular, *(early for early in self.early if early > step)])


@dataclass(frozen=True, slots=True)
class LogSpaced:
    """Due `per_decade` times between a step and ten times that step, from step 1: 1, 2, 3, 6, 10, 18, 32, … for four."""

    per_decade: int = 8

    def __post_init__(self) -> None:
        if self.per_decade < 1:
            raise ValueError(f"a log-spaced probe is measured 1 or more times a decade, not {self.per_decade}")

    @property
    def every(self) -> int:
        return 0

    def after(self, step: int, stretch: int = 1) -> int:
        if step < 1:
            return 1
        following = self._point_after(step)
        return following if stretch == 1 else self._point_after(step + (following - step) * stretch - 1)

    def _point_after(self, step: int) -> int:
        place = math.floor(math.log10(step) * self.per_decade)
        while (point := round(10 ** (place / self.per_decade))) <= step:
            place += 1
        return point


@dataclass(frozen=True, slots=True)
class OnDemand:
    """Never due by itself."""

    @property
    def every(self) -> int:
        return 0

    def after(self, step: int, stretch: int = 1) -> int:
        return NEVER


@dataclass(frozen=True, slots=True)
class Once:
    """Due at step `at` alone, and fed for `every` steps before it where a probe counts over its whole schedule."""

    at: int
    every: int

    def after(self, step: int, stretch: int = 1) -> int:
        return self.at if step < self.at else NEVER


def every(steps: int, *, early: Sequence[int] = ()) -> Schedule:
    """Measured at the multiples of `steps`, and at each of the `early` steps."""
    return Every(steps, tuple(sorted(early)))


def log_spaced(per_decade: int = 8) -> Schedule:
    """Measured often at first and ever more rarely: for quantities that settle."""
    return LogSpaced(per_decade)


def on_demand() -> Schedule:
    """Measured only when a viewer asks."""
    return OnDemand()


def load(schedule: Schedule, step: int, cost: float, step_seconds: float) -> float:
    """The share of step time a measurement of `cost` seconds takes at the schedule's own pace around `step`."""
    gap = schedule.after(step) - step if schedule.every == 0 else schedule.every
    return cost / (gap * step_seconds) if step_seconds > 0 else 0.0


def allowances(loads: Sequence[float], budget: float = BUDGET) -> list[float]:
    """What each of several loads may take so that together they take at most `budget`.

    Equal shares, except that what a light load leaves over goes to the heavier ones (max-min fairness): one dear probe does not slow
    the cheap ones down.
    """
    allowed = [0.0] * len(loads)
    left = budget
    for place, index in enumerate(sorted(range(len(loads)), key=loads.__getitem__)):
        allowed[index] = min(loads[index], left / (len(loads) - place))
        left -= allowed[index]
    return allowed


def stretches(loads: Sequence[float], budget: float = BUDGET) -> list[int]:
    """By how much to thin each schedule so that the loads keep the budget.

    Powers of two, rounded up: measured steps stay a subset of those asked for, and a cost that wavers does not move the schedule.
    """
    pairs = zip(loads, allowances(loads, budget), strict=True)
    return [_power_of_two(full / allowed) if allowed > 0 else 1 for full, allowed in pairs]


def _power_of_two(factor: float) -> int:
    return 1 << max(0, math.ceil(math.log2(factor) - 1e-9))
