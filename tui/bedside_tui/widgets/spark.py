"""The sparkline of a history, with a mark where an alarm about it fired."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bedside_protocol.series import Columns
from bedside_tui.cursor import Cursor, Spot
from bedside_tui.draw.sparkline import reads, sparkline
from bedside_tui.store.history import History
from bedside_tui.store.view import Badge, Firing
from bedside_tui.theme import Tone
from bedside_tui.widgets.lines import Line, line

GLYPHS: dict[Badge, tuple[str, Tone]] = {"red": ("✖", "red"), "amber": ("▲", "amber")}


def by_severity(fired: Sequence[Firing]) -> list[Firing]:
    """The worst last, which is drawn over the others."""
    return sorted(fired, key=lambda firing: firing.badge == "red")


def spark(
    history: History,
    cells: int,
    tone: Tone,
    fired: Sequence[Firing] = (),
    cursor: Cursor | None = None,
    *,
    log: bool = False,
    ascii: bool = False,
) -> Line:
    """Exactly `cells` cells; of several alarms in one cell the worst is shown. The cells of the cursor and of what is pinned stand out.
    Nothing where there is no room.
    """
    if cells < 1:
        return ()
    columns = history.columns(reads(cells))
    drawn = sparkline(columns, cells, log=log, ascii=ascii)
    marks: dict[int, tuple[str, Tone]] = {}
    for firing in by_severity(fired):
        if (cell := _cell(columns, firing.step)) >= 0:
            marks[cell] = GLYPHS[firing.badge]
    spots: list[tuple[Spot | None, Tone]] = [(cursor.pin, "mode"), (cursor.at, "cursor")] if cursor is not None else []
    for spot, mark in spots:
        if spot is not None and 0 <= (cell := _cell(columns, spot.step)) < cells:
            marks[cell] = (marks.get(cell, (drawn[cell], tone))[0], mark)
    parts, begin = [], 0
    for cell in sorted(marks):
        parts += [(drawn[begin:cell], tone), marks[cell]]
        begin = cell + 1
    return line(*parts, (drawn[begin:], tone))


def _cell(columns: Columns, step: float) -> int:
    """The cell whose columns hold a step, -1 before the first."""
    return (int(np.searchsorted(columns.start, step, side="right")) - 1) // 2
