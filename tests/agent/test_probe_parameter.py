"""What a named tensor holds, how it relates to another, and what becomes of it when it is gone."""

from __future__ import annotations

import copy
import gc
import random
import weakref
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from bedside.probes.parameter import Parameter
from bedside.probes.probe import Gone
from bedside_protocol.records import Snapshot


def measured(probe: Parameter) -> Snapshot:
    snapshot = probe.measure(50)
    assert snapshot is not None
    return snapshot


def heard(probe: Parameter, problems: Counter[str]) -> Parameter:
    probe.attach(lambda text: problems.update([text]))
    return probe


def normal(*shape: int, std: float = 1.0, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0.0, std, shape)


def test_the_numbers_are_those_of_numpy() -> None:
    one, other = normal(40, 30), normal(40, 30, seed=1) + 0.5
    found = measured(Parameter("w", torch.tensor(one), against=torch.tensor(other))).scalars
    assert found["mean"] == pytest.approx(one.mean())
    assert found["std"] == pytest.approx(one.std())
    assert found["norm"] == pytest.approx(np.linalg.norm(one))
    assert found["count"] == 1200
    assert found["distance"] == pytest.approx(np.linalg.norm(one - other))
    assert found["relative"] == pytest.approx(np.linalg.norm(one - other) / np.linalg.norm(other))
    assert found["norm_ratio"] == pytest.approx(np.linalg.norm(one) / np.linalg.norm(other))
    assert found["cosine"] == pytest.approx(np.sum(one * other) / np.linalg.norm(one) / np.linalg.norm(other))


def test_arrays_and_tensors_of_any_layout_give_the_same() -> None:
    values = normal(6, 5).astype(np.float32)
    expected = measured(Parameter("w", values, against=values.T.copy().T * 2)).scalars
    for one, other in (
        (values.tolist(), values * 2),
        (torch.tensor(values), values * 2),
        (values, torch.tensor(values) * 2),
        (torch.tensor(values.T.copy()).T, torch.tensor(values) * 2),
        (lambda: torch.tensor(values), lambda: torch.tensor(values * 2)),
        (nn.Parameter(torch.tensor(values)), lambda: values * 2),
    ):
        probe = Parameter("w", one, against=other)
        assert measured(probe).scalars == pytest.approx(expected, rel=1e-6)


def test_a_large_tensor_is_summed_in_pieces() -> None:
    values = torch.randn(1030, 1050, generator=torch.Generator().manual_seed(1))
    found = measured(Parameter("w", values, against=values)).scalars
    assert found["norm"] == pytest.approx(float(values.double().norm()))
    assert found["count"] == values.numel()
    assert (found["distance"], found["cosine"]) == (0.0, pytest.approx(1.0))


def test_queries_of_std_002_where_1_was_needed_are_told_from_healthy_ones() -> None:
    sick, well = (nn.Parameter(torch.tensor(normal(64, 256, std=std))) for std in (0.02, 1.0))
    bad = measured(Parameter("queries", sick, expect_std=1.0)).scalars
    good = measured(Parameter("queries", well, expect_std=1.0)).scalars
    assert bad["std"] == pytest.approx(0.02, rel=0.02)
    assert bad["expected_std"] == 1.0
    assert bad["std_ratio"] == pytest.approx(0.02, rel=0.02)
    assert good["std_ratio"] == pytest.approx(1.0, rel=0.02)


def test_a_bias_of_0088_dominates_the_signal_of_small_queries() -> None:
    layer, ratios = nn.Linear(256, 256), []
    with torch.no_grad():
        layer.weight.copy_(torch.tensor(normal(256, 256, std=0.0625)))
        layer.bias.copy_(torch.tensor(normal(256, std=0.088)))
    for std in (0.02, 1.0):
        queries = nn.Parameter(torch.tensor(normal(64, 256, std=std, seed=2), dtype=torch.float32))
        probe = Parameter("bias", layer.bias, against=lambda queries=queries: queries @ layer.weight.T)
        ratios.append(measured(probe).scalars["norm_ratio"])
    assert ratios[0] > 3.5
    assert ratios[1] < 0.12


def test_a_bias_counts_once_for_each_row_of_the_signal() -> None:
    bias, signal = normal(5), normal(7, 5, seed=1)
    found = measured(Parameter("bias", bias, against=torch.tensor(signal))).scalars
    assert found["norm_ratio"] == pytest.approx(np.sqrt(7) * np.linalg.norm(bias) / np.linalg.norm(signal))
    assert found["distance"] == pytest.approx(np.linalg.norm(bias - signal))
    assert found["norm"] == pytest.approx(np.linalg.norm(bias))
    assert found["count"] == 5


def test_a_parameter_is_read_as_it_is_at_the_measurement() -> None:
    weight = nn.Parameter(torch.ones(4))
    shared = torch.ones(4)
    probes = Parameter("p", weight), Parameter("t", shared)
    with torch.no_grad():
        weight.fill_(3.0)
        shared.fill_(2.0)
    assert [measured(probe).scalars["mean"] for probe in probes] == [3.0, 2.0]
    weight.data = torch.full((4,), 5.0)
    assert measured(probes[0]).scalars["mean"] == 5.0


def test_a_model_against_its_average_is_compared_name_by_name() -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))
    average = copy.deepcopy(model)
    with torch.no_grad():
        for parameter in average.parameters():
            parameter.mul_(0.5)
    flat = np.concatenate([parameter.detach().numpy().ravel() for parameter in model.parameters()])
    for other in (
        average,
        dict(average.named_parameters()),
        average.state_dict,
        {"module." + k: v for k, v in average.state_dict().items()},
    ):
        found = measured(Parameter("ema", model, against=other)).scalars
        assert found["relative"] == pytest.approx(1.0)
        assert found["norm_ratio"] == pytest.approx(2.0)
        assert found["norm"] == pytest.approx(np.linalg.norm(flat))
    assert measured(Parameter("ema", model, against=model)).scalars["distance"] == 0.0


def test_a_parameter_of_a_watched_model_finds_its_name_in_the_average(problems: Counter[str]) -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))
    average = copy.deepcopy(model)
    probe = heard(Parameter("ema", model[1].weight, against=average), problems)
    assert probe.measure(50) is None
    assert "in no watched model" in next(iter(problems))
    probe.models = lambda: [model]
    assert measured(probe).scalars["distance"] == 0.0
    with torch.no_grad():
        average[0].weight.zero_()
        average[1].weight.zero_()
    found = measured(probe).scalars
    assert found["distance"] == pytest.approx(found["norm"])
    assert np.isnan(found["cosine"])
    assert np.isnan(found["norm_ratio"])


def test_parameters_and_modules_are_held_weakly_and_their_end_is_told() -> None:
    for make in (lambda: nn.Parameter(torch.ones(3)), lambda: nn.Linear(2, 2)):
        held: Any = make()
        first, second = Parameter("p", held), Parameter("q", [1.0], against=held)
        del held
        gc.collect()
        for probe in (first, second):
            with pytest.raises(Gone, match="the parameter it looked at is gone"):
                probe.measure(50)


def test_elements_that_are_no_numbers_are_counted_and_left_out() -> None:
    values = normal(50)
    values[3], values[7] = np.nan, np.inf
    clean = np.delete(values, [3, 7])
    for given in (values, torch.tensor(values)):
        found = measured(Parameter("w", given, against=np.full(50, 2.0))).scalars
        assert found["nonfinite"] == 2
        assert found["count"] == 48
        assert found["mean"] == pytest.approx(clean.mean())
        assert found["std"] == pytest.approx(clean.std())
        assert found["distance"] == pytest.approx(np.linalg.norm(clean - 2.0))


def test_a_tensor_of_nothing_but_nan_has_its_count_alone() -> None:
    found = measured(Parameter("w", torch.full((4,), float("nan")), expect_std=1.0)).scalars
    assert (found["nonfinite"], found["count"]) == (4, 0)
    assert np.isnan([found["mean"], found["std"], found["std_ratio"]]).all()


def test_half_precision_neither_overflows_nor_rounds() -> None:
    found = measured(Parameter("w", torch.full((1 << 17,), 600.0, dtype=torch.float16))).scalars
    assert found["norm"] == pytest.approx(600.0 * np.sqrt(1 << 17))
    assert found["std"] == pytest.approx(0.0, abs=1e-3)
    assert measured(Parameter("w", torch.arange(5))).scalars["mean"] == 2.0


def raising() -> torch.Tensor:
    raise RuntimeError("no weights at 0x7f001234")


@pytest.mark.parametrize(
    ("tensor", "against", "said"),
    [
        (torch.ones(3), torch.ones(4), "different shapes"),
        ([1.0, 2.0], [1.0, 2.0, 3.0], "different shapes"),
        (torch.empty(0), None, "empty tensor"),
        ([], None, "empty tensor"),
        (torch.ones(2, dtype=torch.complex64), None, "real numbers"),
        (torch.ones(2, 2).to_sparse(), None, "dense"),
        (torch.ones(2, device="meta"), None, "real numbers"),
        ("decoder.weight", None, "numbers were expected"),
        (lambda: None, None, "the function returned None"),
        (raising, None, "cannot be read (RuntimeError"),
        ({"a": [1.0]}, {"b": [1.0]}, "no name in common"),
        (nn.ReLU(), None, "no parameters"),
        ({}, None, "no parameters"),
    ],
)
def test_what_cannot_be_measured_is_said_by_name_and_training_goes_on(
    problems: Counter[str], tensor: object, against: object, said: str
) -> None:
    probe = heard(Parameter("w", tensor, against=against), problems)
    for _ in range(2):
        assert probe.measure(50) is None
    (text,) = problems
    assert text.startswith("probe w: ")
    assert said in text


@pytest.mark.parametrize("expected", [0.0, -1.0, float("nan"), "one"])
def test_an_expected_deviation_that_is_none_is_said_and_left_out(problems: Counter[str], expected: Any) -> None:
    probe = heard(Parameter("w", [1.0, 2.0], expect_std=expected), problems)
    assert "expect_std is a standard deviation above zero" in next(iter(problems))
    assert "std_ratio" not in measured(probe).scalars


def test_a_function_leaves_the_model_it_runs_and_every_random_state_as_they_were() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Dropout(0.5))
    batch = torch.randn(6, 4)
    mode, buffers = model.training, [buffer.clone() for buffer in model.buffers()]
    before = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()
    seen: list[bool] = []

    def signal() -> torch.Tensor:
        seen.append(torch.is_grad_enabled())
        np.random.rand()
        random.random()
        return model(batch) + torch.rand(1)

    measured(Parameter("signal", signal))
    assert seen == [False]
    assert model.training is mode
    assert all(torch.equal(one, other) for one, other in zip(model.buffers(), buffers, strict=True))
    assert torch.equal(torch.get_rng_state(), before[0])
    assert np.array_equal(np.random.get_state()[1], before[1])
    assert random.getstate() == before[2]


def test_a_tensor_within_a_graph_is_measured_and_its_graph_is_free(mark: Callable[[torch.Tensor], torch.Tensor]) -> None:
    weight = nn.Parameter(torch.ones(3))
    scaled = mark(weight) * 2
    graph = weakref.ref(scaled.grad_fn.next_functions[0][0])
    probe = Parameter("scaled", scaled, against=weight)
    del scaled
    gc.collect()
    assert graph() is None
    assert measured(probe).scalars["norm_ratio"] == pytest.approx(2.0)
    assert weight.grad is None
