"""What becomes of a recording whose disk fills up, fails, or is slow; and of the files that stand around it."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

from real_training import Training, until
from stage import Stage

from bedside_protocol.lifecycle import OVER
from bedside_protocol.records import HUB_RANK, Lost, Problem

HOLDS_ON = "sys.stdin.readline(); run.finish(); print(number + 1, flush=True); sys.stdin.readline()"
NOISY = ', "noise": random.random()'
CANNOT = "the recording cannot be written"


def disk_full(stage: Stage, times: int) -> None:
    """F12: a small disk in the training's own mount namespace is filled up and freed; what it cost is said, the rest is there."""
    home = stage.home()
    (home / "runs").mkdir()
    mounted = f'mount -t tmpfs -o size=4m none {home}/runs && exec "$@"'
    training = stage.count(
        home=home, under=("unshare", "-Urm", "sh", "-c", mounted, "sh"), ending=HOLDS_ON, before="import random", row=NOISY
    )
    training.runs = Path(f"/proc/{training.pid}/root{home}/runs")
    training.wait_points("number", 20)
    viewer = stage.view(training)
    viewer.follow()
    for _ in range(times):
        training.wait_points("number", len(training.points("number")) + 20)
        before = _losses(training)
        ballast = training.runs / "ballast"
        with contextlib.suppress(OSError), open(ballast, "wb", buffering=0) as file:
            while True:
                file.write(os.urandom(4096))
        viewer.seen(1, detail=CANNOT)
        ballast.unlink()
        until(lambda before=before: True if _losses(training) > before else None, "a loss that is said", why=training.tail)
        stage.tally.tries += 1
    says_what_it_lost(stage, training)


def write_fails(stage: Stage, times: int) -> None:
    """F12: the kernel answers the hub's writes with an input/output error (`strace` on the hub), for a while, again and again."""
    training = stage.count(ending=HOLDS_ON)
    training.wait_points("number", 20)
    viewer = stage.view(training)
    viewer.follow()
    for _ in range(times):
        training.wait_points("number", len(training.points("number")) + 20)
        before = _losses(training)
        with injected(training.hub_pid(), "pwrite64", "error=EIO"):
            viewer.seen(1, detail=CANNOT)
        until(lambda before=before: True if _losses(training) > before else None, "a loss that is said", why=training.tail)
        stage.tally.tries += 1
    says_what_it_lost(stage, training)


def sync_fails(stage: Stage, times: int) -> None:
    """F12: the disk does not confirm what is written (`strace` on the hub): nothing is missing now, and the danger is said."""
    training = stage.count()
    for number in range(1, times + 1):
        training.wait_points("number", 20)
        with injected(training.hub_pid(), "fdatasync", "error=EIO"):
            until(
                lambda number=number: True if _warnings(training) >= number else None,
                "a word on the disk that does not confirm",
                why=training.tail,
            )
        stage.tally.tries += 1
    stage.ends_well(training)


def sync_slow(stage: Stage, times: int) -> None:
    """F13: every sync takes two seconds (`strace` on the hub): a viewer sees what comes all the same, and nothing is lost."""
    training = stage.count()
    training.wait_points("number", 20)
    viewer = stage.view(training)
    viewer.follow()
    with injected(training.hub_pid(), "fdatasync", "delay_enter=2000000"):
        for _ in range(times):
            seen = viewer.seen(1)["count"]
            viewer.seen(seen + 100)
            stage.tally.tries += 1
    if not viewer.seen(1)["whole"]:
        stage.tally.misses(1, "a hole in what a viewer saw while syncs were slow")
    stage.ends_well(training)


def files_removed(stage: Stage, times: int) -> None:
    """F15: the socket, the keys, the whole runtime directory are removed while the run goes on; a newcomer finds its way all the same."""
    training = stage.count()
    training.wait_points("number", 20)
    viewer = stage.view(training)
    base = training.home / "rt"
    runtime = next(base.iterdir())
    removals = (runtime / "hub").unlink, (runtime / "keys.json").unlink, lambda: shutil.rmtree(runtime), lambda: shutil.rmtree(base)
    for number in range(times):
        stays = viewer.follow()
        viewer.seen(1, ["connected"])
        removals[number % len(removals)]()
        until(lambda: True if (runtime / "hub").exists() and (runtime / "keys.json").exists() else None, "the way in", why=training.tail)
        reached = len(training.points("number"))
        if not viewer.seen(reached, ["connected"])["whole"]:
            stage.tally.misses(1, "a hole in what was seen by a viewer that was there before")
        viewer.end(stays)
        stage.tally.tries += 1
    viewer.follow()
    viewer.seen(1, ["connected"])
    if base.stat().st_mode & 0o077 or runtime.stat().st_mode & 0o077:
        stage.tally.notes.append("what was put back is open to others")
    stage.ends_well(training)


def files_removed_and_hub_killed(stage: Stage, times: int) -> None:
    """F15, F3: the runtime directory is removed and the hub killed at once: the next hub makes it anew."""
    training = stage.count(before="import bedside.spawn; bedside.spawn.MAX_STARTS = 10**6")
    for number in range(1, times + 1):
        training.wait_points("number", len(training.points("number")) + 20)
        pid = training.hub_pid(started=number)
        os.kill(pid, signal.SIGSTOP)
        shutil.rmtree(training.home / "rt")
        os.kill(pid, signal.SIGKILL)
        stage.tally.tries += 1
    stage.ends_well(training)


def recording_removed(stage: Stage, times: int) -> None:
    """F15: somebody deletes the recording of a run that goes on, and the hub dies too: the training ends as if nothing had been."""
    for _ in range(times):
        training = stage.count()
        training.wait_points("number", 20)
        pid = training.hub_pid()
        shutil.rmtree(training.place.directory)
        os.kill(pid, signal.SIGKILL)
        training.say("end")
        stage.tally.tries += 1
        try:
            if (code := training.end(30)) != 0:
                stage.tally.died(f"the training ended with {code}: {training.err.read_text()[-300:]}")
        except subprocess.TimeoutExpired:
            stage.tally.hung("the training does not end")


@contextlib.contextmanager
def injected(pid: int, call: str, what: str) -> Iterator[None]:
    """Every such system call of this process fails or waits, as `strace` does it, from now on until the end of the block."""
    tracer = subprocess.Popen(
        ["strace", "-f", "-p", str(pid), "-e", f"trace={call}", "-e", f"inject={call}:{what}", "-o", "/dev/null"], stderr=subprocess.PIPE
    )
    assert tracer.stderr is not None
    assert b"attached" in tracer.stderr.readline()
    try:
        yield
    finally:
        tracer.terminate()
        tracer.communicate()


def says_what_it_lost(stage: Stage, training: Training) -> None:
    """Records that are not in the recording and records that it says are lost must be the same number."""
    training.say("end")
    logged = int(training.hear())
    state = training.wait_lifecycle(*OVER)
    if state.state != "finished":
        stage.tally.told_wrongly(f"a training that finished is called {state.state}: {state.reason}")
    places = [record.seq for record in training.records() if record.seq > 0]  # a reader's own word on a gap has no place
    missing = places[-1] - len(places)
    said = sum(record.body.count for record in training.records() if isinstance(record.body, Lost) and record.rank == HUB_RANK)
    if missing != said or places != sorted(set(places)):
        stage.tally.misses(abs(missing - said), f"{missing} records are missing and {said} are said to be")
    values = [value for _, value in training.points("number")]
    if values != sorted(set(values)) or not values or values[-1] != logged - 1:
        stage.tally.told_wrongly("values are doubled or out of order, or the last is not there")
    training.say("leave")
    if (code := training.end(30)) != 0:
        stage.tally.died(f"the training ended with {code}")


def _losses(training: Training) -> int:
    """How often the hub has said that it could not write."""
    return sum(isinstance(record.body, Lost) and record.rank == HUB_RANK for record in training.records())


def _warnings(training: Training) -> int:
    found = [body for body in training.bodies(Problem) if isinstance(body, Problem) and "power failure" in body.text]
    return len(found)
