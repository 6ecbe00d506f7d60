"""Every way to end, or to stand still, has its own word."""

from __future__ import annotations

import pytest
from faults_of_endings import ENDINGS, endings_told, out_of_memory, standing_still, trainings_killed, trainings_stopped
from stage import Stage


@pytest.mark.parametrize("number", [6, 8, 9], ids=lambda number: ENDINGS[number].line)
def test_each_ending_has_its_word_and_its_own_exit_code(stage: Stage, number: int) -> None:
    """F5, F9, F23. The other endings of the table are tests of the flow's `test_endings`; the long form tries them all."""
    endings_told(stage, 1, first=number)
    assert stage.tally.is_clean, stage.tally


def test_a_training_killed_with_a_worker_that_lives_on_is_killed_and_what_it_had_said_is_there(stage: Stage) -> None:
    """F5."""
    trainings_killed(stage, 1)
    assert stage.tally.is_clean, stage.tally


def test_a_training_that_is_stopped_and_let_go_again_and_again_is_suspended_and_runs(stage: Stage) -> None:
    """F6."""
    trainings_stopped(stage, 3)
    assert stage.tally.is_clean, stage.tally


def test_a_deadlock_and_a_call_that_holds_the_interpreter_lock_are_two_kinds_of_stall(stage: Stage) -> None:
    """F7, F8."""
    standing_still(stage, 1)
    assert stage.tally.is_clean, stage.tally


@pytest.mark.parametrize("older", [False, True], ids=["control groups", "the older control groups"])
def test_a_kill_for_want_of_memory_is_called_so(stage: Stage, older: bool) -> None:
    """F9."""
    out_of_memory(stage, 1, older=older)
    assert stage.tally.is_clean, stage.tally
