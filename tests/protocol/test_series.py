"""Histories: whatever is logged, a read at any width tells what a person reading every point would tell."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bedside_protocol.rows import Rows
from bedside_protocol.series import TICKS, Columns, Series, SeriesHistory, column_shift, smoothed

STEPS = st.one_of(st.integers(0, 60), st.integers(-(2**63), 2**63 - 1), st.sampled_from([10**12, -(10**12), 2**53 + 1]))
VALUES = st.one_of(st.floats(-5, 5), st.sampled_from([math.nan, math.inf, -math.inf, 1e308, -1e308, 5e-324, -0.0]), st.floats(width=64))
TIMES = st.one_of(st.floats(0, 100), st.sampled_from([math.nan, math.inf, -math.inf, 1e300, -1e300, 0.0]))
POINTS = st.lists(st.tuples(STEPS, TIMES, VALUES), max_size=400)
TRAINING = st.lists(st.tuples(st.integers(1, 9), st.floats(-5, 5)), min_size=1, max_size=900)


def series_of(points: list[tuple[int, float, float]], pieces: int = 1) -> Series:
    series = Series()
    for part in np.array_split(np.arange(len(points)), pieces):
        rows = [points[at] for at in part]
        series.extend(
            np.array([step for step, _, _ in rows], np.int64),
            np.array([at for _, at, _ in rows], np.float64),
            np.array([value for _, _, value in rows], np.float64),
        )
        series.settle()
    return series


def steady(steps: list[int], values: list[float]) -> Series:
    return series_of([(step, 0.5 * at, value) for at, (step, value) in enumerate(zip(steps, values, strict=True))])


def position(history: SeriesHistory, axis: str, at: int) -> int:
    return int(history.steps[at]) if axis == "step" else math.floor(float(history.times[at]) * TICKS)


def naive(history: SeriesHistory, columns: Columns, unit: float) -> None:
    """Every column again, point by point, in Python's own numbers."""
    span = round(columns.span / unit)
    points = [(position(history, columns.axis, at) // span, float(value)) for at, value in enumerate(history.values)]
    first = min(column for column, _ in points)
    assert max(column for column, _ in points) - first + 1 == len(columns)
    for at in range(len(columns)):
        inside = [value for column, value in points if column - first == at]
        finite = [value for value in inside if math.isfinite(value)]
        assert columns.count[at] == len(finite)
        assert columns.bad[at] == (len(finite) < len(inside))
        if finite:
            assert (columns.low[at], columns.high[at], columns.last[at]) == (min(finite), max(finite), finite[-1])
            exact = sum(value / len(finite) for value in finite)
            assert columns.mean[at] == pytest.approx(exact, rel=1e-6, abs=max(map(abs, finite)) * 1e-9 + 1e-320)
            assert columns.low[at] <= columns.mean[at] <= columns.high[at]
        else:
            assert np.isnan([columns.low[at], columns.high[at], columns.mean[at], columns.last[at]]).all()
    broken = [position(history, columns.axis, at) for at in range(1, len(history)) if history.steps[at] < history.steps[at - 1]]
    assert set(np.flatnonzero(columns.breaks)) == {it // span - first for it in broken}


@settings(max_examples=150, deadline=None)
@given(points=POINTS, width=st.integers(1, 70), pieces=st.integers(1, 9), share=st.floats(0, 1))
@example([(-(2**63), 0.0, 1.0), (2**63 - 1, 1.0, 2.0)], 1, 1, 1.0)
@example([(-(2**63), 0.0, 1.0)], 1, 1, 1.0)
def test_columns_tell_what_the_points_tell(points: list[tuple[int, float, float]], width: int, pieces: int, share: float) -> None:
    history = series_of(points, pieces).upto(round(share * len(points)))
    for axis, unit in (("step", 1.0), ("time", 1 / TICKS)):
        columns = history.columns(width, axis=axis)  # type: ignore[arg-type]
        assert len(columns) <= min(max(width, 2), len(history))
        if len(history):
            naive(history, columns, unit)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32), length=st.integers(300, 9000), width=st.integers(1, 300), restarts=st.integers(0, 5))
def test_long_runs_tell_what_their_points_tell(seed: int, length: int, width: int, restarts: int) -> None:
    random = np.random.default_rng(seed)
    steps = np.cumsum(random.integers(0, 60, length))
    for begin in random.integers(0, length, restarts):
        steps[begin:] -= random.integers(0, 2 * abs(int(steps[begin])) + 1)
    values = random.normal(size=length).cumsum()
    values[random.random(length) < 0.05] = np.nan
    values[length // 3 : length // 2] = np.inf
    series = Series()
    for part in np.array_split(np.arange(length), 7):
        series.extend(steps[part], part * random.random(), values[part])
        series.settle()
    history = series.upto(int(random.integers(1, length + 1)))
    naive(history, history.columns(width), 1.0)
    naive(history, history.columns(width, axis="time"), 1 / TICKS)


@settings(max_examples=60, deadline=None)
@given(points=POINTS, width=st.integers(1, 40), size=st.integers(0, 400))
def test_a_bounded_history_reads_as_if_the_rest_had_never_come(points: list[tuple[int, float, float]], width: int, size: int) -> None:
    size = min(size, len(points))
    bounded, alone = series_of(points, 3).upto(size), series_of(points[:size]).history()
    assert (len(bounded), bounded.lowest, bounded.highest, bounded.bad_since) == (size, alone.lowest, alone.highest, alone.bad_since)
    assert np.array_equal(np.array(bounded.last), np.array(alone.last), equal_nan=True)
    for axis in ("step", "time"):
        one, two = bounded.columns(width, axis=axis), alone.columns(width, axis=axis)  # type: ignore[arg-type]
        assert (one.span, len(one)) == (two.span, len(two))
        for name in ("start", "low", "high", "mean", "last", "count", "bad", "breaks"):
            assert np.allclose(getattr(one, name), getattr(two, name), rtol=1e-9, atol=0, equal_nan=True), name


@settings(max_examples=60, deadline=None)
@given(points=POINTS, step=st.one_of(STEPS.map(float), st.floats()))
def test_the_value_at_a_step_is_the_last_one_known_there(points: list[tuple[int, float, float]], step: float) -> None:
    history = series_of(points).history()
    found = history.value_at(step)
    segments: list[list[tuple[int, float]]] = []
    for at, (here, value) in enumerate(zip(history.steps.tolist(), history.values.tolist(), strict=True)):
        if at == 0 or here < history.steps[at - 1]:
            segments.append([])
        segments[-1].append((here, value))
    begun = [segment for segment in segments if segment[0][0] <= step]
    wanted = [point for point in begun[-1] if point[0] <= step][-1] if begun else None
    assert (found is None) == (wanted is None)
    if found is not None and wanted is not None:
        assert np.array_equal(np.array(found), np.array(wanted), equal_nan=True)


@settings(max_examples=60, deadline=None)
@given(points=POINTS)
def test_lowest_and_highest_are_the_earliest_extremes_of_finite_values(points: list[tuple[int, float, float]]) -> None:
    history = series_of(points, 4).history()
    finite = [(step, value) for step, _, value in points if math.isfinite(value)]
    assert history.lowest == (min(finite, key=lambda point: point[1]) if finite else None)
    assert history.highest == (max(finite, key=lambda point: point[1]) if finite else None)


@settings(max_examples=40, deadline=None)
@given(rows=TRAINING, width=st.integers(2, 40))
def test_columns_that_are_full_stand_still_until_two_become_one(rows: list[tuple[int, float]], width: int) -> None:
    steps = np.cumsum([stride for stride, _ in rows])
    series = steady(steps.tolist(), [value for _, value in rows])
    before = None
    for size in range(width * 9, len(series) + 1):
        now = series.upto(size).columns(width)
        if before is not None and now.span == before.span:
            whole = len(before) - 1
            assert np.array_equal(now.start[:whole], before.start[:whole])
            assert np.array_equal(now.low[:whole], before.low[:whole], equal_nan=True)
        elif before is not None:
            assert now.span > before.span
            assert math.log2(now.span / before.span).is_integer()
        assert (now.start % now.span == 0).all()
        before = now


def test_a_metric_logged_every_fifty_steps_has_no_empty_columns() -> None:
    columns = steady(list(range(0, 5000, 50)), [1.0] * 100).history().columns(200)
    assert columns.span == 64
    assert (columns.count > 0).all()


def test_the_spike_of_a_single_point_survives_any_width() -> None:
    values = np.zeros(100_000)
    values[77_777] = 9.0
    series = Series()
    series.extend(np.arange(100_000), np.arange(100_000) * 0.01, values)
    for width in (1, 7, 36, 500):
        assert series.history().columns(width).high.max() == 9.0
        assert series.history().columns(width, axis="time").high.max() == 9.0


def test_a_clock_that_goes_backwards_or_nowhere_never_turns_time_around() -> None:
    series = series_of([(0, 5.0, 1.0), (1, 3.0, 1.0), (2, math.nan, 1.0), (3, 1e300, 1.0), (4, 6.0, 1.0)], 2)
    assert series.history().times.tolist() == [5.0, 5.0, 5.0, 5.0, 6.0]


def test_a_resumed_run_begins_a_segment_and_keeps_both() -> None:
    history = steady([0, 1, 2, 3, 2, 3, 4], [5.0, 4.0, 3.0, 9.0, 3.0, 2.0, 1.0]).history()
    columns = history.columns(10)
    assert columns.breaks.tolist() == [False, False, True, False, False]
    assert (columns.low[3], columns.high[3], columns.last[3]) == (2.0, 9.0, 2.0)
    assert history.value_at(3) == (3, 2.0)
    assert history.value_at(1) == (1, 4.0)


def test_what_is_not_finite_is_dated_from_its_first_step() -> None:
    series = steady([0, 10, 20, 30, 40], [1.0, math.nan, 2.0, math.inf, math.nan])
    assert [series.upto(size).bad_since for size in range(6)] == [None, None, 10, None, 30, 30]


def test_arrays_of_different_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="differ in length: 2, 2, 1"):
        Series().extend(np.zeros(2, np.int64), np.zeros(2), np.zeros(1))


def test_an_empty_history_reads_as_no_columns() -> None:
    history = Series().history()
    assert (len(history), len(history.columns(10)), history.value_at(0), history.lowest) == (0, 0, None, None)
    assert history.last[:2] == (0, 0.0)
    assert math.isnan(history.last[2])


def test_smoothing_follows_the_points_where_columns_are_points() -> None:
    values = [4.0, 2.0, math.nan, 8.0, 6.0]
    line = steady(list(range(5)), values).history().columns(10, smoothing=0.5).mean
    level, trust, wanted = 0.0, 0.0, []
    for value in values:
        if math.isfinite(value):
            level, trust = 0.5 * level + 0.5 * value, 0.5 * trust + 0.5
        wanted.append(level / trust if math.isfinite(value) else math.nan)
    assert line == pytest.approx(wanted, nan_ok=True)


def test_smoothing_stays_within_the_values() -> None:
    columns = steady(list(range(500)), [1e308 if at % 2 else -1e308 for at in range(500)]).history().columns(20)
    line = smoothed(columns, 0.99)
    assert np.isfinite(line.mean).all()
    assert (np.abs(line.mean) <= 1e308).all()


@given(low=st.integers(-(2**63), 2**63 - 1), length=st.integers(0, 2**63), room=st.integers(1, 500))
def test_the_narrowest_aligned_columns_are_chosen(low: int, length: int, room: int) -> None:
    def needed(shift: int) -> int:
        return (low + length >> shift) - (low >> shift) + 1

    shift = column_shift(low, low + length, room)
    room = max(room, 2 if low < 0 <= low + length else 1)
    assert needed(shift) <= room
    assert shift == 0 or needed(shift - 1) > room


def test_a_read_costs_about_its_width_and_not_the_length() -> None:
    def seconds(length: int) -> float:
        series = Series()
        series.extend(np.arange(length), np.arange(length) * 0.01, np.sin(np.arange(length)))
        history = series.history()
        history.columns(200)
        begin = time.process_time()
        for _ in range(20):
            history.columns(200)
        return time.process_time() - begin

    assert min(seconds(1_000_000) for _ in range(3)) < 10 * min(seconds(10_000) for _ in range(3))


def test_histories_say_how_long_they_are() -> None:
    series = steady([1, 2, 3], [1.0, math.nan, 3.0])
    rows = Rows()
    rows.extend(np.array([1, 2]), np.array([0.0, 0.5]))
    assert repr(rows) == "<Rows 2>"
    assert repr(series.history().columns(10)).startswith("<Columns 3 of 1 step, 2 values, 1 bad")
