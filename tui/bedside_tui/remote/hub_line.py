"""The proxy's line to the hub beside it: looked for while there is none, asked one thing at a time, and passed over while it is silent."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import zmq

from bedside_tui.places import Door, door_of
from bedside_tui.sources.way import SOON, knock, sent

LOOK_EVERY: Final = 1.0
SILENT_AFTER: Final = 1.5
"""Seconds after which a hub that was asked counts as silent: it answers within one. Its answer, once it wakes, is welcome."""


class HubLine:
    """At most one socket, to whichever hub the run has now."""

    def __init__(self, run: str, *, may_command: bool) -> None:
        self._run = run
        self._may_command = may_command
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._door: Door | None = None
        self._socket: zmq.Socket[bytes] | None = None
        self._looked = float("-inf")
        self._asked: float | None = None
        self._answers = False
        self._opens = False
        """Whether it was just knocked at, and a question waits until somebody takes it."""
        self._knocked = float("-inf")

    def __repr__(self) -> str:
        return f"<HubLine to {self._door}{'' if self._answers else ', silent'}>"

    def wait(self, reader: int, milliseconds: int) -> bool:
        """Wait until the hub speaks or `reader` has something; whether that has."""
        poller = zmq.Poller()
        poller.register(reader, zmq.POLLIN)
        if self._socket is not None:
            poller.register(self._socket, zmq.POLLIN)
        return reader in dict(poller.poll(min(milliseconds, SOON) if self._opens else milliseconds))

    def heard(self, now: float) -> Iterator[bytes]:
        """The frames that have come."""
        self._look(now)
        while self._socket is not None and self._socket.poll(0):
            self._asked, self._answers = None, True
            yield self._socket.recv(zmq.NOBLOCK)

    def read(self, frame: bytes, now: float) -> bool:
        """Ask it for bytes, unless it was; whether its answer is to be waited for. A silent one is asked again, and not waited for."""
        waited = 0.0 if self._asked is None else now - self._asked
        self._answers = self._answers and waited < SILENT_AFTER
        again = self._asked is None or (not self._answers and waited > LOOK_EVERY)
        if self._socket is not None and again and sent(self._socket, frame):
            self._asked = now
        self._opens = self._socket is not None and self._asked is None and now - self._knocked < SILENT_AFTER
        return self._answers or now - self._knocked < SILENT_AFTER

    def ask(self, frame: bytes) -> bool:
        """Hand a command on; False where no hub takes it now."""
        return self._socket is not None and self._answers and sent(self._socket, frame)

    def doubt(self) -> None:
        """Its last word was no answer: take it for silent."""
        self._answers = False
        self._knocked = float("-inf")

    def close(self) -> None:
        self._leave()
        self._context.destroy(linger=0)

    def _look(self, now: float) -> None:
        """See whether the way to the hub is another one by now; only a silent hub is doubted."""
        if self._answers or now - self._looked < LOOK_EVERY:
            return
        self._looked = now
        door = door_of(self._run, may_command=self._may_command)
        if door == self._door:
            return
        self._leave()
        self._door, self._asked = door, None
        if door is None:
            return
        self._knocked = now
        self._socket = self._context.socket(zmq.DEALER)
        try:
            knock(self._socket, door)
        except zmq.ZMQError:  # keys or a path that no socket takes
            self._leave()

    def _leave(self) -> None:
        if self._socket is not None:
            self._socket.close(linger=0)
        self._socket = None
