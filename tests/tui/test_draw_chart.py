"""Charts: axes that stand still, curves from reduced points, marks laid over them, and no number that breaks them."""

from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bedside_protocol.series import Series, no_columns
from bedside_tui.draw import chart
from bedside_tui.draw.cells import Pin
from bedside_tui.draw.chart import MARGIN, Curve, reads
from bedside_tui.draw.scale import axis_ticks, scale_for, tick_label

NUMBERS = st.one_of(st.floats(-5, 5), st.floats(), st.sampled_from([math.nan, math.inf, -math.inf, 1e308, -1e308, 5e-324, 0.0]))
W = 40


def series_of(values: object, steps: object = None) -> Series:
    series = Series()
    array = np.array(values, np.float64)
    at = np.arange(len(array)) if steps is None else np.array(steps, np.int64)
    series.extend(at, at * 0.1, array)
    return series


def drawn(series: Series, width: int = W, height: int = 9, axis: str = "step", **more: object) -> list[str]:
    curve = Curve(series.history().columns(reads(width), axis=axis))  # type: ignore[arg-type]
    return chart.text(chart.chart([curve], width, height, **more))  # type: ignore[arg-type]


def test_a_falling_line_falls() -> None:
    assert drawn(series_of(np.linspace(4, 0, 60))) == [
        "        4┤⠉⠒⠤⣀                          ",
        "         │    ⠉⠒⠢⢄⡀                     ",
        "         │        ⠈⠑⠢⢄⣀                 ",
        "        2┤             ⠉⠒⠤⣀             ",
        "         │                 ⠉⠑⠢⢄⡀        ",
        "         │                     ⠈⠑⠢⠤⣀    ",
        "        0┤                          ⠉⠒⠤⣀",
        "         └┬───────────────────────┬─────",
        "          0                      50     ",
    ]


def test_the_axis_stands_still_until_it_is_full_and_then_halves() -> None:
    values = np.sin(np.arange(130) / 9)
    at_40, at_59, at_61 = (drawn(series_of(values[:size])) for size in (40, 59, 61))
    assert at_40[-1] == at_59[-1]
    assert at_61[-1] != at_59[-1]
    grown = [(a[MARGIN : MARGIN + 19], b[MARGIN : MARGIN + 19]) for a, b in zip(at_40[:-2], at_59[:-2], strict=True)]
    assert all(before == after for before, after in grown)


def test_nan_breaks_the_line_and_is_marked_on_the_edge() -> None:
    values = [1.0] * 10 + [math.nan] * 10 + [1.0] * 10
    lines = drawn(series_of(values))
    marks = [at for at, char in enumerate(lines[-3]) if char == "╳"]
    assert marks == [MARGIN + cell for cell in range(5, 10)]
    curve = "".join(row[MARGIN + 6 : MARGIN + 9] for row in lines[:-3])
    assert curve.strip() == ""


def test_a_pause_breaks_the_line_over_time_but_not_over_steps() -> None:
    series = Series()
    steps = np.arange(40)
    series.extend(steps, np.where(steps < 20, steps * 1.0, steps + 40.0), np.ones(40))

    def holes(axis: str) -> int:
        row = max(drawn(series, axis=axis), key=lambda line: sum(0x2800 < ord(char) < 0x2900 for char in line))
        return len(row[MARGIN:].strip().split())

    assert holes("step") == 1
    assert holes("time") == 2


def test_events_stand_on_the_upper_edge_and_rulers_behind_the_curve() -> None:
    lines = drawn(series_of(np.ones(60)), pins=[Pin(30, "✖", "red"), Pin(31, "●"), Pin(900, "●")], rulers=[Pin(10, "┃")])
    assert lines[0].index("✖") == MARGIN + 15
    assert lines[0].count("●") == 0
    assert [line[MARGIN + 5] for line in lines[:-2]].count("┃") >= 5
    assert any(0x2800 < ord(line[MARGIN + 5]) < 0x2900 for line in lines[:-2])


def test_rulers_can_be_laid_over_a_chart_that_stands() -> None:
    curves = [Curve(series_of(np.sin(np.arange(60))).history().columns(reads(W)))]
    marks = [Pin(10, "┊", "second"), Pin(30.0, "┃", "strong")]
    assert chart.ruled(chart.chart(curves, W, 9), curves, W, marks) == chart.chart(curves, W, 9, rulers=marks)
    assert chart.ruled(chart.chart(curves, W, 9), curves, W, []) == chart.chart(curves, W, 9)


def test_an_axis_without_a_round_number_inside_has_no_tick() -> None:
    lines = drawn(series_of([1.0, 2.0], [600_003, 600_004]), 23, 9)
    assert lines[-2].strip() == "└" + "─" * 13
    assert lines[-3][:MARGIN].strip() == "1.0┤"


def test_two_curves_have_their_own_styles() -> None:
    one, two = series_of(np.zeros(50)), series_of(np.ones(50))
    curves = [Curve(one.history().columns(reads(W)), "curve"), Curve(two.history().columns(reads(W)), "second")]
    lines = chart.chart(curves, W, 9)
    styles = [{style for text, style in line if text.strip() and style in ("curve", "second")} for line in lines[:-2]]
    assert styles[0] == {"second"}
    assert styles[-1] == {"curve"}
    assert set().union(*styles) == {"curve", "second"}


def test_a_logarithmic_axis_leaves_out_what_it_cannot_show() -> None:
    lines = drawn(series_of([10.0**-at for at in range(5)] + [0.0, -1.0]), log=True, height=12)
    labels = [line[: MARGIN - 1].strip() for line in lines if line[MARGIN - 1] == "┤"]
    assert labels[0] == "1"
    assert labels[-1] == "1e-4" or labels[-1] == "0.0001"


def test_time_axes_speak_of_minutes() -> None:
    series = Series()
    series.extend(np.arange(60), np.arange(60) * 10.0, np.ones(60))
    assert "10m00" in drawn(series, axis="time")[-1]


def test_ascii_is_ascii() -> None:
    lines = drawn(series_of([1, 2, math.nan, 3]), ascii=True, pins=[Pin(1, "✖")], rulers=[Pin(2, "┊")])
    assert all(line.isascii() for line in lines)
    assert any("*" in line for line in lines)


@pytest.mark.parametrize(("width", "height"), [(0, 0), (1, 1), (12, 9), (40, 4), (20, 5), (200, 50)])
def test_every_size_is_exact(width: int, height: int) -> None:
    lines = drawn(series_of([1, 2, 3, 2, 1]), width, height)
    assert [len(line) for line in lines] == [width] * height


def test_nothing_to_draw_is_blank() -> None:
    assert chart.text(chart.chart([], 30, 8)) == [" " * 30] * 8
    assert chart.text(chart.chart([Curve(no_columns())], 30, 8)) == [" " * 30] * 8


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(-(2**63), 2**63 - 1), NUMBERS), min_size=1, max_size=40),
    st.booleans(),
    st.sampled_from(["step", "time"]),
)
def test_no_number_breaks_a_chart(points: list[tuple[int, float]], log: bool, axis: str) -> None:
    series = series_of([value for _, value in points], [step for step, _ in points])
    lines = drawn(series, 30, 8, axis=axis, log=log, rulers=[Pin(math.nan, "┃")], pins=[Pin(math.inf, "●"), Pin(points[0][0], "●")])
    assert [len(line) for line in lines] == [30] * 8


# ── scales ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("low", "high", "ends"),
    [(0.02, 2.3, (0.0, 2.5)), (1.1, 1.2, (1.1, 1.2)), (-0.2, 3, (-0.5, 3.0)), (5, 5, (4.4, 5.6)), (0, 0, (-1, 1)), (-3, -0.1, (-3, 0))],
)
def test_axes_end_at_round_numbers(low: float, high: float, ends: tuple[float, float]) -> None:
    scale = scale_for(low, high)
    assert (scale.low, scale.high) == pytest.approx(ends)


@given(st.floats(allow_nan=True), st.floats(allow_nan=True), st.booleans())
def test_every_scale_has_an_inside_and_labels_that_fit(a: float, b: float, log: bool) -> None:
    low, high = sorted((a, b)) if a == a and b == b else (a, b)
    scale = scale_for(low, high, log=log)
    assert math.isfinite(scale.low)
    assert math.isfinite(scale.high)
    assert scale.low < scale.high
    for place, label in scale.ticks(6):
        assert 0 <= place <= 1
        assert 0 < len(label) <= 9


@pytest.mark.parametrize(
    ("value", "step", "label"),
    [
        (0.5, 0.5, "0.5"),
        (0, 0.5, "0.0"),
        (2.0, 1.0, "2"),
        (0.025, 0.005, "0.025"),
        (12000, 1000, "12,000"),
        (3e-5, 1e-5, "3e-05"),
        (0, 0, "0"),
    ],
)
def test_labels_have_the_decimals_their_neighbours_need(value: float, step: float, label: str) -> None:
    assert tick_label(value, step) == label


def test_ticks_of_time_are_round_in_minutes_and_hours() -> None:
    assert [label for _, label in axis_ticks(0, 3600, "time", 5)] == ["0", "15m00", "30m00", "45m00", "1h00"]
    assert [label for _, label in axis_ticks(0, 10_000, "step", 6)] == ["0", "2,000", "4,000", "6,000", "8,000", "10,000"]
    assert axis_ticks(3, 3, "step", 5) == []


def test_plotext_is_loaded_by_the_first_chart_only() -> None:
    script = "import sys, bedside_tui.draw.chart; print('plotext' in sys.modules, 'textual' in sys.modules)"
    path = [part for part in sys.path if part]
    found = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path[:0] = {path!r}; {script}"], capture_output=True, text=True, check=True
    )
    assert found.stdout.split() == ["False", "False"]
