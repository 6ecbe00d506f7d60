"""The parts of a comparison as lines of text at any width: what the command line prints and the screen shows.

`whole`: with every row, as on a screen that scrolls; else a long table is shortened, and what it does without is counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from typing import Final

from bedside_tui.compare.alerts import AlertRow
from bedside_tui.compare.best import best
from bedside_tui.compare.checkpoints import Table
from bedside_tui.compare.configuration import Configuration
from bedside_tui.compare.curves import Shared
from bedside_tui.compare.grids import alert_grid, checkpoint_grid, configuration_grid, metric_grid, run_grid
from bedside_tui.compare.lines import BEST, Cell, Grid, drawn, fits, measured, shortened
from bedside_tui.compare.runs import Run
from bedside_tui.compare.shortening import short
from bedside_tui.draw import number
from bedside_tui.draw.cells import Line, cut, pad, width

_FIRST_TO_GO: Final = ("took", "state", "step", "least", "most", "health", "beside A")
"""What a narrow list of runs does without, in this order."""

_LEGEND: Final = 24
"""Cells of a run in a legend of many."""


def run_lines(runs: Sequence[Run], metric: Shared | None, size: int, step: int | None = None, *, ascii: bool = False) -> list[Line]:
    """A line a run, with what it makes of the metric: as it was last and at its best, or at a step."""
    grid = run_grid(runs, metric, step)
    for name in _FIRST_TO_GO:
        if not fits(grid, size):
            grid = grid._replace(columns=[column for column in grid.columns if column.head.text != name])
    return drawn(grid, size, ascii=ascii)


def legend(runs: Sequence[Run], metric: Shared, size: int, height: int, step: int | None = None, *, ascii: bool = False) -> list[Line]:
    """The runs by their letters: a line each where that takes no more than `height` lines with its head, else beside each other."""
    if len(runs) < height:
        return run_lines(runs, metric, size, step, ascii=ascii)
    across = min(len(runs), max(1, size // _LEGEND))
    values = _values(runs, metric, step)
    cells = [_legend_cell(run, cell, size // across - 1, ascii) for run, cell in zip(runs, values, strict=True)]
    down = -(-len(runs) // across)
    columns = [cells[at : at + down] for at in range(0, len(cells), down)]
    return [[span for cell in row for span in (cell or [])] for row in zip_longest(*columns)]


def _values(runs: Sequence[Run], metric: Shared, step: int | None) -> list[Cell]:
    """What each run makes of the metric, last or at a step."""
    if step is None:
        return measured(metric.newest, metric.best_newest)
    points = zip(runs, metric.at(step), strict=True)
    values = [None if point is None or run.view.step < step else point[1] for run, point in points]
    return measured(values, best(values, metric.direction))


def _legend_cell(run: Run, cell: Cell, room: int, ascii: bool) -> Line:
    value = f"{'*' if ascii else BEST} {cell.text}" if cell.best else cell.text
    left = max(0, room - 4 - width(value))
    name = pad(shortened(run.name, left, ascii=ascii), left)
    return [(f" {run.letter} ", run.style), (f"{name} ", "plain"), (value, "strong" if cell.best else cell.style), (" ", "plain")]


def metric_lines(runs: Sequence[Run], metrics: Sequence[Shared], size: int, *, ascii: bool = False, whole: bool = True) -> list[Line]:
    """The last value of each metric in each run."""
    return _table(metric_grid(runs, metrics), size, ascii, whole) if metrics else _quiet("no metric was logged")


def configuration_lines(runs: Sequence[Run], found: Configuration, size: int, *, ascii: bool = False, whole: bool = True) -> list[Line]:
    """Only the keys that differ."""
    alike = f"{number.count(found.same)} {'key is' if found.same == 1 else 'keys are'} the same" if found.same else ""
    if not found.differences:
        return _quiet(f"nothing differs{f': {alike}' if alike else ''}")
    return [*_table(configuration_grid(runs, found), size, ascii, whole), *_aside(alike, size, ascii)]


def checkpoint_lines(runs: Sequence[Run], table: Table, size: int, *, ascii: bool = False, whole: bool = True) -> list[Line]:
    """What was measured at each checkpoint; what is the same everywhere is only named."""
    if not table.quantities:
        return _quiet("nothing was measured: run.probe(…) measures inside the model")
    grid = checkpoint_grid(runs, table)
    alike = [quantity.name for place, quantity in enumerate(table.quantities) if not table.differs(place)]
    told = f"{len(alike)} {'is' if len(alike) == 1 else 'are'} the same in every row: {', '.join(alike)}" if alike else ""
    return [*(_table(grid, size, ascii, whole, newest=True) if grid.columns else []), *_aside(told, size, ascii)]


def alert_lines(runs: Sequence[Run], rows: Sequence[AlertRow], size: int, *, ascii: bool = False, whole: bool = True) -> list[Line]:
    """What fired where."""
    return _table(alert_grid(runs, rows), size, ascii, whole) if rows else _quiet("no alarm in any of these runs")


def _table(grid: Grid, size: int, ascii: bool, whole: bool, *, newest: bool = False) -> list[Line]:
    """A table, and below it what it does without. `newest`: the rows at its end are rather shown than those at its beginning."""
    if whole:
        return drawn(grid, size, ascii=ascii)
    kept = short(grid, newest=newest)
    told = kept.said.replace("…", "...") if ascii else kept.said
    return [*drawn(kept.grid, size, ascii=ascii), *(_quiet(told) if told else [])]


def _quiet(text: str) -> list[Line]:
    return [[(f"   {text}", "quiet")]]


def _aside(text: str, size: int, ascii: bool) -> list[Line]:
    """What is not shown, below what is."""
    return [[], [(cut(f"   {text}", size, ascii=ascii), "quiet")]] if text else []
