"""Which checkpoints may hold what an alarm tells of, and which is the last that does not.

Suspect is what was saved while the model was ill. Of that tells each red alarm on a metric or a probe that somebody should have seen at
once; an explosion and a lost level do when they are amber already. Not of it tell alarms that can wait (what was learnt before is in an
earlier checkpoint, and this one is worth keeping), those about the run and its machine, and an expectation that is not met.

Records of checkpoints and of changes of alarms go in, in the order of the log. Files are not looked at.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from bedside_protocol.alerts.conditions import Expects
from bedside_protocol.alerts.defaults import DEFAULT_RULES
from bedside_protocol.alerts.rules import OnMetric, OnRun, Rule
from bedside_protocol.metrics import is_system
from bedside_protocol.records import AlertChanged, CheckpointSaved, Record, RunStarted, Severity

_AT_AMBER: Final = frozenset({"explosion", "loss-level"})
"""Rules whose amber tells of damaged weights too: each is the beginning of a divergence, or the whole of a short one."""


def damaging(rules: Iterable[Rule]) -> dict[str, Severity]:
    """The names of the rules that tell of an ill model, and how badly each must fire for it: a gradient norm that is infinite once, which
    is amber, is a skipped step."""
    return {rule.name: "amber" if rule.name in _AT_AMBER else "red" for rule in rules if rule.name in _AT_AMBER or _is_of_the_model(rule)}


def _is_of_the_model(rule: Rule) -> bool:
    """Whether a rule's red alarm says that the model itself is ill, now."""
    on_machine = isinstance(rule.watch, OnRun) or (isinstance(rule.watch, OnMetric) and is_system(rule.watch.glob))
    return rule.horizon == "now" and not on_machine and not any(isinstance(condition, Expects) for condition in rule.conditions)


@dataclass(frozen=True, slots=True)
class Judged:
    """One checkpoint. `suspect_of` is empty for a good one, and else names what it may hold: `explosion since step 2,001`."""

    step: int
    path: str
    suspect_of: str = ""


class Checkpoints:
    """All checkpoints of a log so far, by what was known of the run when they were saved and what has become known since."""

    def __init__(self, rules: Iterable[Rule] = DEFAULT_RULES) -> None:
        self._damaging = damaging(rules)
        self._saved: dict[str, Judged] = {}
        self._of_this_start: set[str] = set()
        """Paths saved since the run last started: what is found later says nothing of the steps before a resume."""
        self._firing: dict[tuple[str, str, int], int] = {}
        """The first step of the evidence of each episode that fires, in the order they began."""

    def __repr__(self) -> str:
        return f"<Checkpoints {sum(not judged.suspect_of for judged in self._saved.values())} good of {len(self._saved)}>"

    @property
    def all(self) -> tuple[Judged, ...]:
        """Every checkpoint in the order they were saved; of those under one name the newest, the others are gone."""
        return tuple(self._saved.values())

    @property
    def last_good(self) -> Judged | None:
        """The newest that is not suspect."""
        return last_good_of(self.all)

    @property
    def suspects(self) -> tuple[Judged, ...]:
        """Those that are suspect and later than the last good one."""
        return suspects_of(self.all)

    def take(self, record: Record) -> None:
        """The next record of the log, or a change that an engine found in it."""
        match record.body:
            case RunStarted():
                self._of_this_start.clear()
            case CheckpointSaved(path=path, step=step):
                self._save(Judged(step, path))
            case AlertChanged() as change if change.rule in self._damaging:
                self._change(change)

    def _save(self, judged: Judged) -> None:
        self._saved.pop(judged.path, None)
        accused = (_accused(judged, rule, first) for (rule, _, _), first in self._firing.items())
        self._saved[judged.path] = next((found for found in accused if found.suspect_of), judged)
        self._of_this_start.add(judged.path)

    def _change(self, change: AlertChanged) -> None:
        episode = (change.rule, change.target, change.episode)
        if change.state != "firing":
            self._firing.pop(episode, None)
        elif episode not in self._firing and change.severity in ("red", self._damaging[change.rule]):
            self._firing[episode] = change.first_step
            for path in self._of_this_start:
                self._saved[path] = _accused(self._saved[path], change.rule, change.first_step)


def last_good_of(checkpoints: Sequence[Judged]) -> Judged | None:
    """The newest of these, in the order they were saved, that is not suspect."""
    return next((judged for judged in reversed(checkpoints) if not judged.suspect_of), None)


def suspects_of(checkpoints: Sequence[Judged]) -> tuple[Judged, ...]:
    """Those later than the last good one: all of them suspect."""
    good = last_good_of(checkpoints)
    return tuple(checkpoints[checkpoints.index(good) + 1 :] if good else checkpoints)


def _accused(judged: Judged, rule: str, first_step: int) -> Judged:
    """Suspect where it may hold what the rule found first at `first_step`: the values of a step are those of the weights before it.
    What it was suspect of already stays."""
    if judged.suspect_of or judged.step < first_step - 1:
        return judged
    return replace(judged, suspect_of=f"{rule} since step {first_step:,}")
