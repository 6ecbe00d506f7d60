"""A function of the script runs for a measurement, and the training cannot tell; and which models such a function is seen to run."""

from __future__ import annotations

import functools
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from bedside.probes.codebook import Codebook
from bedside.probes.untouched import is_rehearsal, models_of, seed, untouched


class Counting(nn.Module):
    """A buffer replaced by assignment, one written through `.data`, one new on the way, and a plain number that counts calls."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("average", torch.tensor([float("nan"), -0.0, 1.0]))
        self.register_buffer("count", torch.zeros(()))
        self.register_buffer("mask", torch.zeros(1).expand(4))
        self.register_buffer("nothing", None)
        self.calls = 0
        self.cache: torch.Tensor | None = None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        self.cache = x
        self.count = self.count + 1
        self.average.data.copy_(torch.tensor([1.0, 0.0, 2.0]))
        self.register_buffer("late", torch.ones(2))
        return x


def trained() -> nn.Sequential:
    """A model in train mode, but for one frozen BatchNorm, with gradients from a backward pass."""
    torch.manual_seed(3)
    model = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Dropout(0.5), nn.BatchNorm1d(4), Counting())
    model[3].eval()
    model[:4](torch.randn(8, 4)).sum().backward()
    return model


def bits(value: Any) -> object:
    return (value.dtype, value.shape, value.detach().contiguous().numpy().tobytes()) if isinstance(value, torch.Tensor) else value


def state(model: nn.Module) -> dict[str, object]:
    """Everything a training depends on, comparable bit for bit, with the identity and the version of every tensor."""
    tensors = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    gradients = {f"{name}.grad": one.grad for name, one in model.named_parameters()}
    return {
        **{name: (id(value), value._version, value.requires_grad, bits(value)) for name, value in tensors.items()},
        **{name: (id(value), bits(value)) for name, value in gradients.items()},
        "training": [module.training for module in model.modules()],
        "attributes": [sorted(vars(module)) for module in model.modules()],
        "plain": [(module.calls, module.cache) for module in model.modules() if isinstance(module, Counting)],
        "random": (random.getstate(), np.random.get_state()[1].tobytes(), np.random.get_state()[2], bits(torch.get_rng_state())),
        "modes": (torch.is_grad_enabled(), torch.is_autocast_enabled("cpu"), torch.get_autocast_dtype("cpu")),
    }


def disturb(model: nn.Module) -> None:
    """What the worst function does."""
    random.random(), np.random.rand(3), torch.rand(3)
    np.random.seed(1)
    random.seed(1)
    model(torch.randn(8, 4))
    model.train()
    model(torch.randn(8, 4))
    with torch.enable_grad():
        model[0](torch.randn(8, 4)).sum().backward()
    model.requires_grad_(False)
    model[1].momentum = 0.9
    torch.set_autocast_enabled("cpu", True)
    torch.set_autocast_dtype("cpu", torch.float16)


def test_nothing_is_left_of_the_worst_function() -> None:
    model = trained()
    before = state(model)
    with untouched([model]):
        disturb(model)
    after = state(model)
    # BatchNorm wrote in place in train mode: its values are put back, and the version tells that they were written.
    assert {name for name in before if before[name] != after.get(name)} <= {
        f"{place}.{name}" for place in (1, 3) for name in ("running_mean", "running_var", "num_batches_tracked")
    }
    assert model[1].momentum == 0.1
    for place in (1, 3):
        for name in ("running_mean", "running_var", "num_batches_tracked"):
            (was, _, *rest), (now, _, *others) = before[f"{place}.{name}"], after[f"{place}.{name}"]  # type: ignore[misc]
            assert (was, rest) == (now, others)


def test_a_forward_alone_leaves_identity_versions_and_bits() -> None:
    model = trained()
    before = state(model)
    with untouched([model]):
        model(torch.randn(8, 4))
    assert state(model) == before


def test_nothing_is_left_of_a_function_that_raises() -> None:
    model = trained()
    before = state(model)

    def raises() -> None:
        disturb(model)
        raise KeyError("in the middle")

    with pytest.raises(KeyError, match="in the middle"), untouched([model]):
        raises()
    after = state(model)
    assert after["training"] == before["training"]
    assert after["random"] == before["random"]
    assert after["modes"] == before["modes"]
    assert after["4.average"] == before["4.average"]
    assert after["0.weight.grad"] == before["0.weight.grad"]


def test_inside_the_model_is_in_eval_mode_without_gradients() -> None:
    model = trained()
    with untouched([model]):
        assert not any(module.training for module in model.modules())
        first, second = model(torch.ones(3, 4)), model(torch.ones(3, 4))
        assert torch.equal(first, second)
        assert not first.requires_grad
        assert not first.is_inference()
        assert model[0].weight.grad is None
        assert is_rehearsal()
    assert not is_rehearsal()


def test_training_goes_on_as_without_it() -> None:
    def training(measured: bool) -> list[object]:
        model = trained()
        optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
        for _ in range(5):
            optimizer.zero_grad()
            model[:4](torch.randn(8, 4)).square().sum().backward()
            if measured:
                with untouched([model]):
                    disturb(model)
            optimizer.step()
        return [bits(value) for value in model.state_dict().values()]

    assert training(measured=True) == training(measured=False)


def test_buffers_created_in_inference_mode_are_put_back_too() -> None:
    model = nn.BatchNorm1d(2)
    with torch.inference_mode():
        model.running_mean = torch.ones(2)
    with untouched([model]), torch.inference_mode():
        model.running_mean.fill_(7)
    assert model.running_mean.tolist() == [1, 1]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_on_a_device_random_states_and_buffers_are_put_back_too() -> None:
    model = trained().cuda()
    torch.rand(2, device="cuda")
    before = torch.cuda.get_rng_state_all(), {name: value.clone() for name, value in model.state_dict().items()}
    with untouched([model]):
        seed(3)
        model.train()
        model[:4](torch.randn(8, 4, device="cuda"))
    assert all(torch.equal(now, was) for now, was in zip(torch.cuda.get_rng_state_all(), before[0], strict=True))
    assert all(bits(value.cpu()) == bits(before[1][name].cpu()) for name, value in model.state_dict().items())


def test_a_model_that_overrides_train_is_put_into_eval_mode_without_being_asked() -> None:
    class Merging(nn.Linear):
        def train(self, mode: bool = True) -> Merging:
            self.weight.data += 0.0 if mode else 1.0
            return super().train(mode)

    model = Merging(2, 2)
    before = bits(model.weight)
    with untouched([model]):
        assert not model.training
    assert model.training
    assert bits(model.weight) == before


def test_a_weight_cast_inside_an_open_autocast_region_still_gets_its_gradient() -> None:
    model = nn.Linear(2, 2)
    with torch.autocast("cpu", torch.bfloat16):
        with untouched([model]):
            model(torch.ones(1, 2))
        model(torch.ones(1, 2)).sum().backward()
    assert model.weight.grad is not None


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_compiled_model_is_put_back_and_never_recompiled() -> None:
    from torch._dynamo.testing import CompileCounter

    counter = CompileCounter()
    model = trained()[:4]
    compiled = torch.compile(model, backend=counter)
    x = torch.randn(8, 4)
    compiled(x)
    frames, before = counter.frame_count, state(model)
    with untouched([compiled]):
        assert not model.training
        compiled(torch.randn(3, 4))
        compiled(torch.randn(5, 4))
    assert state(model) == before
    compiled(x)
    assert counter.frame_count == frames


def test_probes_a_forward_feeds_are_not_fed_by_a_measurement() -> None:
    codes = Codebook("vq", 4)
    codes.observe([1])
    with untouched():
        codes.observe([3, 3, 3])
    snapshot = codes.measure(1)
    assert snapshot is not None
    assert snapshot.arrays["usage"].values.tolist() == [0, 1, 0, 0]


def test_a_seed_makes_measurements_repeat_and_is_forgotten_afterwards() -> None:
    def draw() -> tuple[float, float, float]:
        return random.random(), float(np.random.rand()), float(torch.rand(()))

    def measure() -> tuple[float, float, float]:
        with untouched():
            seed(11)
            return draw()

    torch.manual_seed(5)
    first = measure()
    drawn = draw()
    assert measure() == first
    torch.manual_seed(5)
    assert float(torch.rand(())) == drawn[2]


# ── which models ──

MODEL = nn.Linear(1, 1)
OTHER = nn.Linear(1, 1)
TABLE = {"a": MODEL, "b": 3}
TRAINER = SimpleNamespace(model=MODEL, steps=4)


def by_global(x: object) -> object:
    return MODEL


def by_helper(x: object) -> object:
    return [by_global(one) for one in (x,)]


def by_comprehension(x: object) -> object:
    return [MODEL for _ in (1, 2)]


def by_table(x: object) -> object:
    return TABLE["a"]


def by_attribute(x: object) -> object:
    return TRAINER.model


def by_default(x: object, model: nn.Module = MODEL) -> object:
    return model


def by_keyword(x: object, *, models: tuple[nn.Module, ...] = (MODEL,)) -> object:
    return models


@torch.no_grad()
def by_decorated(x: object) -> object:
    return MODEL


@contextmanager
def by_generator(x: object) -> Iterator[object]:
    yield MODEL


class Owner:
    def __init__(self, model: nn.Module) -> None:
        self.model = model

    def rollout(self, x: object) -> object:
        return self.model

    def __call__(self, x: object) -> object:
        return self.model


class Generating(nn.Linear):
    def rollout(self, x: object) -> object:
        return x


def by_closure(model: object) -> Callable[[object], object]:
    def rollout(x: object) -> object:
        return model

    return rollout


def by_empty_cell() -> Callable[[object], object]:
    def rollout(x: object) -> object:
        return MODEL, later

    if MODEL is None:
        later = 1
    return rollout


@pytest.mark.parametrize(
    "function",
    [
        MODEL,
        MODEL.forward,
        by_global,
        by_helper,
        by_comprehension,
        by_table,
        by_attribute,
        by_default,
        by_keyword,
        by_decorated,
        by_generator,
        by_closure(MODEL),
        by_closure([MODEL, 1]),
        by_closure({"model": MODEL}),
        by_closure(TRAINER),
        by_empty_cell(),
        lambda x: MODEL(x),
        functools.partial(by_closure(None), MODEL),
        functools.partial(by_global, 1),
        Owner(MODEL),
        Owner(MODEL).rollout,
        by_closure(Owner(MODEL).rollout),
    ],
)
def test_a_model_the_function_holds_is_seen(function: Callable[..., object]) -> None:
    assert models_of(function, None, ()) == [MODEL]


def test_a_method_of_a_model_runs_that_model() -> None:
    model = Generating(1, 1)
    assert models_of(model.rollout, None, ()) == [model]


def test_a_compiled_model_is_seen_through() -> None:
    compiled = torch.compile(MODEL, backend="eager")
    (found,) = models_of(by_closure(compiled), None, ())
    assert MODEL in list(found.modules())


def test_watched_models_are_looked_after_as_well_and_once() -> None:
    assert models_of(by_global, None, [OTHER, MODEL]) == [MODEL, OTHER]
    assert models_of(len, None, [OTHER]) == [OTHER]


def test_what_is_given_explicitly_is_all() -> None:
    assert models_of(by_global, OTHER, [MODEL]) == [OTHER]
    assert models_of(by_global, [OTHER, MODEL], ()) == [OTHER, MODEL]
    assert models_of(by_global, [], [MODEL]) == []


def test_functions_of_libraries_are_not_searched() -> None:
    assert models_of(by_closure(nn.functional.multi_head_attention_forward), None, ()) == []
    assert models_of(by_closure(functools.partial(nn.functional.gelu, MODEL)), None, ()) == [MODEL]


def test_a_compiled_function_is_seen_through() -> None:
    assert models_of(torch.compile(by_global, backend="eager"), None, ()) == [MODEL]


def test_a_function_that_holds_itself_ends_the_search() -> None:
    def first(x: object) -> object:
        return second(x)

    def second(x: object) -> object:
        return first(x), OTHER

    assert models_of(first, None, ()) == [OTHER]
