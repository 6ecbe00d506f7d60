"""The probes of one run: which are due at a step boundary, what they cost, and how the budget is held.

The training thread calls `boundary` between two steps. When nothing is due that is one comparison; when something is, it is measured
on the clock, and schedules stretch so that all probes together stay within their share of step time. Nothing raises from here.
It knows no log and no thread: snapshots are returned, and problems go to the function given.
"""

from __future__ import annotations

import statistics
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace

from bedside.probes.probe import Gone, Probe
from bedside.schedule import BUDGET, NEVER, load, stretches
from bedside_protocol.records import ProbeDeclared, Snapshot

_RECENT_STEPS = 65  # their median is the time of a step: an evaluation or a pause among them does not move it
_RECENT_COSTS = 7  # the first measurement allocates, others were interrupted: their median forgets them
_QUICKEST_STRETCH = 4  # a measurement: one that happened to be slow must not silence a probe for thousands of steps
_ROOM_TO_RELAX = 2.0  # a stretched schedule relaxes when twice the cost would fit as well: on a busy machine costs waver


class _Entry:
    """A probe with its place in the schedule."""

    __slots__ = ("costs", "due", "patience", "probe", "stretch", "undeclared")

    def __init__(self, probe: Probe, step: int) -> None:
        self.probe = probe
        self.costs: deque[float] = deque(maxlen=_RECENT_COSTS)
        self.stretch = 1
        self.patience = 1
        self.undeclared = True
        self.schedule_after(step)

    @property
    def wake(self) -> int:
        """The next step at which there is something to do: have the probe fed, or measure it."""
        return self.due if self.probe.armed else self.due - self.probe.lead

    @property
    def every(self) -> int:
        return self.probe.schedule.every * self.stretch

    def schedule_after(self, step: int) -> None:
        """Plan the next measurement, and leave the probe unfed until `lead` steps before it."""
        self.due = self.probe.schedule.after(step, self.stretch)
        self.probe.armed = step >= self.due - self.probe.lead
        self.patience = 1

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
        """Seconds of the training thread a measurement takes, feeding included; nothing while only the first is known."""
        return statistics.median_low(self.costs) if len(self.costs) > 1 else 0.0


class ProbeSet:
    """Owned by a run. `problem` takes one sentence for whatever a probe could not do; `budget` is the probes' share of step time."""

    def __init__(self, problem: Callable[[str], None], *, budget: float = BUDGET) -> None:
        self._problem = problem
        self._budget = budget
        self._entries: dict[str, _Entry] = {}
        self._demanded: deque[str] = deque()
        self._seconds: deque[float] = deque(maxlen=_RECENT_STEPS)
        self._last = 0
        self._next = NEVER

    def add(self, probe: Probe) -> None:
        """Measure `probe` from now on. A name already taken gets a number: `vq`, `vq-2`."""
        probe.name = self._free_name(probe.name)
        self._entries[probe.name] = _Entry(probe, self._last)
        probe.attach(self._problem)
        self._plan()

    def declared(self) -> list[ProbeDeclared]:
        """The probes that are new, or whose schedule has stretched or relaxed, since this was last asked."""
        fresh = [entry for entry in self._entries.values() if entry.undeclared]
        for entry in fresh:
            entry.undeclared = False
        return [_declaration(entry) for entry in fresh]

    def demand(self, name: str) -> bool:
        """Make a probe due at the next boundary, or the one after for a probe that must see a step first. False: no such probe.

        May be called from any thread.
        """
        self._demanded.append(name)
        self._next = -1
        return name in self._entries

    def boundary(self, step: int, step_seconds: float) -> list[Snapshot]:
        """What is measured after `step` steps, the last of which took `step_seconds`. Called by the training thread between two steps.

        Costs a fraction of a microsecond when nothing is due.
        """
        self._seconds.append(step_seconds)
        if self._last <= step < self._next:
            self._last = step
            return []
        return self._visit(step)

    def close(self) -> None:
        """Let every probe take its hooks back; nothing is measured any more."""
        while self._entries:
            _, entry = self._entries.popitem()
            entry.probe.armed = False
            entry.probe.close()
        self._plan()

    def _visit(self, step: int) -> list[Snapshot]:
        if step < self._last:  # resumed from an earlier checkpoint: plan from there
            for entry in self._entries.values():
                entry.schedule_after(step - 1)
        while self._demanded:
            if demanded := self._entries.get(self._demanded.popleft()):
                demanded.due = step
        self._last = step
        snapshots = [snapshot for entry in list(self._entries.values()) if (snapshot := self._measure(entry, step)) is not None]
        self._plan()
        return snapshots

    def _measure(self, entry: _Entry, step: int) -> Snapshot | None:
        if not entry.is_ready(step):
            return None
        probe = entry.probe
        began = time.perf_counter()
        try:
            snapshot = probe.measure(step)
        except Gone as gone:
            probe.say(f"{gone}; it is not measured any more")
            probe.close()
            del self._entries[probe.name]
            return None
        except Exception as error:
            probe.say(f"{type(error).__name__}: {error}")
            entry.schedule_after(step)
            return None
        if snapshot is None:
            entry.ask_again(step)
            return None
        cost = snapshot.cost + probe.feeding + time.perf_counter() - began
        probe.feeding = 0.0
        self._hold_budget(entry, step, cost)
        return replace(snapshot, probe=probe.name, cost=cost)

    def _hold_budget(self, entry: _Entry, step: int, cost: float) -> None:
        """Plan the entry's next measurement so that all probes together stay within the budget."""
        entry.costs.append(cost)
        seconds = statistics.median(self._seconds)
        entries = list(self._entries.values())
        loads = [load(one.probe.schedule, step, one.cost(), seconds) for one in entries]
        place = entries.index(entry)
        needed = stretches(loads, self._budget)[place]
        with_room = stretches([_ROOM_TO_RELAX * one for one in loads], self._budget)[place]
        stretch = max(needed, min(entry.stretch, with_room))
        stretch = min(stretch, entry.stretch * _QUICKEST_STRETCH)
        entry.undeclared |= stretch != entry.stretch and entry.every > 0
        entry.stretch = stretch
        entry.schedule_after(step)

    def _plan(self) -> None:
        self._next = min((entry.wake for entry in self._entries.values()), default=NEVER)
        if self._demanded:  # asked by another thread in the meantime
            self._next = -1

    def _free_name(self, name: str) -> str:
        return next(free for free in (name, *(f"{name}-{n}" for n in range(2, 1 << 20))) if free not in self._entries)

    def __repr__(self) -> str:
        return f"<ProbeSet {len(self._entries)} probes, next due at step {self._next}>"


def _declaration(entry: _Entry) -> ProbeDeclared:
    return ProbeDeclared(entry.probe.name, entry.probe.kind, entry.every, entry.probe.settings())
