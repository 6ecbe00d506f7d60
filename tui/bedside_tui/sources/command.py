"""One command to a living run, and what becomes of it."""

from __future__ import annotations

import queue
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final

from bedside_protocol.commands import is_over
from bedside_protocol.records import HUB_RANK, CommandChanged, Scalar, StackTaken, Verb
from bedside_tui.places import RunPlace
from bedside_tui.sources.live import LiveSource
from bedside_tui.sources.source import Update

OTHERS_WITHIN: Final = 5.0
"""Seconds after the first rank's stack in which the other ranks' come: each takes its own."""


def life_of_command(
    place: RunPlace, verb: Verb, arguments: Mapping[str, Scalar], seconds: float, ranks: int = 1
) -> Iterator[CommandChanged | StackTaken]:
    """Ask the run for `verb`: the moments of the command's life as the log tells them, until it is over or so many seconds have passed; and
    the stack, where it asks for one, of each of so many `ranks`."""
    source = LiveSource(place, start=place.log.stat().st_size)
    control = source.control
    assert control is not None
    updates: queue.SimpleQueue[Update] = queue.SimpleQueue()
    name = control.send(verb, arguments)
    source.start(updates.put)
    try:
        yield from _life(name, updates, seconds, ranks)
    finally:
        source.close()


def _life(name: str, updates: queue.SimpleQueue[Update], seconds: float, ranks: int) -> Iterator[CommandChanged | StackTaken]:
    deadline = time.monotonic() + seconds
    is_told = False
    heard: set[int] = set()
    while (left := deadline - time.monotonic()) > 0:
        try:
            update = updates.get(timeout=left)
        except queue.Empty:
            return
        for record in update.records:
            match record.body:
                case StackTaken(command=command) as stack if command == name:
                    rank = stack.rank if record.rank == HUB_RANK else record.rank
                    heard.add(rank)
                    yield _of_rank(stack, rank) if ranks > 1 else stack
                case CommandChanged(id=command) as change if command == name:
                    yield change
                    if is_over(change.state):
                        is_told = True
                        deadline = min(deadline, time.monotonic() + OTHERS_WITHIN)
        if update.status.state == "ended" or (is_told and not 0 < len(heard) < ranks):
            return


def _of_rank(stack: StackTaken, rank: int) -> StackTaken:
    """With the rank before the name of each thread."""
    return replace(stack, threads=tuple(replace(thread, name=f"rank {rank} · {thread.name}") for thread in stack.threads))
