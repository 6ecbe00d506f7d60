"""What was measured at each checkpoint of each run, in one table with the best marked.

A row is a checkpoint: the newest value of each quantity at or before its step (of a run that went back, in the newest stretch that has
the step). A run that saved none has one row, as it was known last: so a family of checkpoints that were measured one by one, each in a
recording of its own, makes the same table.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bedside_protocol.records import Direction
from bedside_tui.compare.best import best, direction_of, same
from bedside_tui.compare.runs import Run
from bedside_tui.store.history import History
from bedside_tui.store.view import View


@dataclass(frozen=True, slots=True)
class Quantity:
    """A scalar of a probe, or a metric that has a better side (`probe` is empty then)."""

    probe: str
    scalar: str
    direction: Direction | None

    @property
    def name(self) -> str:
        return f"{self.probe}: {self.scalar}" if self.probe else self.scalar


@dataclass(frozen=True, slots=True)
class Row:
    """A checkpoint of the run at `place`, or where `path` is empty the run as known last. `values` as the table's quantities, None where
    nothing had been measured by then."""

    place: int
    step: int
    path: str
    suspect_of: str
    values: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """All rows over all quantities. `best`: for each quantity the indices of the rows where it is best."""

    quantities: tuple[Quantity, ...]
    rows: tuple[Row, ...]
    best: tuple[frozenset[int], ...]

    def column(self, place: int) -> list[float | None]:
        """All values of one quantity."""
        return [row.values[place] for row in self.rows]

    def differs(self, place: int) -> bool:
        """Whether a quantity is not the same in all rows."""
        column = self.column(place)
        return not all(same(value, column[0]) for value in column[1:])


def checkpoint_table(runs: Sequence[Run]) -> Table:
    """The table of these runs; quantities that have a better side come first within their probe."""
    found: dict[tuple[str, str], Direction | None] = {}
    for run in runs:
        for probe, scalar, direction, _ in _measured(run.view):
            found[probe, scalar] = found.get((probe, scalar)) or direction
    probes = list(dict.fromkeys(probe for probe, _ in found))
    ordered = sorted(found.items(), key=lambda item: (probes.index(item[0][0]), item[1] is None))
    quantities = tuple(Quantity(probe, scalar, direction) for (probe, scalar), direction in ordered)
    rows = tuple(row for run in runs for row in _rows(run, quantities))
    chosen = tuple(best([row.values[place] for row in rows], each.direction) for place, each in enumerate(quantities))
    return Table(quantities, rows, chosen)


def _measured(view: View) -> Iterator[tuple[str, str, Direction | None, History]]:
    for metric in view.metrics:
        if metric.direction is not None:
            yield "", metric.name, metric.direction, metric.history
    for probe in view.probes:
        for scalar, history in probe.scalars.items():
            yield probe.name, scalar, direction_of(probe.kind, scalar), history


def _rows(run: Run, quantities: Sequence[Quantity]) -> Iterator[Row]:
    histories = {(probe, scalar): history for probe, scalar, _, history in _measured(run.view)}
    columns = [histories.get((each.probe, each.scalar)) for each in quantities]
    if not run.view.checkpoints:
        yield Row(run.place, run.view.step, "", "", tuple(_at(history, math.inf) for history in columns))
    for saved in run.view.checkpoints:
        yield Row(run.place, saved.step, saved.path, saved.suspect_of, tuple(_at(history, saved.step) for history in columns))


def _at(history: History | None, step: float) -> float | None:
    if history is None:
        return None
    if step == math.inf:
        return history.last[2]
    found = history.value_at(step)
    return None if found is None else found[1]
