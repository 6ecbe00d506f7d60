"""A gradient norm that doubles three times running is told before the loss follows; noise, warm-ups and overflows are not."""

from __future__ import annotations

import random
from collections.abc import Sequence
from math import exp, inf

import numpy as np
import pytest

from bedside_protocol.alerts.conditions import Grows
from bedside_protocol.alerts.defaults import DEFAULT_RULES
from bedside_protocol.alerts.engine import Engine
from bedside_protocol.alerts.growth import Growth
from bedside_protocol.alerts.levels import OK, UNCHECKED
from bedside_protocol.alerts.rules import Rule
from bedside_protocol.records import AlertChanged, Metrics, Record, RunStarted

PACE = 0.1


def steady(n: int, level: float = 0.3, sigma: float = 0.2, seed: int = 0) -> list[float]:
    source = random.Random(seed)
    return [level * exp(source.gauss(0.0, sigma)) for _ in range(n)]


def run(values: Sequence[float], name: str = "grad_norm", start: int = 1, rules: Sequence[Rule] = DEFAULT_RULES) -> list[AlertChanged]:
    engine = Engine(rules)
    changes = engine.observe(Record(0.0, RunStarted("b", "b", "b", 0.0)))
    for at in range(0, len(values), 50):
        steps = start + np.arange(at, min(at + 50, len(values)))
        block = Metrics((name,), steps, np.asarray(steps * PACE, np.float64), np.array([values[at : at + 50]]))
        changes += engine.observe(Record(float(steps[-1] * PACE), block))
    return [change for change in changes if change.state == "firing"]


def test_three_doublings_running_are_amber_at_the_third() -> None:
    (found,) = run([*steady(500), 0.8, 1.7, 3.6, 8.0, 40.0, 900.0])
    assert (found.rule, found.severity, found.target, found.step) == ("gradient-growth", "amber", "grad_norm", 503)
    assert found.message.endswith("to 3.6 in 3 steps, doubling")
    assert found.value == 3.6
    assert run([*steady(500), 0.8, 1.7, 3.6, 8.0], rules=[rule for rule in DEFAULT_RULES if rule.name != "gradient-growth"]) == []


def test_a_norm_too_noisy_for_one_step_to_tell_grows_over_stretches_of_them() -> None:
    values = [value * exp(max(0, step - 400) / 140) for step, value in enumerate(steady(1400, sigma=0.5))]
    (found,) = run(values)
    assert 700 < found.step < 1200
    assert len(found.message) <= 60


@pytest.mark.parametrize("name", ["grad_norm", "train/grad_norm", "gradNorm", "gnorm", "grad/norm_total", "norm/Gradient"])
def test_it_looks_at_norms_whose_names_speak_of_gradients(name: str) -> None:
    assert [found.target for found in run([*steady(500), 0.8, 1.7, 3.6, 8.0], name)] == [name]


@pytest.mark.parametrize("name", ["param_norm", "weight/norm", "gradient_penalty", "grad_ratio"])
def test_other_norms_and_other_quantities_may_grow(name: str) -> None:
    assert run([*steady(500), 0.8, 1.7, 3.6, 8.0], name) == []


@pytest.mark.parametrize(
    "values",
    [
        pytest.param([1e-6 * 2**step for step in range(30)] + steady(500, level=500.0), id="warm-up from nothing"),
        pytest.param([*steady(300), 8.0, *steady(300)], id="one jump"),
        pytest.param([*steady(300), 0.8, 1.7, *steady(300)], id="two doublings"),
        pytest.param([*steady(300), 0.001, 0.01, 0.1, 0.5, *steady(300)], id="back from near zero"),
        pytest.param([*steady(300), *[0.0] * 20, 0.01, 0.02, 0.05, 0.11, *steady(300)], id="back from zero"),
        pytest.param([*[inf, 0.3] * 4, *steady(300), inf, 0.3, inf, *steady(300)], id="overflows of a scaler"),
        pytest.param(steady(5000, sigma=0.6), id="noise"),
        pytest.param([*steady(200, level=8.0), *steady(200, level=2.0), *steady(400, level=4.0), *steady(400, level=7.0)], id="restarts"),
    ],
)
def test_what_healthy_trainings_do_is_left_alone(values: list[float]) -> None:
    assert run(values) == []


def test_a_resume_begins_anew_and_is_judged_after_a_hundred_steps() -> None:
    assert run([0.01, 0.1, 0.5, 2.0, 5.0, *steady(60)], start=7000) == []
    (found,) = run([*steady(150), 0.8, 1.7, 3.6, 8.0], start=7000)
    assert found.step == 7152


def test_it_waits_a_hundred_steps_and_says_so() -> None:
    test = Growth(Grows())
    assert [test.see(step, 1.0) for step in (5, 104, 105)] == [UNCHECKED, UNCHECKED, OK]
    assert test.waiting == "fewer than 100 steps"
    assert repr(test).startswith("<Growth [<Pace of 1 does not grow>")


@pytest.mark.parametrize("limits", [Grows(factor=1e300), Grows(factor=0.0), Grows(times=2**62)], ids=repr)
def test_limits_that_are_no_use_raise_nothing(limits: Grows) -> None:
    test = Growth(limits)
    for step, value in enumerate([*steady(300), 0.8, 1.7, 3.6, 8.0]):
        test.see(step, value)
