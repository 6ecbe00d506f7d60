"""What a rollout's codes are counted to be, what becomes of a function that fails, and that the training cannot tell it ran."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pytest
import torch
from torch import nn

import bedside
from bedside.probes.probe_set import ProbeSet
from bedside.probes.rollout import Frames, Rollout
from bedside_protocol.records import Snapshot

TOKENS = 512


def frame(codes: int, start: int = 0) -> list[int]:
    """A frame of 512 tokens in which `codes` codes occur."""
    return [start + token % codes for token in range(TOKENS)]


def frames(*codes: int) -> np.ndarray:
    return np.array([frame(one) for one in codes])


def measured(probe: Rollout) -> Snapshot:
    snapshot = probe.measure(500)
    assert snapshot is not None
    return snapshot


def heard(probe: Rollout) -> Counter[str]:
    said: Counter[str] = Counter()
    probe.attach(lambda text: said.update([text]))
    return said


# ── the numbers ──


def test_the_numbers_are_those_of_the_formulas() -> None:
    snapshot = measured(Rollout("dream", lambda variant, count: frames(440, 30, 20, 40), 4))
    assert snapshot.kind == "rollout"
    assert snapshot.scalars == {
        "failed": 0,
        "first/argmax": 440,
        "second/argmax": 30,
        "rest/argmax": 30,
        "collapse/argmax": pytest.approx(1 - 30 / 440),
        "jaccard/argmax": pytest.approx(30 / 440),
        "collapse": pytest.approx(0.932, abs=5e-4),
        "best": pytest.approx(0.932, abs=5e-4),
        "nonfinite": 0,
    }
    assert snapshot.arrays["codes/argmax"].meaning == "trajectory"
    assert snapshot.arrays["codes/argmax"].values.tolist() == [440, 30, 20, 40]
    assert snapshot.texts == {}


def test_variants_are_measured_side_by_side_and_the_worst_and_the_best_are_named() -> None:
    rolled = {"argmax": frames(400, 20), 0.8: frames(400, 360)}
    snapshot = measured(Rollout("dream", lambda variant, count: rolled[variant], 2, variants=("argmax", 0.8)))
    assert snapshot.scalars["collapse/argmax"] == pytest.approx(0.95)
    assert snapshot.scalars["collapse/0.8"] == pytest.approx(0.1)
    assert snapshot.scalars["collapse"] == pytest.approx(0.95)
    assert snapshot.scalars["best"] == pytest.approx(0.1)
    assert "rest/argmax" not in snapshot.scalars


def test_a_mapping_of_variants_gives_the_function_its_values() -> None:
    asked: list[object] = []

    def roll(variant: object, count: int) -> object:
        asked.append((variant, count))
        return frames(4, 4, 4)

    snapshot = measured(Rollout("dream", roll, 3, variants={"cold": 0.1, "no camera": {"camera": 0}}))
    assert asked == [(0.1, 3), ({"camera": 0}, 3)]
    assert {"collapse/cold", "collapse/no camera"} < snapshot.scalars.keys()


@pytest.mark.parametrize("reference", [frames(35, 32), Frames(torch.tensor(frames(35, 32))), lambda count: frames(35, 32)[:count], True])
def test_a_dark_scene_is_no_collapse_when_the_real_frames_are_dark_too(reference: object) -> None:
    def roll(variant: str, count: int) -> object:
        return frames(35, 32) if variant == "reference" else frames(440, 30)

    snapshot = measured(Rollout("dream", roll, 2, reference=reference))
    assert snapshot.scalars["collapse/argmax"] == pytest.approx(1 - 30 / 32)
    assert snapshot.scalars["jaccard/argmax"] == pytest.approx(30 / 32)
    assert snapshot.scalars["reference"] == pytest.approx(33.5)
    assert snapshot.arrays["codes/reference"].values.tolist() == [35, 32]


def test_the_same_number_of_other_codes_is_told_by_jaccard() -> None:
    snapshot = measured(Rollout("dream", lambda variant, count: [frame(100), frame(100, start=50)], 2))
    assert snapshot.scalars["collapse"] == 0
    assert snapshot.scalars["jaccard/argmax"] == pytest.approx(50 / 150)


def test_codes_that_are_gained_are_a_negative_loss() -> None:
    assert measured(Rollout("dream", lambda variant, count: frames(100, 150), 2)).scalars["collapse"] == pytest.approx(-0.5)


@pytest.mark.parametrize(
    "shaped",
    [
        lambda codes: codes,
        lambda codes: codes.tolist(),
        lambda codes: codes.reshape(3, 16, 32).astype(np.uint16),
        lambda codes: codes[None],
        lambda codes: np.stack([codes, codes]).reshape(2, 3, 16, 32),
        torch.tensor,
        lambda codes: torch.tensor(codes, dtype=torch.int16).reshape(1, 3, 8, 64),
        lambda codes: [torch.tensor(one) for one in codes],
        lambda codes: tuple(codes),
        lambda codes: Frames(codes=torch.tensor(codes)),
    ],
)
def test_codes_of_any_kind_and_shape_are_counted(shaped: Callable[[np.ndarray], object]) -> None:
    snapshot = measured(Rollout("dream", lambda variant, count: shaped(frames(40, 30, 20)), 3))
    assert snapshot.arrays["codes/argmax"].values.tolist() == [40, 30, 20]


def test_a_batch_is_averaged_frame_by_frame() -> None:
    batch = np.stack([frames(40, 10, 10), frames(20, 20, 4)])
    snapshot = measured(Rollout("dream", lambda variant, count: batch, 3))
    assert snapshot.arrays["codes/argmax"].values.tolist() == [30, 15, 7]
    assert snapshot.scalars["collapse"] == pytest.approx(0.5)
    assert snapshot.scalars["jaccard/argmax"] == pytest.approx(20 / 40)


def test_further_numbers_a_frame_become_trajectories_of_their_variant() -> None:
    def roll(variant: str, count: int) -> Frames:
        return Frames(
            frames(40, 30, 20), entropy=[3.7, 4.1, 5.7], gate=torch.tensor([[0.0, 0.2, 0.4], [1.0, 0.4, 0.0]]), keys=(40, float("nan"), 293)
        )

    snapshot = measured(Rollout("dream", roll, 3))
    assert snapshot.arrays["entropy/argmax"].values.tolist() == [3.7, 4.1, 5.7]
    assert snapshot.arrays["gate/argmax"].values == pytest.approx([0.5, 0.3, 0.2])
    assert np.array_equal(snapshot.arrays["keys/argmax"].values, [40, np.nan, 293], equal_nan=True)
    assert snapshot.scalars["nonfinite"] == 1


def test_padding_is_no_code_and_is_said() -> None:
    codes = frames(40, 30)
    codes[1, ::2] = -1
    probe = Rollout("dream", lambda variant, count: codes, 2)
    said = heard(probe)
    assert measured(probe).arrays["codes/argmax"].values.tolist() == [40, 15]
    assert list(said) == ["probe dream: argmax: negative codes are not counted"]


def test_a_seed_without_a_code_has_no_loss_to_tell() -> None:
    snapshot = measured(Rollout("dream", lambda variant, count: np.full((2, 9), -1), 2))
    assert np.isnan(snapshot.scalars["collapse/argmax"])
    assert "collapse" not in snapshot.scalars


# ── what it refuses ──


def raises(variant: str, count: int) -> object:
    raise RuntimeError(f"mat1 and mat2 shapes cannot be multiplied ({random.randint(2, 999)}x4)\nand more")


@pytest.mark.parametrize(
    ("roll", "said"),
    [
        (raises, "argmax is not rolled out: RuntimeError: mat… and mat… shapes cannot be multiplied (…x…)"),
        (lambda variant, count: None, "codes must be integers, not None"),
        (lambda variant, count: "codes", "codes must be integers"),
        (lambda variant, count: [[1, 2], [3]], "every frame must have equally many codes"),
        (
            lambda variant, count: [torch.ones(2, dtype=torch.int), torch.ones(3, dtype=torch.int)],
            "every frame must have equally many codes",
        ),
        (lambda variant, count: torch.rand(2, 9), "codes must be integers, not torch.float32"),
        (lambda variant, count: torch.rand(2, 9, dtype=torch.bfloat16), "codes must be integers, not torch.bfloat16"),
        (lambda variant, count: torch.full((2, 9), float("nan")), "codes must be integers"),
        (lambda variant, count: np.full((2, 9), np.nan), "codes must be integers, not float64"),
        (lambda variant, count: torch.ones(2, 9, dtype=torch.bool), "codes must be integers, not bool"),
        (lambda variant, count: np.zeros((2, 0), int), "two codes or more"),
        (lambda variant, count: [], "codes must be integers"),
        (lambda variant, count: frames(4, 4, 4), "2 frames were asked for"),
        (lambda variant, count: frames(4), "2 frames were asked for"),
        (lambda variant, count: [1, 2], "2 frames were asked for"),
        (lambda variant, count: [[1], [2]], "two codes or more"),
        (lambda: None, "TypeError"),
        (None, "TypeError"),
    ],
)
def test_what_is_no_rollout_is_said_by_name_once_and_nothing_raises(roll: Callable[..., object], said: str) -> None:
    probe = Rollout("dream", roll, 2)
    problems = heard(probe)
    for _ in range(3):
        assert measured(probe).scalars["failed"] == 1
    (text,) = problems
    assert text.startswith("probe dream: argmax is not rolled out: ")
    assert said in text
    assert "collapse" not in measured(probe).scalars
    assert measured(probe).texts["failed"] == ("argmax",)


def test_a_variant_that_raises_is_left_out_and_the_others_are_measured() -> None:
    def roll(variant: str, count: int) -> object:
        return frames(100, 10) if variant == "argmax" else raises(variant, count)

    probe = Rollout("dream", roll, 2, variants=("top-k", "argmax"))
    said = heard(probe)
    snapshot = measured(probe)
    assert snapshot.scalars["collapse"] == pytest.approx(0.9)
    assert snapshot.scalars["failed"] == 1
    assert snapshot.texts["failed"] == ("top-k",)
    assert next(iter(said)).startswith("probe dream: top-k is not rolled out")


def test_a_reference_that_cannot_be_read_is_said_and_the_seed_is_the_measure() -> None:
    probe = Rollout("dream", lambda variant, count: frames(100, 10), 2, reference=[1.5])
    said = heard(probe)
    assert measured(probe).scalars["collapse"] == pytest.approx(0.9)
    assert "reference is not rolled out" in next(iter(said))


@pytest.mark.parametrize("values", [[1.0], [[1.0], [2.0]], None, "ab", torch.zeros(0, 2)])
def test_a_further_number_of_a_wrong_form_is_said_and_the_codes_are_counted(values: object) -> None:
    probe = Rollout("dream", lambda variant, count: Frames(frames(100, 10), entropy=values), 2)
    said = heard(probe)
    snapshot = measured(probe)
    assert snapshot.scalars["second/argmax"] == 10
    assert "entropy/argmax" not in snapshot.arrays
    assert "argmax: entropy is left out" in next(iter(said))


@pytest.mark.parametrize("count", [1, 0, -3, 2.5, "8", None])
def test_a_number_of_frames_that_is_none_is_said(count: int) -> None:
    probe = Rollout("dream", lambda variant, count: frames(4, 4), count)
    assert "whole number of frames" in next(iter(heard(probe)))
    assert measured(probe).scalars["collapse"] == 0


@pytest.mark.parametrize("variants", [(), {}, []])
def test_without_a_variant_there_is_nothing_to_tell(variants: Sequence[str] | Mapping[str, object]) -> None:
    probe = Rollout("dream", lambda variant, count: frames(4, 4), 2, variants=variants)
    assert "no variant" in next(iter(heard(probe)))
    assert probe.measure(1) is None


# ── beside a training ──


class World(nn.Module):
    """Predicts the next frame's codes; `alive` false, it answers every frame with the same few codes."""

    def __init__(self, alive: bool) -> None:
        super().__init__()
        self.table = nn.Embedding(64, 64)
        self.table.weight.data = torch.eye(64).roll(1, 1) * 9 if alive else torch.eye(64)[:3].repeat(22, 1)[:64] * 9
        self.norm = nn.BatchNorm1d(64)
        self.drop = nn.Dropout(0.3)

    def forward(self, codes: torch.Tensor) -> torch.Tensor:
        return self.drop(self.norm(self.table(codes)))


def dream(model: nn.Module) -> Callable[[str, int], torch.Tensor]:
    def roll(variant: str, count: int) -> torch.Tensor:
        made = [torch.arange(64)]
        for _ in range(count - 1):
            logits = model(made[-1])
            made.append(logits.argmax(-1) if variant == "argmax" else torch.multinomial((logits / 9).softmax(-1), 1)[:, 0])
        return torch.stack(made)

    return roll


def test_a_living_model_and_a_dead_one_are_told_apart() -> None:
    alive, dead = Rollout("alive", dream(World(alive=True)), 6), Rollout("dead", dream(World(alive=False)), 6)
    assert not alive.collapsed
    assert measured(alive).scalars["collapse"] < 0.2
    assert not alive.collapsed
    assert measured(dead).scalars["collapse"] > 0.8
    assert dead.collapsed


def test_a_rollout_that_recovers_is_collapsed_no_more_and_one_that_fails_stays_as_it_was() -> None:
    answers: list[object] = [frames(100, 10), None, frames(100, 90)]
    probe = Rollout("dream", lambda variant, count: answers.pop(0), 2)
    told = [(probe.measure(step), probe.collapsed)[1] for step in (1, 2, 3)]
    assert told == [True, True, False]


def test_a_sampled_rollout_repeats_whatever_the_training_drew() -> None:
    probe = Rollout("dream", dream(World(alive=False)), 6, variants=("argmax", "sampled"))
    first = measured(probe)
    torch.rand(5)
    assert measured(probe) == first


def test_variants_draw_the_same_random_numbers() -> None:
    probe = Rollout("dream", dream(World(alive=False)), 6, variants={"a": "sampled", "b": "sampled"})
    arrays = measured(probe).arrays
    assert arrays["codes/a"] == arrays["codes/b"]


@pytest.mark.parametrize("compiled", [False, True])
def test_a_model_in_train_mode_is_left_bit_for_bit_as_it_was(compiled: bool) -> None:
    model = World(alive=True)
    model(torch.arange(64)).sum().backward()
    runs = torch.compile(model, backend="eager") if compiled else model
    before = {name: value.clone() for name, value in model.state_dict().items()}
    gradients = [(one.grad, one.grad.clone()) for one in model.parameters() if one.grad is not None]
    states = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()
    measured(Rollout("dream", dream(runs), 4, variants=("argmax", "sampled")))
    assert model.training
    assert model.norm.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert [one.grad for one in model.parameters() if one.grad is not None] == [reference for reference, _ in gradients]
    assert all(torch.equal(now, was) for now, was in gradients)
    assert torch.equal(torch.get_rng_state(), states[0])
    assert np.array_equal(np.random.get_state()[1], states[1])
    assert random.getstate() == states[2]


def test_it_runs_in_eval_mode_without_gradients_also_on_a_model_only_the_run_knows() -> None:
    seen: list[tuple[bool, bool]] = []
    hidden = {"in": {"a": {"box": World(alive=True)}}}

    def roll(variant: str, count: int) -> object:
        seen.append((hidden["in"]["a"]["box"].training, torch.is_grad_enabled()))
        return frames(4, 4)

    probe = Rollout("dream", roll, 2)
    probe.models = lambda: [hidden["in"]["a"]["box"]]
    measured(probe)
    measured(Rollout("dream", roll, 2, model=hidden["in"]["a"]["box"]))
    assert seen == [(False, False), (False, False)]


def test_a_long_rollout_is_in_the_cost_also_when_it_fails() -> None:
    def roll(variant: str, count: int) -> object:
        began = time.perf_counter()
        while time.perf_counter() - began < 0.05:
            pass
        return frames(4, 4) if variant == "argmax" else None

    probes = ProbeSet(lambda text: None)
    probes.add(Rollout("dream", roll, 2, variants=("argmax", "broken"), every=1))
    (snapshot,) = probes.boundary(1, 1.0)
    assert 0.1 <= snapshot.cost < 1.0
    assert snapshot.scalars["failed"] == 1


def test_it_is_part_of_the_public_face_and_tells_its_sizes() -> None:
    probe = bedside.Rollout("dream", raises, 20, variants=("argmax", "top-k"))
    assert bedside.Frames is Frames
    assert probe.settings() == {"frames": 20, "variants": "argmax, top-k"}
    assert probe.schedule.every == 500
