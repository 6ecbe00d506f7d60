"""The parts of a comparison as tables: how each value is written, and what stands above and beside it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from bedside_protocol.alerts.verdict import Verdict
from bedside_protocol.lifecycle import OVER
from bedside_protocol.records import Scalar
from bedside_tui.compare.alerts import AlertRow, Fired
from bedside_tui.compare.best import best
from bedside_tui.compare.checkpoints import Row, Table
from bedside_tui.compare.configuration import Configuration, Difference, differing_words
from bedside_tui.compare.curves import Shared
from bedside_tui.compare.lines import NOTHING, Cell, Column, Grid, measured
from bedside_tui.compare.runs import Run
from bedside_tui.cursor import beside
from bedside_tui.draw import number
from bedside_tui.draw.cells import Style

_HEALTH: Final[dict[Verdict, Cell]] = {
    "red": Cell("✖ red", "red"), "amber": Cell("▲ amber", "amber"), "ok": Cell("● ok", "ok"), "unknown": Cell("not judged", "quiet"),
}  # fmt: skip
_FIRED: Final[dict[str, tuple[str, Style]]] = {"red": ("✖", "red"), "amber": ("▲", "amber")}
_COMMIT: Final = 10
"""Characters of a commit that tell it from all others of a repository."""


def run_grid(runs: Sequence[Run], metric: Shared | None, step: int | None = None) -> Grid:
    """A line a run: its letter and colour, its name, how it went, and what it makes of a metric: last and at its best, or at a step."""
    labels = Column(Cell("run", "quiet"), [Cell(f"{run.letter} ━ {run.name}", run.style) for run in runs])
    columns = [
        Column(Cell("state", "quiet"), [Cell(run.view.lifecycle) for run in runs]),
        Column(Cell("step", "quiet"), [Cell(number.count(run.view.step)) for run in runs]),
        Column(Cell("took", "quiet"), [Cell(number.duration(run.view.time)) for run in runs]),
        Column(Cell("health", "quiet"), [_HEALTH[run.verdict] for run in runs]),
    ]
    if metric is not None and step is not None:
        columns += _at_step(runs, metric, step)
    elif metric is not None:
        columns.append(Column(Cell("last", "quiet"), measured(metric.newest, metric.best_newest)))
        columns += [_records(metric)] if metric.direction is not None else []
    return Grid(labels, columns)


def _at_step(runs: Sequence[Run], metric: Shared, step: int) -> list[Column]:
    """The values at a step, and how they differ from that of the first run. A run that never came so far has its last one, and no part in
    the comparison."""
    points = metric.at(step)
    there = [None if point is None or run.view.step < step else point for run, point in zip(runs, points, strict=True)]
    chosen = best([None if point is None else point[1] for point in there], metric.direction)
    values = [
        NOTHING
        if point is None
        else Cell(f"{number.value(point[1])} @ {number.count(point[0])}", "quiet" if there[place] is None else "plain", place in chosen)
        for place, point in enumerate(points)
    ]
    differences = [
        Cell("" if point is None or not place else beside(point, there[0]).difference, "second") for place, point in enumerate(there)
    ]
    return [Column(Cell("┃", "strong"), values), Column(Cell(f"beside {runs[0].letter}", "quiet"), differences)]


def _records(metric: Shared) -> Column:
    records, best = metric.records, metric.best_record
    cells = [
        NOTHING if record is None else Cell(f"{number.value(record[1])} @ {number.count(record[0])}", "plain", place in best)
        for place, record in enumerate(records)
    ]
    return Column(Cell("least" if metric.direction == "down" else "most", "quiet"), cells)


def _by_run(what: str, runs: Sequence[Run], labels: Sequence[Cell], rows: Sequence[Sequence[Cell]]) -> Grid:
    """A column a run; `rows[at][place]` is what the run at `place` has of `labels[at]`."""
    columns = [Column(Cell(run.letter, run.style), [row[run.place] for row in rows]) for run in runs]
    return Grid(Column(Cell(what, "quiet"), labels), columns, [Cell(f"{run.letter} {run.name}", run.style) for run in runs])


def metric_grid(runs: Sequence[Run], metrics: Sequence[Shared]) -> Grid:
    """The last value of each metric in each run, the best marked."""
    rows = [measured(metric.newest, metric.best_newest) for metric in metrics]
    return _by_run("last value", runs, [Cell(metric.name) for metric in metrics], rows)._replace(names=())  # a metric stays a row


def configuration_grid(runs: Sequence[Run], found: Configuration) -> Grid:
    """The keys that differ; those of the environment are quiet."""
    labels = [Cell(each.key, "plain" if each.section == "config" else "quiet") for each in found.differences]
    return _by_run("key", runs, labels, [_scalars(runs, each) for each in found.differences])


def _scalars(runs: Sequence[Run], found: Difference) -> list[Cell]:
    values = {place: written(value) for place, value in found.values.items()}
    if found.key == "git commit":
        values = {place: commit[:_COMMIT] for place, commit in values.items()}
    elif found.key == "command":
        values = differing_words(values)
    return [Cell(values[run.place]) if run.place in values else NOTHING for run in runs]


def written(value: Scalar) -> str:
    """A value of a configuration as the script's author would write it."""
    if isinstance(value, bool) or value is None:
        return str(value)
    if isinstance(value, float):
        return f"{value:g}" if math.isfinite(value) and float(f"{value:g}") == value else str(value)
    return f"{value:,}" if isinstance(value, int) and abs(value) < 10**15 else str(value)


def checkpoint_grid(runs: Sequence[Run], table: Table) -> Grid:
    """A row a checkpoint, a column a quantity that is not the same everywhere, the best marked."""
    labels = Column(Cell("checkpoint", "quiet"), [_label(runs[row.place], row) for row in table.rows])
    return Grid(labels, checkpoint_columns(table))


def checkpoint_columns(table: Table) -> list[Column]:
    """A column a quantity that is not the same in all rows, of a single row each; the best marked."""
    return [_quantity(table, place) for place in range(len(table.quantities)) if len(table.rows) == 1 or table.differs(place)]


def _quantity(table: Table, place: int) -> Column:
    found = table.quantities[place]
    cells = measured(table.column(place), table.best[place])
    return Column(Cell(found.scalar.replace("_", " "), "quiet"), cells, found.probe or "metrics")


def _label(run: Run, row: Row) -> Cell:
    name = row.path.rpartition("/")[2] if row.path else run.name
    when = "" if row.path else " end" if run.view.lifecycle in OVER else " now"
    return Cell(f"{run.letter} {number.count(row.step)}{when} {name}{' ▲ suspect' if row.suspect_of else ''}", run.style)


def alert_grid(runs: Sequence[Run], rows: Sequence[AlertRow]) -> Grid:
    """What fired where: the step at which it fired first, and whether it stands."""
    cells = [[_fired(row.runs[run.place]) if run.place in row.runs else Cell("·", "quiet") for run in runs] for row in rows]
    return _by_run("alarm", runs, [Cell(f"{row.title} · {row.target}") for row in rows], cells)


def _fired(fired: Fired) -> Cell:
    glyph, style = _FIRED[fired.severity]
    often = f" ×{fired.episodes}" if fired.episodes > 1 else ""
    return Cell(f"{glyph} {number.count(fired.step)}{often}{'' if fired.stands else ' cleared'}", style)
