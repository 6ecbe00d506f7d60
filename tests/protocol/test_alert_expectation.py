"""What a script expects of its metrics: how it is written, when it has failed, and what is said of a metric that never comes."""

from __future__ import annotations

from collections.abc import Sequence
from math import nan

import numpy as np
import pytest

from bedside_protocol.alerts.conditions import Expects
from bedside_protocol.alerts.defaults import DEFAULT_RULES
from bedside_protocol.alerts.engine import Engine
from bedside_protocol.alerts.expectation import expected_words
from bedside_protocol.alerts.expecting import MOST_EXPECTATIONS, BadExpectation, expectation, expected
from bedside_protocol.alerts.judge import judge
from bedside_protocol.alerts.rule_file import RuleFileError, read_rules
from bedside_protocol.alerts.rule_trial import failures
from bedside_protocol.alerts.rule_words import condition_words
from bedside_protocol.alerts.runbooks import RUNBOOKS
from bedside_protocol.records import AlertChanged, Event, ExpectationDeclared, MetricDefined, Metrics, Record, RunStarted, Severity


def block(steps: Sequence[int], values: Sequence[float], name: str = "loss", rank: int = 0) -> Record:
    at = np.array(steps, np.int64)
    return Record(float(steps[-1]), Metrics((name,), at, at.astype(np.float64), np.array([values], np.float64)), rank)


def said(text: str, severity: Severity = "amber", rank: int = 0) -> Record:
    return Record(0.0, ExpectationDeclared(text, severity), rank)


def judged(*records: Record) -> list[AlertChanged]:
    """The changes of expectations alone."""
    engine = Engine(())
    return [change for record in records for change in engine.observe(record)]


def lives(changes: Sequence[AlertChanged], target: str = "loss", rule: str = "expectation") -> list[tuple[int, str]]:
    return [
        (change.step, change.severity if change.state == "firing" else change.state)
        for change in changes
        if (change.rule, change.target) == (rule, target) and change.state != "pending"
    ]


# --- how it is written


@pytest.mark.parametrize(
    ("text", "metric", "expects"),
    [
        ("loss < 0.05 after 5000", "loss", Expects(below=0.05, after=5000)),
        ("val/accuracy >= 0.9 by 2_000", "val/accuracy", Expects(at_least=0.9, by=2000)),
        ("loss<=2 between 100 and 500", "loss", Expects(at_most=2.0, after=100, by=500)),
        ("  reward > -1e3 ", "reward", Expects(above=-1000.0)),
        ("loss [T=64] < 1 after 10", "loss [T=64]", Expects(below=1.0, after=10)),
        ("acc<top5> > 0.5 by 10", "acc<top5>", Expects(above=0.5, by=10)),
        ("my loss < 1 after 2", "my loss", Expects(below=1.0, after=2)),
    ],
)
def test_an_expectation_is_a_metric_a_bound_and_a_step(text: str, metric: str, expects: Expects) -> None:
    assert expected(text) == (metric, expects)
    assert expected(f"{metric} {expected_words(expects)}") == (metric, expects)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("loss", '"loss" is no expectation: write "loss < 0.05 after 5000"'),
        ("loss < 0.05 after", "is no expectation"),
        ("loss < 0.05 before 10", "is no expectation"),
        ("loss == 3", "is no expectation"),
        ("< 3 after 5", "is no expectation"),
        ("loss < low after 5", '"low" in "loss < low after 5" is no number'),
        ("loss < nan", '"nan" in "loss < nan" is no number'),
        ("loss < 1 between 500 and 100", "between 500 and 100"),
        ("x" * 301, "at most 300 characters"),
        (3, "is a text"),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_reason(text: object, why: str) -> None:
    with pytest.raises(BadExpectation) as refused:
        expectation(text)
    assert why in str(refused.value)


def test_a_severity_is_amber_or_red() -> None:
    assert expectation("loss < 1", "red") == ExpectationDeclared("loss < 1", "red")
    with pytest.raises(BadExpectation, match="amber or red"):
        expectation("loss < 1", "orange")


# --- when it has failed


def test_after_a_step_each_level_must_be_within_the_bound() -> None:
    steps = list(range(1, 41))
    changes = judged(said("loss < 1 after 20"), block(steps, [5.0] * 25 + [0.5] * 15))
    assert lives(changes) == [(0, "not_checked"), (1, "not_checked"), (20, "amber"), (28, "cleared")]
    (fired,) = (change for change in changes if change.state == "firing")
    assert (fired.message, fired.runbook) == ("5, expected < 1 after 20", "expectation")
    assert fired.runbook in RUNBOOKS


def test_one_noisy_value_is_no_failure() -> None:
    steps = list(range(1, 41))
    assert lives(judged(said("loss < 1 after 20"), block(steps, [0.5] * 29 + [9.0] + [0.5] * 10)))[-1] == (20, "ok")


def test_a_metric_logged_rarely_is_judged_by_each_of_its_values() -> None:
    changes = judged(said("val/loss < 1 after 2000"), block([1000, 2000, 3000], [0.5, 5.0, 0.5], "val/loss"))
    assert lives(changes, "val/loss")[1:] == [(1000, "not_checked"), (2000, "amber"), (3000, "cleared")]


def test_by_a_step_is_judged_once_at_the_first_value_from_there_on() -> None:
    met = judged(said("acc > 0.9 by 2000"), block([500, 1500, 2500, 3500], [0.1, 0.5, 0.95, 0.2], "acc"))
    assert lives(met, "acc") == [(0, "not_checked"), (500, "not_checked"), (2500, "ok")]
    assert met[1].message == "before step 2,000"


def test_what_was_not_met_in_time_fires_until_it_is_met_late() -> None:
    missed = judged(said("acc > 0.9 by 2000", "red"), block([1000, 2000, 3000, 4000, 5000], [0.1, 0.5, 0.6, 0.95, 0.2], "acc"))
    assert lives(missed, "acc")[2:] == [(2000, "red"), (4000, "cleared")]


def test_between_two_steps_only_those_count() -> None:
    text = "loss < 1 between 2000 and 3000"
    steps = [1000, 2000, 3000, 4000]
    assert lives(judged(said(text), block(steps, [9.0, 0.5, 0.5, 9.0])))[2:] == [(2000, "ok")]
    assert lives(judged(said(text), block(steps, [9.0, 9.0, 0.5, 9.0])))[2:] == [(2000, "amber"), (3000, "cleared")]


def test_an_inclusive_bound_holds_at_its_value_and_a_strict_one_does_not() -> None:
    for text, state in (("n <= 3", "ok"), ("n < 3", "amber"), ("n >= 3", "ok"), ("n > 3", "amber")):
        assert lives(judged(said(text), block([1], [3.0], "n")), "n")[-1] == (1, state)


def test_values_before_the_declaration_do_not_count() -> None:
    changes = judged(block([1, 2, 3], [9.0, 9.0, 9.0]), said("loss < 1 after 2"), block([4, 5], [0.5, 0.5]))
    assert lives(changes) == [(3, "not_checked"), (4, "ok")]


def test_a_value_that_is_none_is_another_rules_business() -> None:
    assert lives(judged(said("loss < 1"), block([1, 2], [nan, 0.5])))[-1] == (2, "ok")


# --- which metrics


def test_a_metric_that_never_comes_is_not_checked_and_said() -> None:
    judgement = judge([said("los < 1 after 5"), said("val/* < 1"), block([1, 2], [1.0, 1.0])])
    assert {each for each in judgement.not_checked if each[0].startswith("expectation")} == {
        ("expectation", "los", "no metric is called los"),
        ("expectation-2", "val/*", "no metric is called val/*"),
    }


def test_a_run_that_ends_before_the_step_leaves_it_unchecked() -> None:
    judgement = judge([said("loss < 1 by 50"), block([1, 2], [9.0, 9.0])])
    assert ("expectation", "loss", "before step 50") in judgement.not_checked


def test_a_pattern_is_judged_on_each_metric_it_matches_and_groups_are_written_as_they_are_called() -> None:
    values = [block([1], [9.0], name) for name in ("loss [T=64]", "loss [T=128]", "loss", "lossT")]
    changes = judged(said("loss [T=*] < 1"), *values)
    assert {change.target for change in changes if change.state == "firing"} == {"loss [T=64]", "loss [T=128]"}
    assert lives(changes, "loss [T=*]") == [(0, "not_checked"), (1, "ok")]
    one = judged(said("loss [T=64] < 1"), *values)
    assert {change.target for change in one if change.state == "firing"} == {"loss [T=64]"}


def test_two_expectations_of_a_metric_are_told_apart() -> None:
    changes = judged(said("loss < 1"), said("loss > 10", "red"), block([1], [5.0]))
    assert (lives(changes)[-1], lives(changes, rule="expectation-2")[-1]) == ((1, "amber"), (1, "red"))


def test_a_resumed_run_that_declares_again_expects_the_same_once() -> None:
    engine = Engine(())
    for record in (said("loss < 1 after 3"), block([1, 2, 3], [9.0, 9.0, 9.0]), Record(9.0, RunStarted("r", "r", "", 0.0, continues="r"))):
        engine.observe(record)
    assert [change.state for change in engine.firing] == ["firing"]
    engine.observe(said(" loss<1.0 after 3"))
    engine.observe(block([2, 3, 4], [9.0, 0.5, 0.5]))
    assert {(change.rule, change.state) for change in engine.standing} == {("expectation", "cleared")}


def test_a_phase_or_another_kind_does_not_make_it_begin_again() -> None:
    changes = judged(
        said("loss < 1 by 20"),
        block(range(1, 31), [0.5] * 30),
        Record(30.0, Event("phase", 30, {"name": "finetune", "state": "begin"})),
        Record(30.0, MetricDefined("loss", kind="other")),
        block(range(31, 60), [9.0] * 29),
    )
    assert lives(changes)[-1] == (20, "ok")


def test_every_rank_is_judged_and_only_the_first_is_missed() -> None:
    changes = judged(said("loss < 1", rank=1), block([1], [9.0], rank=1))
    assert {(change.target, change.state) for change in changes} == {("loss rank 1", "firing")}


def test_what_another_version_wrote_and_more_than_can_be_kept_are_passed_over() -> None:
    engine = Engine(())
    engine.observe(said("loss ~ 1"))
    for number in range(MOST_EXPECTATIONS + 10):
        engine.observe(said(f"loss < {number}"))
    assert len(engine.rules) == MOST_EXPECTATIONS


# --- in a rule file

RULE = """
[rules.low-enough]
watch = {metric = "loss"}
when = {expects = {below = 0.05, after = 5000}}
worst = "amber"
[[tests]]
rule = "low-enough"
target = "loss"
series = "1x9 0.01x9"
every = 1000
expect = {4000 = "not checked", 5000 = "amber", 9000 = "amber", 10000 = "cleared"}
"""


def test_a_rule_file_may_expect_and_its_rule_says_what() -> None:
    file = read_rules(RULE)
    rule = file.rules[-1]
    assert rule.conditions == (Expects(below=0.05, after=5000),)
    assert rule.message == "{value:.4g}, expected {expected}"
    assert [failures(trial, file.rules) for trial in file.trials] == [()]
    assert condition_words(rule.conditions[0]) == "expects: below 0.05, after 5000"
    assert len(file.rules) == len(DEFAULT_RULES) + 1


@pytest.mark.parametrize(
    ("bounds", "why"),
    [
        ("below = 1, above = 2", "rules.x.when.expects.below: above = 2 and below = 1 contradict each other: no value is both"),
        ("below = 1, at_least = 1", "rules.x.when.expects.below: at_least = 1 and below = 1 contradict each other"),
        ("below = 1, after = 9, by = 3", "rules.x.when.expects.by: after = 9 and by = 3 contradict each other: no step is both"),
        ("after = 9", "rules.x.when.expects: expects has no bound: give one of below, at_most, above, at_least"),
        ("below = 1, after = -9", "rules.x.when.expects.after: after = -9 is impossible: it is zero or more"),
    ],
)
def test_what_cannot_come_true_is_refused_with_its_line(bounds: str, why: str) -> None:
    with pytest.raises(RuleFileError) as refused:
        read_rules(f"\n[rules.x]\nwatch = {{metric = 'loss'}}\nwhen = {{expects = {{{bounds}}}}}\n", "mine.toml")
    assert [slip for slip in refused.value.slips if slip.startswith(f"mine.toml:4: {why}")]


def test_a_single_value_may_be_expected() -> None:
    file = read_rules("rules.x = {watch = {metric = 'n'}, when = {expects = {at_least = 3, at_most = 3}}}")
    assert file.rules[-1].conditions == (Expects(at_least=3.0, at_most=3.0),)
