"""Pieces of text that the parts of a comparison are drawn with: aligned columns, cut into bands where they do not fit."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Final, NamedTuple

from bedside_tui.draw import number
from bedside_tui.draw.cells import Line, Style, cut, pad, text_of, width

BEST = "◆"
"""Stands before what is best."""

GAP: Final = 2
_WIDEST: Final = 28
"""Cells of a column of values at most: a path must not push the other runs out of sight."""

_HEAD: Final = 18
"""Cells of one line of a column's head, where it can be broken."""


class Cell(NamedTuple):
    """A text with what it means; `best` puts the mark before it."""

    text: str
    style: Style = "plain"
    best: bool = False

    @property
    def width(self) -> int:
        return width(self.text) + 2 * self.best


NOTHING: Final = Cell("—", "quiet")
"""Where a run has no such thing."""


class Column(NamedTuple):
    """A column of a table: what stands above it, its cells from top to bottom, and what it is one of, for a head over several."""

    head: Cell
    cells: Sequence[Cell]
    group: str = ""


class Grid(NamedTuple):
    """A table: what its rows are called, and its columns. `names`: what the columns are called where they become the rows, because they do
    not fit beside each other; without them they are never turned."""

    labels: Column
    columns: Sequence[Column]
    names: Sequence[Cell] = ()


def rule(title: str, size: int, right: str = "") -> Line:
    """` ─ title ───────── right `."""
    ending = f" {right} " if right and width(right) + width(title) + 8 <= size else ""
    shown = cut(title, size - 5)
    room = max(0, size - width(shown) - 4 - width(ending))
    return [(" ─ ", "rule"), (f"{shown} ", "quiet"), ("─" * room, "rule"), (ending, "quiet")]


def shortened(text: str, most: int, *, ascii: bool = False) -> str:
    """At most `most` cells of a name: where it is too long its middle is left out, because names differ at their ends."""
    if width(text) <= most or most < 8:
        return cut(text, most, ascii=ascii)
    tail = text[-(most // 2) :]
    while width(tail) > most // 2:
        tail = tail[1:]
    return cut(text, most - width(tail), ascii=ascii) + tail


def drawn(grid: Grid, size: int, *, ascii: bool = False) -> list[Line]:
    """A table of which no line is wider than `size`: the labels on the left, as many columns as fit beside them, the others below with the
    labels again, or the whole table turned where that is shorter. Values stand on the right of their columns, the mark of the best before
    them."""
    upright = _bands(grid, size, ascii)
    if [] not in upright or not grid.names:
        return upright
    return min(upright, _bands(_turned(grid), size, ascii), key=len)


def _turned(grid: Grid) -> Grid:
    rows = [[column.cells[at] for column in grid.columns] for at in range(len(grid.labels.cells))]
    columns = [Column(label._replace(style="quiet"), row) for label, row in zip(grid.labels.cells, rows, strict=True)]
    return Grid(Column(Cell("run", "quiet"), grid.names), columns)


def _bands(grid: Grid, size: int, ascii: bool) -> list[Line]:
    labels, columns = grid.labels, grid.columns
    label = _label_size(labels, size)
    sizes = [_size(column, size - label - 1 - GAP) for column in columns]
    lines: list[Line] = []
    first = 0
    while first < len(columns):
        last, used = first, 1 + label
        while last < len(columns) and (last == first or used + GAP + sizes[last] <= size):
            used += GAP + sizes[last]
            last += 1
        lines += [[]] if lines else []
        shown = columns[first:last]
        lines += _band(labels, shown, label, _with_room_for_groups(shown, sizes[first:last], size - used), ascii)
        first = last
    return lines


def fits(grid: Grid, size: int) -> bool:
    """Whether all columns stand beside the labels."""
    return 1 + _label_size(grid.labels, size) + sum(GAP + _size(column, size) for column in grid.columns) <= size


def _label_size(labels: Column, size: int) -> int:
    return min(max(cell.width for cell in (labels.head, *labels.cells)), max(8, size // 3))


def _size(column: Column, most: int) -> int:
    widest = max(max(width(part) for part in _head_parts(column)), *(cell.width for cell in column.cells))
    return max(1, min(widest, _WIDEST, most))


def _head_parts(column: Column) -> list[str]:
    """A head in one or more lines: a long one is broken between its words."""
    parts: list[str] = []
    for word in column.head.text.split():
        if parts and width(parts[-1]) + 1 + width(word) <= _HEAD:
            parts[-1] += f" {word}"
        else:
            parts.append(word)
    return parts or [""]


def _band(labels: Column, columns: Sequence[Column], label: int, sizes: Sequence[int], ascii: bool) -> list[Line]:
    parts = [_head_parts(column) for column in columns]
    high = max(len(each) for each in parts)
    lines = [_groups(columns, label, sizes, ascii)] if any(column.group for column in columns) else []
    for at in range(high):
        name = labels.head if at == high - 1 else Cell("")
        heads = [
            Cell(each[at - high + len(each)] if at >= high - len(each) else "", column.head.style)
            for each, column in zip(parts, columns, strict=True)
        ]
        lines.append(_row(name, heads, label, sizes, ascii))
    for at, name in enumerate(labels.cells):
        lines.append(_row(name, [column.cells[at] for column in columns], label, sizes, ascii))
    return lines


def _with_room_for_groups(columns: Sequence[Column], sizes: Sequence[int], spare: int) -> list[int]:
    """The columns' sizes, the first of a group made wider where its name needs more than all of them, as far as `spare` cells go."""
    wider = list(sizes)
    first = 0
    for group, found in groupby(columns, key=lambda column: column.group):
        count = len(list(found))
        missing = min(spare, max(0, width(group) - sum(sizes[first : first + count]) - GAP * (count - 1)))
        wider[first] += missing
        spare -= missing
        first += count
    return wider


def _groups(columns: Sequence[Column], label: int, sizes: Sequence[int], ascii: bool) -> Line:
    """The names over several columns, each as long as what belongs to it."""
    line: Line = [(" " * (1 + label), "plain")]
    for group, found in groupby(zip(columns, sizes, strict=True), key=lambda pair: pair[0].group):
        room = sum(GAP + size for _, size in found) - GAP
        name = cut(group, room, ascii=ascii)
        line += [(" " * GAP, "plain"), (name, "quiet"), (f" {'-' if ascii else '─'}"[: room - width(name)], "rule")]
        line.append((("-" if ascii else "─") * (room - width(name) - 2), "rule"))
    return line


def _row(name: Cell, cells: Sequence[Cell], label: int, sizes: Sequence[int], ascii: bool) -> Line:
    line: Line = [(" " + pad(shortened(name.text, label, ascii=ascii), label), name.style)]
    for cell, size in zip(cells, sizes, strict=True):
        room = size - 2 * cell.best
        text = ("* " if ascii else f"{BEST} ") * cell.best + shortened(cell.text, room, ascii=ascii)
        line.append((" " * GAP + pad(text, size, "right"), "strong" if cell.best else cell.style))
    return line


def measured(values: Sequence[float | None], chosen: frozenset[int] = frozenset()) -> list[Cell]:
    """Numbers of one kind: counts where all are whole; those that are none stand out."""
    whole = all(value.is_integer() and abs(value) < 1e15 for value in values if value is not None)
    write = number.count if whole else number.value
    return [
        NOTHING if value is None else Cell(write(value), "plain" if value == value else "red", place in chosen)
        for place, value in enumerate(values)
    ]


def plain(lines: Sequence[Line]) -> str:
    """Lines without their colours and trailing blanks."""
    return "\n".join(text_of(line).rstrip() for line in lines)
