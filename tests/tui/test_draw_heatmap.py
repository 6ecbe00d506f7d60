"""Numbers as shades, and values as upright bars: what a cell says, what is thinned, and that no number whatever bends or breaks them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of
from numpy.typing import NDArray

from bedside_tui.draw.cells import width
from bedside_tui.draw.heatmap import LEVELS, Range, heatmap, levels, over_time, ramp, range_of, shade
from bedside_tui.draw.profile import cells_of, profile

numbers = st.floats(width=64) | st.sampled_from([math.nan, math.inf, -math.inf, 1e308, -1e308, 5e-324])


def text(values: object, size: int = 20, height: int = 10, **options: object) -> list[str]:
    drawn = heatmap(np.array(values, float), size, height, **options)  # type: ignore[arg-type]
    return ["".join(piece for piece, _ in line) for line in drawn.lines]


def test_larger_is_darker() -> None:
    assert text([[0, 1, 2, 3]], 4) == ["░▒▓█"]
    assert text([[0, 1, 2, 3]], 4, ascii=True) == [".:+#"]


def test_nan_and_infinity_are_marks_and_do_not_bend_the_scale() -> None:
    assert text([[0, math.nan, math.inf, 3]], 4) == ["░╳∞█"]
    assert text([[0, math.nan, -math.inf, 3]], 4, ascii=True) == [".x8#"]
    assert range_of(np.array([0, math.nan, math.inf, 3])) == Range(0.0, 3.0)
    assert range_of(np.array([math.nan, math.inf])) is None


def test_names_of_rows_stand_left_and_of_columns_above() -> None:
    assert text([[0, 1], [1, 0]], 12, rows=("a", "b"), columns=("x", "y"), label=2) == ["  x    y    ", "a ░░░░░█████", "b █████░░░░░"]


def test_names_of_columns_that_would_touch_are_left_out() -> None:
    names = [str(at) for at in range(98, 108)]
    assert text([range(10)], 10, 4, columns=names)[0].split() == ["98", "101", "105"]


def test_more_rows_and_columns_than_room_are_thinned_to_their_largest() -> None:
    values = np.zeros((100, 400))
    values[37, 211] = 1.0
    drawn = heatmap(values, 40, 10)
    assert sum({style for _, style in line} == {0} for line in drawn.lines) == 9
    assert sum("█" in piece for line in drawn.lines for piece, _ in line) == 1
    assert (drawn.rows_a_cell, drawn.columns_a_cell) == (10, 10)


def test_a_nan_among_those_a_cell_stands_for_is_seen() -> None:
    values = np.zeros((100, 1))
    values[99] = math.nan
    assert text(values, 1, 5) == ["▓", "▓", "▓", "▓", "╳"]


def test_a_logarithmic_ramp_holds_four_decades() -> None:
    within = range_of(np.array([1e-9, 1.0]), log=True)
    assert within == Range(1e-4, 1.0, log=True)
    assert levels(np.array([1e-9, 0.0, -1.0, 1e-2, 1.0]), within).tolist() == [0, 0, 0, 6, LEVELS - 1]


def test_all_equal_values_stand_in_the_middle() -> None:
    assert set(levels(np.full(3, 7.0), Range(7.0, 7.0)).tolist()) == {6}


def test_the_ramp_goes_through_every_shade() -> None:
    assert "".join(piece for piece, _ in ramp(8)) == "░░▒▒▓▓██"
    assert [shade(0), shade(LEVELS - 1)] == ["░", "█"]


@given(
    arrays_of.arrays(np.float64, arrays_of.array_shapes(min_dims=2, max_dims=2, min_side=0, max_side=30), elements=numbers),
    st.integers(-1, 50), st.integers(-1, 12), st.integers(0, 60), st.booleans(), st.booleans(),
)  # fmt: skip
def test_any_numbers_are_drawn_in_exactly_the_room(
    values: NDArray[np.float64], size: int, height: int, label: int, log: bool, ascii: bool
) -> None:
    rows, columns = tuple(f"row {at}" for at in range(5)), ("面", "b", "", "long name")
    drawn = heatmap(values, size, height, rows=rows, columns=columns, label=label, log=log, ascii=ascii)
    assert len(drawn.lines) <= max(0, height)
    assert {width("".join(piece for piece, _ in line)) for line in drawn.lines} <= {size}
    assert all(
        style == "quiet" or style == "red" or style == "plain" or 0 <= int(style) < LEVELS for line in drawn.lines for _, style in line
    )
    if ascii and not set("".join(columns)) & {"面"} and drawn.lines:
        assert "".join(piece for line in drawn.lines for piece, _ in line).isascii()


# --- over time


def vector(value: float) -> NDArray[np.float64]:
    return np.array([value, -value])


def test_each_measurement_is_a_column_while_there_is_room() -> None:
    steps, picture = over_time([0, 64, 128], [vector(1), vector(2), vector(3)], 10)
    assert steps == [0, 64, 128]
    assert picture.tolist() == [[1, 2, 3], [-1, -2, -3]]


def test_the_newest_column_grows_and_older_ones_stand_still() -> None:
    steps = list(range(0, 4_000, 10))
    values = [np.array([math.sin(step)]) for step in steps]
    for count in range(100, 399):
        before, after = over_time(steps[:count], values[:count], 60), over_time(steps[: count + 1], values[: count + 1], 60)
        same = before[0][1] - before[0][0] == after[0][1] - after[0][0]
        if same:
            assert after[1][:, : len(before[0]) - 1].tolist() == before[1][:, :-1].tolist()


def test_a_column_is_the_largest_of_its_measurements() -> None:
    _, picture = over_time(list(range(100)), [vector(float(at)) for at in range(100)], 4)
    assert picture[0].tolist()[-1] == 99
    assert picture.shape[1] <= 4


def test_measurements_of_another_length_and_steps_that_went_back_are_taken_as_they_are() -> None:
    steps, picture = over_time([100, 200, 100], [np.zeros(3), vector(2), vector(1)], 10)
    assert steps[0] <= 100 < steps[-1] + 128
    assert picture.shape == (2, 2)
    assert over_time([], [], 10)[0] == []
    assert over_time([1], [np.empty(0)], 10)[0] == []


# --- upright bars


def test_bars_are_equally_wide_and_the_largest_is_full() -> None:
    assert profile(np.array([1.0, 2.0, 0.0]), 7, 2) == ["  ██  ", "████  "]
    assert profile(np.array([1.0, 2.0]), 2, 1, top=4.0) == ["▂▄"]


def test_a_bar_that_is_no_number_is_a_mark_on_the_ground() -> None:
    assert profile(np.array([math.nan, 1.0, math.inf]), 3, 2) == [" █ ", "╳█╳"]
    assert profile(np.array([math.nan]), 1, 1, ascii=True) == ["x"]


def test_what_is_not_zero_is_seen() -> None:
    assert profile(np.array([1e-9, 0.0, 1.0, -1.0]), 4, 1) == ["▁ █ "]


@pytest.mark.parametrize(("count", "room", "cells"), [(3, 7, 6), (20, 42, 40), (1, 50, 4), (100, 40, 34), (0, 5, 0), (5, 0, 0)])
def test_a_profile_takes_a_multiple_of_its_bars(count: int, room: int, cells: int) -> None:
    assert cells_of(count, room) == cells
    assert {len(row) for row in profile(np.ones(count), room, 3)} == {cells}


@given(arrays_of.arrays(np.float64, st.integers(0, 60), elements=numbers), st.integers(-1, 40), st.integers(-1, 5), numbers)
def test_any_values_make_bars_of_exactly_their_size(values: NDArray[np.float64], room: int, height: int, top: float) -> None:
    rows = profile(values, room, height, top=top)
    assert len(rows) == max(0, height)
    assert {len(row) for row in rows} <= {cells_of(values.size, room)}
