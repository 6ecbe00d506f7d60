"""How a fall below the normal rate of success is seen."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch

from bedside.probes.probe_set import ProbeSet
from bedside.probes.success_rate import SuccessRate


@pytest.fixture
def rate(problems: Counter[str]) -> SuccessRate:
    probe = SuccessRate("stream")
    probe.attach(lambda text: problems.update([text]))
    return probe


def scalars(probe: SuccessRate) -> dict[str, float]:
    snapshot = probe.measure(50)
    assert snapshot is not None
    assert snapshot.kind == "success"
    return dict(snapshot.scalars)


def outcomes(count: int, rate: float, seed: int) -> list[bool]:
    return (np.random.default_rng(seed).random(count) < rate).tolist()


def test_a_stream_at_its_normal_has_no_drop_and_one_that_fails_has() -> None:
    drops = {}
    for name, late in (("healthy", 0.92), ("failing", 0.4)):
        probe = SuccessRate(name)
        probe.observe(outcomes(1_000, 0.92, 0))
        probe.observe(outcomes(100, late, 1))
        drops[name] = scalars(probe)["drop"]
        assert scalars(probe)["normal"] == pytest.approx(0.92, abs=0.03)
    assert abs(drops["healthy"]) < 0.1
    assert drops["failing"] > 0.4


def test_the_rate_is_of_the_last_hundred_and_the_normal_of_the_windows_before(rate: SuccessRate) -> None:
    rate.observe([True] * 100 + [True, False] * 50 + [False] * 100 + [True, True, True, False] * 25)
    assert scalars(rate) == {"rate": 0.75, "normal": 0.5, "drop": -0.25, "count": 400.0, "nonfinite": 0.0}


def test_without_an_earlier_window_nothing_is_called_normal(rate: SuccessRate) -> None:
    assert rate.measure(50) is None
    rate.observe([True] * 199)
    assert scalars(rate) == {"rate": 1.0, "count": 199.0, "nonfinite": 0.0}


@pytest.mark.parametrize(
    "given", [True, np.bool_(True), 1, 1.0, [1], np.array([True]), torch.tensor(True), torch.tensor([[1.0]], requires_grad=True)]
)
def test_an_outcome_may_come_in_any_form(rate: SuccessRate, problems: Counter[str], given: object) -> None:
    rate.observe(False)
    rate.observe(given)
    assert not problems
    assert scalars(rate) == {"rate": 0.5, "count": 2.0, "nonfinite": 0.0}


def test_tensors_and_booleans_keep_their_order() -> None:
    probe = SuccessRate(window=2)
    probe.observe(torch.tensor([False, False]))
    probe.observe(True)
    probe.observe(torch.tensor([True]))
    assert scalars(probe) == {"rate": 1.0, "normal": 0.0, "drop": -1.0, "count": 4.0, "nonfinite": 0.0}


def test_a_tensor_written_to_afterwards_counts_as_it_was(rate: SuccessRate) -> None:
    given = torch.ones(4)
    rate.observe(given)
    given.zero_()
    assert scalars(rate)["rate"] == 1.0


def test_many_tensors_do_not_pile_up(rate: SuccessRate) -> None:
    for _ in range(1_000):
        rate.observe(torch.tensor(True))
    assert len(rate._unread) < 256
    assert scalars(rate)["count"] == 1_000


def test_what_is_not_a_number_is_counted_apart(rate: SuccessRate) -> None:
    rate.observe([True, float("nan"), False])
    assert scalars(rate) == {"rate": 0.5, "count": 2.0, "nonfinite": 1.0}


@pytest.mark.parametrize("wrong", [None, "yes", 0.5, [2], [], torch.zeros(0), torch.tensor([0.0, 3.0]), torch.tensor(1j), {"a": 1}, -1])
def test_what_is_no_outcome_is_said_by_name(rate: SuccessRate, problems: Counter[str], wrong: object) -> None:
    rate.observe(wrong)
    rate.observe(True)
    assert scalars(rate)["count"] == 1
    (said,) = problems
    assert said.startswith("probe stream: ")


def test_outcomes_between_measurements_are_not_missed() -> None:
    probes, probe = ProbeSet(problem=pytest.fail), SuccessRate(every=50)
    probes.add(probe)
    told = []
    for step in range(1, 201):
        probe.observe(step % 10 != 0)
        told += probes.boundary(step, 1.0)
    assert [snapshot.step for snapshot in told] == [50, 100, 150, 200]
    assert told[-1].scalars["count"] == 200
    assert told[-1].scalars["rate"] == pytest.approx(0.9)
