"""What begins a loss anew: a phase that trains, a new term. And what does not."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from math import exp

import numpy as np
import pytest

from bedside_protocol.alerts.engine import Engine
from bedside_protocol.records import AlertChanged, Event, Metrics, Record, Tick

PACE = 0.1


def blocks(columns: Mapping[str, Sequence[float]], start: int = 0, rows: int = 50) -> list[Record]:
    names, values = tuple(columns), np.array(list(columns.values()), np.float64)
    steps = start + np.arange(values.shape[1], dtype=np.int64)
    times = np.asarray(steps * PACE, np.float64)
    cuts = [slice(at, min(at + rows, len(steps))) for at in range(0, len(steps), rows)]
    return [Record(float(times[cut][-1]), Metrics(names, steps[cut], times[cut], values[:, cut])) for cut in cuts]


def phase(name: str, step: int, state: str = "begin") -> Record:
    return Record(step * PACE, Event("phase", step, {"name": name, "state": state}))


def falling(n: int, start: float = 2.3, end: float = 0.05, seed: int = 0) -> list[float]:
    source = random.Random(seed)
    return [(end + (start - end) * exp(-i / 500.0)) * exp(source.gauss(0.0, 0.1)) for i in range(n)]


def run(*parts: Sequence[Record] | Record) -> list[AlertChanged]:
    engine = Engine()
    records = [record for part in parts for record in ([part] if isinstance(part, Record) else part)]
    return [change for record in records for change in engine.observe(record)]


def fired(changes: Sequence[AlertChanged]) -> set[tuple[str, str]]:
    return {(change.rule, change.severity) for change in changes if change.state == "firing"}


def reasons(changes: Sequence[AlertChanged]) -> set[str]:
    return {change.message for change in changes if change.message.startswith("restarted")}


LEARNS, HIGHER = falling(2000), falling(1000, start=1.2, end=0.8, seed=1)
"""A loss that learns, and the same training on another task: above its level, below its beginning."""


def test_a_phase_under_which_training_goes_on_restarts_the_level() -> None:
    assert ("loss-level", "red") in fired(run(blocks({"loss": LEARNS + HIGHER})))
    changes = run(blocks({"loss": LEARNS}), phase("finetune", 1999), blocks({"loss": HIGHER}, 2000))
    assert fired(changes) == set()
    assert reasons(changes) == {"restarted: phase finetune"}
    levels = [(change.state, change.step) for change in changes if change.rule == "loss-level"]
    assert levels[-2:] == [("not_checked", 2000), ("ok", 2050)]


def test_a_level_lost_in_the_new_phase_is_lost() -> None:
    changes = run(blocks({"loss": LEARNS}), phase("finetune", 1999), blocks({"loss": HIGHER + [9.0] * 300}, 2000))
    assert ("loss-level", "red") in fired(changes)


@pytest.mark.parametrize("at", [1980, 1999])
def test_a_block_that_reaches_into_the_phase_is_judged_on_both_sides_of_its_begin(at: int) -> None:
    values = LEARNS[: at + 1] + HIGHER
    changes = run(blocks({"loss": values[:1950]}), phase("finetune", at), blocks({"loss": values[1950:]}, 1950, rows=400))
    assert fired(changes) == set()
    assert {change.step for change in changes if change.message == "restarted: phase finetune"} == {at + 1}


def test_a_tick_may_tell_of_the_steps_before_their_values_come() -> None:
    tick = Record(201.0, Tick(2010))
    changes = run(blocks({"loss": LEARNS[:1980]}), phase("finetune", 1999), tick, blocks({"loss": LEARNS[1980:] + HIGHER}, 1980))
    assert {change.step for change in changes if change.message == "restarted: phase finetune"} == {2000}


def test_a_span_that_ends_before_the_next_step_restarts_nothing() -> None:
    records = blocks({"loss": LEARNS})
    spans = [phase("sample", at, state) for at in (499, 999, 1499) for state in ("begin", "end")]
    assert reasons(run(sorted([*records, *spans], key=lambda record: record.time))) == set()


@pytest.mark.parametrize("name", ["eval", "val/short", "validation epoch"])
def test_an_evaluation_is_no_phase_of_training_even_without_its_end(name: str) -> None:
    changes = run(blocks({"loss": LEARNS}), phase(name, 1999), blocks({"loss": HIGHER}, 2000))
    assert reasons(changes) == set()
    assert ("loss-level", "red") in fired(changes)


def test_marks_that_take_turns_restart_nothing() -> None:
    """`run.phase("train")` again after each `run.phase("eval")`: the training goes on where it was."""
    records = [phase("train", 0), *blocks({"loss": LEARNS[:1000]}), phase("eval", 999), phase("train", 999)]
    changes = run(records, blocks({"loss": LEARNS[1000:] + HIGHER}, 1000))
    assert reasons(changes) == set()
    assert ("loss-level", "red") in fired(changes)


def test_a_phase_marked_in_the_first_steps_is_the_beginning_itself() -> None:
    changes = run(blocks({"loss": [2.3] * 3}), phase("main", 2), blocks({"loss": [2.3] * 1500}, 3))
    assert fired(changes) == {("never-learns", "amber")}


def test_what_fires_is_cleared_by_a_new_phase() -> None:
    changes = run(blocks({"loss": LEARNS + HIGHER}), phase("finetune", 2999), blocks({"loss": HIGHER}, 3000))
    assert [change.state for change in changes if change.rule == "loss-level"][-3:] == ["cleared", "not_checked", "ok"]


def test_a_new_term_restarts_its_total() -> None:
    with_term = {"loss": HIGHER, "loss/adv": [0.7] * 1000}
    changes = run(blocks({"loss": LEARNS}), blocks(with_term, 2000))
    assert fired(changes) == set()
    assert reasons(changes) == {"restarted: loss/adv is new"}


def test_a_term_of_another_total_and_an_evaluation_restart_nothing() -> None:
    both = {"loss": LEARNS, "train/loss": LEARNS}
    changes = run(blocks(both), blocks({"loss": HIGHER, "train/loss": HIGHER, "loss/adv": HIGHER, "val/loss": HIGHER}, 2000))
    assert {(change.target, change.message) for change in changes if change.message.startswith("restarted")} == {
        ("loss", "restarted: loss/adv is new")
    }
    assert ("loss-level", "red") in {(change.rule, change.severity) for change in changes if change.target == "train/loss"}


def test_a_part_logged_less_often_than_its_total_is_no_new_term() -> None:
    seldom = [part for at in range(100, 2000, 100) for part in blocks({"loss/kl": [0.1]}, at)]
    changes = run(sorted([*blocks({"loss": LEARNS}), *seldom], key=lambda record: record.time))
    assert reasons(changes) == set()
