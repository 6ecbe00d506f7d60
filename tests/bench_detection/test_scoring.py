"""What the benchmark counts as found, false, named, in time and chatter, on runs of which everything is known."""

from __future__ import annotations

from dataclasses import replace

import pytest
from detection.model import Alarm, Run, Truth
from detection.scoring import (
    Share,
    disturbed,
    disturbed_programs,
    episodes,
    false_rate,
    leads,
    named,
    outcome,
    quantile,
    recall,
)

from bedside_protocol.records import Severity

SICK = Truth("explodes", onset=700, rules=("explosion",))
WELL = Truth("healthy")
ODD = Truth("healthy", onset=700, rules=("spike",))


def run(truth: Truth, *, steps: int = 1000, program: str = "digits") -> Run:
    return Run("one", program, "twins", truth, tuple, steps)


def alarm(step: int, severity: Severity = "red", rule: str = "explosion", target: str = "loss") -> Alarm:
    return Alarm(step, severity, rule, target)


@pytest.mark.parametrize(("count", "of", "low", "high"), [(0, 8, 0.0, 0.324), (37, 37, 0.906, 1.0), (5, 10, 0.237, 0.763)])
def test_an_interval_is_wilsons(count: int, of: int, low: float, high: float) -> None:
    assert Share(count, of).interval == pytest.approx((low, high), abs=0.001)


def test_of_nothing_everything_may_be_true() -> None:
    assert Share(0, 0).interval == (0.0, 1.0)


def test_an_alarm_before_the_onset_is_false_and_one_at_it_is_no_step_late() -> None:
    judged = outcome(run(SICK), [alarm(700), alarm(699, "amber", "spike")])
    assert judged.first == 0
    assert [one.step for one in judged.false] == [699]
    assert [one.step for one in judged.found] == [700]


def test_a_sick_run_is_healthy_until_its_onset() -> None:
    judged = outcome(run(SICK), [alarm(10), alarm(20, rule="spike"), alarm(710)])
    assert judged.healthy_steps == 699
    assert false_rate([judged]) == pytest.approx(2 / 699 * 10_000)


def test_every_alarm_in_a_healthy_run_is_false() -> None:
    judged = outcome(run(WELL), [alarm(10, "amber", "spike"), alarm(500)])
    assert (len(judged.false), judged.found, judged.healthy_steps) == (2, (), 1000)


def test_one_amber_alarm_about_an_odd_batch_is_excused_and_a_second_or_a_red_one_is_not() -> None:
    spike = alarm(701, "amber", "spike")
    assert (outcome(run(ODD), [spike]).excused, outcome(run(ODD), [spike]).false) == (1, ())
    twice = outcome(run(ODD), [spike, alarm(705, "amber", "spike", "loss/other")])
    assert (twice.excused, len(twice.false)) == (1, 1)
    for other in (alarm(701, "red", "spike"), alarm(699, "amber", "spike"), alarm(720, "amber", "spike"), alarm(701, "amber", "explosion")):
        assert outcome(run(ODD), [other]).false == (other,)


def test_a_detector_without_names_or_amber_is_excused_for_the_odd_batch_too() -> None:
    assert outcome(run(ODD), [alarm(701, "red", "")]).false == ()


def test_turning_red_is_no_episode_and_firing_again_is_one() -> None:
    said = [alarm(1, "amber"), alarm(2, "red"), alarm(3, "amber"), alarm(4, "amber", "spike"), alarm(5, "red")]
    assert [(one.step, one.severity) for one in episodes(said)] == [(1, "red"), (3, "red"), (4, "amber")]


def test_a_false_alarm_that_turns_red_is_one_false_red_alarm() -> None:
    judged = outcome(run(WELL), [alarm(10, "amber"), alarm(500)])
    assert [(one.step, one.severity) for one in judged.false] == [(10, "red")]


def test_what_fired_without_reason_before_the_onset_and_turns_red_after_it_found_nothing_and_firing_anew_does() -> None:
    grown = outcome(run(SICK), [alarm(10, "amber"), alarm(710)])
    assert [(one.step, one.severity) for one in grown.false] == [(10, "amber")]
    assert grown.found == ()
    anew = outcome(run(SICK), [alarm(10, "amber"), replace(alarm(710), episode=2)])
    assert (anew.first, anew.is_red) == (10, True)


def test_red_of_a_later_episode_than_amber_is_another_false_alarm() -> None:
    judged = outcome(run(WELL), [alarm(10, "amber"), replace(alarm(500), episode=2)])
    assert [(one.step, one.severity) for one in judged.false] == [(10, "amber"), (500, "red")]


def test_the_healthy_steps_of_a_log_that_continues_another_begin_where_it_does() -> None:
    assert outcome(run(SICK, steps=900), [], begins=501).healthy_steps == 199
    assert outcome(run(SICK, steps=900), [], begins=1).healthy_steps == 699


def test_three_episodes_of_one_rule_on_one_target_are_chatter() -> None:
    said = [alarm(step, "amber", "spike") for step in (710, 720)]
    assert outcome(run(SICK), said).chatter == ()
    assert outcome(run(SICK), [*said, alarm(730, "amber", "spike")]).chatter == (("spike", "loss"),)
    assert outcome(run(SICK), [*said, alarm(730, "amber", "spike", "loss/b")]).chatter == ()


def test_an_alarm_that_comes_back_or_turns_red_is_one_alarm_of_its_incident() -> None:
    said = [alarm(710, "amber"), alarm(712), alarm(800), alarm(810, "amber", "spike")]
    assert outcome(run(SICK), said).alarms == 2


def test_recall_at_red_needs_red_and_is_of_sick_runs_alone() -> None:
    outcomes = [outcome(run(SICK), [alarm(701, "amber")]), outcome(run(SICK), [alarm(701)]), outcome(run(WELL), [alarm(701)])]
    assert recall(outcomes, red=True) == Share(1, 2)
    assert recall(outcomes, red=False) == Share(2, 2)


def test_a_fault_is_named_where_any_alarm_is_of_its_family_and_where_somebody_says_which_that_is() -> None:
    nobody_says = Truth("explodes", onset=700)
    outcomes = [
        outcome(run(SICK), [alarm(701, rule="spike"), alarm(702)]),
        outcome(run(SICK), [alarm(701, rule="spike")]),
        outcome(run(SICK), []),
        outcome(run(nobody_says), [alarm(701)]),
    ]
    assert named(outcomes) == Share(1, 2)


@pytest.mark.parametrize(("step", "in_time"), [(800, True), (801, False)])
def test_a_fault_that_a_metric_shows_is_found_in_time_within_100_steps(step: int, in_time: bool) -> None:
    assert outcome(run(SICK), [alarm(step)]).in_time is in_time


@pytest.mark.parametrize(("step", "in_time"), [(750, True), (751, False)])
def test_a_fault_that_a_probe_sees_is_found_in_time_within_one_of_its_intervals(step: int, in_time: bool) -> None:
    inside = Truth("dead", onset=700, curve=False, every=50)
    assert outcome(run(inside), [alarm(step)]).in_time is in_time


def test_snapshots_from_the_onset_to_the_alarm_are_counted_and_the_last_interval_between_them_told() -> None:
    judged = outcome(run(SICK), [alarm(900, target="vq")], {"vq": [600, 650, 700, 800, 900, 1000], "other": [1]})
    assert (judged.snapshots, judged.interval) == (3, 100)
    at_once = outcome(run(SICK), [alarm(720, target="vq")], {"vq": [600, 650, 720]})
    assert (at_once.snapshots, at_once.interval) == (1, 70)
    assert outcome(run(SICK), [alarm(900)], {"vq": [700]}).snapshots is None


def test_a_warning_is_an_alarm_before_the_first_nan_and_its_lead_is_counted_from_the_first() -> None:
    ill = Truth("nan", onset=1, first_nan=500)
    warned = outcome(run(ill), [alarm(480, "amber"), alarm(500, rule="nonfinite")])
    unwarned = outcome(run(ill), [alarm(500, rule="nonfinite")])
    late = outcome(run(ill), [alarm(503, rule="nonfinite")])
    assert (warned.lead, warned.after_nan) == (20, 0)
    assert (unwarned.lead, unwarned.after_nan) == (None, 0)
    assert (late.lead, late.after_nan) == (None, 3)
    assert leads([warned, unwarned, late]) == {"none": 2, "1 to 9": 0, "10 to 99": 1, "100 to 999": 0, "1,000 and more": 0}


def test_nobody_is_blamed_for_not_warning_of_an_early_nan() -> None:
    early = Truth("nan", onset=1, first_nan=199)
    assert sum(leads([outcome(run(early), [alarm(199)])]).values()) == 0


def test_an_alarm_before_the_onset_warns_of_nothing() -> None:
    ill = Truth("nan", onset=400, first_nan=500)
    assert outcome(run(ill), [alarm(300), alarm(500)]).lead is None


def test_programs_are_disturbed_by_any_false_alarm_of_a_healthy_run() -> None:
    outcomes = [
        outcome(run(WELL, program="a"), []),
        outcome(run(WELL, program="a"), [alarm(5, "amber")]),
        outcome(run(WELL, program="b"), []),
        outcome(run(SICK, program="c"), [alarm(5)]),
    ]
    assert disturbed_programs(outcomes) == Share(1, 2)
    assert disturbed(outcomes, red=False) == Share(1, 3)
    assert disturbed(outcomes, red=True) == Share(0, 3)


def test_a_quantile_is_a_value_that_was_measured() -> None:
    assert [quantile([30, 10, 20], q) for q in (0.0, 0.5, 0.9)] == [10, 20, 30]
    assert quantile([7], 0.5) == 7
