"""What the probes measured: their declarations, snapshots, the histories of their scalars, and what measuring cost."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from operator import itemgetter

from bedside_protocol.records import ProbeDeclared, Snapshot
from bedside_tui.store.history import History
from bedside_tui.store.ledger import Ledger, Moment, Track
from bedside_tui.store.view import Badge, Firing, ProbeView

MOST_PROBES = 500
MOST_SCALARS = 200
"""A probe measures a handful of quantities; these only bound what a damaged or hostile log can make of it."""

COST_WINDOW = 60.0
"""Seconds of running time over which the cost of probes is taken: several rounds of a slow schedule."""

_RANK: Mapping[Badge, int] = {"red": 0, "amber": 1, "pending": 2, "ok": 3, "none": 3}


class _Costs:
    """What measuring took: (running time, cost of all snapshots so far), in seconds."""

    __slots__ = ("_sums",)

    def __init__(self) -> None:
        self._sums: Ledger[tuple[float, float]] = Ledger()

    def add(self, moment: Moment, cost: float) -> None:
        before = self._sums.entries[-1][1] if len(self._sums) else 0.0
        self._sums.add(moment.position, (moment.running, before + (cost if math.isfinite(cost) and cost > 0 else 0.0)))

    def share(self, position: int, running: float) -> float:
        """Of the last COST_WINDOW seconds of running time, nan before the second snapshot.

        A schedule slower than the window is judged from its last snapshot but one on.
        """
        size = self._sums.size_at(position)
        if size < 2:
            return math.nan
        entries = self._sums.entries
        begin = max(0, bisect_right(entries, running - COST_WINDOW, 0, size - 1, key=itemgetter(0)) - 1)
        seconds = running - entries[begin][0]
        return (entries[size - 1][1] - entries[begin][1]) / seconds if seconds > 0 else math.nan


class _Probe:
    __slots__ = ("costs", "declared", "kind", "scalars", "snapshots")

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.costs = _Costs()
        self.declared: Ledger[ProbeDeclared] = Ledger()
        self.snapshots: Ledger[Snapshot] = Ledger()
        self.scalars: dict[str, Track] = {}

    def take(self, moment: Moment, snapshot: Snapshot) -> None:
        self.snapshots.add(moment.position, snapshot)
        self.costs.add(moment, snapshot.cost)
        for name, value in snapshot.scalars.items():
            track = self.scalars.get(name)
            if track is None:
                if len(self.scalars) >= MOST_SCALARS:
                    continue
                track = self.scalars[name] = Track()
            track.append(moment.position, snapshot.step, moment.time, value)

    def view(self, name: str, position: int, badge: Badge, not_checked: str, running: float, fired: Sequence[Firing]) -> ProbeView | None:
        declared, snapshots = self.declared.last_at(position), self.snapshots.upto(position)
        if declared is None and not len(snapshots):
            return None
        histories = {scalar: track.upto(position) for scalar, track in self.scalars.items()}
        scalars: dict[str, History] = {scalar: history for scalar, history in histories.items() if len(history)}
        return ProbeView(
            name=name,
            kind=declared.kind if declared else snapshots[-1].kind,
            every=declared.every if declared else 0,
            settings=declared.settings if declared else {},
            badge=badge,
            snapshot=snapshots[-1] if len(snapshots) else None,
            snapshots=snapshots,
            scalars=scalars,
            not_checked=not_checked,
            cost=self.costs.share(position, running),
            fired=fired,
        )


class ProbesFold:
    """All probes of a run, in the order in which they were first heard of."""

    __slots__ = ("_costs", "_probes")

    def __init__(self) -> None:
        self._probes: dict[str, _Probe] = {}
        self._costs = _Costs()

    def declared(self, moment: Moment, body: ProbeDeclared) -> None:
        probe = self._probe(body.probe, body.kind)
        if probe is not None:
            probe.declared.add(moment.position, body)

    def measured(self, moment: Moment, body: Snapshot) -> None:
        probe = self._probe(body.probe, body.kind)
        if probe is None:
            return
        probe.take(moment, body)
        self._costs.add(moment, body.cost)

    def views(
        self,
        position: int,
        badges: Mapping[str, Badge],
        not_checked: Sequence[tuple[str, str, str]],
        running: float,
        fired: Mapping[str, Sequence[Firing]],
    ) -> list[ProbeView]:
        """The probes known at `position`, `running` seconds of running time into the run; alarmed first."""
        why = {target: reason for _, target, reason in reversed(not_checked)}
        found = []
        for name, probe in self._probes.items():
            badge = badges.get(name, "none")
            view = probe.view(
                name, position, badge, why.get(name, "") if badge in ("none", "pending") else "", running, fired.get(name, ())
            )
            if view is not None:
                found.append((_RANK[badge], view))
        return [view for _, view in sorted(found, key=lambda item: item[0])]

    def cost(self, position: int, running: float) -> float:
        """Share of the last COST_WINDOW seconds of running time that went into probes, nan before the second snapshot."""
        return self._costs.share(position, running)

    def _probe(self, name: str, kind: str) -> _Probe | None:
        probe = self._probes.get(name)
        if probe is None and len(self._probes) < MOST_PROBES:
            probe = self._probes[name] = _Probe(kind)
        return probe
