"""`bedside probe` over the checkpoints of a real training: what it says of them is what the training's own probes said of these weights.

One training, and one measurement of its checkpoints that is interrupted at the last, serve most of this file.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bedside_protocol.measuring import Measured
from bedside_protocol.records import CheckpointSaved, Ended, Event, Metrics, Record, RunStarted, Snapshot
from bedside_protocol.runlog import read_records
from bedside_tui.cli.schemas import SCHEMAS
from bedside_tui.places import runs_in

Cli = Callable[..., Any]
pytestmark = pytest.mark.timeout(600)  # six processes that load torch, on a machine that may be busy

SCRIPT = """
import argparse, os, time, torch, bedside
from torch import nn
from torch.nn import functional as F

parser = argparse.ArgumentParser()
parser.add_argument("--saves", action="store_true")
options = parser.parse_args()
torch.manual_seed(3)
torch.set_num_threads(1)
points = torch.randn(128, 4)  # all of them in every step: a checkpoint and the step after it see the same

class Quantizer(nn.Module):
    def __init__(self, width=8):
        super().__init__()
        self.encode = nn.Sequential(nn.Linear(4, width), nn.BatchNorm1d(width), nn.ReLU(), nn.Linear(width, 4))
        self.codes = nn.Parameter(torch.randn(16, 4))
    def forward(self, x):
        y = self.encode(x)
        return y, torch.cdist(y.detach(), self.codes).argmin(1)

model = Quantizer()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
run = bedside.init(project="quantizer", name="points", dir=os.environ["BEDSIDE_DIR"])
run.watch(model, optimizer)  # measured among others at steps 5 and 20
codes = run.probe(bedside.Codebook("vq", size=16, every=bedside.every(1000, early=(5, 20)), window=128))
run.probe(bedside.Parameter("codes", model.codes, every=bedside.every(1000, early=(4, 19))))
for step, _ in enumerate(run.steps(range(70)), 1):
    y, indices = model(points)
    loss = F.mse_loss(y, points) + F.mse_loss(model.codes[indices], y.detach())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    codes.observe(indices)
    run.log({"loss": loss})
    if step == 2:
        torch.save("nothing", "out/at-4.pt")
    if options.saves and step in (4, 19):
        torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": step}, f"out/at-{step}.pt")
    if step == 2 and "last" in run.name:
        open("hangs", "w").close()
        time.sleep(600)
run.finish()
torch.save(Quantizer(9).state_dict(), "out/at-50.pt")
torch.save(model.state_dict(), "out/last.pt")
open("ended", "a").write("once ")
"""


@dataclass(frozen=True)
class Measurement:
    """What a training, and a measurement of its checkpoints, left behind."""

    home: Path
    training: list[Record]
    code: int
    table: dict[str, Any]
    err: str
    saved: dict[str, str]
    """Digests of the checkpoints before they were measured."""

    def row(self, name: str) -> dict[str, Any]:
        (found,) = (each for each in self.table["checkpoints"] if each["checkpoint"] == f"out/{name}.pt")
        return dict(found)

    def said(self, probe: str, step: int) -> dict[str, float]:
        """What a probe of the training said after a step."""
        (found,) = (
            one.body for one in self.training if isinstance(one.body, Snapshot) and (one.body.probe, one.body.step) == (probe, step)
        )
        return dict(found.scalars)

    def loss(self, step: int) -> float:
        (found,) = (
            float(one.body.values[one.body.names.index("loss")][list(one.body.steps).index(step)])
            for one in self.training
            if isinstance(one.body, Metrics) and "loss" in one.body.names and step in one.body.steps
        )
        return found


def read(log: Path) -> list[Record]:
    with open(log, "rb") as file:
        return list(read_records(file))


def begun(home: Path, name: str) -> list[RunStarted]:
    """The beginnings of the recordings of a checkpoint."""
    bodies = (record.body for place in runs_in([home / "measured"]) if place.log.exists() for record in read(place.log))
    return [body for body in bodies if isinstance(body, RunStarted) and body.name == name]


def digests(directory: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in directory.iterdir()}


def in_home(home: Path) -> dict[str, str]:
    sources = os.pathsep.join(str(Path(__file__).parents[2] / folder) for folder in ("agent", "protocol", "tui"))
    own = {"PYTHONPATH": sources, "BEDSIDE_DIR": str(home / "runs"), "BEDSIDE_RUNTIME_DIR": str(home / "rt"), "OMP_NUM_THREADS": "1"}
    return {**os.environ, **own}


def probe(home: Path, *words: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "bedside_tui", "probe", *words]
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, env=in_home(home), cwd=home, text=True, preexec_fn=_heeds_interrupts, **pipes)


def _heeds_interrupts() -> None:
    """A shell starts what runs in its background deaf to them, and so this suite may have been."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="module")
def measured() -> Iterator[Measurement]:
    home = Path(tempfile.mkdtemp(prefix="bs-"))  # a socket's path is short
    (home / "out").mkdir()
    (home / "train.py").write_text(SCRIPT)
    subprocess.run([sys.executable, "train.py", "--saves"], env=in_home(home), cwd=home, check=True, timeout=120)
    (place,) = runs_in([home / "runs"])
    saved = digests(home / "out")
    process = probe(home, "train.py", "--checkpoints", "out/*.pt", "--dir", "measured", "--json", "--", "--saves")
    try:
        while not ((home / "hangs").exists() and begun(home, "out/last.pt")):
            assert process.poll() is None, process.communicate()
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    yield Measurement(home, read(place.log), process.returncode, json.loads(out), err, saved)
    shutil.rmtree(home, ignore_errors=True)


@pytest.mark.parametrize("step", [4, 19])
def test_a_checkpoint_has_the_quantities_that_the_training_measured_with_its_weights(measured: Measurement, step: int) -> None:
    values = measured.row(f"at-{step}")["values"]
    usage = measured.said("vq", step + 1)  # of the forward that meets the weights after `step` steps
    assert {name: values[f"vq: {name}"] for name in ("used", "perplexity", "top1")} == {
        name: usage[name] for name in ("used", "perplexity", "top1")
    }
    assert values["gradients: norm"] == pytest.approx(measured.said("gradients", step + 1)["norm"], rel=1e-5)
    assert values["loss"] == pytest.approx(measured.loss(step + 1), rel=1e-5)
    assert values["codes: norm"] == pytest.approx(measured.said("codes", step)["norm"], rel=1e-6)


def test_the_checkpoints_stand_in_the_order_of_their_steps_and_the_best_is_marked(measured: Measurement) -> None:
    assert [(each["checkpoint"], each["step"], each["told_by"]) for each in measured.table["checkpoints"]] == [
        ("out/at-4.pt", 4, "step"), ("out/at-19.pt", 19, "step"), ("out/at-50.pt", None, ""),
    ]  # fmt: skip
    losses = [measured.row(f"at-{step}")["values"]["loss"] for step in (4, 19)]
    best = {each["name"]: each["best"] for each in measured.table["quantities"]}
    assert losses == sorted(losses, reverse=True)
    assert best["loss"] == [1]
    assert len({measured.row(f"at-{step}")["data"] for step in (4, 19)}) == 1
    assert measured.table["remarks"] == []


def test_nothing_is_said_of_updates_because_they_are_the_optimizers(measured: Measurement) -> None:
    values = measured.row("at-19")["values"]
    assert "update_ratio_median" in measured.said("gradients", 20)
    assert [name for name in values if "update" in name or "unchanged" in name] == []


def test_a_checkpoint_of_another_model_has_a_row_that_says_so_and_the_others_go_on(measured: Measurement) -> None:
    foreign = measured.row("at-50")
    assert foreign["values"] == {}
    assert foreign["why"].startswith("at-50.pt does not fit the watched Quantizer: 7 of another shape (encode.0.weight 9×4 for 8×4, ")
    assert "3 of 4  out/at-50.pt  not measured: at-50.pt does not fit" in measured.err


def test_an_interrupt_ends_the_script_and_keeps_what_was_measured(measured: Measurement) -> None:
    assert measured.code == 130
    assert measured.err.splitlines()[-1] == "bedside: interrupted after 3 of 4"
    (started,) = begun(measured.home, "out/last.pt")  # the one that hung
    assert not Path(f"/proc/{started.pid}").exists()
    assert [path.name for path in (measured.home / "measured").iterdir() if path.name.startswith(".")] == []


def test_measuring_saves_nothing_and_runs_no_line_after_the_last_step(measured: Measurement) -> None:
    assert digests(measured.home / "out") == measured.saved
    assert (measured.home / "ended").read_text() == "once "
    assert len(runs_in([measured.home / "runs"])) == 1


def test_each_recording_is_one_of_the_checkpoint_at_its_step(measured: Measurement) -> None:
    records = read(Path(measured.row("at-19")["log"]))
    bodies = [record.body for record in records]
    started = next(body for body in bodies if isinstance(body, RunStarted))
    answer = next(found for body in bodies if isinstance(body, Event) and (found := Measured.of_event(body)))
    assert started.name == "out/at-19.pt"
    assert (answer.weights, answer.checkpoint) == ("model", str(measured.home / "out" / "at-19.pt"))
    assert {body.step for body in bodies if isinstance(body, (Snapshot, Ended))} == {19}
    assert [body.outcome for body in bodies if isinstance(body, Ended)] == ["finished"]
    assert [body for body in bodies if isinstance(body, CheckpointSaved)] == []
    assert sorted(body.probe for body in bodies if isinstance(body, Snapshot)) == ["codes", "gradients", "structure", "vq"]


def test_what_is_printed_is_what_the_schema_says(measured: Measurement) -> None:
    _, schema = SCHEMAS["probe"]
    row = schema["properties"]["checkpoints"]["items"]["properties"]
    assert measured.table.keys() == schema["properties"].keys()
    assert all(each.keys() == row.keys() for each in measured.table["checkpoints"])


def test_a_script_that_watches_nothing_is_told_what_to_call_and_nobody_trains_on(
    home: Path, bedside: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = """
    import bedside
    run = bedside.init(name="blind", quiet=True)
    for number in run.steps(range(10**9)):
        run.log({"loss": 1.0})
    """
    (home / "blind.py").write_text(textwrap.dedent(script))
    (home / "any.pt").touch()
    for name, value in in_home(home).items():
        monkeypatch.setenv(name, value)
    found = bedside("probe", home / "blind.py", "--checkpoints", home / "any.pt")
    assert found.code == 3
    assert "not measured" in found.out
    assert "the script calls no run.watch(model, optimizer) before its first step" in " ".join(found.out.split())


def test_a_process_that_was_asked_for_a_measurement_and_cannot_begin_one_ends_instead_of_training(home: Path) -> None:
    script = "import bedside\nbedside.init(quiet=True)\nopen('trained', 'w')"
    environment = in_home(home) | {"BEDSIDE_MEASURE": "nonsense"}
    ran = subprocess.run([sys.executable, "-c", script], env=environment, cwd=home, capture_output=True, text=True, timeout=60)
    assert (ran.returncode, (home / "trained").exists()) == (4, False)
    assert ran.stderr.startswith("bedside: this run is not monitored: BEDSIDE_MEASURE is not understood: ")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["train.py"], "which checkpoints? say --checkpoints 'out/*.pt'"),
        (["train.py", "--checkpoints", "none/*.pt"], "no file is called none/*.pt"),
        (["gone.py", "--checkpoints", "some.pt"], "there is no script gone.py"),
        (
            ["train.py", "--lr", "3", "--checkpoints", "some.pt"],
            "--lr is no option of `bedside probe`: arguments of the script stand behind --",
        ),
        (["train.py", "--checkpoints", "some.pt", "--steps", "0"], "argument --steps: 0 steps are none: say 1 or more"),
    ],
)
def test_what_cannot_be_begun_is_said_in_a_sentence(
    home: Path, bedside: Cli, monkeypatch: pytest.MonkeyPatch, words: list[str], sentence: str
) -> None:
    monkeypatch.chdir(home)
    (home / "train.py").touch()
    (home / "some.pt").touch()
    found = bedside("probe", *words)
    assert (found.code, found.err) == (3, f"bedside: {sentence}\n")
