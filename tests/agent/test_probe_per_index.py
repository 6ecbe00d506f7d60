"""How losses are told by index: by frame or by timestep, over all steps since the last snapshot."""

from __future__ import annotations

import random
import weakref
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import binned_statistic, spearmanr

from bedside.probes.per_index import PerIndex
from bedside.probes.profile import spearman
from bedside_protocol.records import Snapshot


def measured(probe: PerIndex) -> Snapshot:
    snapshot = probe.measure(50)
    assert snapshot is not None
    return snapshot


def profile(snapshot: Snapshot) -> list[float]:
    return snapshot.arrays["profile"].values.tolist()


@pytest.fixture
def probe(problems: Counter[str]) -> PerIndex:
    probe = PerIndex("frames")
    probe.attach(lambda text: problems.update([text]))
    return probe


def losses(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).exponential(1.0, shape)


def test_a_loss_by_frame_is_averaged_over_every_step_since_the_last_snapshot(probe: PerIndex) -> None:
    batches = [losses(4, 6, seed=seed) for seed in range(7)]
    for batch in batches:
        probe.observe(torch.tensor(batch))
    found = measured(probe)
    assert profile(found) == pytest.approx(np.concatenate(batches).mean(axis=0).tolist())
    assert found.arrays["profile"].labels == ("0", "1", "2", "3", "4", "5")
    assert found.scalars["count"] == 7 * 24
    assert probe.measure(51) is None


def test_later_frames_that_are_worse_are_told_from_even_ones() -> None:
    even, decaying = PerIndex("even"), PerIndex("decaying")
    for seed in range(50):
        batch = losses(8, 12, seed=seed)
        even.observe(batch)
        decaying.observe(batch * np.linspace(1, 4, 12))
    well, sick = measured(even).scalars, measured(decaying).scalars
    assert well["later_worse"] == pytest.approx(1.0, abs=0.15)
    assert sick["later_worse"] == pytest.approx(3.45 / 1.41, rel=0.15)
    assert abs(well["trend"]) < 0.75
    assert sick["trend"] > 0.95


def test_first_and_last_are_the_means_of_the_outer_thirds(probe: PerIndex) -> None:
    probe.observe([[1.0, 3.0, 9.0, 9.0, 9.0, 5.0, 7.0]])
    found = measured(probe).scalars
    assert (found["first"], found["last"], found["later_worse"]) == (2.0, 6.0, 3.0)
    probe.observe([[-1.0, 2.0]])
    found = measured(probe).scalars
    assert (found["first"], found["last"]) == (-1.0, 2.0)
    assert np.isnan([found["later_worse"], found["trend"]]).all()


def test_sequences_of_other_lengths_share_the_frames_they_have(probe: PerIndex) -> None:
    probe.observe(torch.full((2, 3), 1.0))
    probe.observe(torch.full((2, 5), 3.0))
    probe.observe(np.full((4, 4), 2.0))
    assert profile(measured(probe)) == pytest.approx([2.0, 2.0, 2.0, 14 / 6, 3.0])


def test_very_long_sequences_share_bins(probe: PerIndex) -> None:
    probe.observe(np.tile(np.arange(1000.0), (2, 1)))
    found = measured(probe)
    assert len(profile(found)) == 256
    assert found.arrays["profile"].labels[0] == "0–3"
    assert profile(found)[0] == 1.5
    assert found.scalars["count"] == 2000
    assert found.scalars["trend"] == pytest.approx(1.0)


@pytest.mark.parametrize("as_tensor", [False, True])
def test_a_loss_by_tau_is_averaged_by_bins_as_scipy_does(probe: PerIndex, as_tensor: bool) -> None:
    rng = np.random.default_rng(0)
    taus, values = rng.random((20, 32)), rng.exponential(1.0, (20, 32))
    for tau, value in zip(taus, values, strict=True):
        probe.observe(*((torch.tensor(value), torch.tensor(tau)) if as_tensor else (value, tau)))
    found = measured(probe)
    expected = binned_statistic(taus.ravel(), values.ravel(), bins=10).statistic
    assert profile(found) == pytest.approx(expected.tolist())
    assert found.scalars["count"] == 640
    assert found.scalars["trend"] == pytest.approx(spearmanr(np.arange(10), expected).statistic)


def test_edges_may_be_given_and_what_lies_outside_is_counted(problems: Counter[str]) -> None:
    probe = PerIndex("tau", bins=[0.0, 0.25, 1.0])
    probe.attach(lambda text: problems.update([text]))
    probe.observe([1.0, 2.0, 3.0, 4.0, 5.0], [0.0, 0.25, 1.0, 1.1, -0.1])
    found = measured(probe)
    assert profile(found) == [1.0, 2.5]
    assert found.arrays["profile"].labels == ("0–0.25", "0.25–1")
    assert (found.scalars["count"], found.scalars["outside"]) == (3, 2)
    assert not problems


def test_whole_indices_have_bins_of_whole_numbers() -> None:
    probe = PerIndex("timestep", bins=10)
    probe.observe(np.arange(1000.0), torch.arange(1000))
    found = measured(probe)
    assert found.arrays["profile"].labels[:2] == ("0–99", "100–199")
    assert profile(found) == pytest.approx((np.arange(10) * 100 + 49.5).tolist())


def test_few_whole_indices_have_a_bin_each(probe: PerIndex) -> None:
    probe.observe([1.0, 2.0, 3.0, 5.0], [4, 5, 5, 7])
    found = measured(probe)
    assert found.arrays["profile"].labels == ("4", "5", "6", "7")
    assert profile(found) == pytest.approx([1.0, 2.5, np.nan, 5.0], nan_ok=True)
    assert found.scalars["trend"] == pytest.approx(1.0)


def test_one_index_alone_is_one_bin_without_a_trend(probe: PerIndex) -> None:
    for index in ([0.5, 0.5], [3, 3]):
        probe.observe([1.0, 2.0], index)
        found = measured(probe)
        assert profile(found) == [1.5]
        assert np.isnan([found.scalars["trend"], found.scalars["later_worse"]]).all()


def test_bins_given_with_a_loss_take_the_place_of_the_others(probe: PerIndex) -> None:
    probe.observe(losses(50), np.linspace(0, 1, 50), bins=4)
    assert len(profile(measured(probe))) == 4
    probe = PerIndex("frames", bins=3)
    probe.observe([[1.0, 1.0, 2.0, 2.0, 6.0, 6.0]])
    assert profile(measured(probe)) == [1.0, 2.0, 6.0]


def test_losses_by_sample_and_frame_may_have_an_index_each(probe: PerIndex) -> None:
    tau = torch.rand(4, 16, generator=torch.Generator().manual_seed(0))
    probe.observe(tau * 2, tau)
    found = measured(probe)
    assert found.scalars["count"] == 64
    assert found.scalars["trend"] == pytest.approx(1.0)


def test_of_many_losses_with_an_index_the_latest_are_kept(probe: PerIndex) -> None:
    index = np.arange(1000) % 10
    for value in range(200):
        probe.observe(np.full(1000, float(value)), index)
    found = measured(probe)
    assert found.scalars["count"] == 66_000
    assert profile(found)[0] == pytest.approx(np.mean(np.arange(134.0, 200.0)))
    probe.observe(np.ones(1 << 18), np.zeros(1 << 18))
    assert measured(probe).scalars["count"] == 1 << 16


@pytest.mark.parametrize("with_index", [False, True])
def test_losses_that_are_no_numbers_are_counted_and_left_out(probe: PerIndex, with_index: bool) -> None:
    batch = np.array([[1.0, np.nan, 3.0], [1.0, 2.0, np.inf]])
    index = np.array([[0.0, 1.0, 2.0], [0.0, 1.0, np.nan]])
    probe.observe(batch, *([index] if with_index else []))
    found = measured(probe)
    assert found.scalars["nonfinite"] == 2
    assert found.scalars["count"] == 4
    assert [value for value in profile(found) if not np.isnan(value)] == [1.0, 2.0, 3.0]


def test_where_every_loss_is_nan_the_count_is_left(probe: PerIndex) -> None:
    probe.observe(np.full((2, 3), np.nan))
    found = measured(probe)
    assert (found.scalars["nonfinite"], found.scalars["count"]) == (6, 0)
    assert np.isnan(profile(found)).all()
    other = PerIndex("tau")
    other.observe([np.nan], [np.nan])
    assert measured(other).scalars["nonfinite"] == 1


@pytest.mark.parametrize(
    ("one", "other"), [([1, 2, 3, 4], [1, 3, 2, 4]), ([1, 2, 3, 4, 5], [5, 5, 1, 1, 0]), ([3, 1, 2], [1, 1, 2]), (range(50), losses(50))]
)
def test_the_trend_is_spearmans(one: Any, other: Any) -> None:
    first, second = np.array(one, float), np.array(other, float)
    assert spearman(first, second) == pytest.approx(spearmanr(first, second).statistic)


def test_a_flat_profile_has_no_trend() -> None:
    assert spearman(np.arange(5.0), np.ones(5)) == 0.0
    assert np.isnan(spearman(np.arange(2.0), np.arange(2.0)))


@pytest.mark.parametrize(
    ("loss", "index", "said"),
    [
        (1.0, None, "two axes"),
        ([1.0, 2.0], None, "two axes"),
        (torch.ones(2, 3, 4), None, "two axes"),
        (torch.ones(3), torch.ones(4), "same shape"),
        (torch.ones(2, 3), torch.ones(2), "same shape"),
        (torch.empty(0, 3), None, "empty loss"),
        ([], [], "empty loss"),
        (torch.ones(2, 2, dtype=torch.complex64), None, "complex"),
        ("loss", None, "numbers were expected"),
        ([1.0], ["late"], "numbers were expected"),
        ([[1.0], [1.0, 2.0]], None, "numbers were expected"),
    ],
)
def test_what_is_no_loss_is_said_by_name_and_training_goes_on(
    probe: PerIndex, problems: Counter[str], loss: object, index: object, said: str
) -> None:
    for _ in range(2):
        probe.observe(loss, index)
    (text,) = problems
    assert text.startswith("probe frames: ")
    assert said in text
    assert probe.measure(50) is None


@pytest.mark.parametrize("bins", [0, -1, 1000, [1.0], [2.0, 1.0], [0.0, np.nan, 1.0], "ten", True])
def test_bins_that_are_none_are_said_and_the_default_is_used(problems: Counter[str], bins: Any) -> None:
    probe = PerIndex("tau", bins=bins)
    probe.attach(lambda text: problems.update([text]))
    assert len(problems) == 1
    probe.observe(losses(50), np.linspace(0, 1, 50))
    assert len(profile(measured(probe))) == 10


def test_one_probe_takes_losses_of_one_form(probe: PerIndex, problems: Counter[str]) -> None:
    probe.observe([[1.0, 2.0]])
    probe.observe([1.0, 2.0], [3, 4])
    assert "use two probes" in next(iter(problems))
    assert measured(probe).scalars["count"] == 2


def test_nothing_is_taken_while_the_probe_is_not_armed(probe: PerIndex) -> None:
    probe.armed, before = False, probe.feeding
    probe.observe(losses(2, 3))
    assert probe.measure(50) is None
    assert probe.feeding == before


def test_losses_the_script_writes_to_afterwards_were_taken_as_they_were(probe: PerIndex) -> None:
    index, value = torch.tensor([1.0, 2.0], dtype=torch.float64), torch.tensor([1.0, 2.0], dtype=torch.float64)
    probe.observe(value, index)
    value.zero_()
    index.zero_()
    assert measured(probe).scalars["last"] == 2.0


@pytest.mark.parametrize("with_index", [False, True])
def test_the_graph_is_free_and_no_random_number_is_drawn(
    probe: PerIndex, with_index: bool, mark: Callable[[torch.Tensor], torch.Tensor]
) -> None:
    loss = mark(torch.rand(3, 4, requires_grad=True, dtype=torch.float64))
    graph = weakref.ref(loss.grad_fn)
    before = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()
    probe.observe(loss, torch.ones(3, 4) if with_index else None)
    del loss
    assert graph() is None
    measured(probe)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert np.array_equal(np.random.get_state()[1], before[1])
    assert random.getstate() == before[2]


def test_half_precision_losses_are_summed_in_double(probe: PerIndex) -> None:
    for _ in range(300):
        probe.observe(torch.full((64, 2), 1000.0, dtype=torch.float16))
    assert profile(measured(probe)) == [1000.0, 1000.0]


def test_losses_of_inference_mode_count_like_others(probe: PerIndex) -> None:
    with torch.inference_mode():
        probe.observe(torch.ones(2, 2))
    probe.observe(torch.full((2, 2), 3.0))
    with torch.inference_mode():
        probe.observe(torch.full((2, 3), 2.0))
    assert profile(measured(probe)) == [2.0, 2.0, 2.0]


def test_inside_a_compiled_region_nothing_is_taken_and_the_graph_stays_whole(probe: PerIndex) -> None:
    @torch.compile(backend="eager", fullgraph=True)
    def forward(loss: torch.Tensor) -> torch.Tensor:
        probe.observe(loss)
        return loss + 1

    assert forward(torch.zeros(1, 2)).tolist() == [[1, 1]]
    assert probe.measure(1) is None


def test_a_forward_recomputed_in_the_backward_pass_is_taken_once(probe: PerIndex) -> None:
    def forward(x: torch.Tensor) -> torch.Tensor:
        probe.observe(x.detach())
        return x.sin()

    x = torch.ones(2, 2, requires_grad=True)
    torch.utils.checkpoint.checkpoint(forward, x, use_reentrant=False).sum().backward()
    assert measured(probe).scalars["count"] == 4


def test_nothing_waits_for_the_device_while_losses_are_taken(unwaited: AbstractContextManager[Any]) -> None:
    frames, tau, problems = PerIndex("frames"), PerIndex("tau"), []
    for probe in (frames, tau):
        probe.attach(problems.append)
    with unwaited:
        for length in (3, 5, 4):
            frames.observe(torch.ones(2, length))
            tau.observe(torch.ones(length), torch.arange(length))
            tau.observe(torch.ones(length), list(range(length)))
    assert not problems
    assert measured(frames).scalars["count"] == 24
    assert measured(tau).scalars["count"] == 24
