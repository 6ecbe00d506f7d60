"""The dots of a curve, beside what they are by definition: every column from its low to its high, neighbours joined, gaps left open."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from bedside_protocol.series import Columns, Series
from bedside_tui.draw.canvas import Canvas, patterns
from bedside_tui.draw.scale import Scale
from bedside_tui.draw.trace import trace

WIDE, TALL = 48, 24
LINEAR, LOG = Scale(-8.0, 8.0), Scale(0.01, 100.0, log=True)

VALUES = st.one_of(st.floats(-9, 9), st.sampled_from([math.nan, math.inf, -math.inf, 0.0, 1e308]))
SERIES = st.lists(st.tuples(st.integers(1, 6), VALUES), min_size=1, max_size=70)
"""How far on a point lies from the one before, and its value."""


def columns_of(points: list[tuple[int, float]], axis: str = "step", room: int = WIDE) -> Columns:
    series, steps = Series(), np.cumsum([far for far, _ in points])
    series.extend(steps, steps * 0.5, np.array([value for _, value in points]))
    return series.history().columns(room, axis=axis)  # type: ignore[arg-type]


def end_of(columns: Columns) -> float:
    return float(columns.start[-1]) + columns.span


def dots(columns: Columns, scale: Scale) -> NDArray[np.bool_]:
    """With the first row the lowest, which is how the definition counts."""
    return trace(columns, float(columns.start[0]), end_of(columns), scale, WIDE, TALL)[::-1]


def stretch(columns: Columns, at: int, scale: Scale) -> tuple[int, int, int] | None:
    """By definition: the column of dots, the lowest and the highest dot of one column; None where there is nothing to show."""
    low, high = (float(scale.place(np.array([side[at]]))[0]) for side in (columns.low, columns.high))
    if not columns.count[at] or math.isnan(high):
        return None
    middle = columns.start[at] + (columns.span / 2 if columns.span > 1 or columns.axis == "time" else 0.0)
    share = (middle - columns.start[0]) / (end_of(columns) - columns.start[0])
    return min(int(share * WIDE), WIDE - 1), round((0.0 if math.isnan(low) else low) * (TALL - 1)), round(high * (TALL - 1))


def shown(columns: Columns, scale: Scale) -> list[tuple[int, tuple[int, int, int]]]:
    found = ((at, stretch(columns, at, scale)) for at in range(len(columns)))
    return [(at, one) for at, one in found if one is not None]


def is_broken(columns: Columns, before: int, after: int) -> bool:
    """By definition: nothing but NaN between two columns and, over time, a restart or more than two empty columns."""
    between = range(before + 1, after + 1)
    if any(columns.bad[at] and not columns.count[at] for at in between):
        return True
    return columns.axis == "time" and (after - before > 3 or any(columns.breaks[at] for at in between))


@settings(max_examples=60, deadline=None)
@given(SERIES, st.sampled_from(["step", "time"]), st.sampled_from([LINEAR, LOG]))
def test_every_column_is_covered_from_its_low_to_its_high(points: list[tuple[int, float]], axis: str, scale: Scale) -> None:
    columns = columns_of(points, axis)
    found = dots(columns, scale)
    for _, (x, bottom, top) in shown(columns, scale):
        assert found[bottom : top + 1, x].all()


@settings(max_examples=60, deadline=None)
@given(SERIES, st.sampled_from(["step", "time"]), st.sampled_from([LINEAR, LOG]))
def test_every_other_dot_lies_on_a_straight_line_between_neighbours(points: list[tuple[int, float]], axis: str, scale: Scale) -> None:
    columns = columns_of(points, axis)
    found = dots(columns, scale)
    allowed = np.zeros_like(found)
    there = shown(columns, scale)
    for _, (x, bottom, top) in there:
        allowed[bottom : top + 1, x] = True
    for (before, one), (after, other) in pairwise(there):
        if not is_broken(columns, before, after):
            allow_line(allowed, one, other)
    assert not (found & ~allowed).any()


def allow_line(allowed: NDArray[np.bool_], one: tuple[int, int, int], other: tuple[int, int, int]) -> None:
    """The dots no further than one from the line that joins two stretches where they are nearest, half a column to either side."""
    low, high = max(one[1], other[1]), min(one[2], other[2])
    begin = min(max((low + high) // 2, one[1]), one[2])
    end = min(max((low + high) // 2, other[1]), other[2])
    for x in range(one[0], other[0] + 1):
        far = max(other[0] - one[0], 1)
        ends = [begin + (end - begin) * min(max((x - one[0] + half) / far, 0.0), 1.0) for half in (-0.5, 0.5)]
        if one[0] == other[0]:
            ends = [begin, end]
        allowed[math.floor(min(ends)) : math.ceil(max(ends)) + 1, x] = True


@settings(max_examples=60, deadline=None)
@given(SERIES, st.sampled_from(["step", "time"]))
def test_neighbours_are_joined_and_what_is_broken_is_not(points: list[tuple[int, float]], axis: str) -> None:
    columns = columns_of(points, axis)
    found = dots(columns, LINEAR)
    there = shown(columns, LINEAR)
    for (before, one), (after, other) in pairwise(there):
        between = found[:, one[0] + 1 : other[0]]
        if is_broken(columns, before, after):
            assert not between.any()
        else:
            assert between.any(axis=0).all()
            assert touch(found[:, one[0] : other[0] + 1])


def touch(field: NDArray[np.bool_]) -> bool:
    """Whether there is a way over dots, corner to corner at most, from the first column of a field to the last."""
    reached = {(row, 0) for row in np.flatnonzero(field[:, 0]).tolist()}
    todo = list(reached)
    while todo:
        row, column = todo.pop()
        near = {(row + up, column + on) for up in (-1, 0, 1) for on in (-1, 0, 1)} - reached
        more = [(y, x) for y, x in near if 0 <= y < field.shape[0] and 0 <= x < field.shape[1] and field[y, x]]
        reached.update(more)
        todo += more
    return any(column == field.shape[1] - 1 for _, column in reached)


def test_a_steep_line_is_shared_by_both_of_its_columns() -> None:
    columns = columns_of([(1, -8.0), (1, 8.0)], room=2)
    found = trace(columns, 0.0, float(WIDE), LINEAR, WIDE, TALL)[::-1]
    assert np.flatnonzero(found[:, 1]).tolist() == list(range(12))
    assert np.flatnonzero(found[:, 2]).tolist() == list(range(12, 24))


def test_columns_without_a_finite_value_leave_no_dot() -> None:
    assert not dots(columns_of([(1, math.nan), (1, math.inf), (1, -math.inf)]), LINEAR).any()


# ── cells ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def layer(*cells: int) -> NDArray[np.uint8]:
    return np.array([cells], np.uint8)


@settings(deadline=None)
@given(st.integers(0, 255))
def test_a_cell_is_the_braille_of_its_dots(pattern: int) -> None:
    places = {0x01: (0, 0), 0x02: (1, 0), 0x04: (2, 0), 0x40: (3, 0), 0x08: (0, 1), 0x10: (1, 1), 0x20: (2, 1), 0x80: (3, 1)}
    field = np.zeros((4, 2), bool)
    for bit, place in places.items():
        field[place] = bool(pattern & bit)
    assert patterns(field).tolist() == [[pattern]]


def test_where_curves_meet_a_cell_has_the_dots_of_both_and_the_colour_of_the_thinner_or_the_last() -> None:
    canvas = Canvas(4, 1)
    canvas.paint(0, [layer(0xFF, 0x01, 0x00, 0x01), layer(0x12, 0xFF, 0x12, 0x02)], ["curve", "second"])
    assert canvas.lines() == [[("⣿", "second"), ("⣿", "curve"), ("⠒⠃", "second")]]


def test_a_ruler_stands_behind_what_is_there() -> None:
    canvas = Canvas(3, 2)
    canvas.write(0, 1, "x", "strong")
    canvas.rule(1, 2, "┃", "accent")
    assert canvas.lines() == [[(" ", "quiet"), ("x", "strong"), (" ", "quiet")], [(" ", "quiet"), ("┃", "accent"), (" ", "quiet")]]
    assert Canvas.of(canvas.lines()).lines() == canvas.lines()
