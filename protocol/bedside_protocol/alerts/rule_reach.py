"""Which rules look at nothing in a run: a glob that matches no metric is a slip that no alarm will ever tell."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from bedside_protocol.alerts.rules import OnMetric, OnProbe, Rule, Watch
from bedside_protocol.definitions import NOTHING_SAID
from bedside_protocol.metrics import is_system
from bedside_protocol.records import MetricDefined, Metrics, ProbeDeclared, Record, Snapshot


class Reach:
    """What there is to look at in a run: feed it every record."""

    def __init__(self) -> None:
        self._metrics: set[str] = set()
        self._probes: set[str] = set()
        self._definitions = NOTHING_SAID

    def __repr__(self) -> str:
        return f"<Reach {len(self._metrics)} metrics, {len(self._probes)} kinds of probe>"

    def take(self, record: Record) -> None:
        match record.body:
            case Metrics(names=names):
                self._metrics.update(names)
            case ProbeDeclared(kind=kind) | Snapshot(kind=kind):
                self._probes.add(kind)
            case MetricDefined() as defined:
                self._definitions = self._definitions.having(defined)

    def idle(self, rules: Sequence[Rule], names: Iterable[str]) -> tuple[tuple[str, str], ...]:
        """Of the rules called `names`, each that looks at nothing here, and why."""
        found = []
        for name in names:
            watches = [rule.watch for rule in rules if rule.name == name]
            reasons = [self._lacks(watch) for watch in watches]
            if reasons and all(reasons):
                found.append((name, reasons[0]))
        return tuple(found)

    def _lacks(self, watch: Watch) -> str:
        """Why there is nothing for a watch here; empty where there is."""
        match watch:
            case OnProbe(kind=kind):
                return "" if kind in self._probes else f"no probe of kind {kind} in this run"
            case OnMetric(kinds=kinds, glob=glob):
                named = [name for name in self._metrics if fnmatchcase(name, glob) and (is_system(glob) or not is_system(name))]
                if not named:
                    return f"no metric is called {glob} in this run"
                fits = not kinds or any(self._definitions.kind_of(name) in kinds for name in named)
                return "" if fits else f"no metric {glob} is of kind {' or '.join(kinds)} in this run"
        return ""
