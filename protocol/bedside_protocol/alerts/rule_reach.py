"""Which rules look at nothing in a run: a glob that matches no metric is a slip that no alarm will ever tell."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from bedside_protocol.alerts.rules import OnMetric, OnProbe, OnRun, Rule
from bedside_protocol.definitions import NOTHING_SAID
from bedside_protocol.metrics import is_system
from bedside_protocol.records import MetricDefined, Metrics, ProbeDeclared, Record, Snapshot


class Reach:
    """What there is to look at in a run: feed it every record."""

    def __init__(self) -> None:
        self._metrics: set[str] = set()
        self._probes: dict[str, str] = {}
        """The kind of each."""
        self._definitions = NOTHING_SAID

    def __repr__(self) -> str:
        return f"<Reach {len(self._metrics)} metrics, {len(self._probes)} kinds of probe>"

    def take(self, record: Record) -> None:
        match record.body:
            case Metrics(names=names):
                self._metrics.update(names)
            case ProbeDeclared(probe=probe, kind=kind) | Snapshot(probe=probe, kind=kind):
                self._probes[probe] = kind
            case MetricDefined() as defined:
                self._definitions = self._definitions.having(defined)

    def idle(self, rules: Sequence[Rule], names: Iterable[str]) -> tuple[tuple[str, str], ...]:
        """Of the rules called `names`, each that looks at nothing here, and why."""
        found = []
        for name in names:
            reasons = [self._why_idle(rule) for rule in rules if rule.name == name]
            if reasons and all(reasons):
                found.append((name, reasons[0]))
        return tuple(found)

    def _why_idle(self, rule: Rule) -> str:
        """Why a rule looks at nothing here; empty where it does."""
        match rule.watch:
            case OnProbe(kind=kind):
                watched = [probe for probe, its in self._probes.items() if its == kind]
                if not watched:
                    return f"no probe of kind {kind} in this run"
            case OnMetric(kinds=kinds, glob=glob):
                named = [name for name in self._metrics if fnmatchcase(name, glob) and (is_system(glob) or not is_system(name))]
                if not named:
                    return f"no metric is called {glob} in this run"
                watched = [name for name in named if not kinds or self._definitions.kind_of(name) in kinds]
                if not watched:
                    return f"no metric {glob} is of kind {' or '.join(kinds)} in this run"
            case OnRun():
                return ""
        return "" if any(map(rule.looks_at, watched)) else "its targets and but leave nothing of this run"
