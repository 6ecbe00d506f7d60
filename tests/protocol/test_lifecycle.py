"""The verdict about a run, over every combination of what may be known of it."""

from __future__ import annotations

import itertools
import signal
from collections.abc import Iterator

import pytest

from bedside_protocol.lifecycle import SILENT_AFTER, Signals, signal_name, verdict
from bedside_protocol.records import Ended, Lifecycle

GOODBYES = (
    None,
    Ended("finished", 9),
    Ended("stopped", 9, message="asked to stop"),
    Ended("failed", 9, "KeyError", "'kv_cache'"),
    Ended("exited", 9),
)
OVER = {"finished", "stopped", "failed", "killed", "died"}
ALIVE = {"starting", "running", "paused", "stalled", "suspended"}


def every() -> Iterator[Signals]:
    for process, code, memory, goodbye, stepped, paused, stalled, silent in itertools.product(
        ("alive", "stopped", "exited", "unknown"),
        (None, 0, 1, 137, -9, -11, -64),
        (False, True),
        GOODBYES,
        (False, True),
        (False, True),
        ("", "no step for 70 s"),
        (0.0, SILENT_AFTER + 1),
    ):
        yield Signals(process, code, memory, goodbye, stepped, paused, stalled, silent)  # type: ignore[arg-type]


def test_every_combination_has_exactly_the_state_its_strongest_fact_gives() -> None:
    for facts in every():
        state, reason = verdict(facts)
        expected: Lifecycle
        if facts.goodbye is not None and facts.goodbye.outcome != "exited":
            expected = facts.goodbye.outcome
        elif facts.process == "exited" and facts.exit_code is None:
            expected = "finished" if facts.goodbye else "died"
        elif facts.process == "exited":
            expected = "killed" if (facts.exit_code or 0) < 0 else "failed" if facts.exit_code else "finished"
        elif facts.process == "stopped":
            expected = "suspended"
        elif facts.stalled:
            expected = "stalled"
        elif facts.paused:
            expected = "paused"
        else:
            expected = "running" if facts.stepped else "starting"
        assert state == expected, facts
        assert "\n" not in reason


def test_only_a_goodbye_or_an_ended_process_is_an_ending() -> None:
    for facts in every():
        state, _ = verdict(facts)
        ended = facts.process == "exited" or (facts.goodbye is not None and facts.goodbye.outcome != "exited")
        assert state in (OVER if ended else ALIVE), facts


@pytest.mark.parametrize(
    ("facts", "state", "reason"),
    [
        (Signals(), "starting", "no step yet"),
        (Signals(stepped=True), "running", ""),
        (Signals(stepped=True, silent_for=60.0), "running", ""),
        (Signals(process="unknown", stepped=True), "running", ""),
        (Signals(paused=True), "paused", ""),
        (Signals(process="stopped", paused=True), "suspended", "the process is stopped (SIGSTOP or a debugger)"),
        (Signals(stalled="no step for 70 s"), "stalled", "no step for 70 s"),
        (
            Signals(stalled="no step for 70 s", silent_for=9.0),
            "stalled",
            "no step for 70 s; its interpreter does not run (a native call holds the GIL)",
        ),
        (Signals(process="exited", exit_code=-9), "killed", "9: SIGKILL"),
        (Signals(process="exited", exit_code=-9, out_of_memory=True), "killed", "9: SIGKILL, out of memory"),
        (Signals(process="exited", exit_code=-11, out_of_memory=True), "killed", "11: SIGSEGV"),
        (Signals(process="exited", exit_code=-63), "killed", "63: signal 63"),
        (Signals(process="exited", exit_code=3), "failed", "exit code 3"),
        (Signals(process="exited", exit_code=3, goodbye=Ended("exited", 5)), "failed", "exit code 3"),
        (Signals(process="exited", exit_code=0, goodbye=Ended("exited", 5)), "finished", ""),
        (Signals(process="exited", exit_code=0), "finished", "the process left without a goodbye, exit code 0"),
        (Signals(process="exited", goodbye=Ended("exited", 5)), "finished", "exit status unknown"),
        (Signals(goodbye=Ended("failed", 5, "KeyError", "'x'")), "failed", "KeyError: 'x'"),
        (Signals(goodbye=Ended("failed", 5, "KeyboardInterrupt")), "failed", "KeyboardInterrupt"),
        (Signals(goodbye=Ended("failed", 5, "ValueError", "expected one of a: b:")), "failed", "ValueError: expected one of a: b:"),
        (Signals(goodbye=Ended("stopped", 5)), "stopped", "asked to stop"),
        (Signals(process="exited", exit_code=1, goodbye=Ended("finished", 5)), "finished", ""),
    ],
)
def test_the_reason_says_what_is_known(facts: Signals, state: str, reason: str) -> None:
    assert verdict(facts) == (state, reason)


def test_an_unknown_cause_is_called_unknown() -> None:
    state, reason = verdict(Signals(process="exited"))
    assert state == "died"
    assert reason.startswith("cause unknown")


def test_signals_have_their_names() -> None:
    assert signal_name(signal.SIGTERM) == "SIGTERM"
    assert signal_name(200) == "signal 200"
