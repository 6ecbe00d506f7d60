"""The probes of one run: which are due at a step boundary, what they cost, and how the budget is held.

The training thread calls `boundary` between two steps. When nothing is due that is one comparison; when something is, it is measured
on the clock, and schedules stretch so that all probes together stay within their share of step time. What the script says (a metric,
an epoch, a model to watch) is passed on to the probes that want it. Nothing raises from here.
It knows no log and no thread: snapshots are returned, and problems go to the function given.
"""

from __future__ import annotations

import math
import statistics
import time
import weakref
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import chain, count
from typing import TYPE_CHECKING

from bedside.probes.planned import Planned
from bedside.probes.probe import Gone, Probe
from bedside.schedule import BUDGET, NEVER, Once, allowances, load, on_demand, stretches
from bedside.schedule import every as every_steps
from bedside_protocol.records import ProbeDeclared, Snapshot

if TYPE_CHECKING:
    from torch.nn import Module

SLOW = 1.0
"""Seconds a measurement may take before a single one counts: a person notices, and a second such must wait until the budget has room."""
_RECENT_STEPS = 65  # their median is the time of a step: an evaluation or a pause among them does not move it
_QUICKEST_STRETCH = 4  # a measurement: one that happened to be slow must not silence a probe for thousands of steps
_ROOM_TO_RELAX = 2.0  # a stretched schedule relaxes when twice the cost would fit as well: on a busy machine costs waver


class ProbeSet:
    """Owned by a run. `problem` takes one sentence for whatever a probe could not do; `budget` is the probes' share of step time.

    A measurement of more than `slow` seconds is not repeated before the budget has room for it.
    """

    def __init__(self, problem: Callable[[str], None], *, budget: float = BUDGET, slow: float = SLOW) -> None:
        self._problem = problem
        self._budget = budget
        self._slow = slow
        self._models: list[weakref.ref[Module]] = []
        self._readers: tuple[tuple[frozenset[str], Probe], ...] = ()
        self._entries: dict[str, Planned] = {}
        self._demanded: deque[str] = deque()
        self._seconds: deque[float] = deque(maxlen=_RECENT_STEPS)
        self._last = 0
        self._next = NEVER

    def add(self, probe: Probe) -> None:
        """Measure `probe` from now on. A name already taken gets a number: `vq`, `vq-2`."""
        probe.name = self._free_name(probe.name)
        self._entries[probe.name] = Planned(probe, self._last)
        probe.models = self.models
        if probe.reads:
            self._readers += ((frozenset(probe.reads), probe),)
        probe.siblings = self._probes
        probe.attach(self._problem)
        self._plan()

    def watch(self, model: Module) -> None:
        """Let the probes know of a model. It is held weakly."""
        if not any(known is model for known in self.models()):
            self._models.append(weakref.ref(model))

    def models(self) -> Sequence[Module]:
        """The models to watch that still exist."""
        return [model for reference in self._models if (model := reference()) is not None]

    def epoch(self, number: int) -> None:
        """Tell every probe that an epoch begins."""
        for entry in list(self._entries.values()):
            with entry.probe.taking("an epoch"):
                entry.probe.epoch(number)

    @property
    def reads_metrics(self) -> bool:
        """Whether any probe wants to be told of logged metrics."""
        return bool(self._readers)

    def logged(self, step: int, row: Mapping[str, float]) -> None:
        """Tell the probes of a row that holds a metric they read."""
        for names, probe in self._readers:
            if not names.isdisjoint(row):
                with probe.taking("metrics"):
                    probe.logged(step, row)

    @contextmanager
    def unfed(self) -> Iterator[None]:
        """Within it no probe is fed: a rehearsal is no training."""
        fed = [entry.probe for entry in self._entries.values() if entry.probe.armed]
        for probe in fed:
            probe.armed = False
        try:
            yield
        finally:
            for probe in fed:
                probe.armed = True

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

    def reschedule(self, name: str, every: int) -> int | None:
        """Measure a probe every so many steps from now on; 0 or less: only when asked.

        The steps between two measurements as they will be, which the budget may make more; 0 where there is no such, None where there
        is no such probe. Called by the training thread between two steps.
        """
        entry = self._entries.get(name)
        if entry is None:
            return None
        entry.stretch = 1
        entry.follow(every_steps(every) if every > 0 else on_demand(), self._last)
        if self._seconds and entry.costs:
            entry.stretch = self._needed(entry, self._last)
            entry.schedule_after(self._last)
        self._plan()
        return entry.every

    def measure_once(self, first: int, steps: int) -> None:
        """Measure every probe after `steps` steps from `first` on, and no more: neither by its own schedule nor by the budget."""
        for entry in self._entries.values():
            entry.follow(Once(first + steps, steps), max(self._last, first))
        self._plan()

    def longest_lead(self, most: int) -> int:
        """Steps the probes have to be fed for before a measurement, `most` at most."""
        return max((min(entry.probe.lead, most) for entry in self._entries.values()), default=0)

    def due(self) -> list[str]:
        """Names of the probes that have a measurement before them."""
        return [name for name, entry in self._entries.items() if entry.due < NEVER]

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
        self._readers = ()
        self._plan()

    def _probes(self) -> list[Probe]:
        return [entry.probe for entry in self._entries.values()]

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

    def _measure(self, entry: Planned, step: int) -> Snapshot | None:
        if not entry.is_ready(step):
            return None
        probe = entry.probe
        began = time.perf_counter()
        snapshot, failed = None, False
        try:
            snapshot = probe.measure(step)
        except Gone as gone:
            self._let_go(probe, gone)
            return None
        except Exception as error:
            failed = True
            probe.say(f"{type(error).__name__}: {error}")
        took = time.perf_counter() - began
        if snapshot is None and not failed and took <= self._slow:
            entry.ask_again(step)
            return None
        cost = took + probe.feeding + (snapshot.cost if snapshot else 0.0)
        probe.feeding = 0.0
        self._hold_budget(entry, step, cost)
        return replace(snapshot, probe=probe.name, cost=cost) if snapshot else None

    def _let_go(self, probe: Probe, gone: Gone) -> None:
        probe.say(f"{gone}; it is not measured any more")
        probe.close()
        del self._entries[probe.name]
        self._readers = tuple(reader for reader in self._readers if reader[1] is not probe)

    def _hold_budget(self, entry: Planned, step: int, cost: float) -> None:
        """Plan the entry's next measurement so that all probes together stay within the budget."""
        is_slow = cost > self._slow
        entry.is_slow |= is_slow
        entry.costs.append(cost)
        stretch = max(self._needed(entry, step), min(entry.stretch, self._needed(entry, step, room=_ROOM_TO_RELAX)))
        if not is_slow:
            stretch = min(stretch, entry.stretch * _QUICKEST_STRETCH)
        entry.undeclared |= stretch != entry.stretch and entry.every > 0
        entry.stretch = stretch
        entry.schedule_after(step, not_before=self._affordable(entry, step, cost) if is_slow else 0)

    def _loads(self, step: int) -> dict[Planned, float]:
        seconds = statistics.median(self._seconds)
        return {one: load(one.probe.schedule, step, one.cost(), seconds) for one in self._entries.values()}

    def _needed(self, entry: Planned, step: int, room: float = 1.0) -> int:
        """The stretch at which the budget holds, were all costs `room` times what they are."""
        loads = self._loads(step)
        return stretches([room * one for one in loads.values()], self._budget)[list(loads).index(entry)]

    def _affordable(self, entry: Planned, step: int, cost: float) -> int:
        """The first step at which another measurement of `cost` seconds is within the budget. Says so where that is later than asked."""
        loads, seconds = self._loads(step), statistics.median(self._seconds)
        loads[entry] = load(entry.probe.schedule, step, cost, seconds)
        share = allowances(list(loads.values()), self._budget)[list(loads).index(entry)]
        first = step + math.ceil(min(cost / (share * seconds), NEVER) - 1e-6) if share > 0 else step
        if first > entry.probe.schedule.after(step) and not entry.told_slow:
            entry.told_slow = True
            entry.probe.say(f"a measurement takes long: it is measured more rarely, so that probes keep to {self._budget:.0%} of step time")
        return first

    def _plan(self) -> None:
        self._next = min((entry.wake for entry in self._entries.values()), default=NEVER)
        if self._demanded:  # asked by another thread in the meantime
            self._next = -1

    def _free_name(self, name: str) -> str:
        return next(free for free in chain((name,), (f"{name}-{n}" for n in count(2))) if free not in self._entries)

    def __repr__(self) -> str:
        return f"<ProbeSet {len(self._entries)} probes, next due at step {self._next}>"


def _declaration(entry: Planned) -> ProbeDeclared:
    return ProbeDeclared(entry.probe.name, entry.probe.kind, entry.every, entry.probe.settings())
