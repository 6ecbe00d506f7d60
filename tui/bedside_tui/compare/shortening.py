"""What of a long table is printed: what is best and what differs comes first, the rest is counted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

from bedside_tui.compare.lines import Cell, Column, Grid
from bedside_tui.draw import number

MOST_ROWS: Final = 40
"""Rows of a table: about what a person reads."""
MOST_COLUMNS: Final = 48
"""Columns: more than there are runs, so that only quantities are ever left out."""


class Short(NamedTuple):
    """A table, and how many rows and columns of the whole one it does without."""

    grid: Grid
    rows: int
    columns: int

    @property
    def said(self) -> str:
        """`… and 1,234 more: --all`; empty where everything is there."""
        if not self.rows and not self.columns:
            return ""
        if not self.columns:
            return f"… and {number.count(self.rows)} more: --all"
        counts = [f"{number.count(count)} more {what}" for count, what in ((self.rows, "rows"), (self.columns, "columns")) if count]
        return f"… and {' and '.join(counts)}: --all"


def short(grid: Grid, *, newest: bool = False) -> Short:
    """At most `MOST_ROWS` rows and `MOST_COLUMNS` columns, in the order they had. Kept are first those with a best, then rows in which the
    runs differ, then the first; with `newest`, where a row is a checkpoint, the last."""
    count = len(grid.labels.cells)
    rows = [[column.cells[at] for column in grid.columns] for at in range(count)]
    ranks = [(not _has_best(row), count - at if newest else _are_alike(row)) for at, row in enumerate(rows)]
    kept = _first(ranks, MOST_ROWS)
    columns = _first([not _has_best(column.cells) for column in grid.columns], MOST_COLUMNS)
    shown = grid._replace(labels=_only(grid.labels, kept), columns=[_only(grid.columns[place], kept) for place in columns])
    return Short(shown, count - len(kept), len(grid.columns) - len(columns))


def _first(ranks: Sequence[Any], most: int) -> list[int]:
    """The places of the lowest ranks, of equals the first, in their order."""
    return sorted(sorted(range(len(ranks)), key=ranks.__getitem__)[:most])


def _has_best(cells: Iterable[Cell]) -> bool:
    return any(cell.best for cell in cells)


def _are_alike(cells: Iterable[Cell]) -> bool:
    return len({cell.text for cell in cells}) < 2


def _only(column: Column, rows: Sequence[int]) -> Column:
    return column._replace(cells=[column.cells[at] for at in rows])
