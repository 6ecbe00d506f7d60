"""Whatever happens to viewers and hub, the training and its recording go on."""

from __future__ import annotations

import pytest
from faults_of_hub import held_without_hub, hub_gone_for_good, hub_killed, hub_killed_at_the_end, hub_stopped, hub_stopped_at_the_end
from faults_of_links import link_cut, no_sshd
from faults_of_viewers import tunnel_cut, tunnel_slow, viewers_killed, viewers_stopped
from stage import Stage


def test_killed_viewers_leave_no_trace_and_the_next_one_sees_everything(stage: Stage) -> None:
    """F1."""
    viewers_killed(stage, 10)
    assert stage.tally.is_clean, stage.tally


def test_stopped_viewers_cost_no_memory_and_have_no_hole_when_they_wake(stage: Stage) -> None:
    """F2."""
    viewers_stopped(stage, 3)
    assert stage.tally.is_clean, stage.tally


def test_behind_a_tunnel_that_is_cut_and_hangs_a_viewer_says_unreachable_and_has_no_hole_afterwards(stage: Stage) -> None:
    """F17."""
    tunnel_cut(stage, 2)
    assert stage.tally.is_clean, stage.tally


def test_behind_a_slow_tunnel_a_handshake_is_not_begun_anew_before_it_can_be_done(stage: Stage) -> None:
    """F17."""
    tunnel_slow(stage, 1)
    assert stage.tally.is_clean, stage.tally


@pytest.mark.skipif(no_sshd() != "", reason=no_sshd())
def test_behind_an_ssh_that_is_killed_and_hangs_a_viewer_says_unreachable_and_has_read_what_the_file_holds(stage: Stage) -> None:
    """F17, through a real sshd."""
    link_cut(stage, 2)
    assert stage.tally.is_clean, stage.tally


def test_a_hub_killed_again_and_again_loses_and_doubles_nothing(stage: Stage) -> None:
    """F3."""
    hub_killed(stage, 3)
    assert stage.tally.is_clean, stage.tally


def test_a_hub_that_stands_still_for_a_while_is_waited_for(stage: Stage) -> None:
    """F4: the hub is not dead, it only looks so."""
    hub_stopped(stage, 2)
    assert stage.tally.is_clean, stage.tally


def test_a_hub_killed_as_the_training_ends_takes_nothing_with_it(stage: Stage) -> None:
    """F3, F4."""
    hub_killed_at_the_end(stage, 1)
    assert stage.tally.is_clean, stage.tally


def test_a_hub_stopped_as_the_training_ends_has_the_ending_when_it_wakes(stage: Stage) -> None:
    """F4."""
    hub_stopped_at_the_end(stage, 1)
    assert stage.tally.is_clean, stage.tally


def test_a_run_that_is_held_while_its_hub_stands_still_lets_itself_go(stage: Stage) -> None:
    """F20, for the one rank there is."""
    held_without_hub(stage, 1)
    assert stage.tally.is_clean, stage.tally


def test_without_a_hub_for_good_a_flood_is_bounded_in_the_training(stage: Stage) -> None:
    """F4."""
    hub_gone_for_good(stage, 1)
    assert stage.tally.is_clean, stage.tally
