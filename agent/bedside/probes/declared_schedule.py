"""Whether a schedule that was declared is the one that runs.

A temperature said to fall from 1.0 to 0.1 over 20,000 steps may have been locked by a resume at step 400, and nothing else shows it. The
declared value is asked for between two steps, at the measurement, for each step at which the metric was logged since the last.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Mapping
from typing import Final

import numpy as np

from bedside.probes.probe import Probe, schedule_of
from bedside.schedule import Schedule as Pace
from bedside_protocol.records import Array, Scalar, Snapshot

_LASTS: Final = 3
"""Values that are off one after the other where a schedule is not applied."""
_TRAJECTORY = 200
"""Points that are drawn: a screen has no more columns."""
_MOST_WAITING = 1000
"""Logged values kept for one measurement, the latest."""
_NEAR_ZERO = 1e-4
"""Of the largest declared value: a schedule that ends at 0 is compared with its own scale there, not with nothing."""


class Schedule(Probe):
    """The logged metric `metric` beside `fn(step)`, the value declared for it. Steps count from 1, as in the log.

    A snapshot has the scalars `value` and `declared` at the last step that was logged, `deviation` there: |value − declared| /
    max(|declared|, 1e-4 × the largest |declared| so far), `deviation_max` (since the last snapshot, of the last 1000 logged values at
    most), `deviation_lasting` (the least at the last three, once there are so many: who counts steps from 0 is off where the schedule
    jumps, and right again at the next step) and `nonfinite` (logged values left out); and the trajectories `value` and `declared`: the
    last 200 points at most, and `step`: their steps.
    """

    kind = "schedule"

    def __init__(self, name: str, metric: str, fn: Callable[[int], float], *, every: int | Pace = 50) -> None:
        super().__init__(name, schedule_of(every))
        self.metric = metric
        self.reads = (metric,)
        self._fn = fn
        self._waiting: deque[tuple[int, float]] = deque(maxlen=_MOST_WAITING)
        self._points: deque[tuple[int, float, float]] = deque(maxlen=_TRAJECTORY)
        self._nonfinite = 0
        self._largest = 0.0

    def settings(self) -> Mapping[str, Scalar]:
        return {"metric": self.metric}

    def logged(self, step: int, row: Mapping[str, float]) -> None:
        value = row.get(self.metric)
        if value is None:
            return
        if math.isfinite(value):
            self._waiting.append((step, value))
        else:
            self._nonfinite += 1

    def measure(self, step: int) -> Snapshot | None:
        waiting = list(self._waiting)
        self._waiting.clear()
        fresh = [(at, value, declared) for at, value in waiting if (declared := self._declared(at)) is not None]
        if not fresh:
            return None
        self._points.extend(fresh)
        self._largest = max(self._largest, *(abs(declared) for _, _, declared in fresh))
        deviations = [deviation(value, declared, self._largest) for _, value, declared in fresh]
        lasting = [deviation(value, declared, self._largest) for _, value, declared in list(self._points)[-_LASTS:]]
        _, value, declared = fresh[-1]
        nonfinite, self._nonfinite = self._nonfinite, 0
        steps, values, promised = np.array(self._points).T
        return Snapshot(
            self.name,
            self.kind,
            step,
            scalars={
                "value": value,
                "declared": declared,
                "deviation": deviations[-1],
                "deviation_max": max(deviations),
                "nonfinite": float(nonfinite),
                **({"deviation_lasting": min(lasting)} if len(lasting) == _LASTS else {}),
            },
            arrays={
                "value": Array("trajectory", values),
                "declared": Array("trajectory", promised),
                "step": Array("trajectory", steps.astype(np.int64)),
            },
        )

    def _declared(self, step: int) -> float | None:
        try:
            declared = float(self._fn(step))
        except Exception as error:  # the script's own function
            self.say(f"the declared schedule raised {type(error).__name__}")
            return None
        if not math.isfinite(declared):
            self.say("the declared schedule gave no finite number")
            return None
        return declared


def deviation(value: float, declared: float, largest: float) -> float:
    """|value − declared| as a share of what is declared, or of 1e-4 of the largest declared value where that is more."""
    scale = max(abs(declared), _NEAR_ZERO * largest)
    if scale > 0:
        return abs(value - declared) / scale
    return 0.0 if value == declared else math.inf
