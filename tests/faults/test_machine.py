"""Whatever the machine runs short of, the training goes on."""

from __future__ import annotations

from faults_of_machine import clock_jumped, descriptors_few_at_the_start, descriptors_used_up, forked_again_and_again
from stage import Stage


def test_a_training_without_a_descriptor_left_outlives_its_hub_and_goes_on_with_another(stage: Stage) -> None:
    """F11."""
    descriptors_used_up(stage, 1)
    assert stage.tally.is_clean, stage.tally


def test_however_few_descriptors_are_left_at_the_start_the_training_runs(stage: Stage) -> None:
    """F11."""
    descriptors_few_at_the_start(stage, 7)
    assert stage.tally.is_clean, stage.tally


def test_a_fork_storm_while_four_threads_log_hangs_nobody_and_mixes_nothing(stage: Stage) -> None:
    """F10, F25."""
    forked_again_and_again(stage, 20)
    assert stage.tally.is_clean, stage.tally


def test_a_wall_clock_that_jumps_changes_no_time_of_the_run_and_no_verdict(stage: Stage) -> None:
    """F18."""
    clock_jumped(stage, 2)
    assert stage.tally.is_clean, stage.tally
