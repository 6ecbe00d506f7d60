"""The records of a run as they come, for verbs that watch without a screen: from the same source as the viewer's."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Generator

from bedside_protocol.sanitise import text as safe
from bedside_tui.library import read_recording
from bedside_tui.liveness import writer_lives
from bedside_tui.places import RunPlace
from bedside_tui.sources.live import LiveSource
from bedside_tui.sources.source import Inbox, SourceStatus, Update

BEAT = 1.0
"""Seconds after which a caller hears that nothing came: it may have to look whether anybody still listens."""


def updates_of(place: RunPlace, deadline: float = math.inf) -> Generator[Update | None, None, None]:
    """What a log holds and what is written to it, until its run is over (the last update is then `ended`) or the monotonic clock shows
    `deadline`; None after each second of silence.

    That the way to the run is lost and nothing comes is said on stderr, each reason once: it is looked for again. Raises `Unreadable`
    where there is nothing to read.
    """
    if place.log.stat().st_size or not writer_lives(place.directory):  # an empty file is one that somebody is about to write to
        read_recording(place, lambda records, heard: None)
    inbox, source = Inbox(), LiveSource(place, read_only=True)
    told, lost = {""}, ""

    def deliver(update: Update) -> None:
        inbox.put(update)

    try:
        source.start(deliver)
        while (left := deadline - time.monotonic()) > 0:
            update = inbox.take(min(BEAT, left))
            if lost not in told and (update is None or update.status.state == "unreachable"):
                told.add(lost)
                print(f"bedside: {safe(lost, 1000)}", file=sys.stderr)
            if update is not None:
                lost = update.status.detail if update.status.state == "unreachable" else ""
            yield update
            if update is not None and update.status.state == "ended":
                return
    finally:
        inbox.close()
        source.close()


def has_caught_up(status: SourceStatus) -> bool:
    """Whether all that was written before we came has been read."""
    return status.complete and status.state != "unreachable"
