"""Logged metrics under the rules that watch metrics: which rule looks at which metric, and each column fed to its tests.

What a metric is, the run's definitions say, and where they are silent its name. A definition that comes after the first values takes the
metric from the rules of its old kind and gives it to those of its new one, from there on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase

import numpy as np
from numpy.typing import NDArray

from bedside_protocol.alerts.alarm import Alarm
from bedside_protocol.alerts.circumstances import Circumstances
from bedside_protocol.alerts.conditions import Expects, NonFinite
from bedside_protocol.alerts.expectation import Expectations
from bedside_protocol.alerts.ledger import Ledger
from bedside_protocol.alerts.levels import OK, RED, UNCHECKED, Facts
from bedside_protocol.alerts.roles import Role, names_an_evaluation, role_of, totals_of, trained_on
from bedside_protocol.alerts.rules import OnMetric, Rule
from bedside_protocol.alerts.track import FROM_SCRATCH, Point, Track
from bedside_protocol.definitions import Definitions
from bedside_protocol.metrics import Kind, is_system
from bedside_protocol.records import Metrics

_NO_BEGINNING = "resumed, or first logged later: there is no beginning to compare with"
_TERMS = frozenset({"loss", "adversarial"})
_FIRST_LOGGED = 100
"""A part first seen by this step is taken for one that is logged less often than its total, not for a new term."""


class Curves:
    """All metrics of one rank."""

    def __init__(
        self,
        rules: Sequence[Rule],
        ledger: Ledger,
        suffix: str,
        definitions: Definitions,
        circumstances: Circumstances,
        told_elsewhere: Callable[[str], bool] | None = None,
    ) -> None:
        watching = [(rule, rule.watch) for rule in rules if isinstance(rule.watch, OnMetric)]
        self._finite = [(rule, watch) for rule, watch in watching if isinstance(rule.conditions[0], NonFinite)]
        self._expected = [(rule, watch) for rule, watch in watching if isinstance(rule.conditions[0], Expects)]
        self._level = [(rule, watch) for rule, watch in watching if not isinstance(rule.conditions[0], NonFinite | Expects)]
        self._ledger = ledger
        self._suffix = suffix
        """What tells this rank's metrics from another's."""
        self._told_elsewhere = told_elsewhere
        """Whether another rank's metric of a name stands for this one's too: here it is then asked only whether it is finite."""
        self._definitions = definitions
        self._circumstances = circumstances
        self._fresh = True
        self._mark: tuple[int, str] | None = None
        """The step after which a new stretch of the training begins, and what to say of it; None once its values have come."""
        self._step = 0
        """The last step seen."""
        self._names: dict[str, Kind] = {}
        self._roles: dict[str, Role] = {}
        self._trained: frozenset[str] = frozenset()
        self._tracks: dict[str, Track] = {}
        self._finite_alarms: dict[str, tuple[Alarm, ...]] = {}
        self._scores: set[str] = set()
        """The metrics by which an evaluation says how well it goes."""
        self._restless: set[str] = set()
        """The metrics of which finite values are news to one of those alarms."""
        self._expectations = Expectations(ledger, suffix)

    def __repr__(self) -> str:
        return f"<Curves {len(self._names)} metrics, {len(self._tracks)} followed>"

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def _is_told_here(self, name: str) -> bool:
        return self._told_elsewhere is None or not self._told_elsewhere(name)

    def add(self, rule: Rule) -> None:
        """An expectation has been declared: from now on the metrics it watches are judged by it too."""
        if not isinstance(rule.watch, OnMetric):
            raise TypeError(f"{rule.name} watches no metric")
        self._expected.append((rule, rule.watch))
        self._expectations.seek(rule, rule.watch.glob, self._step)
        self._expect(self._names, self._step)

    def _expect(self, names: Iterable[str], step: int) -> None:
        """These metrics have appeared, or are something else than before."""
        for name in filter(self._is_told_here, names) if self._expected else ():
            kind, trained = self._names[name], name in self._trained
            rules = [rule for rule, watch in self._expected if _matches(rule, watch, name, kind) and (trained or not watch.trained_on)]
            self._expectations.meet(name, rules, step)

    def resumed(self) -> None:
        """A first value from now on is not the training's own."""
        self._fresh = False

    def define(self, definitions: Definitions) -> None:
        """From now on the metrics are what these definitions say; those that are something else than before are judged anew."""
        self._definitions = definitions
        changed = {name: kind for name, before in self._names.items() if (kind := definitions.kind_of(name)) != before}
        for name, kind in changed.items():
            self._dismiss(name, f"the script says: {kind}")
        if changed:
            self._meet(list(changed), self._step)

    def _dismiss(self, name: str, why: str) -> None:
        """Take a metric from its rules."""
        track = self._tracks.pop(name, None)
        for alarm in (*self._finite_alarms.pop(name, ()), *(track.alarms if track else ())):
            self._ledger.suspend(alarm, why, self._step)
        self._scores.discard(name)
        del self._names[name]

    def restart_after(self, step: int, why: str) -> None:
        """From the first value after `step` on, a loss has another level; in the first steps of a training that is its only one."""
        if step > FROM_SCRATCH:
            self._mark = (step, why)

    def take(self, block: Metrics) -> None:
        """Judges a block that is not empty, split where its steps go back and where a new stretch of the training begins."""
        cuts = np.flatnonzero(np.diff(block.steps) < 0) + 1
        if self._mark is not None:
            cuts = np.union1d(cuts, np.flatnonzero((block.steps[1:] > self._mark[0]) & (block.steps[:-1] <= self._mark[0])) + 1)
        split = np.split(np.arange(len(block.steps)), cuts) if cuts.size else []
        for part in [replace(block, steps=block.steps[at], times=block.times[at], values=block.values[:, at]) for at in split] or [block]:
            self._take(part)

    def _take(self, block: Metrics) -> None:
        finite = np.isfinite(block.values)
        whole: list[bool] = np.logical_and.reduce(finite, axis=1).tolist()
        steps, times = block.steps.tolist(), block.times.tolist()
        self._pass_mark(steps[0])
        if not self._names.keys() >= set(block.names):
            self._welcome(block.names, steps[0])
        self._step = steps[-1]
        for track in [self._tracks[name] for name in block.names if name in self._tracks]:
            if track.resumes_at(steps[0]):
                self._resume(track, steps[0])
        self._judge_finite(block, finite, whole, steps, times)
        self._expectations.take(block, finite, steps, times)
        for column, name in enumerate(block.names):
            if name in self._scores:
                for value in block.values[column].tolist():
                    self._circumstances.scores.take(name, value)
            if name in self._tracks:
                points = list(zip(steps, times, block.values[column].tolist(), strict=True))
                if not whole[column]:
                    points = [point for point, good in zip(points, finite[column], strict=True) if good]
                self._judge_level(self._tracks[name], points)

    def _pass_mark(self, step: int) -> None:
        if self._mark is not None and step > self._mark[0]:
            (_, why), self._mark = self._mark, None
            self._restart(self._tracks, step, why)

    def _welcome(self, names: Sequence[str], step: int) -> None:
        """Metrics appear: a part that comes late is a new term of its total."""
        new = [name for name in names if name not in self._names]
        self._meet(names, step)
        for name in new:
            if step > _FIRST_LOGGED and self._names[name] in _TERMS:
                self._restart(totals_of(name, self._tracks), step, f"restarted: {name} is new")

    def _restart(self, names: Iterable[str], step: int, why: str) -> None:
        """The losses among these tracks have another level from `step` on."""
        for track in [self._tracks[name] for name in sorted(names)]:
            if track.begun:
                track.restart(why)
                for alarm in track.alarms:
                    self._ledger.suspend(alarm, why, step)

    def _meet(self, names: Sequence[str], step: int) -> None:
        new = [name for name in names if name not in self._names]
        for name in new:
            kind = self._names[name] = self._definitions.kind_of(name)
            self._roles[name] = role_of(name, kind)
            alarms = tuple(
                self._ledger.alarm(rule, name + self._suffix) for rule, watch in self._finite if _matches(rule, watch, name, kind)
            )
            self._finite_alarms[name] = alarms
            self._note_rest(name)
            if kind == "accuracy" and names_an_evaluation(name):
                self._scores.add(name)
        trained = trained_on(self._names, self._definitions)
        for name in sorted((self._trained - trained) & self._tracks.keys()):  # a total has appeared: its parts are judged with it
            for alarm in self._tracks.pop(name).alarms:
                self._ledger.suspend(alarm, "a part, judged with the total", step)
        for name in filter(self._is_told_here, sorted(self._names - self._tracks.keys())):
            alarms = tuple(
                self._ledger.alarm(rule, name + self._suffix)
                for rule, watch in self._level
                if _matches(rule, watch, name, self._names[name]) and (not watch.trained_on or name in trained)
            )
            if alarms:
                self._tracks[name] = Track(name, alarms, self._fresh, self._circumstances)
                for alarm in alarms:
                    self._ledger.suspend(alarm, "too few values yet", step)
        appeared = new if trained == self._trained else self._names
        self._trained = trained
        self._expect(appeared, step)

    def _resume(self, track: Track, step: int) -> None:
        """The run has gone back: what was found in these values is over, and what comes is judged anew."""
        self.resumed()
        for alarm in self._finite_alarms[track.name]:
            self._ledger.undo(alarm, step)
        self._note_rest(track.name)
        track.restart()
        for alarm in track.alarms:
            self._ledger.suspend(alarm, "resumed: too few values yet", step)

    def _judge_level(self, track: Track, points: Sequence[Point]) -> None:
        judge = self._ledger.judge
        ready = track.take(points)
        if not ready:
            return
        looking = []
        for alarm, test in track.pairs():
            if test is None:
                judge(alarm, UNCHECKED, ready[0][0], ready[0][1], waiting=track.why or _NO_BEGINNING)
            else:
                looking.append((alarm, test, test.see))
        push = track.around.push
        for step, time, value in ready:
            push(value)
            for alarm, test, see in looking:
                level = see(step, value)
                if level != OK or not alarm.rests:
                    judge(alarm, level, step, time, test.facts, track.why or test.waiting if level == UNCHECKED else "")
        if track.name in self._trained:
            self._circumstances.training_level = track.level

    def _judge_finite(self, block: Metrics, finite: NDArray[np.bool_], whole: list[bool], steps: list[int], times: list[float]) -> None:
        """The first value that is not finite comes first, a loss before another metric: it is the one to tell the others by."""
        columns = [column for column, name in enumerate(block.names) if not whole[column] or name in self._restless]
        for column in sorted(columns, key=lambda column: _urgency(self._roles[block.names[column]], finite[column], whole[column])):
            name = block.names[column]
            alarms = self._finite_alarms[name]
            for alarm in alarms:
                for row, value in enumerate(block.values[column].tolist()):
                    good = bool(finite[column, row])
                    if not (good and alarm.rests) and steps[row] >= alarm.rule.grace.step:
                        self._ledger.judge(alarm, OK if good else RED, steps[row], times[row], _fact(value))
            self._note_rest(name)

    def _note_rest(self, name: str) -> None:
        if all(alarm.rests for alarm in self._finite_alarms[name]):
            self._restless.discard(name)
        else:
            self._restless.add(name)


def _matches(rule: Rule, watch: OnMetric, name: str, kind: Kind) -> bool:
    """Whether a rule looks at a metric: at what the agent measures on the machine, only where its glob names it."""
    named = is_system(watch.glob) or not is_system(name)
    return named and (not watch.kinds or kind in watch.kinds) and fnmatchcase(name, watch.glob) and rule.looks_at(name)


def _urgency(role: Role, finite: NDArray[np.bool_], whole: bool) -> tuple[int, int]:
    order = {"total": 0, "part": 1, "balance": 1, "evaluation": 2, "none": 3}
    return (len(finite) if whole else int(finite.argmin()), order[role])


def _fact(value: float) -> Callable[[], Facts]:
    return lambda: {"value": value}
