"""Each call of the operating system fails in turn, the first, the second and so on until none is left: what is kept stays kept.

The way SQLite is tested: a scenario is played again and again, and in the n-th play its n-th call fails, once, or it and all after it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import shutil
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from bedside.checkpoint import CheckpointFailed, Checkpoints
from bedside.hub.recorder import Recorder
from bedside_protocol.records import Event, Record
from bedside_protocol.runlog import Chunk, encode_chunk, read_log

CALLS = (
    "close", "fdatasync", "fsync", "ftruncate", "lstat", "mkdir", "open", "pwrite", "remove", "rename", "replace", "rmdir", "scandir",
    "stat", "statvfs", "unlink", "write",
)  # fmt: skip


class Failing:
    """Lets `os` fail at its n-th call, and after it too where `for_good`. `made`: how many calls there were."""

    def __init__(self, at: int, error: int, for_good: bool, monkeypatch: pytest.MonkeyPatch) -> None:
        self.at, self.error, self.for_good = at, error, for_good
        self.made = 0
        self.on = True
        for name in CALLS:
            monkeypatch.setattr(os, name, self._instead_of(name, getattr(os, name)))

    def _instead_of(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*given: Any, **named: Any) -> Any:
            self.made += self.on
            if self.on and (self.made == self.at or (self.for_good and self.made > self.at)):
                if name == "pwrite" and self.error == errno.ENOSPC:
                    real(given[0], given[1][: len(given[1]) // 2], given[2])  # a full disk takes a part first
                if name == "close":
                    real(*given)  # a handle is gone, whatever its close says
                raise OSError(self.error, os.strerror(self.error))
            return real(*given, **named)

        return call

    @property
    def struck(self) -> bool:
        return self.made >= self.at


@pytest.fixture
def plays(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[int, bool], Iterator[tuple[Failing, Path]]]:
    """`plays(error, for_good)`: one after another, each in its own directory, until one has fewer calls than the one that should fail."""

    def each(error: int, for_good: bool) -> Iterator[tuple[Failing, Path]]:
        for at in count(1):
            place = tmp_path / f"{at}"
            place.mkdir()
            with monkeypatch.context() as patched:
                failing = Failing(at, error, for_good, patched)
                yield failing, place
            shutil.rmtree(place)
            if not failing.struck:
                assert at > 5
                return

    return each


def dealt_with(recorder: Recorder, chunks: int) -> None:
    """Wait until so many are written or lost; the byte that says so may have failed too."""
    until = time.monotonic() + 20
    while recorder.written.flushed < chunks:
        assert time.monotonic() < until
        select.select([recorder.wake_reader], [], [], 0.01)


every_way = pytest.mark.parametrize("for_good", [False, True], ids=["once", "for good"])
of_every_kind = pytest.mark.parametrize("error", [errno.EIO, errno.ENOSPC], ids=["error", "full"])


def chunk(seq: int) -> bytes:
    return encode_chunk([Record(float(seq), Event("x", seq, {"noise": os.urandom(500).hex()}))], seq, {0: seq})


@every_way
@of_every_kind
def test_what_a_recording_says_is_written_can_be_read_whichever_call_fails(plays: Any, error: int, for_good: bool) -> None:
    for failing, place in plays(error, for_good):
        path = place / "run.bedside"
        try:
            recorder = Recorder(path, 0, {}, 1 << 30)
        except OSError:
            assert failing.struck
            continue
        kept, lost = [], 0
        for seq in range(1, 5):
            before = recorder.written
            recorder.append(chunk(seq), 1, {0: seq})
            dealt_with(recorder, seq)
            now = recorder.written
            assert (now.end > before.end) == (now.lost == before.lost) == (not now.trouble)
            kept += [seq] * (now.end > before.end)
            lost += now.lost - before.lost
        with contextlib.suppress(OSError):
            recorder.close()
        failing.on = False
        assert len(kept) + lost == 4
        with open(path, "rb") as file:
            assert [part.head.first_seq for part in read_log(file) if isinstance(part, Chunk)] == kept


@every_way
@of_every_kind
def test_the_checkpoint_before_is_whole_whichever_call_fails(plays: Any, error: int, for_good: bool) -> None:
    for failing, place in plays(error, for_good):
        failing.on = False
        checkpoints = Checkpoints(place / "checkpoints")
        before = checkpoints.write(lambda path: Path(path).write_text("good") and None, 1)
        assert before is not None
        failing.on = True
        try:
            saved = checkpoints.write(lambda path: Path(path).write_text("better") and None, 2)
        except CheckpointFailed as failed:
            why, saved = str(failed), None
        else:
            why = ""
        failing.on = False
        assert os.strerror(error) in why or saved is not None
        assert Path(before.path).read_text() == "good"
        if saved is not None:
            assert Path(saved.path).read_text() == "better"
        assert {found.read_text() for found in (place / "checkpoints").glob("step_*")} <= {"good", "better"}
        again = checkpoints.write(lambda path: Path(path).write_text("best") and None, 3)
        assert again is not None
        assert sorted(found.name for found in (place / "checkpoints").iterdir())[-1] == "step_00000003.pt"
        assert not list((place / "checkpoints").glob(".*"))
