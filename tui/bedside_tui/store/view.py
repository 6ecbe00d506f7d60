"""The run as it was known at one moment: what every screen draws from.

A `View` is a value. Screens never keep run state of their own: they are given a view and draw it, live and in replay alike. Every
text in a view has passed `bedside_protocol.sanitise`; numbers are raw (NaN and infinities included) and pass `draw.number` on the way out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from bedside_protocol.alerts.remark import Remark
from bedside_protocol.lab_book import Book
from bedside_protocol.lifecycle import OVER
from bedside_protocol.records import (
    AlertState,
    CommandState,
    Direction,
    Lifecycle,
    RunStarted,
    Scalar,
    Severity,
    Snapshot,
    Verb,
)
from bedside_tui.store.history import History
from bedside_tui.store.rank_view import RankView
from bedside_tui.store.rules import ExpectationView, RulesView
from bedside_tui.store.stack_view import StackView

if TYPE_CHECKING:
    from bedside_protocol.alerts.rules import Horizon

Badge = Literal["red", "amber", "ok", "pending", "none"]
"""How a row is marked. `none`: no rule speaks of it, or none could judge it yet."""

MarkKind = Literal["lifecycle", "alert", "cleared", "command", "checkpoint", "event", "note", "problem", "lost", "gap", "stack"]


@dataclass(frozen=True, slots=True)
class Firing:
    """Where an alarm fired, and how bad it became: "red" or "amber"."""

    step: int
    badge: Badge


@dataclass(frozen=True, slots=True)
class MetricView:
    """One logged metric. `remark` is the short text after the sparkline: "rising since 11,400", "best 0.0209 @ 12,102"."""

    name: str
    kind: str
    value: float
    step: int
    badge: Badge
    remark: str
    history: History
    unit: str = ""
    """What to print after a value, empty where nothing is known."""
    direction: Direction | None = None
    """Which way is better, None where nothing is known."""
    fired: Sequence[Firing] = ()
    """The alarms about it, also those that are over."""


@dataclass(frozen=True, slots=True)
class ProbeView:
    """One probe with its newest snapshot (None: declared, nothing measured yet) and the history of its scalars."""

    name: str
    kind: str
    every: int
    settings: Mapping[str, Scalar]
    badge: Badge
    snapshot: Snapshot | None
    snapshots: Sequence[Snapshot]
    """All snapshots up to the moment, oldest first."""
    scalars: Mapping[str, History]
    not_checked: str
    """Why no rule judges it yet ("warming up: step 400 of 1,000"), empty when judged."""
    cost: float = math.nan
    """Share of step time it takes, nan before it is known."""
    fired: Sequence[Firing] = ()


@dataclass(frozen=True, slots=True)
class AlertView:
    """One episode of one rule on one target, newest state."""

    rule: str
    target: str
    state: AlertState
    severity: Severity | Literal[""]
    message: str
    runbook: str
    value: float
    first_step: int
    fired_step: int
    fired_time: float
    cleared_step: int | None
    acknowledged: str
    """Who acknowledged it, empty where nobody has."""
    first_out: bool
    """The first to fire of those firing together."""
    episode: int
    title: str
    """What the rule is called, by the rules in force when it fired."""
    horizon: Horizon
    """When somebody should look."""
    shelved_until: float = 0.0
    """The time until which somebody has put it aside; 0 where nobody has, or that is past."""

    @property
    def shown(self) -> bool:
        """Whether it belongs on the alarm line: not shelved, and firing, or red and not yet acknowledged."""
        return not self.shelved_until and self.stands

    @property
    def stands(self) -> bool:
        """Whether it needs somebody, shelved or not."""
        return self.state == "firing" or (self.severity == "red" and self.state == "cleared" and not self.acknowledged)


@dataclass(frozen=True, slots=True)
class CommandView:
    """A command and the moments of its life, oldest first: (time, state, step, detail)."""

    id: str
    verb: Verb
    who: str
    state: CommandState
    detail: str
    step: int
    life: Sequence[tuple[float, CommandState, int, str]]
    arguments: Mapping[str, Scalar]


@dataclass(frozen=True, slots=True)
class CheckpointView:
    """A checkpoint on disk."""

    path: str
    size: int
    step: int
    time: float
    verified: bool
    suspect_of: str = ""
    """What it may hold: `explosion since step 812`; empty for a good one."""

    @property
    def suspect(self) -> bool:
        return bool(self.suspect_of)


@dataclass(frozen=True, slots=True)
class Mark:
    """One entry of the timeline: a line of the log screen, a mark on charts and on the scrubber."""

    time: float
    step: int
    kind: MarkKind
    glyph: str
    text: str
    badge: Badge = "none"
    jump: bool = True
    """Whether `[` and `]` stop here."""
    path: str = ""
    """Of a checkpoint, its file."""


@dataclass(frozen=True, slots=True)
class View:
    """Everything known at `time` seconds into the run."""

    time: float
    run: RunStarted | None
    step: int
    lifecycle: Lifecycle
    reason: str
    steps_per_second: float
    """Over the last seconds of running time, pauses left out; nan before it is known."""
    paused_seconds: float
    metrics: Sequence[MetricView]
    """Alarmed first, then loss, learning rate, gradient, then the rest by name. `system/…` metrics are not among them."""
    system: Mapping[str, float]
    """Last values of the `system/…` metrics, without the prefix."""
    probes: Sequence[ProbeView]
    """Alarmed first."""
    probe_cost: float
    """Share of step time spent in probes, nan before it is known."""
    alerts: Sequence[AlertView]
    """Firing first (red, amber), then latched, then cleared, each newest first."""
    not_checked: Sequence[tuple[str, str, str]]
    """(rule, target, why) of rules that cannot judge."""
    commands: Sequence[CommandView]
    """Newest first."""
    checkpoints: Sequence[CheckpointView]
    """Oldest first; of those under one name the newest."""
    rules: RulesView
    expectations: Sequence[ExpectationView]
    review: Sequence[Remark]
    """The remarks on a run that is over; none while it lives."""
    marks: Sequence[Mark]
    """The timeline up to the moment, oldest first."""
    lost: int
    """Records that never reached the log, as far as known."""
    problems: Mapping[str, int] = field(default_factory=dict)
    book: Book = field(default_factory=Book)
    """The verdict and the tags that people gave; notes are among the marks."""
    ranks: Sequence[RankView] = ()
    """Where there are several: those that are watched here."""
    stacks: Sequence[StackView] = ()
    """The newest: of several ranks one of each that answered, by rank."""

    @property
    def over(self) -> bool:
        """Whether the run has ended."""
        return self.lifecycle in OVER

    @property
    def alarms(self) -> list[AlertView]:
        """What the alarm line counts, worst and newest first."""
        return [alert for alert in self.alerts if alert.shown]

    @property
    def checkpoint(self) -> CheckpointView | None:
        """The newest."""
        return self.checkpoints[-1] if self.checkpoints else None

    @property
    def last_good(self) -> CheckpointView | None:
        """The newest that is not suspect."""
        return next((saved for saved in reversed(self.checkpoints) if not saved.suspect), None)

    def metric(self, name: str) -> MetricView | None:
        return next((metric for metric in self.metrics if metric.name == name), None)

    def probe(self, name: str) -> ProbeView | None:
        return next((probe for probe in self.probes if probe.name == name), None)
