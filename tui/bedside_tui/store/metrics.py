"""What was logged: one track a metric, filled in batches.

Blocks of rows are put aside as they come and written into their tracks when somebody looks, many at once: opening a long run costs
one copy a metric instead of one a record. Metrics that are always logged together share their steps and times; one that also comes
with others has its own. `system/…` metrics are kept apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

import numpy as np

from bedside_protocol.definitions import NOTHING_SAID, Definitions
from bedside_protocol.metrics import SYSTEM_PREFIX
from bedside_protocol.pyramid import Floats, Ints
from bedside_protocol.records import MetricDefined, Metrics
from bedside_protocol.sanitise import text
from bedside_tui.best_values import main_loss
from bedside_tui.store.clean import distinct
from bedside_tui.store.ledger import Arrivals, Ledger, Moment, Track
from bedside_tui.store.remark import Rises, remark
from bedside_tui.store.view import Badge, Firing, MetricView

MOST_METRICS = 2000
"""Names kept a run. A script that makes a name a step would otherwise fill the viewer's memory and every screen."""

_MOST_WAITING = 16
"""Groups of names with rows put aside at a time; a bound on what each further block is compared with."""

_MOST_NUMBERS = 1 << 18
"""Values of a group put aside before they are written, looked at or not: 2 MB and what a copy of them takes."""

_BLOCK = 64
"""Values whose memory a block of one row takes before its first."""

_BADGE_ORDER: dict[Badge, int] = {"red": 0, "amber": 1}
_KIND_ORDER = {"loss": 0, "adversarial": 0, "rate": 1}


class Metric:
    """One metric: its name as shown, its name as the run said it, what it is, its track."""

    __slots__ = ("_definitions", "_remark", "_rises", "direction", "group", "kind", "name", "order", "said", "track", "unit")

    def __init__(self, name: str, said: str, group: _Group) -> None:
        self.name = name
        self.said = said
        self.group: _Group | None = group
        """The only group that logs it; None where there are several."""
        self.track = Track(group.arrivals)
        self._rises = Rises()
        self.become(NOTHING_SAID)

    def become(self, definitions: Definitions) -> None:
        """What the metric is by these definitions."""
        self._definitions = definitions
        self.kind = definitions.kind_of(self.said)
        self.unit = definitions.unit_of(self.said)
        self.direction = definitions.direction_of(self.said)
        gradient = self.kind == "norm" and "grad" in self.name.lower()
        self.order = (_KIND_ORDER.get(self.kind, 2 if gradient else 3), self.name)
        self._remark = (-1, "")

    def view(self, position: int, badge: Badge, definitions: Definitions, fired: Sequence[Firing]) -> MetricView | None:
        """The metric as known at `position`, None before its first point."""
        history = self.track.upto(position)
        if not len(history):
            return None
        if definitions is not self._definitions:
            self.become(definitions)
        step, _, value = history.last
        if self._remark[0] != len(history):
            self._remark = (len(history), remark(history, self.direction, self._rises))
        return MetricView(self.name, self.kind, value, step, badge, self._remark[1], history, self.unit, self.direction, fired)


class _Group:
    """The names that come in rows together, the metrics they mean, and the rows that wait to be written."""

    __slots__ = ("_columns", "_numbers", "_positions", "arrivals", "metrics", "names")

    def __init__(self, names: frozenset[object]) -> None:
        self.names = names
        self.arrivals = Arrivals()
        self.metrics: list[Metric | None] = []
        """A metric a name, None for one that is not kept."""
        self._columns: list[tuple[Ints, Floats, Floats]] = []
        self._positions: list[int] = []
        self._numbers = 0

    def put(self, position: int, block: Metrics) -> None:
        """Put rows aside."""
        self._columns.append((block.steps, block.times, block.values))
        self._positions.append(position)
        self._numbers += block.values.size + _BLOCK
        if self._numbers >= _MOST_NUMBERS:
            self.write()

    def write(self) -> None:
        """Give what waits to the tracks."""
        if not self._positions:
            return
        steps, times, values = (np.concatenate(column, axis=-1) for column in zip(*self._columns, strict=True))
        sizes = np.cumsum([len(column[0]) for column in self._columns]).tolist()
        self.arrivals.extend(self._positions, sizes, steps, times)
        for row, metric in enumerate(self.metrics):
            if metric is None:
                continue
            if metric.group is self:
                metric.track.take(values[row])
            else:
                metric.track.extend(self._positions, sizes, steps, times, values[row])
        self._columns, self._positions, self._numbers = [], [], 0


class MetricsFold:
    """All metrics of a run."""

    __slots__ = ("_by_name", "_definitions", "_groups", "_left_out", "_shown", "_waiting")

    def __init__(self) -> None:
        self._groups: dict[tuple[int, tuple[str, ...]], _Group] = {}
        self._by_name: dict[tuple[int, str], Metric] = {}
        self._shown: dict[str, Metric] = {}
        self._waiting: list[_Group] = []
        self._left_out: Ledger[int] = Ledger()
        self._definitions: Ledger[Definitions] = Ledger()

    def __len__(self) -> int:
        return len(self._shown)

    def defined(self, moment: Moment, body: MetricDefined) -> None:
        """The script says what some metrics are."""
        before = self._definitions.last_at(moment.position) or NOTHING_SAID
        self._definitions.add(moment.position, before.having(body))

    def add(self, position: int, rank: int, block: Metrics) -> None:
        """A block of rows that came with the record at `position`."""
        if not len(block.steps):
            return
        group = self._groups.get((rank, block.names)) or self._new_group(rank, block.names)
        unknown = len(block.names) if group is None else group.metrics.count(None)
        if unknown:
            self._left_out.add(position, (self._left_out.last_at(position) or 0) + unknown * len(block.steps))
        if group is None:
            return
        if group not in self._waiting:
            self._make_room(group)
            self._waiting.append(group)
        elif len(self._waiting) > 1:
            self._make_room(group)
        group.put(position, block)

    def left_out(self, position: int) -> int:
        """Values of metrics beyond MOST_METRICS, not kept."""
        return self._left_out.last_at(position) or 0

    def settle(self) -> None:
        """Write what waits, so that tracks are complete."""
        for group in self._waiting:
            group.write()
        self._waiting = []

    def views(self, position: int, badges: Mapping[str, Badge], fired: Mapping[str, Sequence[Firing]]) -> list[MetricView]:
        """The metrics known at `position`, alarmed first, then losses, learning rates, gradients, then the others by name."""
        definitions = self._definitions.last_at(position) or NOTHING_SAID
        found = [
            (_BADGE_ORDER.get(badge, 2), metric.order, view)
            for metric in self._logged("metric", position)
            if (view := metric.view(position, badge := badges.get(metric.name, "none"), definitions, fired.get(metric.name, ())))
            is not None
        ]
        return [view for _, _, view in sorted(found, key=lambda item: item[:2])]

    def system(self, position: int) -> dict[str, float]:
        """Last values of the `system/…` metrics by their name without the prefix."""
        histories = {metric.name[len(SYSTEM_PREFIX) :]: metric.track.upto(position) for metric in self._logged("system", position)}
        return {name: history.last[2] for name, history in histories.items() if len(history)}

    def newest(self, rank: int, name: str, position: int) -> float | None:
        """What a rank logged last of a metric, None where nothing."""
        metric = self._by_name.get((rank, name))
        if metric is None or not len(history := metric.track.upto(position)):
            return None
        return history.last[2]

    def main_loss(self, position: int) -> str:
        """The loss that rank 0 trains on, as the run calls it, else the one that stands first; empty where none was logged."""
        losses = [
            (metric.order, name)
            for (rank, name), metric in self._by_name.items()
            if rank == 0 and metric.kind == "loss" and len(metric.track.upto(position))
        ]
        names = [name for _, name in sorted(losses)]
        return main_loss(names) or next(iter(names), "")

    def logged_between(self, after: int, until: int) -> Iterator[Metrics]:
        """What rank 0 logged in the records after position `after` and up to `until`, a metric at a time, each in the order logged."""
        for (rank, _), metric in self._by_name.items():
            history, seen = metric.track.upto(until), len(metric.track.upto(after))
            if rank <= 0 and len(history) > seen:
                yield Metrics((metric.name,), history.steps[seen:], history.times[seen:], history.values[np.newaxis, seen:])

    def _logged(self, kind: Literal["metric", "system"], position: int) -> Iterator[Metric]:
        """The metrics of a kind; of one that several ranks log rank 0's, which stands for all."""
        for (rank, name), metric in self._by_name.items():
            if metric.name.startswith(SYSTEM_PREFIX) != (kind == "system"):
                continue
            first = self._by_name.get((0, name)) if rank > 0 else None
            if first is None or not len(first.track.upto(position)):
                yield metric

    def _make_room(self, group: _Group) -> None:
        """Write first what would otherwise be written after rows of the same metric that came later."""
        if len(self._waiting) >= _MOST_WAITING:
            self.settle()
        for other in [it for it in self._waiting if it is not group and not it.names.isdisjoint(group.names)]:
            other.write()
            self._waiting.remove(other)

    def _new_group(self, rank: int, names: tuple[str, ...]) -> _Group | None:
        group = _Group(frozenset((rank, name) for name in names))
        group.metrics = [self._metric(rank, name, group) for name in names]
        if not any(group.metrics):
            return None
        self._groups[rank, names] = group
        return group

    def _metric(self, rank: int, name: str, group: _Group) -> Metric | None:
        known = self._by_name.get((rank, name))
        if known is not None:
            if known.group is not None:
                known.group.write()
                known.group = None
                known.track.part()
            return known
        if len(self._shown) >= MOST_METRICS:
            return None
        said = text(name)
        shown = distinct(said + (f" @{rank}" if rank > 0 else ""), self._shown)
        metric = Metric(shown, said, group)
        self._by_name[rank, name] = self._shown[shown] = metric
        return metric
