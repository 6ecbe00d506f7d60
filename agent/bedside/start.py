"""Beginning a run: its directory, its keys, its hub and its uplink. Where something is not to be had, the training goes on unmonitored."""

from __future__ import annotations

import multiprocessing.process
import os
import secrets
import shlex
import socket
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import platformdirs

from bedside_protocol.measuring import VARIABLE, Request
from bedside_protocol.messages import Arm, Armed, Order, Settled
from bedside_protocol.places import run_id, run_root
from bedside_protocol.records import Body, RankStarted, RunStarted
from bedside_protocol.redact import flat_config

from .checkpoint import Checkpoints
from .control import Control
from .farewell import see_off
from .fault_file import FaultFile
from .notice import Problems, say
from .origin import describe, process_start
from .ranks import Guest, Invitation, Place, invitation_path, invite, place_of
from .run import Run, no_run
from .runtime import make_keys, open_runtime, own_directory, write_keys
from .send_queue import SendQueue
from .spawn import HubPlan, HubSpawner
from .stacks import Stacks
from .uplink import Uplink

MOST_RULES = 64 << 10
"""Bytes of a rule file: the recording keeps it, as one record."""
SIZE_CAP = 4 << 30
"""Bytes a recording may reach; then metrics stop being recorded and the recording says so."""


def start_run(
    *,
    project: str,
    name: str,
    config: Any,
    directory: str | os.PathLike[str] | None,
    rules: str | os.PathLike[str] | None,
    quiet: bool,
    rank: int | None = None,
    world: int | None = None,
    launch: str = "",
) -> Run:
    """A monitored run of this process, or one that records nothing, with a sentence why. Never raises."""
    if getattr(multiprocessing.process.current_process(), "_inheriting", False):
        return no_run()  # a spawned child re-imports the script; the run is its parent's
    quiet = quiet and VARIABLE not in os.environ  # whoever has a checkpoint measured reads what is said
    problems = Problems(quiet)
    try:
        request = Request.of_text(text) if (text := os.environ.get(VARIABLE)) else None
        place = Place() if request is not None else place_of(os.environ, rank, world, str(launch))
        if place.doubt:
            problems(place.doubt)
        if place.is_first:
            run = _started(place, project, name, config, directory, rules, problems, request)
        else:
            run = _joining(place, name, problems)
    except Exception as error:  # disk, permissions, sockets, fork limits: none of them may end a training
        problems(f"this run is not monitored: {error or type(error).__name__}")
        if os.environ.get(VARIABLE):  # a checkpoint was to be measured: the script must not begin to train instead
            from .leaving import REFUSED, leave

            leave(REFUSED)
        return no_run()
    see_off(run)
    if not quiet and place.is_first:
        kept = Path(run.directory).parent == run_root(os.environ, _state_directory()).absolute()  # where an id is looked for
        word = run.id if kept else shlex.quote(run.directory)
        say(f"recording {run.name} in {run.directory} · watch it with: bedside attach {word}")
    return run


def _started(
    place: Place,
    project: str,
    name: str,
    config: Any,
    directory: str | os.PathLike[str] | None,
    rules: str | os.PathLike[str] | None,
    problems: Problems,
    request: Request | None,
) -> Run:
    wall, origin = time.time(), time.monotonic()
    name = str(name)[:200] or Path(sys.argv[0] or "run").stem
    identity = run_id(name, time.strftime("%Y%m%d-%H%M%S", time.localtime(wall)), secrets.token_hex(2))
    if request is not None:
        name, identity, directory = request.name[-200:], request.run, request.directory
    home = _run_directory(identity, directory, problems)
    started = replace(describe(identity, name, str(project)[:200], flat_config(config), wall), world_size=place.world)
    keys = make_keys()
    runtime = open_runtime(identity)
    write_keys(runtime, identity, home, keys)
    text = _rules(rules, problems)
    told = Path(rules).name[:200] if rules is not None and text else ""
    invitation = str(invitation_path(runtime, place.launch)) if place.is_shared else ""
    plan = HubPlan(
        identity, str(home), str(runtime), started.pid, started.pid_start, wall, origin, SIZE_CAP, keys, text, told, place.world, invitation
    )  # fmt: skip
    if place.is_shared:
        invite(plan, name, place.launch)
    spawner = HubSpawner(plan)
    run, uplink = _connected(place, started, origin, spawner, str(home), problems, request)
    spawner.start(time.monotonic())
    uplink.start(started)
    return run


def _joining(place: Place, name: str, problems: Problems) -> Run:
    """The run as a rank other than 0 sees it: the hub and the directory are those of rank 0, and known once it has invited."""

    def joined(invitation: Invitation) -> None:
        run.join(invitation.run, invitation.name, invitation.directory)

    me = os.getpid()
    first = RankStarted(place.world, socket.gethostname(), me, process_start(me))
    run, uplink = _connected(place, RunStarted("", str(name)[:200], "", 0.0), 0.0, Guest(place, os.environ, joined), "", problems, None)
    uplink.start(first)
    return run


def _connected(
    place: Place,
    started: RunStarted,
    origin: float,
    host: HubSpawner | Guest,
    directory: str,
    problems: Problems,
    request: Request | None,
) -> tuple[Run, Uplink]:
    queue = SendQueue(problems)

    def speak(body: Body) -> None:
        queue.append(time.monotonic() - origin, body)

    control = Control(
        speak,
        Checkpoints(Path(directory) / "checkpoints", place.rank),
        hub_silence=lambda: uplink.silence(),
        demand=lambda probe: run.probes.demand(probe),
        rate=lambda probe, every: run.change_rate(probe, every),
        place=place,
    )
    given = (started, origin, directory, queue, control, problems)
    run = Run(*given) if request is None else _measuring(request, *given)
    if directory:
        run.fault = FaultFile(Path(directory))
    stacks = Stacks(speak, lambda: run.current_step, place.rank)

    def receive(message: Order | Arm | Settled) -> Armed | None:
        match message:
            case Arm():
                return control.arm(message, lambda: run.current_step)
            case Settled():
                control.settle(message)
            case Order() if not stacks.answers(message):
                control.receive(message, run.current_step + 1)
        return None

    uplink = Uplink(
        queue,
        host,
        problems,
        receive=receive,
        reminders=lambda: control.line.open(run.current_step),
        step=lambda: run.current_step,
        vitals=run.read_vitals,
        rank=place.rank,
    )
    run.uplink = uplink
    return run, uplink


def _measuring(request: Request, *given: Any) -> Run:
    from .measuring_run import MeasuringRun  # loaded only where a checkpoint is measured

    return MeasuringRun(request, *given)


def _rules(path: str | os.PathLike[str] | None, problems: Problems) -> str:
    """The text of a rule file that the hub can judge by; empty where none is given or it is refused, with a sentence for each slip."""
    if path is None:
        return ""
    from bedside_protocol.alerts.rule_file import RuleFileError, read_rules  # the rules are loaded only by those who bring some

    try:
        text = Path(path).expanduser().read_text(encoding="utf-8")
        if len(text.encode()) > MOST_RULES:
            problems(f"{Path(path).name} has more than {MOST_RULES >> 10} KiB: the built-in rules judge")
            return ""
        read_rules(text, Path(path).name)
        return text
    except RuleFileError as error:
        for slip in error.slips:
            problems(slip)
        problems(f"{Path(path).name} is refused: the built-in rules judge")
    except (OSError, ValueError, TypeError, RuntimeError) as error:  # not there, no UTF-8, no path, no home
        problems(f"{path} cannot be read ({getattr(error, 'strerror', None) or error}): the built-in rules judge")
    return ""


def _run_directory(identity: str, directory: str | os.PathLike[str] | None, problems: Problems) -> Path:
    """`<root>/<id>`, made now. Where the root cannot be written, a directory among the temporary files, and a sentence about it."""
    root = Path(directory).expanduser() if directory is not None else run_root(os.environ, _state_directory())
    try:
        return _made(root / identity)
    except (OSError, ValueError) as error:
        refused = f"cannot write in {root} ({getattr(error, 'strerror', None) or error})"
    fallback = Path(tempfile.gettempdir()) / f"bedside-runs-{os.getuid()}"
    try:
        own_directory(fallback, os.getuid())  # in `/tmp` anybody may have put one of that name
    except OSError as error:
        raise OSError(f"{refused}, and {fallback} {error.strerror or error}") from error
    problems(f"{refused}: recording in {fallback} instead")
    return _made(fallback / identity)


def _made(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.mkdir(mode=0o700)
    return path.absolute()


def _state_directory() -> Path:
    return Path(platformdirs.user_state_dir("bedside", appauthor=False))
