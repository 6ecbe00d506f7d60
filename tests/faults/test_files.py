"""Damage to a real recording and kills in the midst of a checkpoint cost what they must, and never more."""

from __future__ import annotations

from faults_of_files import bits_flipped, checkpoints_killed
from stage import Stage


def test_a_flipped_bit_in_a_real_recording_costs_its_chunk_and_never_gives_a_wrong_value(stage: Stage) -> None:
    """F14. Every cut and every kind of damage: `tests/protocol/test_runlog.py`."""
    bits_flipped(stage, 200)
    assert stage.tally.is_clean, stage.tally


def test_a_process_killed_while_it_saves_leaves_only_whole_checkpoints(stage: Stage) -> None:
    """F22. A full disk: `tests/agent/test_checkpoint.py`."""
    checkpoints_killed(stage, 3)
    assert stage.tally.is_clean, stage.tally
