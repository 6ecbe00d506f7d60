"""Every built-in rule, those that share a name too, is needed: something fires as badly as it can, and does not once it is removed."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from math import exp, inf, nan

import numpy as np
import pytest
from sick_probes import CASES, PACE

from bedside_protocol.alerts.defaults import DEFAULT_RULES
from bedside_protocol.alerts.judge import judge
from bedside_protocol.alerts.rules import OnProbe, Rule
from bedside_protocol.records import Event, Lifecycle, LifecycleChanged, Metrics, Record, Severity, Tick

Run = Sequence[Record]


def logged(columns: Mapping[str, Sequence[float]], pace: float = PACE, first: int = 0) -> Record:
    values = np.array(list(columns.values()), np.float64)
    steps = first + np.arange(values.shape[1], dtype=np.int64)
    return Record(float(steps[-1] * pace), Metrics(tuple(columns), steps, np.asarray(steps * pace, np.float64), values))


def noisy(level: float, count: int, sigma: float = 0.05) -> list[float]:
    source = random.Random(0)
    return [level * exp(source.gauss(0.0, sigma)) for _ in range(count)]


def learning(to: float, pace: float = 100.0, count: int = 1500) -> list[float]:
    return [value * (1.0 + 2.2 / to * exp(-step / pace)) for step, value in enumerate(noisy(to, count, 0.02))]


def periodic() -> Iterator[Record]:
    """Spikes, each at the step after an event, of a loss that began far above them."""
    values = [9.0] * 20 + noisy(1.0, 1600, 0.1)
    for begin in range(0, 1600, 250):
        if begin >= 750:
            yield Record(begin * PACE, Event("resample", begin))
            values[begin + 1 : begin + 9] = [4.4 * value for value in values[begin + 1 : begin + 9]]
        yield logged({"loss": values[begin : begin + 250]}, first=begin)


def evaluated(name: str, rise: float, training: float, since: int = 400) -> Run:
    """An evaluation loss that falls to 0.6 and from a step on rises by so much, over a training loss that falls to `training`."""
    evaluation = [value + max(0.0, rise * (step - since) / (1500 - since)) for step, value in enumerate(learning(0.6))]
    return [logged({"loss": learning(training), name: evaluation})]


def silent(seconds: int) -> Run:
    return [*(logged({"loss": [1.0]}, 1.0, step) for step in range(1, 100)), *(Record(float(at), Tick(99)) for at in range(100, seconds))]


def ended(state: Lifecycle, reason: str) -> Run:
    return [Record(1.0, LifecycleChanged(state, reason, 10))]


_EVALUATIONS = ("val/loss", "test_loss", "loss/test")
SICK: Sequence[tuple[str, Severity, Callable[[], Run]]] = (
    ("nonfinite", "red", lambda: [logged({"loss": [*noisy(1.0, 20), nan]})]),
    ("nonfinite", "red", lambda: [logged({"grad_norm": [*noisy(1.0, 30), *[inf] * 5]})]),
    ("nonfinite", "red", lambda: [logged({"accuracy": [*noisy(0.5, 20), *[nan] * 5]})]),
    ("explosion", "red", lambda: [logged({"loss": noisy(1.0, 100) + noisy(9.0, 5)})]),
    ("spike", "amber", lambda: [logged({"loss": [*noisy(1.0, 300), 9.0, *noisy(1.0, 5)]})]),
    ("periodic-spikes", "amber", lambda: list(periodic())),
    ("loss-level", "red", lambda: [logged({"loss": learning(0.1, count=800) + [0.1 * exp(step / 150.0) for step in range(500)]})]),
    ("never-learns", "red", lambda: [logged({"loss": noisy(2.3, 1200, 0.01), "lr": [0.0] * 1200})]),
    ("gradient-growth", "amber", lambda: [logged({"grad_norm": [*noisy(0.3, 300), 2.0, 4.5, 10.0, 22.0]})]),
    *(("overfitting", "amber", partial(evaluated, name, 0.18, 0.01)) for name in _EVALUATIONS),
    *(("overfitting", "amber", partial(evaluated, name, 0.07, 0.002)) for name in _EVALUATIONS),
    *(("overfitting", "red", partial(evaluated, name, 0.8, 0.002, 250)) for name in _EVALUATIONS),
    *(("overfitting", "amber", partial(evaluated, name, 1.2, 0.5)) for name in _EVALUATIONS),
    *(("overfitting", "red", partial(evaluated, name, 3.5, 0.5)) for name in _EVALUATIONS),
    ("memory-end", "red", lambda: [logged({"system/memory_hours_left": [0.2] * 40}, pace=5.0)]),
    ("out-of-memory", "red", lambda: ended("failed", "OutOfMemoryError: CUDA out of memory")),
    ("crash", "red", lambda: ended("failed", "ValueError: no")),
    ("killed", "amber", lambda: ended("killed", "signal 9: SIGKILL")),
    ("killed", "amber", lambda: ended("died", "")),
    ("stall", "red", lambda: silent(500)),
)
"""What fires the rules that are not about a probe, and how badly."""


def inputs(rule: Rule) -> Iterator[Run]:
    """What is meant to fire a rule of this name."""
    if isinstance(rule.watch, OnProbe):
        yield from (case.made_sick() for case in CASES if (case.rule, case.kind) == (rule.name, rule.watch.kind))
    else:
        yield from (make() for name, _, make in SICK if name == rule.name)


def found(records: Run, rules: Sequence[Rule]) -> set[tuple[str, str]]:
    return {(finding.rule, finding.severity) for finding in judge(records, rules).alerts}


@pytest.mark.parametrize("place", range(len(DEFAULT_RULES)), ids=[f"{rule.name} {place}" for place, rule in enumerate(DEFAULT_RULES)])
def test_a_rule_fires_as_badly_as_it_can_on_what_does_not_fire_without_it(place: int) -> None:
    rule, others = DEFAULT_RULES[place], (*DEFAULT_RULES[:place], *DEFAULT_RULES[place + 1 :])
    assert any((rule.name, rule.worst) in found(records, DEFAULT_RULES) - found(records, others) for records in inputs(rule))


@pytest.mark.parametrize(("rule", "severity", "make"), SICK, ids=[f"{rule} {place}" for place, (rule, *_) in enumerate(SICK)])
def test_what_is_meant_for_a_rule_fires_it_and_nothing_of_another_name(rule: str, severity: Severity, make: Callable[[], Run]) -> None:
    assert found(make(), DEFAULT_RULES) == {(rule, severity)}
