"""The socket's file and the viewers' keys lie where somebody may clear away (a cleaner of `/tmp`, a logout, a person): they are put back.

Whoever is connected stays so; only a newcomer needs the files.
"""

from __future__ import annotations

import os
from pathlib import Path

import zmq

from bedside.runtime import own_directory, write_keys
from bedside.spawn import HubPlan
from bedside_protocol.places import KEYS_NAME, SOCKET_NAME

from .gate import Gate


def lay_out(plan: HubPlan) -> None:
    """The runtime directory with the keys in it, made where it is missing. Raises `OSError` where it cannot be, or is somebody else's."""
    runtime, uid = Path(plan.runtime), os.getuid()
    own_directory(runtime.parent, uid)
    own_directory(runtime, uid)
    if not (runtime / KEYS_NAME).exists():
        write_keys(runtime, plan.run, Path(plan.directory), plan.keys)


def is_laid_out(plan: HubPlan) -> bool:
    """Whether a newcomer finds the way in."""
    return (Path(plan.runtime) / SOCKET_NAME).exists() and (Path(plan.runtime) / KEYS_NAME).exists()


def put_back(plan: HubPlan, gate: Gate) -> str:
    """Lay everything out again; why that cannot be, in words, or an empty text."""
    try:
        lay_out(plan)
        gate.listen_again()
    except (OSError, zmq.ZMQError) as error:  # the next second may see it go
        return f"the way in for viewers was removed and cannot be put back: {error.strerror or error}"
    return ""
