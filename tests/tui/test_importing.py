"""Old runs of other programs as recordings: every value, in order, judged; and of what cannot be read, one sentence and nothing else."""

from __future__ import annotations

import json
import math
import os
import struct
import subprocess
import sys
import tracemalloc
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bedside_protocol.records import AlertChanged, LifecycleChanged, Metrics, Problem, Record, RunStarted
from bedside_protocol.runlog import read_records
from bedside_tui.importing.columns import Columns, NoSuchColumn
from bedside_tui.importing.imported import Imported
from bedside_tui.importing.order import in_order
from bedside_tui.importing.points import Points
from bedside_tui.importing.record_lines import record_from_json
from bedside_tui.importing.run import import_run
from bedside_tui.output import Unwritable
from bedside_tui.places import Unreadable
from bedside_tui.tfevents.events import Scalars, encoded_scalars, first_event, scalars_of
from bedside_tui.tfevents.framing import Broken, framed, masked_crc, read_frames
from bedside_tui.wire import FOUR, VARINT, field, key, varint

PointsOf = dict[str, list[tuple[int, float]]]


def imported(path: Path, columns: Columns | None = None, **renamed: str) -> Imported:
    return import_run(path, path.parent / "out", columns or Columns(), {column: name for name, column in renamed.items()})


def records(made: Imported) -> list[Record]:
    with open(made.log, "rb") as file:
        return list(read_records(file))


def rows(made: Imported) -> list[tuple[int, float, dict[str, float]]]:
    """Step, time and values of every row, in the order of the log."""
    found = []
    for record in records(made):
        if isinstance(block := record.body, Metrics):
            for at, (step, time) in enumerate(zip(block.steps.tolist(), block.times.tolist(), strict=True)):
                found.append((step, time, {name: float(block.values[place, at]) for place, name in enumerate(block.names)}))
    return found


def points(made: Imported) -> PointsOf:
    """(step, value) of every metric, in the order of the log."""
    found: PointsOf = {}
    for step, _, values in rows(made):
        for name, value in values.items():
            found.setdefault(name, []).append((step, value))
    return found


def table(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n")
    return path


def rounded(values: Iterable[float]) -> list[float]:
    return [float(np.float32(value)) for value in values]


# --- TensorBoard's event files

TORCH = """
import math, sys, numpy
from torch.utils.tensorboard import SummaryWriter
with SummaryWriter(sys.argv[1]) as writer:
    for step in range(300):
        writer.add_scalar("train/loss", 1 / (step + 3), step)
        writer.add_scalar("lr", 0.1 * 0.99**step, step)
        if step % 10 == 0:
            writer.add_scalar("eval/loss", math.sqrt(step), step, new_style=True)
    writer.add_scalar("train/loss", math.nan, 300)
    writer.add_scalar("train/loss", math.inf, 2**40)
    writer.add_histogram("weights", numpy.arange(9.0), 300)
    writer.add_text("note", "hello", 300)
"""
TENSORBOARDX = """
import sys, tensorboardX
writer = tensorboardX.SummaryWriter(sys.argv[1])
for step in range(300):
    writer.add_scalar("loss", 1 / (step + 3), step)
    writer.add_scalars("pair", {"a": step * 0.1}, step)
writer.close()
"""


def written_by(script: str, directory: Path) -> None:
    """A process of its own: the writers start threads, and warn of their own parts."""
    ran = subprocess.run([sys.executable, "-c", script, str(directory)], capture_output=True, text=True, timeout=120, check=False)
    assert ran.returncode == 0, ran.stderr


def test_every_scalar_of_a_log_written_by_torch_is_imported_equal(tmp_path: Path) -> None:
    written_by(TORCH, tmp_path / "vq")
    made = imported(tmp_path / "vq")
    found = points(made)
    steps = list(range(300))
    losses = found["train/loss"]
    assert losses[:300] == list(zip(steps, rounded(1 / (step + 3) for step in steps), strict=True))
    assert losses[300][0] == 300
    assert math.isnan(losses[300][1])
    assert losses[301] == (2**40, math.inf)
    assert found["lr"] == list(zip(steps, rounded(0.1 * 0.99**step for step in steps), strict=True))
    assert found["eval/loss"] == list(zip(steps[::10], rounded(math.sqrt(step) for step in steps[::10]), strict=True))
    assert set(found) == {"train/loss", "lr", "eval/loss"}
    assert list(made.left_out.values()) == [2]
    assert made.verdict == "red"
    assert made.id.startswith("vq-20")


def test_every_scalar_of_a_log_written_by_tensorboardx_is_imported_equal(tmp_path: Path) -> None:
    written_by(TENSORBOARDX, tmp_path / "gan")
    made = imported(tmp_path / "gan")
    steps = list(range(300))
    assert points(made) == {"loss": list(zip(steps, rounded(1 / (step + 3) for step in steps), strict=True))}
    assert made.left_out == {"runs in directories below (pair/a)": 1}


def events(path: Path, *said: tuple[float, int, str, float], beginning: bytes = b"") -> Path:
    """An event file of (wall time, step, tag, value)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    body = b"".join(framed(encoded_scalars(Scalars(time, step, ((tag, value),)))) for time, step, tag, value in said)
    path.write_bytes((beginning or framed(first_event(said[0][0]))) + body)
    return path


def tensor(dtype: int, *fields: bytes, shape: bytes = b"") -> bytes:
    """An event at step 7 that gives `x` as a tensor."""
    value = field(1, b"x") + field(8, key(1, VARINT) + varint(dtype) + field(2, shape) + b"".join(fields))
    return key(2, VARINT) + varint(7) + field(5, field(1, value))


@pytest.mark.parametrize(
    ("event", "value"),
    [
        (tensor(1, field(5, struct.pack("<f", 0.5))), 0.5),
        (tensor(2, field(6, struct.pack("<d", 0.1))), 0.1),
        (tensor(2, field(4, struct.pack("<d", 0.1))), 0.1),
        (tensor(9, field(10, varint((1 << 64) - 3))), -3.0),
        (tensor(3, key(7, VARINT) + varint(12)), 12.0),
        (tensor(19, field(13, varint(0x3C00))), 1.0),
        (tensor(1, key(5, FOUR) + struct.pack("<f", 2.0)), 2.0),
        (tensor(1), 0.0),
        (tensor(1, field(5, struct.pack("<f", 0.5)), shape=field(2, key(1, VARINT) + varint(1))), 0.5),
    ],
    ids=["float", "double", "content", "int64", "int32", "half", "unpacked", "zero", "one-element"],
)
def test_a_scalar_is_also_read_as_a_tensor(event: bytes, value: float) -> None:
    assert scalars_of(event) == Scalars(0.0, 7, (("x", value),))


@pytest.mark.parametrize(
    "event",
    [tensor(7, field(8, b"text")), tensor(1, field(5, struct.pack("<2f", 1, 2)), shape=field(2, key(1, VARINT) + varint(2)))],
    ids=["text", "vector"],
)
def test_what_is_no_scalar_is_counted(event: bytes) -> None:
    assert scalars_of(event) == Scalars(0.0, 7, (), 1)


def test_the_checksum_is_that_of_the_standard_rotated_and_masked() -> None:
    crc = 0xE3069283  # CRC-32C of these digits, RFC 3720
    assert masked_crc(b"123456789") == (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


@given(st.binary(max_size=200))
def test_any_bytes_are_scalars_or_a_value_error(data: bytes) -> None:
    try:
        said = scalars_of(data)
    except ValueError:
        return
    assert isinstance(said, Scalars)


def test_a_file_cut_anywhere_gives_all_whole_records_before_the_cut(tmp_path: Path) -> None:
    whole = events(tmp_path / "f", *((float(step), step, "loss", 1.0) for step in range(3))).read_bytes()
    (tmp_path / "f").write_bytes(whole)
    with open(tmp_path / "f", "rb") as file:
        ends = [frame.offset for frame in read_frames(file)] + [len(whole)]
    for cut in range(len(whole)):
        (tmp_path / "f").write_bytes(whole[:cut])
        with open(tmp_path / "f", "rb") as file:
            found = list(read_frames(file))
        kept = sum(end <= cut for end in ends[1:])
        assert [getattr(each, "data", None) is not None for each in found[:kept]] == [True] * kept
        assert found[kept:] == ([] if cut in ends else [Broken(ends[kept], torn=True)])


def test_a_torn_file_is_read_to_where_it_is_torn_and_that_is_said(tmp_path: Path) -> None:
    path = events(tmp_path / "run" / "events.out.tfevents.1.host", *((100.0 + step, step, "loss", 1.0) for step in range(5)))
    whole = path.read_bytes()
    start = whole.rindex(framed(encoded_scalars(Scalars(104.0, 4, (("loss", 1.0),)))))
    path.write_bytes(whole[:-3])
    made = imported(tmp_path / "run")
    assert points(made) == {"loss": [(step, 1.0) for step in range(4)]}
    assert list(made.left_out) == [f"events.out.tfevents.1.host from byte {start:,} on, where it is cut off"]


def test_of_a_changed_bit_only_its_record_is_lost(tmp_path: Path) -> None:
    path = events(tmp_path / "run" / "x.tfevents", *((100.0 + step, step, "loss", float(step)) for step in range(5)))
    data = bytearray(path.read_bytes())
    data[data.index(struct.pack("<f", 3.0))] ^= 1
    path.write_bytes(data)
    made = imported(tmp_path / "run")
    assert points(made) == {"loss": [(step, float(step)) for step in (0, 1, 2, 4)]}
    assert made.left_out == {"events that do not match their checksum": 1}


def test_files_that_follow_each_other_are_one_run_that_went_back_to_a_checkpoint(tmp_path: Path) -> None:
    events(tmp_path / "run" / "b.tfevents.1", *((1e9 + step, step, "loss", 1.0) for step in range(6)))
    events(tmp_path / "run" / "a.tfevents.2", *((1e9 + 100 + step, step, "loss", 2.0) for step in range(3, 8)))
    made = imported(tmp_path / "run")
    assert [step for step, _ in points(made)["loss"]] == [*range(6), *range(3, 8)]
    started = records(made)[0].body
    assert isinstance(started, RunStarted)
    assert (started.wall_start, started.project, started.name) == (1e9, "imported", "run")


def test_files_that_tell_the_same_metric_of_the_same_time_are_two_runs_and_are_refused(tmp_path: Path) -> None:
    for name in ("a.tfevents", "b.tfevents"):
        events(tmp_path / "runs" / name, *((1e9 + step, step, "loss", 1.0) for step in range(5)))
    with pytest.raises(Unreadable, match=r"a.tfevents and b.tfevents tell 'loss' of the same time and are two runs: name one of the files"):
        imported(tmp_path / "runs")
    assert not (tmp_path / "out").exists()
    assert imported(tmp_path / "runs" / "a.tfevents").values == 5


def test_files_of_one_time_that_tell_different_metrics_are_one_run(tmp_path: Path) -> None:
    for tag in ("train", "eval"):
        events(tmp_path / "run" / f"{tag}.tfevents", *((1e9 + step, step, tag, 1.0) for step in range(5)))
    assert rows(imported(tmp_path / "run"))[3] == (3, 3.0, {"eval": 1.0, "train": 1.0})


def test_values_of_one_step_are_one_row_at_the_time_of_the_last(tmp_path: Path) -> None:
    path = events(tmp_path / "x.tfevents", (1e9, 1, "a", 1.0), (1e9 + 0.25, 1, "b", 2.0), (1e9 + 1, 2, "a", 3.0))
    assert rows(imported(path)) == [(1, 0.25, {"a": 1.0, "b": 2.0}), (2, 1.0, {"a": 3.0})]


# --- tables


def test_a_wide_table_is_read_by_the_names_trainers_give_their_columns(tmp_path: Path) -> None:
    path = table(tmp_path / "digits.csv", "epoch,train_loss,step,val_loss", "0,0.5,10,", "0,0.25,20,", "0,,20,0.75")
    made = imported(path)
    assert rows(made) == [
        (10, 0.0, {"epoch": 0.0, "train_loss": 0.5}),
        (20, 1.0, {"epoch": 0.0, "train_loss": 0.25}),
        (20, 2.0, {"epoch": 0.0, "val_loss": 0.75}),
    ]
    assert made.notes == (
        "not every value has a time: the time of a row is its number",
        "values that repeat a step of their metric, all of them kept: 1",
    )


def test_columns_are_what_a_person_says_they_are(tmp_path: Path) -> None:
    path = table(tmp_path / "x.csv", "when;n;train/loss;step", "0.5;3;0.25;9", "1.5;4;0.125;9")
    made = imported(path, Columns("n", "when"), loss="train/loss")
    assert rows(made) == [(3, 0.5, {"loss": 0.25, "step": 9.0}), (4, 1.5, {"loss": 0.125, "step": 9.0})]


@pytest.mark.parametrize(
    ("columns", "renamed", "why"),
    [
        (Columns("global_step"), {}, "nothing is called 'global_step': there are n, loss"),
        (Columns(None, "t"), {}, "nothing is called 't': there are n, loss"),
        (Columns(), {"a": "acc"}, "nothing is called 'acc': there are n, loss"),
    ],
)
def test_a_column_that_is_not_there_is_told_with_those_that_are(
    columns: Columns, renamed: dict[str, str], why: str, tmp_path: Path
) -> None:
    path = table(tmp_path / "x.csv", "n,loss", "3,0.25")
    with pytest.raises(NoSuchColumn) as raised:
        imported(path, columns, **renamed)
    assert str(raised.value) == why
    assert not (tmp_path / "out").exists()


def test_a_metric_of_a_long_table_may_be_called_as_the_columns_of_step_and_time_are(tmp_path: Path) -> None:
    made = imported(table(tmp_path / "x.csv", "step,time,metric,value", "1,10,loss,0.5", "1,10,time,0.02", "2,20,step,7"))
    assert rows(made) == [(1, 10.0, {"loss": 0.5, "time": 0.02}), (2, 20.0, {"step": 7.0})]


def test_a_long_table_sorted_by_metric_becomes_rows_of_all_metrics(tmp_path: Path) -> None:
    lines = [f"{step},{name},{value}" for name, value in (("loss", 1.0), ("acc", 0.5)) for step in (1, 2, 3)]
    made = imported(table(tmp_path / "x.csv", "step,metric,value", *lines))
    assert rows(made) == [(step, step - 1.0, {"loss": 1.0, "acc": 0.5}) for step in (1, 2, 3)]
    assert made.notes[1] == "values that stood out of the order of steps and were put into it: 2"


@pytest.mark.parametrize(
    "times",
    [
        ["1700000000.5", "1700000001.5", "1700000003.5"],
        ["1700000000500", "1700000001500", "1700000003500"],
        ["2023-11-14T22:13:20.5", "2023-11-14T22:13:21.500+00:00", "2023-11-14 23:13:23.5+01:00"],
    ],
    ids=["seconds", "milliseconds", "dates"],
)
def test_times_of_the_calendar_are_seconds_since_the_first(times: list[str], tmp_path: Path) -> None:
    made = imported(table(tmp_path / "x.csv", "step,timestamp,loss", *(f"{at},{time},1" for at, time in enumerate(times))))
    assert [time for _, time, _ in rows(made)] == [0.0, 1.0, 3.0]
    started = records(made)[0].body
    assert isinstance(started, RunStarted)
    assert started.wall_start == 1700000000.5


def test_times_out_of_order_are_put_in_order_and_that_is_said(tmp_path: Path) -> None:
    made = imported(table(tmp_path / "x.csv", "step,time,loss", "3,3,0.3", "1,1,0.1", "2,2,0.2"))
    assert points(made) == {"loss": [(1, 0.1), (2, 0.2), (3, 0.3)]}
    assert made.notes == ("values that stood out of the order of times and were put into it: 2",)
    problems = [record.body for record in records(made) if isinstance(record.body, Problem)]
    assert problems == [Problem(made.notes[0], 1, "import")]


def test_a_stopwatch_that_a_resume_began_anew_does_not_mix_the_steps_before_and_after_it(tmp_path: Path) -> None:
    made = imported(table(tmp_path / "x.csv", "step,elapsed,loss", "1,5,0.4", "2,10,0.3", "3,5,0.2", "4,10,0.1"))
    assert rows(made) == [(step, step - 1.0, {"loss": (5 - step) / 10}) for step in (1, 2, 3, 4)]
    assert made.notes == ("times begin anew while steps go on and are not used: the time of a row is its number",)
    back = imported(table(tmp_path / "y.csv", "step,elapsed,loss", "1,5,0.4", "2,10,0.3", "3,15,0.2", "2,5,0.3", "3,10,0.2", "4,15,0.1"))
    assert [step for step, _, _ in rows(back)] == [1, 2, 2, 3, 3, 4]


def test_what_is_no_number_is_counted_and_the_rest_is_read(tmp_path: Path) -> None:
    lines = ["1,0.5,ok", "2,,None", "x,0.5,", "4,0.25", '5,nan,"a', 'b"', "6,1e400,"]
    made = imported(table(tmp_path / "x.csv", "step,loss,state", *lines))
    found = points(made)["loss"]
    assert found[0] == (1, 0.5)
    assert math.isnan(found[1][1])
    assert found[2] == (6, math.inf)
    assert made.left_out == {
        "values that are no number": 2,
        "rows whose step is no whole number": 1,
        "lines with fewer or more cells than the first": 1,
    }


def test_without_a_column_for_the_step_rows_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "x.tsv"
    path.write_bytes(b"\xef\xbb\xbfloss\tacc\r\n0.5\t0.1\r\n0.25\t0.2\r\n")
    made = imported(path)
    assert points(made) == {"loss": [(1, 0.5), (2, 0.25)], "acc": [(1, 0.1), (2, 0.2)]}
    assert made.notes[0] == "no column is the step: rows are counted"


# --- JSON


def test_objects_a_line_are_rows_and_what_is_nested_has_its_path(tmp_path: Path) -> None:
    lines = ['{"_step": 1, "_timestamp": 1700000000, "train": {"loss": 0.5, "n": {"lr": 1e-3}}, "tags": ["a"], "done": false}']
    lines += ["not json", '{"_step": 2, "_timestamp": 1700000002.5, "train": {"loss": NaN}}', '{"_step": 3, "train": {"loss"']
    made = imported(table(tmp_path / "history.jsonl", *lines))
    assert rows(made)[0] == (1, 0.0, {"train/loss": 0.5, "train/n/lr": 0.001})
    assert rows(made)[1][:2] == (2, 2.5)
    assert math.isnan(rows(made)[1][2]["train/loss"])
    assert made.left_out == {"values that are no number": 2, "lines that are no JSON object": 2}
    assert made.verdict in ("red", "amber")


STATE = {
    "global_step": 30,
    "log_history": [
        {"epoch": 0.5, "learning_rate": 5e-5, "loss": 2.5, "step": 10},
        {"epoch": 1.0, "eval_loss": 2.25, "step": 10},
        {"epoch": 1.5, "learning_rate": 4e-5, "loss": 2.0, "step": 20},
        {"epoch": 2.0, "step": 30, "total_flos": 1e15, "train_loss": 2.1},
    ],
}


@pytest.mark.parametrize("indent", [None, 2])
def test_the_history_of_a_trainers_state_is_imported(indent: int | None, tmp_path: Path) -> None:
    (tmp_path / "bert").mkdir()
    (tmp_path / "bert" / "trainer_state.json").write_text(json.dumps(STATE, indent=indent))
    made = imported(tmp_path / "bert" / "trainer_state.json")
    assert points(made)["loss"] == [(10, 2.5), (20, 2.0)]
    assert points(made)["eval_loss"] == [(10, 2.25)]
    assert made.id.startswith("bert-")


def test_of_a_trainers_checkpoints_the_newest_tells_the_whole_run(tmp_path: Path) -> None:
    for step in (9, 10, 100):
        directory = tmp_path / "bert" / f"checkpoint-{step}"
        directory.mkdir(parents=True)
        history = [{"step": each, "loss": 1.0} for each in range(0, step + 1, 3)]
        (directory / "trainer_state.json").write_text(json.dumps({"log_history": history}))
    made = imported(tmp_path / "bert")
    assert (made.last_step, made.values) == (99, 34)


# --- what is made


def test_an_imported_recording_begins_ends_and_holds_its_alarms_where_they_arose(tmp_path: Path) -> None:
    losses = [*(2.0 - 0.001 * step for step in range(600)), *[50.0] * 200]
    made = imported(table(tmp_path / "x.csv", "step,loss", *(f"{step},{loss}" for step, loss in enumerate(losses, 1))))
    found = records(made)
    assert isinstance(found[0].body, RunStarted)
    *_, last = (record.body for record in found if isinstance(record.body, LifecycleChanged))
    assert last == LifecycleChanged("finished", "imported: how the training ended is not told", 800)
    assert [record.seq for record in found] == list(range(1, len(found) + 1))
    assert all(before.time <= after.time for before, after in pairwise(found))
    fired = [
        (at, record.body) for at, record in enumerate(found) if isinstance(record.body, AlertChanged) and record.body.state == "firing"
    ]
    assert {change.rule for _, change in fired} == {"explosion"}
    for at, change in fired:
        cause = next(record.body for record in reversed(found[:at]) if isinstance(record.body, Metrics))
        assert cause.steps[0] <= change.step <= cause.steps[-1]


def test_what_is_imported_twice_is_found_to_be_there(tmp_path: Path) -> None:
    path = table(tmp_path / "x.csv", "step,time,loss", "1,1700000000,0.5")
    before = imported(path).log.read_bytes()
    with pytest.raises(Unwritable, match="is there already: this has been imported before"):
        imported(path)
    (made,) = (tmp_path / "out").iterdir()
    assert [entry.name for entry in made.iterdir()] == ["run.bedside"]
    assert (made / "run.bedside").read_bytes() == before


def test_an_id_that_somebody_wrote_into_a_file_leads_nowhere_else(tmp_path: Path) -> None:
    body = {"id": "../../../etc/x y", "name": "n", "project": "p", "wall_start": 0.0}
    line = {"seq": 1, "time": 0.0, "rank": 0, "counter": 1, "kind": "run", "body": body}
    made = imported(table(tmp_path / "x.jsonl", json.dumps(line), '{"seq": 2, "time": 0.0, "kind": "run", "body": {}}'))
    assert made.log == tmp_path / "out" / "etc-x-y" / "run.bedside"
    assert made.left_out == {"lines that are no record of this version": 1}


def test_an_array_of_what_is_no_number_takes_no_room_before_it_is_refused() -> None:
    array = {"meaning": "matrix", "dtype": "V100000000", "shape": [1], "values": [0], "labels": [], "rows": []}
    body = {"probe": "p", "step": 1, "scalars": {}, "arrays": {"a": array}}
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="not recorded"):
            record_from_json({"seq": 1, "time": 0.0, "rank": 0, "counter": 1, "kind": "snapshot", "body": body})
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(("by_metric", "bytes_each"), [(False, 12), (True, 30)], ids=["table", "metric by metric"])
def test_a_value_is_held_in_few_bytes_until_it_is_written(by_metric: bool, bytes_each: int) -> None:
    points = Points()
    moments = [(step, metric) for step in range(1000) for metric in range(10)]
    for step, metric in sorted(moments, key=lambda each: each[1]) if by_metric else moments:
        points.add(step, step * 0.5, f"m{metric}", 1.0)
        points.end_value()
    held = points.kept()
    assert sum(column.nbytes for column in (held.steps, held.times, held.ends, held.place, held.values)) == bytes_each * 10_000
    run = in_order(held, together=False)
    assert (run.order is None) is not by_metric
    assert [(row.step, len(row.values)) for row in run.rows()] == [(step, 10) for step in range(1000)]


# --- what cannot be imported


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("x.csv", b"", "is empty: what can be imported is CSV, JSON lines, trainer_state.json, event files of TensorBoard and"),
        ("x.csv", b"step,loss\n", "holds no value of any metric"),
        ("x.csv", b"step,loss\n1,a\n", "holds no value of any metric; not read: values that are no number (1)"),
        ("x.bin", bytes(range(128, 160)) + b"\0", "is no text: what can be"),
        ("x.parquet", b"PAR1....", "is Parquet: what can be"),
        ("x.txt", b"hello\nworld\n", "is no table: what can be"),
        ("x.json", b'{\n "a": 1\n}\n', "cannot be imported: it has no log_history"),
        ("x.json", b'{\n "a": ', "cannot be imported: it is no JSON object"),
        ("x.json", b'{"log_history": 3}', "cannot be imported: it has no log_history"),
        ("run.wandb", b":W&B\xe1\xbe\x00", "holds no value of any metric"),
        ("run.wandb", b":W&B\xe1\xbe\x01" + b"x" * 99, "is no table: what can be"),
        ("run.bedside", b"\x89BEDSIDE....", "is a recording already: bedside replay"),
        ("x.csv", b"x" * 200_000 + b",loss\n1,2\n", "cannot be imported: its first line has a cell too long for a column's name"),
        ("x.jsonl", b'{"a":' * 100_000, "cannot be imported: it is no JSON object"),
    ],
)
def test_a_foreign_file_is_refused_in_one_sentence_and_nothing_is_made(name: str, content: bytes, why: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(Unreadable) as raised:
        imported(tmp_path / name)
    assert str(raised.value).startswith(f"{tmp_path / name} {why}")
    assert [entry.name for entry in tmp_path.iterdir()] == [name]


def test_what_is_not_there_or_may_not_be_read_is_told_as_such(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match=r"cannot read .*none.csv: No such file or directory"):
        imported(tmp_path / "none.csv")
    (tmp_path / "loop.csv").symlink_to(tmp_path / "loop.csv")
    with pytest.raises(Unreadable, match=r"cannot read .*loop.csv: Too many levels of symbolic links"):
        imported(tmp_path / "loop.csv")


@contextmanager
def somebody_else(directory: Path) -> Iterator[None]:
    """What a mode forbids is forbidden within: root becomes nobody, who reaches this directory."""
    if os.geteuid():
        yield
        return
    for each in (directory, *list(directory.parents)[:-2]):
        each.chmod(0o755)
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_what_may_not_be_read_is_told_and_nothing_is_made(tmp_path: Path) -> None:
    (tmp_path / "run" / "closed").mkdir(parents=True)
    secret = table(tmp_path / "run" / "x.csv", "step,loss", "1,0.5")
    for each in (secret, secret.parent / "closed"):
        each.chmod(0)
    with somebody_else(tmp_path):
        with pytest.raises(Unreadable, match=r"cannot read .*x.csv: Permission denied"):
            imported(secret)
        with pytest.raises(Unreadable, match=r"cannot read .*closed: Permission denied"):
            imported(secret.parent / "closed")
    secret.unlink()
    refused = r"nothing that can be imported, and there are directories that may not be looked into \(closed\): that is CSV"
    with somebody_else(tmp_path), pytest.raises(Unreadable, match=refused):
        imported(secret.parent)
    assert [entry.name for entry in tmp_path.iterdir()] == ["run"]


def test_a_run_beside_what_may_not_be_looked_into_is_imported_and_that_is_told(tmp_path: Path) -> None:
    path = events(tmp_path / "run" / "x.tfevents", (1e9, 1, "loss", 1.0))
    (path.parent / "closed").mkdir(mode=0)
    (tmp_path / "out").mkdir(mode=0o777)
    (tmp_path / "out").chmod(0o777)
    with somebody_else(tmp_path):
        made = imported(path.parent)
    assert made.values == 1
    assert made.left_out == {"directories below that may not be looked into (closed)": 1}


def test_where_nothing_can_be_written_nothing_stays(tmp_path: Path) -> None:
    path = table(tmp_path / "x.csv", "step,loss", "1,0.5")
    (tmp_path / "file").write_text("")
    with pytest.raises(Unwritable, match=r"cannot make .*: Not a directory"):
        import_run(path, tmp_path / "file" / "runs", Columns(), {})
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["file", "x.csv"]


def test_a_directory_of_several_runs_is_refused_and_names_them(tmp_path: Path) -> None:
    for name in ("a", "b", "c", "d"):
        events(tmp_path / "runs" / name / "x.tfevents", (1e9, 1, "loss", 1.0))
    with pytest.raises(Unreadable, match=r"runs holds runs in 4 directories \(a, b, c, …\): name one of them"):
        imported(tmp_path / "runs")
    assert imported(tmp_path / "runs" / "a").values == 1


def test_a_search_below_a_directory_that_is_given_up_says_how_far_it_came(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bedside_tui.importing.sources._MOST_LOOKED_AT", 10)
    for name in "abcdef":
        (tmp_path / "runs" / name).mkdir(parents=True)
        (tmp_path / "runs" / name / "notes.txt").touch()
    with pytest.raises(Unreadable, match=r"holds nothing that can be imported, as far as the first 11 entries tell: that is CSV"):
        imported(tmp_path / "runs")
    events(tmp_path / "runs" / "a" / "x.tfevents", (1e9, 1, "loss", 1.0))
    with pytest.raises(Unreadable, match=r"holds runs in a directory \(a\), as far as the first 11 entries tell: name one of them"):
        imported(tmp_path / "runs")


def test_a_directory_of_ten_thousand_files_is_told_apart_from_one_with_a_run_in_it(tmp_path: Path) -> None:
    directory = tmp_path / "many"
    directory.mkdir()
    for number in range(10_000):
        (directory / f"{number:05}.txt").touch()
    with pytest.raises(Unreadable, match="many holds nothing that can be imported"):
        imported(directory)
    table(directory / "metrics.csv", "step,loss", "1,0.5")
    assert imported(directory).id.startswith("many-")
    table(directory / "other.csv", "step,loss", "1,0.5")
    with pytest.raises(Unreadable, match=r"many holds 2 files that may be runs \(metrics.csv, other.csv\): name one of them"):
        imported(directory)
