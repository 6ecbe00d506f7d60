"""What the codebook probe counts, over which window, and what it refuses."""

from __future__ import annotations

import gc
import random
import weakref
from collections import Counter
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import pdist, squareform

from bedside.probes.codebook import Codebook
from bedside.probes.codebook_usage import count, count_heads, count_on_device, geometry, overlap, usage
from bedside_protocol.records import Snapshot


def measured(codes: Codebook) -> Snapshot:
    snapshot = codes.measure(50)
    assert snapshot is not None
    return snapshot


def test_the_numbers_are_those_of_the_formulas() -> None:
    counts = np.array([6, 3, 0, 1, 0, 0, 0, 0])
    p = np.array([0.6, 0.3, 0.1])
    found = usage(counts)
    assert found["used"] == 3
    assert found["dead"] == 5
    assert found["usage"] == pytest.approx(3 / 8)
    assert found["perplexity"] == pytest.approx(np.prod(p**-p))
    assert found["top1"] == pytest.approx(0.6)
    assert found["top10"] == pytest.approx(1.0)
    assert found["window"] == 10


def test_uniform_use_has_the_perplexity_of_the_size_and_one_code_has_one() -> None:
    assert usage(np.full(512, 7))["perplexity"] == pytest.approx(512)
    assert usage(np.eye(512, dtype=np.int64)[3])["perplexity"] == pytest.approx(1)


@pytest.mark.parametrize(
    "indices",
    [
        [[0, 1], [1, 3]],
        (0, 1, 1, 3),
        np.array([[0, 1, 1, 3]], np.uint8),
        np.array([0, 1, 1, 3], np.int32)[::-1],
        torch.tensor([[0, 1], [1, 3]]),
        torch.tensor([0, 1, 1, 3], dtype=torch.int16).reshape(1, 4, 1),
        torch.tensor([[0, 9], [1, 9], [1, 9], [3, 9]])[:, 0],
    ],
)
def test_indices_of_any_kind_and_shape_are_counted(indices: object) -> None:
    codes = Codebook("vq", 5)
    codes.observe(indices)
    assert measured(codes).arrays["usage"].values.tolist() == [1, 2, 0, 1, 0]


def test_the_window_slides_and_never_holds_less_than_it_should() -> None:
    codes = Codebook("vq", 4, window=100)
    for _ in range(100):
        codes.observe([0] * 5)
    for held in range(5, 96, 5):
        codes.observe([1] * 5)
        assert measured(codes).arrays["usage"].values.tolist() == [100 - held, held, 0, 0]
    codes.observe([1] * 7)
    assert measured(codes).scalars["window"] == 102
    assert measured(codes).scalars["used"] == 1


def test_the_window_is_twenty_assignments_a_code_unless_told() -> None:
    assert Codebook("vq", 512).settings() == {"size": 512, "window": 10_240}
    assert Codebook("vq", 512, window=99).settings()["window"] == 99


def test_a_batch_larger_than_the_window_is_counted_whole() -> None:
    codes = Codebook("vq", 4, window=10)
    codes.observe(np.repeat(np.arange(4), 100))
    codes.observe(np.zeros(50, np.int64))
    assert measured(codes).arrays["usage"].values.tolist() == [50, 0, 0, 0]


def test_nothing_observed_is_nothing_to_tell() -> None:
    assert Codebook("vq", 4).measure(50) is None


@pytest.mark.parametrize(
    ("indices", "said"),
    [
        ([0, 7, 1], "outside 0 … 3"),
        ([0, -1, 1], "outside 0 … 3"),
        (np.array([0, 2**63, 1], np.uint64), "outside 0 … 3"),
        (torch.tensor([0, 2**62, 1]), "outside 0 … 3"),
        ([0.0, 1.0], "integers, not float64"),
        ([float("nan")], "integers, not float64"),
        (torch.tensor([0.0]), "integers, not torch.float32"),
        (torch.tensor([True]), "integers, not torch.bool"),
        ([], "empty"),
        (torch.empty(0, 3, dtype=torch.long), "empty"),
        (None, "integers, not object"),
        ("codes", "integers"),
        ([[1], [2, 3]], "cannot be read"),
        ({0: 1}, "integers, not object"),
    ],
)
def test_what_is_no_index_is_said_by_name_and_left_out(problems: Counter[str], indices: object, said: str) -> None:
    codes = Codebook("vq", 4)
    codes.attach(lambda text: problems.update([text]))
    codes.observe([0, 1])
    for _ in range(3):
        codes.observe(indices)
    assert measured(codes).arrays["usage"].values.tolist()[2:] == [0, 0]
    (text,) = problems
    assert text.startswith("probe vq: ")
    assert said in text


def test_indices_outside_are_counted_as_ignored_and_those_beside_them_as_usual() -> None:
    codes = Codebook("vq", 4)
    codes.observe([0, 1, 4, -1, 3])
    snapshot = measured(codes)
    assert snapshot.scalars["ignored"] == 2
    assert snapshot.scalars["window"] == 3
    assert snapshot.arrays["usage"].values.tolist() == [1, 1, 0, 1]


@pytest.mark.parametrize("size", [0, -4, 2.5, "512", None])
def test_a_size_that_is_none_is_said_and_the_training_goes_on(problems: Counter[str], size: int) -> None:
    codes = Codebook("vq", size)
    codes.attach(lambda text: problems.update([text]))
    codes.observe([0])
    assert "whole number of codes" in next(iter(problems))


def test_counting_on_a_device_gives_what_counting_here_gives() -> None:
    batches = [torch.randint(-3, 40, (77,), generator=torch.Generator().manual_seed(seed)) for seed in (1, 2)]
    assert count_on_device(batches, 32).tolist() == count(batches, 32).tolist()
    assert count([], 3).tolist() == [0, 0, 0]


def test_indices_seen_under_inference_mode_count_like_others() -> None:
    codes = Codebook("vq", 4)
    with torch.inference_mode():
        codes.observe(torch.tensor([0, 1]))
    codes.observe(torch.tensor([1]))
    assert measured(codes).arrays["usage"].values.tolist() == [1, 2, 0, 0]


def test_a_batch_the_script_writes_to_afterwards_was_counted_as_it_was() -> None:
    codes, indices = Codebook("vq", 4), torch.tensor([1, 1])
    codes.observe(indices)
    indices.fill_(3)
    assert measured(codes).arrays["usage"].values.tolist() == [0, 2, 0, 0]


def test_a_size_may_be_any_integer_number() -> None:
    assert Codebook("vq", np.int64(64)).size == 64


def test_observing_draws_no_random_numbers() -> None:
    before = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()
    codes = Codebook("vq", 64)
    codes.observe(torch.arange(64))
    codes.measure(1)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert np.array_equal(np.random.get_state()[1], before[1])
    assert random.getstate() == before[2]


def test_inside_a_compiled_region_nothing_is_counted_and_the_graph_stays_whole() -> None:
    codes = Codebook("vq", 8)

    @torch.compile(backend="eager", fullgraph=True)
    def forward(indices: torch.Tensor) -> torch.Tensor:
        codes.observe(indices)
        return indices + 1

    assert forward(torch.tensor([1, 2])).tolist() == [2, 3]
    assert codes.measure(1) is None


def test_a_forward_recomputed_in_the_backward_pass_is_counted_once() -> None:
    codes = Codebook("vq", 8)

    def forward(x: torch.Tensor) -> torch.Tensor:
        codes.observe(torch.tensor([3]))
        return x.sin()

    x = torch.ones(2, requires_grad=True)
    torch.utils.checkpoint.checkpoint(forward, x, use_reentrant=False).sum().backward()
    assert measured(codes).arrays["usage"].values[3] == 1


def vectors(size: int, width: int = 4) -> torch.Tensor:
    return torch.randn(size, width, generator=torch.Generator().manual_seed(5))


@given(st.lists(st.integers(0, 3), min_size=6, max_size=6), st.lists(st.integers(0, 3), min_size=6, max_size=6))
def test_overlap_is_the_jaccard_index_of_the_used_sets(before: list[int], now: list[int]) -> None:
    first, second = ({code for code, n in enumerate(counts) if n} for counts in (before, now))
    expected = len(first & second) / len(first | second) if first | second else 1.0
    assert overlap(np.array(before), np.array(now)) == pytest.approx(expected)


def test_overlap_begins_with_the_second_snapshot_and_falls_when_other_codes_are_used() -> None:
    codes = Codebook("vq", 8, window=4)
    codes.observe([0, 1, 2, 3])
    assert "overlap" not in measured(codes).scalars
    assert measured(codes).scalars["overlap"] == 1.0
    codes.observe([3, 4, 5, 6])
    assert measured(codes).scalars["overlap"] == pytest.approx(1 / 7)


def test_distances_between_used_codes_are_scipys() -> None:
    embedding, counts = vectors(40).double().numpy(), np.arange(40) % 5
    used = np.flatnonzero(counts)
    apart = squareform(pdist(embedding[used]))
    found, near = geometry(counts, embedding)
    assert found["distance"] == pytest.approx(pdist(embedding[used]).mean())
    np.fill_diagonal(apart, np.inf)
    assert found["nearest"] == pytest.approx(apart.min(axis=0).mean())
    assert near == pytest.approx(dict(zip(used.tolist(), apart.min(axis=0).tolist(), strict=True)))
    assert counts[next(iter(near))] == 4


def test_of_many_codes_enough_are_compared_to_tell_the_mean() -> None:
    embedding = vectors(3000, 8).double().numpy()
    found, near = geometry(np.ones(3000, np.int64), embedding)
    assert found["distance"] == pytest.approx(pdist(embedding).mean(), rel=0.01)
    assert len(near) == 64


def test_codes_far_from_the_origin_and_close_together_keep_their_distances() -> None:
    embedding = 1e4 + np.array([[0.0, 0.0], [3e-3, 4e-3], [0.0, 0.0]])
    found, near = geometry(np.array([1, 1, 0]), embedding)
    assert found["distance"] == pytest.approx(5e-3, rel=1e-3)
    assert near[0] == pytest.approx(5e-3, rel=1e-3)


def test_codes_drawn_together_are_nearer_than_codes_spread_out() -> None:
    spread, collapsed = Codebook("a", 32, vectors(32)), Codebook("b", 32, 1e-3 * vectors(32) + 1)
    for codes in (spread, collapsed):
        codes.observe(torch.arange(32))
    assert measured(spread).scalars["nearest"] > 0.3
    assert measured(collapsed).scalars["nearest"] < 0.01
    assert measured(spread).arrays["near"].labels[:3] == ("0", "1", "2")


@pytest.mark.parametrize("given_as", ["tensor", "parameter", "module", "function", "array", "with a graph"])
def test_an_embedding_is_read_as_it_is_at_the_measurement(given_as: str) -> None:
    module = torch.nn.Embedding.from_pretrained(torch.zeros(4, 2))
    weight = module.weight
    embeddings = {
        "tensor": weight.data,
        "parameter": weight,
        "module": module,
        "function": lambda: weight.bfloat16(),
        "array": weight.data.numpy(),
        "with a graph": weight.requires_grad_().view(4, 2),
    }
    codes = Codebook("vq", 4, embeddings[given_as])
    codes.observe([0, 1])
    assert measured(codes).scalars["distance"] == 0.0
    with torch.no_grad():
        weight[1] = torch.tensor([3.0, 4.0])
    assert measured(codes).scalars["distance"] == pytest.approx(5.0)


def test_a_module_of_codes_that_is_gone_ends_the_distances_and_not_the_counts() -> None:
    module = torch.nn.Embedding(4, 2)
    codes = Codebook("vq", 4, module)
    codes.observe([0, 1])
    assert "distance" in measured(codes).scalars
    kept = weakref.ref(module)
    del module
    gc.collect()
    assert kept() is None
    assert "distance" not in measured(codes).scalars
    assert measured(codes).scalars["used"] == 2


@pytest.mark.parametrize(
    ("embedding", "said"),
    [
        (torch.zeros(3, 2), "a vector for each code"),
        (torch.zeros(2, 4), "a vector for each code"),
        (torch.zeros(4), "a vector for each code"),
        (torch.zeros(4, 2, dtype=torch.complex64), "complex"),
        (lambda: 1 / 0, "ZeroDivisionError"),
        ("codes", "AttributeError"),
    ],
)
def test_an_embedding_of_another_form_is_said_and_the_codes_are_counted(problems: Counter[str], embedding: Any, said: str) -> None:
    codes = Codebook("vq", 4, embedding)
    codes.attach(lambda text: problems.update([text]))
    codes.observe([0, 1])
    snapshot = measured(codes)
    assert snapshot.scalars["used"] == 2
    assert "distance" not in snapshot.scalars
    (text,) = problems
    assert text.startswith("probe vq: ")
    assert said in text


def test_vectors_that_are_no_numbers_are_counted_and_left_out() -> None:
    embedding = torch.tensor([[0.0, 0.0], [3.0, 4.0], [float("nan"), 0.0], [float("inf"), 1.0]])
    codes = Codebook("vq", 4, embedding)
    codes.observe([0, 1, 2, 3])
    scalars = measured(codes).scalars
    assert (scalars["nonfinite"], scalars["distance"]) == (2, pytest.approx(5.0))


def test_one_code_alone_has_no_distance() -> None:
    codes = Codebook("vq", 4, vectors(4))
    codes.observe([2, 2])
    snapshot = measured(codes)
    assert snapshot.scalars["used"] == 1
    assert "nearest" not in snapshot.scalars
    assert "near" not in snapshot.arrays


def test_of_several_heads_the_worst_speaks_and_each_is_told() -> None:
    codes = Codebook("rvq", 4, heads=3)
    codes.observe([[0, 1, 2, 3], [2, 2, 2, 2], [0, 1, 0, 1]])
    snapshot = measured(codes)
    assert snapshot.scalars["head"] == 1
    assert snapshot.scalars["used"] == 1
    assert snapshot.scalars["window"] == 4
    assert snapshot.arrays["usage"].values.tolist() == [0, 0, 4, 0]
    assert snapshot.arrays["used_by_head"].values.tolist() == [4, 1, 2]
    assert snapshot.arrays["used_by_head"].labels == ("0", "1", "2")
    assert snapshot.arrays["perplexity_by_head"].values == pytest.approx([4, 1, 2])


def test_heads_are_those_of_a_three_dimensional_embedding() -> None:
    embedding = torch.stack([vectors(4), torch.zeros(4, 4)])
    codes = Codebook("rvq", 4, lambda: embedding)
    assert codes.settings() == {"size": 4, "window": 80, "heads": 2}
    codes.observe(torch.tensor([[0, 1, 2, 3], [1, 2, 1, 2]]))
    assert measured(codes).scalars["distance"] == 0.0


def test_every_head_has_the_window_that_one_codebook_has() -> None:
    codes = Codebook("rvq", 4, heads=2, window=10)
    for code in (0, 1, 2, 3):
        codes.observe(np.full((2, 5), code))
    assert measured(codes).arrays["usage"].values.tolist() == [0, 0, 5, 5]


def test_an_index_outside_is_never_taken_for_a_code_of_the_next_head(problems: Counter[str]) -> None:
    codes = Codebook("rvq", 4, heads=2)
    codes.attach(lambda text: problems.update([text]))
    codes.observe([[0, 4], [-1, 1]])
    codes.observe(torch.tensor([[0, 5], [-4, 1]]))
    snapshot = measured(codes)
    assert snapshot.scalars["ignored"] == 4
    assert snapshot.arrays["used_by_head"].values.tolist() == [1, 1]
    assert "outside 0 … 3" in next(iter(problems))


@pytest.mark.parametrize("indices", [[0, 1, 2], 1, [[0, 1]], torch.zeros(4, 2, dtype=torch.long)])
def test_indices_without_a_dimension_of_heads_are_said(problems: Counter[str], indices: object) -> None:
    codes = Codebook("rvq", 4, heads=2)
    codes.attach(lambda text: problems.update([text]))
    codes.observe(indices)
    assert codes.measure(1) is None
    assert "heads as their first dimension" in next(iter(problems))


def test_a_number_of_heads_that_is_none_is_said(problems: Counter[str]) -> None:
    codes = Codebook("rvq", 4, heads=0)
    codes.attach(lambda text: problems.update([text]))
    codes.observe([0, 1])
    assert "whole number of heads" in next(iter(problems))
    assert measured(codes).scalars["used"] == 2


def test_heads_are_counted_alike_as_arrays_and_as_tensors() -> None:
    batches = [torch.randint(-2, 40, (3, 77), generator=torch.Generator().manual_seed(seed)) for seed in (1, 2)]
    each = [count([batch[head] for batch in batches], 32).tolist() for head in range(3)]
    assert count_heads(batches, 32, 3).tolist() == each
    assert count_heads([batch.numpy() for batch in batches], 32, 3).tolist() == each
