"""What a module or a branch adds to what passes it, when it must not yet, and what the hook leaves alone."""

from __future__ import annotations

import copy
import gc
import io
import random
import weakref
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import bedside
from bedside.probes.contribution import Contribution, Epoch, finite_norms
from bedside.probes.probe import Gone
from bedside.probes.probe_set import ProbeSet
from bedside_protocol.records import Snapshot


class Branch(nn.Module):
    """x + gain · f(x), as an untrained module that joins a running network."""

    def __init__(self, gain: float) -> None:
        super().__init__()
        self.inner = nn.Linear(8, 8)
        self.gain = gain

    def forward(self, x: torch.Tensor, scale: float = 1.0) -> torch.Tensor:
        return x + scale * self.gain * self.inner(x)


def measured(probe: Contribution, step: int = 50) -> Snapshot:
    snapshot = probe.measure(step)
    assert snapshot is not None
    return snapshot


@pytest.fixture
def x() -> torch.Tensor:
    return torch.randn(5, 8, generator=torch.Generator().manual_seed(0))


def heard(probe: Contribution, problems: Counter[str]) -> Contribution:
    probe.attach(lambda text: problems.update([text]))
    return probe


def test_the_ratio_of_a_module_is_that_of_what_it_changes_to_what_came_in(x: torch.Tensor) -> None:
    branch = Branch(0.5)
    probe = Contribution("branch", branch)
    out = branch(x)
    expected = np.linalg.norm((out - x).detach().numpy()) / np.linalg.norm(x.numpy())
    assert measured(probe).scalars["ratio"] == pytest.approx(expected, rel=1e-5)


def test_an_identity_contributes_nothing_and_an_untrained_branch_much(x: torch.Tensor) -> None:
    gated, untrained = Branch(0.0), Branch(1.0)
    quiet, loud = Contribution("a", gated, inactive_until=500), Contribution("b", untrained, inactive_until=500)
    gated(x)
    untrained(x)
    assert measured(quiet).scalars["early"] == 0.0
    assert measured(loud).scalars["early"] > 0.1


def test_a_branch_that_is_no_module_is_fed_with_its_base_and_what_is_added() -> None:
    probe = Contribution("lora")
    probe.observe(base=torch.full((3, 4), 2.0), added=torch.full((3, 4), 0.02))
    assert measured(probe).scalars["ratio"] == pytest.approx(0.01)
    probe.observe(base=[[3.0, 4.0]], added=np.array([[0.0, 1.0]]))
    assert measured(probe).scalars["ratio"] == pytest.approx(0.2)
    probe.observe(base=torch.ones(6, 5, 4), added=torch.ones(5, 4))
    assert measured(probe).scalars["ratio"] == pytest.approx(1.0)


def test_calls_of_one_step_are_taken_together(x: torch.Tensor) -> None:
    probe = Contribution("lora")
    probe.observe(base=[3.0], added=[1.0])
    probe.observe(base=torch.tensor([4.0]), added=torch.tensor([0.0]))
    assert measured(probe).scalars["ratio"] == pytest.approx(1 / 5)
    assert probe.measure(51) is None


@pytest.mark.parametrize(("added", "ratio"), [(0.0, 0.0), (1.0, np.inf)])
def test_a_base_of_zeros_has_no_contribution_or_an_infinite_one(added: float, ratio: float) -> None:
    probe = Contribution("gate")
    probe.observe(base=torch.zeros(3), added=torch.full((3,), added))
    assert measured(probe).scalars["ratio"] == ratio


def test_it_must_be_an_identity_until_its_step() -> None:
    probe = Contribution("branch", inactive_until=100)
    found = {}
    for step in (1, 99, 100, 101):
        probe.observe(base=[1.0], added=[0.3])
        found[step] = measured(probe, step).scalars
    assert [found[step]["inactive"] for step in found] == [1, 1, 0, 0]
    assert [found[step]["early"] for step in found] == [0.3, 0.3, 0, 0]
    assert found[101]["ratio"] == 0.3


def test_it_must_be_an_identity_until_its_epoch_is_told() -> None:
    probe = Contribution("branch", inactive_until=bedside.epoch(5))
    inactive = []
    for number in (None, 0, 4, 5, 6):
        if number is not None:
            probe.epoch(number)
        probe.observe(base=[1.0], added=[0.3])
        inactive.append(measured(probe).scalars["inactive"])
    assert inactive == [1, 1, 1, 0, 0]
    assert probe.settings() == {"inactive_until": "epoch 5"}
    assert bedside.epoch(5) == Epoch(5)


def test_without_a_moment_to_wait_for_nothing_is_early() -> None:
    probe = Contribution("branch")
    probe.observe(base=[1.0], added=[0.3])
    assert measured(probe, 1).scalars == {"ratio": 0.3, "inactive": 0.0, "early": 0.0, "nonfinite": 0.0}
    assert probe.settings() == {}


@pytest.mark.parametrize("until", ["epoch 5", 2.5, True])
def test_a_moment_that_is_none_is_said(problems: Counter[str], until: Any) -> None:
    probe = heard(Contribution("branch", inactive_until=until), problems)
    assert "a step or bedside.epoch(n)" in next(iter(problems))
    probe.observe(base=[1.0], added=[0.3])
    assert measured(probe, 1).scalars["inactive"] == 0.0


def test_the_first_steps_are_measured_too(x: torch.Tensor) -> None:
    problems: list[str] = []
    probes, branch = ProbeSet(problems.append), Branch(1.0)
    probes.add(Contribution("branch", branch, inactive_until=bedside.epoch(1), every=50))
    steps, inactive = [], []
    for step in range(1, 101):
        if step == 51:
            probes.epoch(1)
        branch(x)
        for snapshot in probes.boundary(step, 10.0):
            steps.append(snapshot.step)
            inactive.append(snapshot.scalars["inactive"])
    assert steps == [1, 2, 5, 10, 50, 100]
    assert inactive == [1, 1, 1, 1, 1, 0]
    assert not problems


class Nested(nn.Module):
    def forward(self, state: dict[str, torch.Tensor], *, mask: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        return mask.sum(), [state["hidden"] * 3]


def test_the_first_tensors_of_equal_shape_are_found_in_whatever_holds_them() -> None:
    nested = Nested()
    probe = Contribution("nested", nested)
    nested({"hidden": torch.ones(2, 7), "none": torch.empty(0)}, mask=torch.ones(3))
    assert measured(probe).scalars["ratio"] == pytest.approx(2.0)
    attention = nn.MultiheadAttention(8, 2)
    probe = Contribution("attention", attention)
    attention(query=torch.ones(3, 1, 8), key=torch.ones(3, 1, 8), value=torch.ones(3, 1, 8))
    assert measured(probe).scalars["ratio"] > 0


def test_a_module_of_other_output_shape_is_said_once_with_what_to_do(problems: Counter[str]) -> None:
    layer = nn.Linear(8, 3)
    probe = heard(Contribution("head", layer), problems)
    for _ in range(3):
        layer(torch.ones(2, 8))
    assert list(problems) == ["probe head: the module has no input and output of equal shape: feed observe(base=, added=)"]
    assert probe.measure(50) is None


def test_half_precision_neither_overflows_nor_rounds_the_sum() -> None:
    probe = Contribution("wide")
    probe.observe(base=torch.full((1 << 16,), 500.0, dtype=torch.float16), added=torch.full((1 << 16,), 50.0, dtype=torch.bfloat16))
    assert measured(probe).scalars["ratio"] == pytest.approx(0.1, rel=1e-4)


def test_under_autocast_a_module_is_measured(x: torch.Tensor) -> None:
    branch = Branch(0.5)
    probe = Contribution("branch", branch)
    branch(x)
    full = measured(probe).scalars["ratio"]
    with torch.autocast("cpu", torch.bfloat16):
        branch(x)
    assert measured(probe).scalars["ratio"] == pytest.approx(full, rel=0.02)


def test_elements_that_are_no_numbers_are_counted_and_left_out() -> None:
    probe = Contribution("branch")
    for base, added in (([3.0, np.nan, 1.0], [1.5, 1.0, np.inf]), (torch.tensor([3.0, 2.0]), torch.tensor([1.5, np.nan]))):
        probe.observe(base=base, added=added)
    found = measured(probe).scalars
    assert (found["ratio"], found["nonfinite"]) == (pytest.approx(0.5), 3)


@pytest.mark.parametrize(
    ("base", "added", "said"),
    [
        (torch.ones(3), torch.ones(4), "same shape"),
        ([1.0, 2.0], [1.0, 2.0, 3.0], "same shape"),
        (torch.ones(0, 3), torch.ones(0, 3), "empty"),
        ([], [], "empty"),
        (torch.ones(3, dtype=torch.complex64), torch.ones(3), "complex"),
        ("base", "added", "numbers were expected"),
        (object(), [1.0], "numbers were expected"),
    ],
)
def test_what_cannot_be_compared_is_said_by_name_and_training_goes_on(
    problems: Counter[str], base: object, added: object, said: str
) -> None:
    probe = heard(Contribution("branch"), problems)
    for _ in range(2):
        probe.observe(base=base, added=added)
    (text,) = problems
    assert text.startswith("probe branch: ")
    assert said in text
    assert probe.measure(50) is None


def test_what_is_no_module_is_said(problems: Counter[str]) -> None:
    probe = heard(Contribution("branch", "decoder.3"), problems)  # type: ignore[arg-type]
    assert "a module was expected, not str" in next(iter(problems))
    assert probe.measure(50) is None


def test_the_module_is_held_weakly_and_its_end_is_told() -> None:
    branch = Branch(1.0)
    probe = Contribution("branch", branch)
    del branch
    gc.collect()
    with pytest.raises(Gone, match="the module it watched is gone"):
        probe.measure(50)


def test_a_copy_of_the_module_does_not_feed_the_probe_and_a_pickled_one_runs_without_it(x: torch.Tensor) -> None:
    branch = Branch(1.0)
    probe = Contribution("branch", branch)
    average = copy.deepcopy(branch)
    average(x)
    assert probe.measure(1) is None
    file = io.BytesIO()
    torch.save(branch, file)
    file.seek(0)
    assert torch.equal(torch.load(file, weights_only=False)(x), branch(x))
    assert measured(probe).scalars["ratio"] > 0


def test_a_closed_probe_takes_its_hook_back(x: torch.Tensor) -> None:
    branch = Branch(1.0)
    probe = Contribution("branch", branch)
    probe.close()
    probe.close()
    branch(x)
    assert not branch._forward_hooks
    assert probe.measure(1) is None


def test_nothing_is_read_between_scheduled_steps(x: torch.Tensor) -> None:
    branch = Branch(1.0)
    probe = Contribution("branch", branch)
    probe.armed = False
    branch(x)
    probe.observe(base=x, added=x)
    assert probe.measure(1) is None
    assert probe.feeding == 0.0


def test_the_hook_changes_neither_output_nor_gradients_nor_random_state_and_frees_the_graph(
    x: torch.Tensor, mark: Callable[[torch.Tensor], torch.Tensor]
) -> None:
    plain = nn.Sequential(Branch(1.0), nn.Dropout(0.5), nn.BatchNorm1d(8))
    watched = copy.deepcopy(plain)
    probe = Contribution("branch", watched[0])
    states = []
    for model in (plain, watched):
        torch.manual_seed(7)
        model(x).square().sum().backward()
        states.append(torch.get_rng_state())
    before = np.random.get_state()[1].copy(), random.getstate()
    marked = mark(x.clone().requires_grad_())
    graph = weakref.ref(marked.grad_fn)
    watched[0](marked)
    del marked
    gc.collect()
    assert graph() is None
    measured(probe)
    assert torch.equal(*states)
    for one, other in zip(plain.parameters(), watched.parameters(), strict=True):
        assert torch.equal(one.grad, other.grad)
    for one, other in zip(plain.buffers(), watched.buffers(), strict=True):
        assert torch.equal(one, other)
    assert np.array_equal(np.random.get_state()[1], before[0])
    assert random.getstate() == before[1]


def test_a_compiled_model_is_not_broken_and_the_probe_says_why_it_is_silent(problems: Counter[str], x: torch.Tensor) -> None:
    branch = Branch(1.0)
    probe = heard(Contribution("branch", branch), problems)
    compiled = torch.compile(nn.Sequential(branch, nn.ReLU()), backend="eager", fullgraph=True)
    probe.models = lambda: [compiled]
    assert torch.equal(compiled(x), torch.relu(branch.forward(x)))
    assert probe.measure(50) is None
    assert "a compiled module cannot be seen" in next(iter(problems))


@pytest.mark.parametrize("reentrant", [True, False])
def test_a_forward_recomputed_in_the_backward_pass_is_read_once(reentrant: bool, x: torch.Tensor) -> None:
    branch = Branch(1.0)
    probe = Contribution("branch", branch)
    x.requires_grad_()
    torch.utils.checkpoint.checkpoint(branch, x, use_reentrant=reentrant).sum().backward()
    assert len(probe._calls) == 1


def test_nothing_waits_for_the_device_where_norms_leave_out_what_is_no_number(
    x: torch.Tensor, unwaited: AbstractContextManager[Any]
) -> None:
    added = x.clone()
    added[0, :2] = torch.tensor([torch.nan, torch.inf])
    with unwaited:
        found = finite_norms(x, added)
    rest = added.flatten()[2:]
    assert [float(one) for one in found] == [pytest.approx(float(rest.norm())), pytest.approx(float(x.flatten()[2:].norm())), 2]
