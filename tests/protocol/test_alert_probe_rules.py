"""Every rule about a probe: what fires it, what nearly does, and what is said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import exp, inf, nan

import numpy as np
import pytest
from sick_probes import CASES, PACE, Case, snapshots

from bedside_protocol.alerts.alarm import Alarm
from bedside_protocol.alerts.conditions import All, Beyond, NamesPersist
from bedside_protocol.alerts.defaults import DEFAULT_RULES
from bedside_protocol.alerts.judge import Finding, judge
from bedside_protocol.alerts.levels import AMBER, OK, RED, UNCHECKED
from bedside_protocol.alerts.rules import OnProbe, Rule
from bedside_protocol.alerts.runbooks import RUNBOOKS
from bedside_protocol.alerts.sight import Sight
from bedside_protocol.records import Metrics, Record, Snapshot

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
    assert {key for book in RUNBOOKS.values() for key, _ in book.look} <= set("vhboiwlPCW")


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
    assert judge(snapshots("similarity", {"vectors": "9", "cosine": "1 _ 1 _ 1 _"})).not_checked == ()


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
