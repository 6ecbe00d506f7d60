"""One probe's place in the schedule: when it is due, when it is fed, and what it has cost. Decides steps; measures nothing."""

from __future__ import annotations

import statistics
from collections import deque

from bedside.probes.probe import Probe
from bedside.schedule import NEVER, Schedule

_RECENT_COSTS = 7  # the first measurement allocates, others were interrupted: their median forgets them


class Planned:
    """A probe and its next measurement."""

    __slots__ = ("costs", "due", "is_slow", "patience", "probe", "stretch", "told_slow", "undeclared")

    def __init__(self, probe: Probe, step: int) -> None:
        self.probe = probe
        self.costs: deque[float] = deque(maxlen=_RECENT_COSTS)
        self.stretch = 1
        self.patience = 1
        self.undeclared = True
        self.is_slow = False
        """Whether a measurement took so long that the schedule gave way at once."""
        self.told_slow = False
        self.schedule_after(step)

    @property
    def wake(self) -> int:
        """The next step at which there is something to do: have the probe fed, or measure it."""
        return self.due if self.probe.armed else self.due - self.probe.lead

    @property
    def every(self) -> int:
        return self.probe.schedule.every * self.stretch

    def schedule_after(self, step: int, not_before: int = 0) -> None:
        """Plan the next measurement, and leave the probe unfed until `lead` steps before it."""
        self.due = self.probe.schedule.after(max(step, not_before - 1), self.stretch)
        self.probe.armed = step >= self.due - self.probe.lead
        self.patience = 1

    def follow(self, schedule: Schedule, step: int) -> None:
        """Another schedule from now on. A probe that made its `lead` the whole of one is fed over the whole of the other."""
        if vars(self.probe).get("lead") == (self.probe.schedule.every or NEVER):
            self.probe.lead = schedule.every or NEVER
        self.probe.schedule = schedule
        self.undeclared = True
        self.schedule_after(step)

    def is_ready(self, step: int) -> bool:
        """Whether to measure now. A probe that had to be fed for it and was not (asked at once, or a jump of steps) is fed first."""
        if not self.probe.armed:
            self.probe.armed = step >= self.due - self.probe.lead
            if step >= self.due and self.probe.lead:
                self.due = step + 1
        return step >= self.due

    def ask_again(self, step: int) -> None:
        """Nothing to tell yet: ask at the next boundary, then ever more rarely, up to the schedule's own pace."""
        self.due = step + self.patience
        self.patience = min(self.patience * 2, max(self.every, 1))

    def cost(self) -> float:
        """Seconds of the training thread a measurement takes, feeding included; nothing while only the first is known, unless that was
        slow."""
        return statistics.median_low(self.costs) if len(self.costs) > 1 or (self.costs and self.is_slow) else 0.0
