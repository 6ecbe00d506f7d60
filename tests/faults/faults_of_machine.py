"""What becomes of a training whose machine runs short of descriptors, forks without end, or changes its clock."""

from __future__ import annotations

import itertools
import json
import math
import os
import signal
import subprocess

from real_training import environment_in, until
from stage import HUBS_WITHOUT_END, Stage

from bedside_protocol.records import Metrics

APART = 10.0
"""Seconds by which the times of neighbouring records of two threads may differ on a busy machine; a jump is an hour."""
EXHAUSTING = """
import os, resource
resource.setrlimit(resource.RLIMIT_NOFILE, (256, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
held = []
def exhaust():
    try:
        while True:
            held.append(os.open("/dev/null", os.O_RDONLY))
    except OSError:
        pass
def give_back():
    while held:
        os.close(held.pop())
"""
FEW = (
    EXHAUSTING
    + """
import bedside, json, signal, sys, time, bedside.start, zmq, threading
statuses = {}
for left in json.loads(sys.stdin.readline()):
    if (pid := os.fork()) == 0:
        signal.alarm(60)
        exhaust()
        for _ in range(left):
            os.close(held.pop())
        run = bedside.init(name="few")
        for number in run.steps(range(30)):
            run.log({"number": float(number)})
            time.sleep(0.01)
        run.finish()
        sys.exit(30)
    statuses[left] = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
print(json.dumps(statuses), flush=True)
"""
)
STORM = """
import bedside, os, sys, threading
run = bedside.init(name="storm")
rows = 400
def talk(thread):
    for number in range(rows):
        run.log({f"thread {thread}": float(number)})
threads = [threading.Thread(target=talk, args=(number,)) for number in range(4)]
for thread in threads:
    thread.start()
for _ in range(int(sys.stdin.readline())):
    if (pid := os.fork()) == 0:
        for _ in range(100):
            run.log({"from a worker": 1.0})
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
for thread in threads:
    thread.join()
run.finish()
print(rows, flush=True)
"""
CLOCK = '''
"""Adds what a file says to the wall clock of every Python that starts with this directory on its path."""
import os, time
real = time.time
def jumped():
    try:
        with open(os.environ["CLOCK_JUMP"]) as file:
            return real() + float(file.read() or 0)
    except (OSError, ValueError):
        return real()
time.time = jumped
'''


def descriptors_used_up(stage: Stage, times: int) -> None:
    """F11: not one descriptor left in the training while its hub is killed; it lives, and goes on with another when they are free again."""
    training = stage.count(
        before=f"{EXHAUSTING}{HUBS_WITHOUT_END}\nsteps = os.open('steps', os.O_WRONLY | os.O_CREAT)",
        each="exhaust() if os.path.exists('full') else give_back(); os.pwrite(steps, b'%9d' % number, 0)",
        row=', "held": float(len(held))',
    )
    full, steps = training.home / "full", training.home / "steps"
    training.wait_points("number", 20, 60)
    for number in range(times):
        hub = training.hub_pid(started=number + 1)
        seen = len(training.points("held"))
        full.touch()
        until(lambda seen=seen: True if any(held for _, held in training.points("held")[seen:]) else None, "none left", 60, training.tail)
        os.kill(hub, signal.SIGKILL)
        reached = int(steps.read_text())
        until(lambda reached=reached: True if int(steps.read_text()) > reached + 300 else None, "steps without a hub", 60, training.tail)
        full.unlink()
        training.hub_pid(started=number + 2)
        training.wait_points("number", reached + 300, 60)
        stage.tally.tries += 1
    stage.ends_well(training)


def descriptors_few_at_the_start(stage: Stage, times: int) -> None:
    """F11: a training that begins with 3, 4, 5, … descriptors left is monitored or is not, and says so; it never dies of it."""
    training = stage.start(FEW)
    training.say(json.dumps([3 + left % 20 for left in range(times)]))
    for left, code in json.loads(training.hear()).items():
        if code == -signal.SIGALRM:
            stage.tally.hung(f"with {left} descriptors left the training does not end")
        elif code != 30:
            stage.tally.died(f"with {left} descriptors left the training ended with {code}: {training.err.read_text()[-300:]}")
    stage.tally.tries += times
    training.end()


def forked_again_and_again(stage: Stage, times: int) -> None:
    """F10, F25: forks without end while four threads log; no child hangs, none speaks, and each thread's values are whole and in order."""
    training = stage.start(STORM)
    training.say(str(times))
    stage.tally.tries += times
    try:
        code = training.end(60 + times)
    except subprocess.TimeoutExpired:
        stage.tally.hung("a forked child or its parent hangs")
        return
    if code != 0:
        stage.tally.died(f"the training ended with {code}: {training.err.read_text()[-300:]}")
        return
    rows = int(training.hear())
    training.wait_lifecycle("finished")
    for thread in range(4):
        values = [value for _, value in training.points(f"thread {thread}")]
        if values != [float(number) for number in range(rows)]:
            stage.tally.misses(abs(rows - len(values)) or 1, f"thread {thread}: {len(values)} of {rows}, or not in order")
    if training.points("from a worker"):
        stage.tally.told_wrongly("a forked worker spoke")


def clock_jumped(stage: Stage, times: int) -> None:
    """F18: the wall clock goes an hour on and back. No process of this machine may set the real one, so every Python of the run (training,
    hub, viewer) is given one that obeys a file; the monotonic clock is the kernel's."""
    home = stage.home()
    (home / "hook").mkdir()
    (home / "hook" / "sitecustomize.py").write_text(CLOCK)
    jump = home / "jump"
    jump.write_text("0")
    path = os.pathsep.join([str(home / "hook"), environment_in(home)["PYTHONPATH"]])
    environment = {"CLOCK_JUMP": str(jump), "PYTHONPATH": path}
    training = stage.count(environment, home=home)
    for number in range(times):
        jump.write_text("-3600" if number % 2 else "3600")
        training.wait_points("number", len(training.points("number")) + 50)
        for row in json.loads(stage.run(training, "runs", "--json", environment=environment)):
            if row["id"] != training.place.id:
                continue  # another run of this machine, kept among the temporary files
            if row["lifecycle"] != "running":
                stage.tally.told_wrongly(f"after a jump of the clock the run is called {row['lifecycle']}")
            stage.tally.notes += [f"{name} is {value} after a jump" for name, value in _negative(row)]
        stage.tally.tries += 1
    stage.ends_well(training)
    times_told = [t for record in training.records() if isinstance(record.body, Metrics) for t in record.body.times.tolist()]
    own = [record.time for record in training.records() if record.rank == 0]
    if any(later < earlier - APART for earlier, later in itertools.pairwise(own)) or min(times_told) < 0:
        stage.tally.told_wrongly("the run's own time went back")


def _negative(row: dict[str, object]) -> list[tuple[str, object]]:
    return [(name, value) for name, value in row.items() if isinstance(value, int | float) and (value < 0 or math.isnan(value))]
