"""`bedside export`, `bedside import`: what goes out comes in again, and what cannot be done is one line and changes nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from math import inf, nan
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyarrow import parquet

from bedside_protocol.codec import encode_record
from bedside_protocol.records import (
    AlertAcknowledged,
    AlertChanged,
    AlertShelved,
    Array,
    CheckpointSaved,
    CommandChanged,
    Ended,
    Event,
    ExpectationDeclared,
    Lost,
    MetricDefined,
    Metrics,
    Note,
    ProbeDeclared,
    Problem,
    Record,
    RulesDeclared,
    Snapshot,
    Tick,
)

Cli = Callable[..., Any]
Made = Callable[..., Any]
Losses = Callable[..., Metrics]
Read = Callable[[Path], list[Record]]

ARRAYS = {
    "usage": Array("histogram", np.array([0.5, nan, -inf]), ("a", "b", "c")),
    "heads": Array("matrix", np.arange(6, dtype=np.float32).reshape(2, 3), rows=("x", "y")),
    "picture": Array("image", np.zeros((2, 2, 3), np.uint8)),
    "none": Array("matrix", np.empty((0, 4), np.int64)),
    "dead": Array("table", np.array([True, False])),
    "half": Array("histogram", np.array([0.1, 2.0], np.float16)),
}
EVERY_KIND = [
    RulesDeclared("mine.toml", 'rules.high = "…"'),
    ExpectationDeclared("loss falls below 0.1 by step 500", "red"),
    MetricDefined("loss*", "loss", "nats", "down"),
    Metrics(("a", "b"), np.array([1, 2**40]), np.array([0.1, 0.2]), np.array([[nan, inf], [-inf, 1 / 3]])),
    ProbeDeclared("vq", "codebook", 50, {"size": 512, "ema": 0.99, "name": "vq", "on": True, "none": None}),
    Snapshot("vq", "codebook", 50, {"usage": nan, "dead": 3.0}, ARRAYS, {"names": ("w", "\x1b[2J")}, 0.001),
    AlertChanged("nonfinite", "loss", "firing", "red", 7, 5, nan, "NaN since step 5", "nonfinite", 1),
    AlertAcknowledged("", "", "NaN"),
    AlertShelved("nonfinite", "loss", "ann", inf),
    CommandChanged("c1", "stop", "applied", "ann", "", 9, {"value": inf, "text": "x"}),
    CheckpointSaved("/ckpt/é.pt", 10, 9, False, 0.25),
    Event("epoch", 2, {"number": 1, "loss": nan}),
    Note("NaN", "ann", 3),
    Tick(3),
    Problem("a value of `x` is no number", 2),
    Lost(3, "the disk was full"),
    Ended("failed", 9, "ValueError", "no", ("line 1", "line 2")),
]


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def written(records: list[Record]) -> list[tuple[int, bytes]]:
    """Places and bytes: NaN is no equal of NaN, its bytes are."""
    return [(each.seq, encode_record(each)) for each in records]


# --- there and back


def test_every_kind_of_record_goes_out_as_json_and_comes_in_again_the_same(bedside: Cli, record: Made, read: Read, home: Path) -> None:
    place = record(EVERY_KIND, "all", config={"lr": 0.1, "depth": 3, "note": None, "bound": inf})
    assert bedside("export", "all", "--jsonl", home / "all.jsonl").out == f"wrote {home / 'all.jsonl'}: 20 records\n"
    said = bedside("import", home / "all.jsonl", "--out", home / "old")
    assert (said.code, said.err) == (0, "")
    assert said.out == f"read 20 records from {home / 'all.jsonl'} into {home / 'old' / 'all'}: ✖ red\n"
    assert written(read(home / "old" / "all" / "run.bedside")) == written(read(place.log))


def test_a_hole_in_the_log_is_there_again_after_a_round_trip(bedside: Cli, record: Made, read: Read, home: Path) -> None:
    place = record([Event("epoch", step) for step in range(40)], "holed")
    data = bytearray(place.log.read_bytes())
    data[data.index(b"\x89BEDSIDE", 10) + 70] ^= 1  # one bit of the second chunk
    place.log.write_bytes(data)
    bedside("export", "holed", "--jsonl", home / "holed.jsonl")
    bedside("import", home / "holed.jsonl", "--out", home / "old")
    found = read(home / "old" / "holed" / "run.bedside")
    assert [each.seq for each in found] == [*range(1, 11), *range(21, 44)]
    assert written(found) == written(read(place.log))


@pytest.mark.parametrize("form", [[], ["--wide"]], ids=["long", "wide"])
def test_metrics_go_out_as_csv_and_come_in_again_equal_and_judged(
    form: list[str], bedside: Cli, record: Made, losses: Losses, home: Path
) -> None:
    values = [*(2.0 - 0.001 * step for step in range(1000)), *[50.0] * 200, nan, inf, -inf, 1e-310]
    record([losses(values), losses([0.1, 0.2], "acc")], "burst")
    bedside("export", "burst", "--csv", home / "burst.csv", *form)
    made = bedside("import", home / "burst.csv", "--out", home / "old", "--json").json
    assert (made["form"], made["verdict"], made["values"], made["metrics"], made["last_step"]) == ("table", "red", 1206, 2, 1204)
    bedside("export", "burst", "--csv", home / "before.csv")
    bedside("export", made["log"], "--csv", home / "after.csv")
    before, after = ((home / name).read_text().splitlines() for name in ("before.csv", "after.csv"))
    assert sorted(after) == sorted(before)
    assert [line for line in after if ",loss," in line] == [line for line in before if ",loss," in line]


def test_the_alarms_in_an_imported_recording_are_those_that_check_finds(
    bedside: Cli, record: Made, losses: Losses, read: Read, home: Path
) -> None:
    record([losses([*(2.0 - 0.001 * step for step in range(1000)), *[50.0] * 200, nan])], "burst")
    bedside("export", "burst", "--csv", home / "burst.csv")
    made = bedside("import", home / "burst.csv", "--out", home / "old", "--json").json
    written = [each.body for each in read(Path(made["log"])) if isinstance(each.body, AlertChanged) and each.body.state == "firing"]
    judged = bedside("check", made["log"], "--json").json
    assert judged["verdict"] == made["verdict"] == "red"
    assert [(each["rule"], each["step"]) for each in judged["alerts"]] == [
        (change.rule, change.step) for change in written if change.severity == "red"
    ]


def as_float32(lines: list[str]) -> list[tuple[str, str, str, float]]:
    """Step, metric, value and seconds since the first value of each line of CSV, as an event file keeps them."""
    cells = [line.split(",") for line in lines]
    first = min(float(time) for _, time, _, _ in cells)
    with np.errstate(over="ignore"):
        return sorted((step, metric, str(np.float32(value)), round(float(time) - first, 6)) for step, time, metric, value in cells)


READ_BY_TENSORBOARD = """
import json, sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
read = EventAccumulator(sys.argv[1], size_guidance={"scalars": 0})
read.Reload()
print(json.dumps({tag: [[each.wall_time, each.step, each.value] for each in read.Scalars(tag)] for tag in read.Tags()["scalars"]}))
"""


def test_an_exported_event_file_is_read_by_tensorboard_and_comes_in_again(bedside: Cli, record: Made, losses: Losses, home: Path) -> None:
    values = [1.0 / (step + 3) for step in range(50)]
    record([losses(values), losses([0.5, inf, 1e300], "acc")], "digits", wall_start=1.7e9)
    said = bedside("export", "digits", "--tensorboard", home / "tb")
    assert said.out == f"wrote {home / 'tb' / 'events.out.tfevents.1700000000.digits'}: 53 values\n"
    ran = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", READ_BY_TENSORBOARD, str(home / "tb")],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    read = json.loads(ran.stdout)
    rounded = [float(np.float32(value)) for value in values]
    assert read["loss"] == [[1.7e9 + step * 0.001, step, value] for step, value in enumerate(rounded, 1)]
    assert [value for _, _, value in read["acc"]] == [0.5, inf, inf]
    made = bedside("import", home / "tb", "--out", home / "old", "--json").json
    assert (made["values"], made["last_step"], made["left_out"]) == (53, 50, {})
    once, twice = (bedside("export", run, "--csv", "-").out.splitlines()[1:] for run in ("digits", made["log"]))
    assert as_float32(twice) == as_float32(once)
    again = bedside("export", "digits", "--tensorboard", home / "tb")
    assert (again.code, again.out) == (3, "")
    assert again.err.startswith(f"bedside: {home / 'tb'} holds event files already")


def test_an_exported_parquet_file_has_a_row_a_value_and_every_number_as_it_was(
    bedside: Cli, record: Made, losses: Losses, home: Path
) -> None:
    both = Metrics(("a", "b"), np.array([5, 6]), np.array([0.1, 0.2]), np.array([[nan, inf], [1 / 3, 1e-310]]))
    record([losses([0.5]), both], "digits")
    assert bedside("export", "digits", "--parquet", home / "x.parquet").out == f"wrote {home / 'x.parquet'}: 5 values\n"
    rows = parquet.read_table(home / "x.parquet").to_pylist()
    assert repr([tuple(row.values()) for row in rows]) == repr(
        [(1, 0.001, "loss", 0.5), (5, 0.1, "a", nan), (5, 0.1, "b", 1 / 3), (6, 0.2, "a", inf), (6, 0.2, "b", 1e-310)]
    )
    assert bedside("export", "digits", "--parquet", home / "none.parquet", "--metrics", "nothing").code == 0
    assert parquet.read_table(home / "none.parquet").column_names == ["step", "time", "metric", "value"]


def test_without_the_extra_parquet_says_what_to_install(
    bedside: Cli, record: Made, losses: Losses, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record([losses([0.5])], "digits")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.delitem(sys.modules, "bedside_tui.export.parquet", raising=False)
    said = bedside("export", "digits", "--parquet", home / "x.parquet")
    assert (said.code, said.err) == (3, "bedside: --parquet needs pyarrow: pip install 'bedside[parquet]'\n")
    assert not (home / "x.parquet").exists()


# --- choosing, and where it goes


def test_an_export_goes_to_the_standard_output_and_says_nothing_else(bedside: Cli, record: Made, losses: Losses) -> None:
    record([losses([3.0, 2.0, 1.0])], "short")
    said = bedside("export", "short", "--csv", "-", "--metrics", "lo*", "--from", 2, "--to", 2)
    assert (said.code, said.out, said.err) == (0, "step,time,metric,value\n2,0.002,loss,2.0\n", "")


def test_a_picture_is_of_what_the_script_logged_unless_more_is_asked_for(bedside: Cli, record: Made, losses: Losses, home: Path) -> None:
    record([losses([3.0, 2.0, 1.0]), losses([5.0], "system/memory")], "short")
    assert bedside("export", "short", "--svg", home / "a.svg").out == f"wrote {home / 'a.svg'}: 1 metric\n"
    assert "system/memory" not in (home / "a.svg").read_text()
    assert bedside("export", "short", "--svg", home / "a.svg", "--metrics", "*").out == f"wrote {home / 'a.svg'}: 2 metrics\n"
    assert "system/memory" in (home / "a.svg").read_text()


def test_arrays_are_left_out_where_that_is_asked_for(bedside: Cli, record: Made, home: Path) -> None:
    record(EVERY_KIND, "all")
    bedside("export", "all", "--jsonl", home / "all.jsonl", "--no-arrays")
    (snapshot,) = (each["body"] for each in lines(home / "all.jsonl") if each["kind"] == "snapshot")
    assert (snapshot["arrays"], snapshot["scalars"]) == ({}, {"usage": "NaN", "dead": 3.0})


def test_a_file_is_written_over_whole_but_never_a_recording(bedside: Cli, record: Made, losses: Losses, home: Path) -> None:
    place = record([losses([1.0])], "one")
    (home / "out.csv").write_text("what was there before, and longer than what comes\n" * 9)
    assert bedside("export", "one", "--csv", home / "out.csv").code == 0
    assert (home / "out.csv").read_text() == "step,time,metric,value\n1,0.001,loss,1.0\n"
    before = place.log.read_bytes()
    said = bedside("export", "one", "--csv", place.log)
    assert (said.code, said.err) == (3, f"bedside: {place.log} is a recording and is not written over: name another file\n")
    assert place.log.read_bytes() == before


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--csv", "/nowhere/x.csv"], "cannot write /nowhere/x.csv: No such file or directory"),
        (["--csv", "/dev/full"], "cannot write /dev/full: No space left on device"),
        (["--tensorboard", "/dev/null/tb"], "cannot make /dev/null/tb: Not a directory"),
        (["--parquet", "-"], "--parquet writes a file: - is for text"),
        (["--jsonl", "-", "--wide"], "--wide is a form of --csv"),
        (["--csv", "-", "--no-arrays"], "--no-arrays is a form of --jsonl: other forms have no arrays"),
    ],
)
def test_an_export_that_cannot_be_made_says_why_on_one_line(words: list[str], why: str, bedside: Cli, record: Made, losses: Losses) -> None:
    record([losses([1.0])], "one")
    said = bedside("export", "one", *words)
    assert (said.code, said.out, said.err) == (3, "", f"bedside: {why}\n")


# --- clips


def test_a_clip_is_a_recording_that_every_verb_reads(bedside: Cli, record: Made, losses: Losses, home: Path) -> None:
    blocks = [Metrics(("loss",), np.array([step]), np.array([step * 0.1]), np.array([[1.0 / step]])) for step in range(1, 901)]
    place = record([MetricDefined("loss", unit="nats"), *blocks, Note("look here", "ann", 900)], "long")
    said = bedside("clip", "long", "--at", 400, "--around", 30, "--out", home / "part.bedside")
    assert (said.code, said.err) == (0, "")
    assert said.out.endswith(f"bedside replay {home / 'part.bedside'} opens it\n")
    assert (home / "part.bedside").stat().st_size < place.log.stat().st_size
    status = bedside("status", home / "part.bedside", "--json").json
    assert (status["name"], status["lifecycle"], status["step"], status["metrics"]) == ("long", "stopped", 430, {"loss": 1.0 / 430})
    assert status["reason"] == "the clip ends here; the run went on to step 900 (finished)"
    rows = bedside("export", home / "part.bedside", "--csv", "-", "--from", 370, "--to", 430).out.splitlines()
    assert rows[1:] == [f"{step},{step * 0.1!r},loss,{1.0 / step!r}" for step in range(370, 431)]


def test_a_clip_that_cannot_be_made_says_why_and_leaves_nothing(bedside: Cli, record: Made, losses: Losses, home: Path) -> None:
    place = record([losses([1.0, 0.5])], "short")
    said = bedside("clip", "short", "--at", 99, "--out", home / "part.bedside")
    assert (said.code, said.out, said.err) == (3, "", "bedside: short: it has no step 99: steps 1 to 2\n")
    assert not (home / "part.bedside").exists()
    before = place.log.read_bytes()
    said = bedside("clip", "short", "--at", 1, "--out", place.log)
    assert (said.code, said.err) == (3, f"bedside: {place.log} is a recording and is not written over: name another file\n")
    assert place.log.read_bytes() == before
    assert [entry.name for entry in place.directory.iterdir()] == ["run.bedside"]
