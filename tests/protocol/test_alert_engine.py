"""Rules over records: what is said of curves, and of several things at once."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from math import exp, inf, nan

import numpy as np
import pytest

from bedside_protocol.alerts.defaults import DEFAULT_RULES
from bedside_protocol.alerts.engine import Engine
from bedside_protocol.records import (
    AlertAcknowledged,
    AlertChanged,
    Body,
    Ended,
    Event,
    Metrics,
    Record,
    RunStarted,
    Tick,
    Unknown,
)

PACE = 0.1
"""Seconds a step."""


def blocks(columns: Mapping[str, Sequence[float]], start: int = 0, rows: int = 50, stride: int = 1, rank: int = 0) -> list[Record]:
    """Metrics as the hub writes them: columns, some rows a record."""
    names, values = tuple(columns), np.array(list(columns.values()), np.float64)
    steps = start + stride * np.arange(values.shape[1], dtype=np.int64)
    times = np.asarray(steps * PACE, np.float64)
    return [
        Record(
            float(times[min(i + rows, len(steps)) - 1]),
            Metrics(names, steps[i : i + rows], times[i : i + rows], values[:, i : i + rows]),
            rank,
        )
        for i in range(0, len(steps), rows)
    ]


def falling(n: int, seed: int = 0, start: float = 2.3, end: float = 0.05) -> list[float]:
    source = random.Random(seed)
    return [(end + (start - end) * exp(-i / 500.0)) * exp(source.gauss(0.0, 0.15)) for i in range(n)]


def run(records: Sequence[Record], engine: Engine | None = None) -> list[AlertChanged]:
    engine = engine or Engine()
    return [change for record in records for change in engine.observe(record)]


def fired(changes: Sequence[AlertChanged]) -> list[tuple[str, str, str]]:
    return [(change.rule, change.target, change.severity) for change in changes if change.state == "firing"]


def lives(changes: Sequence[AlertChanged], rule: str, target: str) -> list[str]:
    return [
        change.severity if change.state == "firing" else change.state
        for change in changes
        if (change.rule, change.target) == (rule, target)
    ]


def at(time: float, *bodies: Body) -> list[Record]:
    return [Record(time, body) for body in bodies]


def test_a_loss_that_learns_is_judged_and_stays_quiet() -> None:
    changes = run(blocks({"loss": falling(3000), "lr": [3e-4] * 3000}))
    assert fired(changes) == []
    for rule in ("nonfinite", "explosion", "loss-level", "never-learns"):
        assert lives(changes, rule, "loss")[-1] == "ok"


def test_only_transitions_are_told() -> None:
    changes = run(blocks({"loss": falling(3000)}))
    assert lives(changes, "loss-level", "loss") == ["not_checked", "not_checked", "ok"]
    assert len(changes) <= 3 * len({change.rule for change in changes})


def test_a_lost_level_is_amber_then_red_with_its_first_step_and_one_episode() -> None:
    changes = run(blocks({"loss": falling(2000) + falling(400, start=1.0, end=1.0)}))
    assert fired(changes) == [("loss-level", "loss", "amber"), ("loss-level", "loss", "red")]
    amber, red = [change for change in changes if change.state == "firing"]
    assert 2000 < amber.step == amber.first_step == red.first_step
    assert red.step - amber.step == 49
    assert red.episode == amber.episode == 1
    assert red.message == "level 0.9823, was 0.09288, since step 2,025"


def test_a_loss_exploding_above_its_start_is_red_within_two_points() -> None:
    changes = run(blocks({"loss": falling(500) + [50.0] * 100}))
    (red,) = [change for change in changes if change.state == "firing"]
    assert (red.rule, red.severity, red.step) == ("explosion", "red", 501)
    assert red.message == "50, 53.7× its level, above the start 2.649"


def test_a_nan_is_red_at_once_and_silences_its_children() -> None:
    values = [*falling(1000), nan, *[nan, 50.0] * 50]
    changes = run(blocks({"loss": values, "loss/recon": values, "grad_norm": values}))
    assert fired(changes) == [("nonfinite", "loss", "red")]
    (red,) = [change for change in changes if change.state == "firing"]
    assert (red.step, red.message) == (1000, "NaN since step 1,000")
    assert np.isnan(red.value)
    quiet = {(change.rule, change.target): change.message for change in changes if change.message.startswith("quiet")}
    assert quiet[("nonfinite", "grad_norm")] == "quiet: same cause as nonfinite loss"
    assert ("explosion", "loss") in quiet


def test_a_total_is_told_before_its_parts_and_the_first_before_the_later() -> None:
    good, bad = [1.0] * 10, [nan] * 10
    assert fired(run(blocks({"a": good + bad, "loss/recon": good + bad, "loss": good + bad}))) == [("nonfinite", "loss", "red")]
    assert fired(run(blocks({"loss": [*good, 1.0, *bad], "loss/recon": [*good, nan, *bad]})))[0] == ("nonfinite", "loss/recon", "red")


def test_an_infinite_gradient_norm_is_red_at_five_running_and_nothing_before() -> None:
    skipped = [1.0] * 20 + [inf] * 4
    assert fired(run(blocks({"grad_norm": skipped + [1.0] * 100}))) == []
    assert fired(run(blocks({"grad_norm": [*skipped, inf]}))) == [("nonfinite", "grad_norm", "red")]


def test_while_a_gradient_scaler_looks_for_its_scale_a_norm_may_be_what_it_is() -> None:
    assert fired(run(blocks({"grad_norm": [nan] * 12 + [1.0] * 100}))) == []
    assert fired(run(blocks({"grad_norm": [nan] * 30}))) == [("nonfinite", "grad_norm", "red")]


def test_an_amber_alarm_never_silences_a_red_one() -> None:
    changes = run(blocks({"accuracy": [1.0] * 20 + [nan] * 3, "loss": [1.0] * 21 + [nan] * 2}))
    assert fired(changes) == [("nonfinite", "accuracy", "amber"), ("nonfinite", "loss", "red")]


def test_what_the_machine_measures_may_be_nan() -> None:
    assert {change.rule for change in run(blocks({"system/gpu": [nan] * 100}))} == {"stall"}


def test_many_losses_lost_at_once_show_three_alarms() -> None:
    lost = falling(2000, end=0.05) + [40.0] * 600
    names = [f"{task}_mse" for task in "abcdefgh"]
    changes = run(blocks(dict.fromkeys(names, lost)))
    assert len({(rule, target) for rule, target, _ in fired(changes)}) == 3
    assert any(change.message == "quiet: 3 alarms already tell of step 2,001" for change in changes)


def test_never_learning_is_amber_and_learning_late_clears_it() -> None:
    changes = run(blocks({"loss": [2.3] * 1500 + falling(1500, start=1.5)}))
    assert fired(changes) == [("never-learns", "loss", "amber")]
    assert lives(changes, "never-learns", "loss") == ["not_checked", "not_checked", "amber", "cleared"]


@pytest.mark.parametrize("name", ["d_loss", "gen_loss", "reward", "grad_norm", "perplexity", "policy_loss", "loss/commit"])
def test_what_may_rise_in_health_has_no_level_to_lose(name: str) -> None:
    assert fired(run(blocks({name: falling(2000) + [40.0] * 500}))) == []


def test_a_part_that_rises_while_the_total_falls_is_no_alarm() -> None:
    commit = [0.01 + 0.2 * (1.0 - exp(-i / 700.0)) for i in range(3000)]
    total = falling(3000)
    assert fired(run(blocks({"loss": total, "loss/recon": total, "loss/commit": commit}))) == []
    assert fired(run(blocks({"loss/recon": total, "loss/commit": commit}))) == []


def test_a_part_without_a_total_is_judged_in_its_place() -> None:
    assert ("loss-level", "recon_loss", "red") in fired(run(blocks({"recon_loss": falling(2000) + [1.0] * 300})))


def test_a_total_that_appears_takes_over_from_its_parts() -> None:
    engine = Engine()
    run(blocks({"recon_loss": falling(500)}), engine)
    changes = run(blocks({"loss": falling(100)}, start=500), engine)
    assert "a part, judged with the total" in {change.message for change in changes if change.target == "recon_loss"}


def test_a_resume_begins_a_new_segment_that_is_not_from_scratch() -> None:
    resumed = blocks({"loss": falling(2000)}) + blocks({"loss": [0.2] * 3000}, start=1000)
    changes = run(resumed)
    assert fired(changes) == []
    after = [change for change in changes if change.step >= 1000 and change.rule == "never-learns"]
    assert after[-1].state == "not_checked"
    assert "no beginning" in after[-1].message


def test_a_continued_run_is_not_from_scratch_even_at_step_zero() -> None:
    started = at(0.0, RunStarted("b", "b", "b", 0.0, continues="a"))
    assert fired(run(started + blocks({"loss": [2.3] * 1500}))) == []
    assert fired(run(blocks({"loss": [2.3] * 1500}))) != []


def test_what_fires_is_cleared_by_a_resume() -> None:
    changes = run(blocks({"loss": falling(2000) + [1.0] * 300}) + blocks({"loss": falling(300, start=0.06)}, start=1500))
    assert lives(changes, "loss-level", "loss")[-5:] == ["red", "cleared", "not_checked", "not_checked", "ok"]


@pytest.mark.parametrize("rows", [1, 7, 1000])
def test_how_values_are_cut_into_records_changes_nothing(rows: int) -> None:
    values = [*falling(1500), 90.0, *falling(300, start=1.2, end=1.2), nan, *[2.0] * 200]
    assert fired(run(blocks({"loss": values}, rows=rows))) == fired(run(blocks({"loss": values})))


def test_ranks_are_judged_apart() -> None:
    both = [record for pair in zip(blocks({"loss": falling(200)}), blocks({"loss": [nan] * 200}, rank=1), strict=True) for record in pair]
    assert fired(run(both)) == [("nonfinite", "loss rank 1", "red")]


@pytest.mark.parametrize("trouble", [[nan] * 50, [90.0] * 200], ids=["nan", "explosion"])
def test_what_all_ranks_log_is_told_of_once(trouble: list[float]) -> None:
    values = falling(1500) + trouble
    logs = [blocks({"loss": values}, rank=rank) for rank in range(4)]
    told = fired(run([record for together in zip(*logs, strict=True) for record in together]))
    assert told == fired(run(logs[0]))
    assert len(told) == 1


def test_a_metric_that_only_another_rank_logs_is_judged_there() -> None:
    values = falling(1500) + [90.0] * 200
    assert fired(run(blocks({"loss": values}, rank=3))) == [("explosion", "loss rank 3", "red")]


def test_what_another_rank_says_of_its_own_life_changes_nothing_for_the_run() -> None:
    beginning = [Record(0.0, RunStarted("a", "a", "", 0.0)), *blocks({"loss": falling(100)})]
    bodies = [Event("phase", 100, {"name": "eval", "state": "begin"}), Ended("finished", 100)]
    silence = [Record(200.0 + i, Tick(100), rank=-1) for i in range(100)]
    assert fired(run([*beginning, *(Record(11.0, body, 2) for body in bodies), *silence])) == fired(run([*beginning, *silence]))
    assert ("stall", "run", "amber") in fired(run([*beginning, *silence]))


def test_a_log_judged_again_with_its_own_alerts_in_it_is_judged_the_same() -> None:
    records = blocks({"loss": falling(1000) + [9.0] * 200 + [nan] * 20}) + [Record(130.0 + i, Tick(1219)) for i in range(200)]
    engine, log, first = Engine(), [], []
    for record in records:
        changes = engine.observe(record)
        first += changes
        log += [record, *(Record(record.time, change, rank=-1) for change in changes)]
    assert len(log) > len(records)
    assert repr(run(log)) == repr(first)


def test_a_record_of_an_unknown_kind_or_without_rows_says_nothing() -> None:
    empty = Metrics(("loss",), np.empty(0, np.int64), np.empty(0), np.empty((1, 0)))
    assert run(at(0.0, Unknown("later"), empty)) == []


def test_an_acknowledgement_is_remembered_until_it_fires_anew() -> None:
    engine = Engine()
    run(blocks({"loss": [1.0] * 20 + [nan] * 10}), engine)
    run(at(4.0, AlertAcknowledged("", "", "mira")), engine)
    assert engine.acknowledged_by("nonfinite", "loss") == "mira"
    run(blocks({"loss": [1.0] * 60 + [nan] * 5}, start=30), engine)
    assert engine.acknowledged_by("nonfinite", "loss") == ""
    assert [change.rule for change in engine.firing] == ["nonfinite"]


def test_every_message_fits_the_alarm_line() -> None:
    facts = {"value": 1.234e-05, "times": 12.3, "level": 1.234e-05, "best": 1.234e-05, "reference": 1.234e-05}
    words = {"names": "encoder.0.bias", "above": "above the start 1.234e-05", "cause": ": 380 of 400 without gradient", "reason": "9" * 38}
    words["why"] = "20 spikes after re-initialisati… every 2,000 steps"
    counts = {
        "used": 4100,
        "size": 8192,
        "perplexity": 1200,
        "nonfinite": 120,
        "tensors": 400,
        "count": 40,
        "silence": 7200,
        "made": 120_000,
        "median": 0.25,
        "best": 0.96,
        "predicted_max": 0.9987,
        "missing": 120,
        "present": 1000,
        "before": 1.23e-05,
        "steps": 12_000,
    }
    for rule in DEFAULT_RULES:
        line = rule.message.format_map({**facts, **counts, **words, "step": 120_000, "first_step": 119_500})
        assert len(line) <= 60, line
