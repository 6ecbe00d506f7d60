"""How trainings fail, and where each way is seen: symptom → probe → field → case → screen. docs/failures.md is made of this table.

Five post-mortems are behind it (a world model, a solver of puzzles, a latent dynamics model, a tokenizer, a foveated model). Each row's
quantity is judged on the real trainings of its case: what it is in the broken form and in the healthy one may not overlap.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Final

from bedside.cases.case import Interval, Over, Sign


@dataclass(frozen=True, slots=True)
class Row:
    """One symptom. `sign` tells the forms of `case` apart. Where no quantity of one training can tell, `instead` says what does."""

    section: str
    symptom: str
    case: str = ""
    sign: Sign | None = None
    instead: str = ""


SECTIONS: Final = {
    "A": "Codebooks",
    "B": "Rollouts",
    "C": "Classes, and modules that wake too early",
    "D": "Any training",
    "E": "Two things that should differ",
    "F": "The job around the model",
}


def _seen(section: str, symptom: str, case: str, where: str, over: Over, healthy: Interval, broken: Interval, screen: str) -> Row:
    """A row whose quantity is `kind:probe.field`, or a metric's name."""
    kind, _, rest = where.rpartition(":")
    probe, _, field = rest.rpartition("|") if kind else ("", "", rest)
    return Row(section, symptom, case, Sign(kind, probe, field, over, healthy, broken, screen))


FAILURES: Final = (
    _seen("A", "few codes in use", "codebook-collapse", "codebook:vq|used", "last", (300, 512), (0, 160), "codebook"),
    _seen("A", "which codes survive?", "codebook-collapse", "codebook:vq|dead", "last", (0, 200), (350, 512), "codebook"),
    _seen("A", "a part of the loss rises in jumps", "periodic-spikes", "loss/vq", "peak", (1, 2), (3, inf), "chart"),
    Row("A", "a part of the loss rises instead of falling", instead="the part as a metric of its own: drawn, and never judged alone"),
    Row("A", "judged on one batch", instead="a snapshot counts a window of 20 assignments a code: field `window`"),
    Row(
        "A",
        "skewed but healthy use",
        instead="`used` beside `perplexity`: on Zipf-like data only the second is low, and that alone is amber",
    ),
    _seen(
        "B",
        "teacher-forced fine, free-running dead",
        "first-step-rollout-collapse",
        "rollout:dream|collapse",
        "last",
        (-1, 0.2),
        (0.8, 1),
        "model",
    ),
    _seen("B", "is it the sampling?", "first-step-rollout-collapse", "rollout:dream|best", "last", (-1, 0.2), (0.5, 1), "model"),
    _seen(
        "B", "distribution shift", "first-step-rollout-collapse", "divergence:forced against free|kl", "last", (0, 0.5), (1, inf), "model"
    ),
    _seen(
        "B", "actions do nothing", "first-step-rollout-collapse", "sensitivity:inputs|effect/keys", "last", (0.05, 10), (0, 0.02), "model"
    ),
    Row("B", "gates and attention drift over the rollout", instead="any number a frame in `bedside.Frames`: a trajectory a variant"),
    Row("B", "the same illness in every checkpoint", instead="the same probes over a list of checkpoints: not there yet"),
    _seen(
        "B",
        "a schedule that was not applied",
        "schedule-not-applied",
        "schedule:temperature|deviation",
        "max",
        (0, 0.01),
        (0.5, 20),
        "model",
    ),
    _seen(
        "C",
        "one class predicted everywhere",
        "background-collapse",
        "class_balance:cells|predicted_max",
        "median",
        (0, 0.97),
        (0.995, 1),
        "model",
    ),
    _seen(
        "C", "a class that is never predicted", "background-collapse", "class_balance:cells|missing", "median", (0, 2), (3.5, 20), "model"
    ),
    _seen(
        "C",
        "a module that must wait contributes anyway",
        "untrained-branch",
        "contribution:branch|early",
        "max",
        (0, 0.01),
        (0.05, inf),
        "model",
    ),
    _seen("C", "parameters that never learn", "dead-parameters", "gradients:gradients|none", "last", (0, 0), (1, 100), "model"),
    _seen("C", "random attention injects noise", "untrained-branch", "contribution:branch|early", "max", (0, 0.01), (0.05, inf), "model"),
    Row("C", "which change did it?", instead="the settings of two runs side by side: `bedside compare`, not there yet"),
    _seen("D", "NaN or infinity", "late-nan", "grad_norm", "max", (0, 10), (100, inf), "vitals"),
    _seen("D", "explosion", "loss-explosion", "loss", "max", (0, 1.5), (10, inf), "vitals"),
    _seen("D", "divergence: what was learnt is lost", "loss-explosion", "loss", "last", (0, 0.5), (1.5, inf), "vitals"),
    _seen("D", "never learns: nothing moves", "lr-zero", "gradients:gradients|update_ratio_median", "max", (1e-4, 0.1), (0, 1e-6), "model"),
    _seen("D", "never learns: the loss stays", "no-learning", "loss", "min", (0, 0.5), (2, 2.5), "vitals"),
    _seen(
        "D",
        "output does not depend on input",
        "mode-collapse",
        "structure:structure|output_difference",
        "last",
        (0.1, inf),
        (0, 0.001),
        "model",
    ),
    _seen("D", "out of memory, before it happens", "memory-leak", "memory/grown", "last", (-5e7, 5e7), (2e8, inf), "vitals"),
    _seen("D", "overfitting", "overfitting", "ratio:gap|avg50", "last", (0.5, 60), (250, inf), "model"),
    _seen("D", "poor pictures", "mode-collapse", "samples:digits|psnr/made", "last", (15, 60), (0, 13), "samples"),
    _seen(
        "D",
        "later frames worse than early ones",
        "per-index-decay",
        "per_index:loss by frame|later_worse",
        "last",
        (0, 1.3),
        (2, inf),
        "model",
    ),
    Row("D", "loss not decreasing, or noisy", instead="a remark of the review at the end, never an alarm: not there yet"),
    Row("D", "early spikes, restarts, one bad batch, noisy rewards, adversarial losses", instead="healthy: the cases of the last group"),
    Row("D", "before a long run", instead="`run.preflight(model, batch, …)`: its verdict is a probe on the model screen"),
    _seen("E", "paired losses equal", "equal-pair", "ratio:gain|equal", "last", (0.05, inf), (0, 0.01), "model"),
    _seen(
        "E", "queries too small for their projection", "query-collapse", "parameter:queries|std_ratio", "last", (0.5, 2), (0, 0.1), "model"
    ),
    _seen("E", "uniform attention", "uniform-attention", "attention:reader|entropy", "last", (0, 0.8), (0.98, 1), "model"),
    _seen("E", "representations converge", "query-collapse", "similarity:asked|cosine", "last", (-1, 0.6), (0.9, 1), "model"),
    _seen(
        "E",
        "the model ignores an input",
        "first-step-rollout-collapse",
        "sensitivity:inputs|effect/buffer",
        "last",
        (0.1, 10),
        (0, 0.05),
        "model",
    ),
    Row("E", "the wrong task", instead="the same ratio over several runs: `bedside compare`, not there yet"),
    _seen("F", "crash", "crash", "ended:|KeyError", "last", (0, 0), (1, 1), "vitals"),
    _seen("F", "data stream failing", "data-stall", "success:fetches|rate", "median", (0.8, 1), (0, 0.65), "model"),
    Row(
        "F", "slow steps", instead="the agent's vitals: median and tail of a step, the share of it spent waiting for data (case data-stall)"
    ),
    Row("F", "modes mixed in one batch", instead="`run.log(…, group={…})`: a series each, as in the case long-and-short"),
    Row("F", "ten experiments later", instead="`bedside runs`: every run with its ending and its verdict"),
    _seen("F", "text or picture samples", "mode-collapse", "samples:digits|sharpness/made", "last", (0.5, 2), (0, 0.3), "samples"),
)


def markdown() -> str:
    """The table as docs/failures.md has it."""
    lines = ["# How trainings fail, and where it is seen", "", _INTRODUCTION]
    for section, title in SECTIONS.items():
        lines += ["", f"## {title}", "", "| symptom | probe | field | case | screen | healthy | broken |", "|---|---|---|---|---|---|---|"]
        lines += [_line(row) for row in FAILURES if row.section == section]
    return "\n".join(lines) + "\n"


_INTRODUCTION: Final = """\
Every row is judged on a real training, in its broken form and in the healthy one (`make cases`): `bedside demo CASE` shows the first,
`bedside demo CASE --healthy` the second. Made by `python -m bedside.cases --failures`."""


def _line(row: Row) -> str:
    if row.sign is None:
        return f"| {row.symptom} | {row.instead} | | | | | |"
    sign = row.sign
    probe = sign.kind.replace("_", " ") or "metric"
    what = f"`{sign.field}`" if sign.over == "last" else f"`{sign.field}`, {sign.over}"
    return f"| {row.symptom} | {probe} | {what} | {row.case} | {sign.screen} | {_within(sign.healthy)} | {_within(sign.broken)} |"


def _within(interval: Interval) -> str:
    low, high = interval
    if low == high:
        return f"{low:g}"
    return f"{low:g} or more" if high == inf else f"{low:g} to {high:g}"
