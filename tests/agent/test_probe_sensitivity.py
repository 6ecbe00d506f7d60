"""How far an output moves with each input, whom that makes ignored, and that the training cannot tell it was asked."""

from __future__ import annotations

import math
import random
import time
from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

import bedside
from bedside.probes.probe_set import ProbeSet
from bedside.probes.rollout import Rollout
from bedside.probes.sensitivity import Sensitivity, effect, ignored
from bedside_protocol.records import Snapshot

KEYS = torch.tensor([[3.0], [4.0]])
CAMERA = torch.tensor([[0.0], [5.0]])


def add(keys: torch.Tensor, camera: torch.Tensor) -> torch.Tensor:
    return keys + camera


def measured(probe: Sensitivity) -> Snapshot:
    snapshot = probe.measure(500)
    assert snapshot is not None
    return snapshot


def heard(probe: Sensitivity) -> Counter[str]:
    said: Counter[str] = Counter()
    probe.attach(lambda text: said.update([text]))
    return said


# ── the numbers ──


def test_the_numbers_are_those_of_the_formulas() -> None:
    snapshot = measured(Sensitivity("actions", add, {"keys": KEYS, "camera": CAMERA}, ratio=("keys", "camera")))
    norm = math.hypot(3, 9)  # the two samples change places: the keys move the output by (1, -1), the camera by (5, -5)
    assert snapshot.kind == "sensitivity"
    assert snapshot.scalars == {
        "effect/keys": pytest.approx(math.hypot(1, 1) / norm),
        "effect/camera": pytest.approx(math.hypot(5, 5) / norm),
        "ratio/keys/camera": pytest.approx(0.2),
        "ignored": 0,
        "failed": 0,
        "nonfinite": 0,
    }
    assert snapshot.arrays["effect"].labels == ("keys", "camera")
    assert snapshot.arrays["effect"].values == pytest.approx(np.array([math.hypot(1, 1), math.hypot(5, 5)]) / norm)
    assert snapshot.texts == {}


def test_inputs_are_replaced_by_a_number_a_tensor_or_a_function() -> None:
    replace = {"a": 0, "b": torch.tensor([[9.0], [9.0]]), "c": lambda value: value * 2}
    inputs = {name: torch.tensor([[3.0], [4.0]]) for name in "abc"}
    scalars = measured(Sensitivity("inputs", lambda a, b, c: [a, {"b": b}, (c, None)], inputs, replace=replace)).scalars
    norm = math.sqrt(3) * 5
    assert scalars["effect/a"] == pytest.approx(5 / norm)
    assert scalars["effect/b"] == pytest.approx(math.hypot(6, 5) / norm)
    assert scalars["effect/c"] == pytest.approx(5 / norm)


def test_ratios_have_names() -> None:
    ratio = {"keys against camera": ("keys", "camera"), "back": ("camera", "keys")}
    scalars = measured(Sensitivity("actions", add, {"keys": KEYS, "camera": CAMERA}, ratio=ratio)).scalars
    assert scalars["ratio/keys against camera"] * scalars["ratio/back"] == pytest.approx(1)


def test_an_input_that_moves_nothing_is_ignored_by_name() -> None:
    snapshot = measured(Sensitivity("actions", lambda keys, camera: camera + 1e-9 * keys, {"keys": KEYS, "camera": CAMERA}))
    assert snapshot.scalars["ignored"] == 1
    assert snapshot.texts["ignored"] == ("keys",)


def test_ignored_is_below_a_twentieth_of_the_largest_or_a_fortieth() -> None:
    assert ignored({"a": 2.0, "b": 0.11, "c": 0.09}) == ("c",)
    assert ignored({"buffer": 0.0234, "keys": 0.0687, "camera": 0.0848}) == ("buffer",)
    assert ignored({"a": 0.0, "b": 0.0}) == ("a", "b")
    assert ignored({"a": math.inf, "b": 0.1, "c": 0.001}) == ("c",)
    assert ignored({}) == ()


def test_the_post_mortems_figures_come_out() -> None:
    inputs = {name: np.ones((1, 1)) for name in ("keys", "camera", "buffer", "seed")}
    weights = {"keys": 0.1690, "camera": 0.0987, "buffer": 0.0234, "seed": 0.7089}
    scalars = measured(
        Sensitivity("actions", lambda **given: sum(weights[name] * given[name] for name in weights), inputs, ratio=("keys", "camera"))
    ).scalars
    assert scalars["effect/buffer"] == pytest.approx(0.0234)
    assert scalars["ratio/keys/camera"] == pytest.approx(1.712, abs=1e-3)


@pytest.mark.parametrize(
    ("values", "moved"),
    [
        (np.arange(4.0), [2, 3, 0, 1]),
        (np.array([5.0, 6.0, 5.0, 6.0]), [6, 5, 6, 5]),
        (np.array([5.0, 5.0]), [0, 0]),
        (np.array([5.0]), [0]),
        (torch.arange(4.0), [2, 3, 0, 1]),
        (torch.tensor([5, 6, 5, 6]), [6, 5, 6, 5]),
        (torch.ones(3, dtype=torch.bool), [0, 0, 0]),
        (torch.tensor(5.0), 0),
    ],
)
def test_a_change_is_one_that_changes_something(values: object, moved: object) -> None:
    seen: list[object] = []
    measured(Sensitivity("inputs", lambda x: (seen.append(x.tolist()), x + 0)[1], {"x": values}))
    assert seen[1] == moved


def test_arrays_and_tensors_of_any_number_type_are_compared_alike() -> None:
    kinds = [np.float64, np.float32, np.int64, torch.float64, torch.float16, torch.bfloat16, torch.int32]
    made = [torch.tensor([[3], [5]], dtype=kind) if isinstance(kind, torch.dtype) else np.array([[3], [5]], kind) for kind in kinds]
    effects = [measured(Sensitivity("inputs", lambda x: x, {"x": values})) for values in made]
    assert [one.scalars["effect/x"] for one in effects] == pytest.approx([math.hypot(2, 2) / math.hypot(3, 5)] * len(kinds))


def test_an_output_of_zeros_has_no_scale() -> None:
    inputs = {"x": torch.zeros(1), "y": torch.ones(1)}
    scalars = measured(Sensitivity("inputs", lambda x, y: x * y, inputs, replace={"x": 1}, ratio=("x", "y"))).scalars
    assert scalars["effect/x"] == math.inf
    assert scalars["effect/y"] == 0.0
    assert scalars["ratio/x/y"] == math.inf


def test_values_that_are_not_finite_are_counted_and_left_out() -> None:
    nan = [math.nan, 1.0, 2.0]
    snapshot = measured(Sensitivity("inputs", lambda x: torch.tensor(nan) + x.sum(), {"x": torch.ones(1)}))
    assert snapshot.scalars["nonfinite"] == 1
    assert snapshot.scalars["effect/x"] == pytest.approx(math.hypot(1, 1) / math.hypot(2, 3))
    assert effect([np.array([1.0, math.inf])], [np.array([2.0, 5.0])]) == (1.0, 1)


def test_the_inputs_may_be_made_for_each_measurement_and_are_alike_each_time() -> None:
    probe = Sensitivity("inputs", lambda x: x + 1, lambda: {"x": torch.rand(8, 3)})
    first = measured(probe)
    torch.rand(7)
    assert measured(probe) == first
    assert first.scalars["effect/x"] > 0.1


# ── quiet ──


def test_nobody_is_called_ignored_while_a_rollout_of_the_run_has_collapsed() -> None:
    lost = [0.9]
    dream = Rollout("dream", lambda variant, count: np.array([np.arange(100), np.arange(100) % round(100 * (1 - lost[0]))]), 2, every=10)
    actions = Sensitivity("actions", lambda keys, camera: camera, {"keys": KEYS, "camera": CAMERA}, every=10)
    probes = ProbeSet(lambda text: None)
    probes.add(dream)
    probes.add(actions)
    _, quiet = probes.boundary(10, 1.0)
    assert quiet.scalars["ignored"] == 0
    assert quiet.scalars["effect/keys"] == 0
    assert "ignored" not in quiet.texts
    assert quiet.texts["quiet"] == ("dream has collapsed: with few codes left every input looks weak",)
    lost[0] = 0.1
    _, loud = probes.boundary(20, 1.0)
    assert loud.scalars["ignored"] == 1
    assert loud.texts == {"ignored": ("keys",)}


# ── what it refuses ──


def broken(**inputs: object) -> object:
    raise ValueError(f"expected 4 channels, got {random.randint(10, 99)}")


@pytest.mark.parametrize(
    ("function", "inputs", "said"),
    [
        (broken, {"x": KEYS}, "ValueError: expected … channels, got …"),
        (lambda x: None, {"x": KEYS}, "returned no numbers"),
        (lambda x: [], {"x": KEYS}, "returned no numbers"),
        (lambda x: "text", {"x": KEYS}, "numbers were expected, not str"),
        (lambda x: object(), {"x": KEYS}, "numbers were expected, not object"),
        (lambda x: torch.ones(2, dtype=torch.complex64), {"x": KEYS}, "complex numbers are not measured"),
        (lambda x: x, {"y": KEYS}, "TypeError"),
        (lambda x: x, {}, "inputs must be a mapping"),
        (lambda x: x, None, "inputs must be a mapping"),
        (lambda x: x, lambda: None, "inputs must be a mapping"),
        (lambda x: x, lambda: broken(), "ValueError: expected … channels"),
        (None, {"x": KEYS}, "TypeError"),
    ],
)
def test_a_function_that_cannot_be_measured_is_said_by_name_and_nothing_raises(
    function: Callable[..., object], inputs: object, said: str
) -> None:
    probe = Sensitivity("actions", function, inputs)
    problems = heard(probe)
    for _ in range(3):
        assert measured(probe).scalars == {"failed": 1}
    (text,) = problems
    assert text.startswith("probe actions: the function cannot be measured: ")
    assert said in text


@pytest.mark.parametrize(
    ("value", "replacement", "said"),
    [
        (KEYS, KEYS.clone(), "changing it leaves it as it was"),
        (KEYS, lambda value: value, "changing it leaves it as it was"),
        (torch.zeros(2), 0, "changing it leaves it as it was"),
        (KEYS, lambda value: broken(), "ValueError: expected … channels"),
        (KEYS, "nothing", "TypeError"),
        (KEYS, torch.ones(3, 1), "another shape"),
        (3.0, ..., "neither a tensor nor an array"),
        (None, ..., "neither a tensor nor an array"),
        (torch.zeros(3), ..., "changing it leaves it as it was"),
        (torch.zeros(0, 3), ..., "changing it leaves it as it was"),
    ],
)
def test_an_input_that_cannot_be_changed_is_said_and_the_others_are_measured(value: object, replacement: object, said: str) -> None:
    def function(keys: object, camera: torch.Tensor) -> object:
        return [0.0 if keys is None else keys + 0, camera]  # type: ignore[operator]

    replace = {} if replacement is ... else {"keys": replacement}
    probe = Sensitivity("actions", function, {"keys": value, "camera": CAMERA}, replace=replace)
    problems = heard(probe)
    snapshot = measured(probe)
    assert snapshot.scalars["failed"] == 1
    assert snapshot.texts["failed"] == ("keys",)
    assert snapshot.scalars["effect/camera"] > 0.1
    assert "effect/keys" not in snapshot.scalars
    (text,) = problems
    assert text.startswith("probe actions: input keys is left out: ")
    assert said in text


def test_an_output_without_a_finite_number_has_no_effect_to_tell() -> None:
    probe = Sensitivity("actions", lambda x: x, {"x": KEYS}, replace={"x": math.nan})
    problems = heard(probe)
    assert measured(probe).scalars == {"failed": 1, "nonfinite": 0}
    assert list(problems) == ["probe actions: input x is left out: the output holds no finite number"]


def test_names_there_are_not_are_said() -> None:
    probe = Sensitivity("actions", add, {"keys": KEYS, "camera": CAMERA}, replace={"mouse": 0}, ratio={"a": ("keys", "pedals")})
    problems = heard(probe)
    snapshot = measured(probe)
    assert sorted(problems) == ["probe actions: there is no input named mouse", "probe actions: there is no input named pedals"]
    assert "ratio/a" not in snapshot.scalars
    assert snapshot.scalars["effect/keys"] > 0


@pytest.mark.parametrize("ratio", ["keys", ("keys",), {"a": "ab"}, {"a": (1, 2)}, 7])
def test_a_ratio_of_another_form_is_said(ratio: object) -> None:
    probe = Sensitivity("actions", add, {"keys": KEYS, "camera": CAMERA}, ratio=ratio)
    assert "a ratio is a pair of names" in next(iter(heard(probe)))
    assert measured(probe).scalars["effect/keys"] > 0


# ── beside a training ──


class Model(nn.Module):
    """Two inputs; the weight of the second says whether it is listened to."""

    def __init__(self, listens: float) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.frames, self.actions = nn.Linear(6, 6), nn.Linear(3, 6, bias=False)
        self.actions.weight.data *= listens
        self.norm, self.drop = nn.BatchNorm1d(6), nn.Dropout(0.5)

    def forward(self, frames: torch.Tensor, actions: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"logits": self.drop(self.norm(self.frames(frames) + self.actions(actions)))}


def batch() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return {"frames": torch.randn(32, 6, generator=generator), "actions": torch.randn(32, 3, generator=generator)}


def test_a_model_that_listens_and_one_that_does_not_are_told_apart() -> None:
    listening, deaf = (measured(Sensitivity("inputs", Model(weight), batch())).scalars for weight in (1.0, 1e-4))
    assert listening["effect/actions"] > 0.2
    assert listening["ignored"] == 0
    assert deaf["effect/actions"] < 1e-3
    assert deaf["effect/frames"] > 0.2
    assert deaf["ignored"] == 1


@pytest.mark.parametrize("compiled", [False, True])
def test_a_model_in_train_mode_is_left_bit_for_bit_as_it_was(compiled: bool) -> None:
    model, inputs = Model(1.0), batch()
    model(**inputs)["logits"].sum().backward()
    runs = torch.compile(model, backend="eager") if compiled else model
    before = {name: value.clone() for name, value in model.state_dict().items()}
    gradients = [one.grad for one in model.parameters()]
    copies = [one.clone() for one in gradients if one is not None]
    state = torch.get_rng_state()
    assert measured(Sensitivity("inputs", lambda **given: runs(**given), inputs)).scalars["failed"] == 0
    assert all(module.training for module in model.modules())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(one.grad is was for one, was in zip(model.parameters(), gradients, strict=True))
    assert all(torch.equal(one.grad, copy) for one, copy in zip(model.parameters(), copies, strict=True) if one.grad is not None)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(value, batch()[name]) for name, value in inputs.items())


def test_a_function_that_writes_to_its_inputs_and_returns_the_same_memory_is_measured_all_the_same() -> None:
    kept = torch.zeros(2, 1)
    inputs = {"keys": KEYS.clone(), "camera": CAMERA.clone()}

    def function(keys: torch.Tensor, camera: torch.Tensor) -> torch.Tensor:
        kept.copy_(keys.add_(camera))
        camera.zero_()
        return kept

    scalars = measured(Sensitivity("actions", function, inputs)).scalars
    assert scalars["effect/camera"] == pytest.approx(math.hypot(5, 5) / math.hypot(3, 9))
    assert torch.equal(inputs["keys"], KEYS)


def test_noise_of_the_function_itself_is_no_effect() -> None:
    inputs = {"x": torch.ones(4, 2), "unused": torch.arange(4)}
    scalars = measured(Sensitivity("noisy", lambda x, unused: x + torch.randn(4, 2) + random.random() + np.random.rand(), inputs)).scalars
    assert scalars["effect/unused"] == 0
    assert scalars["effect/x"] > 0.1


def test_inputs_that_need_gradients_or_come_from_a_graph_are_taken() -> None:
    x = torch.ones(2, 1, requires_grad=True)
    assert measured(Sensitivity("inputs", lambda x, y: x + y, {"x": x, "y": x * torch.arange(2.0)[:, None]})).scalars["failed"] == 0


def test_a_long_function_is_in_the_cost() -> None:
    def slow(keys: torch.Tensor, camera: torch.Tensor) -> torch.Tensor:
        began = time.perf_counter()
        while time.perf_counter() - began < 0.05:
            pass
        return keys + camera

    probes = ProbeSet(lambda text: None)
    probes.add(Sensitivity("actions", slow, {"keys": KEYS, "camera": CAMERA}, every=1))
    (snapshot,) = probes.boundary(1, 1.0)
    assert 0.15 <= snapshot.cost < 1.0


def test_it_is_part_of_the_public_face() -> None:
    assert bedside.Sensitivity is Sensitivity
    assert Sensitivity("x", broken, {}).schedule.every == 500
