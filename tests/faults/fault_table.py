"""The faults of the long form: which row of the matrix each is, how often it is tried, and what it needs.

To add one: a function `fault(stage, times)` in a `faults_of_…` file, which harms something so many times, adds to `stage.tally.tries` and
says to the tally what went otherwise than it should; its line in `FAULTS` here; a test that calls it once or twice; the line of its row
in `matrix.py`. Where it measures a time, it says so with `alone=`.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Final, TypeAlias

from faults_of_calls import calls_fail
from faults_of_disk import (
    disk_full,
    files_removed,
    files_removed_and_hub_killed,
    recording_removed,
    sync_fails,
    sync_slow,
    write_fails,
)
from faults_of_doors import hubs_started_twice, no_place_for_a_socket, nobody_checks_keys, stale_sockets
from faults_of_endings import endings_told, out_of_memory, standing_still, trainings_killed, trainings_stopped
from faults_of_files import bits_flipped, checkpoints_killed, cut_anywhere
from faults_of_formats import booted_anew, versions_read
from faults_of_hub import held_without_hub, hub_gone_for_good, hub_killed, hub_killed_at_the_end, hub_stopped, hub_stopped_at_the_end
from faults_of_links import joined_over_ssh, link_cut, no_sshd
from faults_of_machine import clock_jumped, descriptors_few_at_the_start, descriptors_used_up, forked_again_and_again
from faults_of_ranks import (
    held_beyond_timeout,
    hub_killed_while_held,
    paused_together,
    rank_killed_while_held,
    ranks_held_without_hub,
)
from faults_of_viewers import tunnel_cut, tunnel_slow, viewers_killed, viewers_stopped
from stage import Stage

Inflict: TypeAlias = Callable[[Stage, int], None]


def nothing() -> str:
    return ""


def strace() -> str:
    return "" if shutil.which("strace") else "no strace here"


def torch() -> str:
    return "" if find_spec("torch") else "no torch here"


def namespaces() -> str:
    """Why no mount namespace of one's own is to be had here, or an empty text."""
    if shutil.which("unshare") is None:
        return "no unshare here"
    refused = subprocess.run(["unshare", "-Urm", "true"], capture_output=True, check=False).returncode
    return "this system gives no user namespaces" if refused else ""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault. A new one is a line of `FAULTS`."""

    rows: tuple[str, ...]
    """Of the matrix."""
    words: str
    """What the table calls it."""
    inflict: Inflict
    tries: int
    """Of `make faults N=1000`. Where a goal speaks of a number (1,000 hub kills, 10,000 flips), that many; else what fits into an hour."""
    alone: int = 0
    """As many of the tries are made with nothing else of ours running, because what they measure, or judge by, is a time."""
    part: int = 20
    """Tries in one stage at most: a failure then points at few of them, no recording grows long, and a stage takes about a minute."""
    why_not: Callable[[], str] = nothing
    """Why it cannot be tried on this machine, or an empty text."""


FAULTS: Final = (
    Fault(("F1",), "viewers killed", viewers_killed, 1000, alone=100, part=50),
    Fault(("F2",), "viewers stopped", viewers_stopped, 40, part=10),
    Fault(("F3",), "hub killed at any moment", hub_killed, 800),
    Fault(("F3", "F4"), "hub killed as the training ends", hub_killed_at_the_end, 100, alone=20, part=10),
    Fault(("F4",), "hub stopped as the training ends", hub_stopped_at_the_end, 40, alone=20, part=10),
    Fault(("F4",), "hub stopped for a while", hub_stopped, 40),
    Fault(("F4",), "no hub any more, and a flood", hub_gone_for_good, 20, alone=10, part=5),
    Fault(("F5",), "training killed, its worker lives", trainings_killed, 100, alone=20, part=10),
    Fault(("F5", "F9", "F23"), "ten endings in turn", endings_told, 500, part=10),
    Fault(("F6",), "training stopped and let go", trainings_stopped, 100, alone=20),
    Fault(("F7", "F8"), "a deadlock, then the GIL held", standing_still, 10, alone=10, part=2),
    Fault(("F9",), "out of memory", out_of_memory, 20, part=10, why_not=namespaces),
    Fault(("F10", "F25"), "forks while four threads log", forked_again_and_again, 1000, part=100),
    Fault(("F11",), "no descriptor left, hub killed", descriptors_used_up, 20, part=5),
    Fault(("F11",), "few descriptors at the start", descriptors_few_at_the_start, 70),
    Fault(("F12",), "disk full", disk_full, 30, part=10, why_not=namespaces),
    Fault(("F12",), "writes fail", write_fails, 20, part=10, why_not=strace),
    Fault(("F12",), "syncs fail", sync_fails, 20, part=10, why_not=strace),
    Fault(("F3", "F12"), "any one call of the hub fails", calls_fail, 500, part=25, why_not=strace),
    Fault(("F13",), "syncs take 2 s", sync_slow, 10, part=10, why_not=strace),
    Fault(("F14",), "a bit of a recording flipped", bits_flipped, 10_000, part=1000),
    Fault(("F14",), "a recording cut anywhere", cut_anywhere, 10_000, part=1000),
    Fault(("F15",), "socket, keys, directory removed", files_removed, 60),
    Fault(("F3", "F15"), "directory removed, hub killed", files_removed_and_hub_killed, 100),
    Fault(("F15",), "recording deleted, hub killed", recording_removed, 20, part=10),
    Fault(("F16",), "a stale socket where the hub listens", stale_sockets, 60, part=10),
    Fault(("F16",), "a second hub is started", hubs_started_twice, 30, part=10),
    Fault(("F16",), "no place for a socket", no_place_for_a_socket, 36, part=12),
    Fault(("F17",), "tunnel killed, hung, restarted", tunnel_cut, 30),
    Fault(("F17",), "a slow tunnel", tunnel_slow, 20, part=10),
    Fault(("F17",), "viewers come over ssh", joined_over_ssh, 40, alone=20, why_not=no_sshd),
    Fault(("F17",), "ssh killed, hung, sshd gone and back", link_cut, 30, part=5, why_not=no_sshd),
    Fault(("F18",), "wall clock an hour on and back", clock_jumped, 20),
    Fault(("F18",), "the machine started anew", booted_anew, 10, part=5, why_not=namespaces),
    Fault(("F19",), "recordings of other versions", versions_read, 30, part=30),
    Fault(("F20",), "hub stopped while the run is held", held_without_hub, 10, part=5),
    Fault(("F20",), "three ranks paused at one step", paused_together, 1000, alone=100, part=50),
    Fault(("F20",), "a rank killed while all are held", rank_killed_while_held, 21, part=3),
    Fault(("F20",), "hub killed while all ranks are held", hub_killed_while_held, 30, part=10),
    Fault(("F20",), "hub stopped while all ranks are held", ranks_held_without_hub, 10, part=5),
    Fault(("F21",), "held for three collective timeouts", held_beyond_timeout, 10, part=5, why_not=torch),
    Fault(("F22",), "killed while it saves", checkpoints_killed, 500, part=50),
    Fault(("F24",), "nobody checks keys", nobody_checks_keys, 10, part=5),
)
