"""The probes that most scripts have, as a scripted run measures them: a codebook, gradients, samples of pictures."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from bedside_protocol.records import Array, Body, ProbeDeclared, Snapshot
from bedside_tui.sources.scripted_plan import CODES, LAYERS, Plan


def usual_probes(plan: Plan) -> Iterator[tuple[float, Body]]:
    """Their declarations and all their snapshots, each with its time."""
    yield 0.01, ProbeDeclared("vq", "codebook", 50, {"size": CODES, "window": 20 * CODES})
    yield 0.01, ProbeDeclared("gradients", "gradients", 50, {"tensors": 62})
    yield 0.01, ProbeDeclared("samples", "samples", 400, {"count": 8})
    yield from _codebook(plan)
    yield from _gradients(plan)
    yield from _samples(plan)


def _usage(plan: Plan, step: float, noise: np.random.Generator) -> NDArray[np.int64]:
    """Assignments of each code in a window: all of them nearly even when healthy, a steep few when collapsed."""
    sick = plan.sickness(step)
    warm = min(1.0, step / (0.08 * plan.steps))
    weights = np.exp(0.55 * np.random.default_rng(plan.seed + 2).standard_normal(CODES))
    order = np.random.default_rng(plan.seed + 3).permutation(CODES)
    reached = int(CODES * (0.12 + 0.78 * warm) * (1 - sick) + 41 * sick)
    alive = np.zeros(CODES)
    alive[order[: max(41, reached)]] = 1.0
    favoured = np.exp(-np.argsort(order) / (9.0 + 900.0 * (1 - sick)))
    share = weights * alive * favoured
    return noise.multinomial(20 * CODES, share / share.sum()).astype(np.int64)


def _codebook(plan: Plan) -> Iterator[tuple[float, Body]]:
    noise = np.random.default_rng(plan.seed + 4)
    for step in range(200, plan.steps + 1, 200):
        usage = _usage(plan, step, noise)
        yield plan.time(step) + 0.002, codebook_snapshot("vq", step, usage)


def codebook_snapshot(probe: str, step: int, usage: NDArray[np.int64]) -> Snapshot:
    """What the codebook probe says of these assignments."""
    total, size = int(usage.sum()), len(usage)
    shares = np.sort(usage[usage > 0] / total)[::-1]
    used = np.argsort(-usage, kind="stable")[: min(64, len(shares))]
    away = 0.4 + 1.1 * np.random.default_rng(step).random(len(used))
    scalars = {
        "size": float(size),
        "window": float(total),
        "used": float(len(shares)),
        "usage": len(shares) / size,
        "dead": float(size - len(shares)),
        "perplexity": float(np.exp(-(shares * np.log(shares)).sum())),
        "top1": float(shares[0]),
        "top10": float(shares[:10].sum()),
        "ignored": 0.0,
        "overlap": 0.97 if len(shares) > size // 2 else 0.62,
        "nearest": float(away.mean()),
        "distance": float(away.mean() * 2.3),
    }
    near = Array("table", away, tuple(str(code) for code in used.tolist()))
    return Snapshot(probe, "codebook", step, scalars, {"usage": Array("histogram", usage), "near": near}, cost=0.011)


def _gradients(plan: Plan) -> Iterator[tuple[float, Body]]:
    noise = np.random.default_rng(plan.seed + 5)
    base = np.array([0.21, 0.34, 0.42, 0.05, 0.81, 0.55, 0.37, 0.18])
    for step in range(50, plan.steps + 1, 100):
        norms = base * np.exp(0.15 * noise.standard_normal(len(LAYERS))) * (1 + 2.2 * np.exp(-9 * step / plan.steps))
        norms[3] *= 1 - 0.9 * plan.sickness(step)
        ratios = 1e-3 * np.exp(0.3 * noise.standard_normal(len(LAYERS)))
        yield plan.time(step) + 0.003, Snapshot(
            "gradients", "gradients", step,
            {
                "norm": float(np.sqrt((norms**2).sum())), "tensors": 62.0, "nonfinite": 0.0, "none": 0.0, "zero": 0.0, "unowned": 0.0,
                "unchanged": 0.0, "update_ratio_median": float(np.median(ratios)), "update_ratio_max": float(ratios.max()),
            },
            {"layer_norm": Array("table", norms, LAYERS), "layer_update_ratio": Array("table", ratios, LAYERS)},
            cost=0.016,
        )  # fmt: skip


_GLYPHS = {
    0: "00111100 01100110 01000010 01000010 01000010 01000010 01100110 00111100",
    1: "00011000 00111000 01011000 00011000 00011000 00011000 00011000 00111100",
    2: "00111100 01000010 00000010 00000110 00001100 00110000 01100000 01111110",
    3: "00111100 01000010 00000010 00011100 00000010 00000010 01000010 00111100",
    4: "00000100 00001100 00010100 00100100 01000100 01111110 00000100 00000100",
    5: "01111110 01000000 01000000 01111100 00000010 00000010 01000010 00111100",
    6: "00011100 00100000 01000000 01111100 01000010 01000010 01000010 00111100",
    7: "01111110 00000010 00000100 00001000 00010000 00100000 00100000 00100000",
}


def _samples(plan: Plan) -> Iterator[tuple[float, Body]]:
    noise = np.random.default_rng(plan.seed + 6)
    target = np.array([[[int(dot) for dot in row] for row in glyph.split()] for glyph in _GLYPHS.values()], float)
    target = np.clip(target * 0.9 + 0.08 * noise.random(target.shape), 0, 1)
    for step in range(400, plan.steps + 1, 400):
        sick = plan.sickness(step)
        blur = 0.55 * np.exp(-8 * step / plan.steps) + 0.25 * sick
        reconstruction = np.clip((1 - blur) * target + blur * target.mean(0) + 0.03 * noise.standard_normal(target.shape), 0, 1)
        yield plan.time(step) + 0.004, Snapshot(
            "samples", "samples", step,
            {
                "psnr/reconstruction": float(-10 * np.log10(((target - reconstruction) ** 2).mean())),
                "sharpness/reconstruction": 1.0 - 0.8 * blur,
            },
            {"target": Array("image", target), "reconstruction": Array("image", reconstruction)},
            cost=0.02,
        )  # fmt: skip
