"""One command to a living run, and what becomes of it."""

from __future__ import annotations

import queue
import time
from collections.abc import Iterator, Mapping

from bedside_protocol.commands import is_over
from bedside_protocol.records import CommandChanged, Scalar, StackTaken, Verb
from bedside_tui.places import RunPlace
from bedside_tui.sources.live import LiveSource
from bedside_tui.sources.source import Update


def life_of_command(place: RunPlace, verb: Verb, arguments: Mapping[str, Scalar], seconds: float) -> Iterator[CommandChanged | StackTaken]:
    """Ask the run for `verb`: the moments of the command's life as the log tells them, until it is over or so many seconds have passed; and
    the stack, where it asks for one."""
    source = LiveSource(place, start=place.log.stat().st_size)
    control = source.control
    assert control is not None
    updates: queue.SimpleQueue[Update] = queue.SimpleQueue()
    name = control.send(verb, arguments)
    source.start(updates.put)
    try:
        yield from _life(name, updates, seconds)
    finally:
        source.close()


def _life(name: str, updates: queue.SimpleQueue[Update], seconds: float) -> Iterator[CommandChanged | StackTaken]:
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        try:
            update = updates.get(timeout=left)
        except queue.Empty:
            return
        for record in update.records:
            match record.body:
                case StackTaken(command=command) as stack if command == name:
                    yield stack
                case CommandChanged(id=command) as change if command == name:
                    yield change
                    if is_over(change.state):
                        return
        if update.status.state == "ended":
            return
