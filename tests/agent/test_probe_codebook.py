"""What the codebook probe counts, over which window, and what it refuses."""

from __future__ import annotations

import random
from collections import Counter

import numpy as np
import pytest
import torch

from bedside.probes.codebook import Codebook, count, count_on_device, usage
from bedside_protocol.records import Snapshot


def measured(codes: Codebook) -> Snapshot:
    snapshot = codes.measure(50)
    assert snapshot is not None
    return snapshot


@pytest.fixture
def problems() -> Counter[str]:
    return Counter()


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
