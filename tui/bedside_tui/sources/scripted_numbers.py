"""Probes that are a few numbers each, as a scripted run measures them.

Each function takes the share of the run that is over, how ill it is from 0 to 1, and its noise.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np

from bedside_protocol.records import Array

Noise: TypeAlias = np.random.Generator


@dataclass(frozen=True, slots=True)
class Measured:
    """What a snapshot holds."""

    scalars: dict[str, float]
    arrays: dict[str, Array] = field(default_factory=dict)
    texts: dict[str, tuple[str, ...]] = field(default_factory=dict)


def divergence(at: float, sick: float, noise: Noise) -> Measured:
    kl = 0.08 + 1.4 * sick + 0.02 * noise.random()
    return Measured({"kl": kl, "entropy_p": 3.9 - at, "entropy_q": 3.7 - at - 1.2 * sick, "agreement": 0.91 - 0.6 * sick, "rows": 2048.0})


def contribution(at: float, sick: float, noise: Noise) -> Measured:
    waits = at < 0.3
    ratio = 0.002 if waits else 0.24 + 0.02 * noise.standard_normal()
    return Measured({"ratio": ratio, "inactive": float(waits), "early": ratio if waits else 0.0})


def similarity(at: float, sick: float, noise: Noise) -> Measured:
    frames = 0.94 + 0.05 * np.linspace(0, 1, 24) + 0.004 * noise.standard_normal(24)
    scalars = {"cosine": float(frames.mean()), "variance": 9e-5 * (1 + at), "rank": 4.1 + at, "vectors": 64.0}
    return Measured(scalars, {"cosine": Array("trajectory", frames)})


def distribution(at: float, sick: float, noise: Noise) -> Measured:
    values = noise.standard_normal(4096) * (0.6 + 0.4 * at) + 0.3 * at
    values = np.concatenate([values, 2.5 + 0.3 * noise.standard_normal(400)])
    counts, _ = np.histogram(values, bins=40)
    quantiles = np.quantile(values, [0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99])
    scalars = {"min": float(values.min()), "max": float(values.max()), "mean": float(values.mean()), "std": float(values.std())}
    scalars |= dict(zip(("q01", "q05", "q25", "q50", "q75", "q95", "q99"), quantiles.tolist(), strict=True))
    return Measured({**scalars, "count": float(values.size), "nonfinite": 0.0}, {"values": Array("histogram", counts)})


def ratio(at: float, sick: float, noise: Noise) -> Measured:
    values = 1.02 + 0.12 * at + 0.05 * noise.standard_normal(200)
    above = float((values > 1).mean())
    scalars = {
        "now": float(values[-1]), "avg50": float(values[-50:].mean()), "avg100": float(values[-100:].mean()), "peak": float(values.max()),
        "lowest": float(values.min()), "above": above, "above_low": above - 0.05, "above_high": min(1.0, above + 0.04),
        "ratio_of_means": float(values.mean()) - 0.04, "mean_of_ratios": float(values.mean()), "equal": 0.08 + 0.1 * at, "count": 500 * at,
        "success": float(values.mean() > 1.05), "strong": 0.0,
    }  # fmt: skip
    return Measured(scalars, {"ratio": Array("trajectory", values)})


def parameter(at: float, sick: float, noise: Noise) -> Measured:
    return Measured({
        "mean": -0.0004, "std": 0.021 + 0.004 * at, "norm": 1.9 + at, "expected_std": 1.0, "std_ratio": 0.021 + 0.004 * at,
        "distance": 0.012 + 0.4 * at, "relative": 0.006 + 0.2 * at, "norm_ratio": 0.98, "cosine": 0.9998 - 0.01 * at,
    })  # fmt: skip


def per_index(at: float, sick: float, noise: Noise) -> Measured:
    profile = 0.02 * (1 + np.linspace(0, 1.6, 32) ** 2) * np.exp(-at) * (1 + 0.05 * noise.standard_normal(32))
    first, last = float(profile[:10].mean()), float(profile[-10:].mean())
    scalars = {"first": first, "last": last, "later_worse": last / first, "trend": 0.96, "count": 8192.0}
    return Measured(scalars, {"profile": Array("table", profile, tuple(f"frame {at}" for at in range(32)))})


def schedule(at: float, sick: float, noise: Noise) -> Measured:
    steps = np.linspace(0, at, max(2, int(120 * at)))
    declared = np.maximum(0.1, 1.0 - 0.9 * steps / 0.6)
    value = np.where(steps < 0.4, declared, 0.4)
    off = float(abs(value[-1] - declared[-1]) / declared[-1])
    scalars = {"value": float(value[-1]), "declared": float(declared[-1]), "deviation": off, "deviation_max": off}
    return Measured(scalars, {"value": Array("trajectory", value), "declared": Array("trajectory", declared)})


def success(at: float, sick: float, noise: Noise) -> Measured:
    rate = round(0.93 - 0.2 * sick + 0.02 * noise.standard_normal(), 2)
    return Measured({"rate": rate, "normal": 0.92, "drop": 0.92 - rate, "count": float(round(50_000 * at))})
