"""One probe of every other kind, as a scripted run measures it: what its snapshots hold is what the real ones hold.

A table: kind, name, schedule, and a function from how far the run is and how ill to a snapshot's scalars, arrays and texts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from bedside_protocol.records import Array, Body, ProbeDeclared, Scalar, Snapshot
from bedside_tui.sources import scripted_numbers
from bedside_tui.sources.scripted_numbers import Measured, Noise
from bedside_tui.sources.scripted_plan import Plan

Floats: TypeAlias = NDArray[np.float64]

CLASSES = ("background", "wall", "stairs", "door", "lamp", "plant", "person", "sign")
HEADS = tuple(str(head) for head in range(8))
BLOCKS = tuple(f"blocks.{block}.attn" for block in range(6))
MODULES = tuple(f"blocks.{block}.mlp.{part}" for block in range(6) for part in ("fc1", "fc2"))
SPENT = 0.004
"""Seconds a measurement takes of the training thread."""


@dataclass(frozen=True, slots=True)
class Example:
    """A probe of one kind. `measure(at, sick, noise)`: the share of the run that is over, and 0 … 1 of how ill it is."""

    kind: str
    name: str
    every: int
    measure: Callable[[float, float, Noise], Measured]
    settings: Mapping[str, Scalar] = field(default_factory=dict)


def every_other_probe(plan: Plan) -> Iterator[tuple[float, Body]]:
    """Declarations and snapshots of all examples."""
    for place, example in enumerate(EXAMPLES):
        noise = np.random.default_rng(plan.seed + 100 + place)
        yield 0.02, ProbeDeclared(example.name, example.kind, example.every, dict(example.settings))
        every = max(example.every, plan.steps // 60)
        for step in range(every, plan.steps + 1, every) if example.every else (1,):
            found = example.measure(step / plan.steps, plan.sickness(step), noise)
            snapshot = Snapshot(example.name, example.kind, step, found.scalars, found.arrays, found.texts, SPENT)
            yield plan.time(step) + 0.005 + place * 1e-4, snapshot


def _structure(at: float, sick: float, noise: Noise) -> Measured:
    scalars = {"never_reset": 0.0, "same_batch": 0.0, "eval_differs": 0.031, "output_difference": 0.42, "batches": 4.0}
    return Measured(scalars, texts={"eval_differs": ("decoder.dropout", "decoder.norm")})


def _attention(at: float, sick: float, noise: Noise) -> Measured:
    shape = (len(BLOCKS), len(HEADS))
    focus = np.random.default_rng(3).random(shape) * np.linspace(0.2, 0.9, len(BLOCKS))[:, None]
    entropy = np.clip(0.995 - focus * min(1.0, 3 * at) + 0.01 * noise.standard_normal(shape), 0, 1)
    largest = np.clip(1.05 - entropy + 0.02 * noise.random(shape), 0.004, 1)
    logit = 2 + 22 * (1 - entropy) + noise.random(shape)
    scalars = {
        "entropy": float(entropy.mean()), "entropy_min": float(entropy.min()), "entropy_max": float(entropy.max()), "keys": 257.0,
        "largest": float(largest.mean()), "logit": float(logit.max()), "uniform": float((entropy > 0.98).mean()), "invalid": 0.0,
    }  # fmt: skip
    maps = {"entropy": entropy, "largest": largest, "logit": logit}
    return Measured(scalars, {name: Array("matrix", values, HEADS, BLOCKS) for name, values in maps.items()})


def _activations(at: float, sick: float, noise: Noise) -> Measured:
    count = len(MODULES)
    dead = np.clip(np.linspace(0.01, 0.12, count) + 0.01 * noise.standard_normal(count), 0, 1)
    dead[6] = min(1.0, 0.2 + 0.7 * at)
    tables = {
        "dead": dead,
        "saturated": np.clip(0.02 + 0.01 * noise.standard_normal(count), 0, 1),
        "mean": 0.1 * noise.standard_normal(count),
        "std": 0.8 + 0.1 * noise.standard_normal(count),
        "rank": np.clip(np.linspace(0.62, 0.31, count) + 0.01 * noise.standard_normal(count), 0, 1),
    }
    scalars = {
        "dead": float(dead.mean()), "dead_max": float(dead.max()), "saturated": float(tables["saturated"].mean()),
        "saturated_max": float(tables["saturated"].max()), "rank_min": float(tables["rank"].min()),
    }  # fmt: skip
    return Measured(scalars, {name: Array("table", values, MODULES) for name, values in tables.items()})


LEFT = {"argmax": 0.09, "top-k 50": 0.62, "nucleus 0.9": 0.74, "t 0.8": 0.55}
"""Variants of the rollout, and the share of codes each keeps in the first step once the run is ill."""


def _rollout(at: float, sick: float, noise: Noise) -> Measured:
    scalars: dict[str, float] = {}
    arrays: dict[str, Array] = {}
    for variant, left in LEFT.items():
        kept = 1 - (1 - left) * max(0.05, sick)
        codes = np.rint(440 * np.concatenate([[1.0], kept * np.linspace(1, 0.92, 19)]) + 6 * noise.standard_normal(20))
        arrays[f"codes/{variant}"] = Array("trajectory", codes)
        arrays[f"entropy/{variant}"] = Array("trajectory", 3.7 + (2.0 - 1.6 * sick) * np.linspace(0, 1, 20) + 0.05 * noise.random(20))
        scalars |= {
            f"first/{variant}": float(codes[0]), f"second/{variant}": float(codes[1]), f"rest/{variant}": float(codes[2:].mean()),
            f"collapse/{variant}": float(1 - codes[1] / codes[0]), f"jaccard/{variant}": float(kept**2),
        }  # fmt: skip
    arrays["codes/reference"] = Array("trajectory", np.rint(441 + 5 * noise.standard_normal(20)))
    collapses = [scalars[f"collapse/{variant}"] for variant in LEFT]
    return Measured({"collapse": max(collapses), "best": min(collapses), "reference": 441.0, **scalars}, arrays)


def _sensitivity(at: float, sick: float, noise: Noise) -> Measured:
    names = ("keys", "camera", "action", "buffer")
    effects = np.array([0.1690, 0.0848, 0.2110, 0.0034]) * (1 - 0.6 * sick) * (1 + 0.05 * noise.random(4))
    ratios = {"ratio/keys/camera": float(effects[0] / effects[1])}
    quiet = ("the rollout is collapsed: with so few codes left every input looks weak",) if sick > 0.7 else ()
    ignored = () if quiet else ("buffer",)
    scalars = {**{f"effect/{name}": float(effect) for name, effect in zip(names, effects, strict=True)}, **ratios}
    return Measured(
        {**scalars, "ignored": float(len(ignored))}, {"effect": Array("table", effects, names)}, {"ignored": ignored, "quiet": quiet}
    )


def _class_balance(at: float, sick: float, noise: Noise) -> Measured:
    target = np.array([0.31, 0.22, 0.14, 0.11, 0.09, 0.07, 0.04, 0.02])
    predicted = target**1.4 * (1 + 0.1 * noise.random(8))
    predicted[6:] *= max(0.0, 1 - 3 * at)
    predicted /= predicted.sum()

    def effective(shares: Floats) -> float:
        return float(np.exp(-(shares[shares > 0] * np.log(shares[shares > 0])).sum()))

    scalars = {
        "observed": 40_960.0, "accuracy": 0.3 + 0.4 * at, "predicted_max": float(predicted.max()), "effective": effective(predicted),
        "target_effective": effective(target), "effective_ratio": effective(predicted) / effective(target),
        "missing": float((predicted[target >= 0.01] <= 0).sum()),
    }  # fmt: skip
    arrays = {name: Array("histogram", np.rint(shares * 40_960).astype(np.int64), CLASSES)
              for name, shares in (("predicted", predicted), ("target", target))}  # fmt: skip
    return Measured(scalars, arrays)


def _preflight(at: float, sick: float, noise: Noise) -> Measured:
    verdict = (
        "✓ batch: 3 of 3 have the same shapes, values in 0 … 1", "✓ loss falls: 2.31 to 1.12 in 100 steps", "✓ nothing is non-finite",
        "▲ memory: 14.8 of 16 GB at batch 64 × 2; 8 % are left for what was not tried",
        "✖ sampling: KeyError: 'kv_cache' in generate(), first reached at step 26 of the rehearsal", "✓ checkpoint: written and read back",
    )  # fmt: skip
    return Measured({"passed": 4.0, "failed": 1.0, "warned": 1.0}, texts={"verdict": verdict})


SAID = ("the cat sat on the mat", "a small boat crosses the wide river at dawn")


def _texts(at: float, sick: float, noise: Noise) -> Measured:
    made = ("the cat sat on the mat", "a small boat crosses the river the river the river")
    scalars = {"distinct1/greedy": 0.71, "distinct2/greedy": 0.84, "distinct1/sampled": 0.97, "distinct2/sampled": 1.0}
    return Measured(scalars, texts={"target": SAID, "greedy": made, "sampled": ("the cat slept on the mat", "at dawn a boat crosses")})


def _video(at: float, sick: float, noise: Noise) -> Measured:
    frames = np.arange(8)[:, None, None]
    rows, columns = np.mgrid[0:12, 0:12][0][None], np.mgrid[0:12, 0:12][1][None]
    target = np.exp(-((rows - 6) ** 2 + (columns - 1 - 1.3 * frames) ** 2) / 5.0)[None]
    made = 0.7 * np.exp(-((rows - 6) ** 2 + (columns - 1 - 0.6 * frames) ** 2) / 9.0)[None]
    scalars = {"psnr/rollout": 17.2, "sharpness/rollout": 0.48, "motion/rollout": 0.31}
    return Measured(scalars, {"target": Array("image", target), "rollout": Array("image", made)})


def _unknown(at: float, sick: float, noise: Noise) -> Measured:
    arrays = {
        "bins": Array("histogram", noise.integers(1, 40, 24)),
        "mix": Array("matrix", noise.random((3, 12)), tuple(f"e{at}" for at in range(12)), ("text", "image", "audio")),
        "by_expert": Array("table", noise.random(4), ("expert 0", "expert 1", "expert 2", "expert 3")),
        "gate": Array("trajectory", 0.44 + 0.02 * noise.standard_normal(40)),
    }
    return Measured({"load": 0.7 + 0.1 * at, "dropped": 3.0}, arrays, {"overflowing": ("expert 2",)})


EXAMPLES: tuple[Example, ...] = (
    Example("structure", "structure", 200, _structure),
    Example("attention", "attention", 200, _attention),
    Example("activations", "activations", 200, _activations),
    Example("rollout", "rollout", 500, _rollout),
    Example("sensitivity", "inputs", 500, _sensitivity),
    Example("divergence", "free-running", 500, scripted_numbers.divergence),
    Example("class_balance", "classes", 100, _class_balance),
    Example("contribution", "adapter", 100, scripted_numbers.contribution),
    Example("similarity", "queries", 100, scripted_numbers.similarity),
    Example("distribution", "latents", 100, scripted_numbers.distribution),
    Example("ratio", "coarse/fine", 50, scripted_numbers.ratio),
    Example("parameter", "query.weight", 100, scripted_numbers.parameter),
    Example("per_index", "loss by frame", 100, scripted_numbers.per_index),
    Example("schedule", "temperature", 50, scripted_numbers.schedule),
    Example("success", "episodes", 100, scripted_numbers.success),
    Example("preflight", "preflight", 0, _preflight),
    Example("samples", "captions", 400, _texts),
    Example("samples", "videos", 400, _video),
    Example("experts", "experts", 100, _unknown),
)
"""The last is of a kind that the viewer has never heard of."""
