"""A command in a real terminal: what a person would see of it, and every byte it wrote."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
import unicodedata
from pathlib import Path

import pyte

# What the terminal library itself sends: CSI sequences, character sets, the shape of the pointer. Any other OSC, DCS or C1 is a run's.
WELL_BEHAVED = re.compile(r"\x1b\[[0-9;?<>=:]*[ -/]*[@-~]|\x1b[()][AB0]|\x1b[78=>]|\x1b\]22;[a-z-]*\x07")
OBEYED = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
"""Unicode's categories of what a terminal obeys, hides or does not know; of those the library sends ends of lines."""


def _obey_hang_ups() -> None:
    """As in a shell, also where the tests themselves were started under `nohup`, which is inherited."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


class Terminal:
    """A command of `bedside` in a terminal of its own, `size` columns and rows large."""

    def __init__(self, words: list[str], environment: dict[str, str], cwd: Path, size: tuple[int, int] = (80, 24)) -> None:
        self._master, self._slave = pty.openpty()
        fcntl.ioctl(self._slave, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
        self.settings = termios.tcgetattr(self._slave)
        self.sent = b""
        self._gone = False
        self._screen = pyte.Screen(*size)
        self._stream = pyte.ByteStream(self._screen)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "bedside_tui", *words],
            env=environment | {"TERM": "xterm-256color", "LANG": "C.UTF-8"},
            cwd=cwd,
            stdin=self._slave,
            stdout=self._slave,
            stderr=self._slave,
            start_new_session=True,
            preexec_fn=_obey_hang_ups,
        )

    @property
    def text(self) -> str:
        """The screen as a person sees it now."""
        while select.select([self._master], [], [], 0)[0]:
            data = os.read(self._master, 1 << 16)
            self.sent += data
            with contextlib.suppress(Exception):  # sequences this emulator does not know
                self._stream.feed(data)
        return "\n".join(self._screen.display)

    def sees(self, text: str, seconds: float = 60.0) -> None:
        """Wait until a text stands on the screen."""
        deadline = time.monotonic() + seconds
        while text not in self.text:
            assert time.monotonic() < deadline, f"waited for {text!r}; the screen:\n{self.text}"
            assert self.process.poll() is None or text in self.text, f"left with {self.process.returncode}:\n{self.text}"
            select.select([self._master], [], [], 0.05)

    def settled(self, quiet: float = 0.15) -> str:
        """The screen once nothing has been drawn for a moment."""
        while select.select([self._master], [], [], quiet)[0]:
            assert self.text
        return self.text

    def press(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    def left(self, seconds: float = 60.0) -> str:
        """Wait until the command has ended; everything it wrote after it gave the screen back."""
        deadline = time.monotonic() + seconds
        while self.process.poll() is None:
            assert time.monotonic() < deadline, f"still there:\n{self.text}"
            assert self.text is not None
            select.select([self._master], [], [], 0.05)
        assert self.text is not None
        return self.sent.decode("utf-8").rpartition("\x1b[?1049l")[2]

    def hang_up(self) -> None:
        """The terminal goes away; it controls no session, so that no signal tells of it."""
        os.close(self._master)
        os.close(self._slave)
        self._gone = True

    def is_as_it_was(self) -> bool:
        """Whether modes, screen and cursor are those from before."""
        ends = [self.sent.rfind(b"\x1b[?1049" + mode) for mode in (b"h", b"l")]
        cursor = [self.sent.rfind(b"\x1b[?25" + mode) for mode in (b"l", b"h")]
        return termios.tcgetattr(self._slave) == self.settings and ends[0] < ends[1] and cursor[0] <= cursor[1]

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        if not self._gone:
            self.hang_up()


def obeyed(sent: bytes) -> list[str]:
    """The characters in these bytes that a terminal would obey, and which the terminal library did not send."""
    shown = set(WELL_BEHAVED.sub("", sent.decode("utf-8"))) - set("\r\n\t\b")
    return sorted(hex(ord(char)) for char in shown if unicodedata.category(char) in OBEYED)
