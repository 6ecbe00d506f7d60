"""W&B's offline files: what its own package wrote is imported to the last digit, and a damaged file as far as it can be read."""

from __future__ import annotations

import json
import math
import shutil
import struct
import zlib
from collections.abc import Iterable, Iterator
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from offline_training import STEPS, training

from bedside_protocol.records import LifecycleChanged, Metrics, Record, RunStarted
from bedside_protocol.runlog import read_records as read_recording
from bedside_tui.importing.columns import Columns
from bedside_tui.importing.imported import Imported
from bedside_tui.importing.run import import_run
from bedside_tui.places import Unreadable
from bedside_tui.wandb_files.blocks import BLOCK, HEAD, Broken, read_records
from bedside_tui.wandb_files.records import told_by
from bedside_tui.wire import VARINT, field, key, varint

WRITTEN = Path(__file__).parent / "offline_run" / "run-line.wandb"


def imported(path: Path, out: Path, columns: Columns | None = None, **renamed: str) -> Imported:
    return import_run(path, out, columns or Columns(), {column: name for name, column in renamed.items()})


def recorded(made: Imported) -> list[Record]:
    with open(made.log, "rb") as file:
        return list(read_recording(file))


def rows(made: Imported) -> Iterator[tuple[int, float, dict[str, float]]]:
    for record in recorded(made):
        if isinstance(block := record.body, Metrics):
            for at, (step, time) in enumerate(zip(block.steps.tolist(), block.times.tolist(), strict=True)):
                yield step, time, {name: float(block.values[place, at]) for place, name in enumerate(block.names)}


# --- a file of the package itself


def test_every_value_that_the_package_wrote_is_imported_equal(tmp_path: Path) -> None:
    made = imported(WRITTEN, tmp_path)
    *logged, summary = rows(made)
    assert [(step, values) for step, _, values in logged] == [
        (step, {"loss": row["loss"], "weight/slope": row["weight"]["slope"], "weight/height": row["weight"]["height"], "lr": row["lr"]})
        for step, row in enumerate(training())
    ]
    assert (summary[0], summary[2]) == (STEPS, {"slope error": 0.5})
    times = [time for _, time, _ in (*logged, summary)]
    assert times == sorted(times)
    assert 0 < times[0] < 10
    assert made.form == "offline"
    assert made.notes == ()
    assert made.left_out == {"pictures, histograms and other values that are no numbers": 1, "values that are no number": 1}


def test_who_the_run_was_how_it_ended_and_its_alarms_are_in_the_recording(tmp_path: Path) -> None:
    made = imported(WRITTEN, tmp_path)
    first, *_, last = (record.body for record in recorded(made) if isinstance(record.body, RunStarted | LifecycleChanged))
    assert isinstance(first, RunStarted)
    assert (first.name, first.project, int(first.wall_start)) == ("line-1", "regression", 1795277796)
    about = {"imported from": "run-line.wandb", "format": "offline"}
    assert first.config == about | {"lr": 0.1, "wd": None, "data.name": "line", "data.points": 16, "api_key": "[redacted]"}
    assert last == LifecycleChanged("failed", "imported: it ended with exit code 1", STEPS)
    assert made.verdict == "red"
    assert made.id.startswith("line-1-2026")


def test_columns_are_what_a_person_says_they_are(tmp_path: Path) -> None:
    made = imported(WRITTEN, tmp_path, Columns(time="_runtime"), train="loss")
    assert {name for _, _, values in rows(made) for name in values} == {"train", "weight/slope", "weight/height", "lr", "slope error"}
    assert next(rows(made))[1] < 10


def test_the_directory_of_a_run_is_the_run_and_one_of_several_names_them(tmp_path: Path) -> None:
    for number in (1, 2):
        directory = tmp_path / "wandb" / f"offline-run-{number}"
        directory.mkdir(parents=True)
        shutil.copy(WRITTEN, directory)
        (directory / "files").mkdir()
    assert imported(tmp_path / "wandb" / "offline-run-1", tmp_path / "out").form == "offline"
    with pytest.raises(Unreadable, match=r"wandb holds runs in 2 directories \(offline-run-1, offline-run-2\): name one of them"):
        imported(tmp_path / "wandb", tmp_path / "out")
    shutil.copy(WRITTEN, tmp_path / "wandb" / "offline-run-1" / "run-other.wandb")
    with pytest.raises(Unreadable, match=r"holds 2 files that may be runs \(run-line.wandb, run-other.wandb\): name one of them"):
        imported(tmp_path / "wandb" / "offline-run-1", tmp_path / "out")


# --- damage


def test_a_file_that_is_cut_off_is_read_to_there_and_that_is_said(tmp_path: Path) -> None:
    whole = list(rows(imported(WRITTEN, tmp_path / "whole")))
    path = tmp_path / "run-line.wandb"
    path.write_bytes(WRITTEN.read_bytes()[:40_000])
    made = imported(path, tmp_path / "cut")
    found = list(rows(made))
    assert 60 < len(found) < len(whole)
    assert found == whole[: len(found)]
    (what,) = made.left_out
    assert what.startswith("what stands from byte 39,")
    assert what.endswith(" on, where the file is cut off")
    assert isinstance(recorded(made)[-1].body, LifecycleChanged)
    assert "how the training ended is not told" in recorded(made)[-1].body.reason


def test_of_a_changed_bit_the_rest_of_its_block_is_lost_and_the_next_is_read(tmp_path: Path) -> None:
    data = bytearray(WRITTEN.read_bytes())
    data[20_000] ^= 1
    path = tmp_path / "run-line.wandb"
    path.write_bytes(data)
    made = imported(path, tmp_path / "out")
    steps = [step for step, _, _ in rows(made)]
    assert steps[0] == 0
    assert steps[-1] == STEPS
    assert len(steps) < STEPS
    assert made.left_out["damaged places"] == 1


def blocks(records: Iterable[bytes]) -> bytes:
    """A file of these records, as the format says."""
    out = bytearray(HEAD)
    for record in records:
        left, first = record, True
        while first or left:
            room = BLOCK - len(out) % BLOCK
            if room < 7:
                out += bytes(room)
                room = BLOCK
            part, left = left[: room - 7], left[room - 7 :]
            kind = (1 if first else 4) if not left else (2 if first else 3)
            out += struct.pack("<IHB", zlib.crc32(bytes([kind]) + part), len(part), kind) + part
            first = False
    return bytes(out)


RECORDS = st.lists(st.integers(0, 3 * BLOCK).map(lambda size: bytes([size % 251]) * size), max_size=5)


@given(RECORDS, st.data())
def test_a_file_cut_anywhere_gives_all_whole_records_before_the_cut(records: list[bytes], data: st.DataObject) -> None:
    ends = [len(blocks(records[:count])) for count in range(len(records) + 1)]
    file = blocks(records)
    cut = data.draw(st.integers(len(HEAD), len(file)))
    found = list(read_records(BytesIO(file[:cut])))
    whole = [each for each in found if isinstance(each, bytes)]
    assert whole == records[: sum(end <= cut for end in ends[1:])]
    broken = found[len(whole) :]
    assert broken == [] if cut in ends else len(broken) <= 1
    assert all(isinstance(each, Broken) and each.torn for each in broken)


@given(RECORDS, st.data())
def test_of_a_file_with_a_changed_byte_only_what_was_written_is_read(records: list[bytes], data: st.DataObject) -> None:
    file = bytearray(blocks(records))
    if len(file) == len(HEAD):
        return
    file[data.draw(st.integers(len(HEAD), len(file) - 1))] ^= data.draw(st.integers(1, 255))
    found = [each for each in read_records(BytesIO(file)) if isinstance(each, bytes)]
    left = iter(records)
    assert all(any(each == record for record in left) for each in found)


@given(st.binary(max_size=200))
def test_any_bytes_tell_something_nothing_or_are_a_value_error(data: bytes) -> None:
    try:
        told_by(data)
    except ValueError:
        return


def logged(step: int, **values: object) -> bytes:
    """A record of one row."""
    items = b"".join(field(1, field(1, name.encode()) + field(16, json.dumps(value).encode())) for name, value in values.items())
    return field(2, items + field(2, key(1, VARINT) + varint(step)))


def test_a_row_without_items_of_its_own_has_the_step_of_the_record_and_a_value_that_is_json_has_its_path(tmp_path: Path) -> None:
    path = tmp_path / "run-a.wandb"
    table = {"_type": "table-file", "nrows": 3}
    path.write_bytes(blocks([logged(3, loss=math.nan, t={"acc": 0.5, "n": {"x": 1}}), b"\xff", logged(7, loss=1.0, seen=table)]))
    made = imported(path, tmp_path / "out")
    (step, _, values), later = rows(made)
    assert step == 3
    assert math.isnan(values.pop("loss"))
    assert values == {"t/acc": 0.5, "t/n/x": 1.0}
    assert (later[0], later[2]) == (7, {"loss": 1.0})
    others = "pictures, histograms and other values that are no numbers"
    assert made.left_out == {"records that cannot be understood": 1, others: 1}
    assert made.notes == ("not every value has a time: the time of a row is its number",)
