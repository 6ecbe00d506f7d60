"""Starting the hub beside the training, and starting it again when it died.

The hub gets its own session and is no child of the training: it outlives it, and no `os.wait` of the user's meets it. It is started by
the path of its main file under `-P`: a user's `logging.py` in the working directory, or on the parent's `sys.path`, then cannot shadow
the standard library. Secrets and the parent's `sys.path` go through a pipe, never through the command line or the environment.
"""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from collections import deque
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from bedside_protocol.places import HUB_LOG_NAME, LOCK_NAME

from .runtime import Keys

MAX_STARTS: Final = 5
"""Starts of a hub within `WINDOW` seconds; after that the run goes on unmonitored, and says so."""
WINDOW: Final = 60.0
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

    def to_json(self, path: list[str]) -> str:
        return json.dumps({**asdict(self), "path": path})


class HubSpawner:
    """Starts hubs for one run, a few times a minute at most."""

    def __init__(self, plan: HubPlan) -> None:
        self.plan = plan
        self._starts: deque[float] = deque(maxlen=MAX_STARTS)

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
                )
            launcher.communicate(self.plan.to_json([os.path.abspath(entry) for entry in sys.path if entry]).encode(), timeout=10)
        except (OSError, subprocess.SubprocessError) as error:
            raise CannotSpawn(str(error)) from error

    def hub_is_gone(self) -> bool:
        """Whether nobody holds the run's writer lock: the kernel frees it however a hub ends."""
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
