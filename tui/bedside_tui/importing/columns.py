"""Which column of a foreign table is the step and which the time; the others are metrics.

Columns are found by the names trainers give them, unless a person says which they are. What is no number is counted, never guessed at.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Final

from bedside_tui.importing.left_out import LeftOut
from bedside_tui.importing.points import LARGEST_STEP, MOST_METRICS, Points

_STEP_NAMES: Final = ("step", "global_step", "_step", "trainer/global_step", "steps", "iteration", "iter", "it", "num_updates", "update")
_TIME_NAMES: Final = (
    "time",
    "wall_time",
    "wall time",
    "timestamp",
    "_timestamp",
    "datetime",
    "date",
    "relative_time",
    "_runtime",
    "elapsed",
)
"""Looked for in this order, in any case of letters."""
_NOTHING: Final = frozenset({"", "none", "null", "na", "n/a", "-"})
"""Texts that say there is no value."""
NO_NUMBER: Final = "values that are no number"
NO_STEP: Final = "rows whose step is no whole number"
TOO_MANY: Final = f"values of metrics after the first {MOST_METRICS:,}"


class NoSuchColumn(ValueError):
    """A column that was named is not there; the text lists those that are."""

    def __init__(self, name: str, there: Iterable[str]) -> None:
        names = ", ".join(islice(there, 20))
        super().__init__(f"nothing is called {name!r}" + (f": there are {names}" if names else ""))


@dataclass(frozen=True, slots=True)
class Columns:
    """Which columns a person says are the step and the time; None: they are found by their names."""

    step: str | None = None
    time: str | None = None


class RowTaker:
    """Takes rows as maps from column to cell, and puts their numbers where they belong."""

    def __init__(self, columns: Columns, points: Points, left_out: LeftOut) -> None:
        self._columns = columns
        self._points = points
        self._left_out = left_out
        self._step = columns.step
        self._time = columns.time
        self._seen: dict[str, None] = {}
        self._rows = 0
        self._met = False

    def __repr__(self) -> str:
        return f"<RowTaker {self._rows} rows, step in {self._step!r}, time in {self._time!r}>"

    @property
    def counts_steps(self) -> bool:
        """Whether no column is the step, so that rows are counted."""
        return self._step is None

    def meet(self, names: Iterable[str]) -> None:
        """Columns that come before any row: the step and the time are among them, or the file has none."""
        self._met = True
        self._seen.update(dict.fromkeys(names))
        self._step = self._step or _first_of(_STEP_NAMES, self._seen)
        self._time = self._time or _first_of(_TIME_NAMES, self._seen)

    def take(self, row: Mapping[str, object], told: tuple[str, object] | None = None) -> None:
        """One row. `told` are name and value of a metric whose name is no column's: the row is then one value of what may be a row."""
        if not self._met:
            self.meet(row)
        elif len(self._seen) <= MOST_METRICS:
            self._seen.update(dict.fromkeys(row))
        self._rows += 1
        step = self._rows if self._step is None else whole(row.get(self._step))
        if step is None:
            self._left_out.add(NO_STEP)
            return
        time = seconds(row.get(self._time)) if self._time is not None else math.nan
        for name, cell in row.items():
            if name not in (self._step, self._time):
                self._put(step, time, name, cell)
        if told is None:
            self._points.end_row()
        else:
            self._put(step, time, *told)
            self._points.end_value()

    def finish(self) -> None:
        """Raises `NoSuchColumn` where a column that was named has not come."""
        for name in (self._columns.step, self._columns.time):
            if name is not None and name not in self._seen:
                raise NoSuchColumn(name, self._seen)

    def _put(self, step: int, time: float, name: str, cell: object) -> None:
        value = number(cell)
        if value is None:
            self._left_out.add(NO_NUMBER, 0 if _is_nothing(cell) else 1)
        elif not name:
            self._left_out.add("values in a column without a name")
        elif not self._points.add(step, time, name, value):
            self._left_out.add(TOO_MANY)


def number(cell: object) -> float | None:
    """A cell as a number, NaN and infinities included; None where it is none."""
    if isinstance(cell, bool) or not isinstance(cell, (int, float, str)):
        return None
    try:
        return float(cell)
    except (ValueError, OverflowError):
        return None


def whole(cell: object) -> int | None:
    """A cell as a step, None where it is no whole number of a size that steps have."""
    if isinstance(cell, str):
        try:
            cell = int(cell)
        except ValueError:
            cell = number(cell)
    if isinstance(cell, float) and cell.is_integer():
        cell = int(cell)
    return cell if isinstance(cell, int) and not isinstance(cell, bool) and abs(cell) < LARGEST_STEP else None


def seconds(cell: object) -> float:
    """A cell as a time in seconds: a number, or a date and time by ISO 8601 (of UTC, where it names no zone). NaN where it is neither."""
    value = number(cell)
    if value is not None:
        return value if abs(value) < LARGEST_STEP else math.nan
    try:
        when = datetime.fromisoformat(cell.strip()) if isinstance(cell, str) else None
    except ValueError:
        return math.nan
    if when is None:
        return math.nan
    return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()


def _is_nothing(cell: object) -> bool:
    return cell is None or (isinstance(cell, str) and cell.strip().lower() in _NOTHING)


def _first_of(known: Iterable[str], names: Iterable[str]) -> str | None:
    lower = {name.strip().lower(): name for name in names}
    return next((lower[name] for name in known if name in lower), None)
