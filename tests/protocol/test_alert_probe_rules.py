"""Every rule about a probe: what fires it, what nearly does, and what is said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import exp, inf, nan

import numpy as np
import pytest

from bedside_protocol.alerts import DEFAULT_RULES, RUNBOOKS, Finding, Rule, judge
from bedside_protocol.alerts.alarm import Alarm
from bedside_protocol.alerts.conditions import All, Beyond, NamesPersist
from bedside_protocol.alerts.levels import AMBER, OK, RED, UNCHECKED
from bedside_protocol.alerts.notation import series
from bedside_protocol.alerts.rules import OnProbe
from bedside_protocol.alerts.sight import Sight
from bedside_protocol.records import Metrics, Record, Severity, Snapshot

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
    Case("wrong-scale", "red", "parameter", {"std_ratio": "0.0188x2"}, {"std_ratio": "1 0.05 0.5 2 0.6"}),
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
    Case("later-worse", "red", "per_index", {"later_worse": "3.59 4.6 4.58"}, {"later_worse": "2.81 2.4 1.27 nan 2"}),
    Case("later-worse", "amber", "per_index", {"later_worse": "2.5 4.6 3.9"}, {"later_worse": "2.81 2.4 1.27 nan 2"}),
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
    Case("uniform-attention", "amber", "attention", {"entropy": "0.9996x6"}, {"entropy": "0.9996x5 0.951x5"}),
    Case("invalid-attention", "amber", "attention", {"invalid": "4x1"}, {"invalid": "0 4 0"}),
    Case("schedule-ignored", "red", "schedule", {"deviation": "0 0.06x1"}, {"deviation": "0.3 0.05x5"}),
    Case("failed-preflight", "amber", "preflight", {"failed": "2"}, {"failed": "0"}),
    Case("failing-more", "red", "success", {"drop": "0.465x1"}, {"drop": "0.1 0.5 0.19x3"}),
    Case("failing-more", "amber", "success", {"drop": "0.36x1"}, {"drop": "-0.3 0.2x3"}),
)
every_case = pytest.mark.parametrize("case", CASES, ids=[f"{case.rule} {place}" for place, case in enumerate(CASES)])


def said(records: Sequence[Record], without: str = "") -> tuple[Finding, ...]:
    return judge(records, [rule for rule in DEFAULT_RULES if rule.name != without]).alerts


@every_case
def test_what_a_rule_is_for_fires_it_alone_and_nothing_does_without_it(case: Case) -> None:
    (finding,) = said(case.made_sick())
    assert (finding.rule, finding.severity, finding.target) == (case.rule, case.severity, case.kind)
    assert len(finding.message) <= 60
    assert said(case.made_sick(), without=case.rule) == ()


@every_case
def test_what_nearly_fires_a_rule_does_not(case: Case) -> None:
    assert said(case.made_well()) == ()


def test_one_odd_snapshot_is_red_only_where_once_is_too_often() -> None:
    odd = {case.rule for case in CASES for finding in said(case.made_sick()[:1]) if finding.severity == "red"}
    assert odd == {"early-module", "nonfinite-weights"}


def test_every_rule_about_a_probe_is_among_the_cases() -> None:
    assert {rule.name for rule in DEFAULT_RULES if isinstance(rule.watch, OnProbe)} == {case.rule for case in CASES}


def test_a_runbook_looks_where_a_key_leads() -> None:
    assert {key for book in RUNBOOKS.values() for key, _ in book.look} <= set("vhboiwlPC")


def test_dead_parameters_explain_dead_units_and_vectors_all_alike() -> None:
    cut = snapshots("gradients", {"zero": "2x8", "tensors": "9"}, {"zero": ("a", "b")})
    dead, same = snapshots("activations", {"dead_max": "1x8"}), snapshots("similarity", {"cosine": "1x8"})
    records = sorted([*cut, *dead, *same], key=lambda record: record.time)
    assert [finding.rule for finding in said(records)] == ["dead-parameters"]
    assert {finding.rule for finding in said(records, without="dead-parameters")} == {"dead-units", "alike-vectors"}


def test_a_rollout_that_collapsed_explains_inputs_that_seem_ignored_and_a_divergence() -> None:
    lost = snapshots("rollout", {"collapse": "0.95x5", "best": "0.95x5"})
    later = [*snapshots("divergence", {"kl": "9x5"}), *snapshots("sensitivity", {"ignored": "1x5"}, {"ignored": ("keys",)})]
    records = sorted([*lost, *later], key=lambda record: record.time)
    assert [finding.rule for finding in said(records)] == ["rollout-collapse"]


def watching(*conditions: Beyond | NamesPersist | All) -> Sight:
    return Sight(Alarm(Rule("r", "r", OnProbe("any"), conditions, "", "stall"), "probe"))


def level(sight: Sight, **scalars: float) -> int:
    sight.see(Snapshot("probe", "any", 1, scalars, texts={"names": ("a",)}))
    return sight.level


def test_several_conditions_are_as_bad_as_the_mildest_and_none_without_one_of_them() -> None:
    both = watching(All((Beyond("x", amber_above=1.0, red_above=2.0), Beyond("y", red_below=0.5), NamesPersist(("names",)))))
    assert [level(both, x=x, y=y) for x, y in ((3.0, 0.1), (1.5, 0.1), (3.0, 0.6), (3.0, nan))] == [AMBER, AMBER, OK, UNCHECKED]
    numbers = watching(All((Beyond("x", amber_above=1.0, red_above=2.0), Beyond("y", red_below=0.5))))
    assert [level(numbers, x=x, y=0.1) for x in (3.0, 1.5, 0.5)] == [RED, AMBER, OK]
    assert numbers.facts(Snapshot("probe", "any", 1, {}))["value"] == 0.5


def test_a_field_with_a_star_is_the_worst_that_is_finite() -> None:
    low, high = watching(Beyond("psnr/*", amber_below=15.0)), watching(Beyond("psnr/*", amber_above=15.0))
    scalars = {"psnr/a": 20.0, "psnr/b": 10.0, "psnr/c": inf, "other": 1.0}
    assert (level(low, **scalars), level(high, **scalars)) == (AMBER, AMBER)
    assert [sight.facts(Snapshot("probe", "any", 1, {}))["value"] for sight in (low, high)] == [10.0, 20.0]
    assert level(watching(Beyond("psnr/*", amber_below=15.0)), **{"psnr/c": inf}) == UNCHECKED


def test_a_snapshot_that_lacks_a_field_neither_adds_to_the_evidence_nor_takes_from_it() -> None:
    steps = snapshots("similarity", {"vectors": "9", "cosine": "1 _ 1 _ 1"})
    (finding,) = said(steps)
    assert (finding.rule, finding.first_step, finding.step) == ("alike-vectors", 50, 250)
    assert judge([*steps, *snapshots("similarity", {"vectors": "9"})]).not_checked == ()


def test_long_names_are_told_by_their_ends_and_their_number() -> None:
    names = tuple(f"encoder.layers.{place}.attention.projection.weight" for place in range(40))
    (finding,) = said(snapshots("gradients", {"none": "40x2", "tensors": "400"}, {"none": names}))
    assert finding.message == "40 of 400 without gradient: …ntion.projection.weight +39"


def logged(columns: Mapping[str, Sequence[float]], seconds: float = PACE) -> list[Record]:
    steps = np.arange(len(next(iter(columns.values()))), dtype=np.int64)
    times = np.asarray(steps * seconds, np.float64)
    return [Record(float(times[-1]), Metrics(tuple(columns), steps, times, np.array(list(columns.values()), np.float64)))]


def test_memory_that_will_run_out_is_amber_within_the_hour_and_red_within_a_quarter() -> None:
    def found(*hours: float) -> list[tuple[str, str]]:
        return [(one.rule, one.severity) for one in said(logged({"system/memory_hours_left": hours}, seconds=5.0))]

    assert found(*[0.9] * 40) == [("memory-end", "amber")]
    assert found(*[0.2] * 40) == [("memory-end", "red")]
    assert found(*[0.2] * 2) == found(*[1.1] * 40) == found(*[0.2] * 2, *[5.0] * 20, *[0.2] * 2) == []


def test_what_the_agent_measures_on_the_machine_is_judged_only_where_a_rule_names_it() -> None:
    assert judge(logged({"system/memory": [nan] * 50, "system/loss": [1.0] * 20 + [nan] * 30})).not_checked == ()
    assert said(logged({"memory": [1.0] * 20 + [nan] * 30}))[0].rule == "nonfinite"


def test_an_evaluation_loss_that_loses_what_it_had_gained_is_overfitting_amber_and_red_once_nothing_is_left() -> None:
    training = [0.05 + 2.2 * exp(-step / 100.0) for step in range(1500)]
    for name in ("val/loss", "loss/eval", "validation_loss", "test_loss"):
        healthy = [value + 0.1 for value in training]
        half, all_of_it = ([max(value, 0.3 + rise * (step - 300)) for step, value in enumerate(training)] for rise in (1.2e-3, 2e-3))
        assert said(logged({"loss": training, name: healthy})) == ()
        for worse, severity in ((half, "amber"), (all_of_it, "red")):
            found = said(logged({"loss": training, name: worse}))
            assert {(finding.rule, finding.target) for finding in found} == {("overfitting", name)}
            assert found[-1].severity == severity
            assert said(logged({"loss": training, name: worse}), without="overfitting") == ()
