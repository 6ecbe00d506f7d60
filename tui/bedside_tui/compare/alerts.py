"""What fired in which run: a row a rule and target, a cell a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bedside_protocol.records import Severity
from bedside_tui.compare.runs import Run


@dataclass(frozen=True, slots=True)
class Fired:
    """A rule in one run: the step at which it fired first, the worst it became, whether it stands, and how often it fired."""

    step: int
    severity: Severity
    stands: bool
    episodes: int


@dataclass(frozen=True, slots=True)
class AlertRow:
    """One rule on one target. `runs` by the place of the run; where it never fired the run is not among them."""

    rule: str
    target: str
    title: str
    runs: Mapping[int, Fired]

    @property
    def worst(self) -> Severity:
        return "red" if any(fired.severity == "red" for fired in self.runs.values()) else "amber"


def alert_rows(runs: Sequence[Run]) -> tuple[AlertRow, ...]:
    """Every alarm of every run: red before amber, and what fired first before what came later."""
    titles: dict[tuple[str, str], str] = {}
    cells: dict[tuple[str, str], dict[int, Fired]] = {}
    for run in runs:
        for alert in run.view.alerts:
            if alert.state == "pending" or not alert.severity:
                continue
            key = (alert.rule, alert.target)
            titles.setdefault(key, alert.title)
            one = Fired(alert.fired_step, alert.severity, alert.stands, 1)
            row = cells.setdefault(key, {})
            row[run.place] = _together(row[run.place], one) if run.place in row else one
    rows = (AlertRow(rule, target, titles[rule, target], row) for (rule, target), row in cells.items())
    return tuple(sorted(rows, key=lambda row: (row.worst != "red", min(fired.step for fired in row.runs.values()))))


def _together(one: Fired, other: Fired) -> Fired:
    """Two episodes of the same alarm in one run."""
    severity: Severity = "red" if "red" in (one.severity, other.severity) else "amber"
    return Fired(min(one.step, other.step), severity, one.stands or other.stands, one.episodes + other.episodes)
