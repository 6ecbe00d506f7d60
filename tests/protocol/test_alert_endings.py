"""How a run's end becomes an alarm, and which ends are none."""

from __future__ import annotations

import pytest

from bedside_protocol.alerts.conditions import Ends, NoStep
from bedside_protocol.alerts.defaults import DEFAULT_RULES
from bedside_protocol.alerts.engine import Engine
from bedside_protocol.alerts.judge import judge
from bedside_protocol.alerts.rules import OnRun, Rule
from bedside_protocol.lifecycle import Signals, verdict
from bedside_protocol.records import AlertChanged, Body, Ended, Lifecycle, LifecycleChanged, Record, RunStarted, Tick

STARTED = RunStarted("a", "digits-1", "tokenizer", 0.0)


def run(*bodies: Body, engine: Engine | None = None) -> list[AlertChanged]:
    engine = engine or Engine()
    return [change for second, body in enumerate(bodies) for change in engine.observe(Record(float(second), body))]


def fired(*bodies: Body) -> list[tuple[str, str, str]]:
    """Rule, severity and message of every alarm but the stall's."""
    return [(change.rule, change.severity, change.message) for change in run(*bodies) if change.state == "firing"]


def ended(signals: Signals) -> list[tuple[str, str, str]]:
    """What fires when the hub finds these facts after step 25, as its own words for them have it."""
    state, reason = verdict(signals)
    goodbye = (signals.goodbye,) if signals.goodbye else ()
    return fired(STARTED, Tick(25), *goodbye, LifecycleChanged(state, reason, 25))


def failure(exception: str, message: str = "") -> Signals:
    return Signals("exited", 1, goodbye=Ended("failed", 25, exception, message))


def test_an_exception_is_a_red_crash_that_names_it_and_the_last_step() -> None:
    assert ended(failure("KeyError", "'kv_cache'")) == [("crash", "red", "KeyError: 'kv_cache' after step 25")]
    assert ended(failure("AssertionError")) == [("crash", "red", "AssertionError after step 25")]
    assert ended(Signals("exited", 3)) == [("crash", "red", "exit code 3 after step 25")]


def test_a_long_exception_is_cut_to_its_first_line_and_to_what_fits() -> None:
    long = "mat1 and mat2 shapes cannot be multiplied (64x784 and 512x10)\nthe second line"
    ((rule, _, message),) = ended(failure("RuntimeError", long))
    assert rule == "crash"
    assert message == "RuntimeError: mat1 and mat2 shapes ca… after step 25"
    assert len(message.replace(" 25", " 9,999,999")) <= 60


@pytest.mark.parametrize(
    "signals",
    [
        failure("OutOfMemoryError", "CUDA out of memory. Tried to allocate 20.00 MiB."),
        failure("RuntimeError", "CUDA error: out of memory"),
        failure("RuntimeError", "[enforce fail at alloc_cpu.cpp:117] err == 0. DefaultCPUAllocator: can't allocate memory: you tried …"),
        failure("MemoryError"),
        failure("_ArrayMemoryError", "Unable to allocate 8.00 EiB for an array with shape (1, 1) and data type float64"),
        failure("OSError", "[Errno 12] Cannot allocate memory"),
        Signals("exited", -9, out_of_memory=True),
    ],
)
def test_memory_that_was_not_there_is_red_and_no_crash_besides(signals: Signals) -> None:
    ((rule, severity, _),) = ended(signals)
    assert (rule, severity) == ("out-of-memory", "red")


@pytest.mark.parametrize(
    ("signals", "message"),
    [
        (Signals("exited", -9), "9: SIGKILL after step 25"),
        (Signals("exited", -15), "15: SIGTERM after step 25"),
        (Signals("exited", -11), "11: SIGSEGV after step 25"),
        (Signals("exited"), "cause unknown: this system does not t… after step 25"),
    ],
)
def test_a_signal_or_no_word_at_all_is_amber(signals: Signals, message: str) -> None:
    assert ended(signals) == [("killed", "amber", message)]


@pytest.mark.parametrize(
    "signals",
    [
        Signals("exited", 0, goodbye=Ended("finished", 25)),
        Signals("exited", 0, goodbye=Ended("stopped", 25, message="asked to stop")),
        Signals("exited", -2, goodbye=Ended("stopped", 25, message="interrupted (Ctrl-C)")),
        Signals("exited", -2),
        Signals("exited", 0),
        Signals("exited", 0, goodbye=Ended("exited", 25)),
    ],
)
def test_an_end_that_was_wanted_is_no_alarm(signals: Signals) -> None:
    assert ended(signals) == []


@pytest.mark.parametrize("state", ["starting", "running", "paused", "stalled", "suspended"])
def test_a_run_that_lives_has_not_ended(state: Lifecycle) -> None:
    assert fired(STARTED, LifecycleChanged(state, "out of memory", 25)) == []


def test_the_verdict_of_a_run_that_crashed_is_red_and_of_one_that_was_killed_amber() -> None:
    def judged(body: LifecycleChanged) -> str:
        return judge([Record(0.0, STARTED), Record(1.0, body)]).verdict

    assert judged(LifecycleChanged("failed", "KeyError: 'kv_cache'", 25)) == "red"
    assert judged(LifecycleChanged("killed", "9: SIGKILL", 25)) == "amber"
    assert judged(LifecycleChanged("finished", "", 25)) == "unknown"


def test_a_run_that_goes_on_after_a_crash_clears_it_and_may_crash_again() -> None:
    changes = run(
        STARTED,
        Ended("failed", 25, "KeyError", "'kv_cache'"),
        LifecycleChanged("failed", "KeyError: 'kv_cache'", 25),
        RunStarted("a", "digits-1", "tokenizer", 0.0, continues="a"),
        LifecycleChanged("killed", "9: SIGKILL", 40),
        RunStarted("a", "digits-1", "tokenizer", 0.0, continues="a"),
        LifecycleChanged("failed", "exit code 1", 50),
    )
    lives = [(change.rule, change.state, change.message, change.episode) for change in changes if change.state in ("firing", "cleared")]
    assert lives == [
        ("crash", "firing", "KeyError: 'kv_cache' after step 25", 1),
        ("crash", "cleared", "KeyError: 'kv_cache' after step 25", 1),
        ("killed", "firing", "9: SIGKILL after step 40", 1),
        ("killed", "cleared", "9: SIGKILL after step 40", 1),
        ("crash", "firing", "exit code 1 after step 50", 2),
    ]


def test_of_several_ranks_the_first_exception_is_what_ended_the_run() -> None:
    first, then = Ended("failed", 25, "OutOfMemoryError", "CUDA out of memory"), Ended("failed", 25, "RuntimeError", "peer is gone")
    engine = Engine()
    for rank, body in ((3, first), (0, then)):
        engine.observe(Record(1.0, body, rank))
    engine.observe(Record(2.0, LifecycleChanged("failed", "RuntimeError: peer is gone", 25)))
    assert [(change.rule, change.message) for change in engine.firing] == [
        ("out-of-memory", "OutOfMemoryError: CUDA out of memory after step 25")
    ]


def test_a_verdict_that_is_known_better_a_moment_later_leaves_one_alarm() -> None:
    engine = Engine()
    run(STARTED, LifecycleChanged("died", "cause unknown", 25), LifecycleChanged("failed", "exit code 1", 25), engine=engine)
    assert [change.rule for change in engine.firing] == ["crash"]


def test_a_rule_of_ones_own_may_name_several_ways_to_end_and_a_stall() -> None:
    own = Rule(
        name="gone",
        title="gone",
        watch=OnRun(),
        conditions=(NoStep(), Ends(("killed",), ("15:*",)), Ends(("failed",))),
        message="gone",
        runbook="killed",
    )
    for state, reason, fires in (("killed", "15: SIGTERM", True), ("killed", "9: SIGKILL", False), ("failed", "exit code 1", True)):
        engine = Engine([own])
        run(STARTED, Tick(1), LifecycleChanged(state, reason, 25), engine=engine)  # type: ignore[arg-type]
        assert bool(engine.firing) is fires


def test_without_the_rules_nothing_is_said_of_an_end() -> None:
    others = [rule for rule in DEFAULT_RULES if rule.name not in ("crash", "killed", "out-of-memory")]
    for state, reason in (("failed", "KeyError"), ("killed", "9: SIGKILL, out of memory"), ("killed", "9: SIGKILL")):
        changes = run(STARTED, LifecycleChanged(state, reason, 25), engine=Engine(others))  # type: ignore[arg-type]
        assert [change.rule for change in changes if change.state == "firing"] == []
