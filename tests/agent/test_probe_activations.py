"""What the activations probe reads of modules' outputs, when it does, and that the training does not notice."""

from __future__ import annotations

import copy
import gc
import io
import weakref
from collections import Counter
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from bedside.probes.activations import Activations
from bedside.probes.probe import Gone
from bedside.probes.probe_set import ProbeSet
from bedside_protocol.records import Snapshot


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def measured(probe: Activations) -> Snapshot:
    snapshot = probe.measure(50)
    assert snapshot is not None
    return snapshot


def column(snapshot: Snapshot, array: str) -> dict[str, float]:
    table = snapshot.arrays[array]
    assert table.meaning == "table"
    return dict(zip(table.labels, table.values.tolist(), strict=True))


def test_units_that_stay_at_zero_are_dead_and_the_worst_module_is_named() -> None:
    half, alive = nn.ReLU(), nn.ReLU()
    acts = Activations("acts", {"half": half, "alive": alive}, window=1)
    x = drawn(64, 8)
    half(x - torch.tensor([0.0, 99.0] * 4))
    alive(x)
    snapshot = measured(acts)
    assert snapshot.scalars["dead"] == pytest.approx(4 / 16)
    assert snapshot.scalars["dead_max"] == pytest.approx(0.5)
    assert column(snapshot, "dead") == {"half": 0.5, "alive": 0.0}


def test_a_unit_is_dead_only_if_it_was_so_over_the_whole_window() -> None:
    relu = nn.ReLU()
    acts = Activations("acts", [relu], window=3)
    rarely = torch.tensor([[1.0, -1.0, -1.0]])
    for x in (rarely, -rarely.abs(), rarely.flip(1)):
        relu(x)
        snapshot = measured(acts)
    assert snapshot.scalars["dead"] == pytest.approx(1 / 3)
    relu(rarely.flip(1))
    assert measured(acts).scalars["dead"] == pytest.approx(2 / 3)  # the step at which the first unit was alive has left the window


def test_no_unit_is_called_dead_by_few_samples() -> None:
    relu = nn.ReLU()
    acts = Activations("acts", relu, window=3)
    relu(-drawn(8, 4).abs())
    first = measured(acts)
    assert "dead" not in first.scalars
    assert np.isnan(first.arrays["dead"].values).all()
    relu(-drawn(1000, 4).abs())
    assert measured(acts).scalars["dead"] == 1.0


def test_a_healthy_network_is_told_from_one_whose_units_died() -> None:
    found = {}
    for bias in (0.0, -8.0):
        torch.manual_seed(0)
        net = nn.Sequential(nn.Linear(16, 64), nn.ReLU(), nn.Linear(64, 16))
        with torch.no_grad():
            net[0].bias.add_(bias)
        acts = Activations("acts", net[1], window=1)
        net(drawn(256, 16))
        found[bias] = measured(acts).scalars
    assert found[0.0]["dead"] < 0.02
    assert found[-8.0]["dead"] > 0.98
    assert found[0.0]["rank_min"] > 0.1 > found[-8.0]["rank_min"]


def test_numbers_that_are_none_are_counted_left_out_and_said(probes: ProbeSet, problems: Counter[str]) -> None:
    relu = nn.ReLU()
    acts = Activations("acts", relu, every=1, window=1)
    probes.add(acts)
    relu(torch.tensor([[1.0, float("nan")], [3.0, float("inf")], [2.0, 0.0]]))
    (snapshot,) = probes.boundary(1, 1.0)
    assert snapshot.scalars["nonfinite"] == 2
    assert snapshot.arrays["mean"].values[0] == pytest.approx(1.5)
    assert list(problems) == ["probe acts: NaN or infinity among outputs: they are counted and left out"]
    relu(torch.full((2, 2), float("nan")))
    (snapshot,) = probes.boundary(2, 1.0)
    assert np.isnan(snapshot.arrays["mean"].values[0])
    assert snapshot.scalars["dead"] == 0.0


def test_an_evaluation_is_not_mixed_into_a_training() -> None:
    net = nn.Sequential(nn.ReLU())
    acts = Activations("acts", net[0], window=1)
    net.eval()(torch.zeros(5, 2))
    net.train()(torch.ones(5, 2))
    net.eval()(torch.zeros(5, 2))
    assert measured(acts).arrays["mean"].values[0] == 1.0
    net(torch.zeros(5, 2))
    assert acts.measure(2) is None


def test_a_module_that_never_trains_is_read_all_the_same() -> None:
    frozen = nn.ReLU().eval()
    acts = Activations("acts", frozen)
    frozen(torch.ones(5, 2))
    assert measured(acts).arrays["mean"].values[0] == 1.0


def test_between_measurements_nothing_is_looked_at(probes: ProbeSet) -> None:
    relu = nn.ReLU()
    acts = Activations("acts", relu, every=10, window=1)
    probes.add(acts)
    seen = []
    for step in range(1, 31):
        relu(torch.full((4, 2), float(step)))
        seen += [snapshot.arrays["mean"].values[0] for snapshot in probes.boundary(step, 1.0)]
    assert seen == [10.0, 20.0, 30.0]


def test_modules_are_named_by_the_script_or_by_their_place_in_the_watched_model_or_by_their_type() -> None:
    net = nn.Sequential(nn.Linear(2, 2), nn.Sequential(nn.ReLU()))
    inner = nn.ModuleDict({"module": net})
    by_name, by_place, by_type = (
        Activations("acts", given)
        for given in ({"first": net[0], "second": net[1][0]}, [net[0], net[1][0]], iter([net[0], net[1][0], nn.ReLU().train()]))
    )
    by_place.models = lambda: (inner,)
    net(torch.ones(3, 2))
    assert measured(by_name).arrays["mean"].labels == ("first", "second")
    assert measured(by_place).arrays["mean"].labels == ("0", "1.0")
    assert measured(by_type).arrays["mean"].labels == ("Linear", "ReLU")


def test_modules_of_one_type_are_told_apart() -> None:
    acts = Activations("acts", layers := nn.ModuleList(nn.ReLU() for _ in range(3)))
    for layer in layers:
        layer(torch.ones(2, 2))
    assert measured(acts).arrays["mean"].labels == ("ReLU", "ReLU-2", "ReLU-3")


def test_a_module_given_twice_is_read_once() -> None:
    relu = nn.ReLU()
    assert Activations("acts", [relu, relu]).settings() == {"modules": 1, "window": 4}


@pytest.mark.parametrize("given", [None, 3, "relu", [nn.ReLU(), "relu"], {"relu": None}, []])
def test_what_is_no_module_is_said_and_what_is_one_is_read(probes: ProbeSet, problems: Counter[str], given: Any) -> None:
    probes.add(Activations("acts", given, every=1))
    if isinstance(given, list) and given:
        given[0](torch.ones(2, 2))
        (snapshot,) = probes.boundary(1, 1.0)
        assert snapshot.scalars["modules"] == 1
    else:
        assert probes.boundary(1, 1.0) == []
    assert all(text.startswith("probe acts: ") for text in problems)
    assert any("modules" in text for text in problems)


def test_when_its_modules_are_gone_the_probe_is(probes: ProbeSet, problems: Counter[str]) -> None:
    first, second = nn.ReLU(), nn.ReLU()
    acts = Activations("acts", [first, second], every=1)
    probes.add(acts)
    held = weakref.ref(first)
    del first
    gc.collect()
    assert held() is None
    second(torch.ones(2, 2))
    assert len(probes.boundary(1, 1.0)) == 1
    del second
    gc.collect()
    assert probes.boundary(2, 1.0) == []
    assert list(problems) == ["probe acts: the modules it looked at are gone; it is not measured any more"]
    with pytest.raises(Gone):
        acts.measure(3)


def test_closing_takes_the_hooks_back() -> None:
    relu = nn.ReLU()
    acts = Activations("acts", relu)
    assert len(relu._forward_hooks) == 1
    acts.close()
    assert len(relu._forward_hooks) == 0


def test_a_copy_of_a_model_feeds_nothing_and_a_pickle_of_it_loads() -> None:
    net = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
    acts = Activations("acts", net[1])
    buffer = io.BytesIO()
    torch.save(net, buffer)
    buffer.seek(0)
    for twin in (copy.deepcopy(net), torch.load(buffer, weights_only=False), nn.Sequential(net[0], copy.copy(net[1]))):
        assert twin(torch.ones(3, 2)).shape == (3, 2)
    assert acts.measure(1) is None
    net(torch.ones(3, 2))
    assert measured(acts).scalars["modules"] == 1


def test_what_was_seen_and_its_graph_are_not_kept() -> None:
    identity = nn.Identity()
    acts = Activations("acts", identity)
    leaf = drawn(3, 3).requires_grad_()
    out = identity(leaf * 2)
    held = weakref.ref(out), weakref.ref(leaf)
    del out, leaf
    gc.collect()
    assert [one() for one in held] == [None, None]
    assert measured(acts).scalars["modules"] == 1


def test_an_output_written_to_afterwards_was_read_as_it_was() -> None:
    net = nn.Sequential(nn.Identity(), nn.ReLU(inplace=True))
    acts = Activations("acts", net[0], window=1)
    net(-torch.ones(4, 3))
    snapshot = measured(acts)
    assert snapshot.arrays["mean"].values[0] == -1.0
    assert snapshot.scalars["dead"] == 0.0
    assert snapshot.scalars["rank_min"] == pytest.approx(1 / 3)


def test_training_is_the_same_to_the_bit_and_draws_no_other_random_numbers() -> None:
    def weights(watched: bool) -> list[Tensor]:
        torch.manual_seed(0)
        net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace=True), nn.Dropout(0.3), nn.Flatten(), nn.Linear(144, 3))
        acts = Activations("acts", list(net), every=1) if watched else None
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        for step in range(3):
            optimizer.zero_grad()
            net(torch.randn(8, 1, 8, 8)).pow(2).mean().backward()
            optimizer.step()
            assert acts is None or acts.measure(step) is not None
        return [*net.state_dict().values(), torch.get_rng_state()]

    for mine, theirs in zip(weights(True), weights(False), strict=True):
        assert torch.equal(mine, theirs)


@pytest.mark.parametrize("reentrant", [False, True])
def test_a_forward_recomputed_in_the_backward_pass_is_read_once(reentrant: bool) -> None:
    calls: list[int] = []

    class Counting(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            calls.append(1)
            return x.sin() * 0 + len(calls)

    module = Counting()
    acts = Activations("acts", module)
    torch.utils.checkpoint.checkpoint(module, drawn(4, 3).requires_grad_(), use_reentrant=reentrant).sum().backward()
    assert len(calls) == 2
    assert measured(acts).arrays["mean"].values[0] == 1.0


def test_a_compiled_model_keeps_its_graph_whole_and_is_said_to_be_unread(probes: ProbeSet, problems: Counter[str]) -> None:
    net = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
    probes.add(Activations("acts", net[1], every=1))
    compiled = torch.compile(net, backend="eager", fullgraph=True)
    for step in range(1, 20):
        compiled(torch.ones(3, 2))
        assert probes.boundary(step, 1.0) == []
    ((text, times),) = problems.items()
    assert "inside a compiled region" in text
    assert times == 1


def test_a_hook_on_a_schedule_makes_no_new_graph_of_a_compiled_model() -> None:
    net = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
    acts = Activations("acts", net[1])
    graphs = []

    def backend(graph: torch.fx.GraphModule, _: object) -> Any:
        graphs.append(graph)
        return graph.forward

    compiled = torch.compile(net, backend=backend)
    for step in range(6):
        acts.armed = step % 2 == 0
        compiled(torch.ones(3, 2))
    assert len(graphs) == 1
