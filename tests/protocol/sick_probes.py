"""Snapshots that fire each rule about a probe, and snapshots that nearly do: what the tests of these rules share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from bedside_protocol.alerts.notation import series
from bedside_protocol.records import Record, Severity, Snapshot

Texts = Mapping[str, tuple[str, ...]]
PACE = 0.1
"""Seconds a step."""


def snapshots(kind: str, fields: Mapping[str, str], texts: Texts | None = None, every: int = 50) -> list[Record]:
    """Snapshots of a probe named as its kind, one each `every` steps: each field a series (a single value stays), the texts in all."""
    columns = {name: series(line) for name, line in fields.items()}
    length = max(map(len, columns.values()))
    columns = {name: values * length if len(values) == 1 else values for name, values in columns.items()}
    return [
        Record(
            every * place * PACE,
            Snapshot(
                kind,
                kind,
                every * place,
                {name: value for name, values in columns.items() if place <= len(values) and (value := values[place - 1]) is not None},
                texts=texts or {},
            ),
        )
        for place in range(1, length + 1)
    ]


@dataclass(frozen=True)
class Case:
    """A rule, snapshots that fire it so badly, and snapshots that nearly do."""

    rule: str
    severity: Severity
    kind: str
    sick: Mapping[str, str]
    near: Mapping[str, str]
    texts: Texts = field(default_factory=dict)
    near_texts: Texts | None = None
    every: int = 50

    def made_sick(self) -> list[Record]:
        return snapshots(self.kind, self.sick, self.texts, self.every)

    def made_well(self) -> list[Record]:
        return snapshots(self.kind, self.near, self.texts if self.near_texts is None else self.near_texts, self.every)


def balance(largest: str, missing: str, present: str = "5", ratio: str = "0.7") -> dict[str, str]:
    return {"predicted_max": largest, "missing": missing, "present": present, "effective_ratio": ratio}


def alike(plain: str, relative: str) -> dict[str, str]:
    return {"output_difference": plain, "output_difference_relative": relative}


def codebook(used: str, perplexity: str) -> dict[str, str]:
    return {"size": "512", "window": "10240", "used": used, "usage": used, "dead": "0", "perplexity": perplexity}


CASES = (
    Case("codebook-collapse", "red", "codebook", codebook("0.1x30", "300x30"), codebook("0.1x18 0.9x11", "300x29")),
    Case("codebook-perplexity", "amber", "codebook", codebook("0.99x30", "80x30"), codebook("0.99x30", "101x30")),
    Case("nonfinite", "red", "gradients", {"nonfinite": "3x3", "tensors": "4"}, {"nonfinite": "0x3", "tensors": "4"}),
    Case("dead-parameters", "red", "gradients", {"zero": "2x5", "tensors": "2"}, {"zero": "1", "tensors": "2"}, {"zero": ("a", "b")}),
    Case("dead-parameters", "amber", "gradients", {"zero": "2x3", "tensors": "2"}, {"zero": "1", "tensors": "2"}, {"zero": ("a", "b")}),
    Case("unowned-parameters", "amber", "gradients", {"unowned": "1"}, {"unowned": "0"}, {"unowned": ("a",)}, {}),
    Case("frozen-weights", "red", "gradients", {"update_ratio_max": "0x4"}, {"update_ratio_max": "0 6e-9x4 0 1e-3"}),
    Case("frozen-weights", "red", "gradients", {"update_ratio_max": "0x7"}, {"update_ratio_max": "0x3 1e-3x3"}, every=2),
    Case("gradient-growth", "amber", "gradients", {"norm": "1x8 2.1 4.4 9"}, {"norm": "1x8 1.9 3.9 7.7 1x3"}),
    Case("gradient-growth", "amber", "gradients", {"norm": "1x8 1.5 2.3 3.4 5 8 12 18"}, {"norm": "1x8 0.01 0.1 0.5 2.2 1x4"}),
    Case("nonfinite-weights", "red", "parameter", {"nonfinite": "1"}, {"nonfinite": "0"}),
    Case("wrong-scale", "red", "parameter", {"std_ratio": "0.0188x2"}, {"std_ratio": "1 0.5 2 0.6"}),
    Case("early-module", "red", "contribution", {"early": "0.011"}, {"early": "0.009 0x3"}),
    Case("dead-units", "amber", "activations", {"dead_max": "0.95x3"}, {"dead_max": "0.95x1 0.9x5"}),
    Case("saturated-units", "amber", "activations", {"saturated_max": "0.95x3"}, {"saturated_max": "0.95x1 0.9x5"}),
    Case("constant-output", "red", "structure", alike("0x5", "0x5"), alike("5e-5x2 0.3x3", "2e-3x2 0.9x3")),
    Case("constant-output", "red", "structure", alike("9e-4x5", "9e-3x5"), alike("9e-4x9", "0.3x9")),
    Case("constant-output", "red", "structure", alike("0x30", "0x30"), alike("0x10 0.3x9", "0x10 0.9x9"), every=10),
    Case(
        "constant-output",
        "red",
        "structure",
        alike("0.4x20", "0.9x20") | {"output_difference_eval": "_x3 1e-5 _x14 1e-5 1e-5"},
        alike("5e-4x20", "0.9x20") | {"output_difference_eval": "_x3 4e-4 _x14 4e-4 4e-4"},
    ),
    Case(
        "constant-output",
        "red",
        "structure",
        alike("0.4x9", "0.9x9") | {"output_difference_eval": "1e-5x2"},
        alike("0.4x9", "0.9x9") | {"output_difference_eval": "1e-5 1e-5 0.4"},
    ),
    Case("never-reset", "red", "structure", {"never_reset": "1x1"}, {"never_reset": "0 1 0 1 0"}),
    Case("same-batch", "amber", "structure", {"same_batch": "1x2"}, {"same_batch": "1x1 0 1x1"}),
    Case(
        "noisy-evaluation",
        "amber",
        "structure",
        {"batches": "2x9", "eval_differs": "5.3 _x3 0.7 _x4"},
        {"batches": "2x9", "eval_differs": "0.7 _x3 0.7 _x4"},
        {"eval_differs": ("decoder.drop",)},
        {"eval_differs": ("(model)",)},
    ),
    Case(
        "noisy-evaluation",
        "amber",
        "structure",
        {"eval_differs": "0.7x1"},
        {"eval_differs": "5.3 0 5.3"},
        {"eval_differs": ("decoder.drop",)},
    ),
    Case("class-collapse", "red", "class_balance", balance("0.999x3", "0"), balance("0.999x1 0.9x3", "0")),
    Case("class-collapse", "red", "class_balance", balance("0.6x3", "1"), balance("0.6x5", "1 1 0 0 1 0")),
    Case("class-collapse", "red", "class_balance", balance("1x3", "4"), balance("1x9", "0", present="1")),
    Case("class-collapse", "amber", "class_balance", balance("1x5", "4"), balance("1x1 0.6x5", "4 4 0x4"), every=10),
    Case("few-classes", "amber", "class_balance", balance("0.9", "0", ratio="0.2x2"), balance("0.9", "0", ratio="0.2x1 0.3x5")),
    Case("later-worse", "red", "per_index", {"later_worse": "3.59 4.6 4.58"}, {"later_worse": "2.81 4.6 3.9 nan 2.5x5"}),
    Case("poor-pictures", "amber", "samples", {"psnr/a": "11x9", "psnr/b": "30x9"}, {"psnr/a": "11+0.3x9", "psnr/b": "inf"}, every=200),
    Case("poor-pictures", "amber", "samples", {"psnr/a": "11x20"}, {"psnr/a": "11x8 30x5"}, every=100),
    Case("rollout-collapse", "red", "rollout", {"collapse": "0.95x1", "best": "0.51x1"}, {"collapse": "0.2 0.1 0.2", "best": "0.9 0.1 0"}),
    Case("rollout-collapse", "amber", "rollout", {"collapse": "0.4x1", "best": "0.3x1"}, {"collapse": "0.19x5", "best": "0.19x5"}),
    Case(
        "sampling-collapse", "amber", "rollout", {"collapse": "0.95x1", "best": "0.05x1"}, {"collapse": "0.95 0.2 0.95 0.2", "best": "0.05"}
    ),
    Case("drifting-rollout", "amber", "divergence", {"kl": "8.5 9.6 10.3"}, {"kl": "9-0.5x16 0.9"}),
    Case("ignored-input", "amber", "sensitivity", {"ignored": "1x2"}, {"ignored": "1x1"}, {"ignored": ("buffer",)}),
    Case("equal-pair", "amber", "ratio", {"equal": "nan 2e-3"}, {"equal": "nan 0.011 0.01"}),
    Case("equal-pair", "red", "ratio", {"equal": "nanx2", "apart": "0x1"}, {"equal": "0.4x5", "apart": "2e-6x5"}),
    Case("equal-pair", "red", "ratio", {"equal": "2e-3x10", "success": "0x10"}, {"equal": "0.4x10", "success": "0x10"}),
    Case("alike-vectors", "amber", "similarity", {"cosine": "0.998x2"}, {"cosine": "0.998x1 0.986x5"}),
    Case("uniform-attention", "red", "attention", {"entropy": "0.9996x20"}, {"entropy": "0.9996x5 0.951 0.9996x5 0.951"}),
    Case("uniform-attention", "amber", "attention", {"entropy": "0.9996x6"}, {"entropy": "0.9996x5 0.951x5"}),
    Case("invalid-attention", "amber", "attention", {"invalid": "4x1"}, {"invalid": "0 4 0"}),
    Case("schedule-ignored", "red", "schedule", {"deviation": "0 0.06x1"}, {"deviation": "0.3 0.05x5"}),
    Case("schedule-ignored", "amber", "schedule", {"deviation_lasting": "0 0.06"}, {"deviation_lasting": "0.05x5"}),
    Case("failed-preflight", "amber", "preflight", {"failed": "2"}, {"failed": "0"}),
    Case("failing-more", "red", "success", {"drop": "0.465x1"}, {"drop": "0.1 0.19x3"}),
    Case("failing-more", "amber", "success", {"drop": "0.36x1"}, {"drop": "-0.3 0.2x3"}),
)
