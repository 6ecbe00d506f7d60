"""A model that learns by heart is told by two losses, by neither alone."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp

import numpy as np
from point_by_point import levels

from bedside_protocol.alerts.circumstances import Circumstances
from bedside_protocol.alerts.conditions import Memorises
from bedside_protocol.alerts.judge import judge
from bedside_protocol.alerts.levels import UNCHECKED
from bedside_protocol.alerts.memorising import Memorising
from bedside_protocol.records import Metrics, Record

STEPS = 2000
EVERY = 10


def severities(training: Sequence[float], evaluation: Sequence[float], accuracy: Sequence[float] | None = None) -> list[tuple[str, str]]:
    """What is found, at its worst, in a run that logs its training loss at each step and its evaluation at every tenth."""
    records = []
    for start in range(0, STEPS, EVERY):
        steps = np.arange(start + 1, start + EVERY + 1)
        records.append(Record(start / 10.0, Metrics(("train/loss",), steps, steps / 10.0, np.array([training[start : start + EVERY]]))))
        at = np.array([start + EVERY])
        columns = {"val/loss": evaluation} | ({} if accuracy is None else {"val/accuracy": accuracy})
        values = np.array([[column[start + EVERY - 1]] for column in columns.values()])
        records.append(Record(start / 10.0, Metrics(tuple(columns), at, at / 10.0, values)))
    return sorted({(alert.rule, alert.severity) for alert in judge(records).alerts})


def falling(to: float) -> list[float]:
    noise = np.random.default_rng(0).normal(1.0, 0.02, STEPS)
    return [float((to + 2.2 * exp(-step / 80.0)) * wobble) for step, wobble in enumerate(noise)]


def rising(share: float) -> list[float]:
    """An evaluation loss that falls to 0.75 and then rises by a share of that."""
    return [0.75 + 1.5 * exp(-step / 60.0) + share * 0.75 * max(0, step - 400) / (STEPS - 400) for step in range(STEPS)]


def test_an_evaluation_loss_that_rises_while_the_training_loss_is_nearly_nothing_is_amber() -> None:
    assert severities(falling(0.01), rising(0.3)) == [("overfitting", "amber")]


def test_beside_a_training_loss_of_its_own_size_the_same_rise_is_none() -> None:
    assert severities(falling(0.5), rising(0.3)) == []


def test_the_more_the_training_loss_is_nothing_the_less_of_a_rise_it_takes() -> None:
    assert severities(falling(0.001), rising(0.15)) == [("overfitting", "amber")]
    assert severities(falling(0.01), rising(0.15)) == []


def test_once_most_of_the_training_came_after_the_best_it_is_red() -> None:
    assert ("overfitting", "red") in severities(falling(0.001), rising(0.6))


def test_not_while_the_evaluation_counts_as_much_right_as_ever() -> None:
    as_good_as_ever = [0.9 * (1.0 - exp(-step / 100.0)) for step in range(STEPS)]
    worse = [right - max(0.0, 0.1 * (step - 400) / (STEPS - 400)) for step, right in enumerate(as_good_as_ever)]
    assert severities(falling(0.001), rising(0.6), as_good_as_ever) == [("overfitting", "amber")]
    assert ("overfitting", "red") in severities(falling(0.001), rising(0.6), worse)


def test_a_gap_alone_is_none_nor_a_rise_of_a_tenth() -> None:
    assert severities(falling(0.01), rising(0.0)) == []
    assert severities(falling(0.01), rising(0.1)) == []


def test_nothing_is_said_of_a_run_that_logs_only_its_evaluation() -> None:
    test = Memorising(Memorises(), Circumstances())
    assert set(levels(test, rising(0.3)[::EVERY])) == {UNCHECKED}
    assert test.waiting == "no level of the training loss yet"
