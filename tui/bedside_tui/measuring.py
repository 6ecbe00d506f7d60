"""Measuring checkpoints: the user's own script, started once for each, and what its recording then says.

The script runs in a session of its own, its output in a file beside the recording, so that an interrupt of ours reaches it as an end and
nothing else. What is done in that process is the agent's business; here it is started, waited for, ended and read.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bedside_protocol.measuring import VARIABLE, Measured, Request
from bedside_protocol.places import LOG_NAME, run_id
from bedside_protocol.records import Ended, Event
from bedside_protocol.sanitise import text as safe
from bedside_tui.launch import OUTPUT_NAME
from bedside_tui.library import read_recording
from bedside_tui.liveness import writer_lives
from bedside_tui.places import RunPlace, Unreadable
from bedside_tui.store.store import Store
from bedside_tui.store.view import View

_LOOK: Final = 0.1
"""Seconds between two looks at the script."""
_ENDS_WITHIN: Final = 5.0
"""Seconds a script that was told to end may take."""
_WRITTEN_WITHIN: Final = 15.0
"""Seconds the hub may take to write the last word and leave."""
_NO_RUN: Final = "the script ended and had begun no run: it must call bedside.init() and run.watch(model, optimizer)"
_TAIL: Final = 64 << 10
"""Bytes of a script's output that are searched for its last line."""


@dataclass(frozen=True, slots=True)
class Script:
    """What is started for each checkpoint, and where its recordings go (an absolute path). `steps`: None for what the probes need."""

    path: str
    arguments: tuple[str, ...]
    directory: Path
    steps: int | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one checkpoint: `view` of its recording and what was `measured`, or in words `why` not."""

    checkpoint: str
    order: int
    place: RunPlace
    measured: Measured | None = None
    view: View | None = None
    step: int | None = None
    """How long the checkpoint had been trained, None where nothing tells."""
    why: str = ""


def natural(path: str) -> list[tuple[bool, int, str]]:
    """A key by which `step_9` stands before `step_10`."""
    return [(False, int(part), "") if part.isdecimal() else (True, 0, part) for part in re.split(r"(\d+)", path) if part]


def in_order(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """By the checkpoints' steps where all that were measured tell theirs, else as listed; what was not measured comes last."""
    measured = [each for each in outcomes if each.measured is not None]
    if all(each.step is not None for each in measured):
        measured.sort(key=lambda each: (each.step or 0, each.order))
    return [*measured, *(each for each in outcomes if each.measured is None)]


def measure(script: Script, checkpoint: str, order: int, waiting: Callable[[float], None]) -> Outcome:
    """Measure one checkpoint; `waiting` is told the seconds gone by. An exception, such as an interrupt, ends the script before it goes on.

    Raises `OSError` where the script cannot be started or its output cannot be written.
    """
    id = run_id(Path(checkpoint).stem, time.strftime("%Y%m%d-%H%M%S"), secrets.token_hex(2))
    place = RunPlace(id, script.directory / id / LOG_NAME)
    request = Request(id, checkpoint, str(script.directory), os.path.abspath(checkpoint), order, script.steps)
    output = script.directory / f".{id}.log"
    try:
        with open(output, "wb") as sink, _started(script, request, sink.fileno()) as process:
            began = time.monotonic()
            while process.poll() is None:
                waiting(time.monotonic() - began)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(_LOOK)
        said = _last_line(output)
        if place.directory.is_dir():
            os.replace(output, place.directory / OUTPUT_NAME)
    finally:
        output.unlink(missing_ok=True)
    _await_writer(place.directory)
    return _read(checkpoint, order, place, _exit(process.returncode, said))


@contextlib.contextmanager
def _started(script: Script, request: Request, sink: int) -> Iterator[subprocess.Popen[bytes]]:
    """The script running; it is ended where the block is left before it is over."""
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "bedside.measure_script", script.path, *script.arguments],
        env={"PYTHONHASHSEED": "0", **os.environ, VARIABLE: request.to_text()},
        stdin=subprocess.DEVNULL,
        stdout=sink,
        stderr=sink,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the script and what it started, politely first."""
    for number, seconds in ((signal.SIGTERM, _ENDS_WITHIN), (signal.SIGKILL, None)):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
            return


def _await_writer(directory: Path) -> None:
    deadline = time.monotonic() + _WRITTEN_WITHIN
    while writer_lives(directory) and time.monotonic() < deadline:
        time.sleep(_LOOK)


def _read(checkpoint: str, order: int, place: RunPlace, without: str) -> Outcome:
    """What the recording says; `without` is why there is none, as far as the script's own end tells."""
    try:
        records = read_recording(place, lambda records, heard: list(records))
    except Unreadable:
        return Outcome(checkpoint, order, place, why=without or _NO_RUN)
    for event in (record.body for record in records if isinstance(record.body, Event)):
        if (measured := Measured.of_event(event)) is not None:
            store = Store()
            store.feed(records)
            return Outcome(checkpoint, order, place, measured, store.at(None), event.step if measured.told_by != "order" else None)
    ended = next((record.body for record in reversed(records) if isinstance(record.body, Ended)), None)
    return Outcome(checkpoint, order, place, why=_why(ended) or without or "the script ended before it was measured")


def _why(ended: Ended | None) -> str:
    """Why the agent, or the script, gave up; empty where neither says. `Unfit` is the agent's own word: what follows is a sentence."""
    match ended:
        case Ended("failed", exception="Unfit", message=sentence):
            return safe(sentence, 1000)
        case Ended("failed", exception=name, message=message):
            return safe(f"the script failed: {name}: {message}", 1000)
        case Ended("stopped", message=message):
            return safe(f"it was stopped: {message}", 1000)
        case _:
            return ""


def _exit(code: int, said: str) -> str:
    """How the script ended by itself, empty where it ended well; `said` is its last line."""
    if code == 0:
        return ""
    how = f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
    return f"the script {how}{f': {said}' if said else ''}"


def _last_line(output: Path) -> str:
    with open(output, "rb") as file:
        file.seek(max(0, output.stat().st_size - _TAIL))
        lines = file.read().decode(errors="replace").strip().splitlines()
    return safe(lines[-1], 500) if lines else ""
