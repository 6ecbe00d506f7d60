"""Beginning a run: its directory, its keys, its hub and its uplink. Where something is not to be had, the training goes on unmonitored."""

from __future__ import annotations

import multiprocessing.process
import os
import secrets
import shlex
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import platformdirs

from bedside_protocol.measuring import VARIABLE, Request
from bedside_protocol.places import run_id, run_root
from bedside_protocol.records import Body, RunStarted
from bedside_protocol.redact import flat_config

from .checkpoint import Checkpoints
from .control import Control
from .farewell import see_off
from .notice import Problems, say
from .origin import describe
from .run import Run, no_run
from .runtime import make_keys, open_runtime, own_directory, write_keys
from .send_queue import SendQueue
from .spawn import HubPlan, HubSpawner
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
) -> Run:
    """A monitored run of this process, or one that records nothing, with a sentence why. Never raises."""
    if getattr(multiprocessing.process.current_process(), "_inheriting", False):
        return no_run()  # a spawned child re-imports the script; the run is its parent's
    quiet = quiet and VARIABLE not in os.environ  # whoever has a checkpoint measured reads what is said
    problems = Problems(quiet)
    try:
        run = _started(project, name, config, directory, rules, problems)
    except Exception as error:  # disk, permissions, sockets, fork limits: none of them may end a training
        problems(f"this run is not monitored: {error or type(error).__name__}")
        if os.environ.get(VARIABLE):  # a checkpoint was to be measured: the script must not begin to train instead
            from .leaving import REFUSED, leave

            leave(REFUSED)
        return no_run()
    see_off(run)
    if not quiet:
        kept = Path(run.directory).parent == run_root(os.environ, _state_directory()).absolute()  # where an id is looked for
        word = run.id if kept else shlex.quote(run.directory)
        say(f"recording {run.name} in {run.directory} · watch it with: bedside attach {word}")
    return run


def _started(
    project: str,
    name: str,
    config: Any,
    directory: str | os.PathLike[str] | None,
    rules: str | os.PathLike[str] | None,
    problems: Problems,
) -> Run:
    wall, origin = time.time(), time.monotonic()
    request = Request.of_text(text) if (text := os.environ.get(VARIABLE)) else None
    name = str(name)[:200] or Path(sys.argv[0] or "run").stem
    identity = run_id(name, time.strftime("%Y%m%d-%H%M%S", time.localtime(wall)), secrets.token_hex(2))
    if request is not None:
        name, identity, directory = request.name[-200:], request.run, request.directory
    place = _run_directory(identity, directory, problems)
    started = describe(identity, name, str(project)[:200], flat_config(config), wall)
    keys = make_keys()
    runtime = open_runtime(identity)
    write_keys(runtime, identity, place, keys)
    text = _rules(rules, problems)
    told = Path(rules).name[:200] if rules is not None and text else ""
    plan = HubPlan(identity, str(place), str(runtime), started.pid, started.pid_start, wall, origin, SIZE_CAP, keys, text, told)
    return _connected(started, origin, HubSpawner(plan), problems, request)


def _connected(started: RunStarted, origin: float, spawner: HubSpawner, problems: Problems, request: Request | None) -> Run:
    queue = SendQueue(problems)

    def speak(body: Body) -> None:
        queue.append(time.monotonic() - origin, body)

    control = Control(
        speak,
        Checkpoints(Path(spawner.plan.directory) / "checkpoints"),
        hub_silence=lambda: uplink.silence(),
        demand=lambda probe: run.probes.demand(probe),
        rate=lambda probe, every: run.change_rate(probe, every),
    )
    given = (started, origin, spawner.plan.directory, queue, control, problems)
    run = Run(*given) if request is None else _measuring(request, *given)
    uplink = Uplink(
        queue,
        spawner,
        problems,
        receive=lambda order: control.receive(order, run.current_step + 1),
        step=lambda: run.current_step,
        vitals=run.read_vitals,
    )
    run.uplink = uplink
    spawner.start(time.monotonic())
    uplink.start(started)
    return run


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
