"""What the distribution probe tells of values, and what it refuses."""

from __future__ import annotations

import gc
import weakref
from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from bedside.probes.distribution import BINS, Distribution, histogram
from bedside_protocol.records import Snapshot

QUANTILES = {"q01": 0.01, "q05": 0.05, "q25": 0.25, "q50": 0.5, "q75": 0.75, "q95": 0.95, "q99": 0.99}


@pytest.fixture
def tau(problems: Counter[str]) -> Distribution:
    probe = Distribution("tau")
    probe.attach(lambda text: problems.update([text]))
    return probe


def measured(probe: Distribution) -> Snapshot:
    snapshot = probe.measure(50)
    assert snapshot is not None
    return snapshot


@given(arrays(np.float32, st.integers(1, 200), elements=st.floats(-1e6, 1e6, width=32)))
def test_range_moments_and_quantiles_are_numpys(values: np.ndarray) -> None:
    tau = Distribution("tau")
    tau.observe(torch.from_numpy(values))
    scalars = measured(tau).scalars
    exact = values.astype(np.float64)
    assert (scalars["min"], scalars["max"], scalars["count"]) == (exact.min(), exact.max(), exact.size)
    assert scalars["mean"] == pytest.approx(exact.mean(), abs=1e-6)
    assert scalars["std"] == pytest.approx(exact.std(), abs=1e-6)
    for name, share in QUANTILES.items():
        assert scalars[name] == pytest.approx(np.quantile(exact, share), abs=1e-6)


@given(arrays(np.float64, st.integers(1, 200), elements=st.floats(-1e3, 1e3)))
def test_the_histogram_has_every_value_in_one_of_its_bins(values: np.ndarray) -> None:
    low, high = float(values.min()), float(values.max())
    counts = histogram(values, low, high)
    assert (len(counts), counts.sum()) == (BINS, values.size)
    if high - low > 1e-6:
        edges = np.linspace(low, high, BINS + 1)
        expected = np.histogram(values, edges)[0]
        near_an_edge = int(np.sum(np.abs(values[:, None] - edges[None, 1:-1]).min(axis=1) < 1e-9 * (high - low)))
        assert np.abs(counts - expected).sum() <= 2 * near_an_edge


@pytest.mark.parametrize(("low", "high"), [(0.0, 0.0), (1.0, np.nextafter(1.0, 2.0)), (-1.7e308, 1.7e308), (5e-324, 1e-323)])
def test_no_range_is_too_narrow_or_too_wide_for_the_histogram(low: float, high: float) -> None:
    assert histogram(np.array([low, high, low]), low, high).sum() == 3


def test_tau_squeezed_to_its_upper_end_is_told_from_tau_over_the_whole_range(tau: Distribution) -> None:
    generator = torch.Generator().manual_seed(0)
    tau.observe(torch.rand(5000, generator=generator))
    healthy = measured(tau)
    tau.observe(torch.rand(5000, generator=generator) ** 0.02)
    sick = measured(tau)
    assert healthy.scalars["q05"] == pytest.approx(0.05, abs=0.02)
    assert sick.scalars["q05"] > 0.9
    assert healthy.scalars["std"] > 10 * sick.scalars["std"]
    assert healthy.arrays["values"].values.min() > 60


def test_observations_of_one_step_are_pooled_and_told_once(tau: Distribution) -> None:
    tau.observe([0.0, 1.0])
    tau.observe(torch.tensor([[4.0]]))
    tau.observe(7)
    scalars = measured(tau).scalars
    assert (scalars["count"], scalars["min"], scalars["max"], scalars["mean"]) == (4, 0.0, 7.0, 3.0)
    assert tau.measure(51) is None


def test_of_a_large_tensor_the_range_is_exact_and_the_quantiles_nearly(tau: Distribution) -> None:
    values = torch.randn(1500, 3000, generator=torch.Generator().manual_seed(0))
    values[700, 1234], values[3, 3], values[9, 9] = 99.0, -77.0, float("nan")
    tau.observe(values)
    scalars = measured(tau).scalars
    assert (scalars["count"], scalars["nonfinite"]) == (values.numel() - 1, 1)
    assert (scalars["min"], scalars["max"]) == (-77.0, 99.0)
    assert scalars["q50"] == pytest.approx(0.0, abs=0.02)
    assert scalars["q95"] == pytest.approx(1.645, abs=0.04)


def test_what_is_no_number_is_counted_left_out_and_said(tau: Distribution, problems: Counter[str]) -> None:
    tau.observe([1.0, float("nan"), float("inf"), 3.0, -float("inf")])
    scalars = measured(tau).scalars
    assert (scalars["count"], scalars["nonfinite"], scalars["mean"], scalars["max"]) == (2, 3, 2.0, 3.0)
    assert list(problems) == ["probe tau: NaN or infinity among values: they are counted and left out"]


def test_values_that_are_all_nan_tell_only_that(tau: Distribution) -> None:
    tau.observe(torch.full((4,), float("nan")))
    snapshot = measured(tau)
    assert snapshot.scalars == {"count": 0, "nonfinite": 4}
    assert snapshot.arrays == {}


@pytest.mark.parametrize(
    ("values", "mean"),
    [
        (torch.tensor([1, 2, 3]), 2.0),
        (torch.tensor([True, False]), 0.5),
        (torch.tensor([1.0, 2.0], dtype=torch.bfloat16), 1.5),
        (torch.tensor([1.0, 2.0], dtype=torch.float16, requires_grad=True), 1.5),
        (np.array([1, 2], np.uint8), 1.5),
        ([[1, 2], [3, 4]], 2.5),
        (np.float32(4), 4.0),
        (torch.arange(6).reshape(2, 3).T[1:], 3.0),
    ],
)
def test_numbers_of_any_kind_and_shape_are_read(tau: Distribution, values: object, mean: float) -> None:
    tau.observe(values)
    assert measured(tau).scalars["mean"] == mean


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([], "empty"),
        (torch.empty(3, 0), "empty"),
        ("tau", "numbers were expected, not str"),
        (None, ""),
        ({"tau": 1}, "numbers were expected, not dict"),
        ([[1.0], [2.0, 3.0]], "numbers were expected"),
        (torch.zeros(2, dtype=torch.complex64), "complex"),
        (torch.zeros(2, 2).to_sparse(), "cannot be read"),
    ],
)
def test_what_is_no_set_of_numbers_is_said_by_name(tau: Distribution, problems: Counter[str], values: object, said: str) -> None:
    for _ in range(2):
        tau.observe(values)
    snapshot = tau.measure(1)
    assert snapshot is None or snapshot.scalars["count"] == 0
    (text,) = problems
    assert text.startswith("probe tau: ")
    assert said in text


def test_values_beyond_all_bounds_raise_no_warning(tau: Distribution) -> None:
    tau.observe([-1.7e308, 1.7e308])
    snapshot = measured(tau)
    assert snapshot.arrays["values"].values.sum() == 2


def test_between_measurements_nothing_is_looked_at(tau: Distribution) -> None:
    tau.armed = False
    tau.observe(object())
    assert tau.measure(1) is None


def test_what_was_observed_and_its_graph_are_not_kept(tau: Distribution) -> None:
    values = torch.ones(4, requires_grad=True) * 2
    tau.observe(values)
    held = weakref.ref(values)
    del values
    gc.collect()
    assert held() is None
    assert measured(tau).scalars["mean"] == 2.0


def test_a_tensor_written_to_afterwards_was_read_as_it_was(tau: Distribution) -> None:
    values = torch.ones(4, dtype=torch.float64)
    tau.observe(values)
    values.zero_()
    assert measured(tau).scalars["mean"] == 1.0


def test_a_forgotten_probe_keeps_a_bounded_number_of_observations(tau: Distribution) -> None:
    for _ in range(100):
        tau.observe([1.0])
    assert measured(tau).scalars["count"] == 16


def test_observing_draws_no_random_numbers(tau: Distribution) -> None:
    values = torch.ones(100_000)
    before = torch.get_rng_state(), np.random.get_state()[1].copy()
    tau.observe(values)
    tau.measure(1)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert np.array_equal(np.random.get_state()[1], before[1])


def test_inside_a_compiled_region_nothing_is_read_and_the_graph_stays_whole(tau: Distribution) -> None:
    @torch.compile(backend="eager", fullgraph=True)
    def forward(x: torch.Tensor) -> torch.Tensor:
        tau.observe(x)
        return x + 1

    assert forward(torch.zeros(2)).sum() == 2
    assert tau.measure(1) is None


def test_a_forward_recomputed_in_the_backward_pass_is_seen_once(tau: Distribution) -> None:
    def forward(x: torch.Tensor) -> torch.Tensor:
        tau.observe(x)
        return x.sin()

    x = torch.ones(2, requires_grad=True)
    torch.utils.checkpoint.checkpoint(forward, x, use_reentrant=False).sum().backward()
    assert measured(tau).scalars["count"] == 2
