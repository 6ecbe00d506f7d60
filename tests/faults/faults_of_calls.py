"""Any one call of the operating system fails in the hub, as SQLite is tested; drawn by lot, for there are too many to try all in turn.

Where the library that holds its sockets takes an error for impossible and ends the hub, that is a hub that died: the next one goes on.
"""

from __future__ import annotations

import random
from typing import Final

from faults_of_disk import HOLDS_ON, injected, says_what_it_lost
from real_training import Training, until
from stage import HUBS_WITHOUT_END, Stage

CALLS: Final = (
    "openat", "read", "write", "pread64", "pwrite64", "fdatasync", "close", "fstat", "newfstatat", "lseek", "fcntl", "flock", "readlink",
    "unlink", "rename", "mkdir", "epoll_wait", "epoll_ctl", "poll", "socket", "bind", "listen", "accept4", "sendto", "recvfrom", "sendmsg",
    "recvmsg", "mmap", "clone3", "getdents64", "eventfd2", "pipe2",
)  # fmt: skip
ERRORS: Final = ("EIO", "ENOSPC", "EMFILE", "ENOMEM", "EACCES")
"""What a disk, a limit, a machine without memory and a guard say."""
FARTHEST: Final = 40
"""The call that fails is one of so many from when a viewer comes on."""


def calls_fail(stage: Stage, times: int) -> None:
    """F12: one call in the hub fails while a viewer comes and the run goes on; what could not be written is said, the rest is there."""
    training = stage.count(before=HUBS_WITHOUT_END, ending=HOLDS_ON)
    training.wait_points("number", 20)
    viewer = stage.view(training)
    for _ in range(times):
        call, error, at = random.choice(CALLS), random.choice(ERRORS), random.randint(1, FARTHEST)
        with injected(training.hub_pid(), call, f"error={error}:when={at}"):
            guest = viewer.follow()
            reached = len(training.points("number"))
            viewer.seen(reached + 50)
            viewer.end(guest)
        _goes_on(training, f"{call} number {at} failed with {error}")
        stage.tally.tries += 1
    says_what_it_lost(stage, training)


def _goes_on(training: Training, after: str) -> None:
    """Wait until the recording grows again: by this hub, or by the next."""
    before = len(training.points("number"))
    until(lambda: True if len(training.points("number")) > before else None, f"a recording that grows after {after}", why=training.tail)
