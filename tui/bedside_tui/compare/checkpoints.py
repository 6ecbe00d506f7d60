"""What was measured at each checkpoint of each run, in one table with the best marked.

A row is a checkpoint: the newest value of each quantity at or before its step (of a run that went back, in the newest stretch that has
the step). A run that saved none has one row, as it was known last: so a family of checkpoints that were measured one by one, each in a
recording of its own, makes the same table.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
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


@dataclass(frozen=True, slots=True)
class Measured:
    """What is known of one run: (step, path, suspect_of) of its rows, and of each (probe, scalar) its better side and its value in each
    row."""

    rows: tuple[tuple[int, str, str], ...]
    values: Mapping[tuple[str, str], tuple[Direction | None, tuple[float | None, ...]]]


def measured(view: View) -> Measured:
    """The rows of one run. The dear part of a table, to be kept for a run that does not change."""
    rows = [(saved.step, saved.path, saved.suspect_of) for saved in view.checkpoints] or [(view.step, "", "")]
    values = {
        (probe, scalar): (direction, tuple(_at(history, step, bool(path)) for step, path, _ in rows))
        for probe, scalar, direction, history in _histories(view)
    }
    return Measured(tuple(rows), values)


def checkpoint_table(runs: Sequence[Run], told: Sequence[Measured] = ()) -> Table:
    """The table of these runs; quantities that have a better side come first within their probe. `told`: what was measured in each of them,
    where that is known already."""
    told = told or [measured(run.view) for run in runs]
    found: dict[tuple[str, str], Direction | None] = {}
    for each in told:
        for key, (direction, _) in each.values.items():
            found[key] = found.get(key) or direction
    probes = list(dict.fromkeys(probe for probe, _ in found))
    ordered = sorted(found.items(), key=lambda item: (probes.index(item[0][0]), item[1] is None))
    quantities = tuple(Quantity(probe, scalar, direction) for (probe, scalar), direction in ordered)
    rows = tuple(row for run, each in zip(runs, told, strict=True) for row in _rows(run.place, each, quantities))
    columns = zip(*(row.values for row in rows), strict=True)
    return Table(quantities, rows, tuple(best(column, each.direction) for column, each in zip(columns, quantities, strict=False)))


def _rows(place: int, told: Measured, quantities: Sequence[Quantity]) -> Iterator[Row]:
    nothing = (None,) * len(told.rows)
    columns = [told.values.get((each.probe, each.scalar), (None, nothing))[1] for each in quantities]
    for at, (step, path, suspect_of) in enumerate(told.rows):
        yield Row(place, step, path, suspect_of, tuple(column[at] for column in columns))


def _histories(view: View) -> Iterator[tuple[str, str, Direction | None, History]]:
    for metric in view.metrics:
        if metric.direction is not None:
            yield "", metric.name, metric.direction, metric.history
    for probe in view.probes:
        for scalar, history in probe.scalars.items():
            yield probe.name, scalar, direction_of(probe.kind, scalar), history


def _at(history: History, step: int, saved: bool) -> float | None:
    """The value at a checkpoint, or the last."""
    if not saved:
        return history.last[2]
    found = history.value_at(step)
    return None if found is None else found[1]
