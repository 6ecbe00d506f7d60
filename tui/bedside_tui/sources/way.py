"""The way to a run's hub: at most one socket, kept for as long as an answer may still come over it.

A hub on a crowded machine, or behind a slow tunnel, needs longer for a handshake than a viewer waits before it reads the file: who knocks
anew each time is never let in. So the way stays while the file is read, and is given up later and later. It decides nothing of what is
said over it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import zmq

from bedside_protocol.codec import CodecError, decode_message, encode_message
from bedside_protocol.messages import Message
from bedside_tui.places import Door

PATIENCE: Final = 5.0
"""Seconds without a word after which a way is made anew: a tunnel that was started again may hold the old one open, and lead nowhere."""
LONGEST_PATIENCE: Final = 30.0
"""Seconds at most: libzmq gives up a handshake after as long."""
SOON: Final = 5
"""Milliseconds after which a question that nobody took is asked again: nothing tells when a handshake is done."""
_RECONNECT: Final = 1000
"""Milliseconds between two attempts at most: a tunnel without a run behind it takes every one of them."""


class Way:
    """The way to whichever hub `find` finds. One thread owns it; times are of the monotonic clock."""

    def __init__(self, find: Callable[[], Door | None]) -> None:
        self._find = find
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._socket: zmq.Socket[bytes] | None = None
        self._door: Door | None = None
        self._knocked = self._heard = float("-inf")
        self._patience = PATIENCE

    def __repr__(self) -> str:
        return f"<Way to {self._door}, patience {self._patience:g} s>"

    def knock(self, now: float) -> bool:
        """Be on the way to the hub that is there now; whether that is another one than before. Raises `zmq.ZMQError` for a closed one."""
        door = self._find()
        is_new = door != self._door
        if not is_new and now - self._heard <= self._patience:
            return False
        self._patience = PATIENCE if is_new else min(2 * self._patience, LONGEST_PATIENCE)
        self.leave()
        self._door, self._knocked, self._heard = door, now, now
        if door is not None:
            self._socket = self._context.socket(zmq.DEALER)
            knock(self._socket, door)
        return is_new and door is not None

    def send(self, message: Message) -> bool:
        """Send without waiting; False where nobody takes it."""
        return self._socket is not None and sent(self._socket, encode_message(message))

    def speaks(self, milliseconds: int = 0) -> bool:
        """Whether something has come, or comes within so long."""
        return self._socket is not None and bool(self._socket.poll(milliseconds))

    def take(self, now: float) -> Message | None:
        """What has come; None where it cannot be understood. A hub that took long to speak may take as long again."""
        assert self._socket is not None
        if self._heard == self._knocked:  # its first word
            self._patience = min(max(PATIENCE, 2 * (now - self._knocked)), LONGEST_PATIENCE)
        self._heard = now
        try:
            return decode_message(self._socket.recv(zmq.NOBLOCK))
        except (zmq.Again, CodecError):
            return None

    def leave(self) -> None:
        """Be on no way; the next knock finds a new one."""
        if self._socket is not None:
            self._socket.close(linger=0)
        self._socket = self._door = None

    def close(self) -> None:
        self.leave()
        self._context.destroy(linger=0)


def knock(socket: zmq.Socket[bytes], door: Door) -> None:
    """Set a socket on its way to a hub. Raises `zmq.ZMQError` for keys or a path that no socket takes."""
    socket.curve_serverkey = door.server_public.encode()
    socket.curve_publickey = door.public.encode()
    socket.curve_secretkey = door.secret.encode()
    socket.setsockopt(zmq.IMMEDIATE, 1)  # a command is never kept for a run that is not there
    socket.setsockopt(zmq.LINGER, 0)
    socket.setsockopt(zmq.MAXMSGSIZE, 8 << 20)
    socket.setsockopt(zmq.RECONNECT_IVL_MAX, _RECONNECT)
    socket.connect(door.endpoint)


def sent(socket: zmq.Socket[bytes], frame: bytes) -> bool:
    """Send without waiting; False where nobody takes it."""
    try:
        socket.send(frame, zmq.NOBLOCK)
    except zmq.Again:
        return False
    return True
