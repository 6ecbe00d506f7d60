"""Recordings as CSV: every value once, numbers that read back as themselves, and only what was asked for."""

from __future__ import annotations

import csv
import io
import math

import numpy as np

from bedside_protocol.records import HUB_RANK, Event, Metrics, Record, Snapshot, Tick
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
