"""The link to a proxy: an `ssh` with pipes at its ends. What goes wrong with it is told in one sentence that says what to do."""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import time
from collections.abc import Iterator, Sequence
from typing import IO, Final

from bedside_protocol.codec import CodecError, decode_message, encode_message
from bedside_protocol.framing import Frames, framed
from bedside_protocol.messages import Message
from bedside_protocol.sanitise import text as safe

_PIECE: Final = 1 << 16
_KEPT: Final = 4096
"""Bytes of what ssh says about itself that are kept: the last ones tell why it left."""
_LEAVES_WITHIN: Final = 0.5
"""Seconds ssh is given to leave by itself, and again after it has been told to."""


class LinkLost(Exception):
    """The link is gone; the text says why and what to do."""


class Link:
    """One ssh process. `asks`: it may speak with the person at this terminal, else it has none."""

    def __init__(self, argv: Sequence[str], host: str, *, asks: bool) -> None:
        self._host = host
        self._frames = Frames(greeted=True)
        self._said = b""
        self.heard = time.monotonic()
        """When bytes last came, by the monotonic clock."""
        try:
            self._process = subprocess.Popen(
                argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=not asks
            )
        except OSError as error:
            raise LinkLost(f"{argv[0]} cannot be started ({error.strerror}): install OpenSSH's client, or name one with --ssh") from error
        self._in, self._out, self._err = (_pipe(end) for end in (self._process.stdin, self._process.stdout, self._process.stderr))
        os.set_blocking(self._in.fileno(), False)
        self._poll = select.poll()
        for end in (self._out, self._err):
            self._poll.register(end.fileno(), select.POLLIN)

    def __repr__(self) -> str:
        return f"<Link to {self._host}, ssh {self._process.pid}>"

    @property
    def pid(self) -> int:
        """The ssh process."""
        return self._process.pid

    @property
    def noise(self) -> str:
        """What the other machine's shell printed before bedside answered, shortened; empty where it printed nothing."""
        return safe(self._frames.noise.decode("utf-8", "replace").strip()) if self._frames.skipped else ""

    def send(self, message: Message) -> None:
        """Say something to the proxy. Raises `LinkLost`, also where the link takes nothing any more."""
        data = framed(encode_message(message))
        try:
            if os.write(self._in.fileno(), data) == len(data):
                return
        except BlockingIOError as error:
            raise LinkLost(f"the link to {self._host} takes nothing any more") from error
        except OSError as error:
            raise self._left() from error
        raise LinkLost(f"the link to {self._host} is full")

    def hear(self, milliseconds: int) -> Iterator[Message]:
        """What comes within this time, one piece of it. Raises `LinkLost`."""
        for handle, _ in self._poll.poll(milliseconds):
            data = os.read(handle, _PIECE)
            if handle == self._err.fileno():
                self._said = (self._said + data)[-_KEPT:]
                if not data:
                    self._poll.unregister(handle)
                continue
            if not data:
                raise self._left()
            self.heard = time.monotonic()
            try:
                for frame in self._frames.feed(data):
                    yield decode_message(frame)
            except CodecError as error:
                raise LinkLost(f"{self._host}: {error}") from error

    def close(self) -> None:
        """End ssh; the proxy at the other end leaves with it."""
        for end in (self._in, self._out, self._err):
            with contextlib.suppress(OSError):
                end.close()
        for last_word in (self._process.terminate, self._process.kill):
            try:
                self._process.wait(_LEAVES_WITHIN)
                return
            except subprocess.TimeoutExpired:
                last_word()
        self._process.wait()

    def _left(self) -> LinkLost:
        """Why ssh has left, or is about to."""
        try:
            code: int | None = self._process.wait(_LEAVES_WITHIN)
        except subprocess.TimeoutExpired:
            code = None
        while self._poll_err() and (data := os.read(self._err.fileno(), _PIECE)):
            self._said = (self._said + data)[-_KEPT:]
        return LinkLost(why_left(self._host, code, self._said.decode("utf-8", "replace"), self.noise))

    def _poll_err(self) -> bool:
        return bool(select.select([self._err], [], [], 0)[0])


def why_left(host: str, code: int | None, said: str, noise: str = "") -> str:
    """One sentence on an ssh that has ended with `code` (None: it has not yet, but its output has), after saying this on stderr."""
    last = next((line for line in reversed(said.splitlines()) if line.strip()), "")
    told = f" (ssh said: {safe(last.strip(), 160)})" if last else f" (it printed: {noise})" if noise else ""
    if code == 255:
        return f"{_unreached(host, said)}{told}"
    if code in (126, 127) or "not found" in said or "No module named" in said:
        return f"bedside is not on the path of {host}'s shell: install it there, or say where with --remote-bedside PATH{told}"
    if "no verb proxy" in said:
        return f"the bedside of {host} is too old to be attached from elsewhere: upgrade it there{told}"
    if code is not None and code < 0:
        return f"ssh was killed ({-code})"
    return f"the link to {host} ended{'' if code is None else f' with {code}'}{told}"


def _unreached(host: str, said: str) -> str:
    """What ssh's own failure means, by what it says of it."""
    if "Could not resolve" in said:
        return f"no machine is known as {host}: check the name, or your ssh config"
    if "Host key verification failed" in said or "IDENTIFICATION HAS CHANGED" in said:
        return f"the key of {host} is not the known one: see whether `ssh {host}` trusts it"
    if "Permission denied" in said or "Too many authentication failures" in said:
        return f"{host} lets nobody in with these keys, and nobody was there to type a password: see whether `ssh {host}` does"
    return f"{host} cannot be reached"


def _pipe(end: IO[bytes] | None) -> IO[bytes]:
    assert end is not None  # asked for in the call
    return end
