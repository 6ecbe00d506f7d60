"""Healthy runs as a reference: the envelope they make, what leaves it, and how it is written in a rule file."""

from __future__ import annotations

import random
from math import exp

import numpy as np
import pytest

from bedside_protocol.alerts.conditions import Leaves
from bedside_protocol.alerts.levels import OK, RED, UNCHECKED
from bedside_protocol.alerts.reference import Envelope
from bedside_protocol.alerts.reference_runs import Curve, envelope, patience
from bedside_protocol.alerts.rule_file import RuleFileError, read_rules
from bedside_protocol.alerts.rule_words import condition_words, written

SLACK = 0.1


def curve(seed: int, n: int = 600, end: float = 0.05, stride: int = 1, below: float = 0.0) -> Curve:
    """A loss that learns, a little faster or slower each seed; less `below`."""
    source = random.Random(seed)
    pace, ends = 100.0 * exp(source.gauss(0.0, 0.05)), end * exp(source.gauss(0.0, 0.05))
    steps = np.arange(1, n + 1, dtype=np.int64) * stride
    values = [(ends + (2.3 - ends) * exp(-int(step) / pace)) * exp(source.gauss(0.0, 0.1)) - below for step in steps]
    return steps, np.array(values, np.float64)


def made(*curves: Curve, slack: float = SLACK) -> Leaves:
    bounds = envelope(curves, slack)
    assert bounds is not None
    return bounds


def levels(bounds: Leaves, judged: Curve) -> list[int]:
    test = Envelope(bounds)
    return [test.see(step, value) for step, value in zip(judged[0].tolist(), judged[1].tolist(), strict=True)]


def longest_outside(bounds: Leaves, judged: Curve) -> int:
    longest = now = 0
    for level in levels(bounds, judged):
        now = now + 1 if level == RED else 0
        longest = max(longest, now)
    return longest


# --- the envelope


def test_the_reference_runs_themselves_never_leave_it() -> None:
    curves = [curve(seed) for seed in range(3)]
    bounds = made(*curves, slack=0.0)
    for one in curves:
        assert set(levels(bounds, one)) == {UNCHECKED, OK}


def test_other_healthy_seeds_stay_inside() -> None:
    bounds = made(*(curve(seed) for seed in range(5)))
    assert max(longest_outside(bounds, curve(seed)) for seed in range(5, 45)) < patience(curve(5)) == 20


@pytest.mark.parametrize("end", [0.02, 0.12])
def test_a_loss_that_ends_lower_is_told_like_one_that_ends_higher(end: float) -> None:
    bounds = made(*(curve(seed) for seed in range(5)))
    assert longest_outside(bounds, curve(50, end=end)) > 100


def test_three_runs_allow_more_than_five() -> None:
    few, many = made(*(curve(seed) for seed in (0, 1, 2))), made(*(curve(seed) for seed in range(5)))
    assert np.median(np.log(few.high) - np.log(few.low)) > np.median(np.log(many.high) - np.log(many.low))


def test_slack_is_the_least_the_bounds_are_apart() -> None:
    same = curve(0)
    bounds = made(same, same, same, slack=0.5)
    assert all(high / low > 1.5**2 * 0.999 for low, high in zip(bounds.low, bounds.high, strict=True))


def test_a_metric_below_zero_is_compared_by_amounts() -> None:
    bounds = made(*(curve(seed, below=5.0) for seed in range(5)))
    assert max(bounds.high) < 0.0
    assert longest_outside(bounds, curve(9, below=5.0)) < 20
    assert longest_outside(bounds, curve(9, below=8.0)) > 500


def test_there_are_at_most_64_stretches_over_the_steps_all_have() -> None:
    bounds = made(curve(0, n=5000), curve(1, n=4000), curve(2, n=3000, stride=2))
    assert len(bounds.steps) <= 65
    assert list(bounds.steps) == sorted(set(bounds.steps))
    assert bounds.steps[-1] == 4000
    assert bounds.steps[0] == 2 * bounds.window  # the level of the run logged every other step begins there
    assert len(bounds.low) == len(bounds.high) == len(bounds.steps)


def test_before_the_first_and_after_the_last_reference_step_nothing_is_judged() -> None:
    bounds = made(*(curve(seed, n=300) for seed in range(3)))
    found = levels(bounds, curve(7, n=600))
    assert found[: bounds.window - 1] == [UNCHECKED] * (bounds.window - 1)
    assert found[300:] == [UNCHECKED] * 300
    assert OK in found
    test = Envelope(bounds)
    for step in range(1000, 1000 + bounds.window):
        test.see(step, 1.0)
    assert test.waiting == "outside the steps of the reference runs"


@pytest.mark.parametrize(
    "curves",
    [
        [curve(0), curve(1)],
        [curve(0), curve(1), curve(2, n=39)],
        [curve(0), curve(1), (curve(2)[0] + 10_000, curve(2)[1])],
    ],
    ids=["two runs", "too few values", "no step in common"],
)
def test_there_is_none_where_there_is_nothing_to_make_it_of(curves: list[Curve]) -> None:
    assert envelope(curves, SLACK) is None


# --- in a rule file


def rule(leaves: str) -> str:
    return f"[rules.outside]\nwatch = {{metric = 'loss'}}\nworst = 'amber'\nwhen = {{leaves = {{{leaves}}}}}\n"


def test_an_envelope_is_written_and_read_and_said_in_short() -> None:
    file = read_rules(rule("steps = [10, 20], low = [1, 0.5], high = [3.5, 2], window = 5"))
    (condition,) = file.rules[-1].conditions
    assert condition == Leaves((10, 20), (1.0, 0.5), (3.5, 2.0), 5)
    assert file.rules[-1].message == "{value:.4g}, reference runs: {low:.4g} to {high:.4g}"
    assert written(file.rules[-1])["when"] == [{"leaves": {"steps": [10, 20], "low": [1.0, 0.5], "high": [3.5, 2.0], "window": 5}}]
    assert condition_words(made(*(curve(seed, n=50) for seed in range(3)))).startswith("leaves: steps ")
    assert len(condition_words(made(*(curve(seed) for seed in range(3))))) < 150


@pytest.mark.parametrize(
    ("leaves", "why"),
    [
        ("steps = [10, 20], low = [1], high = [3, 2]", "leaves.low: 1 of low and 2 steps: each step has one"),
        ("steps = [10, 20], low = [1, 1], high = [3]", "leaves.high: 1 of high and 2 steps: each step has one"),
        ("steps = [20, 10], low = [1, 1], high = [3, 3]", "leaves.steps: 10 comes after 20: steps rise"),
        ("steps = [10], low = [4], high = [3]", "leaves.high: low = 4 and high = 3 contradict each other, at place 1"),
        ("steps = [], low = [], high = []", "leaves.steps: no step is given"),
        ("steps = [1], low = [1], high = [1], window = 0", "leaves.window: window = 0 is impossible: it is one or more"),
        ("steps = [1], low = [1]", "leaves: leaves needs high"),
    ],
)
def test_bounds_that_cannot_be_are_refused_with_their_line(leaves: str, why: str) -> None:
    with pytest.raises(RuleFileError) as refused:
        read_rules(rule(leaves), "mine.toml")
    assert f"mine.toml:4: rules.outside.when.{why}" in refused.value.slips
