"""A hub that takes long to begin is waited for, one that is dead is not: the training can tell them apart. The next one begins where the
recording ends, whatever that tells."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

from real_training import Training

from bedside.hub.status import RESUMED_WITHOUT_HUB
from bedside_protocol.places import HUB_LOG_NAME

COUNTING = """
import bedside, sys, threading, bedside.uplink
bedside.uplink.HUB_STARTS_WITHIN = 0.2  # looked after at once and all the time, where otherwise a hub has three seconds
bedside.uplink.LOST_AFTER = 0.1
run = bedside.init(name="start")
told = threading.Event()
threading.Thread(target=lambda: (sys.stdin.readline(), told.set()), daemon=True).start()
for number in run.steps(range(10**9)):
    run.log({"number": float(number)})
    if told.wait(0.01):
        break
run.finish()
"""
SLOW = """
import os, sys, time
if any(word.endswith("hub/__main__.py") for word in sys.orig_argv):
    os.register_at_fork(after_in_child=lambda: time.sleep(2.5))
"""
DEAD = """
import os, sys
def first():
    try:
        os.close(os.open({mark!r}, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return
    os._exit(1)
if any(word.endswith("hub/__main__.py") for word in sys.orig_argv):
    os.register_at_fork(after_in_child=first)
"""
Start = Callable[..., Training]


def hooked(start: Start, home: Path, environment: dict[str, str], hook: str) -> Training:
    """A training whose hub begins with these lines."""
    (home / "hook").mkdir()
    (home / "hook" / "sitecustomize.py").write_text(hook)
    return start(COUNTING, {"PYTHONPATH": f"{home / 'hook'}:{environment['PYTHONPATH']}"})


def test_a_hub_that_is_slow_to_begin_is_not_taken_for_dead(start: Start, home: Path, environment: dict[str, str]) -> None:
    training = hooked(start, home, environment, SLOW)
    training.wait_points("number", 10)
    training.say("end")
    assert training.end() == 0
    training.wait_lifecycle("finished")
    training.wait_hub_gone()
    hubs = (training.place.directory / HUB_LOG_NAME).read_text()
    assert (hubs.count("serves"), hubs.count("another hub writes")) == (1, 0)
    assert "hub" not in training.err.read_text()


def test_a_hub_that_dies_before_it_serves_is_followed_by_another_at_once(start: Start, home: Path, environment: dict[str, str]) -> None:
    training = hooked(start, home, environment, DEAD.format(mark=str(home / "was here")))
    training.wait_points("number", 10)
    training.say("end")
    assert training.end() == 0
    training.wait_lifecycle("finished")
    assert len(training.hub_pids()) == 1
    assert (home / "was here").exists()
    assert [value for _, value in training.points("number")][:10] == list(map(float, range(10)))


def test_a_hub_takes_over_a_recording_in_which_the_training_had_gone_on_without_one(start: Start) -> None:
    training = start(COUNTING.replace("told =", f"run.event({RESUMED_WITHOUT_HUB!r}); told ="))
    training.wait_points("number", 10)
    os.kill(training.hub_pid(), signal.SIGKILL)
    training.hub_pid(started=2)
    training.say("end")
    assert training.end() == 0
    training.wait_lifecycle("finished")
    assert len(training.hub_pids()) == 2
