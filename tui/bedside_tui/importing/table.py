"""CSV, long (a line a value) and wide (a column a metric); which of them, and what separates cells, its first line tells."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from functools import partial
from typing import Final, TextIO

from bedside_tui.importing.columns import RowTaker
from bedside_tui.importing.left_out import LeftOut
from bedside_tui.importing.lines import MOST_LINE, NotThat

_SEPARATORS: Final = (",", "\t", ";", "|")
_METRIC: Final = frozenset({"metric", "name", "tag", "key", "variable"})
NOT_WHOLE: Final = "lines with fewer or more cells than the first"


def read_table(file: TextIO, taker: RowTaker, left_out: LeftOut) -> None:
    """Every row of a table to `taker`. Raises `NotThat`."""
    first = file.readline(MOST_LINE)
    separator = max(_SEPARATORS, key=first.count)
    header = _header(first, separator)
    metric, value = _long(header)
    if metric is None or value is None:
        taker.meet(header)
    else:
        taker.meet(name for name in header if name not in (metric, value))
    place = {name: at for at, name in reversed(list(enumerate(header)))}  # of two columns of a name the first
    left_out.add("columns that have the name of another", len(header) - len(place))
    for cells in _lines(file, separator, left_out):
        if len(cells) != len(header):
            left_out.add(NOT_WHOLE)
            continue
        row: dict[str, object] = {name: cells[place[name]] for name in header}
        taker.take(row, None if metric is None or value is None else (str(row.pop(metric)), row.pop(value)))


def _header(line: str, separator: str) -> list[str]:
    try:
        return [cell.strip() for cell in next(csv.reader([line], delimiter=separator), [])]
    except csv.Error:
        raise NotThat("its first line has a cell too long for a column's name") from None


def _lines(file: TextIO, separator: str, left_out: LeftOut) -> Iterator[list[str]]:
    reader = csv.reader(iter(partial(file.readline, MOST_LINE), ""), delimiter=separator)
    while True:
        try:
            cells = next(reader, None)
        except csv.Error:
            left_out.add("lines that are no CSV")
            continue
        if cells is None:
            return
        if cells:
            yield cells


def _long(header: list[str]) -> tuple[str | None, str | None]:
    """The columns that hold a metric's name and its value; None of a wide table."""
    lower = {name.lower(): name for name in header}
    metric = next((name for key, name in lower.items() if key in _METRIC), None)
    return (metric, lower.get("value")) if metric is not None and "value" in lower else (None, None)
