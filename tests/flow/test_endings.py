"""How a training ended, told apart: each ending with a real process, each way of watching it forced."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any

import pytest

from bedside_protocol.records import AlertChanged, Ended, LifecycleChanged

FOREVER = """
import bedside, time
run = bedside.init(name="forever")
for number in run.steps(range(10**9)):
    run.log({"loss": 1.0})
    time.sleep(0.01)
"""


@pytest.mark.parametrize("way", ["info", "pidfd", "stat"])
def test_a_killed_training_is_killed_while_its_parent_has_not_collected_it(start: Callable[..., Any], way: str) -> None:
    training = start(FOREVER, {"BEDSIDE_PROCESS_WATCH": way})
    training.wait_lifecycle("running")
    training.kill()
    body = training.wait_lifecycle("killed", "died")
    assert (body.state, body.reason) == ("killed", "9: SIGKILL")


def test_a_killed_training_is_killed_even_when_it_was_collected_at_once(start: Callable[..., Any]) -> None:
    training = start(FOREVER, reaped_at_once=True)
    training.wait_lifecycle("running")
    training.kill()
    body = training.wait_lifecycle("killed", "died")
    if body.state == "died":
        pytest.skip("this kernel tells no exit status of a process that was collected (before Linux 6.15)")
    assert body.reason == "9: SIGKILL"


def test_without_exit_information_a_collected_training_died_of_unknown_cause(start: Callable[..., Any]) -> None:
    training = start(FOREVER, {"BEDSIDE_PROCESS_WATCH": "stat"}, reaped_at_once=True)
    training.wait_lifecycle("running")
    training.kill()
    body = training.wait_lifecycle("killed", "died")
    assert body.state == "died"
    assert "cause unknown" in body.reason


def test_a_stopped_process_is_suspended_and_goes_on(start: Callable[..., Any]) -> None:
    training = start(FOREVER)
    training.wait_lifecycle("running")
    training.kill(signal.SIGSTOP)
    training.wait_lifecycle("suspended")
    training.kill(signal.SIGCONT)
    training.wait_for(lambda body: [each.state for each in training.bodies(LifecycleChanged)][-2:] == ["suspended", "running"])


@pytest.mark.parametrize(
    ("ending", "code", "state", "reason"),
    [
        ("raise KeyError('kv_cache')", 1, "failed", "KeyError: 'kv_cache'"),
        ("sys.exit(3)", 3, "failed", "exit code 3"),
        ("sys.exit(0)", 0, "finished", ""),
        ("pass", 0, "finished", ""),
        ("run.finish(); sys.exit(4)", 4, "finished", ""),
        ("os._exit(7)", 7, "failed", "exit code 7"),
        ("os.kill(os.getpid(), signal.SIGSEGV)", -signal.SIGSEGV, "killed", "11: SIGSEGV"),
        ("raise KeyboardInterrupt", -signal.SIGINT, "stopped", "interrupted (Ctrl-C)"),
    ],
)
def test_each_ending_has_its_word_and_keeps_its_exit_code(
    start: Callable[..., Any], ending: str, code: int, state: str, reason: str
) -> None:
    training = start(
        f"""
        import bedside, os, signal, sys
        run = bedside.init(name="ending")
        for number in run.steps(range(5)):
            run.log({{"loss": 1.0}})
        sys.stdin.readline()
        {ending}
        """
    )
    training.wait_lifecycle("running")
    training.say("end")
    assert training.end() == code
    body = training.wait_lifecycle("finished", "failed", "killed", "died", "stopped")
    assert (body.state, body.reason) == (state, reason)


def test_an_exception_is_recorded_with_its_step_and_the_last_lines_of_its_traceback(start: Callable[..., Any]) -> None:
    training = start(
        """
        import bedside
        with bedside.init(name="crash") as run:
            for number in run.steps(range(100)):
                run.log({"loss": 1.0})
                if number == 25:
                    {}["kv_cache"]
        """
    )
    assert training.end() == 1
    ended = training.wait_for(lambda body: isinstance(body, Ended)).body
    assert (ended.outcome, ended.exception, ended.message, ended.step) == ("failed", "KeyError", "'kv_cache'", 25)
    assert any("kv_cache" in line for line in ended.traceback)
    alarm = training.wait_for(lambda body: isinstance(body, AlertChanged) and body.state == "firing").body
    assert (alarm.rule, alarm.severity, alarm.message) == ("crash", "red", "KeyError: 'kv_cache' after step 25")
