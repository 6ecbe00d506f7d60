"""How a logged metric is held against its declared schedule."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest

import bedside
from bedside.probes.declared_schedule import Schedule, deviation
from bedside.probes.probe_set import ProbeSet
from bedside_protocol.records import Snapshot


def temperature(step: int) -> float:
    """1.0 → 0.1 over 20,000 steps."""
    return max(0.1, 1.0 - 0.9 * step / 20_000)


def measured(probe: Schedule, step: int = 50) -> Snapshot:
    snapshot = probe.measure(step)
    assert snapshot is not None
    return snapshot


@pytest.fixture
def probe(problems: Counter[str]) -> Schedule:
    probe = Schedule("temperature", "tau", temperature)
    probe.attach(lambda text: problems.update([text]))
    return probe


def test_a_schedule_that_runs_as_declared_does_not_deviate(probe: Schedule) -> None:
    for step in range(1, 51):
        probe.logged(step, {"tau": temperature(step), "loss": 1.0})
    found = measured(probe)
    assert found.scalars["deviation"] == found.scalars["deviation_max"] == 0.0
    assert found.scalars["value"] == found.scalars["declared"] == temperature(50)
    assert found.arrays["value"].values.tolist() == [temperature(step) for step in range(1, 51)]


def test_a_schedule_locked_by_a_resume_deviates_ever_more(probe: Schedule) -> None:
    deviations = []
    for step in range(1, 20_001):
        probe.logged(step, {"tau": temperature(min(step, 400))})
        if step % 1000 == 0:
            deviations.append(measured(probe, step).scalars["deviation"])
    assert deviations[0] == pytest.approx((0.982 - 0.955) / 0.955)
    assert deviations[-1] == pytest.approx((0.982 - 0.1) / 0.1)
    assert deviations == sorted(deviations)


def test_the_largest_deviation_is_that_since_the_last_snapshot(probe: Schedule) -> None:
    for step in (1, 2, 3):
        probe.logged(step, {"tau": temperature(step) * (1.5 if step == 2 else 1.0)})
    first = measured(probe).scalars
    assert first["deviation"] == 0.0
    assert first["deviation_max"] == pytest.approx(0.5)
    probe.logged(4, {"tau": temperature(4)})
    assert measured(probe).scalars["deviation_max"] == 0.0


def test_one_step_off_at_a_jump_of_the_schedule_does_not_last_and_a_lock_does() -> None:
    probe = Schedule("rate", "lr", lambda step: 1.0 if step < 50 else 0.1, every=10)
    lasting = {}
    for step in range(1, 71):
        probe.logged(step, {"lr": 1.0 if step <= 50 else 0.1 if step <= 60 else 1.0})
        if step == 1 or step % 10 == 0:
            lasting[step] = measured(probe, step).scalars.get("deviation_lasting")
    assert lasting == {1: None, 10: 0.0, 20: 0.0, 30: 0.0, 40: 0.0, 50: 0.0, 60: 0.0, 70: pytest.approx(9.0)}


def test_a_schedule_that_ends_at_zero_is_compared_with_its_own_scale() -> None:
    assert deviation(3e-11, 0.0, 3e-4) < 0.01
    assert deviation(3e-5, 0.0, 3e-4) > 100
    assert deviation(0.0, 0.0, 0.0) == 0.0
    assert deviation(1.0, 0.0, 0.0) == math.inf
    assert deviation(-2.0, -1.0, 1.0) == 1.0


def test_trajectories_hold_the_last_two_hundred_points(probe: Schedule) -> None:
    for step in range(1, 501):
        probe.logged(step, {"tau": float(step)})
    arrays = measured(probe).arrays
    assert np.array_equal(arrays["value"].values, np.arange(301.0, 501.0))
    assert np.array_equal(arrays["step"].values, np.arange(301, 501))
    assert arrays["declared"].values == pytest.approx([temperature(step) for step in range(301, 501)])


def test_values_that_are_no_numbers_are_counted_and_left_out(probe: Schedule) -> None:
    probe.logged(1, {"tau": math.nan})
    assert probe.measure(1) is None
    probe.logged(2, {"tau": math.inf})
    probe.logged(3, {"tau": temperature(3)})
    found = measured(probe).scalars
    assert (found["nonfinite"], found["deviation"]) == (2, 0.0)


def broken(step: int) -> float:
    raise KeyError(step)


@pytest.mark.parametrize(
    ("fn", "said"),
    [
        (broken, "raised KeyError"),
        (lambda step: "high", "raised ValueError"),
        (lambda step: None, "raised TypeError"),
        (lambda step: math.nan, "no finite number"),
        (None, "raised TypeError"),
    ],
)
def test_a_declaration_that_cannot_be_asked_is_said_once_and_training_goes_on(problems: Counter[str], fn: object, said: str) -> None:
    probe = Schedule("temperature", "tau", fn)  # type: ignore[arg-type]
    probe.attach(lambda text: problems.update([text]))
    for step in (1, 2, 3):
        probe.logged(step, {"tau": 1.0})
    assert probe.measure(3) is None
    (text,) = problems
    assert text.startswith("probe temperature: ")
    assert said in text


def test_the_function_is_asked_only_between_steps_and_only_for_what_was_logged() -> None:
    asked: list[int] = []
    probe = Schedule("lr", "lr", lambda step: asked.append(step) or 1.0)
    for step in (10, 20):
        probe.logged(step, {"lr": 1.0, "loss": 2.0})
    probe.logged(30, {"loss": 2.0})
    assert asked == []
    measured(probe)
    assert asked == [10, 20]


def test_a_probe_set_tells_it_of_what_is_logged() -> None:
    problems: list[str] = []
    probes = ProbeSet(problems.append)
    probes.add(bedside.Schedule("temperature", "tau", temperature, every=5))
    found: list[Snapshot] = []
    for step in range(1, 11):
        probes.logged(step, {"tau": 1.0})
        found += probes.boundary(step, 0.01)
    assert [one.step for one in found] == [5, 10]
    assert found[-1].scalars["deviation"] == pytest.approx(1 / temperature(10) - 1)
    assert not problems
