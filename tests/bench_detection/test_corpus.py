"""Public curves as runs, and what a log may make of them."""

from __future__ import annotations

import numpy as np
from detection import corpus
from detection.model import Run

from bedside_protocol.records import Event, Metrics, RunStarted


def test_a_rate_that_is_not_the_best_is_healthy_and_a_sick_run_is_sick_from_its_first_step(public: list[Run]) -> None:
    assert [(run.name, run.truth.family, run.truth.onset) for run in public[:3]] == [
        ("well", "healthy", 0),
        ("off", "healthy", 0),
        ("own", "diverged", 1),
    ]


def test_the_first_nan_is_the_step_at_which_the_log_has_it(public: list[Run]) -> None:
    for run in public[-2:]:
        curve = corpus.loss(run)
        assert curve.steps[np.flatnonzero(np.isnan(curve.values))[0]] == run.truth.first_nan


def test_steps_count_from_one_or_from_what_was_cut(public: list[Run]) -> None:
    assert [int(corpus.loss(run).steps[0]) for run in public[-2:]] == [1, 1001]


def test_a_sampled_run_logs_values_and_an_averaged_one_means(well: Run) -> None:
    whole = corpus.loss(well)
    some, means = corpus.loss(corpus.sampled(well, 50)), corpus.loss(corpus.averaged(well, 50))
    assert (some.steps[:3].tolist(), some.values[1]) == ([1, 51, 101], whole.values[50])
    assert (means.steps[:3].tolist(), means.values[1]) == ([50, 100, 150], whole.values[50:100].mean())


def test_values_left_over_are_in_no_mean(well: Run) -> None:
    assert corpus.loss(corpus.averaged(well, 700)).steps.tolist() == [700 * n for n in range(1, 9)]


def test_a_restarted_run_continues_another_and_begins_late(well: Run) -> None:
    again = corpus.restarted(well, 1000)
    first = again.records()[0].body
    assert isinstance(first, RunStarted)
    assert (first.continues, int(corpus.loss(again).steps[0]), again.steps) == ("well", 1001, well.steps - 1000)


def test_a_phase_is_declared_between_the_values_it_parts(well: Run) -> None:
    records = corpus.with_phase(well, 1030).records()
    (place,) = [place for place, record in enumerate(records) if isinstance(record.body, Event)]
    before, after = records[place - 1].body, records[place + 1].body
    assert isinstance(before, Metrics)
    assert isinstance(after, Metrics)
    assert (before.steps[-1], after.steps[0]) == (1030, 1031)
    whole = corpus.loss(well).values
    assert after.values[0][0] == whole[1030] + whole[0] / 2
    assert [record.time for record in records] == sorted(record.time for record in records)


def test_a_variant_leaves_out_runs_that_are_too_short_for_it(public: list[Run]) -> None:
    (late,) = [variant for variant in corpus.VARIANTS if variant.title == "restarted at 1,000"]
    assert [run.name for run in late.of(public[:2])] == ["well restarted at 1000", "off restarted at 1000"]
    (later,) = [variant for variant in corpus.VARIANTS if variant.title == "restarted at 5,000"]
    assert later.of(public[:2]) == []
