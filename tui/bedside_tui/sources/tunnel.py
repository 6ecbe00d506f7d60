"""A run on another machine whose socket a tunnel of `ssh -L` has brought here. Its file is not here: without the hub there is nothing."""

from __future__ import annotations

import socket as sockets
import time
from collections.abc import Callable
from pathlib import Path

from bedside_protocol.places import LOG_NAME
from bedside_tui.places import Door, RunPlace
from bedside_tui.sources.live import LOOK_AGAIN, PACE, UNREACHABLE, LiveSource
from bedside_tui.sources.source import Update
from bedside_tui.sources.way import Way


class TunnelSource(LiveSource):
    """`run` behind `door`, which is a forwarded socket and keys from the other machine."""

    def __init__(self, run: str, door: Door, *, read_only: bool = False) -> None:
        super().__init__(RunPlace(run, Path("/nonexistent") / run / LOG_NAME), read_only=read_only)
        self._through = door

    def __repr__(self) -> str:
        return f"<TunnelSource {self._through}>"

    @property
    def place(self) -> RunPlace | None:
        return None

    def _door(self) -> Door | None:
        return self._through

    def _do_without(self, way: Way, deliver: Callable[[Update], None]) -> None:
        """Say why nobody answers, and wait a while for somebody who does."""
        why = self._refused or why_silent(self._through, self._place.id)
        deliver(Update(self._talk.refused(UNREACHABLE), self._talk.away("unreachable", why)))
        until = time.monotonic() + LOOK_AGAIN
        while time.monotonic() < until and not self._stop.wait(PACE) and not way.speaks():
            pass


def why_silent(door: Door, run: str) -> str:
    """What is at this end of a tunnel whose hub does not answer: nobody, or somebody who is not this run's hub, or who leads nowhere."""
    path = door.endpoint.removeprefix("ipc://")
    with sockets.socket(sockets.AF_UNIX, sockets.SOCK_STREAM) as end:
        end.settimeout(1.0)
        try:
            end.connect(path)
        except OSError as error:
            return f"no tunnel at {path} ({error.strerror or error}): start ssh -L again, with -o StreamLocalBindUnlink=yes"
    return f"no answer through the tunnel: the run is over, that sshd forwards no sockets, or {path} leads elsewhere than to {run}"
