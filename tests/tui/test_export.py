"""Recordings as CSV: every value once, numbers that read back as themselves, and only what was asked for."""

from __future__ import annotations

import csv
import io
import math
from xml.etree import ElementTree

import numpy as np
import pytest

from bedside_protocol.records import HUB_RANK, AlertChanged, Event, Metrics, Record, Snapshot, Tick
from bedside_tui.export.drawing import MOST_PANELS, Drawing
from bedside_tui.export.selection import Selection
from bedside_tui.export.table import names_in, write_long, write_wide


def block(first: int, **values: list[float]) -> Metrics:
    steps = np.arange(first, first + len(next(iter(values.values()))), dtype=np.int64)
    return Metrics(tuple(values), steps, steps * 0.1, np.array(list(values.values()), np.float64))


LOSS = Record(0.3, block(1, loss=[0.1, math.nan, 1e-300], lr=[1.0, 2.0, -math.inf]), 0, 1, 1)
EVERYTHING = Selection()
ACC = Record(0.4, block(4, acc=[1 / 3]), 0, 2, 2)


def long(*records: Record, chosen: Selection = EVERYTHING) -> list[str]:
    out = io.StringIO()
    write_long(out, chosen.blocks(records))
    return out.getvalue().splitlines()


def test_a_long_table_has_a_line_a_value_in_the_order_of_the_log() -> None:
    assert long(LOSS, ACC) == [
        "step,time,metric,value",
        "1,0.1,loss,0.1",
        "1,0.1,lr,1.0",
        "2,0.2,loss,nan",
        "2,0.2,lr,2.0",
        f"3,{3 * 0.1!r},loss,1e-300",
        f"3,{3 * 0.1!r},lr,-inf",
        f"4,0.4,acc,{1 / 3!r}",
    ]


def test_a_wide_table_has_a_column_a_metric_and_leaves_cells_empty_where_a_row_does_not_have_it() -> None:
    out = io.StringIO()
    blocks = [LOSS.body, ACC.body]
    assert all(isinstance(each, Metrics) for each in blocks)
    metrics = [each for each in blocks if isinstance(each, Metrics)]
    assert write_wide(out, metrics, names_in(metrics)) == 7
    rows = list(csv.DictReader(io.StringIO(out.getvalue())))
    assert list(rows[0]) == ["step", "time", "loss", "lr", "acc"]
    assert [row["loss"] for row in rows] == ["0.1", "nan", "1e-300", ""]
    assert [row["acc"] for row in rows] == ["", "", "", repr(1 / 3)]


def test_a_metric_that_came_after_the_columns_were_counted_is_left_out_of_a_wide_table() -> None:
    out = io.StringIO()
    assert isinstance(LOSS.body, Metrics)
    assert write_wide(out, [LOSS.body], ["lr"]) == 3
    assert out.getvalue().startswith("step,time,lr\n1,0.1,1.0\n")


def test_a_name_with_commas_quotes_and_line_feeds_reads_back_as_it_is() -> None:
    name = 'a,"b"\nc [T=64]'
    table = "\n".join(long(Record(0.0, block(1, **{name: [1.0]}))))
    assert [row["metric"] for row in csv.DictReader(io.StringIO(table))] == [name]


def test_metrics_are_chosen_by_name_and_values_by_step() -> None:
    assert long(LOSS, ACC, chosen=Selection(("l*",), 2, 2)) == ["step,time,metric,value", "2,0.2,loss,nan", "2,0.2,lr,2.0"]
    assert long(LOSS, ACC, chosen=Selection(("acc", "lr"), 3)) == [
        "step,time,metric,value",
        f"3,{3 * 0.1!r},lr,-inf",
        f"4,0.4,acc,{1 / 3!r}",
    ]


def test_the_metrics_of_other_ranks_have_names_of_their_own() -> None:
    lines = long(Record(0.1, block(1, loss=[1.0]), 0), Record(0.1, block(1, loss=[2.0]), 1), Record(0.1, block(1, **{"a [T=8]": [3.0]}), 2))
    assert lines[1:] == ["1,0.1,loss,1.0", "1,0.1,loss [rank=1],2.0", "1,0.1,a [T=8 rank=2],3.0"]


def test_of_whole_records_those_that_measure_are_chosen_by_step_and_the_others_stay() -> None:
    chosen = Selection(first=2, last=2)
    snapshots = [Record(0.0, Snapshot("vq", "codebook", step, {})) for step in (1, 2, 3)]
    others = [Record(0.0, Event("epoch", 9)), Record(0.0, Tick(2), HUB_RANK)]
    kept = [chosen.record(record) for record in (*snapshots, *others, Record(0.0, Tick(5), HUB_RANK), LOSS)]
    assert kept[:6] == [None, snapshots[1], None, *others, None]
    assert kept[6] is not None
    assert kept[6].body == Metrics(("loss", "lr"), np.array([2]), np.array([0.2]), np.array([[math.nan], [2.0]]))


def test_where_nothing_is_chosen_a_record_is_the_same_record() -> None:
    assert Selection().record(LOSS) is LOSS


# --- pictures

SVG = "{http://www.w3.org/2000/svg}"


def drawn(*blocks: Metrics, alarms: tuple[AlertChanged, ...] = ()) -> ElementTree.Element:
    """The picture, parsed: it is well-formed."""
    drawing = Drawing("digits <1>")
    for each in blocks:
        drawing.take(each)
    for change in alarms:
        drawing.mark(change)
    return ElementTree.fromstring("\n".join(drawing.lines()))


def texts(picture: ElementTree.Element) -> list[str]:
    return [str(each.text) for each in picture.iter(f"{SVG}text")]


def numbers_in(picture: ElementTree.Element, tag: str) -> list[tuple[float, float]]:
    """Every point of the lines or the bands."""
    found = [point.split(",") for each in picture.iter(f"{SVG}{tag}") for point in str(each.get("points")).split()]
    return [(float(x), float(y)) for x, y in found]


def test_a_picture_has_a_panel_a_metric_with_its_range_and_its_last_value() -> None:
    picture = drawn(block(1, loss=[4.0, 3.0, 2.0, 2.5], **{"a<b>&\x1b[2J": [1.0] * 4}))
    assert texts(picture) == [
        "digits <1>", "loss · 2.50", "4.00", "2.00", "1", "step 4", "a<b>&␛[2J · 1.00", "1.00", "1.00", "1", "step 4",
    ]  # fmt: skip
    assert picture.get("height") == str(44 + 2 * 160)
    points = numbers_in(picture, "polyline")[:4]
    assert [y for _, y in points] == [22.0, 77.0, 132.0, 104.5]
    assert [x for x, _ in points] == [100.0, 300.0, 500.0, 700.0]


def test_values_that_are_no_number_have_marks_and_bend_no_line() -> None:
    picture = drawn(block(1, loss=[1.0, math.nan, 3.0, math.inf]))
    marks = [str(each.text) for each in picture.iter(f"{SVG}title")]
    assert marks == ["not a finite number"] * 2
    assert [y for _, y in numbers_in(picture, "polyline")] == [132.0, 22.0]


def test_where_an_alarm_fired_its_metric_has_a_mark() -> None:
    changes = (
        AlertChanged("nonfinite", "loss", "pending", "red", 2),
        AlertChanged("nonfinite", "loss", "firing", "red", 3),
        AlertChanged("explosion", "other", "firing", "amber", 3),
    )
    picture = drawn(block(1, loss=[1.0] * 4), alarms=changes)
    assert [str(each.text) for each in picture.iter(f"{SVG}title")] == ["red at step 3"]


def test_a_picture_of_many_points_is_as_small_as_that_of_a_few_hundred_and_holds_the_highest() -> None:
    values = np.zeros(200_000)
    values[77_777] = 5.0
    picture = drawn(block(1, loss=values.tolist()))
    assert "5.00" in texts(picture)
    assert len(numbers_in(picture, "polyline")) <= 400
    assert min(y for _, y in numbers_in(picture, "polygon")) == 22.0


@pytest.mark.parametrize("values", [[math.nan] * 3, [1e308, -1e308], [5e-324, 0.0], [7.0], [-math.inf, math.inf, 1.0]])
def test_every_number_is_drawn_within_its_panel(values: list[float]) -> None:
    points = numbers_in(drawn(block(1, loss=values)), "polygon")
    assert all(0 <= x <= 800 and 22 <= y <= 132 for x, y in points)


def test_a_run_that_went_back_to_a_checkpoint_and_one_without_values_are_drawn() -> None:
    assert len(numbers_in(drawn(block(1, loss=[3.0, 2.0, 1.0]), block(2, loss=[2.5, 1.5])), "polyline")) == 3
    assert texts(drawn()) == ["digits <1>"]


def test_metrics_after_the_first_many_are_left_out_and_counted() -> None:
    drawing = Drawing("wide")
    drawing.take(block(1, **{f"m{number}": [1.0] for number in range(MOST_PANELS + 3)}))
    assert (len(drawing), len(drawing.left_out)) == (MOST_PANELS, 3)
