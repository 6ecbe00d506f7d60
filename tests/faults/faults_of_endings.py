"""How a training ended or stands still: every cause has its word, and nothing else is called so."""

from __future__ import annotations

import os
import signal
import struct
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from real_training import Training, until
from stage import Stage, changes

from bedside_protocol.lifecycle import OVER
from bedside_protocol.records import Body, StackTaken
from bedside_protocol.stacks import own_call

TIMES = """
import os, struct, time
times = os.open("times", os.O_WRONLY | os.O_CREAT)
"""
STALL = """
[rules.stall]
when = {no_step = {seconds = 1.0, times = 1.0}}
"""


@dataclass(frozen=True, slots=True)
class Ending:
    """A last line of a script, and what must be said of it."""

    line: str
    code: int
    state: str
    reason: str

    @property
    def is_fault(self) -> bool:
        """Whether it is one in native code, which leaves a stack."""
        return self.code in (-signal.SIGABRT, -signal.SIGSEGV)


ENDINGS = (
    Ending("pass", 0, "finished", ""),
    Ending("sys.exit(0)", 0, "finished", ""),
    Ending("sys.exit(3)", 3, "failed", "exit code 3"),
    Ending("raise KeyError('kv_cache')", 1, "failed", "KeyError: 'kv_cache'"),
    Ending("raise KeyboardInterrupt", -signal.SIGINT, "stopped", "interrupted (Ctrl-C)"),
    Ending("os._exit(7)", 7, "failed", "exit code 7"),
    Ending("os.abort()", -signal.SIGABRT, "killed", "6: SIGABRT"),
    Ending("ctypes.string_at(0)", -signal.SIGSEGV, "killed", "11: SIGSEGV"),
    Ending("os.kill(os.getpid(), signal.SIGTERM)", -signal.SIGTERM, "killed", "15: SIGTERM"),
    Ending("threading.Thread(target=lambda: 1 / 0).start()", 0, "finished", ""),
)
KILLED = "from a kill to its verdict, s"
TAIL = "logged before a kill and not recorded, s"


def endings_told(stage: Stage, times: int, first: int = 0) -> None:
    """F5, F9, F23: one ending after the other, of the ten in the table."""
    for number in range(first, first + times):
        ending = ENDINGS[number % len(ENDINGS)]
        training = stage.start(
            f"""
            import bedside, ctypes, os, resource, signal, sys, threading
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            threading.excepthook = lambda *_: None
            run = bedside.init(name="ending")
            for number in run.steps(range(5)):
                run.log({{"number": float(number)}})
            sys.stdin.readline()
            {ending.line}
            """
        )
        training.wait_lifecycle("running")
        training.say("end")
        stage.tally.tries += 1
        _is_told(stage, training, ending)


def _is_told(stage: Stage, training: Training, ending: Ending) -> None:
    try:
        code = training.end(30)
    except subprocess.TimeoutExpired:
        stage.tally.hung(f"{ending.line} does not end")
        return
    if code != ending.code:
        stage.tally.died(f"{ending.line} ended with {code}, without us with {ending.code}")
    told = training.wait_lifecycle(*OVER)
    if (told.state, told.reason) != (ending.state, ending.reason):
        stage.tally.told_wrongly(f"{ending.line} is called {told.state}: {told.reason}")
    stacks = training.bodies(StackTaken)
    if len(stacks) != ending.is_fault or not all(_hangs_at(stack, ending.line) for stack in stacks):
        stage.tally.told_wrongly(f"{ending.line} leaves {stacks or 'no stack'}")
    if "Fatal Python error" in training.err.read_text():
        stage.tally.told_wrongly(f"{ending.line} has its stack printed")


def trainings_killed(stage: Stage, times: int) -> None:
    """F5: killed with a worker that lives on and holds everything open; what had been acknowledged is there, the rest is moments."""
    for _ in range(times):
        training = stage.count(
            begun=f"{TIMES}\nif (worker := os.fork()) == 0:\n    time.sleep(600); os._exit(0)\nprint(worker, flush=True)",
            each='os.pwrite(times, struct.pack("d", time.monotonic()), 8 * number)',
        )
        worker = int(training.hear())
        try:
            training.wait_points("number", 30)
            training.kill()
            killed = time.monotonic()
            told = training.wait_lifecycle(*OVER)
            stage.tally.measure(KILLED, time.monotonic() - killed)
            if (told.state, told.reason) != ("killed", "9: SIGKILL"):
                stage.tally.told_wrongly(f"a killed training is called {told.state}: {told.reason}")
            _tail_is_short(stage, training)
        finally:
            os.kill(worker, signal.SIGKILL)
        stage.tally.tries += 1


def _tail_is_short(stage: Stage, training: Training) -> None:
    raw = (training.home / "times").read_bytes()
    logged = struct.unpack(f"{len(raw) // 8}d", raw[: len(raw) // 8 * 8])
    values = [value for _, value in training.points("number")]
    if values != [float(number) for number in range(len(values))]:
        stage.tally.misses(1, "a hole in what a killed training had said")
    if not values:
        stage.tally.misses(len(logged), "nothing of what a killed training had said")
        return
    stage.tally.measure(TAIL, logged[-1] - logged[min(len(values), len(logged)) - 1])


def trainings_stopped(stage: Stage, times: int) -> None:
    """F6: stopped and let go, again and again."""
    training = stage.count()
    training.wait_lifecycle("running")
    for number in range(1, times + 1):
        training.kill(signal.SIGSTOP)
        stopped = time.monotonic()
        until(lambda number=number: True if changes(training).count("suspended") >= number else None, "suspended", why=training.tail)
        stage.tally.measure("from a stop to its verdict, s", time.monotonic() - stopped)
        training.kill(signal.SIGCONT)
        until(lambda number=number: True if changes(training).count("running") > number else None, "running again", why=training.tail)
        stage.tally.tries += 1
    stage.ends_well(training)
    if set(changes(training)) - {"starting", "running", "suspended", "finished"}:
        stage.tally.told_wrongly(f"a stopped training went through {changes(training)}")


HANGS = """
import ctypes, os, threading, time
freed = threading.Semaphore(0)
def free():
    while not os.path.exists("go on"):
        time.sleep(0.05)
    freed.release()
threading.Thread(target=free, daemon=True).start()
still = {100: freed.acquire, 200: lambda: ctypes.PyDLL(None).usleep(8_000_000)}
"""


def standing_still(stage: Stage, times: int) -> None:
    """F7, F8: a lock that nobody frees, then a C call that keeps the interpreter lock: both are stalls, and told apart. The first has its
    stack taken by itself, and again when asked."""
    cue = "if number in still: still[number]()"
    for _ in range(times):
        home = stage.home()
        (home / "rules.toml").write_text(STALL)
        training = stage.count(home=home, before=HANGS, given=', rules="rules.toml"', each=cue)
        deadlock = training.wait_lifecycle("stalled")
        if "GIL" in deadlock.reason:
            stage.tally.told_wrongly(f"a deadlock is called: {deadlock.reason}")
        training.wait_for(lambda body: isinstance(body, StackTaken))
        stage.run(training, "ctl", training.place.id, "stack")
        if len(training.bodies(StackTaken)) != 2:
            stage.tally.told_wrongly("a deadlock has no stack by itself, or none when asked")
        for stack in training.bodies(StackTaken):
            if not _hangs_at(stack, cue):
                stage.tally.told_wrongly(f"a deadlock has its stack at {stack}")
        (home / "go on").touch()
        training.wait_for(lambda body: getattr(body, "state", "") == "stalled" and "holds the GIL" in body.reason, 40)  # type: ignore[attr-defined]
        training.wait_for(lambda body: getattr(body, "step", 0) > 200)
        stage.tally.tries += 1
        stage.ends_well(training)


def _hangs_at(stack: Body, source: str) -> bool:
    here = own_call(stack.threads) if isinstance(stack, StackTaken) else None
    return here is not None and here.source == source


def out_of_memory(stage: Stage, times: int, older: bool = False) -> None:
    """F9: killed while the kernel's count of memory kills goes up. The count is a file of ours in the training's own mount namespace,
    because nobody should need a control group of his own to run this; the kill is real."""
    for _ in range(times):
        home = stage.home()
        events = _events_within(home, older=older)
        training = stage.count(
            home=home, under=("unshare", "-Urm", "sh", "-c", f'mount --bind {home}/cgroup /sys/fs/cgroup && exec "$@"', "sh")
        )
        training.wait_lifecycle("running")
        events.write_text(events.read_text().replace("oom_kill 0", "oom_kill 1"))
        training.kill()
        told = training.wait_lifecycle(*OVER)
        if (told.state, told.reason) != ("killed", "9: SIGKILL, out of memory"):
            stage.tally.told_wrongly(f"a training out of memory is called {told.state}: {told.reason}")
        stage.tally.tries += 1


def _events_within(home: Path, *, older: bool) -> Path:
    """The kernel's count, of the newer kind of control groups or the older, where a process of ours looks for it."""
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, kinds, group = line.split(":", 2)
        if (older and "memory" in kinds.split(",")) or (not older and not kinds):
            path = home / "cgroup" / ("memory" if older else "") / group.lstrip("/") / ("memory.oom_control" if older else "memory.events")
            path.parent.mkdir(parents=True)
            path.write_text("low 0\noom 0\noom_kill 0\n")
            return path
    raise AssertionError("this process is in no control group of that kind")
