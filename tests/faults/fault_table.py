"""The faults of the long form: which row of the matrix each is, how often it is tried beside the others, and what it needs."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from faults_of_disk import (
    disk_full,
    files_removed,
    files_removed_and_hub_killed,
    recording_removed,
    sync_fails,
    sync_slow,
    write_fails,
)
from faults_of_endings import endings_told, out_of_memory, standing_still, trainings_killed, trainings_stopped
from faults_of_files import bits_flipped, checkpoints_killed, cut_anywhere
from faults_of_hub import held_without_hub, hub_gone_for_good, hub_killed, hub_killed_at_the_end, hub_stopped, hub_stopped_at_the_end
from faults_of_machine import clock_jumped, descriptors_few_at_the_start, descriptors_used_up, forked_again_and_again
from faults_of_viewers import tunnel_cut, viewers_killed, viewers_stopped
from stage import Stage

Inflict: TypeAlias = Callable[[Stage, int], None]


def nothing() -> str:
    return ""


def strace() -> str:
    return "" if shutil.which("strace") else "no strace here"


def namespaces() -> str:
    """Why no mount namespace of one's own is to be had here, or an empty text."""
    if shutil.which("unshare") is None:
        return "no unshare here"
    refused = subprocess.run(["unshare", "-Urm", "true"], capture_output=True, check=False).returncode
    return "this system gives no user namespaces" if refused else ""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault. `weight` is its share of all tries, `each` how many of its tries count as one (cheap ones are tried more often)."""

    rows: tuple[str, ...]
    words: str
    inflict: Inflict
    weight: int
    each: int = 1
    why_not: Callable[[], str] = nothing


FAULTS: Final = (
    Fault(("F1",), "viewers killed", viewers_killed, 12),
    Fault(("F2",), "viewers stopped", viewers_stopped, 3),
    Fault(("F3",), "hub killed at any moment", hub_killed, 16),
    Fault(("F3", "F4"), "hub killed as the training ends", hub_killed_at_the_end, 4),
    Fault(("F4",), "hub stopped as the training ends", hub_stopped_at_the_end, 4),
    Fault(("F4",), "hub stopped for a while", hub_stopped, 4),
    Fault(("F4",), "no hub any more, and a flood", hub_gone_for_good, 2),
    Fault(("F5",), "training killed, its worker lives", trainings_killed, 6),
    Fault(("F5", "F9", "F23"), "ten endings in turn", endings_told, 10),
    Fault(("F6",), "training stopped and let go", trainings_stopped, 6),
    Fault(("F7", "F8"), "a deadlock, then the GIL held", standing_still, 1),
    Fault(("F9",), "out of memory", out_of_memory, 3, why_not=namespaces),
    Fault(("F10", "F25"), "forks while four threads log", forked_again_and_again, 2, each=10),
    Fault(("F11",), "no descriptor left, hub killed", descriptors_used_up, 3),
    Fault(("F11",), "few descriptors at the start", descriptors_few_at_the_start, 4),
    Fault(("F12",), "disk full", disk_full, 4, why_not=namespaces),
    Fault(("F12",), "writes fail", write_fails, 3, why_not=strace),
    Fault(("F12",), "syncs fail", sync_fails, 2, why_not=strace),
    Fault(("F13",), "syncs take 2 s", sync_slow, 2, why_not=strace),
    Fault(("F14",), "a bit of a recording flipped", bits_flipped, 1, each=500),
    Fault(("F14",), "a recording cut anywhere", cut_anywhere, 1, each=200),
    Fault(("F15",), "socket, keys, directory removed", files_removed, 4),
    Fault(("F3", "F15"), "directory removed, hub killed", files_removed_and_hub_killed, 3),
    Fault(("F15",), "recording deleted, hub killed", recording_removed, 2),
    Fault(("F17",), "tunnel killed, hung, restarted", tunnel_cut, 3),
    Fault(("F18",), "wall clock an hour on and back", clock_jumped, 2),
    Fault(("F20",), "hub stopped while the run is held", held_without_hub, 2),
    Fault(("F22",), "killed while it saves", checkpoints_killed, 5),
)
