"""What is loaded before there is something to see: the first picture waits for every module, so those it does not show come later."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from bedside_protocol.places import LOG_NAME
from bedside_protocol.records import AlertChanged, Body, LifecycleChanged, Metrics, Record, RunStarted
from bedside_protocol.runlog import encode_chunk

RULES = {"bedside_protocol.alerts." + name for name in ("conditions", "rules", "defaults", "engine", "judge", "rule_file", "runbooks")}
SCREENS = {"plotext", "textual", "rich"}
FAR = {"bedside_tui.widgets.alarm_page", "bedside_tui.export", "bedside_tui.importing", "bedside_tui.web", "bedside_tui.clip", "tomllib"}

FIRST_PICTURE = """
import asyncio, sys
from pathlib import Path
from bedside_tui.cli import attach, picker, replay
from bedside_tui.app import BedsideApp
from bedside_tui.sources.live import LiveSource
from bedside_tui.sources.replay import ReplaySource

async def shown(text):
    app = BedsideApp(ReplaySource(Path(sys.argv[1]), follow=True))
    async with app.run_test() as pilot, asyncio.timeout(60):
        while app.top is None or text not in app.top.rows.text:
            await pilot.pause(0.01)

asyncio.run(shown(sys.argv[2]))
"""


def recording(root: Path, *bodies: Body) -> Path:
    log = root / "one" / LOG_NAME
    log.parent.mkdir()
    started = RunStarted("one", "digits-1", "tokenizer", 1000.0)
    loss = Metrics(("loss",), np.array([1]), np.array([0.1]), np.array([[0.5]]))
    records = [Record(0.1 * place, body) for place, body in enumerate((started, LifecycleChanged("running"), loss, *bodies))]
    log.write_bytes(encode_chunk(records, 1, {}))
    return log


def loaded_by(code: str, *words: object, **environment: str) -> set[str]:
    """The modules that a fresh interpreter has loaded after `code`."""
    ran = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys\nprint(*sys.modules, file=sys.stderr)", *map(str, words)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(part for part in sys.path if part)} | environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return set(ran.stderr.splitlines()[-1].split())


def test_the_first_picture_of_a_run_that_is_well_loads_no_rule_and_nothing_that_other_verbs_need(tmp_path: Path) -> None:
    loaded = loaded_by(FIRST_PICTURE, recording(tmp_path), "loss")
    assert {"bedside_tui.app", "textual"} < loaded
    assert loaded & (RULES | FAR | {"plotext"}) == set()


def test_an_alarm_is_called_by_its_rule_which_is_loaded_for_it(tmp_path: Path) -> None:
    alarm = AlertChanged("loss-level", "loss", "firing", "red", 1, 1, 9.0, "found", "loss-level", 1)
    loaded = loaded_by(FIRST_PICTURE, recording(tmp_path, alarm), "RED")
    assert "bedside_protocol.alerts.rules" in loaded


@pytest.mark.parametrize("words", [["runs"], ["runs", "--json"], []], ids=lambda words: " ".join(words) or "no verb")
def test_runs_that_are_known_are_listed_without_a_rule_a_socket_or_a_screen(words: Sequence[str], tmp_path: Path) -> None:
    recording(tmp_path, LifecycleChanged("finished"))
    code = f"from bedside_tui.cli import main\nassert main({words!r}) == 0"
    assert "bedside_protocol.alerts.judge" in loaded_by(code, BEDSIDE_DIR=str(tmp_path))  # read once, with its hub's verdict
    assert loaded_by(code, BEDSIDE_DIR=str(tmp_path)) & (RULES | FAR | SCREENS | {"zmq"}) == set()
