"""What every version wrote is read as it was meant, by today's code; and no golden file is ever changed."""

from __future__ import annotations

import dataclasses
import io
import json
from pathlib import Path
from typing import Any

import pytest
from golden import FRAMES, HOW, METRICS, SUMS, kinds, plain, says, sums, versions, words

from bedside.left_over import left_frames
from bedside.spawn import HubPlan
from bedside_protocol.codec import decode_message, decode_record, encode_message, encode_record
from bedside_protocol.framing import Frames
from bedside_protocol.places import KEYS_NAME, left_name, runtime_name
from bedside_protocol.records import Event, Record
from bedside_protocol.runlog import Chunk, encode_chunk, read_log, read_records, scan_index
from bedside_tui.importing.record_lines import record_from_json
from bedside_tui.places import Door, door_of
from bedside_tui.record_json import record_to_json

VERSIONS = versions()
RECORDINGS = [log for version in VERSIONS for log in sorted(version.glob("*.bedside"))]
each_version = pytest.mark.parametrize("version", VERSIONS, ids=lambda path: path.name)
each_recording = pytest.mark.parametrize("log", RECORDINGS, ids=lambda path: f"{path.parent.name}-{path.stem}")


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def frames(version: Path) -> list[dict[str, Any]]:
    return lines(version / "frames.jsonl")


def decoded(one: dict[str, Any]) -> Any:
    frame = bytes.fromhex(one["frame"])
    return decode_record(frame).body if one["what"] == "record" else decode_message(frame)


@each_version
def test_no_golden_file_was_changed(version: Path) -> None:
    kept = dict(reversed(line.split("  ")) for line in (version / SUMS).read_text().splitlines())
    assert sums(version) == kept, f"golden files are what a version wrote. {HOW}."


def test_every_kind_of_record_and_message_and_every_word_in_them_has_a_golden_frame() -> None:
    every = [one for version in VERSIONS for one in frames(version)]
    missing = {(what, kind) for what, kind, _ in kinds()} - {(one["what"], one["kind"]) for one in every}
    assert missing == set(), f"these kinds have no golden frame. {HOW}."
    said = {(one["what"], one["kind"], name, word) for one in every for name, word in one["says"].items() if isinstance(word, str | None)}
    unsaid = {each for what, kind, form in kinds() for each in words(what, kind, form)} - said
    assert unsaid == set(), f"these words stand in no golden frame. {HOW}."


@each_version
def test_every_frame_is_read_as_it_was_meant(version: Path) -> None:
    for one in frames(version):
        assert says(decoded(one), one["says"]), (one["what"], one["kind"], decoded(one), one["says"])
        if one["what"] == "record":
            record = decode_record(bytes.fromhex(one["frame"]))
            assert [record.time, record.rank, record.counter] == [one["time"], one["rank"], one["counter"]]


@each_version
def test_what_was_read_is_written_again_and_says_the_same(version: Path) -> None:
    for one in frames(version):
        value = decoded(one)
        if one["what"] == "record":
            assert plain(decode_record(encode_record(Record(0.0, value))).body) == plain(value)
        else:
            assert plain(decode_message(encode_message(value))) == plain(value)


def test_a_value_that_differs_is_not_what_was_meant() -> None:
    """The comparison itself: a changed value, a field that is gone, and a later field that is said, each tell."""
    event = Event("reinit", 3, {"codes": 2})
    meant = plain(event)
    assert says(event, meant)
    assert says(event, {name: value for name, value in plain(Event("reinit", 3)).items() if name != "fields"}) is False
    assert says(Event("reinit", 3), {"name": "reinit", "step": 3})
    for other in ({"step": 4}, {"fields": {}}, {"fields": {"codes": 2.5}}, {"gone": None}):
        assert not says(event, meant | other)
    assert not says(METRICS, plain(METRICS) | {"times": [0.0] * 5})


@each_recording
def test_every_recording_is_read_as_it_was_meant(log: Path) -> None:
    """Its heads make the same index; written by today's code it says the same; and its exported lines are the same records."""
    with open(log, "rb") as file:
        pieces = list(read_log(file))
        file.seek(0)
        heads = list(scan_index(file))
    chunks = [piece for piece in pieces if isinstance(piece, Chunk)]
    assert [chunk.head for chunk in chunks] == heads
    assert len(chunks) == len(pieces) > 0
    records = [record for chunk in chunks for record in chunk.records]
    meant = lines(log.with_suffix(".jsonl"))
    assert [within(record_to_json(record), line) for record, line in zip(records, meant, strict=True)] == meant
    assert [record_to_json(record_from_json(line)) for line in meant] == [record_to_json(record) for record in records]
    again = b"".join(encode_chunk(chunk.records, chunk.head.first_seq, chunk.counters) for chunk in chunks)
    assert [record_to_json(record) for record in read_records(io.BytesIO(again))] == [record_to_json(record) for record in records]


def within(found: Any, meant: Any) -> Any:
    """What is found, without fields that are not in what was meant: a later version adds some."""
    if isinstance(found, dict) and isinstance(meant, dict):
        return {name: within(found.get(name), item) for name, item in meant.items()}
    if isinstance(found, list) and isinstance(meant, list) and len(found) == len(meant):
        return [within(*pair) for pair in zip(found, meant, strict=True)]
    return found


@each_version
def test_a_hub_understands_what_the_agent_of_another_version_tells_it(version: Path) -> None:
    """An upgrade under a running training: its hub dies, and the next one is started from the new files by the old agent."""
    told = json.loads((version / "plan.json").read_text())
    for plan in (HubPlan.told(told), HubPlan.told(told | {"later": 1, "keys": told["keys"] | {"later": "x"}})):
        assert json.loads(plan.to_json(told["path"])) == told | _later_fields(plan, told)


def _later_fields(plan: HubPlan, told: dict[str, Any]) -> dict[str, Any]:
    """What today's plan says besides, which must be what it says by itself."""
    fields = {field.name: field.default for field in dataclasses.fields(HubPlan) if field.name not in told}
    assert all(getattr(plan, name) == default for name, default in fields.items())
    return fields


@each_version
def test_a_viewer_finds_its_way_by_the_keys_of_another_version(version: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BEDSIDE_RUNTIME_DIR", str(tmp_path))
    runtime = tmp_path / runtime_name("golden-1")
    runtime.mkdir(mode=0o700)
    told = json.loads((version / "keys.json").read_text())
    for said in (told, told | {"later": 1}):
        (runtime / KEYS_NAME).write_text(json.dumps(said))
        (runtime / KEYS_NAME).chmod(0o600)
        for role, may_command in (("operator", True), ("viewer", False)):
            door = Door(f"ipc://{runtime}/hub", told["server_public"], told[f"{role}_public"], told[f"{role}_secret"])
            assert door_of("golden-1", may_command=may_command) == door


@each_version
def test_what_an_agent_left_and_what_a_proxy_says_is_cut_into_the_same_frames(version: Path, tmp_path: Path) -> None:
    (tmp_path / left_name(0)).write_bytes((version / "left.bin").read_bytes())
    assert left_frames(tmp_path) == FRAMES
    assert list(Frames(greeted=True).feed(b"Welcome!\n" + (version / "link.bin").read_bytes())) == FRAMES
