"""Any probe, of a kind known or not: its numbers with how they went, then its arrays by what they mean, then its texts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bedside_protocol.records import Array
from bedside_tui.draw import number
from bedside_tui.draw.sparkline import sparkline
from bedside_tui.store.view import ProbeView
from bedside_tui.widgets.frame import Frame
from bedside_tui.widgets.lines import Line, fit, line, pad, pad_left, wrapped
from bedside_tui.widgets.panels.blocks import Block, heading, short, stacked, still
from bedside_tui.widgets.panels.facts import bar_lines, fact_lines, others
from bedside_tui.widgets.panels.given import Floats, flat, grid, is_numbers, names
from bedside_tui.widgets.panels.pictures import columns_of, heat_lines, profile_lines
from bedside_tui.widgets.panels.samples import as_pictures, picture_rows

MOST_ARRAYS = 12
"""Arrays that are drawn: a screen holds no more, and a hostile log may have any number."""


def default_panel(probe: ProbeView, frame: Frame, width: int, height: int) -> list[Line]:
    """Every scalar, every array as its meaning has it, every list of texts; the first ones first where there is not room for all."""
    facts = fact_lines(probe, frame, others(probe, ()), width)
    arrays = list(probe.snapshot.arrays.items())[:MOST_ARRAYS] if probe.snapshot is not None else []
    share = max(1, height // 3) if arrays and len(facts) > height // 2 else len(facts)
    numbers = Block(lambda given: _counted(facts, given), min(len(facts), share), len(facts))
    lines = [entry for entry in arrays if entry[1].meaning == "trajectory" and is_numbers(entry[1])]
    blocks = [numbers, *(array_block(name, array, frame, width) for name, array in arrays if (name, array) not in lines)]
    if lines:
        blocks.append(Block(lambda given: _trajectories(lines, frame, width, given), min(2, len(lines) + 1), len(lines) + 1))
    return stacked([*blocks, *_texts(probe, width)], height)


def _counted(rows: Sequence[Line], height: int) -> list[Line]:
    """As many rows as fit, and how many are missing."""
    if len(rows) <= height:
        return list(rows)
    return [*rows[: max(0, height - 1)], line((f"   +{number.count(len(rows) - height + 1)} more", "quiet"))]


def array_block(name: str, array: Array, frame: Frame, width: int) -> Block:
    """An array as its meaning has it; one that holds no numbers is said to hold none."""
    if not is_numbers(array):
        shape = " × ".join(str(size) for size in array.values.shape) or "0"
        return still([heading(f"{name}: nothing to draw in it ({shape})", width)])
    if array.meaning == "image" and (found := as_pictures(array.values)) is not None:
        rows = picture_rows(found, max(1, width - 3), frame)
        return Block(lambda given: [heading(name, width), *((line("   ")[0], *row) for row in rows)][:given], 2, len(rows) + 1)
    if array.meaning in ("matrix", "image"):
        values = grid(array)
        return Block(
            lambda given: heat_lines(name, values, frame, width, given, rows=array.rows, columns=array.labels),
            min(6, len(values) + 3),
            len(values) + 3,
        )
    values = flat(array)
    if array.meaning == "table":
        labels = names(array.labels, values.size)
        return Block(
            lambda given: [heading(name, width), *bar_lines(labels, values, width, given - 1, frame)],
            min(4, values.size + 1),
            values.size + 1,
        )
    ends = names(array.labels, values.size)
    return Block(
        lambda given: profile_lines(name, _positive(values), frame, width, given, first=ends[0], last=ends[-1]), 3, 6
    )  # fmt: skip


def _positive(values: Floats) -> Floats:
    return np.where(values < 0, 0.0, values)


def _trajectories(arrays: Sequence[tuple[str, Array]], frame: Frame, width: int, height: int) -> list[Line]:
    """A line each: first value, last, and the way between."""
    label = min(max([10, *(len(name) for name, _ in arrays)]), max(6, width // 3))
    room = max(0, min(60, width - 3 - label - 26))
    lines = [heading(f"{pad('', label)} {pad_left('first', 10)} {pad_left('last', 10)}", width)]
    for name, array in arrays:
        values = flat(array)
        drawn = sparkline(columns_of(values, 2 * room), room, ascii=frame.ascii) if room >= 6 else ""
        ends = f"{pad_left(number.value(float(values[0])), 10)} {pad_left(number.value(float(values[-1])), 10)}"
        lines.append(fit(line(f"   {pad(short(name, label), label)} {ends}  ", (drawn, "curve")), width))
    return lines[: max(0, height)]


def _texts(probe: ProbeView, width: int) -> list[Block]:
    blocks = []
    for name, found in list(probe.snapshot.texts.items())[:MOST_ARRAYS] if probe.snapshot is not None else []:
        if not found:
            continue
        rows = [part for text in found[:40] for part in wrapped(text, max(1, width - 6))[:4]]
        lines = [heading(f"{name} · {number.count(len(found))}", width), *(line("      ", part) for part in rows)]
        blocks.append(Block(lambda given, lines=lines: _counted(lines, given), 2, len(lines)))  # type: ignore[misc]
    return blocks
