"""Rules over snapshots: codebooks and gradients."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from bedside_protocol.alerts.engine import Engine
from bedside_protocol.records import AlertChanged, ProbeDeclared, Record, Snapshot

PACE = 0.1
"""Seconds a step."""


def run(records: Sequence[Record]) -> list[AlertChanged]:
    engine = Engine()
    return [change for record in records for change in engine.observe(record)]


def fired(changes: Sequence[AlertChanged]) -> list[tuple[str, str, str]]:
    return [(change.rule, change.target, change.severity) for change in changes if change.state == "firing"]


def lives(changes: Sequence[AlertChanged], rule: str, target: str) -> list[str]:
    told = [change for change in changes if (change.rule, change.target) == (rule, target)]
    return [change.severity if change.state == "firing" else change.state for change in told]


def codebook(step: int, used: int, perplexity: float, size: int = 512, window: int = 10_240) -> Record:
    scalars = {"size": size, "window": window, "used": used, "usage": used / size, "dead": size - used, "perplexity": perplexity}
    return Record(step * PACE, Snapshot("vq", "codebook", step, {name: float(value) for name, value in scalars.items()}))


VQ = Record(0.0, ProbeDeclared("vq", "codebook", 50, {"size": 512}))


def test_a_codebook_is_warming_up_until_step_1000_and_twenty_assignments_a_code() -> None:
    changes = run(
        [VQ, codebook(50, 15, 12.0), codebook(950, 15, 12.0), codebook(1000, 500, 400.0, window=5000), codebook(1050, 500, 400.0)]
    )
    said = [(change.state, change.message) for change in changes if change.rule == "codebook-collapse"]
    assert said == [("not_checked", "warming up until step 1,000"), ("not_checked", "warming up: window below 9,216"), ("ok", "")]


def test_a_collapsing_codebook_is_pending_amber_then_red_and_its_perplexity_is_quiet() -> None:
    records = [
        VQ,
        *(codebook(step, 480, 400.0) for step in range(50, 2050, 50)),
        *(codebook(step, 41, 18.0) for step in range(2050, 3000, 50)),
    ]
    changes = run(records)
    assert lives(changes, "codebook-collapse", "vq") == ["not_checked", "ok", "pending", "amber", "red"]
    assert fired(changes) == [("codebook-collapse", "vq", "amber"), ("codebook-collapse", "vq", "red")]
    red = [change for change in changes if change.state == "firing"][-1]
    assert (red.message, red.first_step, red.step) == ("41 of 512 codes since step 2,050", 2050, 2200)
    assert red.value == pytest.approx(41 / 512)
    assert lives(changes, "codebook-perplexity", "vq")[-1] == "not_checked"


def test_a_codebook_that_lies_in_between_is_amber() -> None:
    assert fired(run([codebook(step, 250, 180.0) for step in range(1000, 3000, 50)])) == [("codebook-collapse", "vq", "amber")]


def test_a_codebook_that_still_fills_is_left_alone() -> None:
    assert fired(run([codebook(step, min(500, 200 + (step - 1000) // 5), 300.0) for step in range(1000, 4000, 50)])) == []


def test_skewed_use_of_all_codes_is_amber_at_most() -> None:
    assert fired(run([codebook(step, 505, 0.18 * 512) for step in range(1000, 3000, 50)])) == [("codebook-perplexity", "vq", "amber")]


def test_a_perplexity_that_lost_most_of_its_peak_is_amber() -> None:
    records = [codebook(1000 + 50 * i, 500, 450.0 if i < 20 else 130.0) for i in range(40)]
    assert fired(run(records)) == [("codebook-perplexity", "vq", "amber")]


def test_a_codebook_that_recovers_clears() -> None:
    records = [codebook(1000 + 50 * i, 40 if 10 <= i < 20 else 500, 300.0) for i in range(40)]
    assert lives(run(records), "codebook-collapse", "vq")[-2:] == ["red", "cleared"]


def test_a_snapshot_without_what_is_looked_at_is_not_checked() -> None:
    changes = run([Record(1.0, Snapshot("vq", "codebook", 2000, {"window": 1e6, "size": 16.0}))])
    assert lives(changes, "codebook-perplexity", "vq")[-1] == "not_checked"


def gradients(step: int, zero: Sequence[str] = (), none: Sequence[str] = (), unowned: Sequence[str] = (), nonfinite: int = 0) -> Record:
    texts = {"zero": tuple(zero), "none": tuple(none), "unowned": tuple(unowned)}
    scalars = {"tensors": 4.0, "norm": 1.0, "nonfinite": float(nonfinite), **{name: float(len(names)) for name, names in texts.items()}}
    return Record(step * PACE, Snapshot("gradients", "gradients", step, scalars, texts=texts))


EARLY = (1, 2, 5, 10, 20, *range(50, 1000, 50))


def test_an_adapter_that_begins_at_zero_only_pends() -> None:
    changes = run([gradients(step, zero=["lora_a"] if step == 1 else ()) for step in EARLY])
    assert lives(changes, "dead-parameters", "gradients") == ["not_checked", "pending", "ok"]


def test_a_parameter_without_gradient_for_twenty_steps_is_amber_and_named() -> None:
    changes = run([gradients(step, none=["head.bias"], zero=["relu.weight"]) for step in EARLY])
    assert fired(changes) == [("dead-parameters", "gradients", "amber")]
    amber = next(change for change in changes if change.state == "firing")
    assert (amber.first_step, amber.step, amber.message) == (1, 50, "2 of 4 without gradient: head.bias, relu.weight")


def test_a_model_without_any_gradient_is_red() -> None:
    changes = run([gradients(step, none=["a", "b", "c", "d"]) for step in EARLY])
    assert fired(changes)[-1] == ("dead-parameters", "gradients", "red")
    assert changes[-1].message == "4 of 4 without gradient: a, b +2"


def test_experts_that_take_turns_are_not_dead() -> None:
    assert fired(run([gradients(step, zero=[f"expert{step // 10 % 3}"]) for step in range(0, 2000, 10)])) == []


def test_parameters_in_no_optimizer_are_amber_at_once() -> None:
    changes = run([gradients(1, unowned=["new.weight"])])
    assert fired(changes) == [("unowned-parameters", "gradients", "amber")]


def test_gradients_that_are_not_finite_twice_running_are_red_after_the_scaler_has_settled() -> None:
    assert fired(run([gradients(step, nonfinite=3) for step in (1, 2, 5)])) == []
    assert fired(run([gradients(50, nonfinite=3), gradients(100), gradients(150, nonfinite=3)])) == []
    assert fired(run([gradients(step, nonfinite=3) for step in (50, 100)])) == [("nonfinite", "gradients", "red")]
