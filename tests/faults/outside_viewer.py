"""A viewer of a run in a process of its own, asked what it has seen; where it is waited for in vain, what its hub did."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from real_training import Training, environment_in, until

from bedside_protocol.places import HUB_LOG_NAME


class Viewer:
    """A process that forks followers of one run: they cost a moment each, and are as real as any."""

    def __init__(self, training: Training, runtime: Path, log: Path) -> None:
        environment = environment_in(training.home) | {"BEDSIDE_RUNTIME_DIR": str(runtime)}
        command = [sys.executable, str(Path(__file__).parent / "followers.py"), training.place.id, str(log)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
        self._training = training

    def follow(self) -> int:
        """One more follower; its process, as soon as it has seen something."""
        self._say("follow")
        return int(self._hear()["pid"])

    def seen(self, at_least: int, states: Sequence[str] = (), detail: str = "", seconds: float = 60.0) -> dict[str, Any]:
        """What the last follower has seen, once that is so many values, and the state of its way is one of these, and said so."""

        found: dict[str, Any] = {}

        def look() -> dict[str, Any] | None:
            nonlocal found
            self._say("seen")
            found = self._hear()
            there = found["count"] >= at_least and (not states or found["state"] in states) and detail in found["detail"]
            return found if there else None

        return until(look, f"{at_least} values and {states} in a follower", seconds, lambda: f"it says {found}; {self._hub()}")

    def end(self, pid: int, number: int = signal.SIGKILL) -> None:
        os.kill(pid, number)

    def _hub(self) -> str:
        """What the newest hub is doing, and has said."""
        pid = self._training.hub_pids()[-1]
        try:
            doing = f"{Path(f'/proc/{pid}/stat').read_text().split()[2]} in {Path(f'/proc/{pid}/wchan').read_text()}"
        except OSError:
            doing = "gone"
        said = (self._training.place.directory / HUB_LOG_NAME).read_text()[-500:]
        return f"hub {pid} is {doing} and has said: {said}"

    def _say(self, word: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()

    def _hear(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, "the followers' parent is gone"
        return dict(json.loads(line))
