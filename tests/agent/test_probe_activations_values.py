"""What the activations probe makes of one output: whose axis the units are, what is saturated, which numbers are told."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from torch import Tensor, nn

from bedside.probes.activations import Activations
from bedside.probes.effective_rank import effective_rank
from bedside.probes.module_output import first_tensor, look
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


class Given(nn.Module):
    """Gives what it is told to, whatever it gets."""

    def __init__(self, output: Any) -> None:
        super().__init__()
        self.output = output

    def forward(self, *_: object) -> Any:
        return self.output


@pytest.mark.parametrize(
    ("module", "at_rest", "at_the_end"),
    [
        (nn.Tanh(), 0.0, 3.0),
        (nn.Tanh(), 2.6, -2.7),
        (nn.Sigmoid(), 5.2, -5.4),
        (nn.Hardtanh(-2.0, 2.0), 1.9, 2.5),
        (nn.Hardsigmoid(), 2.9, -3.0),
        (nn.ReLU6(), -1.0, 6.0),
        (nn.Softsign(), 50.0, 200.0),
    ],
)
def test_bounded_activations_are_saturated_near_their_ends(module: nn.Module, at_rest: float, at_the_end: float) -> None:
    acts = Activations("acts", module)
    module(torch.tensor([[at_rest, at_rest, at_rest, at_the_end]]))
    assert measured(acts).scalars["saturated"] == pytest.approx(0.25)


def test_saturation_is_that_of_bounded_activations_alone() -> None:
    tanh, linear = nn.Tanh(), nn.Linear(2, 50)
    acts = Activations("acts", {"tanh": tanh, "linear": linear})
    tanh(torch.tensor([[9.0, 0.0]]))
    linear(1e3 * torch.ones(4, 2))
    snapshot = measured(acts)
    assert snapshot.scalars["saturated"] == snapshot.scalars["saturated_max"] == 0.5
    assert column(snapshot, "saturated") == {"tanh": 0.5, "linear": 0.0}


@given(arrays(np.float32, st.tuples(st.integers(1, 20), st.integers(1, 6)), elements=st.floats(-100, 100, width=32)))
def test_mean_and_deviation_are_numpys(values: np.ndarray) -> None:
    acts = Activations("acts", identity := nn.Identity())
    identity(torch.from_numpy(values))
    snapshot = measured(acts)
    assert snapshot.arrays["mean"].values[0] == pytest.approx(values.astype(np.float64).mean(), abs=1e-3)
    assert snapshot.arrays["std"].values[0] == pytest.approx(values.astype(np.float64).std(), abs=1e-3)


def test_several_calls_in_a_step_count_as_one_output() -> None:
    relu = nn.ReLU()
    acts = Activations("acts", relu, window=1)
    parts = drawn(5, 3), 4 + drawn(9, 3, seed=1)
    for part in parts:
        relu(part)
    whole = torch.cat(parts).relu().double()
    snapshot = measured(acts)
    assert snapshot.arrays["mean"].values[0] == pytest.approx(whole.mean().item(), abs=1e-5)
    assert snapshot.arrays["std"].values[0] == pytest.approx(whole.std(correction=0).item(), abs=1e-5)
    assert snapshot.scalars["dead"] == 0.0


def test_the_rank_is_that_of_samples_by_units_over_the_largest_it_could_be() -> None:
    linear = nn.Linear(6, 10)
    acts = Activations("acts", linear)
    out = linear(drawn(40, 6))
    assert measured(acts).scalars["rank_min"] == pytest.approx(effective_rank(out.detach().double().numpy()) / 10, abs=1e-5)


def test_outputs_that_all_point_one_way_have_little_rank() -> None:
    identity = nn.Identity()
    acts = Activations("acts", identity)
    identity(drawn(300, 1) * drawn(1, 300, seed=1))
    assert measured(acts).scalars["rank_min"] < 0.01
    identity(drawn(300, 300))
    assert measured(acts).scalars["rank_min"] > 0.5


@pytest.mark.parametrize(
    ("module", "shape", "units"),
    [
        (nn.Conv1d(2, 3, 1), (4, 2, 7), 3),
        (nn.Conv2d(2, 3, 1), (4, 2, 7, 7), 3),
        (nn.Conv2d(2, 3, 1), (2, 7, 7), 3),
        (nn.ConvTranspose3d(2, 3, 1), (4, 2, 5, 5, 5), 3),
        (nn.BatchNorm1d(3), (4, 3, 7), 3),
        (nn.BatchNorm2d(3), (4, 3, 7, 7), 3),
        (nn.MaxPool2d(2), (4, 3, 6, 6), 3),
        (nn.ReLU(), (4, 3, 6, 6), 3),
        (nn.ReLU(), (4, 6, 3), 3),
        (nn.ReLU(), (4, 3), 3),
        (nn.ReLU(), (3,), 3),
        (nn.ReLU(), (), 1),
        (nn.Linear(2, 3), (4, 5, 6, 2), 3),
        (nn.LayerNorm(3), (4, 5, 6, 3), 3),
        (nn.LSTM(2, 3), (5, 4, 2), 3),
        (nn.Embedding(9, 3), (5, 4), 3),
    ],
)
def test_units_are_channels_of_convolutions_and_features_of_the_rest(module: nn.Module, shape: tuple[int, ...], units: int) -> None:
    output = module(torch.zeros(shape, dtype=torch.long) if isinstance(module, nn.Embedding) else torch.ones(shape))
    tensor = first_tensor(output)
    assert tensor is not None
    found = look(module, tensor)
    assert found.alive.shape == (units,)
    assert found.rows == tensor.numel() // units


def test_a_dead_channel_of_pictures_is_found() -> None:
    torch.manual_seed(0)
    conv = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU())
    with torch.no_grad():
        conv[0].bias[:2] = -50.0
    acts = Activations("acts", {"relu": conv[1]}, window=1)
    conv(drawn(4, 3, 12, 12))
    assert measured(acts).scalars["dead"] == pytest.approx(2 / 8)


def test_of_large_outputs_some_samples_are_read_and_every_unit() -> None:
    module = nn.ReLU()
    found = look(module, drawn(64, 32, 40, 40).relu())
    assert found.alive.shape == (32,)
    assert found.rows == (1 << 20) // 32
    assert found.sample.shape == (256, 32)
    assert found.totals[1].item() == pytest.approx(0.3989, abs=0.005)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_outputs_in_16_bits_are_read_in_full_precision(dtype: torch.dtype) -> None:
    acts = Activations("acts", identity := nn.Identity(), window=1)
    x = 300 * drawn(300, 300)
    x[:, 0] = 0.0
    identity(x.to(dtype))
    snapshot = measured(acts)
    assert snapshot.arrays["std"].values[0] == pytest.approx(300, rel=0.02)
    assert snapshot.scalars["dead"] == pytest.approx(1 / 300)


@pytest.mark.parametrize(
    "output",
    [(drawn(4, 3), None), [drawn(4, 3)], {"hidden": drawn(4, 3)}, ((drawn(4, 3),), 1)],
    ids=["tuple", "list", "mapping", "nested"],
)
def test_of_an_output_that_holds_tensors_the_first_is_read(output: Any) -> None:
    module = Given(output)
    acts = Activations("acts", module, window=1)
    module()
    assert measured(acts).arrays["std"].values[0] == pytest.approx(drawn(4, 3).std(correction=0).item(), abs=1e-5)


@pytest.mark.parametrize(
    ("output", "said"),
    [
        (None, "without a tensor"),
        ("words", "without a tensor"),
        ((), "without a tensor"),
        ({}, "without a tensor"),
        (torch.arange(3), "without floating-point numbers"),
        (torch.empty(0, 3), "without floating-point numbers"),
        (torch.zeros(2, dtype=torch.complex64), "without floating-point numbers"),
        (torch.zeros(2, 2).to_sparse(), "cannot be read"),
    ],
)
def test_an_output_that_cannot_be_read_is_said_and_reaches_the_script_as_it_is(problems: Counter[str], output: Any, said: str) -> None:
    module = Given(output)
    acts = Activations("acts", module)
    acts.attach(lambda text: problems.update([text]))
    assert module() is output
    assert module() is output
    assert acts.measure(1) is None
    ((text, times),) = problems.items()
    assert text.startswith("probe acts: ")
    assert said in text
    assert times == 2
