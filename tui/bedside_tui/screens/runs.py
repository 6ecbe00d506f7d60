"""Runs: what there is to look at, live and recorded; `enter` opens one. The list itself is made elsewhere and handed over as values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from bedside_protocol.records import Scalar
from bedside_tui.draw import number
from bedside_tui.run_query import BadQuery, Order, read_filter, read_order
from bedside_tui.run_row import ALIVE, RunRow
from bedside_tui.screens.base import RunScreen, head
from bedside_tui.screens.run_columns import SHORT, RunColumns
from bedside_tui.sources.source import Source
from bedside_tui.widgets.choice import window
from bedside_tui.widgets.frame import Frame
from bedside_tui.widgets.lines import Line, fit, line, rule, select, wrapped
from bedside_tui.widgets.rows import Look
from bedside_tui.widgets.status import SEVERITIES


class Library(Protocol):
    """Where runs are found, and how one is opened."""

    def rows(self) -> Sequence[RunRow]:
        """All runs, newest first. Called every few seconds on a thread of its own while the list is in sight."""

    def open(self, row: RunRow) -> Source:
        """The way to a run's records, not yet started."""

    def write(self, row: RunRow, arguments: Mapping[str, Scalar]) -> str:
        """Write into a run's lab book, on a thread of its own; what was written, in words. Raises `NotWritten`."""

    @property
    def reading(self) -> str:
        """How far the reading of recordings has come, empty while none is read."""


ORDERS: tuple[Order, ...] = tuple(map(read_order, ("", "name", "-step", "best", "verdict", "-alert", "-notes")))
"""What `s` sorts by, one after the other; the first is as the list comes, the newest start first."""


class RunsScreen(RunScreen):
    """The list. Rows are known by the run's id."""

    where = ("lists", "runs")
    lists_runs = True
    idle = frozenset({"next_alarm", "acknowledge"})

    def __init__(self, look: Look) -> None:
        super().__init__(look)
        self.order = ORDERS[0]
        self._listed: tuple[object, str, Order, list[RunRow], str] | None = None

    def top_lines(self, frame: Frame, width: int) -> list[Line]:
        """Where no run is open, what there is altogether."""
        if self.viewer.viewing.source is not None:
            return head(frame, width)
        return list_head(self.viewer.run_rows, width)

    def listed(self) -> tuple[list[RunRow], str]:
        """The rows that pass the filter, in order, and why the filter is not understood; kept until one of the three changes."""
        rows = self.viewer.run_rows
        if self._listed is None or self._listed[0] is not rows or self._listed[1:3] != (self.filter, self.order):
            try:
                meant, why = read_filter(self.filter), ""
            except BadQuery as error:
                meant, why = (lambda row: True), str(error)
            self._listed = (rows, self.filter, self.order, self.order.sorted([row for row in rows if meant(row)]), why)
        return self._listed[3], self._listed[4]

    @property
    def chosen_row(self) -> RunRow | None:
        """The run under the cursor."""
        return next((row for row in self.viewer.run_rows if row.id == self.choice.chosen), None)

    def body(self, frame: Frame, width: int, height: int) -> list[Line]:
        rows, why = self.listed()
        chosen = self.choice.offer([row.id for row in rows])
        title = f"runs · {number.count(len(rows))}" + (f" · by {self.order}" if self.order.keys else "")
        if self.viewer.viewing.source is not None:
            lines = [self.heading(frame, title, width)]
        else:
            lines = [rule(title + (f" · with “{self.filter}”" if self.filter else ""), width)]
        if why:
            lines += [line((f"   {part}", "amber")) for part in wrapped(why, width - 4)]
        if not rows:
            return lines + self.empty(*self._why_empty())
        columns = RunColumns.of(rows, width)
        lines.append(columns.heading())
        foot = _foot(self.chosen_row, width) if height > 8 else []
        room = height - len(lines) - len(foot)
        first = window(len(rows), self.choice.place, room)
        for row in rows[first : first + room]:
            drawn = columns.line(row)
            lines.append(select(drawn, width) if row.id == chosen else drawn)
        lines += [()] * (height - len(foot) - len(lines))
        return lines + foot

    def _why_empty(self) -> tuple[str, ...]:
        if self.filter:
            return ("no run fits the filter; esc shows all",)
        if self.viewer.library is None:
            return ("there is no list: the viewer was opened on one run",)
        if not self.viewer.runs_read:
            return ("looking for runs…", self.viewer.library.reading)
        return ("no run yet: a training appears here when it calls bedside.init(…)", "bedside demo starts one to look at")

    def action_sort(self) -> None:
        """By the next of the orders."""
        self.order = ORDERS[(ORDERS.index(self.order) + 1) % len(ORDERS)]
        self.viewer.redraw()

    def action_open(self) -> None:
        if (row := self.chosen_row) is not None:
            self.viewer.open_run(row)


def list_head(rows: Sequence[RunRow], width: int) -> list[Line]:
    """The two lines on top of a list without an open run: how many there are, and which that still run need somebody."""
    alive = [row for row in rows if row.lifecycle in ALIVE]
    over = len(rows) - len(alive)
    first = line((" bedside", "strong"), (f"  {number.count(len(alive))} alive  {number.count(over)} over", "plain"))
    sick = [row for row in alive if row.health in ("red", "amber")]
    if not sick:
        return [first, line((" ● ok" if alive else " ◌", "ok" if alive else "quiet"), ("  no living run has an alarm", "quiet"))]
    worst = sorted(sick, key=lambda row: row.health != "red")
    word, tone = SEVERITIES[worst[0].health]
    names = ", ".join(row.title for row in worst)
    return [first, tuple(span._replace(tone=tone) for span in fit(line(f" {word}  {names}"), width))]


def _foot(row: RunRow | None, width: int) -> list[Line]:
    """What the columns have no room for: the tags, the newest note, and where the recording is."""
    if row is None:
        return [(), (), ()]
    tags = f"{' '.join(row.tags)}  " if row.tags and width < SHORT else ""
    note = f"✎ {row.newest}" + (f"  (the newest of {row.notes})" if row.notes > 1 else "") if row.notes else ""
    said = fit(line("   ", (tags, "second"), note), width)
    return [(), said, fit(line((f"   {row.dir}", "quiet")), width)]
