"""`bedside ctl`: a live training is asked, and what became of it is printed; `runs`, `status` and `rm` on a run that goes on."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bedside_protocol.alerts.engine import Engine
from bedside_protocol.records import CheckpointSaved, CommandChanged, Event, MetricDefined, ProbeDeclared, Snapshot

Start = Callable[..., Any]
Cli = Callable[..., Any]

LOOP = """
import bedside, json, time
run = bedside.init(project="flow", name="asked")
@run.on_checkpoint
def save(path):
    with open(path, "w") as file:
        json.dump({"step": run.current_step}, file)
for number in run.steps(range(10**9)):
    run.log({"loss": 1.0})
    time.sleep(0.005)
run.finish()
"""


def test_a_training_is_paused_saved_resumed_and_stopped_from_the_command_line(start: Start, bedside: Cli) -> None:
    training = start(LOOP)
    training.wait_lifecycle("running")
    name = training.place.id
    said = bedside("ctl", name, "pause")
    assert (said.code, said.err) == (0, "")
    life = [line.split()[:2] for line in said.out.splitlines()]
    assert life[0] == ["pause", "requested"]
    assert life[-1] == ["pause", "applied"]
    training.wait_lifecycle("paused")
    assert bedside("status", name, "--json").json["lifecycle"] == "paused"
    again = bedside("ctl", name, "pause")
    assert (again.code, again.out.splitlines()[-1]) == (1, "pause refused: the run is already paused")

    saved = bedside("ctl", name, "checkpoint", "--json")
    assert saved.code == 0
    assert list(saved.json) == ["id", "verb", "state", "step", "detail", "threads"]
    assert (saved.json["verb"], saved.json["state"]) == ("checkpoint", "applied")
    checkpoint = training.wait_for(lambda body: isinstance(body, CheckpointSaved)).body
    assert Path(checkpoint.path).read_text() == f'{{"step": {saved.json["step"]}}}'
    assert checkpoint.path in saved.json["detail"]

    assert bedside("ctl", name, "resume").code == 0
    reached = len(training.points("loss"))
    training.wait_points("loss", reached + 20)

    stopped = bedside("ctl", name, "stop", "--checkpoint", "--json")
    assert (stopped.code, stopped.json["state"]) == (0, "applied")
    assert training.end() == 0
    assert len(training.bodies(CheckpointSaved)) == 2
    training.wait_hub_gone()
    late = bedside("ctl", name, "pause")
    assert (late.code, late.out, late.err) == (3, "", f"bedside: {name} is stopped: nothing can be asked of it\n")


PROBED = """
import bedside, time
run = bedside.init(project="flow", name="probed")
run.define_metric("energy", kind="loss", unit="nats", direction="down")
run.phase("pretrain")
codes = run.probe(bedside.Codebook("vq", size=4, every=bedside.on_demand()))
for number in run.steps(range(10**9)):
    codes.observe([0, 1])
    run.log({"energy": 1.0}, group={"T": 64 * (1 + number % 2)})
    time.sleep(0.005)
run.finish()
"""


def test_a_probe_is_asked_for_at_once_and_at_another_rate_from_the_command_line(start: Start, bedside: Cli) -> None:
    training = start(PROBED)
    training.wait_points("energy [T=128]", 10)
    name = training.place.id
    assert training.bodies(Snapshot) == []
    assert bedside("ctl", name, "snapshot", "--probe", "vq").code == 0
    training.wait_for(lambda body: isinstance(body, Snapshot))

    said = bedside("ctl", name, "rate", "--probe", "vq", "--every", "20", "--json")
    assert (said.code, said.json["verb"], said.json["state"]) == (0, "rate", "applied")
    training.wait_for(lambda body: isinstance(body, ProbeDeclared) and body.every == 20)
    measured = training.wait_for(lambda body: isinstance(body, Snapshot) and body.step > said.json["step"])
    assert measured.body.step % 20 == 0

    unknown = bedside("ctl", name, "rate", "--probe", "nobody", "--every", "20")
    assert (unknown.code, unknown.out.splitlines()[-1].partition(": ")[2]) == (1, "there is no probe of that name")
    missing = bedside("ctl", name, "rate", "--probe", "vq")
    assert (missing.code, missing.err) == (3, "bedside: rate needs --every\n")

    assert training.bodies(MetricDefined) == [MetricDefined("energy", "loss", "nats", "down")]
    assert [event.fields for event in training.bodies(Event)] == [{"name": "pretrain", "state": "begin"}]
    assert training.points("energy") == []
    engine = Engine()
    for record in training.records():
        engine.observe(record)
    judged = {change.target for change in engine.standing if change.rule == "loss-level"}
    assert judged == {"energy [T=64]", "energy [T=128]"}


def test_the_live_run_is_in_the_lists_and_is_not_deleted(start: Start, bedside: Cli) -> None:
    training = start(LOOP)
    training.wait_lifecycle("running")
    training.wait_points("loss", 10)
    (summary,) = bedside("runs", "--json").json
    assert (summary["lifecycle"], summary["name"], summary["project"]) == ("running", "asked", "flow")
    assert summary["metrics"]["loss"] == 1.0
    assert summary["step"] > 0
    said = bedside("rm", training.place.id, "--yes")
    assert (said.code, said.out) == (3, "")
    assert said.err == f"bedside: {training.place.id} is running: stop it first (bedside ctl {training.place.id} stop)\n"
    assert bedside("check", "--json").json["ended"] == "running"
    reached = len(training.points("loss"))
    training.wait_points("loss", reached + 10)


def test_a_run_whose_hub_cannot_be_reached_is_not_waited_for(start: Start, bedside: Cli, monkeypatch: Any) -> None:
    training = start(LOOP)
    training.wait_lifecycle("running")
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("BEDSIDE_RUNTIME_DIR", "/nowhere")
        said = bedside("ctl", training.place.id, "stop")
    assert said.code == 3
    assert said.err.endswith("is running, but has no hub on this machine: ask on the machine where it runs\n")
    assert bedside("ctl", "another-run", "stop").code == 3
    assert training.bodies(CommandChanged) == []


def test_an_outcome_that_does_not_come_in_time_is_said_and_the_command_stays(start: Start, bedside: Cli) -> None:
    training = start(LOOP)
    training.wait_lifecycle("running")
    training.kill(signal.SIGSTOP)
    said = bedside("ctl", training.place.id, "pause", "--wait", "1", "--json")
    assert (said.code, said.json["state"]) == (3, "requested")
    assert said.err == f"bedside: no outcome within 1 s: bedside attach {training.place.id} shows what becomes of it\n"
    training.kill(signal.SIGCONT)
    training.wait_lifecycle("paused")
