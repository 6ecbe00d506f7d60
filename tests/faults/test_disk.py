"""A disk that fills up, fails or is slow costs what it costs, and that is said; files that are removed are put back."""

from __future__ import annotations

import shutil

import pytest
from faults_of_calls import calls_fail
from faults_of_disk import (
    disk_full,
    files_removed,
    files_removed_and_hub_killed,
    recording_removed,
    sync_fails,
    sync_slow,
    write_fails,
)
from stage import Stage

needs_strace = pytest.mark.skipif(shutil.which("strace") is None, reason="no strace here: a system call cannot be made to fail or wait")


def test_a_disk_that_fills_up_costs_what_came_meanwhile_and_says_exactly_how_much(stage: Stage) -> None:
    """F12."""
    disk_full(stage, 1)
    assert stage.tally.is_clean, stage.tally


@needs_strace
def test_an_input_output_error_costs_what_came_meanwhile_and_says_exactly_how_much(stage: Stage) -> None:
    """F12."""
    write_fails(stage, 1)
    assert stage.tally.is_clean, stage.tally


@needs_strace
def test_one_call_of_the_hub_that_fails_costs_nothing_that_is_not_said(stage: Stage) -> None:
    """F3, F12: four calls, each of another kind; `make faults` has hundreds."""
    calls_fail(stage, 4)
    assert stage.tally.is_clean, stage.tally


@needs_strace
def test_a_disk_that_does_not_confirm_is_said_to_be_a_danger(stage: Stage) -> None:
    """F12."""
    sync_fails(stage, 1)
    assert stage.tally.is_clean, stage.tally


@needs_strace
def test_a_slow_disk_holds_up_neither_the_training_nor_a_viewer(stage: Stage) -> None:
    """F13."""
    sync_slow(stage, 2)
    assert stage.tally.is_clean, stage.tally


def test_a_socket_and_keys_that_are_removed_are_put_back_for_newcomers(stage: Stage) -> None:
    """F15."""
    files_removed(stage, 4)
    assert stage.tally.is_clean, stage.tally


def test_a_hub_that_follows_one_whose_directory_was_removed_makes_it_anew(stage: Stage) -> None:
    """F15."""
    files_removed_and_hub_killed(stage, 1)
    assert stage.tally.is_clean, stage.tally


def test_a_recording_deleted_under_its_run_harms_only_the_recording(stage: Stage) -> None:
    """F15."""
    recording_removed(stage, 1)
    assert stage.tally.is_clean, stage.tally
