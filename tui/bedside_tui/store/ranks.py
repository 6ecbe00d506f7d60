"""The ranks of a run as they stood at any moment: the hub's word on each, and what each logged last.

A run of one process has none here: it is its own only rank.
"""

from __future__ import annotations

import math

from bedside_protocol.records import HUB_RANK, Lost, MetricDefined, Problem, RanksSeen, RankStarted, RunStarted
from bedside_tui.store.ledger import Ledger, Moment
from bedside_tui.store.metrics import MetricsFold
from bedside_tui.store.rank_view import RankView

SPEAKERS = (0, HUB_RANK)
"""Ranks whose word on steps, events, commands and probes is the run's."""
OF_ANY = frozenset({MetricDefined, Problem, Lost})
"""What another rank says for the run too, beside its metrics."""


class RanksFold:
    """What was said of the ranks."""

    __slots__ = ("_metrics", "_places", "_seen")

    def __init__(self, metrics: MetricsFold) -> None:
        self._metrics = metrics
        self._seen: Ledger[RanksSeen] = Ledger()
        self._places: dict[int, Ledger[RankStarted]] = {}

    def started(self, moment: Moment, rank: int, body: RankStarted) -> None:
        """A rank has said where it lives."""
        self._places.setdefault(rank, Ledger()).add(moment.position, body)

    def seen(self, moment: Moment, body: RanksSeen) -> None:
        """How they stand."""
        if len(body.ranks) == len(body.steps) == len(body.silent) == len(body.states):
            self._seen.add(moment.position, body)

    def views(self, position: int, run: RunStarted | None) -> list[RankView]:
        """The ranks known at `position`, by their numbers."""
        seen = self._seen.last_at(position)
        if seen is None:
            return []
        loss = self._metrics.main_loss(position)
        farthest = max(seen.steps, default=0)
        views = []
        for rank, step, silent, state in zip(seen.ranks, seen.steps, seen.silent, seen.states, strict=True):
            ledger = self._places.get(rank)
            place = ledger.last_at(position) if ledger else None
            took = self._metrics.newest(rank, "system/step_ms", position)
            views.append(
                RankView(
                    rank=rank,
                    world=seen.world_size,
                    state=state,
                    step=step,
                    behind=farthest - step,
                    silent=silent,
                    step_seconds=took / 1e3 if took is not None else math.nan,
                    loss=self._metrics.newest(rank, loss, position),
                    host=place.host if place else run.host if run and rank == 0 else "",
                    pid=place.pid if place else run.pid if run and rank == 0 else 0,
                )
            )
        return views
