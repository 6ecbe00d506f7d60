"""A model held at a checkpoint's weights: whatever its training loop does, every forward meets the same ones."""

from __future__ import annotations

import copy

import torch
from torch import nn

from bedside.held_weights import HeldWeights


def net() -> nn.Sequential:
    return nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Linear(3, 1))


def state_of(model: nn.Module) -> dict[str, torch.Tensor]:
    return copy.deepcopy(model.state_dict())


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(value, other[name]) for name, value in one.items())


def test_parameters_and_buffers_that_training_moved_come_back_to_the_last_bit() -> None:
    model = net()
    before = state_of(model)
    held = HeldWeights(model)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
    for _ in range(3):
        model(torch.randn(8, 2)).sum().backward()
        optimizer.step()
    assert not same(before, model.state_dict())
    assert held.write_back() == []
    assert same(before, model.state_dict())


def test_after_a_step_only_what_its_optimizer_moved_is_put_back_and_a_waiting_backward_still_runs() -> None:
    """As in a GAN whose losses are made before either player steps."""
    model = net()
    held = HeldWeights(model)
    first = torch.optim.SGD(model[2].parameters(), lr=0.1)
    output = model(torch.randn(8, 2))
    hidden = model[1](model[0](torch.randn(8, 2)))
    (output**2).sum().backward()
    first.step()
    moved = held.moved(first)
    held.after_step(first)
    hidden.sum().backward()
    assert moved == ["2.weight", "2.bias"]
    assert held.moved(first) == []


def test_a_buffer_that_the_script_replaced_is_put_back_under_its_name() -> None:
    model = net()
    held = HeldWeights(model)
    model[1].running_mean = torch.full((3,), 7.0)
    assert held.write_back() == []
    assert model[1].running_mean.tolist() == [0.0, 0.0, 0.0]


def test_weights_that_are_gone_or_have_another_shape_are_named() -> None:
    model = net()
    held = HeldWeights(model)
    model[0] = nn.Linear(2, 5)
    del model[2]
    assert held.write_back() == ["0.weight", "0.bias", "2.weight", "2.bias"]


def test_the_first_batch_has_a_digest_by_which_others_are_compared() -> None:
    first, again, other = (HeldWeights(net()) for _ in range(3))
    batch = torch.randn(8, 2)
    for held, given in ((first, batch), (again, batch.clone()), (other, batch + 1e-3)):
        held.model(given)
    first.model(batch + 1)
    assert first.data == again.data != other.data
    assert len(first.data) == 16
