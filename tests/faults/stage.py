"""Where a fault is tried: real trainings in a home of their own, and what became of them, counted.

Every fault is a function `fault(stage, times)` that harms something `times` times and says to the stage's tally what went otherwise than
it should. The tests call it a few times, the long form (`make faults N=…`) many.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from outside_viewer import Viewer
from real_training import Training, environment_in

from bedside_protocol.lifecycle import OVER
from bedside_protocol.records import LifecycleChanged, Lost

COUNTING = """
import itertools, select, sys, bedside
{before}
run = bedside.init(name="counting"{given})
{begun}
def batches():
    for number in itertools.count():
        yield number
        {each}
        if select.select([sys.stdin], [], [], {pace})[0]:
            return
for number in run.steps(batches()):
    run.log({{"number": float(number){row}}})
{ending}
run.finish()
print(number + 1, flush=True)
"""
"""Counts its steps until it is told to end, then says how many there were."""
HUBS_WITHOUT_END = "import bedside.spawn; bedside.spawn.MAX_STARTS = 10**6"


class Tally:
    """What became of the tries of one fault."""

    def __init__(self) -> None:
        self.tries = 0
        self.deaths = 0
        """Trainings that ended otherwise than their script says."""
        self.hangs = 0
        """What was waited for and never came."""
        self.lost = 0
        """Values that are missing in the recording, or twice in it, and that no `Lost` speaks of."""
        self.wrong = 0
        """Endings told wrongly, and values that are not the logged ones."""
        self.notes: list[str] = []
        self.measured: dict[str, float] = {}
        """The largest of each quantity that was measured on the way."""

    def __repr__(self) -> str:
        return f"<{self.tries} tries, {self.deaths} deaths, {self.hangs} hangs, {self.lost} lost, {self.wrong} wrong: {self.notes}>"

    @property
    def is_clean(self) -> bool:
        return self.tries > 0 and not (self.deaths or self.hangs or self.lost or self.wrong or self.notes)

    def add(self, other: Tally) -> None:
        """Take in what another tally counted."""
        for name in ("tries", "deaths", "hangs", "lost", "wrong", "notes"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for what, value in other.measured.items():
            self.measure(what, value)

    def died(self, why: str) -> None:
        self.deaths += 1
        self.notes.append(why)

    def told_wrongly(self, why: str) -> None:
        self.wrong += 1
        self.notes.append(why)

    def hung(self, why: str) -> None:
        self.hangs += 1
        self.notes.append(why)

    def misses(self, count: int, why: str) -> None:
        self.lost += count
        self.notes.append(why)

    def measure(self, what: str, value: float) -> None:
        self.measured[what] = max(value, self.measured.get(what, value))


class Stage:
    """A home with a short path (a socket's may have 107 bytes) and the processes begun in it; `close` ends and removes them all."""

    def __init__(self) -> None:
        self.tally = Tally()
        self._homes: list[Path] = []
        self._trainings: list[Training] = []
        self._viewers: list[subprocess.Popen[str]] = []

    def __enter__(self) -> Stage:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def home(self) -> Path:
        """A new empty directory."""
        self._homes.append(Path(tempfile.mkdtemp(prefix="bs-")))
        return self._homes[-1]

    def start(
        self, script: str, environment: dict[str, str] | None = None, *, before: Sequence[str] = (), home: Path | None = None
    ) -> Training:
        """A training in a home of its own. `before`: a command that starts it, such as `unshare`."""
        home = home or self.home()
        training = Training(home, script, environment or {}, reaped_at_once=False, flags=(), before=tuple(before))
        self._trainings.append(training)
        return training

    def count(
        self,
        environment: dict[str, str] | None = None,
        *,
        pace: float = 0.002,
        before: str = "",
        given: str = "",
        begun: str = "",
        each: str = "pass",
        row: str = "",
        ending: str = "",
        under: Sequence[str] = (),
        home: Path | None = None,
    ) -> Training:
        """A training that counts until it is told to end. `under`: a command that starts it; the others: lines of its script."""
        script = COUNTING.format(before=before, given=given, begun=begun, each=each, row=row, pace=pace, ending=ending)
        return self.start(script, environment, before=under, home=home)

    def run(self, training: Training, *words: str, environment: dict[str, str] | None = None) -> str:
        """What a command of `bedside` prints of this training's home."""
        command = [sys.executable, "-c", "import sys; from bedside_tui.cli import main; sys.exit(main())", *words]
        around = environment_in(training.home) | (environment or {})
        done = subprocess.run(command, env=around, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def view(self, training: Training, runtime: Path | None = None, log: Path | None = None) -> Viewer:
        """A viewer in a process of its own, which forks one that follows the run whenever it is told."""
        viewer = Viewer(training, runtime or training.home / "rt", log or training.place.log)
        self._viewers.append(viewer.process)
        return viewer

    def ends_well(self, training: Training, *, told: bool = True) -> int:
        """Tell a counting training to end; count it as dead, hung, short of values or judged wrongly where it is. How many it logged."""
        if told:
            training.say("end")
        try:
            code = training.end(60)
        except subprocess.TimeoutExpired:
            self.tally.hung(f"the training does not end\n{training.tail()}")
            return 0
        if code != 0:
            self.tally.died(f"the training ended with {code}\n{training.tail()}")
            return 0
        logged = int(training.hear())
        state = training.wait_lifecycle(*OVER, seconds=60)
        if state.state != "finished":
            self.tally.told_wrongly(f"a training that finished is called {state.state}: {state.reason}")
        self.holds(training, logged)
        return logged

    def holds(self, training: Training, logged: int) -> None:
        """Count what is not in the recording of a training that logged 0, 1, … once each."""
        found = training.points("number")
        said = sum(body.count for body in training.bodies(Lost) if isinstance(body, Lost))
        values = [value for _, value in found]
        if any(step != value + 1 for step, value in found):
            self.tally.told_wrongly(f"values at other steps than they were logged at: {found[:5]}…")
        doubled = len(values) - len(set(values))
        missing = logged - len(set(values) & set(map(float, range(logged))))
        if doubled or missing > said:
            self.tally.misses(doubled + max(0, missing - said), f"{missing} of {logged} missing, {said} said to be lost, {doubled} twice")

    def close(self) -> None:
        for viewer in self._viewers:
            viewer.kill()
            viewer.communicate()
        for training in self._trainings:
            training.close()
        for home in self._homes:
            for _ in range(3):
                shutil.rmtree(home, ignore_errors=True)


def memory_of(pid: int) -> int:
    """Resident bytes of a process."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def changes(training: Training) -> list[str]:
    """The states a run has gone through."""
    return [body.state for body in training.bodies(LifecycleChanged) if isinstance(body, LifecycleChanged)]
