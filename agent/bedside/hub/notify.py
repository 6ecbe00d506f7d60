"""Notifications on their way: one messenger at a time, started and looked after without ever waiting for it.

What becomes of each is said as the life of its command. Which addresses there are, and how they are reached, is the messenger's business.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections import deque
from pathlib import Path
from typing import Final

from bedside_protocol.records import Body, CommandChanged, Problem
from bedside_protocol.sanitise import text as safe

NOBODY: Final = "BEDSIDE_NOTIFY was not set where the training was started: there is nobody to tell"
UNKNOWN: Final = "the hub that sent it is gone: whether it arrived is not known"
TOO_LATE: Final = "it took more than {seconds:.0f} s"
TOO_MANY: Final = "too many notifications are waiting"
PATIENCE: Final = 30.0
"""Seconds a messenger may take."""
_MOST_WAITING: Final = 16
_TITLE, _TEXT = 200, 2000  # with the path, well below what a pipe takes without a reader (64 KiB)
_MESSENGER: Final = Path(__file__).with_name("messenger.py")


class Notifier:
    """Sends the `notify` commands of one run, one after another."""

    def __init__(self, run: str, has_addresses: bool) -> None:
        self._run = run
        self._has_addresses = has_addresses
        self._waiting: deque[CommandChanged] = deque()
        self._said: list[Body] = []
        self._messenger: subprocess.Popen[bytes] | None = None
        self._since = 0.0

    def __repr__(self) -> str:
        return f"<Notifier {len(self._waiting)} waiting>"

    @property
    def is_busy(self) -> bool:
        """Whether something more will be said."""
        return bool(self._waiting or self._said)

    def send(self, command: CommandChanged) -> None:
        """Take a `notify` command; what becomes of it comes out of `look`."""
        if not self._has_addresses:
            self._fail(command, NOBODY)
        elif len(self._waiting) >= _MOST_WAITING:
            self._fail(command, TOO_MANY)
        else:
            self._waiting.append(command)

    def recover(self, command: CommandChanged) -> None:
        """A notification that an earlier hub had not finished: sending it again might tell it twice."""
        self._fail(command, UNKNOWN)

    def look(self, now: float) -> list[Body]:
        """What has become of notifications since the last look; starts the next."""
        if self._messenger is not None:
            self._follow(self._messenger, now)
        if self._messenger is None and self._waiting:
            self._start(self._waiting[0], now)
        said, self._said = self._said, []
        return said

    def close(self) -> None:
        """The hub leaves: a messenger on its way goes on alone, what waits is not sent."""
        if self._messenger is not None and self._messenger.stdout is not None:
            self._messenger.stdout.close()

    def _start(self, command: CommandChanged, now: float) -> None:
        title, text = words_of(command, self._run)
        path = [entry for entry in sys.path if entry]
        try:
            self._messenger = subprocess.Popen(
                [sys.executable, "-P", str(_MESSENGER)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
            assert self._messenger.stdin is not None
            with contextlib.suppress(BrokenPipeError), self._messenger.stdin as pipe:
                pipe.write(json.dumps({"path": path, "title": title, "text": text}).encode())
            self._since = now
        except OSError as error:
            self._fail(self._waiting.popleft(), f"no messenger could be started: {error.strerror}")

    def _follow(self, messenger: subprocess.Popen[bytes], now: float) -> None:
        """Notice that the messenger has ended, or end it."""
        code = messenger.poll()
        if code is None and now - self._since <= PATIENCE:
            return
        if code is None:
            with contextlib.suppress(OSError):
                os.killpg(messenger.pid, signal.SIGKILL)
            messenger.wait()
        assert messenger.stdout is not None
        with messenger.stdout as pipe:
            os.set_blocking(pipe.fileno(), False)  # something it has started may hold the other end
            said = (pipe.read() or b"").decode(errors="replace") if code is not None else ""
        self._messenger = None
        command = self._waiting.popleft()
        if code is None:
            self._fail(command, TOO_LATE.format(seconds=PATIENCE))
        elif code or said:
            self._fail(command, "; ".join(said.splitlines()) or f"the messenger ended with code {code}")
        else:
            self._said.append(CommandChanged(command.id, "notify", "applied", command.who, arguments=command.arguments))

    def _fail(self, command: CommandChanged, why: str) -> None:
        failed = CommandChanged(command.id, "notify", "failed", command.who, why, arguments=command.arguments)
        self._said += [failed, Problem(f"a notification asked for by {command.who} failed: {why}", 1, "hub")]


def words_of(command: CommandChanged, run: str) -> tuple[str, str]:
    """Title and text of a notification: of the alarm that asked for it, else in the words of who did."""
    told = command.arguments
    if "rule" not in told:
        return f"bedside: {run}", safe(str(told.get("text") or f"a notification asked for by {command.who}"), _TEXT)
    title = f"bedside: {str(told.get('severity', '')).upper()} {told['rule']} on {told.get('target', '')}"
    return safe(title, _TITLE), safe(f"{run}: {told.get('message', '')} (step {told.get('alarm_step', 0)})", _TEXT)
