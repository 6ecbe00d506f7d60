"""What the similarity probe tells of vectors that should differ, and what it refuses."""

from __future__ import annotations

import gc
import weakref
from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.spatial.distance import pdist
from scipy.stats import pearsonr

from bedside.probes.effective_rank import effective_rank, sample, share_of_width
from bedside.probes.similarity import Similarity
from bedside.probes.subsample import positions, thinned
from bedside_protocol.records import Snapshot


@pytest.fixture
def alike(problems: Counter[str]) -> Similarity:
    probe = Similarity("queries")
    probe.attach(lambda text: problems.update([text]))
    return probe


def drawn(*shape: int, seed: int = 0) -> NDArray[np.float64]:
    return np.random.default_rng(seed).normal(size=shape)


def measured(probe: Similarity) -> Snapshot:
    snapshot = probe.measure(50)
    assert snapshot is not None
    return snapshot


def test_the_mean_pairwise_cosine_and_the_variance_are_scipys_and_numpys(alike: Similarity) -> None:
    vectors = drawn(30, 7) + 0.5
    alike.observe(vectors)
    scalars = measured(alike).scalars
    assert scalars["cosine"] == pytest.approx(1 - pdist(vectors, "cosine").mean())
    assert scalars["variance"] == pytest.approx(vectors.var(axis=0).mean())
    assert scalars["rank"] == pytest.approx(effective_rank(vectors))
    assert scalars["vectors"] == 30
    assert scalars["nonfinite"] == 0


def test_converged_queries_are_told_from_healthy_ones(alike: Similarity) -> None:
    alike.observe(drawn(64, 32))
    healthy = measured(alike).scalars
    alike.observe(drawn(1, 32) + 0.0095 * drawn(64, 32, seed=1))  # a failed run's queries had a variance of 9e-5
    sick = measured(alike).scalars
    assert abs(healthy["cosine"]) < 0.05
    assert sick["cosine"] > 0.99
    assert sick["variance"] == pytest.approx(9e-5, rel=0.1)
    assert healthy["variance"] > 0.9
    assert (healthy["rank"] > 25, sick["rank"] < 3) == (True, True)


def test_pairs_have_the_cosine_the_correlation_and_the_distance_of_each_pair(alike: Similarity) -> None:
    a, b = drawn(12, 9), drawn(12, 9, seed=1) + 0.7
    alike.observe(a, b)
    snapshot = measured(alike)
    cosines = np.sum(a * b, axis=1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    assert snapshot.scalars["cosine"] == pytest.approx(cosines.mean())
    assert snapshot.scalars["pearson"] == pytest.approx(np.mean([pearsonr(x, y)[0] for x, y in zip(a, b, strict=True)]))
    assert snapshot.scalars["l2"] == pytest.approx(np.linalg.norm(a - b, axis=1).mean())
    assert snapshot.scalars["vectors"] == 12
    assert snapshot.arrays == {}


def test_paired_outputs_that_do_not_differ_are_told_from_those_that_do(alike: Similarity) -> None:
    fine = drawn(16, 200)
    alike.observe(fine + 0.02 * drawn(16, 200, seed=1), fine)
    sick = measured(alike).scalars
    alike.observe(fine + 1.6 * drawn(16, 200, seed=2), fine)
    healthy = measured(alike).scalars
    assert sick["pearson"] > 0.999
    assert healthy["pearson"] == pytest.approx(0.53, abs=0.05)
    assert healthy["l2"] > 50 * sick["l2"]


def test_frames_of_pairs_have_a_cosine_each(alike: Similarity) -> None:
    a = drawn(5, 3, 8)
    b = np.stack([a[:, 0], -a[:, 1], drawn(5, 8, seed=1)], axis=1)
    alike.observe(torch.tensor(a), torch.tensor(b))
    array = measured(alike).arrays["cosine"]
    assert array.meaning == "trajectory"
    assert array.values[:2] == pytest.approx([1.0, -1.0])
    assert abs(float(array.values[2])) < 0.6


def test_leading_dimensions_are_flattened(alike: Similarity) -> None:
    vectors = drawn(4, 3, 5)
    alike.observe(vectors)
    nested = measured(alike).scalars
    alike.observe(vectors.reshape(12, 5).tolist())
    assert measured(alike).scalars == pytest.approx(nested)


def test_observations_of_one_step_are_averaged_and_told_once(alike: Similarity) -> None:
    alike.observe([[1.0, 0.0], [1.0, 0.0]])
    alike.observe([[1.0, 0.0], [-1.0, 0.0], [0.0, 0.0]])
    scalars = measured(alike).scalars
    assert scalars["cosine"] == pytest.approx(0.0)
    assert scalars["vectors"] == 5
    assert alike.measure(51) is None


def test_many_vectors_are_sampled_and_their_numbers_are_nearly_the_same(alike: Similarity) -> None:
    vectors = drawn(20_000, 16) + 0.3
    alike.observe(vectors)
    scalars = measured(alike).scalars
    assert scalars["vectors"] == 4096
    assert scalars["variance"] == pytest.approx(vectors.var(axis=0).mean(), rel=0.03)


def test_vectors_that_are_no_numbers_are_counted_left_out_and_said(alike: Similarity, problems: Counter[str]) -> None:
    alike.observe([[1.0, 0.0], [0.0, 1.0], [float("nan"), float("inf")]])
    scalars = measured(alike).scalars
    assert (scalars["nonfinite"], scalars["cosine"]) == (2, 0.0)
    alike.observe([[1.0, 0.0], [0.0, 1.0]], [[1.0, 0.0], [float("nan"), 1.0]])
    scalars = measured(alike).scalars
    assert (scalars["nonfinite"], scalars["cosine"], scalars["l2"]) == (1, 1.0, 0.0)
    assert list(problems) == ["probe queries: NaN or infinity among vectors: those vectors are left out"]


def test_vectors_of_nothing_but_nan_tell_only_that(alike: Similarity) -> None:
    alike.observe(np.full((3, 2), np.nan))
    assert measured(alike).scalars == {"vectors": 3, "nonfinite": 6}
    alike.observe(np.full((3, 2), np.nan), np.zeros((3, 2)))
    assert measured(alike).scalars == {"vectors": 3, "nonfinite": 6}


def test_vectors_of_zero_have_no_direction(alike: Similarity) -> None:
    alike.observe(np.zeros((3, 2)))
    scalars = measured(alike).scalars
    assert "cosine" not in scalars
    assert (scalars["variance"], scalars["rank"]) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (([1.0, 2.0],), "last dimension of at least two"),
        ((3.0,), "last dimension of at least two"),
        (([[1.0, 2.0]],), "a single vector"),
        ((np.empty((0, 4)),), "empty"),
        ((torch.empty(4, 0),), "empty"),
        ((["codes"],), "numbers were expected"),
        ((torch.zeros(2, 2, dtype=torch.complex64),), "complex"),
        ((np.zeros((2, 3)), np.zeros((3, 2))), "have one shape"),
        ((np.zeros(3), np.zeros(3)), "have one shape"),
        ((np.zeros((2, 2, 2, 2)), np.zeros((2, 2, 2, 2))), "have one shape"),
    ],
)
def test_what_is_no_set_of_vectors_is_said_by_name(alike: Similarity, problems: Counter[str], given: tuple[object, ...], said: str) -> None:
    for _ in range(2):
        alike.observe(*given)
    assert alike.measure(1) is None
    ((text, times),) = problems.items()
    assert text.startswith("probe queries: ")
    assert said in text
    assert times == 2


def test_numbers_beyond_all_bounds_raise_no_warning(alike: Similarity) -> None:
    alike.observe(np.full((2, 2), 1e300))
    assert measured(alike).scalars["variance"] == 0.0


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_any_precision_is_read(alike: Similarity, dtype: torch.dtype) -> None:
    alike.observe(torch.tensor(drawn(20, 6)).to(dtype))
    assert measured(alike).scalars["cosine"] == pytest.approx(1 - pdist(drawn(20, 6), "cosine").mean(), abs=1e-2)


def test_between_measurements_nothing_is_looked_at(alike: Similarity) -> None:
    alike.armed = False
    alike.observe(object())
    assert alike.measure(1) is None


def test_what_was_observed_and_its_graph_are_not_kept(alike: Similarity) -> None:
    leaf = torch.tensor(drawn(6, 4), requires_grad=True)
    vectors = leaf * 2
    alike.observe(vectors, vectors)
    held = weakref.ref(vectors)
    del vectors
    gc.collect()
    assert held() is None
    assert measured(alike).scalars["cosine"] == pytest.approx(1.0)


def test_observing_draws_no_random_numbers(alike: Similarity) -> None:
    vectors = torch.ones(9000, 3)
    before = torch.get_rng_state(), np.random.get_state()[1].copy()
    alike.observe(vectors)
    alike.measure(1)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert np.array_equal(np.random.get_state()[1], before[1])


def test_inside_a_compiled_region_nothing_is_read_and_the_graph_stays_whole(alike: Similarity) -> None:
    @torch.compile(backend="eager", fullgraph=True)
    def forward(x: torch.Tensor) -> torch.Tensor:
        alike.observe(x)
        return x + 1

    assert forward(torch.zeros(2, 2)).sum() == 4
    assert alike.measure(1) is None


def test_a_forward_recomputed_in_the_backward_pass_is_seen_once(alike: Similarity) -> None:
    def forward(x: torch.Tensor) -> torch.Tensor:
        alike.observe(x)
        return x.sin()

    x = torch.eye(2, requires_grad=True)
    torch.utils.checkpoint.checkpoint(forward, x, use_reentrant=False).sum().backward()
    assert measured(alike).scalars["vectors"] == 2


def test_effective_rank_is_one_for_one_direction_and_the_width_for_all_equally() -> None:
    assert effective_rank(np.outer([1.0, -2.0, 3.0], [4.0, 5.0])) == pytest.approx(1.0)
    assert effective_rank(np.eye(5) * 7) == pytest.approx(5.0)
    assert effective_rank(np.diag([3.0, 1.0])) == pytest.approx(0.75**-0.75 * 0.25**-0.25)
    assert effective_rank(np.zeros((3, 2))) == 0.0
    assert effective_rank(np.empty((0, 2))) == 0.0


@given(st.integers(2, 12), st.integers(2, 12), st.floats(1e-6, 1e6))
def test_effective_rank_lies_between_one_and_the_rank_and_knows_no_scale(n: int, d: int, scale: float) -> None:
    rows = drawn(n, d)
    found = effective_rank(rows)
    assert 1.0 <= found <= min(n, d) + 1e-9
    assert effective_rank(scale * rows) == pytest.approx(found)
    assert share_of_width(rows) == pytest.approx(found / min(n, d))


def test_one_row_has_no_share_of_a_width() -> None:
    assert np.isnan(share_of_width(np.ones((1, 5))))


@given(st.integers(1, 5000), st.integers(1, 300))
def test_positions_are_different_ascending_and_as_many_as_allowed(count: int, most: int) -> None:
    chosen = positions(count, most)
    assert len(chosen) == min(count, most)
    assert np.all(np.diff(chosen) > 0)
    assert chosen[0] >= 0
    assert chosen[-1] < count


@pytest.mark.parametrize("period", [2, 8, 16, 50])
def test_every_frame_of_flattened_videos_is_sampled_alike(period: int) -> None:
    residues = np.bincount(positions(8192 * period, 4096) % period, minlength=period)
    assert residues.min() >= 4096 // period
    assert residues.max() <= 4096 // period + 1


@given(st.integers(20, 5000), st.integers(10, 100))
def test_no_stretch_is_left_out(count: int, most: int) -> None:
    chosen = positions(count, most)
    assert np.diff(chosen, prepend=-1, append=count).max() <= 4 * count / most + 2


def test_a_tensor_is_thinned_as_an_array_is() -> None:
    values = drawn(100, 7)
    assert np.array_equal(thinned(torch.tensor(values), 9).numpy(), thinned(values, 9))
    assert thinned(values, 100) is values
    assert sample(drawn(400, 300)).shape == (256, 256)
