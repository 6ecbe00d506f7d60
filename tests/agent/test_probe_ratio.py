"""What the ratio of two logged metrics amounts to, when it is equal, and which pairs are left out."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
from scipy.stats import binomtest

from bedside.probes.probe_set import ProbeSet
from bedside.probes.ratio import Ratio, distance_from_equal, wilson
from bedside_protocol.records import Snapshot


def fed(ratios: np.ndarray | list[float], *, gap: int = 1, below: np.ndarray | None = None, **options: float) -> Ratio:
    """A probe that was told of these ratios, `gap` steps apart, over a denominator of 2 unless given."""
    probe = Ratio("pair", "coarse", "fine", **options)
    lower = np.full(len(ratios), 2.0) if below is None else below
    for place, (ratio, low) in enumerate(zip(ratios, lower, strict=True), 1):
        probe.logged(place * gap, {"coarse": float(ratio * low), "fine": float(low)})
    return probe


def measured(probe: Ratio) -> Snapshot:
    snapshot = probe.measure(500)
    assert snapshot is not None
    return snapshot


def post_mortem(count: int = 500) -> np.ndarray:
    """Ratios as in the failed run: within 0.972 … 1.037, 46.4 % of them above 1, mean 0.9992."""
    rng = np.random.default_rng(3)
    above = np.zeros(count, bool)
    above[rng.permutation(count)[: round(0.464 * count)]] = True
    apart = np.minimum(rng.exponential(0.006, count), 0.027)
    ratios = np.where(above, 1 + apart, 1 - apart)
    ratios[~above] -= (ratios.mean() - 0.9992) / (~above).mean()
    ratios[above.argmax()] = 1.037
    return ratios


def test_the_failed_pair_is_equal() -> None:
    ratios = post_mortem()
    found = measured(fed(ratios)).scalars
    assert found["above"] == pytest.approx(0.464)
    assert found["mean_of_ratios"] == pytest.approx(0.9992, abs=2e-4)
    assert found["peak"] == pytest.approx(1.037)
    assert found["lowest"] >= 0.97
    assert found["equal"] < 0.01
    assert found["apart"] > 0.01


def test_a_pair_that_differs_by_eight_per_cent_is_not_equal_and_neither_is_one_that_only_wavers_wildly() -> None:
    rng = np.random.default_rng(0)
    assert measured(fed(1.08 * np.exp(rng.normal(0, 0.05, 500)))).scalars["equal"] > 0.06
    assert measured(fed(np.exp(rng.normal(0, 0.5, 500)))).scalars["equal"] > 0.03


def test_equal_is_the_mean_log_ratio_and_its_error_over_blocks_of_25() -> None:
    ratios = np.exp(np.random.default_rng(1).normal(0.01, 0.1, 500))
    blocks = np.log(ratios).reshape(20, 25).mean(axis=1)
    expected = abs(np.log(ratios).mean()) + 1.7 * np.std(blocks, ddof=1) / np.sqrt(20)
    assert measured(fed(ratios)).scalars["equal"] == pytest.approx(expected)


def test_steps_that_are_alike_do_not_pretend_to_be_many() -> None:
    slow = np.exp(0.05 * np.repeat(np.random.default_rng(2).normal(size=20), 25))
    naive = abs(np.log(slow).mean()) + 1.7 * np.log(slow).std() / np.sqrt(500)
    assert measured(fed(slow)).scalars["equal"] > naive + 0.01


def test_equal_waits_for_500_steps_and_says_nothing_of_older_ones() -> None:
    assert math.isnan(measured(fed([1.0] * 470)).scalars["equal"])
    assert measured(fed([1.0] * 500)).scalars["equal"] == 0.0
    assert measured(fed([3.0] * 500 + [1.0] * 500)).scalars["equal"] == 0.0
    assert measured(fed([3.0] * 500 + [1.0] * 500)).scalars["above"] == 0.0


@pytest.mark.parametrize("gap", [2, 10, 25, 100])
def test_pairs_logged_more_rarely_are_judged_over_as_many_blocks(gap: int) -> None:
    count = max(20, 500 // gap)
    assert measured(fed(np.full(count, 1.2), gap=gap)).scalars["equal"] == pytest.approx(np.log(1.2))
    assert measured(fed(np.full(count, 1.0), gap=gap)).scalars["equal"] == 0.0
    assert math.isnan(measured(fed(np.full(count // 2, 1.0), gap=gap)).scalars["equal"])


def test_a_ratio_of_zero_is_far_from_equal() -> None:
    ratios = np.ones(500)
    ratios[::10] = 0.0
    assert distance_from_equal(np.arange(1.0, 501.0), ratios) > 1


def test_two_names_for_one_quantity_are_never_apart() -> None:
    assert measured(fed([1.0] * 200)).scalars["apart"] == 0.0
    assert measured(fed([1.5] + [1.0] * 199)).scalars["apart"] == 0.5
    assert math.isnan(measured(fed([1.0] * 199)).scalars["apart"])


def test_the_ratio_of_means_stands_beside_the_mean_of_ratios() -> None:
    below = np.array([1.0, 1.0, 2.0, 6.0])
    ratios = np.array([1.2, 1.16, 1.08, 1.04])
    found = measured(fed(ratios, below=below)).scalars
    assert found["ratio_of_means"] == pytest.approx((1.2 + 1.16 + 2.16 + 6.24) / 10.0)
    assert found["ratio_of_means"] == pytest.approx(1.08, abs=0.005)
    assert found["mean_of_ratios"] == pytest.approx(1.12)


def test_averages_are_of_the_last_pairs_and_extremes_of_the_run() -> None:
    ratios = np.linspace(1.0, 2.0, 3000)
    found = measured(fed(ratios)).scalars
    assert found["now"] == pytest.approx(2.0)
    assert found["avg50"] == pytest.approx(ratios[-50:].mean())
    assert found["avg100"] == pytest.approx(ratios[-100:].mean())
    assert (found["lowest"], found["peak"]) == (pytest.approx(1.0), pytest.approx(2.0))
    assert found["count"] == 3000
    drawn = measured(fed(ratios)).arrays
    assert drawn["ratio"].values == pytest.approx(ratios[-200:])
    assert drawn["step"].values.tolist() == list(range(2801, 3001))


@pytest.mark.parametrize(("hits", "trials"), [(232, 500), (0, 10), (10, 10), (1, 1), (5, 2000)])
def test_the_interval_is_wilsons(hits: int, trials: int) -> None:
    expected = binomtest(hits, trials).proportion_ci(method="wilson")
    assert wilson(hits, trials) == pytest.approx((expected.low, expected.high), abs=1e-6)


def test_the_interval_of_the_failed_pair_holds_one_half() -> None:
    found = measured(fed(post_mortem())).scalars
    assert found["above_low"] < found["above"] < 0.5 < found["above_high"]


def test_success_is_what_was_declared_beforehand() -> None:
    works = measured(fed([1.10] * 100, success=1.05, strong=1.15)).scalars
    assert (works["success"], works["strong"]) == (1.0, 0.0)
    fails = measured(fed([1.01] * 100, success=1.05, strong=1.15)).scalars
    assert (fails["success"], fails["strong"]) == (0.0, 0.0)
    early = measured(fed([1.30] * 99, success=1.05)).scalars
    assert math.isnan(early["success"])
    assert math.isnan(early["strong"])
    assert fed([], success=1.05).settings() == {"numerator": "coarse", "denominator": "fine", "success": 1.05}


def test_two_calls_of_log_at_one_step_make_a_pair_in_any_order_and_steps_do_not_mix() -> None:
    probe = Ratio("pair", "coarse", "fine")
    probe.logged(1, {"coarse": 3.0, "loss": 1.0})
    probe.logged(2, {"fine": 1.0})
    assert probe.measure(2) is None
    probe.logged(2, {"coarse": 4.0})
    probe.logged(1, {"fine": 2.0})
    found = measured(probe).scalars
    assert (found["count"], found["peak"], found["lowest"]) == (2, 4.0, 1.5)


def test_a_numerator_logged_alone_is_forgotten_and_bounded() -> None:
    probe = Ratio("pair", "coarse", "fine")
    for step in range(5000):
        probe.logged(step, {"coarse": 1.0})
    probe.logged(0, {"fine": 1.0})
    assert probe.measure(1) is None
    probe.logged(4999, {"fine": 1.0})
    assert measured(probe).scalars["count"] == 1
    assert len(probe._waiting) <= 1025


@pytest.mark.parametrize(
    ("above", "below"), [(1.0, 0.0), (1.0, -2.0), (1.0, math.nan), (math.nan, 1.0), (math.inf, 1.0), (1.0, math.inf), (1e300, 1e-300)]
)
def test_pairs_without_a_ratio_are_counted_and_left_out(problems: Counter[str], above: float, below: float) -> None:
    probe = Ratio("pair", "coarse", "fine")
    probe.attach(lambda text: problems.update([text]))
    probe.logged(1, {"coarse": above, "fine": below})
    assert probe.measure(1) is None
    (text,) = problems
    assert text == "probe pair: fine is never a number above zero beside coarse: there is no ratio"
    probe.logged(2, {"coarse": 3.0, "fine": 2.0})
    found = measured(probe).scalars
    assert (found["left_out"], found["count"], found["now"]) == (1, 1, 1.5)


def test_a_goal_that_is_no_number_is_said_and_left_out(problems: Counter[str]) -> None:
    probe = fed([1.0] * 100, success="much")  # type: ignore[arg-type]
    probe.attach(lambda text: problems.update([text]))
    assert "success is a ratio" in next(iter(problems))
    assert math.isnan(measured(probe).scalars["success"])


def test_a_probe_set_tells_it_of_what_is_logged() -> None:
    probes, problems = ProbeSet(print), []
    probes = ProbeSet(problems.append)
    probes.add(Ratio("pair", "coarse", "fine", every=10))
    found: list[Snapshot] = []
    for step in range(1, 31):
        probes.logged(step, {"loss": 1.0, "coarse": 3.0})
        probes.logged(step, {"fine": 2.0})
        found += probes.boundary(step, 0.01)
    assert [one.step for one in found] == [10, 20, 30]
    assert found[-1].scalars["now"] == 1.5
    assert found[-1].scalars["count"] == 30
    assert not problems
