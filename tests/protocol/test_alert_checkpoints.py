"""Which checkpoints are suspect, and which is the last good one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bedside_protocol.alerts.checkpoints import Checkpoints, Judged, damaging
from bedside_protocol.alerts.engine import Engine
from bedside_protocol.alerts.rule_file import read_rules
from bedside_protocol.records import AlertChanged, AlertState, Body, CheckpointSaved, Metrics, Record, RunStarted, Severity


def saved(step: int, path: str = "") -> CheckpointSaved:
    return CheckpointSaved(path or f"step_{step}.pt", 1_000, step)


def explosion(state: AlertState = "firing", severity: Severity = "red", step: int = 2001, first_step: int = 2001) -> AlertChanged:
    return AlertChanged("explosion", "loss", state, severity, step, first_step, episode=1)


def after(*bodies: Body) -> Checkpoints:
    checkpoints = Checkpoints()
    for seconds, body in enumerate(bodies):
        checkpoints.take(Record(float(seconds), body))
    return checkpoints


def suspects(checkpoints: Checkpoints) -> list[int]:
    return [judged.step for judged in checkpoints.all if judged.suspect_of]


def test_without_an_alarm_the_newest_is_the_last_good_one() -> None:
    quiet = after(saved(1000), saved(2000))
    assert quiet.all == (Judged(1000, "step_1000.pt"), Judged(2000, "step_2000.pt"))
    assert quiet.last_good == Judged(2000, "step_2000.pt")
    assert quiet.suspects == ()
    assert after().last_good is None


def test_what_is_saved_while_an_explosion_fires_is_suspect_and_says_why() -> None:
    checkpoints = after(saved(1000), explosion(), saved(3000), saved(4000))
    assert checkpoints.last_good == Judged(1000, "step_1000.pt")
    assert checkpoints.suspects == (
        Judged(3000, "step_3000.pt", "explosion since step 2,001"),
        Judged(4000, "step_4000.pt", "explosion since step 2,001"),
    )


@pytest.mark.parametrize(("step", "is_suspect"), [(1989, False), (1999, False), (2000, True), (2001, True), (2040, True)])
def test_what_was_saved_before_the_alarm_is_suspect_from_its_evidence_on(step: int, is_suspect: bool) -> None:
    # the loss of step 2,001 is that of the weights after step 2,000
    checkpoints = after(saved(step), explosion(step=2050, first_step=2001))
    assert suspects(checkpoints) == ([step] if is_suspect else [])


def test_what_was_saved_during_an_alarm_stays_suspect_when_it_has_cleared_and_what_comes_then_is_good() -> None:
    recovered = after(saved(1000), explosion(), saved(3000), explosion("cleared", step=3500), saved(4000))
    assert suspects(recovered) == [3000]
    assert recovered.last_good == Judged(4000, "step_4000.pt")
    assert recovered.suspects == ()


def test_an_alarm_that_grows_red_accuses_from_the_evidence_of_its_episode_and_only_once() -> None:
    grown = after(saved(1999), saved(2005), explosion(severity="amber"), saved(2010), explosion(step=2050), saved(2060))
    assert [judged.suspect_of for judged in grown.all] == ["", *["explosion since step 2,001"] * 3]


def test_of_two_alarms_the_first_to_fire_is_named() -> None:
    level = AlertChanged("loss-level", "loss", "firing", "red", 2400, 2300, episode=1)
    both = after(explosion(), level, saved(2500), explosion("cleared"), saved(2600))
    assert [judged.suspect_of for judged in both.all] == ["explosion since step 2,001", "loss-level since step 2,300"]


def test_what_damages_no_weights_leaves_checkpoints_good() -> None:
    skipped = AlertChanged("nonfinite", "grad_norm", "firing", "amber", 2001, 2001, episode=1)
    full = AlertChanged("memory-end", "system/memory_hours_left", "firing", "red", 2001, 2001, episode=1)
    pending = explosion("pending", "amber")
    assert suspects(after(skipped, full, pending, saved(2010))) == []
    assert suspects(after(AlertChanged("nonfinite", "loss", "firing", "red", 2001, 2001, episode=1), saved(2010))) == [2010]


def test_what_a_resumed_run_finds_says_nothing_of_later_steps_of_the_run_before() -> None:
    started = RunStarted("a", "digits", "p", 0.0, continues="a")
    assert suspects(after(saved(4000), saved(5000), started, saved(4500), explosion(first_step=4400))) == [4500]


def test_a_name_that_is_written_again_has_only_its_newest_checkpoint() -> None:
    overwritten = after(saved(1000, "last.pt"), explosion(), saved(3000, "last.pt"))
    assert overwritten.all == (Judged(3000, "last.pt", "explosion since step 2,001"),)
    assert overwritten.last_good is None
    assert overwritten.suspects == overwritten.all


def test_the_changes_an_engine_finds_are_enough() -> None:
    values = np.concatenate([np.linspace(2.0, 0.5, 1000), np.full(20, 50.0)])
    steps = np.arange(1, 1021, dtype=np.int64)
    checkpoints, engine = Checkpoints(), Engine()
    record = Record(10.0, Metrics(("loss",), steps, np.asarray(steps * 0.01, np.float64), values[np.newaxis]))
    for body in (saved(500), saved(1001)):
        checkpoints.take(Record(9.0, body))
    for change in engine.observe(record):
        checkpoints.take(Record(10.0, change))
    assert checkpoints.last_good == Judged(500, "step_500.pt")
    assert suspects(checkpoints) == [1001]


MINE = """
[rules.too-flat]
watch = {probe = "pictures"}
when = {beyond = {field = "edges", red_below = 0.1}}

[rules.too-hot]
watch = {metric = "system/temperature"}
when = {beyond = {red_above = 90}}

[rules.good-in-time]
watch = {metric = "accuracy"}
when = {expects = {above = 0.9, by = 10}}

[rules.wrong-scale]
horizon = "hour"
"""


@pytest.mark.parametrize(
    ("rule", "is_suspect"),
    [
        ("codebook-collapse", True),
        ("constant-output", True),
        ("frozen-weights", True),
        ("overfitting", False),  # within the hour: what was best is in an earlier checkpoint
        ("failing-more", False),
        ("memory-end", False),
        ("stall", False),
        ("crash", False),
        ("wrong-scale", True),
        ("expectation", False),
        ("of-another-file", False),
    ],
)
def test_a_red_alarm_on_the_model_spoils_a_checkpoint_and_one_that_can_wait_or_is_about_the_run_does_not(
    rule: str, is_suspect: bool
) -> None:
    red = AlertChanged(rule, "target", "firing", "red", 2001, 2001, episode=1)
    assert suspects(after(saved(1000), red, saved(2500))) == ([2500] if is_suspect else [])
    assert suspects(after(replace(red, severity="amber"), red, saved(2500))) == ([2500] if is_suspect else [])
    assert suspects(after(replace(red, severity="amber"), saved(2500))) == []


def test_what_a_run_was_judged_by_decides() -> None:
    assert damaging(read_rules(MINE).rules).items() >= {("too-flat", "red"), ("explosion", "amber"), ("codebook-collapse", "red")}
    assert not damaging(read_rules(MINE).rules).keys() & {"too-hot", "good-in-time", "wrong-scale"}
    flat = Record(1.0, AlertChanged("too-flat", "pictures", "firing", "red", 50, 50, episode=1))
    mine, builtin = Checkpoints(read_rules(MINE).rules), Checkpoints()
    for checkpoints in (mine, builtin):
        for record in (flat, Record(2.0, saved(60))):
            checkpoints.take(record)
    assert (suspects(mine), suspects(builtin)) == ([60], [])
