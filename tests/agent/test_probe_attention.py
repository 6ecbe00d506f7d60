"""What the attention probe makes of weights and of projections, and what it refuses."""

from __future__ import annotations

import gc
import math
import weakref
from collections import Counter
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq
from scipy.special import softmax
from scipy.stats import entropy
from torch import Tensor

from bedside.probes.attention import Attention
from bedside_protocol.records import Snapshot


@pytest.fixture
def attention(problems: Counter[str]) -> Attention:
    probe = Attention("heads")
    probe.attach(lambda text: problems.update([text]))
    return probe


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def measured(probe: Attention) -> Snapshot:
    snapshot = probe.measure(50)
    assert snapshot is not None
    return snapshot


def causal_mask(n: int) -> Tensor:
    return torch.ones(n, n, dtype=torch.bool).tril()


def test_uniform_attention_over_257_keys_has_all_the_entropy_there_is(attention: Attention) -> None:
    attention.observe(torch.full((2, 4, 16, 257), 1 / 257))
    scalars = measured(attention).scalars
    assert scalars["entropy"] == pytest.approx(1.0, abs=1e-5)
    assert scalars["keys"] == 257
    assert scalars["largest"] == pytest.approx(0.00389, abs=1e-5)
    assert scalars["uniform"] == 1.0
    assert scalars["invalid"] == 0


def test_a_healthy_head_of_the_post_mortem_is_told_from_its_uniform_twin(attention: Attention) -> None:
    ranks = np.linspace(-2, 2, 257)
    sharpness = brentq(lambda t: entropy(softmax(t * ranks)) - 5.28, 0, 5)  # nats; the uniform twin had 5.548 of 5.55
    healthy = torch.tensor(softmax(sharpness * ranks)).expand(1, 1, 8, 257)
    attention.observe(healthy)
    scalars = measured(attention).scalars
    assert scalars["entropy"] == pytest.approx(0.951, abs=1e-3)
    assert scalars["uniform"] == 0.0
    attention.observe(torch.tensor(softmax(0.05 * ranks)).expand(1, 1, 8, 257))
    scalars = measured(attention).scalars
    assert scalars["entropy"] > 0.999
    assert scalars["uniform"] == 1.0


def test_a_query_too_small_for_its_keys_attends_uniformly_and_a_deep_one_does_not(attention: Attention) -> None:
    k = drawn(2, 4, 64, 16)
    attention.observe(q=0.02 * drawn(2, 4, 8, 16, seed=1), k=k)
    sick = measured(attention).scalars
    attention.observe(q=2.0 * drawn(2, 4, 8, 16, seed=1), k=k)
    healthy = measured(attention).scalars
    assert (sick["uniform"], healthy["uniform"]) == (1.0, 0.0)
    assert sick["entropy"] > 0.9999
    assert healthy["entropy"] < 0.8
    assert healthy["largest"] > 4 * sick["largest"]
    assert healthy["logit"] == pytest.approx(100 * sick["logit"], rel=1e-4)


@settings(max_examples=40)
@given(st.integers(1, 3), st.integers(1, 4), st.integers(1, 6), st.integers(2, 9), st.integers(0, 1000))
def test_entropy_and_largest_weight_are_scipys(batch: int, heads: int, queries: int, keys: int, seed: int) -> None:
    attention = Attention("heads")
    weights = (2 * drawn(batch, heads, queries, keys, seed=seed)).softmax(-1)
    attention.observe(weights)
    snapshot = measured(attention)
    exact = entropy(weights.double().numpy(), axis=-1) / math.log(keys)
    assert snapshot.scalars["entropy"] == pytest.approx(exact.mean(), abs=1e-5)
    assert snapshot.arrays["entropy"].values[0] == pytest.approx(exact.mean(axis=(0, 2)), abs=1e-5)
    assert snapshot.arrays["largest"].values[0] == pytest.approx(weights.amax(-1).mean((0, 2)).numpy(), abs=1e-6)
    assert snapshot.scalars["entropy_min"] == pytest.approx(exact.mean(axis=(0, 2)).min(), abs=1e-5)
    assert snapshot.scalars["entropy_max"] == pytest.approx(exact.mean(axis=(0, 2)).max(), abs=1e-5)
    assert snapshot.scalars["rows"] == batch * heads * queries


@pytest.mark.parametrize("how", ["plain", "causal", "bool mask", "float mask", "key padding", "scaled"])
def test_projections_give_what_their_softmax_gives(attention: Attention, how: str) -> None:
    q, k = drawn(3, 2, 10, 8), drawn(3, 2, 10, 8, seed=1)
    padding = torch.arange(10) < torch.tensor([10, 7, 4])[:, None]
    masks: dict[str, dict[str, Any]] = {
        "plain": {},
        "causal": {"causal": True},
        "bool mask": {"mask": causal_mask(10)},
        "float mask": {"mask": drawn(2, 10, 10, seed=2).masked_fill(~causal_mask(10), -torch.inf)},
        "key padding": {"mask": padding[:, None, None]},
        "scaled": {"scale": 1.0},
    }
    options = masks[how]
    added = torch.zeros(3, 2, 10, 10)
    if options.get("causal"):
        added = added.masked_fill(~causal_mask(10), -torch.inf)
    if (mask := options.get("mask")) is not None:
        added = added + (mask if mask.is_floating_point() else torch.zeros(()).expand(mask.shape).masked_fill(~mask, -torch.inf))
    weights = (q @ k.transpose(-1, -2) * options.get("scale", 8**-0.5) + added).softmax(-1)
    attention.observe(q=q, k=k, **options)
    from_projections = measured(attention).scalars
    attention.observe(weights, options.get("mask"), causal=options.get("causal", False))
    from_weights = measured(attention).scalars
    assert from_weights["invalid"] == 0
    for field in from_weights:
        assert from_projections[field] == pytest.approx(from_weights[field], abs=1e-5), field
    logits = (q @ k.transpose(-1, -2) * options.get("scale", 8**-0.5)).masked_fill(added == -torch.inf, -torch.inf)
    assert from_projections["logit"] == pytest.approx(logits.max().item(), abs=1e-5)
    assert "logit" not in from_weights


def test_each_row_is_measured_against_its_own_allowed_keys(attention: Attention) -> None:
    mask = causal_mask(6)
    attention.observe((mask / mask.sum(-1, keepdim=True))[None], mask)
    scalars = measured(attention).scalars
    assert scalars["entropy"] == pytest.approx(1.0, abs=1e-6)
    assert scalars["rows"] == 5  # the first query may attend one key alone, which says nothing
    assert scalars["keys"] == pytest.approx(np.mean([2, 3, 4, 5, 6]))


def test_large_negative_numbers_in_a_float_mask_block_as_infinity_does(attention: Attention) -> None:
    mask = torch.zeros(5, 5).masked_fill(~causal_mask(5), torch.finfo(torch.float32).min)
    q, k = drawn(1, 1, 5, 4), drawn(1, 1, 5, 4, seed=1)
    attention.observe(q=q, k=k, mask=mask)
    lowest = measured(attention).scalars
    attention.observe(q=q, k=k, causal=True)
    assert lowest == pytest.approx(measured(attention).scalars)


def test_the_latest_queries_of_a_cache_see_all_keys_up_to_their_own_place(attention: Attention) -> None:
    attention.observe(q=torch.zeros(1, 1, 2, 4), k=torch.zeros(1, 1, 5, 4), causal=True)
    assert measured(attention).scalars["keys"] == pytest.approx((4 + 5) / 2)


def test_grouped_queries_share_their_keys(attention: Attention) -> None:
    q, k = drawn(2, 6, 5, 4), drawn(2, 3, 7, 4, seed=1)
    attention.observe(q=q, k=k)
    grouped = measured(attention)
    attention.observe(q=q, k=k.repeat_interleave(2, 1))
    assert grouped == measured(attention)
    assert grouped.arrays["entropy"].values.shape == (1, 6)


def test_a_row_for_each_layer_a_column_for_each_head(attention: Attention) -> None:
    attention.observe(torch.eye(4).expand(1, 2, 4, 4), layer="decoder.0")
    attention.observe(torch.full((1, 3, 4, 4), 0.25), layer=1)
    snapshot = measured(attention)
    matrix = snapshot.arrays["entropy"]
    assert (matrix.meaning, matrix.rows, matrix.labels) == ("matrix", ("decoder.0", "1"), ("0", "1", "2"))
    assert matrix.values == pytest.approx(np.array([[0, 0, np.nan], [1, 1, 1]]), nan_ok=True)
    assert snapshot.scalars["uniform"] == pytest.approx(3 / 5)
    assert snapshot.scalars["entropy_min"] == 0.0
    assert "logit" not in snapshot.arrays


def test_observations_of_a_layer_in_one_step_are_averaged_and_told_once(attention: Attention) -> None:
    attention.observe(torch.eye(4)[None])
    attention.observe(torch.full((1, 4, 4), 0.25))
    snapshot = measured(attention)
    assert snapshot.scalars["entropy"] == pytest.approx(0.5)
    assert snapshot.scalars["rows"] == 8
    assert attention.measure(51) is None


def test_the_largest_logit_of_a_step_is_told_whichever_observation_it_was_in(attention: Attention) -> None:
    for size in (1.0, 5.0, 2.0):
        attention.observe(q=torch.full((1, 1, 3, 4), size), k=torch.ones(1, 1, 3, 4))
    snapshot = measured(attention)
    assert snapshot.scalars["logit"] == pytest.approx(10.0)
    assert snapshot.arrays["logit"].values.tolist() == [[10.0]]


def test_of_long_sequences_some_rows_are_read_and_the_entropy_is_nearly_the_same(attention: Attention) -> None:
    weights = (2 * drawn(9, 2, 500, 300)).softmax(-1)
    attention.observe(weights)
    scalars = measured(attention).scalars
    assert scalars["rows"] == 4 * 2 * 64
    exact = entropy(weights.double().numpy(), axis=-1).mean() / math.log(300)
    assert scalars["entropy"] == pytest.approx(exact, abs=0.005)


def test_a_context_of_any_length_costs_a_bounded_number_of_weights(attention: Attention) -> None:
    attention.observe(q=drawn(2, 16, 4096, 4), k=drawn(2, 16, 32768, 4, seed=1), causal=True)
    assert measured(attention).scalars["rows"] <= 64


def test_a_mask_is_applied_to_the_rows_it_belongs_to(attention: Attention) -> None:
    allowed = torch.rand(9, 5, 1, 200, 30, generator=torch.Generator().manual_seed(3)) < 0.5
    allowed[..., :2] = True
    attention.observe((allowed / allowed.sum(-1, keepdim=True)).expand(9, 5, 2, 200, 30), allowed)
    scalars = measured(attention).scalars
    assert (scalars["invalid"], scalars["rows"]) == (0, 4 * 2 * 64)
    assert scalars["entropy"] == pytest.approx(1.0, abs=1e-5)


def test_a_mask_the_wrong_way_round_is_told_as_invalid(attention: Attention, problems: Counter[str]) -> None:
    attention.observe((causal_mask(8) / causal_mask(8).sum(-1, keepdim=True))[None], ~causal_mask(8))
    scalars = measured(attention).scalars
    assert scalars["invalid"] == 6
    assert "entropy" not in scalars
    ((text, _),) = problems.items()
    assert text.startswith("probe heads: attention above the entropy")


def test_entropy_above_that_of_the_allowed_keys_is_invalid(attention: Attention) -> None:
    mask = torch.ones(1, 4, dtype=torch.bool)
    mask[:, 2:] = False
    attention.observe(torch.full((1, 1, 4), 0.25), mask)
    assert measured(attention).scalars["invalid"] == 1


@pytest.mark.parametrize("weights", [torch.zeros(1, 2, 3), torch.full((1, 2, 3), 0.5), torch.tensor([[[2.0, -1.0], [-0.5, 1.5]]])])
def test_weights_that_do_not_sum_to_one_are_invalid(attention: Attention, problems: Counter[str], weights: Tensor) -> None:
    attention.observe(weights)
    scalars = measured(attention).scalars
    assert (scalars["invalid"], scalars["rows"]) == (2, 0)
    assert "do not sum to 1" in next(iter(problems))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_weights_in_16_bits_are_valid_however_they_are_rounded(attention: Attention, dtype: torch.dtype) -> None:
    for keys in range(250, 300, 7):  # some are rounded up, all in a row alike
        attention.observe(torch.full((1, 1, 2, keys), 1 / keys, dtype=dtype))
    attention.observe((3 * drawn(2, 1, 40, 300)).softmax(-1).to(dtype))
    scalars = measured(attention).scalars
    assert scalars["invalid"] == 0
    assert 0 < scalars["entropy"] < 1


def test_under_autocast_logits_are_those_of_full_precision(attention: Attention) -> None:
    q, k = 30 * drawn(1, 2, 5, 16), drawn(1, 2, 9, 16, seed=1)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        attention.observe(q=q, k=k)
    assert measured(attention).scalars["logit"] == pytest.approx((q @ k.transpose(-1, -2) / 4).max().item(), rel=1e-6)


def test_nan_logits_are_counted_left_out_and_said(attention: Attention, problems: Counter[str]) -> None:
    q, k = drawn(1, 1, 4, 8), drawn(1, 1, 6, 8, seed=1)
    q[0, 0, 1, 0] = float("nan")
    attention.observe(q=q, k=k)
    scalars = measured(attention).scalars
    assert (scalars["nonfinite"], scalars["rows"], scalars["invalid"]) == (1, 3, 0)
    expected = entropy(torch.softmax(q @ k.transpose(-1, -2) / 8**0.5, -1)[0, 0, [0, 2, 3]].double().numpy(), axis=-1)
    assert scalars["entropy"] == pytest.approx(expected.mean() / math.log(6), abs=1e-5)
    assert math.isfinite(scalars["logit"])
    assert list(problems) == ["probe heads: NaN or infinity in attention: those rows are left out"]


def test_rows_that_may_attend_nothing_are_padding_and_no_failure(attention: Attention, problems: Counter[str]) -> None:
    mask = torch.ones(4, 4, dtype=torch.bool)
    mask[3] = False
    weights = torch.zeros(4, 4).masked_fill(~mask, -torch.inf).softmax(-1)
    assert weights[3].isnan().all()
    attention.observe(weights, mask)
    scalars = measured(attention).scalars
    assert (scalars["nonfinite"], scalars["rows"]) == (0, 3)
    assert not problems


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "either attention weights, or q and k"),
        ({"q": drawn(1, 2, 3)}, "either attention weights, or q and k"),
        ({"k": drawn(1, 2, 3)}, "either attention weights, or q and k"),
        ({"weights": drawn(1, 2, 3), "q": drawn(1, 2, 3), "k": drawn(1, 2, 3)}, "either attention weights, or q and k"),
        ({"weights": torch.ones(5)}, "has the dimensions"),
        ({"weights": torch.empty(2, 0, 4, 4)}, "without rows"),
        ({"weights": torch.ones(2, 2, dtype=torch.long)}, "floating-point numbers"),
        ({"weights": "even"}, "numbers were expected"),
        ({"weights": torch.ones(2, 2, dtype=torch.complex64)}, "floating-point numbers"),
        ({"weights": torch.ones(1, 2, 3, 4), "mask": torch.ones(3, 3, dtype=torch.bool)}, "must broadcast"),
        ({"weights": torch.ones(1, 2, 3, 4), "mask": torch.ones(3, 4, dtype=torch.long)}, "a mask is bool"),
        ({"weights": torch.ones(1, 2, 3, 4), "mask": object()}, "cannot be read"),
        ({"q": drawn(1, 2, 3, 4), "k": drawn(1, 2, 3, 5)}, "do not fit"),
        ({"q": drawn(1, 3, 3, 4), "k": drawn(1, 2, 3, 4)}, "do not fit"),
        ({"q": drawn(2, 2, 3, 4), "k": drawn(1, 2, 3, 4)}, "do not fit"),
    ],
)
def test_what_is_no_attention_is_said_by_name(attention: Attention, problems: Counter[str], given: dict[str, Any], said: str) -> None:
    for _ in range(2):
        attention.observe(**given)
    assert attention.measure(1) is None
    ((text, times),) = problems.items()
    assert text.startswith("probe heads: ")
    assert said in text
    assert times == 2


def test_a_layer_whose_heads_change_within_a_step_is_said(attention: Attention, problems: Counter[str]) -> None:
    attention.observe(torch.full((1, 2, 3, 3), 1 / 3))
    attention.observe(torch.full((1, 4, 3, 3), 1 / 3))
    assert "another number of heads" in next(iter(problems))
    assert measured(attention).arrays["entropy"].values.shape == (1, 2)


def test_layers_named_anew_at_every_step_do_not_fill_the_memory(attention: Attention, problems: Counter[str]) -> None:
    for step in range(1030):
        attention.observe(torch.full((1, 2, 2), 0.5), layer=f"step {step}")
    assert "more layers than any model" in next(iter(problems))
    assert len(measured(attention).arrays["entropy"].rows) == 1024


@pytest.mark.parametrize("weights", [[[0.5, 0.5], [1.0, 0.0]], np.array([[0.5, 0.5], [1.0, 0.0]], np.float32)])
def test_arrays_and_lists_are_one_head(attention: Attention, weights: object) -> None:
    attention.observe(weights, np.ones((2, 2), bool))
    assert measured(attention).scalars["entropy"] == pytest.approx(0.5)


def test_between_measurements_nothing_is_looked_at(attention: Attention) -> None:
    attention.armed = False
    attention.observe(object())
    assert attention.measure(1) is None


def test_what_was_observed_and_its_graph_are_not_kept(attention: Attention) -> None:
    q = drawn(1, 1, 3, 4).requires_grad_() * 2
    attention.observe(q=q, k=q)
    weights = (q @ q.transpose(-1, -2)).softmax(-1)
    attention.observe(weights)
    held = weakref.ref(q), weakref.ref(weights)
    del q, weights
    gc.collect()
    assert [one() for one in held] == [None, None]
    assert measured(attention).scalars["rows"] == 6


def test_observing_draws_no_random_numbers(attention: Attention) -> None:
    q = drawn(8, 2, 100, 4)
    before = torch.get_rng_state(), np.random.get_state()[1].copy()
    attention.observe(q=q, k=q)
    attention.measure(1)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert np.array_equal(np.random.get_state()[1], before[1])


def test_inside_a_compiled_region_nothing_is_read_and_the_graph_stays_whole(attention: Attention) -> None:
    @torch.compile(backend="eager", fullgraph=True)
    def forward(x: Tensor) -> Tensor:
        attention.observe(x, causal=True, layer=0)
        return x + 1

    assert forward(torch.zeros(2, 2)).sum() == 4
    assert attention.measure(1) is None


@pytest.mark.parametrize("reentrant", [False, True])
def test_a_forward_recomputed_in_the_backward_pass_is_seen_once(attention: Attention, reentrant: bool) -> None:
    def forward(x: Tensor) -> Tensor:
        attention.observe(q=x, k=x)
        return x.sin()

    x = drawn(1, 1, 3, 4).requires_grad_()
    torch.utils.checkpoint.checkpoint(forward, x, use_reentrant=reentrant).sum().backward()
    assert measured(attention).scalars["rows"] == 3


def test_attention_of_torchs_own_module_is_read(attention: Attention) -> None:
    torch.manual_seed(0)
    module = torch.nn.MultiheadAttention(16, 4, batch_first=True)
    x = drawn(2, 6, 16)
    blocked = torch.ones(6, 6, dtype=torch.bool).triu(1)
    _, weights = module(x, x, x, attn_mask=blocked, average_attn_weights=False)
    attention.observe(weights, ~blocked)
    scalars = measured(attention).scalars
    assert (scalars["invalid"], scalars["rows"], scalars["keys"]) == (0, 2 * 4 * 5, 4)
