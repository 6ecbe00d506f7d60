"""What becomes of a viewer of a run on another machine as it comes, and when its ssh is killed, hangs, or finds no sshd any more."""

from __future__ import annotations

import os
import signal
import subprocess
import time

from elsewhere import Viewer, machine, seen_from_elsewhere
from real_sshd import HOST, found_sshd
from real_training import environment_in, until
from stage import Stage

JOINED = "joined over ssh with the whole history after, s"
BARE_SSH = "an ssh that does nothing takes, s"
INJURIES = ("ssh killed", "ssh hung", "sshd gone and back", "proxy killed", "hub killed")


def no_sshd() -> str:
    return "" if found_sshd() else "no sshd here"


def joined_over_ssh(stage: Stage, times: int) -> None:
    """F17: who comes over ssh has the whole history. What that takes, from the start of ssh, beside an ssh that does nothing."""
    home = stage.home()
    training = stage.count(home=home)
    training.wait_points("number", 200)
    sshd = machine(home / "s", environment_in(home))
    try:
        for _ in range(times):
            began = time.monotonic()
            subprocess.run([*sshd.ssh, "-T", HOST, "true"], check=True)
            stage.tally.measure(BARE_SSH, time.monotonic() - began)
            reached, began = len(training.points("number")), time.monotonic()
            viewer = Viewer(seen_from_elsewhere(sshd, training.place.id))
            until(lambda viewer=viewer, reached=reached: viewer.has_come_to(reached) or None, "the whole history, over ssh", 60)
            stage.tally.measure(JOINED, time.monotonic() - began)
            viewer.source.close()
            if not viewer.is_whole:
                stage.tally.misses(1, "a viewer that came over ssh has a hole in what it saw")
            stage.tally.tries += 1
        stage.ends_well(training)
    finally:
        sshd.stop()


def link_cut(stage: Stage, times: int) -> None:
    """F17: a viewer behind a real ssh says *unreachable*, comes back, and has read the very records of the file."""
    home = stage.home()
    training = stage.count(home=home)
    training.wait_points("number", 50)
    sshd = machine(home / "s", environment_in(home))
    viewer = Viewer(seen_from_elsewhere(sshd, training.place.id))
    try:
        for number in range(times):
            viewer.more(until)
            injury = INJURIES[number % len(INJURIES)]
            if injury == "ssh killed":
                os.kill(viewer.ssh, signal.SIGKILL)
            elif injury == "ssh hung":
                os.kill(viewer.ssh, signal.SIGSTOP)
            elif injury == "sshd gone and back":
                sshd.stop()
            elif injury == "proxy killed":
                sshd.proxies()[0].kill()
            else:
                os.kill(training.hub_pid(), signal.SIGKILL)
                training.hub_pid(started=len(training.hub_pids()) + 1)
            if injury != "hub killed":  # the proxy reads the file meanwhile
                until(lambda: viewer.state == "unreachable" or None, f"being told of {injury}", 60)
            if injury == "ssh hung":
                os.kill(viewer.ssh, signal.SIGCONT)
            elif injury == "sshd gone and back":
                sshd.start()
            stage.tally.tries += 1
        viewer.more(until)
        stage.ends_well(training)
        until(lambda: viewer.state == "ended" or None, "the end, from elsewhere", 60)
        if not viewer.is_whole or not viewer.has_read(training.place.log):
            stage.tally.misses(1, "a viewer behind a link that was cut has not read what the file holds")
    finally:
        viewer.source.close()
        sshd.stop()
