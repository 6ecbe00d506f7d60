"""A soak: a real training at 200 steps a second, its hub, a viewer that stays and others that come and go; memory sampled each second.

It starts and samples; whether a memory is flat is `flatness`' business, what is written of it `soak_report`'s.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import psutil
from real_terminal import Terminal
from real_training import Training, environment_in, until
from visits import Visitors

from bedside_protocol.records import Metrics
from bedside_tui.places import runs_in

PACE: Final = 200
"""Steps a second."""
TRAINING: Final = """
import sys, time, torch, bedside
torch.manual_seed(0)
hoard = []
model = torch.nn.Sequential(torch.nn.Linear(32, 64), torch.nn.ReLU(), torch.nn.Linear(64, 16))
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
run = bedside.init(project="soak", name="soak")
run.watch(model, optimizer)
codes = run.probe(bedside.Codebook("codes", size=16))
target = torch.randn(32, 16)
began = time.monotonic()
for number in run.steps(range(10**9)):
    batch = torch.randn(16, 32)
    out = model(batch)
    loss = (out - batch @ target).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    codes.observe(out.detach().argmax(1))
    run.log({{"loss": loss, "lr": 1e-3, "output/mean": out.mean(), "output/largest": out.max(), "time/behind": time.monotonic() - began}})
    hoard.append(bytearray({leak}))
    if not {leak}:
        hoard.clear()
    began = max(began + 1 / {pace}, time.monotonic() - 1)  # what was missed is made up for within a second, or never
    time.sleep(max(0.0, began - time.monotonic()))
run.finish()
"""
STAYS: Final = (100, 30)
"""Columns and rows of the viewer that stays."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A process at one moment: bytes resident, bytes of them that are of no file, open descriptors, threads.

    The latter are its own whatever other processes do: pages of libraries are shared by whoever happens to load the same.
    """

    time: float
    resident: int
    own: int
    descriptors: int
    threads: int


@dataclass(slots=True)
class Soaked:
    """What was seen. `samples` by process; `steps` and `drawn` (bytes that the staying viewer drew) at the time of each sample."""

    samples: dict[str, list[Sample]] = field(default_factory=lambda: {"trainer": [], "hub": [], "viewer": []})
    steps: list[int] = field(default_factory=list)
    drawn: list[int] = field(default_factory=list)
    visits: list[int] = field(default_factory=list)
    kinds: dict[str, int] = field(default_factory=dict)
    points: int = 0
    """Values in the recording."""
    size: int = 0
    """Bytes of the recording."""
    troubles: list[str] = field(default_factory=list)


def soak(seconds: float, *, every: float = 10.0, leak: int = 0, say: Callable[[Soaked], None] = lambda _: None) -> Soaked:
    """Soak for so long, a visitor every so many seconds. `leak`: bytes that the script keeps a step, to see that it is found.
    `say` is told after each minute. An interruption ends it early."""
    home = Path(tempfile.mkdtemp(prefix="bs-"))
    training = Training(home, TRAINING.format(leak=leak, pace=PACE), {}, reaped_at_once=False, flags=())
    opened: list[Terminal | Visitors] = []
    soaked = Soaked()
    try:
        until(lambda: True if any(runs_in([training.runs])) else None, "a training that has begun", 120, training.tail)
        training.wait_points("loss", 50, 60)
        run, environment = training.place.id, environment_in(home)
        stays = Terminal(["attach", run], environment, home, STAYS)
        opened.append(stays)
        stays.sees("running", 60)
        visitors = Visitors(run, environment, home, every)
        opened.append(visitors)
        _watch(soaked, training, stays, visitors, seconds, say)
        _end(soaked, training, stays)
    finally:
        for one in opened:
            one.close()
        training.close()
        for _ in range(3):
            shutil.rmtree(home, ignore_errors=True)
    return soaked


def _watch(soaked: Soaked, training: Training, stays: Terminal, visitors: Visitors, seconds: float, say: Callable[[Soaked], None]) -> None:
    pids = {"trainer": training.pid, "hub": training.hub_pid(), "viewer": stays.process.pid}
    watched = {name: psutil.Process(pid) for name, pid in pids.items()}
    began, drawn, told = time.monotonic(), 0, 0
    try:
        while (since := time.monotonic() - began) < seconds:
            visitors.step(time.monotonic())
            assert stays.process.poll() is None, f"the viewer that stays has left:\n{stays.text}"
            assert stays.text is not None
            if since >= len(soaked.steps):
                drawn, stays.sent = drawn + len(stays.sent), b""
                soaked.steps.append(_step(training))
                soaked.drawn.append(drawn)
                soaked.visits.append(sum(visitors.came.values()))
                for name, process in watched.items():
                    soaked.samples[name].append(_sampled(process, since))
            if since // 60 > told:
                told = int(since // 60)
                say(soaked)
            time.sleep(0.05)
    except (AssertionError, OSError, StopIteration, psutil.Error) as error:
        soaked.troubles.append(str(error))
    except KeyboardInterrupt:
        soaked.troubles.append("interrupted")
    soaked.kinds = dict(visitors.came)
    soaked.troubles += visitors.troubles


def _sampled(process: psutil.Process, since: float) -> Sample:
    anonymous = next(line for line in Path(f"/proc/{process.pid}/status").read_text().splitlines() if line.startswith("RssAnon"))
    return Sample(since, process.memory_info().rss, int(anonymous.split()[1]) << 10, process.num_fds(), process.num_threads())


def _step(training: Training) -> int:
    """The newest step in the recording."""
    newest = next((record.body for record in reversed(training.records()) if isinstance(record.body, Metrics)), None)
    return int(newest.steps[-1]) if newest is not None else 0


def _end(soaked: Soaked, training: Training, stays: Terminal) -> None:
    """Count what was recorded; say so where the hub is not the first any more, the viewer that stayed does not obey, the training ended."""
    soaked.points = sum(body.values.size for body in training.bodies(Metrics) if isinstance(body, Metrics))
    soaked.size = training.place.log.stat().st_size
    if len(training.hub_pids()) > 1:
        soaked.troubles.append(f"{len(training.hub_pids())} hubs were started")
    if stays.process.poll() is None:
        stays.press("q")
        if "attach" not in (parting := stays.left(60)):
            soaked.troubles.append(f"the viewer that stayed left with the words {parting!r}")
    if training.process.poll() is not None:
        soaked.troubles.append(f"the training ended: {training.tail()}")
