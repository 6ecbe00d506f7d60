"""Rules over a run's log: records go in one by one, changes of alarms come out.

The engine has no clock: its time advances by records alone, silence included (the hub ticks), so a recording judges itself again
exactly as it was judged live. Alerts already in the log are not looked at, for the same reason.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from bedside_protocol.alerts.circumstances import Circumstances
from bedside_protocol.alerts.conditions import Ends, NoStep
from bedside_protocol.alerts.curves import Curves
from bedside_protocol.alerts.defaults import DEFAULT_RULES
from bedside_protocol.alerts.endings import Ending
from bedside_protocol.alerts.expecting import Declared
from bedside_protocol.alerts.ledger import Ledger
from bedside_protocol.alerts.levels import OK
from bedside_protocol.alerts.roles import names_an_evaluation
from bedside_protocol.alerts.rules import OnProbe, OnRun, Rule
from bedside_protocol.alerts.sight import Sight
from bedside_protocol.alerts.stall import Phases, Source, Stall
from bedside_protocol.definitions import NOTHING_SAID
from bedside_protocol.lifecycle import OVER
from bedside_protocol.records import (
    AlertAcknowledged,
    AlertChanged,
    Ended,
    Event,
    ExpectationDeclared,
    LifecycleChanged,
    MetricDefined,
    Metrics,
    ProbeDeclared,
    Record,
    RunStarted,
    Snapshot,
    Tick,
)

_OF_ANY_RANK = (Metrics, MetricDefined, ExpectationDeclared, Ended)
"""What every rank says for itself; of the rest, rank 0 and the hub speak for the run."""
_HELD = frozenset({"paused", "suspended"})
_MOST_STRETCHES = 100
"""Phases of a training: a script with more gives one to every epoch or step, and none of them is a new level."""
_RUN = "run"
"""The target of rules about the run itself."""


class Engine:
    """Feed it every record of a log in order, with `observe`."""

    def __init__(self, rules: Sequence[Rule] = DEFAULT_RULES) -> None:
        self.rules = tuple(rules)
        self._ledger = Ledger()
        self._curves: dict[int, Curves] = {}
        self._sights: dict[str, tuple[Sight, ...]] = {}
        self._stalls = [
            (self._ledger.alarm(rule, _RUN), Stall(condition))
            for rule in self.rules
            if rule.watch == OnRun()
            for condition in rule.conditions
            if isinstance(condition, NoStep)
        ]
        self._endings = [
            (self._ledger.alarm(rule, _RUN), Ending(ways))
            for rule in self.rules
            if rule.watch == OnRun() and (ways := [condition for condition in rule.conditions if isinstance(condition, Ends)])
        ]
        self._acknowledged: dict[tuple[str, str], str] = {}
        self._definitions = NOTHING_SAID
        self._declared = Declared()
        self._circumstances = Circumstances()
        self._phases = Phases()
        self._stretches: set[str] = set()
        """The phases that have been trained in: coming back to one (`train` after each `eval`) changes nothing."""
        self._held = ""
        self._handlers: Mapping[type, Callable[[Record, Any], None]] = {
            RunStarted: self._run_started,
            Metrics: self._metrics,
            MetricDefined: self._metric_defined,
            ExpectationDeclared: self._expectation_declared,
            ProbeDeclared: self._probe_declared,
            Snapshot: self._snapshot,
            AlertAcknowledged: self._alert_acknowledged,
            Event: self._event,
            LifecycleChanged: self._lifecycle_changed,
            Tick: self._tick,
            Ended: self._ended,
        }

    def __repr__(self) -> str:
        return f"<Engine {len(self.rules)} rules, {self._ledger!r}>"

    @property
    def standing(self) -> tuple[AlertChanged, ...]:
        """The newest state of every rule on every target it looks at."""
        return self._ledger.standing

    @property
    def firing(self) -> tuple[AlertChanged, ...]:
        """What fires now."""
        return tuple(change for change in self.standing if change.state == "firing")

    def acknowledged_by(self, rule: str, target: str) -> str:
        """Who has acknowledged what fires there, empty where nobody has."""
        return self._acknowledged.get((rule, target), "")

    def observe(self, record: Record) -> list[AlertChanged]:
        """Takes the next record of the log and returns the changes it caused, by step: transitions only."""
        handler = self._handlers.get(type(record.body))
        if handler is None or (record.rank > 0 and not isinstance(record.body, _OF_ANY_RANK)):
            return []
        handler(record, record.body)
        changes = self._ledger.collect()
        for change in changes:
            if change.state == "firing":
                self._acknowledged.pop((change.rule, change.target), None)
        return changes

    def _run_started(self, record: Record, body: RunStarted) -> None:
        if body.continues or self._curves:
            for curves in self._curves.values():
                curves.resumed()
            self._curves_of(record.rank).resumed()
            self._circumstances.causes.restart()
        self._phases.clear()
        self._stretches.clear()
        self._held = ""
        for alarm, stall in self._stalls:
            stall.restart(record.time)
            self._ledger.suspend(alarm, stall.exempt, 0)
        for alarm, ending in self._endings:
            ending.restart()
            self._ledger.clear(alarm, alarm.first_step)

    def _metrics(self, record: Record, body: Metrics) -> None:
        if not len(body.steps):
            return
        if record.rank > 0:
            self._curves_of(record.rank).take(body)
            return
        step, time = int(body.steps[-1]), float(body.times[-1])
        self._enter(step, time)
        self._circumstances.causes.take(body)
        self._curves_of(record.rank).take(body)
        self._progress("values", step, time)

    def _curves_of(self, rank: int) -> Curves:
        if rank not in self._curves:
            suffix = f" rank {rank}" if rank > 0 else ""
            told = self._is_of_first if rank > 0 else None
            self._curves[rank] = Curves(self.rules, self._ledger, suffix, self._definitions, self._circumstances, told)
        return self._curves[rank]

    def _is_of_first(self, name: str) -> bool:
        """Whether rank 0 logs a metric of this name: it stands for the others, which train the same model."""
        return 0 in self._curves and name in self._curves[0]

    def _metric_defined(self, record: Record, body: MetricDefined) -> None:
        self._definitions = self._definitions.having(body)
        self._circumstances.causes.define(self._definitions)
        for curves in self._curves.values():
            curves.define(self._definitions)

    def _expectation_declared(self, record: Record, body: ExpectationDeclared) -> None:
        rule = self._declared.take(body)
        if rule is None:
            return
        self._curves_of(record.rank)
        self.rules = (*self.rules, rule)
        for curves in self._curves.values():
            curves.add(rule)

    def _probe_declared(self, record: Record, body: ProbeDeclared) -> None:
        self._sights_of(body.probe, body.kind)

    def _sights_of(self, probe: str, kind: str) -> tuple[Sight, ...]:
        if probe not in self._sights:
            watching = [rule for rule in self.rules if rule.watch == OnProbe(kind) and rule.looks_at(probe)]
            sights = self._sights[probe] = tuple(Sight(self._ledger.alarm(rule, probe)) for rule in watching)
            for sight in sights:
                self._ledger.suspend(sight.alarm, sight.why, 0)
        return self._sights[probe]

    def _snapshot(self, record: Record, body: Snapshot) -> None:
        self._circumstances.causes.see(body)
        for sight in self._sights_of(body.probe, body.kind):
            if sight.resumes_at(body.step):
                self._ledger.undo(sight.alarm, body.step)
            sight.see(body)
            self._ledger.judge(sight.alarm, sight.level, body.step, record.time, partial(sight.facts, body), sight.why)

    def _alert_acknowledged(self, record: Record, body: AlertAcknowledged) -> None:
        for change in self.firing:
            if (body.rule or change.rule, body.target or change.target) == (change.rule, change.target):
                self._acknowledged[(change.rule, change.target)] = body.who

    def _event(self, record: Record, body: Event) -> None:
        self._circumstances.marks.take(body)
        if body.name != "phase":
            return
        self._phases.take(body)
        self._excuse(self._reason(), record.time, body.step)

    def _lifecycle_changed(self, record: Record, body: LifecycleChanged) -> None:
        if body.state in OVER:
            self._over(record.time, body.step)
            for alarm, ending in self._endings:
                if (level := ending.see(body)) > OK or alarm.fires:  # of a good end the verdict is the last word
                    self._ledger.judge(alarm, level, body.step, record.time, ending.facts)
            return
        self._held = body.state if body.state in _HELD else ""
        self._excuse(self._reason(), record.time, body.step)

    def _ended(self, record: Record, body: Ended) -> None:
        for _, ending in self._endings:
            ending.hear(body)
        if record.rank <= 0:
            self._over(record.time, body.step)

    def _tick(self, record: Record, body: Tick) -> None:
        self._progress("ticks", body.step, record.time)

    def _progress(self, source: Source, step: int, time: float) -> None:
        self._enter(step, time)
        for alarm, stall in self._stalls:
            stall.progress(source, step, time)
            if not stall.exempt:
                self._ledger.judge(alarm, stall.see(time), step, time, stall.facts)

    def _enter(self, step: int, time: float) -> None:
        """The run is at `step`: phases it trains in are no excuse for silence, and a new one of them is a new level for its losses."""
        stretch = self._phases.end_at(step)
        if stretch is None:
            return
        self._excuse(self._reason(), time, step)
        if stretch.name in self._stretches or names_an_evaluation(stretch.name) or len(self._stretches) >= _MOST_STRETCHES:
            return
        self._stretches.add(stretch.name)
        for curves in self._curves.values():
            curves.restart_after(stretch.step, f"restarted: phase {stretch.name}")

    def _reason(self) -> str:
        return self._held or (f"phase {self._phases.current}" if self._phases else "")

    def _excuse(self, why: str, time: float, step: int) -> None:
        for alarm, stall in self._stalls:
            stall.excuse(why, time)
            if stall.exempt:
                self._ledger.suspend(alarm, stall.exempt, step)

    def _over(self, time: float, step: int) -> None:
        """Nothing is expected of a run that is over: its silence is no stall."""
        for alarm, stall in self._stalls:
            self._ledger.clear(alarm, step)
            stall.excuse("over", time)
