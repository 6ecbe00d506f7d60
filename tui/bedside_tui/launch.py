"""Starting a training as a process of its own, and finding the run it begins. The viewer never imports the agent."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from bedside_protocol.places import LOG_NAME
from bedside_protocol.records import RunStarted
from bedside_protocol.runlog import read_records

from bedside_tui.places import RunPlace, runs_in

OUTPUT_NAME = "output.log"


class DidNotStart(Exception):
    """The training ended, or said nothing, before its run began; the text holds the last it printed."""


def start_case(case: str, arguments: Sequence[str], directory: Path) -> tuple[subprocess.Popen[bytes], Path]:
    """A case of `bedside.cases` in its own session, its output in a file. Leaving the viewer, or losing the connection, does not end it."""
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    output = directory / f".starting-{os.getpid()}.log"
    with open(output, "wb") as sink:
        process = subprocess.Popen(
            [sys.executable, "-m", "bedside.cases", case, "--dir", str(directory), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    return process, output


def wait_for_run(process: subprocess.Popen[bytes], output: Path, directory: Path, waiting: Callable[[float], None]) -> RunPlace:
    """The run that `process` begins; its output moves beside the recording. `waiting` is told the seconds gone by. Raises `DidNotStart`."""
    began = time.monotonic()
    while process.poll() is None and time.monotonic() - began < 120:
        for place in runs_in([directory]):
            if _pid_of(place) == process.pid:
                os.replace(output, place.directory / OUTPUT_NAME)
                return place
        waiting(time.monotonic() - began)
        time.sleep(0.1)
    said = output.read_text(errors="replace").strip().splitlines()
    output.unlink(missing_ok=True)
    raise DidNotStart(said[-1] if said else f"exit code {process.poll()}")


def _pid_of(place: RunPlace) -> int:
    try:
        with open(place.directory / LOG_NAME, "rb") as file:
            first = next(read_records(file), None)
    except OSError:
        return 0
    return first.body.pid if first is not None and isinstance(first.body, RunStarted) else 0
