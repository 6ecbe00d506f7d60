"""A word after the end of a recording: whole, in its place, and only where nobody else writes."""

from __future__ import annotations

import fcntl
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bedside_protocol.places import LOCK_NAME, LOG_NAME
from bedside_protocol.records import HUB_RANK, Body, LifecycleChanged, Note, Record, RunStarted, Tick, VerdictGiven
from bedside_protocol.runlog import Chunk, encode_chunk, read_log
from bedside_tui.output import Unwritable
from bedside_tui.places import Unreadable
from bedside_tui.recording_end import LogEnd, Owned, append_word, read_end

SOURCES = [str(Path(__file__).parents[2] / folder) for folder in ("protocol", "tui")]
BEGUN = RunStarted("a", "a", "p", 1000.0, socket.gethostname())
FINISHED = LifecycleChanged("finished", "", 20)


def recording(path: Path, *bodies: Body, age: float = 500.0) -> Path:
    """A recording of two chunks as a hub writes them, last written `age` seconds ago."""
    path.parent.mkdir(parents=True, exist_ok=True)
    said = [BEGUN, Tick(10), *bodies]
    records = [Record(float(at), body, HUB_RANK, at, at) for at, body in enumerate(said, 1)]
    path.write_bytes(encode_chunk(records[:1], 1, {0: 7, HUB_RANK: 1}) + encode_chunk(records[1:], 2, {0: 9, HUB_RANK: len(said)}))
    os.utime(path, (time.time() - age,) * 2)
    return path


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return recording(tmp_path / "a" / LOG_NAME, FINISHED)


def good(end: LogEnd) -> VerdictGiven:
    return VerdictGiven("good", "ann", 1e9)


def pieces(log: Path) -> list[object]:
    with open(log, "rb") as file:
        return list(read_log(file))


@contextmanager
def held(path: Path) -> Iterator[None]:
    """A lock, held as a hub holds it."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def test_it_is_a_chunk_of_its_own_in_the_next_place_with_everybody_s_counters(log: Path) -> None:
    before, stamp = log.read_bytes(), log.stat().st_mtime_ns
    append_word(log, good)
    assert log.read_bytes()[: len(before)] == before
    last = pieces(log)[-1]
    assert isinstance(last, Chunk)
    assert last.records == (Record(3.0, VerdictGiven("good", "ann", 1e9), HUB_RANK, 4, 4),)
    assert last.counters == {0: 9, HUB_RANK: 4}
    assert log.stat().st_mtime_ns == stamp, "when the run was last heard is not changed by what is said of it"


def test_who_writes_is_told_where_the_run_had_come_to(log: Path) -> None:
    ends: list[LogEnd] = []
    append_word(log, lambda end: ends.append(end) or Note("x", "ann", end.step))
    assert (ends[0].step, ends[0].time, ends[0].word.lifecycle) == (10, 3.0, "finished")


@pytest.mark.parametrize("cut", [1, 30, 60])
def test_a_torn_end_is_cut_away_as_a_hub_does(log: Path, cut: int) -> None:
    whole = log.read_bytes()
    torn = encode_chunk([Record(4.0, Tick(11), HUB_RANK, 4)], 4, {HUB_RANK: 4})[:cut]
    log.write_bytes(whole + torn)
    append_word(log, good)
    assert log.read_bytes().startswith(whole)
    assert all(isinstance(piece, Chunk) for piece in pieces(log))
    assert read_end(log).next_seq == 5


def test_a_hub_holds_its_log(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bedside_tui.recording_end._WAIT", 0.05)
    before = log.read_bytes()
    with held(log.parent / LOCK_NAME), pytest.raises(Owned, match="another process writes"):
        append_word(log, good)
    assert log.read_bytes() == before
    append_word(log, good)


def test_a_run_that_may_go_on_is_not_written_into(tmp_path: Path) -> None:
    elsewhere = recording(tmp_path / "b" / LOG_NAME, age=1.0)
    elsewhere.write_bytes(encode_chunk([Record(0.0, RunStarted("b", "b", "", 1.0, "another-host"), HUB_RANK, 1)], 1, {}))
    with pytest.raises(Owned, match="b is starting"):
        append_word(elsewhere, good)
    left = recording(tmp_path / "c" / LOG_NAME)
    append_word(left, good)  # nobody is left to write it, and it has no ending: it is over


def test_a_recording_that_lies_alone_is_locked_itself_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    clip = recording(tmp_path / "clip.bedside", FINISHED)
    append_word(clip, good)
    assert [path.name for path in tmp_path.iterdir()] == ["clip.bedside"]
    assert read_end(clip).next_seq == 5


def test_a_link_is_followed_to_the_recording_and_its_lock(log: Path, tmp_path: Path) -> None:
    link = tmp_path / "b" / LOG_NAME
    link.parent.mkdir()
    link.symlink_to(log)
    append_word(link, good)
    assert read_end(log).next_seq == 5
    assert (log.parent / LOCK_NAME).exists()
    assert not (link.parent / LOCK_NAME).exists()


WRITER = """
import sys
from pathlib import Path
from bedside_protocol.records import Note
from bedside_tui.recording_end import append_word
sys.stdin.readline()
for number in range(15):
    append_word(Path(sys.argv[1]), lambda end: Note(f"{sys.argv[2]} {number}", "ann", end.next_seq))
"""


def test_several_who_write_at_once_lose_nothing_and_stand_in_a_row(log: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(SOURCES)}
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(log), str(number)], env=environment, stdin=subprocess.PIPE, text=True)
        for number in range(3)
    ]
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("go\n")
        writer.stdin.flush()
    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.close()
    found = pieces(log)
    records = [record for piece in found if isinstance(piece, Chunk) for record in piece.records]
    assert len(found) == 2 + 45
    assert [record.seq for record in records] == list(range(1, 49))
    assert [record.counter for record in records] == list(range(1, 49))
    notes = [record.body.text for record in records if isinstance(record.body, Note)]
    assert sorted(notes) == sorted(f"{writer} {number}" for writer in range(3) for number in range(15))


FULL = """
import resource, sys
from pathlib import Path
from bedside_protocol.records import Note
from bedside_tui.output import Unwritable
from bedside_tui.recording_end import append_word
log = Path(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (log.stat().st_size + 40, resource.RLIM_INFINITY))
try:
    append_word(log, lambda end: Note("x", "ann", 1))
except Unwritable as error:
    print(error)
"""


def test_what_does_not_fit_on_the_disk_is_not_there_by_half(log: Path) -> None:
    before = log.read_bytes()
    said = subprocess.run(
        [sys.executable, "-c", FULL, str(log)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(SOURCES)}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert said.stdout == f"cannot write into {log}: File too large\n"
    assert log.read_bytes() == before


def in_place_of_the_lock(log: Path) -> None:
    (log.parent / LOCK_NAME).mkdir()


def on_a_file_system_for_reading(log: Path) -> None:
    log.unlink()
    log.symlink_to("/proc/self/environ")


@pytest.mark.parametrize(
    ("spoil", "why"),
    [(in_place_of_the_lock, "cannot write into .*: Is a directory"), (on_a_file_system_for_reading, "holds no records")],
)
def test_where_one_may_not_write_it_is_one_sentence(log: Path, spoil: Callable[[Path], None], why: str) -> None:
    spoil(log)
    with pytest.raises((Unwritable, Unreadable), match=why):
        append_word(log, good)


@pytest.mark.parametrize("content", [b"", b"\0" * 1000, b"step,loss\n1,2\n"])
def test_what_is_no_recording_is_left_as_it_is(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / LOG_NAME
    file.write_bytes(content)
    with pytest.raises(Unreadable, match="holds no records"):
        append_word(file, good)
    assert file.read_bytes() == content
    for name in ("gone", "."):
        with pytest.raises(Unreadable, match="cannot read"):
            append_word(tmp_path / name, good)
