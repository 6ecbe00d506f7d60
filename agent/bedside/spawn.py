"""Starting the hub beside the training, and starting it again when it died.

The hub gets its own session and is no child of the training: it outlives it, and no `os.wait` of the user's meets it. It is started by
the path of its main file under `-P`: a user's `logging.py` in the working directory, or on the parent's `sys.path`, then cannot shadow
the standard library. Secrets and the parent's `sys.path` go through a pipe, never through the command line or the environment.
"""

from __future__ import annotations

import fcntl
import json
import os
import select
import subprocess
import sys
from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from bedside_protocol.places import HUB_LOG_NAME, LOCK_NAME

from .runtime import Keys

MAX_STARTS: Final = 5
"""Starts of a hub within `WINDOW` seconds; after that the run goes on unmonitored, and says so."""
WINDOW: Final = 60.0
BEGINS_WITHIN: Final = 60.0
"""Seconds a hub that lives may take to its first lock: on a crowded machine its imports alone took more than three. After that the lock
alone tells, because a process forked at an unlucky moment may hold the other end of the lifeline."""
_MAIN: Final = Path(__file__).parent / "hub" / "__main__.py"


class CannotSpawn(OSError):
    """No hub could be started; the text says why."""


@dataclass(frozen=True, slots=True)
class HubPlan:
    """All a hub is told at its start."""

    run: str
    directory: str
    runtime: str
    pid: int
    pid_start: int
    wall_start: float
    monotonic_start: float
    size_cap: int
    keys: Keys
    rules: str = ""
    """The text of a file of rules that can be read, empty where the built-in ones judge."""
    rules_name: str = ""
    world: int = 1
    """Ranks of the run."""
    invitation: str = ""
    """The file that invites the other ranks, empty where there are none."""

    @classmethod
    def told(cls, said: Mapping[str, Any]) -> HubPlan:
        """The plan that an agent has told, also one of another version, after an upgrade under a running training: what such a one says
        besides is passed over."""
        keys = Keys(**{name: said["keys"][name] for name in Keys.__slots__})
        return cls(keys=keys, **{name: said[name] for name in cls.__slots__ if name in said and name != "keys"})

    def to_json(self, path: list[str]) -> str:
        return json.dumps({**asdict(self), "path": path})


class HubSpawner:
    """Starts hubs for one run, a few times a minute at most."""

    def __init__(self, plan: HubPlan) -> None:
        self.plan = plan
        self._starts: deque[float] = deque(maxlen=MAX_STARTS)
        self._lifeline = -1
        """A pipe whose other end the newest hub holds for as long as it lives, from before it can run at all; -1 where it has ended."""

    def __repr__(self) -> str:
        return f"<HubSpawner for {self.plan.run}, {len(self._starts)} recent starts>"

    def may_start(self, now: float) -> bool:
        """Whether another start is within the limit."""
        return len(self._starts) < MAX_STARTS or now - self._starts[0] > WINDOW

    def start(self, now: float) -> None:
        """Start a hub and return as soon as it stands on its own feet. Raises `CannotSpawn`."""
        self._starts.append(now)
        if not sys.executable:
            raise CannotSpawn("this Python does not know its own executable")
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        self._let_go()
        try:
            self._lifeline, held = os.pipe()
            try:
                with open(Path(self.plan.directory) / HUB_LOG_NAME, "ab") as log:
                    launcher = subprocess.Popen(
                        [sys.executable, "-P", str(_MAIN), self.plan.run],
                        stdin=subprocess.PIPE,
                        stdout=log,
                        stderr=log,
                        start_new_session=True,
                        env=environment,
                        cwd="/",
                        pass_fds=(held,),
                    )
            finally:
                os.close(held)
            launcher.communicate(self.plan.to_json([os.path.abspath(entry) for entry in sys.path if entry]).encode(), timeout=10)
        except (OSError, subprocess.SubprocessError) as error:
            raise CannotSpawn(str(error)) from error

    def hub_is_gone(self, now: float) -> bool:
        """Whether no hub lives: none holds the run's writer lock, which the kernel frees however one ends, and none is still beginning."""
        return self._lock_is_free() and not self._is_beginning(now)

    def _is_beginning(self, now: float) -> bool:
        """Whether the hub started last lives, though it has not come as far as the lock."""
        if self._lifeline >= 0 and now - self._starts[-1] < BEGINS_WITHIN:
            poll = select.poll()
            poll.register(self._lifeline, 0)
            if not poll.poll(0):
                return True
        self._let_go()
        return False

    def _let_go(self) -> None:
        if self._lifeline >= 0:
            os.close(self._lifeline)
        self._lifeline = -1

    def _lock_is_free(self) -> bool:
        try:
            handle = os.open(Path(self.plan.directory) / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError:
            return False
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        finally:
            os.close(handle)
        return True
