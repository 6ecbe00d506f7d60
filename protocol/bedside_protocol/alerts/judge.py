"""A verdict over a whole log: the worst that ever fired, or what it takes to say ok."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from bedside_protocol.alerts.checkpoints import Checkpoints, Judged
from bedside_protocol.alerts.defaults import DEFAULT_RULES
from bedside_protocol.alerts.engine import Engine
from bedside_protocol.alerts.remark import Remark
from bedside_protocol.alerts.rules import Horizon, Rule
from bedside_protocol.alerts.verdict import EXIT_CODES, Verdict
from bedside_protocol.records import AlertChanged, Ended, Lifecycle, LifecycleChanged, Metrics, Record, Severity, Snapshot, Tick

_ENDINGS: Final[Mapping[str, Lifecycle]] = MappingProxyType(
    {"finished": "finished", "stopped": "stopped", "failed": "failed", "exited": "finished"}
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One episode of one rule that fired, at its worst."""

    rule: str
    severity: Severity
    target: str
    first_step: int
    """The first step of the evidence."""
    step: int
    """The step at which it fired with this severity."""
    value: float
    message: str
    runbook: str
    horizon: Horizon = "now"
    """When somebody should have looked."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the rules say of a run. `not_checked`: (rule, target, why), in the order of the rules' first sight of them."""

    verdict: Verdict
    steps: int
    """The highest step seen."""
    ended: Lifecycle
    """How it ended, or the last that is known of a run without an end."""
    alerts: tuple[Finding, ...]
    """By the step at which each episode began to fire."""
    not_checked: tuple[tuple[str, str, str], ...]
    checkpoints: tuple[Judged, ...] = ()
    """In the order they were saved, with what each is suspect of."""
    review: tuple[Remark, ...] = ()
    """What is worth saying besides, where the reader asked for it: no part of the verdict."""

    @property
    def exit_code(self) -> int:
        return EXIT_CODES[self.verdict]


def judge(records: Iterable[Record], rules: Sequence[Rule] = DEFAULT_RULES, unended: Lifecycle = "running") -> Judgement:
    """Judges a log from its first record to its last.

    `unended` is said of a log that tells of no end: only who reads it can know whether its writer still lives (`running`) or is gone
    (`lost`).
    """
    engine = Engine(rules)
    checkpoints = Checkpoints(rules)
    horizons = {rule.name: rule.horizon for rule in rules}
    findings: dict[tuple[str, str, int], Finding] = {}
    judged: set[tuple[str, str]] = set()
    steps = 0
    ended: Lifecycle | None = None
    for record in records:
        steps = max(steps, _step_of(record))
        ended = _lifecycle_of(record) or ended
        if not isinstance(record.body, AlertChanged):  # the hub's, which may have judged by other rules
            checkpoints.take(record)
        for change in engine.observe(record):
            checkpoints.take(replace(record, body=change))
            if change.state != "not_checked":
                judged.add((change.rule, change.target))
            if change.state == "firing" and change.severity:
                episode = (change.rule, change.target, change.episode)
                findings[episode] = _finding(change, change.severity, horizons.get(change.rule, "now"))
    alerts = tuple(findings.values())
    not_checked = tuple((change.rule, change.target, change.message) for change in engine.standing if change.state == "not_checked")
    return Judgement(
        verdict=_verdict(alerts, engine.standing, judged, rules),
        steps=steps,
        ended=ended or unended,
        alerts=alerts,
        not_checked=not_checked,
        checkpoints=checkpoints.all,
    )


def recorded_verdict(changes: Sequence[AlertChanged], rules: Sequence[Rule] = DEFAULT_RULES) -> Verdict:
    """The verdict of the hub that recorded these changes, without judging again."""
    standing = {(change.rule, change.target): change for change in changes}
    judged = {(change.rule, change.target) for change in changes if change.state != "not_checked"}
    fired = tuple(_finding(change, change.severity) for change in changes if change.state == "firing" and change.severity)
    return _verdict(fired, tuple(standing.values()), judged, rules)


def _verdict(alerts: Sequence[Finding], standing: Sequence[AlertChanged], judged: set[tuple[str, str]], rules: Sequence[Rule]) -> Verdict:
    severities = {finding.severity for finding in alerts}
    if severities:
        return "red" if "red" in severities else "amber"
    needed = {rule.name for rule in rules if rule.assures == "needed"}
    if any(change.rule in needed and (change.rule, change.target) not in judged for change in standing):
        return "unknown"
    assuring = {rule.name for rule in rules if rule.assures != "nothing"}
    return "ok" if any(name in assuring for name, _ in judged) else "unknown"


def _finding(change: AlertChanged, severity: Severity, horizon: Horizon = "now") -> Finding:
    return Finding(
        rule=change.rule,
        severity=severity,
        target=change.target,
        first_step=change.first_step,
        step=change.step,
        value=change.value,
        message=change.message,
        runbook=change.runbook,
        horizon=horizon,
    )


def _step_of(record: Record) -> int:
    match record.body:
        case Metrics(steps=steps):
            return int(steps.max()) if len(steps) else 0
        case Snapshot(step=step) | Tick(step=step) | Ended(step=step):
            return step
    return 0


def _lifecycle_of(record: Record) -> Lifecycle | None:
    match record.body:
        case LifecycleChanged(state=state):
            return state
        case Ended(outcome=outcome):
            return _ENDINGS[outcome]
    return None
