"""What the divergence probe computes, which logits it takes, and what it leaves as it was."""

from __future__ import annotations

import random
import weakref
from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy.special import log_softmax, softmax
from scipy.stats import entropy

from bedside.probes.divergence import Divergence
from bedside_protocol.records import Snapshot


def measured(probe: Divergence) -> Snapshot:
    snapshot = probe.measure(50)
    assert snapshot is not None
    return snapshot


@pytest.fixture
def probe(problems: Counter[str]) -> Divergence:
    probe = Divergence("shift")
    probe.attach(lambda text: problems.update([text]))
    return probe


def logits(*shape: int, seed: int = 0, scale: float = 2.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0.0, scale, shape)


def test_the_numbers_are_those_of_scipy(probe: Divergence) -> None:
    p, q = logits(7, 3, 11), logits(7, 3, 11, seed=1)
    probe.observe(torch.tensor(p), torch.tensor(q))
    found = measured(probe).scalars
    shares = softmax(p, -1), softmax(q, -1)
    assert found["kl"] == pytest.approx(entropy(shares[0], shares[1], axis=-1).mean(), rel=1e-12)
    assert found["kl"] == pytest.approx(np.mean(np.sum(shares[0] * (log_softmax(p, -1) - log_softmax(q, -1)), -1)), rel=1e-12)
    assert found["entropy_p"] == pytest.approx(entropy(shares[0], axis=-1).mean(), rel=1e-12)
    assert found["entropy_q"] == pytest.approx(entropy(shares[1], axis=-1).mean(), rel=1e-12)
    assert found["agreement"] == pytest.approx((p.argmax(-1) == q.argmax(-1)).mean())
    assert (found["rows"], found["nonfinite"], found["infinite"]) == (21, 0, 0)


def test_the_same_prediction_has_no_divergence_and_another_offset_is_the_same_prediction(probe: Divergence) -> None:
    p = logits(20, 8)
    probe.observe(p, p + 1000.0)
    found = measured(probe).scalars
    assert 0.0 <= found["kl"] < 1e-12
    assert found["agreement"] == 1.0


def test_a_collapsed_prediction_is_told_from_a_healthy_one() -> None:
    teacher, healthy, collapsed = Divergence("t"), logits(400, 64), np.zeros((400, 64))
    collapsed[:, 5] = 20.0
    teacher.observe(healthy, healthy + logits(400, 64, seed=2, scale=0.1))
    near = measured(teacher).scalars
    teacher.observe(healthy, collapsed)
    far = measured(teacher).scalars
    assert near["kl"] < 0.02
    assert far["kl"] > 10
    assert near["agreement"] > 0.9
    assert far["agreement"] < 0.1
    assert near["entropy_q"] > 2
    assert far["entropy_q"] < 1e-5


def test_uniform_logits_have_the_entropy_of_all_classes_and_divergence_is_not_symmetric(probe: Divergence) -> None:
    certain = [[np.log(0.9), np.log(0.1)]]
    probe.observe([[0.0, 0.0]], certain)
    there = measured(probe).scalars
    probe.observe(certain, [[0.0, 0.0]])
    back = measured(probe).scalars
    assert there["entropy_p"] == pytest.approx(np.log(2))
    assert there["kl"] == pytest.approx(0.5 * np.log(0.5 / 0.9) + 0.5 * np.log(0.5 / 0.1))
    assert back["kl"] == pytest.approx(0.9 * np.log(0.9 / 0.5) + 0.1 * np.log(0.1 / 0.5))


def test_classes_masked_in_both_count_for_nothing(probe: Divergence) -> None:
    p, q = logits(9, 6), logits(9, 6, seed=1)
    probe.observe(p[:, :4], q[:, :4])
    bare = measured(probe).scalars
    p[:, 4:] = q[:, 4:] = -np.inf
    probe.observe(p, q)
    assert measured(probe).scalars == pytest.approx(bare)


def test_what_only_p_excludes_is_finite_and_what_only_q_excludes_is_counted_as_infinite(probe: Divergence) -> None:
    p, q = np.zeros((3, 4)), np.zeros((3, 4))
    p[0, 2:] = -np.inf
    q[1, 2:] = -np.inf
    probe.observe(p, q)
    found = measured(probe).scalars
    assert found["infinite"] == 1
    assert found["kl"] == pytest.approx((np.log(2) + 0.0) / 2)
    probe.observe(np.zeros((2, 4)), q[1:2].repeat(2, 0))
    assert measured(probe).scalars["kl"] == np.inf


def test_logits_far_apart_neither_overflow_nor_become_nan(probe: Divergence) -> None:
    probe.observe([[0.0, 5000.0]], [[5000.0, 0.0]])
    assert measured(probe).scalars["kl"] == pytest.approx(5000.0)


@pytest.mark.parametrize("worth", [np.nan, np.inf])
def test_rows_that_are_no_distribution_are_counted_and_left_out(probe: Divergence, worth: float) -> None:
    p, q = logits(6, 5), logits(6, 5, seed=1)
    probe.observe(p[2:], q[2:])
    clean = measured(probe).scalars
    p[0, 1], q[1, 3] = worth, worth
    probe.observe(p, q)
    found = measured(probe).scalars
    assert found["nonfinite"] == 2
    assert {**found, "nonfinite": 0} == pytest.approx(clean)


def test_where_no_row_is_left_there_is_nothing_but_the_count(probe: Divergence) -> None:
    probe.observe(np.full((2, 3), np.nan), np.full((2, 3), -np.inf))
    found = measured(probe).scalars
    assert (found["rows"], found["nonfinite"]) == (0, 2)
    assert np.isnan(found["kl"])


def test_many_rows_are_thinned_evenly(probe: Divergence) -> None:
    p = torch.zeros(100, 50_000)
    p[50:, 0] = 30.0
    probe.observe(p, torch.zeros_like(p))
    found = measured(probe).scalars
    assert 25 <= found["rows"] <= 32
    assert found["kl"] == pytest.approx(0.5 * np.log(50_000), rel=0.1)


def test_observations_of_one_step_are_taken_together_and_then_forgotten(probe: Divergence) -> None:
    probe.observe(logits(3, 5), logits(3, 5))
    probe.observe(logits(4, 5), logits(4, 5))
    assert measured(probe).scalars["rows"] == 7
    assert probe.measure(51) is None


@pytest.mark.parametrize(
    ("p", "q", "said"),
    [
        (np.zeros((2, 3)), np.zeros((2, 4)), "same shape"),
        (np.zeros((2, 3)), np.zeros((3, 3)), "same shape"),
        (1.0, 2.0, "last axis"),
        (np.zeros((0, 3)), np.zeros((0, 3)), "at least one row"),
        (torch.zeros(2, 0), torch.zeros(2, 0), "at least one row"),
        (torch.zeros(2, 3, dtype=torch.complex64), torch.zeros(2, 3), "complex"),
        ([["a"]], [["b"]], "numbers were expected"),
        ([[1.0], [1.0, 2.0]], [[1.0], [1.0, 2.0]], "cannot be read"),
        (None, None, "last axis"),
        (object(), object(), "last axis"),
    ],
)
def test_what_is_no_pair_of_logits_is_said_by_name_and_training_goes_on(
    probe: Divergence, problems: Counter[str], p: object, q: object, said: str
) -> None:
    for _ in range(2):
        probe.observe(p, q)
    (text,) = problems
    assert text.startswith("probe shift: ")
    assert said in text
    assert probe.measure(50) is None


def test_nothing_is_read_between_scheduled_steps(probe: Divergence) -> None:
    probe.armed = False
    probe.observe(logits(2, 3), logits(2, 3))
    assert probe.measure(50) is None
    assert probe.feeding == 0.0


def test_half_precision_is_read_in_double(probe: Divergence) -> None:
    p, q = torch.tensor(logits(8, 9)).bfloat16(), torch.tensor(logits(8, 9, seed=1)).half()
    probe.observe(p, q)
    expected = entropy(softmax(p.double().numpy(), -1), softmax(q.double().numpy(), -1), axis=-1).mean()
    assert measured(probe).scalars["kl"] == pytest.approx(expected, rel=1e-12)


def test_the_graph_is_free_and_no_random_number_is_drawn(probe: Divergence, mark: Callable[[torch.Tensor], torch.Tensor]) -> None:
    p = mark(torch.randn(4, 5, requires_grad=True))
    graph = weakref.ref(p.grad_fn)
    before = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()
    probe.observe(p, p * 2)
    del p
    assert graph() is None
    measured(probe)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert np.array_equal(np.random.get_state()[1], before[1])
    assert random.getstate() == before[2]


def test_inside_a_compiled_region_nothing_is_read_and_the_graph_stays_whole(probe: Divergence) -> None:
    @torch.compile(backend="eager", fullgraph=True)
    def forward(p: torch.Tensor) -> torch.Tensor:
        probe.observe(p, p)
        return p + 1

    assert forward(torch.zeros(1, 2)).tolist() == [[1, 1]]
    assert probe.measure(50) is None


def test_a_recomputed_forward_is_not_read_again(probe: Divergence) -> None:
    def forward(x: torch.Tensor) -> torch.Tensor:
        probe.observe(x, x)
        return x.sin()

    x = torch.ones(3, 2, requires_grad=True)
    torch.utils.checkpoint.checkpoint(forward, x, use_reentrant=False).sum().backward()
    assert measured(probe).scalars["rows"] == 3
