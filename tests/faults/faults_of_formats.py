"""What becomes of a recording that outlives its boot or its version: told rightly, read as far as it is known, or refused in one line."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from golden import versions
from later import later_major, later_minor
from real_training import Training, environment_in
from stage import Stage

from bedside_tui.liveness import ANOTHER_BOOT, LOST, SILENT_AFTER

BEDSIDE = [sys.executable, "-c", "import sys; from bedside_tui.cli import main; sys.exit(main())"]
UNDER = ("unshare", "-Urm", "sh", "-c", 'mount --bind "$0" /proc/sys/kernel/random/boot_id && exec "$@"')
UPGRADE = "upgrade bedside"
VERBS = (("status", "--json"), ("check", "--json"), ("export", "--csv", "-"), ("once", "--text"), ("watch", "--no-follow"))


def booted_anew(stage: Stage, times: int) -> None:
    """F18: the machine is started anew under a run, which for its reader is another boot id, bound over the kernel's: while somebody holds
    the log it goes on, soon after it may go on elsewhere, and later it is lost; at no time is a length of time negative."""
    for _ in range(times):
        training = stage.count()
        training.wait_points("number", 20)
        boot = training.home / "boot"
        boot.write_text("00000000-another-boot\n")
        under = (*UNDER, str(boot))
        _is_told(stage, training, under, "running", "")
        os.kill(training.hub_pid(), signal.SIGSTOP)  # else it would say of the killed training that it was
        training.kill()
        os.kill(training.hub_pid(), signal.SIGKILL)
        training.process.wait()
        _is_told(stage, training, under, "running", "")
        _is_told(stage, training, (), "lost", LOST)
        earlier = time.time() - 2 * SILENT_AFTER
        os.utime(training.place.log, (earlier, earlier))
        _is_told(stage, training, under, "lost", ANOTHER_BOOT)
        stage.tally.tries += 1


def _is_told(stage: Stage, training: Training, under: Sequence[str], state: str, reason: str) -> None:
    command = [*under, *BEDSIDE, "status", str(training.place.directory), "--json"]
    done = subprocess.run(command, env=environment_in(training.home), capture_output=True, text=True, timeout=60, check=True)
    row = json.loads(done.stdout)
    if (row["lifecycle"], row["reason"]) != (state, reason):
        stage.tally.told_wrongly(f"a run that is {state} is called {row['lifecycle']}: {row['reason']}")
    stage.tally.notes += [f"{name} is {value}" for name, value in row.items() if isinstance(value, int | float) and value < 0]


def versions_read(stage: Stage, times: int) -> None:
    """F19: what each version wrote, as it is, as a later minor would write it, and as a later major would, by each of some verbs."""
    home = stage.home()
    forms = {"then": bytes, "minor": later_minor, "major": later_major}
    turns = itertools.cycle(itertools.product(versions(), ("every", "training"), VERBS, forms))
    told: dict[tuple[Path, str, Sequence[str]], str] = {}
    for version, name, (verb, *options), form in itertools.islice(turns, times):
        log = home / f"{form}.bedside"
        log.write_bytes(forms[form]((version / f"{name}.bedside").read_bytes()))
        done = subprocess.run(
            [*BEDSIDE, verb, str(log), *options], env=environment_in(home), capture_output=True, text=True, timeout=60, check=False
        )
        what = f"{verb} of {version.name}/{name}, {form}"
        if form == "major":
            if (done.returncode, done.stdout, done.stderr.count("\n")) != (3, "", 1) or UPGRADE not in done.stderr:
                stage.tally.told_wrongly(f"{what}: {done.returncode}, {done.stderr[-200:]}")
        elif done.returncode == 3 or "Traceback" in done.stderr:
            stage.tally.told_wrongly(f"{what}: {done.returncode}, {done.stderr[-200:]}")
        elif verb == "export" and told.setdefault((version, name, verb), done.stdout) != done.stdout:
            stage.tally.misses(1, f"{what}: other values than without what a later version added")
        stage.tally.tries += 1
