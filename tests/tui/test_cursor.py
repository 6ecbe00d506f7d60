"""The value cursor: it stands on columns that hold something, and says values that were logged."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bedside_protocol.records import Array, Record, Snapshot
from bedside_protocol.series import Series, SeriesHistory
from bedside_tui.cursor import Cursor, Spot, beside, column_step, value_at
from bedside_tui.sources.source import SourceStatus
from bedside_tui.store.store import Store
from bedside_tui.widgets.frame import Frame, Playhead
from bedside_tui.widgets.lines import plain
from bedside_tui.widgets.metrics import at_cursor
from bedside_tui.widgets.probe_panels import panel_of
from bedside_tui.widgets.spark import spark


def history(steps: object, values: object | None = None) -> SeriesHistory:
    series = Series()
    at = np.array(steps, np.int64)
    series.extend(at, np.arange(len(at), dtype=float), at.astype(float) if values is None else np.array(values, np.float64))
    return series.history()


def spot(step: int) -> Spot:
    return Spot(step, math.nan)


def test_it_begins_at_the_newest_point() -> None:
    assert column_step(history(range(1_000)), 10, None, 0) == 999
    assert column_step(history([]), 10, None, 0) is None


def test_it_moves_by_the_columns_of_the_chart_and_ends_at_their_ends() -> None:
    walk = [column_step(history(range(1_000)), 10, step, -1) for step in (999, 895, 767)]
    assert walk == [895, 767, 639]
    assert column_step(history(range(1_000)), 10, 0, -1) == 127
    assert column_step(history(range(1_000)), 10, 999, 1) == 999
    assert column_step(history(range(1_000)), 10, 639, -10) == 127


def test_columns_in_which_nothing_was_logged_are_passed_over() -> None:
    rare = history([0, 1, 2, 3, 500, 501, 502, 503])
    assert column_step(rare, 8, 503, -1) == 63
    assert column_step(rare, 8, 63, 1) == 503
    assert column_step(rare, 8, 300, -1) == 63
    assert column_step(rare, 8, 300, 1) == 503


@given(st.lists(st.integers(0, 5_000), min_size=1, max_size=60), st.integers(1, 40))
def test_pressing_on_comes_to_the_newest_column_and_never_stands_still_before(steps: list[int], width: int) -> None:
    track = history(steps)
    step = column_step(track, width, -1, 0)
    assert step is not None
    walk = [step]
    while (after := column_step(track, width, walk[-1], 1)) != walk[-1]:
        assert after is not None
        assert after > walk[-1]
        walk.append(after)
    assert walk[-1] >= track.columns(width).start[-1]
    assert len(walk) <= width + 1


def test_a_value_is_one_that_was_logged_and_tells_its_step() -> None:
    found = value_at(history([0, 100, 200], [3.0, 2.0, 1.0]), Cursor(spot(150)))
    assert found is not None
    assert (found.step, found.value, found.change) == (100, 2.0, None)
    assert value_at(history([100]), Cursor(spot(99))) is None


def test_with_a_pin_the_difference_is_told_and_as_a_share() -> None:
    cursor = Cursor(spot(200), spot(0))
    found = value_at(history([0, 200], [4.0, 3.0]), cursor)
    assert found is not None
    assert found.difference == "Δ -1.00 -25 %"
    assert at_cursor(history([0, 200], [4.0, 3.0]), cursor) == "┃ 3.00    Δ -1.00 -25 %"
    assert at_cursor(history([0, 200], [4.0, 3.0]), Cursor(spot(200))) == "┃ 3.00    @ 200"
    assert at_cursor(history([0, 200], [1.1e-05, 8.3e-05]), cursor) == "┃ 8.3e-05 Δ +7.2e-05"
    assert at_cursor(history([900]), cursor) == "┃ not logged yet"


def test_a_difference_that_means_nothing_is_not_told() -> None:
    assert beside((1, math.nan), (0, 1.0)).difference == ""
    assert beside((1, 1.0), (0, math.inf)).difference == ""
    assert beside((1, 1.0), None).difference == ""
    assert beside((1, 1.0), (0, 0.0)).difference == "Δ +1.00"
    assert beside((1, 2.0), (0, 1e-9)).difference == "Δ +2.00"


def test_its_cell_of_a_sparkline_stands_out_and_keeps_its_shape() -> None:
    track = history(range(64))
    plainly, marked = spark(track, 16, "curve"), spark(track, 16, "curve", cursor=Cursor(spot(32), spot(8)))
    assert plain([marked]) == plain([plainly])
    assert [(span.tone, len(span.text)) for span in marked] == [("curve", 2), ("mode", 1), ("curve", 5), ("cursor", 1), ("curve", 7)]


def test_it_says_where_it_is() -> None:
    assert Cursor(spot(1_303)).said == "step 1,303"
    assert Cursor(spot(1_303), spot(1_000)).said == "step 1,303 · Δ since 1,000"


def test_above_the_map_of_gradients_the_cursor_stands_over_its_column() -> None:
    store = Store()
    norms = [Snapshot("gradients", "gradients", step, {"tensors": 2.0}, {"layer_norm": Array("table", np.array([1.0, 2.0]), ("a", "b"))})
             for step in range(0, 800, 100)]  # fmt: skip
    store.feed(Record(float(at), body, seq=at + 1) for at, body in enumerate(norms))
    view = store.at(None)
    frame = Frame(view, SourceStatus("connected"), Playhead("now", 8.0, 0.0, 8.0), 0.2, 1000.0, view)
    ruled = replace(frame, cursor=Cursor(spot(650), spot(150)))
    heads = [plain(panel_of(view.probes[0], each, 120, 20)).split("\n") for each in (frame, ruled)]
    marked = next(row for row in heads[1] if "┃" in row and "┊" in row)
    assert marked.index("┃") - marked.index("┊") == 6 * (650 // 128 - 150 // 128)  # six cells a column of 128 steps
    assert not any("┃" in row for row in heads[0])
