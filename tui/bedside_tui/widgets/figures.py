"""The three figures by which a probe is known in a row: what it found, how sure, and where. One function a kind; the first figure leads."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TypeAlias

from bedside_tui.draw import number
from bedside_tui.store.view import MetricView, ProbeView
from bedside_tui.widgets.lines import pad_left
from bedside_tui.widgets.panels.blocks import short
from bedside_tui.widgets.panels.codebook import codebook_size
from bedside_tui.widgets.panels.given import array, flat, largest, names, scalar, scalars_under, texts
from bedside_tui.widgets.panels.gradients import findings
from bedside_tui.widgets.panels.measures import ratio_verdict

Figures: TypeAlias = Callable[[ProbeView], list[str]]

CELLS = (15, 20, 24)
"""Cells of the three figures of a probe in a row, the same for every kind: rows stand under each other."""

LEADS: Mapping[str, str] = {
    "activations": "dead", "attention": "entropy", "class_balance": "effective", "codebook": "perplexity", "contribution": "ratio",
    "distribution": "q50", "divergence": "kl", "gradients": "norm", "parameter": "norm", "per_index": "later_worse", "ratio": "avg100",
    "rollout": "collapse", "schedule": "deviation", "similarity": "cosine", "structure": "output_difference", "success": "rate",
}  # fmt: skip
"""The scalar that is worth a chart of its own where there is room."""


def lead_of(probe: ProbeView) -> MetricView | None:
    """The leading scalar as a metric, to be drawn as one; of an unknown kind the first. None before two measurements."""
    name = LEADS.get(probe.kind) or next(iter(probe.scalars), "")
    history = probe.scalars.get(name)
    if history is None or len(history) < 2:
        return None
    step, _, value = history.last
    return MetricView(f"{probe.name} {name}", "other", value, step, "none", "", history)


def figures_of(probe: ProbeView) -> list[str]:
    """Up to three short texts of a measured probe; of an unknown kind its first scalars."""
    found = FIGURES.get(probe.kind, _first_scalars)(probe)
    return found if any(found) else _first_scalars(probe)


def _of(*shown: tuple[str, str, Callable[[float | None], str]]) -> Figures:
    """Figures that are one scalar each: (scalar, text with a place for it, how it is written); those not measured are left out."""

    def figures(probe: ProbeView) -> list[str]:
        return [text.format(write(value)) for name, text, write in shown if (value := scalar(probe, name)) is not None]

    return figures


def _first_scalars(probe: ProbeView) -> list[str]:
    scalars = probe.snapshot.scalars if probe.snapshot is not None else {}
    return [f"{name} {number.value(value)}" for name, value in list(scalars.items())[:3]]


def _codebook(probe: ProbeView) -> list[str]:
    used, size = scalar(probe, "used"), codebook_size(probe)
    return [
        f"{pad_left(number.count(used), len(number.count(size)))}/{number.count(size)} used",
        f"perplexity {number.count(scalar(probe, 'perplexity'))}",
        f"dead {number.count(scalar(probe, 'dead'))}",
    ]


def _gradients(probe: ProbeView) -> list[str]:
    idle = len(texts(probe, "none")) + len(texts(probe, "zero"))
    unowned = len(texts(probe, "unowned"))
    learning = f"{idle} without gradient" if idle else f"{unowned} in no optimizer" if unowned else "all learning"
    largest_ = _largest(probe, "layer_norm", "layer", "largest {name} {value}")
    tensors = scalar(probe, "tensors")
    return [f"{number.count(tensors)} tensors" if tensors is not None else "", learning, largest_]


def _largest(probe: ProbeView, name: str, what: str, text: str) -> str:
    """The largest entry of a table, by its label, which gives way to the value where the last figure has no room for both."""
    found = array(probe, name)
    if found is None:
        return ""
    values = flat(found)
    at = largest(values)
    value = number.value(float(values[at]))
    label = short(names(found.labels, values.size, what)[at], CELLS[-1] - len(text.format(name="", value=value)))
    return text.format(name=label, value=value)


def _structure(probe: ProbeView) -> list[str]:
    found = findings(probe)
    wrong = [finding.short for finding in found if not finding.well]
    if not found:
        return ["nothing tried yet"]
    return [f"{len(wrong)} of {len(found)} wrong", wrong[0]] if wrong else ["sound", f"{len(found)} things tried"]


def _rollout(probe: ProbeView) -> list[str]:
    collapses = {name: value for name, value in scalars_under(probe, "collapse").items() if math.isfinite(value)}
    shown = _of(("collapse", "{} lost", number.percent), ("best", "best {} lost", number.percent))(probe)
    if not collapses:
        return shown
    worst = max(collapses, key=collapses.__getitem__)
    first, second = (scalars_under(probe, part).get(worst) for part in ("first", "second"))
    return [*shown, f"{worst} {number.count(first)} → {number.count(second)} codes" if first is not None and second is not None else worst]


def _sensitivity(probe: ProbeView) -> list[str]:
    ignored = texts(probe, "ignored")
    quiet = bool(texts(probe, "quiet"))
    first = "not judged" if quiet else f"{len(ignored)} ignored" if ignored else "none ignored"
    return [first, ", ".join(ignored[:3]) or "all inputs matter" if not quiet else "while collapsed",
            _largest(probe, "effect", "input", "most {name} {value}")]  # fmt: skip


def _class_balance(probe: ProbeView) -> list[str]:
    effective, target = scalar(probe, "effective"), scalar(probe, "target_effective")
    spread = f"{number.value(effective)} of {number.value(target)} classes" if effective is not None and target is not None else ""
    return [*_of(("accuracy", "accuracy {}", number.percent))(probe), spread, *_of(("missing", "missing {}", number.count))(probe)]


def _contribution(probe: ProbeView) -> list[str]:
    held = scalar(probe, "inactive")
    return [*_of(("ratio", "adds {}", number.percent))(probe), "must be identity" if held else "active" if held is not None else ""]


def _distribution(probe: ProbeView) -> list[str]:
    ends = (scalar(probe, "q05"), scalar(probe, "q95"))
    bad = scalar(probe, "nonfinite")
    middle = _of(("q50", "middle {}", number.value))(probe)
    spread = f"{number.value(ends[0])} … {number.value(ends[1])}" if None not in ends else ""
    return [*middle, spread, f"{number.count(bad)} not finite" if bad else ""]


def _ratio(probe: ProbeView) -> list[str]:
    glyph, words, _ = ratio_verdict(probe)
    return [*_of(("now", "now {}", number.value), ("avg100", "mean {}", number.value))(probe), f"{glyph} {words}".strip()]


def _samples(probe: ProbeView) -> list[str]:
    ratios = list(scalars_under(probe, "psnr").values())
    step = number.count(probe.snapshot.step) if probe.snapshot is not None else number.MISSING
    return ["target → made", f"psnr {number.value(ratios[0])} dB" if ratios else "", f"step {step}    i look"]


def _preflight(probe: ProbeView) -> list[str]:
    return [
        f"{number.count(value)} {name}" for name in ("failed", "warned", "passed") if (value := scalar(probe, name)) is not None and value
    ]


FIGURES: Mapping[str, Figures] = {
    "activations": _of(
        ("dead", "dead {}", number.percent),
        ("saturated", "saturated {}", number.percent),
        ("rank_min", "rank ≥ {} of width", number.percent),
    ),
    "attention": _of(
        ("entropy", "entropy {}", number.value),
        ("largest", "largest {}", number.value),
        ("uniform", "{} of heads uniform", number.percent),
    ),
    "class_balance": _class_balance,
    "codebook": _codebook,
    "contribution": _contribution,
    "distribution": _distribution,
    "divergence": _of(
        ("kl", "KL {} nats", number.value), ("agreement", "agreement {}", number.percent), ("entropy_q", "entropy {}", number.value)
    ),
    "gradients": _gradients,
    "parameter": _of(
        ("std", "std {}", number.value), ("std_ratio", "{}× expected", number.value), ("relative", "{} from the other", number.percent)
    ),
    "per_index": _of(
        ("later_worse", "ends at {}×", number.value), ("trend", "trend {}", number.value), ("count", "{} values", number.count)
    ),
    "preflight": _preflight,
    "ratio": _ratio,
    "rollout": _rollout,
    "samples": _samples,
    "schedule": _of(
        ("value", "value {}", number.value), ("declared", "declared {}", number.value), ("deviation", "off by {}", number.percent)
    ),
    "sensitivity": _sensitivity,
    "similarity": _of(("cosine", "cosine {}", number.value), ("variance", "variance {}", number.value), ("rank", "rank {}", number.value)),
    "structure": _structure,
    "success": _of(
        ("rate", "{} succeeded", number.percent), ("normal", "normally {}", number.percent), ("count", "{} tries", number.count)
    ),
}
