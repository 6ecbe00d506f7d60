"""How the ranks of one run find each other: by what torchrun and SLURM put into their environment, and what is said where that is odd."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest
from real_training import Training
from several_ranks import ask

from bedside_protocol.records import RankCommand, RanksSeen, RunStarted
from bedside_tui.places import runs_in

TRAIN = """
import bedside, os, time
run = bedside.init(name="launched")
for number in run.steps(range(10**9)):
    run.log({"loss": 1.0})
    time.sleep(0.01)
print("left at", run.current_step, flush=True)
"""
SRUN = """
import os, subprocess, sys
tasks = [
    subprocess.Popen([sys.executable, "-c", {script!r}], env=os.environ | {{"SLURM_PROCID": str(rank), "SLURM_LOCALID": str(rank)}})
    for rank in range(2)
]
sys.exit(max(task.wait() for task in tasks))
"""
"""Starts two processes, as SLURM's `srun -n 2` does on one node."""
STEP = {
    "SLURM_JOB_ID": "4711", "SLURM_STEP_ID": "0", "SLURM_NTASKS": "2", "SLURM_STEP_NUM_TASKS": "2", "SLURM_NODEID": "0",
    "SLURM_JOB_NUM_NODES": "1",
}  # fmt: skip
"""What `srun -n 2` tells its tasks, beside the rank of each."""
ONCE = """
import bedside
with bedside.init(name="once") as run:
    for number in run.steps(range(5)):
        run.log({"loss": 1.0})
print("trained", flush=True)
"""


def act_together(training: Training, world: int) -> None:
    """All ranks have joined one run, and pause and stop at one step."""
    training.wait_for(lambda body: isinstance(body, RunStarted) and body.world_size == world)
    training.wait_for(lambda body: isinstance(body, RanksSeen) and body.ranks == tuple(range(world)), 60)
    paused = ask(training, "pause")
    said = {body.step for body in training.bodies(RankCommand) if isinstance(body, RankCommand) and body.id == paused.id}
    assert (paused.state, said) == ("applied", {paused.step})
    assert ask(training, "stop").state == "applied"
    assert {training.hear() for _ in range(world)} == {f"left at {paused.step}"}
    assert training.end() == 0
    assert len(list(runs_in([training.runs]))) == 1


def test_tasks_of_one_step_of_slurm_are_one_run_where_they_have_a_master(start: Callable[..., Training]) -> None:
    act_together(start(SRUN.format(script=TRAIN), STEP | {"MASTER_ADDR": "node-1", "MASTER_PORT": "29500"}), 2)


def test_tasks_of_slurm_without_a_master_are_a_run_each(start: Callable[..., Training]) -> None:
    training = start(SRUN.format(script=ONCE), STEP)
    assert [training.hear(), training.hear()] == ["trained", "trained"]
    assert training.end() == 0
    assert len({place.id for place in runs_in([training.runs])}) == 2


@pytest.mark.skipif(find_spec("torch") is None, reason="no torch, whose launcher is tried")
def test_workers_of_torchrun_are_one_run(start: Callable[..., Training], home: Path) -> None:
    store = (f"--rdzv-endpoint={home / 'rendezvous'}", "--rdzv-backend=c10d", "--rdzv-conf=store_type=file", "--local-addr=127.0.0.1")
    torchrun = ("-m", "torch.distributed.run", "--nnodes=1", "--nproc-per-node=2", *store)
    act_together(start(TRAIN, {"TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1"}, flags=torchrun), 2)


@pytest.mark.parametrize(
    ("environment", "sentence", "runs"),
    [
        ({"RANK": "1"}, "no rank can be read of RANK='1': this process is taken for a run of its own", 1),
        ({"RANK": "5", "WORLD_SIZE": "2"}, "not monitored: rank 5 of 2: a rank is at least 0 and less than the number of ranks", 0),
        (STEP | {"SLURM_PROCID": "1", "MASTER_ADDR": "node-1"}, "rank 1 of 2 is not monitored: rank 0 runs on another machine", 0),
    ],
    ids=["half of it", "beyond the last", "without its first"],
)
def test_where_the_environment_is_odd_the_training_trains_and_what_follows_is_said(
    start: Callable[..., Training], environment: dict[str, str], sentence: str, runs: int
) -> None:
    training = start(ONCE, environment)
    assert training.hear() == "trained"
    assert training.end() == 0
    assert sentence in training.err.read_text()
    assert len(list(runs_in([training.runs]))) == runs
