"""Where a training hangs or crashed, the whole way: real processes that stand still in each of the ways there are, and native faults."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any

import pytest

from bedside_protocol.commands import NO_PYTHON, SUSPENDED
from bedside_protocol.records import CommandChanged, LifecycleChanged, StackTaken
from bedside_protocol.stacks import own_call

RULES = """
[rules.stall]
when = {no_step = {seconds = 1.0, times = 1.0}}
"""
LOOP = """
import bedside, ctypes, os, resource, select, sys, threading, time
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
run = bedside.init(name="hangs", rules="rules.toml")
lock = threading.Lock()
lib, jealous = ctypes.CDLL(None), ctypes.PyDLL(None)  # the second keeps the interpreter lock
def forward():
    {hang}
def steps():
    for number in range(10**9):
        yield number
for number in run.steps(steps()):
    run.log({{"loss": 1.0}})
    time.sleep(0.01)
    if number >= 20 and select.select([sys.stdin], [], [], 0)[0]:  # it goes on until it is told: waiting here would be a stall too
        sys.stdin.readline()
        forward()
"""


@pytest.fixture
def hanging(start: Callable[..., Any], home: Any) -> Callable[..., Any]:
    """A training that does what it is told in a step of its own choice, once it is running."""

    def begin(hang: str) -> Any:
        (home / "rules.toml").write_text(RULES)
        training = start(LOOP.format(hang=hang))
        training.wait_lifecycle("running")
        training.say("hang")
        return training

    return begin


def stacks(training: Any) -> list[StackTaken]:
    return [body for body in training.bodies(StackTaken) if isinstance(body, StackTaken)]


@pytest.mark.parametrize(
    ("hang", "kernel"),
    [("lock.acquire(); lock.acquire()", "waits for a lock"), ("lib.usleep(60_000_000)", "sleeps")],
    ids=["a deadlock", "a native call that lets others run"],
)
def test_a_run_that_stalls_says_where_by_itself_and_again_when_asked(hanging: Callable[..., Any], hang: str, kernel: str) -> None:
    training = hanging(hang)
    stalled = training.wait_lifecycle("stalled")
    stack = training.wait_for(lambda body: isinstance(body, StackTaken)).body
    assert stack.why == f"stalled: {stalled.reason}"
    here = own_call(stack.threads)
    assert (here.file, here.function, here.source) == ("train.py", "forward", hang)
    assert stack.threads[0].name == "MainThread"
    assert stack.threads[0].kernel.startswith(kernel)
    assert not stack.trouble

    life = training.ask("stack")
    assert [change.state for change in life] == ["requested", "accepted", "applied"]
    assert [each.command for each in stacks(training)] == [f"stall-{stalled.step}", life[0].id]
    assert stacks(training)[1].threads[0].frames == stack.threads[0].frames


def test_the_command_line_prints_the_stack(hanging: Callable[..., Any], bedside: Callable[..., Any]) -> None:
    training = hanging("lock.acquire(); lock.acquire()")
    training.wait_for(lambda body: isinstance(body, StackTaken))
    said = bedside("ctl", training.place.id, "stack")
    lines = said.out.splitlines()
    assert (said.code, lines[:2]) == (0, ["stack requested", "stack accepted"])
    assert lines[2].startswith("MainThread  waits for a lock")
    assert lines[4] == "    lock.acquire(); lock.acquire()"
    threads = bedside("ctl", training.place.id, "stack", "--json").json["threads"]
    assert threads[0]["frames"][0]["source"] == "lock.acquire(); lock.acquire()"


def test_a_call_that_holds_the_interpreter_lock_has_its_stall_told_and_no_stack_with_the_reason_why(hanging: Callable[..., Any]) -> None:
    training = hanging("jealous.usleep(60_000_000)")
    training.wait_for(lambda body: getattr(body, "state", "") == "stalled" and "holds the GIL" in body.reason)
    life = training.ask("stack")
    why = NO_PYTHON.format(pid=training.pid)
    assert [(change.state, change.detail) for change in life][1:] == [("failed", why)]
    by_itself, asked = stacks(training)
    assert (by_itself.trouble, asked.trouble) == (why, why)
    assert (asked.threads[0].name, asked.threads[0].frames) == ("the first thread", ())
    assert asked.threads[0].kernel.startswith("sleeps")


def test_a_stopped_process_has_its_threads_told_by_the_kernel_and_answers_no_old_order_when_it_goes_on(hanging: Callable[..., Any]) -> None:
    training = hanging("lock.acquire(); lock.acquire()")
    training.wait_for(lambda body: isinstance(body, StackTaken))
    training.kill(signal.SIGSTOP)
    training.wait_lifecycle("suspended")
    life = training.ask("stack")
    assert (life[-1].state, life[-1].detail) == ("failed", SUSPENDED)
    assert {thread.kernel for thread in stacks(training)[-1].threads} == {"is stopped"}
    training.kill(signal.SIGCONT)
    training.wait_for(lambda _: training.bodies(LifecycleChanged)[-1].state != "suspended")
    assert [change.state for change in training.ask("stack")] == ["requested", "accepted", "applied"]
    old = [body.state for body in training.bodies(CommandChanged) if isinstance(body, CommandChanged) and body.id == life[0].id]
    assert old == ["requested", "failed"]


@pytest.mark.parametrize(
    ("crash", "number", "why"),
    [("ctypes.string_at(0)", signal.SIGSEGV, "11: SIGSEGV"), ("os.abort()", signal.SIGABRT, "6: SIGABRT")],
)
def test_a_native_fault_leaves_where_it_happened_in_the_recording(
    hanging: Callable[..., Any], bedside: Callable[..., Any], crash: str, number: int, why: str
) -> None:
    training = hanging(crash)
    assert training.end() == -number
    assert training.wait_lifecycle("killed", "died").reason == why
    (stack,) = stacks(training)
    here = own_call(stack.threads)
    assert (stack.why, here.function, here.source) == (why, "forward", crash)
    assert "Fatal Python error" not in training.err.read_text()
    training.wait_hub_gone()
    assert bedside("rm", training.place.id, "--yes").code == 0


def test_a_run_that_ends_well_leaves_no_file_of_faults(start: Callable[..., Any]) -> None:
    training = start("import bedside, sys\nrun = bedside.init(name='well')\nfor _ in run.steps(range(3)): pass\nsys.stdin.readline()\n")
    training.wait_lifecycle("running")
    assert len(list(training.place.directory.glob("fault-*.txt"))) == 1
    training.say("end")
    assert training.end() == 0
    training.wait_hub_gone()
    assert list(training.place.directory.glob("fault-*.txt")) == []
    assert stacks(training) == []
