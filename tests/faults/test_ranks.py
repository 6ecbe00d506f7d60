"""Ranks that are held together stay together, and nobody is held for one that is gone."""

from __future__ import annotations

from importlib.util import find_spec

import pytest
from faults_of_ranks import held_beyond_timeout, hub_killed_while_held, paused_together, rank_killed_while_held, ranks_held_without_hub
from stage import Stage


def test_all_ranks_stand_at_one_step_again_and_again(stage: Stage) -> None:
    paused_together(stage, 5)
    assert stage.tally.is_clean, stage.tally


@pytest.mark.skipif(find_spec("torch") is None, reason="no torch, whose collective is waited in")
def test_held_for_longer_than_a_collective_waits_the_job_goes_on(stage: Stage) -> None:
    """F21."""
    held_beyond_timeout(stage, 1)
    assert stage.tally.is_clean, stage.tally


@pytest.mark.parametrize("victim", [0, 2])
def test_when_a_rank_is_killed_the_others_are_let_go_and_the_verdict_names_it(stage: Stage, victim: int) -> None:
    """F20."""
    rank_killed_while_held(stage, 1, victim)
    assert stage.tally.is_clean, stage.tally


def test_a_hub_killed_while_all_are_held_leaves_them_held_until_they_are_asked(stage: Stage) -> None:
    """F20."""
    hub_killed_while_held(stage, 2)
    assert stage.tally.is_clean, stage.tally


def test_without_a_hub_the_lease_frees_every_rank(stage: Stage) -> None:
    """F20."""
    ranks_held_without_hub(stage, 1)
    assert stage.tally.is_clean, stage.tally
