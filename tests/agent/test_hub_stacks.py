"""What the hub does about stacks: one for each stall by itself, an answer in place of a training that cannot, and what a fault left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bedside.hub.member import Member
from bedside.hub.stacks import NEXT_AFTER, Stacks
from bedside_protocol.commands import NO_PYTHON, SUSPENDED
from bedside_protocol.lifecycle import SILENT_AFTER
from bedside_protocol.messages import Order
from bedside_protocol.places import fault_name
from bedside_protocol.records import CommandChanged, Ended, LifecycleChanged, StackTaken

ORDER = Order("c1", "stack", "ada")
STALLED = LifecycleChanged("stalled", "no step for 62 s", 812)


@pytest.fixture
def stacks(tmp_path: Path) -> Stacks:
    """Of this very process."""
    return Stacks("digits-1", tmp_path, os.getpid())


def test_a_stall_is_looked_into_once_and_again_when_the_next_comes_much_later(stacks: Stacks) -> None:
    (ask,) = stacks.wanted(STALLED, 100.0)
    assert (ask.run, ask.id, ask.verb, ask.arguments) == ("digits-1", "stall-812", "stack", {"why": "stalled: no step for 62 s"})
    assert stacks.wanted(STALLED, 101.0) == []
    assert stacks.wanted(LifecycleChanged("running", "", 813), 102.0 + NEXT_AFTER) == []
    assert stacks.wanted(STALLED, 103.0 + NEXT_AFTER) == [ask]


def test_a_training_that_may_still_answer_is_left_to_answer(stacks: Stacks) -> None:
    assert stacks.answers([ORDER], "alive", SILENT_AFTER, 812) == []
    assert stacks.answers([], "stopped", 60.0, 812) == []


@pytest.mark.parametrize(
    ("process", "silent", "why"), [("alive", SILENT_AFTER + 0.1, NO_PYTHON.format(pid=os.getpid())), ("stopped", 0.0, SUSPENDED)]
)
def test_for_one_in_which_nothing_runs_the_kernel_answers(stacks: Stacks, process: str, silent: float, why: str) -> None:
    stack, failed = stacks.answers([ORDER], process, silent, 812)  # type: ignore[arg-type]
    assert isinstance(stack, StackTaken)
    assert (stack.why, stack.step, stack.trouble, stack.command) == ("asked by ada", 812, why, "c1")
    assert stack.threads[0].name == "the first thread"
    assert stack.threads[0].kernel
    assert failed == CommandChanged("c1", "stack", "failed", "ada", why, 812)


FAULT = 'Fatal Python error: Segmentation fault\n\nCurrent thread 0x01 (most recent call first):\n  File "{file}", line 2 in step\n'


def test_a_fault_is_read_with_the_lines_it_stood_at(stacks: Stacks, tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("def step():\n    lib.crash()\n")
    (tmp_path / fault_name(os.getpid())).write_text(FAULT.format(file=tmp_path / "train.py"))
    (stack,) = stacks.of_fault(-signal.SIGSEGV, "11: SIGSEGV", 812)
    assert isinstance(stack, StackTaken)
    assert (stack.why, stack.step) == ("11: SIGSEGV", 812)
    assert [(frame.line, frame.function, frame.source) for frame in stack.threads[0].frames] == [(2, "step", "lib.crash()")]
    assert stacks.exit_code() == -signal.SIGSEGV


@pytest.mark.parametrize("code", [0, 1, -signal.SIGKILL, -signal.SIGTERM])
def test_an_ending_of_another_kind_has_no_fault_whatever_a_worker_wrote(stacks: Stacks, tmp_path: Path, code: int) -> None:
    (tmp_path / fault_name(os.getpid())).write_text(FAULT.format(file="train.py"))
    assert stacks.of_fault(code, "", 812) == []


def rank_gone(rank: int, crashed: bool) -> Member:
    """A rank whose process has ended, as its hub sees it: by SIGSEGV where it `crashed`."""
    code = "import ctypes, resource; resource.setrlimit(resource.RLIMIT_CORE, (0, 0)); input(); " + (
        "ctypes.string_at(0)" if crashed else ""
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE)
    member = Member(rank, process.pid, 0, "stat", 0.0)
    process.communicate(b"\n")
    member.goodbye = None if crashed else Ended("finished", 811)
    deadline = time.monotonic() + 20
    while not member.look(time.monotonic()):
        assert time.monotonic() < deadline
    return member


@pytest.mark.parametrize(("rank", "crashed", "stacks_told"), [(3, True, 1), (3, False, 0), (0, True, 0)])
def test_a_rank_that_crashed_has_its_stack_told_and_the_first_has_it_told_as_the_run(
    stacks: Stacks, tmp_path: Path, rank: int, crashed: bool, stacks_told: int
) -> None:
    member = rank_gone(rank, crashed)
    (tmp_path / fault_name(member.pid)).write_text(FAULT.format(file="train.py"))
    told = stacks.of_rank(member)
    assert [body.why.partition(":")[0] for body in told if isinstance(body, StackTaken)] == ["rank 3"] * stacks_told


def test_a_file_without_a_fault_goes_and_one_with_stays(stacks: Stacks, tmp_path: Path) -> None:
    path = tmp_path / fault_name(os.getpid())
    assert stacks.of_fault(-signal.SIGSEGV, "", 0) == []
    assert stacks.exit_code() is None
    stacks.close()
    path.touch()
    assert stacks.of_fault(-signal.SIGSEGV, "", 0) == []
    stacks.close()
    assert not path.exists()
    path.write_text(FAULT)
    stacks.close()
    assert path.exists()


def test_what_lies_there_under_that_name_and_is_no_file_is_not_read(stacks: Stacks, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / fault_name(os.getpid()))
    assert stacks.of_fault(-signal.SIGSEGV, "", 0) == []
