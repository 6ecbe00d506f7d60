"""The recording on disk, when there is room and when there is none."""

from __future__ import annotations

import contextlib
import os
import resource
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bedside.hub.recorder import AnotherWriter, Recorder, take_lock
from bedside_protocol.records import Event, Record
from bedside_protocol.runlog import Chunk, encode_chunk, read_log

CAP = 1 << 30
SOURCES = os.pathsep.join(str(Path(__file__).parents[2] / folder) for folder in ("agent", "protocol"))


def chunk(seq: int, size: int = 10_000) -> bytes:
    """A chunk of one record, which does not compress."""
    return encode_chunk([Record(float(seq), Event("x", seq, {"noise": os.urandom(size // 2).hex()}))], seq, {0: seq})


def dealt(recorder: Recorder, chunks: int) -> None:
    """Wait until so many chunks are written or lost."""
    while recorder.written.flushed < chunks:
        assert select.select([recorder.wake_reader], [], [], 20)[0]
        os.read(recorder.wake_reader, 4096)


def found(path: Path) -> list[tuple[str, int]]:
    """What a reader finds: chunks with their places, damage with what was lost."""
    with open(path, "rb") as file:
        return [("chunk", p.head.first_seq) if isinstance(p, Chunk) else ("damage", p.lost) for p in read_log(file)]


@contextlib.contextmanager
def no_file_beyond(size: int) -> Iterator[None]:
    """As if the disk were full beyond `size` bytes: a short write, then an error."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_chunks_are_written_in_order_and_told_with_their_counters(tmp_path: Path) -> None:
    path = tmp_path / "run.bedside"
    recorder = Recorder(path, 0, {7: 1}, CAP)
    chunks = [chunk(seq) for seq in range(1, 6)]
    for number, data in enumerate(chunks, 1):
        recorder.append(data, 1, {0: number})
    dealt(recorder, 5)
    written = recorder.written
    assert (written.end, written.counters, written.lost, written.trouble) == (sum(map(len, chunks)), {7: 1, 0: 5}, 0, "")
    recorder.close()
    assert path.read_bytes() == b"".join(chunks)
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_reader_gets_what_is_written_and_never_more(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "run.bedside", 0, {}, CAP)
    data = chunk(1)
    assert recorder.read(0, 100) == b""
    recorder.append(data, 1, {})
    dealt(recorder, 1)
    assert recorder.read(0, 100) == data[:100]
    assert recorder.read(len(data) - 10, 100) == data[-10:]
    for offset, limit in [(len(data), 100), (2**70, 100), (-5, 100), (0, -1), (0, 0)]:
        assert recorder.read(offset, limit) == b""
    recorder.close()


def test_closing_writes_what_is_still_in_line(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "run.bedside", 0, {}, CAP)
    for seq in range(1, 101):
        recorder.append(chunk(seq), 1, {})
    recorder.close()
    assert found(tmp_path / "run.bedside") == [("chunk", seq) for seq in range(1, 101)]


def test_a_full_disk_costs_what_came_meanwhile_counts_it_and_leaves_whole_chunks(tmp_path: Path) -> None:
    path = tmp_path / "run.bedside"
    recorder = Recorder(path, 0, {}, CAP)
    first = chunk(1)
    recorder.append(first, 1, {0: 1})
    dealt(recorder, 1)
    with no_file_beyond(len(first) + 3000):
        recorder.append(chunk(2), 4, {0: 5})
        recorder.append(chunk(6), 2, {0: 7})
        dealt(recorder, 3)
        written = recorder.written
        assert (written.end, written.counters, written.lost) == (len(first), {0: 7}, 6)
        assert written.trouble == "the recording cannot be written: File too large"
        assert path.read_bytes() == first
        assert recorder.read(0, 1 << 20) == first
    recorder.append(chunk(8), 1, {0: 8})
    dealt(recorder, 4)
    assert (recorder.written.lost, recorder.written.trouble) == (6, "")
    recorder.close()
    assert found(path) == [("chunk", 1), ("damage", 6), ("chunk", 8)]


def test_a_smaller_chunk_may_still_find_room(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "run.bedside", 0, {}, CAP)
    with no_file_beyond(3000):
        recorder.append(chunk(1), 1, {})
        recorder.append(chunk(2, 500), 1, {})
        dealt(recorder, 2)
    assert (recorder.written.lost, recorder.written.trouble) == (1, "")
    recorder.close()
    assert found(tmp_path / "run.bedside") == [("chunk", 2)]


def test_the_size_cap_holds_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "run.bedside"
    chunks = [chunk(seq) for seq in range(1, 5)]
    cap = len(chunks[0] + chunks[1]) + 100
    recorder = Recorder(path, 0, {}, cap)
    for data in chunks:
        recorder.append(data, 1, {})
    dealt(recorder, 4)
    assert (recorder.written.lost, recorder.written.trouble) == (2, "the recording has reached its size cap of 0.0 GB")
    recorder.close()
    assert path.stat().st_size <= cap
    assert found(path) == [("chunk", 1), ("chunk", 2)]


def test_a_new_recorder_goes_on_where_the_last_whole_chunk_ended(tmp_path: Path) -> None:
    path = tmp_path / "run.bedside"
    first, torn = chunk(1), chunk(2)[:500]
    path.write_bytes(first + torn)
    recorder = Recorder(path, len(first), {0: 1}, CAP)
    recorder.append(chunk(2), 1, {0: 2})
    recorder.close()
    assert found(path) == [("chunk", 1), ("chunk", 2)]


def test_a_link_in_the_recordings_place_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("mine")
    (tmp_path / "run.bedside").symlink_to(tmp_path / "precious")
    with pytest.raises(OSError, match="symbolic link"):
        Recorder(tmp_path / "run.bedside", 0, {}, CAP)
    with pytest.raises(OSError, match="symbolic link"):
        take_lock(tmp_path / "run.bedside")
    assert (tmp_path / "precious").read_text() == "mine"


def test_one_run_has_one_writer(tmp_path: Path) -> None:
    path = tmp_path / "writer.lock"
    lock = take_lock(path)
    with pytest.raises(AnotherWriter, match="another hub writes"):
        take_lock(path)
    os.close(lock)
    os.close(take_lock(path))


def test_a_killed_writer_leaves_the_lock_free(tmp_path: Path) -> None:
    path = tmp_path / "writer.lock"
    script = (
        "import sys; from pathlib import Path; from bedside.hub.recorder import take_lock; take_lock(Path(sys.argv[1])); print(); input()"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", script, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": SOURCES}
    )
    with child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"\n"
        with pytest.raises(AnotherWriter):
            take_lock(path)
        child.send_signal(signal.SIGKILL)
        child.wait()
        os.close(take_lock(path))
