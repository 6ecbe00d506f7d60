"""Which rank of a run this process is, and how the ranks on one machine find the one hub.

Rank 0 starts the hub, as a run of one process does. It leaves an invitation for the others in the private runtime directory, under a name
made of what they all know of their launch; each of the others waits for it on its uplink thread, never in the training. Nothing here calls
a collective, or opens a connection between machines: a rank elsewhere finds no invitation and stays unmonitored, with one line.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from bedside_protocol.places import runtime_candidates

from .origin import boot_id, process_start
from .runtime import Keys, own_directory
from .spawn import HubPlan

INVITED_WITHIN: Final = 30.0
"""Seconds a rank waits for its invitation: imports of several ranks on a cold file system differ by as much."""

_LOOK: Final = 0.1
_OF_TORCHRUN: Final = ("RANK", "WORLD_SIZE")
_OF_SLURM: Final = ("SLURM_PROCID", "SLURM_STEP_NUM_TASKS")
"""Of the step, which `srun` started: a batch script has the number of tasks of its job in its environment, and is one process."""


@dataclass(frozen=True, slots=True)
class Place:
    """One process among those of a run. `launch` names what started them, the same on each; empty where there is one only."""

    rank: int = 0
    world: int = 1
    launch: str = ""
    doubt: str = ""
    """What is odd about where this was read, and what follows, in a sentence; empty where nothing is."""

    @property
    def is_first(self) -> bool:
        return self.rank == 0

    @property
    def is_shared(self) -> bool:
        return self.world > 1


def place_of(environment: Mapping[str, str], rank: int | None = None, world: int | None = None, launch: str = "") -> Place:
    """What the caller says, else torch.distributed where it is initialised, else what the launcher put into the environment.

    SLURM's own variables count only beside MASTER_ADDR: `srun -n 8 python train.py` may as well start eight trainings of one process.
    """
    doubt = ""
    if rank is None or world is None:
        given = "rank" if rank is not None else "world" if world is not None else ""
        found = _from_torch() or _pair(environment, *_OF_TORCHRUN)
        if found is None and environment.get("MASTER_ADDR"):
            found = _pair(environment, *_OF_SLURM)
        if given:
            doubt = f"init({given}=…) says no rank: say rank and world"
        elif found is None:
            doubt = _half_said(environment)
        rank, world = found or (0, 1)
    if not 0 <= rank < world:
        raise ValueError(f"rank {rank} of {world}: a rank is at least 0 and less than the number of ranks")
    return Place(rank, world, launch_of(environment, launch) if world > 1 else "", doubt)


def _from_torch() -> tuple[int, int] | None:
    torch: Any = sys.modules.get("torch.distributed")  # whoever has not imported it has not initialised it
    if torch is None or not torch.is_available() or not torch.is_initialized():
        return None
    return torch.get_rank(), torch.get_world_size()


def _pair(environment: Mapping[str, str], rank: str, world: str) -> tuple[int, int] | None:
    words = environment.get(rank, ""), environment.get(world, "")
    return (int(words[0]), int(words[1])) if all(word.isdecimal() for word in words) else None


def _half_said(environment: Mapping[str, str]) -> str:
    """A sentence about variables of which no rank can be read, where there are such."""
    words = [f"{name}={environment[name]!r:.40}" for name in _OF_TORCHRUN if environment.get(name)]
    return f"no rank can be read of {' and '.join(words)}: this process is taken for a run of its own" if words else ""


def launch_of(environment: Mapping[str, str], given: str = "") -> str:
    """What all processes of one launch know and no other launch on this machine shares: said by the script, or by what started it."""
    named = given or environment.get("BEDSIDE_RUN_ID", "")
    if named:
        parts = ["named", named]
    elif environment.get("TORCHELASTIC_RUN_ID"):
        names = ("TORCHELASTIC_RUN_ID", "TORCHELASTIC_RESTART_COUNT", "MASTER_ADDR", "MASTER_PORT")
        parts = ["torchrun", *(environment.get(name, "") for name in names)]
    elif environment.get("SLURM_STEP_ID"):
        parts = ["slurm", *(environment.get(name, "") for name in ("SLURM_JOB_ID", "SLURM_STEP_ID", "SLURM_RESTART_COUNT"))]
    elif environment.get("MASTER_PORT"):
        parts = ["master", environment.get("MASTER_ADDR", ""), environment["MASTER_PORT"]]
    else:  # `torch.multiprocessing.spawn` and its like: children of one process
        parts = ["parent", str(os.getppid()), str(process_start(os.getppid()))]
    return hashlib.blake2b("\0".join(parts).encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


@dataclass(frozen=True, slots=True)
class Invitation:
    """What a rank needs to know of the hub that rank 0 has started."""

    run: str
    name: str
    directory: str
    runtime: str
    boot: str
    pid: int
    pid_start: int
    """Of rank 0: an invitation that outlived its run is none."""
    world: int
    origin: float
    """The monotonic clock at the run's time 0; one clock for all processes of a machine."""
    server_public: str
    agent_public: str
    agent_secret: str

    def __repr__(self) -> str:
        return f"<Invitation to {self.run}>"  # no key in a log or a traceback

    def plan(self) -> HubPlan:
        """The hub's plan as far as a guest knows it: where it is, and how to speak to it. Nobody starts a hub by it."""
        keys = Keys(self.server_public, "", self.agent_public, self.agent_secret, "", "", "", "")
        me = os.getpid()
        return HubPlan(self.run, self.directory, self.runtime, me, process_start(me), 0.0, self.origin, 0, keys, world=self.world)


def invitation_path(runtime: Path, launch: str) -> Path:
    """Where the invitation to a hub with this runtime directory lies: beside it, in the owner-checked directory of all of them."""
    return runtime.parent / f"launch-{launch}.json"


def invite(plan: HubPlan, name: str, launch: str) -> Path:
    """Leave the invitation, readable by this user alone; it replaces one of an earlier launch. Raises `OSError`."""
    keys = plan.keys
    invitation = Invitation(
        plan.run, name, plan.directory, plan.runtime, boot_id(), plan.pid, plan.pid_start, plan.world, plan.monotonic_start,
        keys.server_public, keys.agent_public, keys.agent_secret,
    )  # fmt: skip
    path = invitation_path(Path(plan.runtime), launch)
    part = path.with_name(f".{secrets.token_hex(4)}")
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        os.write(handle, json.dumps(asdict(invitation)).encode())
    finally:
        os.close(handle)
    os.replace(part, path)
    return path


def withdraw(path: Path, run: str) -> None:
    """Take the invitation to this run away; another run's of the same launch stays."""
    with contextlib.suppress(OSError, ValueError, TypeError):
        if json.loads(path.read_text())["run"] == run:
            path.unlink()


def invitation_for(launch: str, environment: Mapping[str, str]) -> Invitation | None:
    """The invitation of this launch, None while there is none; one whose rank 0 is gone is none."""
    uid = os.getuid()
    for candidate in runtime_candidates(environment, uid, Path(tempfile.gettempdir())):
        path = candidate.absolute() / f"launch-{launch}.json"
        try:
            if not path.exists():
                continue
            own_directory(path.parent, uid)
            found = Invitation(**json.loads(path.read_text()))
        except (OSError, ValueError, TypeError):  # somebody else's directory, or half of another version's
            continue
        if found.boot != boot_id() or process_start(found.pid) == found.pid_start:
            return found
    return None


class Guest:
    """A rank that speaks to a hub which another one starts: it waits for its invitation, and for the hub however long that is away."""

    def __init__(self, place: Place, environment: Mapping[str, str], joined: Callable[[Invitation], None]) -> None:
        self.place = place
        self._environment = dict(environment)
        self._joined = joined
        self._plan: HubPlan | None = None

    def __repr__(self) -> str:
        return f"<Guest, rank {self.place.rank} of {self.place.world}, {'invited' if self._plan else 'waiting'}>"

    @property
    def plan(self) -> HubPlan:
        """Where the hub is. There is none before the invitation."""
        if self._plan is None:
            raise LookupError("no invitation yet")
        return self._plan

    def await_invitation(self, leaving: threading.Event, patience: Callable[[], float]) -> str:
        """Wait until invited; why that cannot be, in words, or an empty text. `patience`: until when to wait once the run is `leaving`."""
        until = time.monotonic() + INVITED_WITHIN
        while (found := invitation_for(self.place.launch, self._environment)) is None:
            now = time.monotonic()
            if now > until or (leaving.is_set() and now > patience()):
                return f"rank {self.place.rank} of {self.place.world} is not monitored: rank 0 runs on another machine, or without bedside"
            time.sleep(_LOOK) if leaving.is_set() else leaving.wait(_LOOK)
        if found.boot != boot_id():
            return f"rank {self.place.rank} of {self.place.world} is not monitored: rank 0 runs on another machine"
        self._plan = found.plan()
        self._joined(found)
        return ""
