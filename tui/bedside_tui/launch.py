"""Starting a training as a process of its own, and finding the run it begins. The viewer never imports the agent."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bedside_protocol.records import RunStarted
from bedside_protocol.runlog import NewerFormat, read_records
from bedside_tui.places import RunPlace, runs_in

OUTPUT_NAME: Final = "output.log"
BEGINS_WITHIN: Final = 120.0
"""Seconds until a training that has not begun its run is no longer waited for: importing torch from a cold shared disk takes a minute."""


class DidNotStart(Exception):
    """The training ended, or said nothing, before its run began; the text holds the last it printed."""


@dataclass(frozen=True, slots=True)
class Launched:
    """A training that was started here. `before`: the runs there were already; process numbers are used again."""

    process: subprocess.Popen[bytes]
    directory: Path
    before: frozenset[Path]
    output: Path | None

    def run(self) -> RunPlace | None:
        """The run it began, None until it has."""
        new = (place for place in runs_in([self.directory]) if place.directory not in self.before)
        return next((place for place in new if _pid_of(place) == self.process.pid), None)


def start_attended(case: str, arguments: Sequence[str], directory: Path) -> Launched:
    """A case of `bedside.cases` that prints where we print and ends when the terminal interrupts us."""
    before = frozenset(place.directory for place in runs_in([directory]))
    return Launched(subprocess.Popen(_command(case, arguments, directory)), directory, before, None)


def start_detached(case: str, arguments: Sequence[str], directory: Path) -> Launched:
    """A case in a session of its own, its output in a file: leaving the viewer, or a lost connection, does not end it.

    Raises `DidNotStart`.
    """
    before = frozenset(place.directory for place in runs_in([directory]))
    output = directory / f".starting-{os.getpid()}.log"
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        with open(output, "wb") as sink:
            command = _command(case, arguments, directory)
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=sink, stderr=subprocess.STDOUT, start_new_session=True)
    except OSError as error:
        raise DidNotStart(f"{directory} cannot be used: {error.strerror or error}") from error
    return Launched(process, directory, before, output)


def wait_for_run(launched: Launched, waiting: Callable[[float], None]) -> RunPlace:
    """The run it begins; its output moves beside the recording. `waiting` is told the seconds gone by. Raises `DidNotStart`."""
    process, output = launched.process, launched.output
    began = time.monotonic()
    while (gone := time.monotonic() - began) < BEGINS_WITHIN and process.poll() is None:
        if (place := launched.run()) is not None:
            if output is not None:
                os.replace(output, place.directory / OUTPUT_NAME)
            return place
        waiting(gone)
        time.sleep(0.1)
    if process.poll() is None:
        raise DidNotStart(f"no run after {BEGINS_WITHIN:.0f} s; the training goes on as process {process.pid}, its output in {output}")
    said = output.read_text(errors="replace").strip().splitlines() if output is not None else []
    if output is not None:
        output.unlink(missing_ok=True)
    raise DidNotStart(said[-1] if said else f"exit code {process.poll()}")


def _command(case: str, arguments: Sequence[str], directory: Path) -> list[str]:
    """`-P`: a `logging.py` where the person happens to stand must not shadow the standard library."""
    return [sys.executable, "-P", "-m", "bedside.cases", case, "--dir", str(directory), *arguments]


def _pid_of(place: RunPlace) -> int:
    try:
        with open(place.log, "rb") as file:
            return next((record.body.pid for record in read_records(file) if isinstance(record.body, RunStarted)), 0)
    except (OSError, NewerFormat):
        return 0
