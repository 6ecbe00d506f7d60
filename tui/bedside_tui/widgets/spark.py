"""The sparkline of a history, with a mark where an alarm about it fired."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bedside_tui.draw.sparkline import reads, sparkline
from bedside_tui.store.history import History
from bedside_tui.store.view import Badge, Firing
from bedside_tui.theme import Tone
from bedside_tui.widgets.lines import Line, line

GLYPHS: dict[Badge, tuple[str, Tone]] = {"red": ("✖", "red"), "amber": ("▲", "amber")}


def by_severity(fired: Sequence[Firing]) -> list[Firing]:
    """The worst last, which is drawn over the others."""
    return sorted(fired, key=lambda firing: firing.badge == "red")


def spark(history: History, cells: int, tone: Tone, fired: Sequence[Firing] = (), *, log: bool = False, ascii: bool = False) -> Line:
    """Exactly `cells` cells; of several alarms in one cell the worst is shown. Nothing where there is no room."""
    if cells < 1:
        return ()
    columns = history.columns(reads(cells))
    drawn = sparkline(columns, cells, log=log, ascii=ascii)
    marks: dict[int, tuple[str, Tone]] = {}
    for firing in by_severity(fired):
        place = int(np.searchsorted(columns.start, firing.step, side="right")) - 1
        if place >= 0:
            marks[place // 2] = GLYPHS[firing.badge]
    parts, begin = [], 0
    for cell in sorted(marks):
        parts += [(drawn[begin:cell], tone), marks[cell]]
        begin = cell + 1
    return line(*parts, (drawn[begin:], tone))
