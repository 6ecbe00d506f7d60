"""Metrics as rows: state, name, value, how it went, and the few words worth saying."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from bedside_tui.cursor import Cursor, value_at
from bedside_tui.draw import number
from bedside_tui.draw.cells import width as width_in_cells
from bedside_tui.store.history import History
from bedside_tui.store.view import MetricView
from bedside_tui.theme import Tone
from bedside_tui.widgets.lines import Line, line, pad, pad_left
from bedside_tui.widgets.spark import spark
from bedside_tui.widgets.status import BADGES

VALUE = 10
"""Cells of a value: `number.value` takes at most 9. A unit follows where it fits, which it does but for the longest numbers."""

REMARK = 26
"""Cells of a remark: `best 0.0209 @ 12,102` and room to stand apart."""


class MetricColumns(NamedTuple):
    """Cells of each column of a row; 0 where a column has gone."""

    name: int
    spark: int
    remark: int


def columns_for(width: int, longest: int) -> MetricColumns:
    """How a row of `width` cells is divided: the remark goes first when it gets narrow, then the sparkline, never the value."""
    left = width - 3 - VALUE - 2
    name = max(6, min(longest, 28, left // 3 if width >= 60 else left))
    left -= name
    remark = REMARK if left >= REMARK + 12 else 0
    spark = min(60, max(0, left - remark - 2))
    return MetricColumns(name, spark if spark >= 6 else 0, remark)


def longest_name(metrics: Sequence[MetricView]) -> int:
    """The width of the name column that would cut nothing, at least that of usual names so that it seldom changes."""
    return max([14, *(len(metric.name) for metric in metrics)])


def value_of(metric: MetricView) -> str:
    """The newest value, with its unit where there is room for both: `24.1 dB`, `143/s`."""
    value = number.value(metric.value)
    with_unit = f"{value}{'' if metric.unit.startswith('/') else ' '}{metric.unit}".rstrip()
    return with_unit if width_in_cells(with_unit) < VALUE and math.isfinite(metric.value) else value


def metric_row(
    metric: MetricView, cells: MetricColumns, cursor: Cursor | None = None, *, pinned: bool = False, ascii: bool = False
) -> Line:
    """` ▲ loss/commit      0.0910  ⣀⣀⡠⠤⠒⠊⠉  rising since 11,400`. One colour a row but for the value and the badge.

    With a cursor, the value there stands in place of the remark: `┃ 0.0871 @ 11,200`.
    """
    glyph, tone = BADGES[metric.badge]
    alarmed = metric.badge in ("red", "amber")
    name_tone: Tone = "strong" if alarmed else "plain"
    curve: Tone = tone if alarmed else "curve"
    log = metric.kind == "loss"  # on a linear scale a loss is flat after its first drop, whatever becomes of it
    remark = ("pinned  " if pinned and not metric.remark else "") + metric.remark if cursor is None else at_cursor(metric.history, cursor)
    remark_tone: Tone = "plain" if cursor is not None else tone if alarmed else "quiet"
    return line(
        " ", (glyph, tone), " ", (pad(metric.name, cells.name), name_tone), (pad_left(value_of(metric), VALUE), "strong"), "  ",
        *spark(metric.history, cells.spark, curve, metric.fired, cursor, log=log, ascii=ascii), "  " if cells.remark else "",
        (pad(remark, cells.remark), remark_tone),
    )  # fmt: skip


def at_cursor(history: History, cursor: Cursor) -> str:
    """The value at the cursor in few words: with its step, or with its difference where a step is pinned."""
    found = value_at(history, cursor)
    if found is None:
        return "┃ not logged yet"
    value = f"┃ {pad(number.value(found.value), 7)} "
    if not found.difference:
        return f"{value}@ {number.count(found.step)}"
    return value + (found.difference if len(value) + len(found.difference) <= REMARK else found.less)
