"""A recording outlives its boot and its version, and a run its way in."""

from __future__ import annotations

import pytest
from fault_table import namespaces
from faults_of_doors import hubs_started_twice, no_place_for_a_socket, nobody_checks_keys, stale_sockets
from faults_of_formats import booted_anew, versions_read
from stage import Stage


@pytest.mark.skipif(bool(namespaces()), reason=f"the boot id cannot be covered by another: {namespaces()}")
def test_a_run_whose_machine_was_started_anew_is_lost_once_it_is_silent_and_no_age_is_negative(stage: Stage) -> None:
    """F18."""
    booted_anew(stage, 1)
    assert stage.tally.is_clean, stage.tally


def test_what_another_version_wrote_is_read_or_refused_in_one_line(stage: Stage) -> None:
    """F19. Every verb: `tests/flow/test_versions.py`; every frame: `tests/golden`."""
    versions_read(stage, 3)
    assert stage.tally.is_clean, stage.tally


def test_a_stale_socket_is_no_obstacle(stage: Stage) -> None:
    """F16."""
    stale_sockets(stage, 1)
    assert stage.tally.is_clean, stage.tally


def test_a_second_hub_leaves_and_takes_nothing_with_it(stage: Stage) -> None:
    """F16."""
    hubs_started_twice(stage, 1)
    assert stage.tally.is_clean, stage.tally


def test_without_a_place_for_its_socket_a_training_runs_and_takes_another_or_says_why_not(stage: Stage) -> None:
    """F16."""
    no_place_for_a_socket(stage, 4)
    assert stage.tally.is_clean, stage.tally


def test_with_nobody_to_check_keys_the_door_is_shut_and_who_is_inside_stays(stage: Stage) -> None:
    """F24."""
    nobody_checks_keys(stage, 1)
    assert stage.tally.is_clean, stage.tally
