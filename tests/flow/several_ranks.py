"""Three ranks of one training that meet in every step: the script, and what tests ask of it.

One process forks the ranks, so that three cost little more than one. Knows no pytest: the faults' long form starts the same.
"""

from __future__ import annotations

import os
import re
from unittest.mock import patch

from real_training import Training, until

from bedside_protocol.records import CommandChanged, RankCommand, Verb

WORLD = 3
TIMEOUT = 2.0
"""Seconds a rank waits for the others in a collective before it gives up."""
GLOO = """
import datetime, torch, torch.distributed as dist

def meet(rank):
    os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    wait = datetime.timedelta(seconds={timeout})
    dist.init_process_group("gloo", init_method="file://" + os.path.abspath("meet"), rank=rank, world_size=3, timeout=wait)
    return torch.ones(2)

def together(ones):
    dist.all_reduce(ones.fill_(1.0))
    assert ones[0] == 3.0
"""
"""The real collective. Importing it three times would cost a test more than everything else: one process does, and forks the ranks."""
BARRIER = """
import multiprocessing
barrier = multiprocessing.get_context("fork").Barrier(3)

def meet(rank):
    os.environ.update(RANK=str(rank), WORLD_SIZE="3")

def together(_):
    barrier.wait({timeout})
"""
"""What matters of a collective: nobody passes it alone, and who waits for too long gives up for all."""
SCRIPT = """
import ctypes, os, time, traceback
import bedside
{collective}
{before}

def train(rank):
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(os.getppid()))
    met = meet(rank)
    with bedside.init(name="several") as run:
        @run.on_checkpoint
        def save(path):
            os.write(1, f"rank {{rank}} saves at {{run.current_step}}\\n".encode())
            if rank == 0:
                with open(path, "w") as file:
                    file.write(str(run.current_step))
        steps = os.open(f"steps.{{rank}}", os.O_WRONLY | os.O_CREAT)
        for number in run.steps(range(10**9)):
            together(met)
            run.log({{"loss": float(rank)}})
            os.pwrite(steps, b"%9d" % (number + 1), 0)
            time.sleep({pace})
    os.write(1, f"rank {{rank}} left at {{run.current_step}}\\n".encode())

children = {{}}
for rank in range(3):
    child = os.fork()
    if not child:
        code = 1
        ctypes.CDLL(None).prctl(1, 9)  # whoever ends this training ends its ranks
        try:
            train(rank)
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    children[child] = rank
    with open(f"pid.{{rank}}", "w") as file:
        file.write(str(child))
while children:
    pid, status = os.wait()
    os.write(1, f"rank {{children.pop(pid)}} ended with {{os.waitstatus_to_exitcode(status)}}\\n".encode())
"""


def script(before: str = "", pace: float = 0.02, collective: str = BARRIER) -> str:
    """The training, with further lines before the ranks are forked."""
    return SCRIPT.format(before=before, pace=pace, collective=collective.format(timeout=TIMEOUT))


def pid_of(training: Training, rank: int) -> int:
    """The process of a rank."""
    return int((training.home / f"pid.{rank}").read_text())


def steps_of(training: Training) -> list[int]:
    """The newest step each rank has made, as it wrote itself."""
    return [int((training.home / f"steps.{rank}").read_text() or 0) for rank in range(WORLD)]


def wait_steps(training: Training, beyond: int, seconds: float = 60.0) -> None:
    """Until every rank has made a step after `beyond`."""

    def made() -> bool | None:
        there = all((training.home / f"steps.{rank}").exists() for rank in range(WORLD))
        return True if there and min(steps_of(training)) > beyond else None

    until(made, f"a step after {beyond} on all ranks", seconds, training.tail)


def ask(training: Training, verb: Verb, **arguments: bool) -> CommandChanged:
    """What became of a command."""
    with patch.dict(os.environ, BEDSIDE_RUNTIME_DIR=str(training.home / "rt")):  # where this process, as a viewer, finds the hub
        return training.ask(verb, dict(arguments), seconds=60)[-1]


def pause(training: Training) -> tuple[CommandChanged, list[int]]:
    """Pause all: what became of it, and the step each rank says it was at."""
    last = ask(training, "pause")
    said = [body for body in training.bodies(RankCommand) if isinstance(body, RankCommand) and body.id == last.id]
    return last, [body.step for body in said if body.state == "applied"]


def end(training: Training) -> dict[int, int]:
    """Wait for all ranks to end; the exit status of each."""
    codes = {}
    while len(codes) < WORLD:
        line = training.hear()
        assert line, training.tail()
        if found := re.fullmatch(r"rank (\d) ended with (-?\d+)", line):
            codes[int(found[1])] = int(found[2])
    training.process.wait(30)
    return codes
