"""Records in, views out: the run at any moment, exactly as it was known then.

`feed` takes records in log order, once. `at` shows the newest moment or any past one; views share what they show with the store and
copy none of it. Only notes stand at the moment they are pinned to, also where they were written later: they speak of it. The store knows no
terminal, socket or clock: a past moment is an argument, and time advances by records only.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from bedside_protocol.lifecycle import OVER
from bedside_protocol.records import (
    AlertAcknowledged,
    AlertChanged,
    AlertShelved,
    CheckpointSaved,
    CommandChanged,
    Ended,
    Event,
    ExpectationDeclared,
    LifecycleChanged,
    Lost,
    MetricDefined,
    Metrics,
    Note,
    ProbeDeclared,
    Problem,
    RanksSeen,
    RankStarted,
    Record,
    RulesDeclared,
    RunStarted,
    Snapshot,
    StackTaken,
    TagsChanged,
    Tick,
    Unknown,
    VerdictGiven,
)
from bedside_tui.store import marks
from bedside_tui.store.alerts import AlertsFold
from bedside_tui.store.book import BookFold
from bedside_tui.store.clean import clean
from bedside_tui.store.commands import CommandsFold
from bedside_tui.store.judging import JudgingFold
from bedside_tui.store.ledger import Ledger, Moment, Prefix
from bedside_tui.store.lifecycle import LifecycleFold
from bedside_tui.store.marks import TroublesFold
from bedside_tui.store.metrics import MOST_METRICS, MetricsFold
from bedside_tui.store.probes import ProbesFold
from bedside_tui.store.ranks import OF_ANY, SPEAKERS, RanksFold
from bedside_tui.store.review import ReviewFold
from bedside_tui.store.saved import SavedFold
from bedside_tui.store.stacks import StacksFold
from bedside_tui.store.trail import Trail
from bedside_tui.store.view import Mark, View

_LATEST = float(1 << 52)


class Store:
    """Everything read of one run."""

    def __init__(self) -> None:
        self._times = array("d")
        self._seq = 0
        self._ticked = 0
        self._trail = Trail()
        self._metrics = MetricsFold()
        self._probes = ProbesFold()
        self._judging = JudgingFold()
        self._alerts = AlertsFold(self._judging)
        self._commands = CommandsFold()
        self._book = BookFold()
        self._saved = SavedFold()
        self._review = ReviewFold(self._metrics)
        self._lifecycle = LifecycleFold()
        self._ranks = RanksFold(self._metrics)
        self._stacks = StacksFold()
        self._marks: Ledger[Mark] = Ledger()
        self._stops: list[Mark] = []
        self._troubles = TroublesFold()
        self._shown: dict[tuple[int, float], View] = {}
        """The two moments looked at last: in a recording every picture shows one and knows the newest."""
        self._fold: Mapping[type[Any], Callable[[Moment, Any], Mark | None]] = {
            RunStarted: self._lifecycle.started,
            LifecycleChanged: self._lifecycle.changed,
            Ended: self._ended,
            MetricDefined: self._metrics.defined,
            ProbeDeclared: self._probes.declared,
            Snapshot: self._probes.measured,
            AlertChanged: self._alerts.changed,
            AlertAcknowledged: self._alerts.acknowledged,
            AlertShelved: self._alerts.shelved,
            CommandChanged: self._commands.changed,
            CheckpointSaved: self._commands.saved,
            RulesDeclared: self._judging.rules_declared,
            ExpectationDeclared: self._judging.expectation_declared,
            Event: marks.event,
            Note: self._book.noted,
            VerdictGiven: self._book.judged,
            TagsChanged: self._book.tagged,
            RanksSeen: self._ranks.seen,
            Problem: self._troubles.problem,
            Lost: self._troubles.lost,
            Unknown: self._troubles.unknown,
        }

    def __repr__(self) -> str:
        return f"<Store {self.records} records, {len(self._metrics)} metrics, {len(self._marks)} marks>"

    @property
    def records(self) -> int:
        """Records read."""
        return len(self._times)

    @property
    def span(self) -> tuple[float, float]:
        """Times of the first and the newest record; (0, 0) before the first."""
        return (self._times[0], self._times[-1]) if self._times else (0.0, 0.0)

    @property
    def marks(self) -> Sequence[Mark]:
        """The whole timeline, also after the moment that is shown."""
        return Prefix(self._marks.entries, len(self._marks))

    def feed(self, records: Iterable[Record]) -> None:
        """Take records in log order. Times are made never to decrease, texts are made safe."""
        for record in records:
            self._feed(record)

    def _feed(self, record: Record) -> None:
        before = self._times[-1] if self._times else -_LATEST
        time = max(before, record.time) if abs(record.time) < _LATEST else max(before, 0.0)
        self._times.append(time)
        position = len(self._times)
        if record.seq > self._seq + 1 and self._seq:
            self._gap(record, position, time)
        body = record.body
        # A source that found damage says so itself, in a record that has no place: the hole after it is told already.
        self._seq = record.seq or (0 if type(body) is Lost else self._seq)
        if type(body) is Metrics:
            self._metrics.add(position, record.rank, body)
            if record.rank in SPEAKERS and len(body.steps):
                self._advance(position, time, max(self._ticked, int(body.steps[-1])))
            return
        if type(body) is RankStarted:
            self._ranks.started(self._moment(position, time), record.rank, clean(body))
            return
        if type(body) is StackTaken:
            self._marked(position, self._stacks.taken(self._moment(position, time), record.rank, clean(body)))
            return
        if type(body) is Tick:
            self._tick(position, time, body.step)
            return
        fold = self._fold.get(type(body))
        if fold is None or (record.rank not in SPEAKERS and type(body) not in OF_ANY):
            return
        body = clean(body)
        self._marked(position, fold(self._moment(position, time), body))
        safe = replace(record, time=time, body=body)
        self._saved.take(position, safe)
        self._review.take(position, safe)

    def _ended(self, moment: Moment, body: Ended) -> Mark | None:
        self._stacks.ended(moment, body)
        return self._lifecycle.ended(moment, body)

    def _tick(self, position: int, time: float, step: int) -> None:
        """The hub's clock. Its step is the run's own counter, except that metrics may be ahead of it by what is on the way."""
        known = self._trail.step_at(position)
        went_back = step < self._ticked
        self._ticked = step
        self._advance(position, time, step if went_back else max(step, known))

    def _advance(self, position: int, time: float, step: int) -> None:
        running = time - self._lifecycle.at(position).held_until(time)
        self._trail.add(Moment(position, time, running, step))

    def _moment(self, position: int, time: float) -> Moment:
        running = time - self._lifecycle.at(position).held_until(time)
        return Moment(position, time, running, self._trail.step_at(position))

    def _marked(self, position: int, mark: Mark | None) -> None:
        if mark is not None:
            self._mark(position, mark)

    def _mark(self, position: int, mark: Mark) -> None:
        if mark.time < self._times[-1]:  # pinned to a moment that was there already
            self._marks.insert(bisect_right(self._times, mark.time), mark)
            self._shown.clear()
        else:
            self._marks.add(position, mark)
        if mark.jump:
            insort(self._stops, mark, key=lambda stop: stop.time)

    def _gap(self, record: Record, position: int, time: float) -> None:
        self._mark(position, marks.gap(time, self._trail.step_at(position), record.seq - self._seq - 1))

    def at(self, time: float | None = None) -> View:
        """The run as known at `time` seconds, None for the newest. A time outside `span` is moved to its nearer end."""
        first, last = self.span
        when = last if time is None else min(max(time, first), last)
        moment = bisect_right(self._times, when), when
        view = self._shown.pop(moment, None) or self._view(*moment)
        if len(self._shown) > 1:
            del self._shown[next(iter(self._shown))]
        self._shown[moment] = view
        return view

    def _view(self, position: int, time: float) -> View:
        self._metrics.settle()
        state = self._lifecycle.at(position)
        alerts = self._alerts.standing(position, time)
        rules = self._judging.at(position)
        step = self._trail.step_at(position)
        metrics = self._metrics.views(position, alerts.badges, alerts.fired)
        running = state.lifecycle == "starting" and not state.said and bool(metrics)
        recorded = self._times[position - 1] if position else 0.0
        awake = recorded - state.held_until(recorded)
        return View(
            time=time,
            run=self._lifecycle.run_at(position),
            step=step,
            lifecycle="running" if running else state.lifecycle,
            reason=state.reason,
            steps_per_second=self._trail.steps_per_second(position),
            paused_seconds=state.held_until(time),
            metrics=metrics,
            system=self._metrics.system(position),
            probes=self._probes.views(position, alerts.badges, alerts.not_checked, awake, alerts.fired),
            probe_cost=self._probes.cost(position, awake),
            alerts=alerts.alerts,
            not_checked=alerts.not_checked,
            commands=self._commands.views(position),
            checkpoints=self._saved.views(position, rules),
            rules=rules,
            review=self._review.at(position) if state.lifecycle in OVER else (),
            expectations=alerts.expectations,
            book=self._book.at(position),
            marks=self._marks.upto(position),
            lost=self._troubles.lost_at(position),
            problems=self._problems_at(position),
            ranks=self._ranks.views(position, self._lifecycle.run_at(position)),
            stacks=self._stacks.at(position),
        )

    def _problems_at(self, position: int) -> dict[str, int]:
        problems = self._troubles.problems_at(position)
        if left_out := self._metrics.left_out(position):
            problems[f"only the first {MOST_METRICS:,} metrics are kept: values of others"] = left_out
        return problems

    def time_of_step(self, step: float) -> float | None:
        """When `step` was reached, in the newest stretch of the run that has it; None where none has."""
        return self._trail.time_of(step)

    def next_mark(self, time: float, direction: int) -> Mark | None:
        """The nearest mark to stop at after `time` (`direction` > 0) or before it; None beyond the last."""
        if direction > 0:
            place = bisect_right(self._stops, time, key=lambda mark: mark.time)
            return self._stops[place] if place < len(self._stops) else None
        place = bisect_left(self._stops, time, key=lambda mark: mark.time)
        return self._stops[place - 1] if place else None
