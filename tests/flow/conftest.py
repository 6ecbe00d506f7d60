"""Real trainings in real processes, with their real hubs: what the tests of the whole way share."""

from __future__ import annotations

import json
import os
import shutil
import socket
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from real_training import Training, environment_in, until

from bedside_protocol.places import LOG_NAME
from bedside_protocol.records import Body, Lifecycle, LifecycleChanged, Metrics, Record, RunStarted
from bedside_protocol.runlog import encode_chunk, read_records
from bedside_tui.cli import main
from bedside_tui.places import RunPlace


@pytest.fixture
def home() -> Iterator[Path]:
    """A directory with a short path: a socket's may have 107 bytes."""
    path = Path(tempfile.mkdtemp(prefix="bs-"))
    yield path
    for _ in range(3):
        shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def start(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Training]]:
    """Start training scripts; what still runs at the end of the test is ended."""
    monkeypatch.setenv("BEDSIDE_RUNTIME_DIR", str(home / "rt"))  # where this process, as a viewer, finds their hubs
    running: list[Training] = []

    def begin(
        script: str, environment: dict[str, str] | None = None, *, reaped_at_once: bool = False, flags: tuple[str, ...] = ()
    ) -> Training:
        running.append(Training(home, script, environment or {}, reaped_at_once=reaped_at_once, flags=flags))
        return running[-1]

    yield begin
    for training in running:
        training.close()


@pytest.fixture
def wait() -> Callable[..., Any]:
    """`wait(look, what, seconds)`: the first thing `look` finds."""
    return until


@pytest.fixture
def environment(home: Path) -> dict[str, str]:
    """The environment of a process that shall find this home's runs."""
    return environment_in(home)


class Said(NamedTuple):
    """What a command of `bedside` left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def bedside(home: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Iterator[Callable[..., Said]]:
    """`bedside("runs", "--json")`: one command on this home's runs, in this process, without a terminal."""
    monkeypatch.setenv("BEDSIDE_DIR", str(home / "runs"))
    monkeypatch.setenv("BEDSIDE_RUNTIME_DIR", str(home / "rt"))
    monkeypatch.setattr("tempfile.tempdir", str(home))  # where runs go that could not be written elsewhere

    def run(*words: object) -> Said:
        capfd.readouterr()
        try:
            code = main([str(word) for word in words])
        except SystemExit as left:
            code = int(left.code or 0)
        return Said(code, *capfd.readouterr())

    with open(os.devnull) as nobody:
        monkeypatch.setattr("sys.stdin", nobody)
        yield run


@pytest.fixture
def record(home: Path) -> Callable[..., RunPlace]:
    """`record(bodies, id="made", ended="finished")`: write a recording whose records are a tenth of a second apart, one chunk each ten."""

    def write(bodies: Sequence[Body], id: str = "made", *, ended: Lifecycle | None = "finished", **about: Any) -> RunPlace:
        about = {"name": id, "project": "flow", "wall_start": time.time() - 3600, "host": socket.gethostname()} | about
        said: list[Body] = [RunStarted(id, **about), LifecycleChanged("running"), *bodies]
        if ended is not None:
            said.append(LifecycleChanged(ended))
        place = RunPlace(id, home / "runs" / id / LOG_NAME)
        place.directory.mkdir(parents=True)
        records = [Record(0.1 * number, body, 0, number + 1) for number, body in enumerate(said)]
        chunks = [encode_chunk(records[first : first + 10], first + 1, {0: first + 10}) for first in range(0, len(records), 10)]
        place.log.write_bytes(b"".join(chunks))
        return place

    return write


@pytest.fixture
def losses() -> Callable[[Sequence[float]], Metrics]:
    """A metric `loss` with these values, one a step."""

    def block(values: Sequence[float], name: str = "loss") -> Metrics:
        steps = np.arange(1, len(values) + 1, dtype=np.int64)
        return Metrics((name,), steps, steps * 0.001, np.array([values], np.float64))

    return block


@pytest.fixture
def read() -> Callable[[Path], list[Record]]:
    """All records of a finished recording."""

    def whole(path: Path) -> list[Record]:
        with open(path, "rb") as file:
            return list(read_records(file))

    return whole
