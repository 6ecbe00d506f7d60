"""Writing into the lab book of a run: through its hub while it lives, into the recording itself when nobody else does."""

from __future__ import annotations

import time
from collections.abc import Mapping

from bedside_protocol.lab_book import BadEntry, Entry, entry_of, said_of
from bedside_protocol.records import CommandChanged, Scalar
from bedside_tui.liveness import writer_lives
from bedside_tui.output import Unwritable
from bedside_tui.places import RunPlace, Unreadable, door_of
from bedside_tui.recording_end import LogEnd, Owned, append_word
from bedside_tui.whoami import whoami

WITHIN = 20.0
"""Seconds a hub may take to write: it does so at once, or is stopped."""


class NotWritten(Exception):
    """Nothing was written into the book; the text says why and what to do."""


def write(place: RunPlace, arguments: Mapping[str, Scalar]) -> str:
    """Write what `bedside_protocol.lab_book`'s arguments ask for; what was written, in words, empty for a note. Raises `NotWritten`."""
    if writer_lives(place.directory) and door_of(place.id, may_command=True) is not None:
        last = _asked(place, arguments)
        if last is not None and last.state == "applied":
            return last.detail
        if writer_lives(place.directory):
            raise NotWritten(_why(place, last))
    return _append(place, arguments)


def _asked(place: RunPlace, arguments: Mapping[str, Scalar]) -> CommandChanged | None:
    """The last that was said of the question to the hub."""
    from bedside_tui.sources.command import life_of_command  # the socket library: a viewer of recordings never needs it

    life = [news for news in life_of_command(place, "note", arguments, WITHIN) if isinstance(news, CommandChanged)]
    return life[-1] if life else None


def _why(place: RunPlace, last: CommandChanged | None) -> str:
    if last is not None and last.state == "refused":
        return f"{place.id} refused: {last.detail}"
    return f"no answer from the hub of {place.id} within {WITHIN:.0f} s: look whether it was written before you write it again"


def _append(place: RunPlace, arguments: Mapping[str, Scalar]) -> str:
    written: list[Entry] = []

    def say(end: LogEnd) -> Entry:
        entry = entry_of(arguments, whoami(), end.step, round(time.time(), 3))
        written.append(entry)
        return entry

    try:
        append_word(place.log, say)
    except (BadEntry, Owned, Unreadable) as error:
        raise NotWritten(str(error)) from error
    except Unwritable as error:
        raise NotWritten(f"{error}: copy the recording to where you may write, and write there") from error
    return said_of(written[-1])


def noted(arguments: Mapping[str, Scalar], said: str) -> str:
    """What to tell the person who wrote."""
    if said:
        return said
    step = arguments.get("step")
    return "noted" if step is None else f"noted at step {step:,}"
