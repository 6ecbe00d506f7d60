"""One-line and small drawings: exact widths, calm lines, and marks where numbers are none."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bedside_protocol.series import Columns, Series, no_columns
from bedside_tui.draw.bar import bar
from bedside_tui.draw.cells import Pin, cut, pad, text_of, width
from bedside_tui.draw.histogram import histogram
from bedside_tui.draw.image import NO_NUMBER, how_many, pictures, pictures_as_text
from bedside_tui.draw.scrubber import scrubber, time_at
from bedside_tui.draw.sparkline import reads, sparkline
from bedside_tui.draw.strip import span_of, strip
from bedside_tui.draw.table import table

NUMBERS = st.one_of(st.floats(-5, 5), st.floats(), st.sampled_from([math.nan, math.inf, -math.inf, 1e308, -1e308, 5e-324, 0.0]))


def columns_of(values: list[float] | np.ndarray, width: int, steps: list[int] | None = None) -> Columns:
    series = Series()
    at = np.array(steps if steps is not None else range(len(values)), np.int64)
    series.extend(at, at * 0.01, np.array(values, np.float64))
    return series.history().columns(reads(width))


# ── sparkline ────────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("values", "shown", "plain"),
    [
        ([], "      ", "      "),
        ([1.0], "⠄     ", "-     "),
        ([0, 1, 2, 3, 3, 2, 1, 0], "⡠⠊⠑⢄  ", '."".  '),
        ([3e-4] * 12, "⠤⠤⠤⠤⠤⠤", "------"),
        ([0.0] * 4, "⠤⠤    ", "--    "),
        ([0, 0, 0, 3, 3, 3], "⣀⡸⠉   ", "_-\"   "),
        ([1, math.nan, 1, 1, math.inf, 0], "╳⠉╳   ", "x\"x   "),
        ([math.nan] * 4, "╳╳    ", "xx    "),
    ],
)  # fmt: skip
def test_a_sparkline_is_a_line(values: list[float], shown: str, plain: str) -> None:
    assert sparkline(columns_of(values, 6), 6) == shown
    assert sparkline(columns_of(values, 6), 6, ascii=True) == plain


def test_a_spike_of_one_point_in_ten_thousand_is_drawn_and_noise_is_not() -> None:
    values = 1 + 0.1 * np.random.default_rng(0).normal(size=12_800)
    calm = sparkline(columns_of(values, 20), 20)
    values[6_000] = 40.0
    shown = sparkline(columns_of(values, 20), 20)
    assert shown == "⣀⣀⣀⣀⣀⣸⣀⣀⣀⣀⣀⣀⡀       "
    assert calm == "⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠂       "


def test_a_hole_between_two_logged_steps_continues_the_line() -> None:
    assert sparkline(columns_of([1.0, 1.0, 1.0, 0.0], 6, steps=[0, 1, 2, 3000]), 6).count("⠉") >= 1


def test_the_line_grows_from_the_left_and_stands_still() -> None:
    before = sparkline(columns_of(np.sin(np.arange(400) / 40), 20), 20)
    after = sparkline(columns_of(np.sin(np.arange(440) / 40), 20), 20)
    done = len(before.rstrip()) - 1
    assert after[:done] == before[:done]
    assert len(after.rstrip()) > done


@given(st.lists(NUMBERS, max_size=90), st.integers(0, 20), st.booleans())
def test_a_sparkline_has_its_width_whatever_the_numbers(values: list[float], cells: int, ascii: bool) -> None:
    columns = columns_of(values, max(cells, 1))
    shown = sparkline(columns, cells, ascii=ascii)
    assert len(shown) == len(sparkline(columns, cells, log=True, ascii=ascii)) == cells
    assert not ascii or shown.isascii()


def test_a_loss_that_fell_far_shows_on_a_logarithmic_line_where_it_goes() -> None:
    values = np.concatenate([np.geomspace(10, 0.001, 20), np.geomspace(0.001, 0.1, 16)])
    assert sparkline(columns_of(values, 18), 18) == "⠑⠤⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀"
    assert sparkline(columns_of(values, 18), 18, log=True) == "⠉⠉⠒⠒⠒⠤⠤⠤⣀⣀⣀⣀⣀⠤⠤⠤⠤⠤"
    assert sparkline(columns_of([0.0, 1.0], 4), 4, log=True) == sparkline(columns_of([0.0, 1.0], 4), 4)


def test_a_history_without_points_is_blank() -> None:
    assert sparkline(no_columns(), 4) == "    "


# ── histogram, strip, bar ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("counts", "shown"),
    [
        ([4, 8, 2, 0], ["█   ", "██▄ "]),
        ([8, 8, 8, 8, 1, 1, 0, 0], ["██  ", "██▂ "]),
        ([1000, 1], ["██  ", "██▁▁"]),
        ([], ["    ", "    "]),
        ([0, 0, 0], ["    ", "    "]),
        ([math.nan, math.inf, 4, -3], ["█   ", "█   "]),
    ],
)
def test_usage_is_sorted_and_only_what_is_unused_is_blank(counts: list[float], shown: list[str]) -> None:
    assert histogram(counts, 4, 2) == shown


@given(st.lists(NUMBERS, max_size=70), st.integers(0, 30), st.integers(0, 5), st.booleans(), st.booleans())
def test_a_histogram_has_its_size(counts: list[float], cells: int, height: int, sort: bool, ascii: bool) -> None:
    lines = histogram(counts, cells, height, sort=sort, ascii=ascii)
    assert [len(line) for line in lines] == [cells] * height
    assert not ascii or all(line.isascii() for line in lines)


def test_usage_over_time_has_a_row_a_stretch_of_steps() -> None:
    steps = list(range(0, 800, 100))
    even, one = [1, 1, 1, 1], [0, 9, 0, 0]
    rows = strip(steps, [even] * 6 + [one] * 2, 4, 4)
    assert rows == [(0, "▒▒▒▒"), (256, "▒▒▒▒"), (512, " █  ")]
    assert span_of(steps, 4) == 256
    assert strip(steps, [even] * 8, 4, 4, ascii=True)[0] == (0, "::::")


def test_many_codes_share_a_cell_and_few_are_repeated() -> None:
    assert strip([0], [[1] * 512], 8, 3) == [(0, "▒" * 8)]
    assert strip([0], [[0, 1]], 8, 3) == [(0, "    ▓▓▓▓")]


@given(
    st.lists(st.tuples(st.integers(-(2**40), 2**40), st.lists(NUMBERS, min_size=3, max_size=3)), max_size=30),
    st.integers(0, 12),
    st.integers(0, 6),
)
def test_a_strip_never_has_more_rows_than_fit(frames: list[tuple[int, list[float]]], cells: int, height: int) -> None:
    rows = strip([step for step, _ in frames], [usage for _, usage in frames], cells, height)
    assert len(rows) <= height
    assert all(len(row) == cells for _, row in rows)
    assert [step for step, _ in rows] == sorted(step for step, _ in rows)


@pytest.mark.parametrize(
    ("share", "shown"), [(0.0, "    "), (1.0, "████"), (0.5, "██  "), (0.001, "▏   "), (9.0, "████"), (math.nan, "    "), (-1, "    ")]
)
def test_a_bar_shows_anything_above_nothing(share: float, shown: str) -> None:
    assert bar(share, 4) == shown
    assert bar(share, 4, ascii=True).rstrip(" ") == "#" * len(shown.rstrip(" "))


# ── scrubber ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_scrubber_shows_marks_what_was_seen_and_now() -> None:
    pins = [Pin(10, "●"), Pin(20, "▲", "amber"), Pin(20.5, "●"), Pin(40, "✖", "red"), Pin(900, "●")]
    line = scrubber(0, 100, 55, 52, pins=pins, seen=[(40, 55)])
    assert text_of(line) == "├─────●────▲─────────✖━━━━━━┿──────────────────────┤"
    assert ("✖", "red") in line
    assert ("┿", "strong") in line
    assert text_of(scrubber(0, 100, 55, 22, pins=pins, seen=[(40, 55)], ascii=True)) == "|--o-!---X==+--------|"


def test_the_ends_of_a_recording_are_the_ends_of_the_line() -> None:
    assert text_of(scrubber(0, 10, 0, 8)) == "├┿─────┤"
    assert text_of(scrubber(0, 10, 10, 8)) == "├─────┿┤"
    assert text_of(scrubber(5, 5, 5, 8)) == "├─────┿┤"


@given(st.floats(-10, 110), st.integers(3, 60), st.lists(st.tuples(NUMBERS, st.sampled_from("●▲✖")), max_size=9))
def test_a_scrubber_has_its_width_and_one_now(now: float, cells: int, marks: list[tuple[float, str]]) -> None:
    shown = text_of(scrubber(0, 100, now, cells, pins=[Pin(at, glyph) for at, glyph in marks], seen=[(math.nan, now), (90, 20)]))
    assert len(shown) == cells
    assert shown.count("┿") == 1


def test_a_cell_is_a_time() -> None:
    assert time_at(1, 0, 100, 12) == 5.0
    assert (time_at(0, 0, 100, 12), time_at(11, 0, 100, 12)) == (0.0, 100.0)


def grey(colour: tuple[int, int, int] | None) -> int | None:
    """The one value of a pixel whose three channels are equal."""
    assert colour is None or len(set(colour)) == 1
    return colour[0] if colour else None


# ── pictures, tables, cells ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_pictures_stand_side_by_side_two_pixels_a_cell() -> None:
    images = np.array([[[0, 255], [255, 255], [9, 9]], [[0, 0], [0, 0], [0, 0]]], np.uint8)
    rows = pictures(images, 6)
    assert [[(pixels.text, grey(pixels.upper), grey(pixels.lower)) for pixels in row] for row in rows] == [
        [("▀", 0, 255), ("▀", 255, 255), (" ", None, None), ("▀▀", 0, 0), (" ", None, None)],
        [("▀▀", 9, None), (" ", None, None), ("▀▀", 0, None), (" ", None, None)],
    ]
    assert pictures_as_text(images, 6) == ["▒█    ", "      "]
    assert pictures_as_text(images, 6, ascii=True)[0] == "=@    "
    assert how_many(images, 4) == 1


def test_floats_are_shares_of_white_and_nan_has_a_colour_of_its_own() -> None:
    row = pictures(np.array([[[0.0, 1.0, 0.5, np.nan]]]), 4)[0]
    assert [pixels.upper for pixels in row] == [(0, 0, 0), (255, 255, 255), (128, 128, 128), NO_NUMBER]
    assert {pixels.lower for pixels in row} == {None}
    assert pictures_as_text(np.array([[[1.0, np.nan]]]), 2, ascii=True) == ["@x"]
    assert grey(pictures(np.array([[[-1e308, 1e308]]]), 2)[0][0].upper) == 0


def test_colours_stay_colours() -> None:
    image = np.zeros((1, 2, 1, 3))
    image[0, 0, 0] = 1.0, 0.0, 0.5
    assert pictures(image, 1) == [[("▀", (255, 0, 128), (0, 0, 0))]]
    assert pictures_as_text(image, 1, ascii=True) == [":"]


@settings(max_examples=60)
@given(st.integers(0, 4), st.integers(0, 5), st.integers(0, 5), st.integers(0, 30), st.booleans(), st.data())
def test_pictures_of_any_shape_fit(n: int, h: int, w: int, cells: int, ascii: bool, data: st.DataObject) -> None:
    values = data.draw(st.lists(NUMBERS, min_size=n * h * w, max_size=n * h * w))
    lines = pictures_as_text(np.array(values, np.float64).reshape(n, h, w), cells, ascii=ascii)
    assert all(len(line) == cells for line in lines)


def test_columns_of_a_table_are_aligned_and_one_gives_way() -> None:
    rows = [["#017", "14.2 %", "3"], ["#233", "1.8 %", "15"]]
    assert table(rows, 20, sides=["left", "right", "right"]) == ["#017      14.2 %   3", "#233       1.8 %  15"]
    assert table([["a long name here", "1"], ["b", "22"]], 10, sides=["left", "right"]) == ["a lon…   1", "b       22"]
    assert table([], 10) == []


@pytest.mark.parametrize(
    ("text", "cells"), [("abc", 3), ("損失", 4), ("e\u0301", 1), ("á", 1), ("", 0), ("🙂", 2), ("＋", 2), ("한", 2)]
)  # fmt: skip
def test_width_is_counted_in_cells(text: str, cells: int) -> None:
    assert width(text) == cells
    assert [width(pad(text, size)) for size in range(9)] == list(range(9))


def test_what_is_cut_says_so() -> None:
    assert (cut("loss/commit", 6), cut("loss", 6), cut("損失損失", 5), cut("x", 0)) == ("loss/…", "loss", "損失…", "")
    assert (pad("ab", 5, "right"), pad("ab", 5, "middle"), pad("abcdef", 4, ascii=True)) == ("   ab", " ab  ", "abc~")
