"""What the gradients probe reads around an optimizer's step, and that the step does not notice."""

from __future__ import annotations

import copy
import gc
from collections import Counter

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_  # bound before anything listens

from bedside.probes.gradients import Gradients
from bedside.probes.probe_set import ProbeSet
from bedside_protocol.records import Snapshot


class Net(nn.Module):
    """Everything that draws numbers or keeps state in training, and parameters that do not learn."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(6, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.3))
        self.head = nn.Linear(16, 3)
        self.idle = nn.Linear(2, 2)
        self.muted = nn.Parameter(torch.ones(4))
        self.forgotten = nn.Linear(3, 3)
        self.frozen = nn.Parameter(torch.ones(2), requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.forgotten(self.head(self.body(x))) + 0.0 * self.muted.sum()


@pytest.fixture
def net() -> Net:
    torch.manual_seed(0)
    return Net()


def optimizer_of(net: Net, kind: type[torch.optim.Optimizer] = torch.optim.SGD, **options: float) -> torch.optim.Optimizer:
    return kind([p for name, p in net.named_parameters() if not name.startswith("forgotten")], **{"lr": 0.1, **options})


def backward(net: nn.Module, scale: float = 1.0) -> None:
    net.zero_grad()
    (scale * net(torch.randn(8, 6, generator=torch.Generator().manual_seed(3))).pow(2).mean()).backward()


def one_step(net: Net, optimizer: torch.optim.Optimizer, probes: ProbeSet) -> Snapshot:
    backward(net)
    optimizer.step()
    (snapshot,) = probes.boundary(1, 1.0)
    return snapshot


def layers(snapshot: Snapshot, array: str) -> dict[str, float]:
    return dict(zip(snapshot.arrays[array].labels, snapshot.arrays[array].values.tolist(), strict=True))


def test_norms_are_torchs_own_by_layer_and_together(net: Net, probes: ProbeSet) -> None:
    optimizer = optimizer_of(net)
    probes.add(Gradients(net, optimizer))
    snapshot = one_step(net, optimizer, probes)
    expected = torch.cat([net.head.weight.grad.flatten(), net.head.bias.grad]).norm().item()
    assert layers(snapshot, "layer_norm")["head"] == pytest.approx(expected, rel=1e-5)
    stepped = [p for p in optimizer.param_groups[0]["params"] if p.grad is not None]
    total = torch.nn.utils.get_total_norm([p.grad for p in stepped]).item()
    assert snapshot.scalars["norm"] == pytest.approx(total, rel=1e-5)
    assert list(layers(snapshot, "layer_norm"))[:3] == ["(model)", "body.0", "body.1"]


def test_parameters_that_do_not_learn_are_named_at_step_one(net: Net, probes: ProbeSet) -> None:
    optimizer = optimizer_of(net)
    probes.add(Gradients(net, optimizer))
    snapshot = one_step(net, optimizer, probes)
    assert snapshot.step == 1
    assert snapshot.texts["none"] == ("idle.weight", "idle.bias")
    assert "muted" in snapshot.texts["zero"]
    assert snapshot.texts["unowned"] == ("forgotten.weight", "forgotten.bias")
    assert {name: snapshot.scalars[name] for name in ("none", "unowned", "nonfinite", "unchanged")} == {
        "none": 2, "unowned": 2, "nonfinite": 0, "unchanged": 0,
    }  # fmt: skip


def test_a_long_list_of_names_is_cut_and_its_count_is_not(probes: ProbeSet) -> None:
    model = nn.ModuleList(nn.Linear(2, 2) for _ in range(40))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    probes.add(Gradients(model, optimizer))
    optimizer.step()
    (snapshot,) = probes.boundary(1, 1.0)
    assert snapshot.scalars["none"] == 80
    assert len(snapshot.texts["none"]) == 50


def test_the_update_ratio_is_the_change_over_the_weight(net: Net, probes: ProbeSet) -> None:
    optimizer = optimizer_of(net, torch.optim.Adam)
    probes.add(Gradients(net, optimizer))
    before = copy.deepcopy(net.head)
    snapshot = one_step(net, optimizer, probes)
    old = torch.cat([before.weight.flatten(), before.bias]).detach()
    new = torch.cat([net.head.weight.flatten(), net.head.bias]).detach()
    assert layers(snapshot, "layer_update_ratio")["head"] == pytest.approx(((new - old).norm() / old.norm()).item(), rel=1e-4)
    ratios = snapshot.arrays["layer_update_ratio"].values
    assert snapshot.scalars["update_ratio_max"] == pytest.approx(np.nanmax(ratios))
    assert snapshot.scalars["update_ratio_median"] == pytest.approx(np.nanmedian(ratios))


def test_a_large_tensor_is_sampled_and_its_ratio_is_still_right(probes: ProbeSet) -> None:
    model = nn.Linear(700, 700, bias=False)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    probes.add(Gradients(model, optimizer))
    old = model.weight.detach().clone()
    model(torch.randn(4, 700)).pow(2).mean().backward()
    optimizer.step()
    (snapshot,) = probes.boundary(1, 1.0)
    exact = ((model.weight - old).norm() / old.norm()).item()
    assert snapshot.scalars["update_ratio_max"] == pytest.approx(exact, rel=0.05)


def test_weights_all_zero_have_no_ratio_and_do_not_bend_the_others(probes: ProbeSet) -> None:
    model = nn.Sequential(nn.Linear(6, 6), nn.Linear(6, 6, bias=False))
    nn.init.zeros_(model[1].weight)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    probes.add(Gradients(model, optimizer))
    (model(torch.ones(2, 6)) - 1).pow(2).mean().backward()
    optimizer.step()
    (snapshot,) = probes.boundary(1, 1.0)
    assert np.isnan(layers(snapshot, "layer_update_ratio")["1"])
    assert np.isfinite(snapshot.scalars["update_ratio_max"])


def test_a_learning_rate_of_zero_leaves_every_pushed_parameter_unchanged(net: Net, probes: ProbeSet) -> None:
    optimizer = optimizer_of(net, lr=0.0)
    probes.add(Gradients(net, optimizer))
    snapshot = one_step(net, optimizer, probes)
    assert "head.weight" in snapshot.texts["unchanged"]
    assert "muted" not in snapshot.texts["unchanged"]  # nothing pushed it


def test_norms_are_read_before_clipping_however_the_function_was_imported(net: Net, probes: ProbeSet) -> None:
    optimizer = optimizer_of(net)
    probes.add(Gradients(net, optimizer))
    backward(net, scale=50.0)
    own = [p for p in optimizer.param_groups[0]["params"] if p.grad is not None]
    total = clip_grad_norm_(own, 0.1).item()
    optimizer.step()
    (snapshot,) = probes.boundary(1, 1.0)
    assert total > 0.1
    assert snapshot.scalars["norm"] == pytest.approx(total, rel=1e-5)
    assert (snapshot.scalars["clipped"], snapshot.scalars["as_applied"]) == (1, 0)


def test_a_clipping_that_had_nothing_to_do_is_not_called_one(net: Net, probes: ProbeSet) -> None:
    optimizer = optimizer_of(net)
    probes.add(Gradients(net, optimizer))
    backward(net)
    clip_grad_norm_((p for p in net.parameters()), 1e6)
    optimizer.step()
    (snapshot,) = probes.boundary(1, 1.0)
    assert (snapshot.scalars["clipped"], snapshot.scalars["as_applied"]) == (0, 0)


def test_without_clipping_norms_are_labelled_as_applied(net: Net, probes: ProbeSet) -> None:
    optimizer = optimizer_of(net)
    probes.add(Gradients(net, optimizer))
    assert one_step(net, optimizer, probes).scalars["as_applied"] == 1


def test_clipping_gives_torchs_function_back_when_the_last_listener_leaves(net: Net) -> None:
    seam = torch.nn.utils.clip_grad._clip_grads_with_norm_
    optimizer = optimizer_of(net)
    first, second = Gradients(net, optimizer), Gradients(net, optimizer)
    assert torch.nn.utils.clip_grad._clip_grads_with_norm_ is not seam
    first.close()
    second.close()
    assert torch.nn.utils.clip_grad._clip_grads_with_norm_ is seam


def test_a_nonfinite_gradient_is_counted_named_and_left_out_of_the_norm(net: Net, probes: ProbeSet) -> None:
    optimizer = optimizer_of(net)
    probes.add(Gradients(net, optimizer))
    backward(net)
    net.head.bias.grad[0] = float("nan")
    optimizer.step()
    (snapshot,) = probes.boundary(1, 1.0)
    assert snapshot.texts["nonfinite"] == ("head.bias",)
    assert np.isfinite(snapshot.scalars["norm"])


def test_two_optimizers_are_judged_by_their_union(net: Net, probes: ProbeSet) -> None:
    first = torch.optim.SGD([*net.body.parameters(), *net.idle.parameters(), net.muted], lr=0.1)
    second = torch.optim.Adam([*net.head.parameters(), *net.forgotten.parameters()])
    probes.add(Gradients(net, first, second))
    backward(net)
    first.step()
    second.step()
    (snapshot,) = probes.boundary(1, 1.0)
    assert snapshot.scalars["unowned"] == 0
    assert snapshot.scalars["tensors"] == 11


def test_a_parameter_group_added_later_is_owned_from_then_on(net: Net, probes: ProbeSet) -> None:
    optimizer = optimizer_of(net)
    probes.add(Gradients(net, optimizer))
    assert one_step(net, optimizer, probes).scalars["unowned"] == 2
    optimizer.add_param_group({"params": list(net.forgotten.parameters())})
    backward(net)
    optimizer.step()
    (snapshot,) = probes.boundary(2, 1.0)
    assert snapshot.scalars["unowned"] == 0


def test_a_closure_is_judged_by_the_gradients_it_computed(net: Net, probes: ProbeSet) -> None:
    optimizer = optimizer_of(net)
    probes.add(Gradients(net, optimizer))

    def closure() -> Tensor:
        backward(net)
        return torch.zeros(())

    optimizer.step(closure)
    (snapshot,) = probes.boundary(1, 1.0)
    assert snapshot.texts["none"] == ("idle.weight", "idle.bias")
    assert snapshot.scalars["norm"] > 0


def test_with_a_scaler_the_norm_is_that_of_the_unscaled_gradients(probes: ProbeSet) -> None:
    for number, fused in enumerate((False, True), 1):
        torch.manual_seed(0)
        model = nn.Linear(6, 3)
        optimizer = torch.optim.Adam(model.parameters(), fused=fused)
        probes.add(Gradients(model, optimizer))
        scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
        loss = model(torch.ones(2, 6)).pow(2).mean()
        expected = torch.nn.utils.get_total_norm(torch.autograd.grad(loss, list(model.parameters()), retain_graph=True)).item()
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        snapshot = probes.boundary(number, 1.0)[-1]
        assert snapshot.scalars["norm"] == pytest.approx(expected, rel=1e-4)


def test_a_step_the_scaler_skipped_is_not_measured_and_the_next_one_is(probes: ProbeSet) -> None:
    model = nn.Linear(6, 3)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    probes.add(Gradients(model, optimizer))
    assert probes.boundary(1, 1.0) == []
    model(torch.ones(2, 6)).mean().backward()
    optimizer.step()
    assert [snapshot.step for snapshot in probes.boundary(2, 1.0)] == [2]


def test_sparse_and_sixteen_bit_gradients_are_read(probes: ProbeSet, problems: Counter[str]) -> None:
    table = nn.Embedding(10, 4, sparse=True)
    half = nn.Parameter(torch.full((4,), 200.0, dtype=torch.float16))
    model = nn.ParameterList([table.weight, half])
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    probes.add(Gradients(model, optimizer))
    (table(torch.tensor([1, 1, 3])).sum() + (half * 40_000.0).sum().float()).backward()
    optimizer.step()
    (snapshot,) = probes.boundary(1, 1.0)
    assert not problems
    assert snapshot.scalars["nonfinite"] == 0
    assert snapshot.scalars["norm"] == pytest.approx(80_000, rel=1e-3)


def test_a_model_that_is_gone_is_said_once(probes: ProbeSet, problems: Counter[str]) -> None:
    model = nn.Linear(2, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    probes.add(Gradients(model, optimizer))
    del model
    gc.collect()
    for step in range(1, 200):
        assert probes.boundary(step, 1.0) == []
    assert list(problems.values()) == [1]
    assert "model it watched is gone" in next(iter(problems))


def test_without_an_optimizer_it_says_what_to_call(net: Net, probes: ProbeSet, problems: Counter[str]) -> None:
    probes.add(Gradients(net))
    probes.boundary(1, 1.0)
    assert "run.watch(model, optimizer)" in next(iter(problems))


def test_names_are_bare_of_the_wrappers_of_torch(net: Net, probes: ProbeSet) -> None:
    optimizer = optimizer_of(net)
    wrapped = torch.compile(net, backend="eager")
    probes.add(Gradients(wrapped, optimizer))
    backward(net)
    optimizer.step()
    (snapshot,) = probes.boundary(1, 1.0)
    assert snapshot.texts["unowned"] == ("forgotten.weight", "forgotten.bias")


def test_between_scheduled_steps_nothing_is_read(net: Net, probes: ProbeSet) -> None:
    optimizer = optimizer_of(net)
    probe = Gradients(net, optimizer)
    probes.add(probe)
    armed = []
    for step in range(1, 52):
        armed.append(probe.armed)
        backward(net)
        optimizer.step()
        probes.boundary(step, 1.0)
    assert [step for step, fed in enumerate(armed, 1) if fed] == [1, 2, 5, 10, 20, 50]


def train(watched: bool) -> tuple[dict[str, Tensor], Tensor, list[Tensor | None]]:
    torch.manual_seed(7)
    net = Net()
    optimizer = torch.optim.AdamW(net.parameters(), lr=0.01)
    probes = ProbeSet(problem=pytest.fail)
    if watched:
        probes.add(Gradients(net, optimizer, every=3))
    for step in range(1, 61):
        net.zero_grad()
        net(torch.randn(8, 6)).pow(2).mean().backward()
        clip_grad_norm_(net.parameters(), 0.05)
        optimizer.step()
        probes.boundary(step, 10.0)
    probes.close()
    return net.state_dict(), torch.get_rng_state(), [parameter.grad for parameter in net.parameters()]


def test_weights_buffers_gradients_and_random_state_are_the_same_bit_for_bit_with_the_probe_on() -> None:
    (weights, random, gradients), (others, other_random, other_gradients) = train(watched=False), train(watched=True)
    assert all(torch.equal(weights[name], others[name]) for name in weights)
    assert torch.equal(random, other_random)
    for one, other in zip(gradients, other_gradients, strict=True):
        assert (one is None) == (other is None)
        assert one is None or torch.equal(one, other)
