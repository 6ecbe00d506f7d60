"""Training is never harmed: bad input, missing directories, forked workers, and weights that must be the same to the last bit."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bedside_protocol.records import Problem, Snapshot
from bedside_tui.sources.live import LiveSource

WEIGHTS = """
import hashlib, sys, torch, bedside
from torch import nn
torch.manual_seed(0)
torch.set_num_threads(1)
model = nn.Sequential(nn.Linear(16, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Dropout(0.3), nn.Linear(64, 32))
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
batches = [torch.randn(32, 16) for _ in range(200)]
{begin}
for batch in {loop}:
    optimizer.zero_grad()
    out = model(batch)
    loss = (out ** 2).mean() + (out.std() - 1) ** 2
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    {log}
{end}
state = b"".join(value.numpy().tobytes() for value in model.state_dict().values())
print(hashlib.sha256(state + torch.get_rng_state().numpy().tobytes()).hexdigest(), flush=True)
"""


def test_weights_after_200_steps_are_bit_identical_with_bedside_on_and_off(start: Callable[..., Any]) -> None:
    off = start(WEIGHTS.format(begin="", loop="batches", log="pass", end=""))
    plain = off.hear()
    assert off.end(60) == 0
    on = start(
        WEIGHTS.format(
            begin="\n".join(
                [
                    'run = bedside.init(name="weights")',
                    "run.watch(model, optimizer, every=5)",
                    'codes = run.probe(bedside.Codebook("vq", size=32, every=5))',
                ]
            ),
            loop="run.steps(batches)",
            log='run.log({"loss": loss, "out": out.mean()}); codes.observe(out.argmax(dim=1))',
            end="run.finish()",
        )
    )
    assert on.hear() == plain
    assert on.end(60) == 0
    on.wait_lifecycle("finished")
    assert {"gradients", "vq"} <= {body.probe for body in on.bodies(Snapshot)}
    assert len(on.points("loss")) == 200


def test_bad_values_become_counters_and_training_goes_on(start: Callable[..., Any]) -> None:
    training = start(
        r"""
        import bedside, decimal, numpy, sys
        class Hostile:
            def __float__(self): raise RuntimeError("no")
            def __repr__(self): raise RuntimeError("no")
        run = bedside.init(name="bad[/x]\x1b]52;c;AAAA\x07", config={"a": Hostile()})
        values = [float("nan"), float("inf"), -float("inf"), -0.0, 5e-324, 1e308, 2**64, -2**63, True, "text", b"bytes", None, 1j, [1, [2]],
                  {1}, decimal.Decimal("1.5"), numpy.float32(2.5), numpy.int64(7), numpy.bool_(True), numpy.zeros(3),
                  numpy.zeros(()), Hostile()]
        for number in run.steps(range(3)):
            for value in values:
                run.log({"value": value, "acc[top5]": 1.0})
            run.log({"n" * 10_000_000: 1.0, "": 2.0, 7: 3.0, "\x1b[2J": 4.0, "\ud800": 5.0})
            run.log("nonsense"); run.log(None); run.log({"x": 1.0}, step="seven"); run.log({"x": 1.0}, step=2**80)
        for number in range(50):
            run.log({f"name-{number}-{part}": 1.0 for part in range(2000)})
        sys.stdin.readline()
        run.finish()
        run.log({"late": 1.0})
        print("done", flush=True)
        """
    )
    training.wait_for(lambda body: isinstance(body, Problem) and "more than 10,000 different metric names" in body.text, seconds=60)
    training.say("go on")
    assert training.end(60) == 0
    training.wait_lifecycle("finished", seconds=30)
    said = [body.text for body in training.bodies(Problem)]
    assert any("'value': str is not a number" in text for text in said)
    assert any("shape (3,)" in text for text in said)
    lines = training.err.read_text().splitlines()
    assert len(lines) < 60
    assert "bedside: log after finish is not recorded" in lines
    assert not any("\x1b" in line for line in lines)
    assert sum(1 for line in lines if "'value': str is not a number" in line) == 1
    assert len(training.points("acc[top5]")) == 66
    assert len(training.points("name-0-1999")) == 1
    assert training.points("name-49-1999") == []


def test_impossible_steps_are_said_and_the_monitoring_goes_on(start: Callable[..., Any]) -> None:
    training = start(
        """
        import bedside, sys
        run = bedside.init(name="odd")
        for step in [1, 2**80, -(2**80), 2.5, "three", None, 2]:
            run.log({"loss": 1.0}, step=step)
        sys.stdin.readline()
        for item in run.steps([1, 2], accumulate="x", start="y"):
            run.log({"loss": 2.0})
        run.finish()
        print("done", flush=True)
        """
    )
    training.wait_lifecycle("running")
    training.say("go on")
    assert training.hear() == "done"
    training.wait_lifecycle("finished")
    said = training.err.read_text()
    for sentence in ("a step is a 62-bit integer", "'three'", "accumulate is a whole number", "start is the number of steps already made"):
        assert sentence in said
    assert "monitoring stopped" not in said
    assert [step for step, value in training.points("loss") if value == 2.0] == [1, 2]


def test_a_forked_worker_records_nothing_and_ends_by_itself(start: Callable[..., Any]) -> None:
    training = start(
        """
        import bedside, os
        run = bedside.init(name="forking")
        for number in run.steps(range(20)):
            run.log({"loss": 1.0})
            pid = os.fork()
            if pid == 0:
                for _ in range(100):
                    run.log({"from-worker": 1.0})
                raise SystemExit(0)
            assert os.waitpid(pid, 0)[1] == 0
        run.finish()
        """
    )
    assert training.end(60) == 0
    training.wait_lifecycle("finished")
    assert len(training.points("loss")) == 20
    assert training.points("from-worker") == []


def test_data_loader_workers_and_spawned_children_leave_the_run_alone(start: Callable[..., Any]) -> None:
    training = start(
        """
        import multiprocessing, bedside, torch
        def child():
            pass
        run = bedside.init(name="workers")
        if __name__ == "__main__":
            data = torch.utils.data.DataLoader(list(range(40)), batch_size=4, num_workers=2)
            for batch in run.steps(data):
                run.log({"loss": 1.0})
            process = multiprocessing.get_context("spawn").Process(target=child)
            process.start(); process.join()
            assert process.exitcode == 0
            run.finish()
        """
    )
    assert training.end(90) == 0
    training.wait_lifecycle("finished")
    assert len(training.points("loss")) == 10
    assert len(list(training.runs.iterdir())) == 1


@pytest.mark.parametrize(
    "environment",
    [{"BEDSIDE_DIR": "/proc/nowhere"}, {"BEDSIDE_DIR": "/dev/null/x"}, {"HOME": "/dev/null/home", "BEDSIDE_DIR": ""}],
    ids=["unwritable", "below a file", "no home"],
)
def test_without_a_directory_the_run_is_recorded_elsewhere_and_says_so(
    start: Callable[..., Any], home: Path, environment: dict[str, str]
) -> None:
    training = start(
        """
        import bedside
        run = bedside.init(name="homeless")
        for number in run.steps(range(10)):
            run.log({"loss": 1.0})
        run.finish()
        print(run.directory, flush=True)
        """,
        {"TMPDIR": str(home), **environment},
    )
    directory = Path(training.hear())
    assert training.end() == 0
    assert (directory / "run.bedside").stat().st_size > 0
    assert "bedside: " in training.err.read_text()


def test_without_any_place_for_a_socket_training_goes_on_unmonitored_and_says_so(start: Callable[..., Any], home: Path) -> None:
    long = home / ("x" * 120)
    long.mkdir()
    training = start(
        """
        import bedside
        run = bedside.init(name="nowhere")
        for number in run.steps(range(10)):
            run.log({"loss": 1.0})
        run.finish()
        print("done", flush=True)
        """,
        {"BEDSIDE_RUNTIME_DIR": str(long), "TMPDIR": str(long)},
    )
    assert training.hear() == "done"
    assert training.end() == 0
    assert "this run is not monitored" in training.err.read_text()
    assert "too long for a socket" in training.err.read_text()


def test_a_module_of_the_users_that_is_called_logging_disturbs_nobody(start: Callable[..., Any], home: Path) -> None:
    (home / "logging.py").write_text("raise RuntimeError('shadowed')\n")
    training = start(
        """
        import sys
        here = sys.path.pop(0)
        import bedside.start
        sys.path.insert(0, here)
        run = bedside.init(name="shadow")
        for number in run.steps(range(10)):
            run.log({"loss": 1.0})
        run.finish()
        """,
    )
    assert training.end() == 0
    training.wait_lifecycle("finished")


def test_warnings_as_errors_do_not_reach_the_training(start: Callable[..., Any]) -> None:
    training = start(
        """
        import bedside, os
        run = bedside.init(name="strict")
        for number in run.steps(range(10)):
            run.log({"loss": "bad"})
        run.finish()
        """,
        flags=("-W", "error"),
    )
    assert training.end() == 0


def test_a_hub_that_cannot_write_tells_its_viewers_keeps_what_it_has_and_training_goes_on(start: Callable[..., Any]) -> None:
    training = start(
        """
        import bedside, resource, sys, time
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
        run = bedside.init(name="full")
        number = 0
        running, number = True, 0
        while running:
            run.log({"loss": number * 1.234567})
            number += 1
            time.sleep(0.005)
            running = run.step()
        run.finish()
        print("done", flush=True)
        """,
    )
    training.wait_points("loss", 5)
    told = threading.Event()
    source = LiveSource(training.place)
    source.start(lambda update: told.set() if "cannot be written" in update.status.detail else None)
    assert told.wait(60)
    assert source.control is not None
    source.control.send("stop", {})  # the log cannot tell what becomes of it; the script can
    assert training.hear() == "done"
    source.close()
    assert training.end() == 0
    training.wait_hub_gone()
    assert 0 < training.place.log.stat().st_size <= 4096
    assert training.points("loss")[0] == (1, 0.0)


def test_when_no_hub_can_be_started_any_more_training_goes_on_unmonitored_and_says_so(start: Callable[..., Any]) -> None:
    training = start(
        """
        import sys
        import bedside, bedside.spawn
        bedside.spawn.MAX_STARTS = 1
        run = bedside.init(name="lonely")
        for number in run.steps(iter(sys.stdin.readline, "end\\n")):
            run.log({"loss": 1.0})
        run.finish()
        print("done", flush=True)
        """,
    )
    training.say("step")
    training.wait_lifecycle("running")
    os.kill(training.hub_pid(), signal.SIGKILL)
    training.wait_stderr("the hub died too often: this run goes on unmonitored")
    training.say("step")
    training.say("end")
    assert training.hear() == "done"
    assert training.end() == 0
    assert len(training.hub_pids()) == 1
