"""Which rank of which launch a process is, by what it says itself and by its environment."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from bedside.ranks import Place, launch_of, place_of

TORCHRUN = {"RANK": "1", "WORLD_SIZE": "4", "TORCHELASTIC_RUN_ID": "none", "TORCHELASTIC_RESTART_COUNT": "0", "MASTER_PORT": "29500"}
SLURM = {"SLURM_PROCID": "3", "SLURM_STEP_NUM_TASKS": "8", "SLURM_JOB_ID": "4711", "SLURM_STEP_ID": "0", "MASTER_ADDR": "node-1"}


def test_a_process_of_which_nothing_is_said_is_the_only_one() -> None:
    assert place_of({}) == Place(0, 1, "", "")


@pytest.mark.parametrize(
    ("environment", "rank", "world"),
    [
        (TORCHRUN, 1, 4),
        (SLURM, 3, 8),
        (SLURM | TORCHRUN, 1, 4),
        (SLURM | {"MASTER_ADDR": ""}, 0, 1),
        ({"SLURM_PROCID": "0", "SLURM_NTASKS": "8", "MASTER_ADDR": "node-1"}, 0, 1),
    ],
    ids=["torchrun", "srun", "torchrun in a step of SLURM", "srun without a master", "a batch script of eight tasks"],
)
def test_the_environment_says_which_rank_it_is(environment: Mapping[str, str], rank: int, world: int) -> None:
    found = place_of(environment)
    assert (found.rank, found.world, found.doubt) == (rank, world, "")
    assert bool(found.launch) == found.is_shared


def test_what_the_script_says_counts_before_the_environment() -> None:
    found = place_of(TORCHRUN, 2, 3)
    assert (found.rank, found.world) == (2, 3)


@pytest.mark.parametrize(
    ("environment", "doubt"),
    [
        ({"RANK": "1"}, "no rank can be read of RANK='1'"),
        ({"WORLD_SIZE": "2", "RANK": "-1"}, "no rank can be read of RANK='-1' and WORLD_SIZE='2'"),
        ({"RANK": "first", "WORLD_SIZE": "2"}, "no rank can be read of RANK='first' and WORLD_SIZE='2'"),
    ],
)
def test_variables_that_say_no_rank_are_named_and_the_process_is_alone(environment: Mapping[str, str], doubt: str) -> None:
    found = place_of(environment)
    assert (found.rank, found.world) == (0, 1)
    assert found.doubt == f"{doubt}: this process is taken for a run of its own"


def test_a_rank_said_without_the_world_is_no_rank() -> None:
    assert place_of({}, rank=1) == Place(0, 1, "", "init(rank=…) says no rank: say rank and world")
    assert place_of({}, world=2) == Place(0, 1, "", "init(world=…) says no rank: say rank and world")


@pytest.mark.parametrize(("rank", "world"), [(2, 2), (-1, 2), (0, 0)])
def test_a_rank_that_cannot_be_is_refused(rank: int, world: int) -> None:
    with pytest.raises(ValueError, match="at least 0 and less than the number of ranks"):
        place_of({}, rank, world)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (TORCHRUN, {"TORCHELASTIC_RESTART_COUNT": "1"}),
        (TORCHRUN, {"MASTER_PORT": "29501"}),
        (SLURM, {"SLURM_STEP_ID": "1"}),
        (SLURM, {"SLURM_RESTART_COUNT": "1"}),
        ({"MASTER_PORT": "29500"}, {"MASTER_ADDR": "node-2"}),
        ({}, {"BEDSIDE_RUN_ID": "night-3"}),
    ],
)
def test_two_launches_are_told_apart_and_ranks_of_one_are_not(one: Mapping[str, str], other: Mapping[str, str]) -> None:
    assert launch_of({**one, **other}) != launch_of(one)
    assert launch_of({**one, "RANK": "7", "SLURM_PROCID": "7", "LOCAL_RANK": "7", "SLURM_LOCALID": "7"}) == launch_of(one)


def test_a_launch_that_is_named_is_known_by_its_name() -> None:
    assert launch_of(TORCHRUN, "night-3") == launch_of(SLURM, "night-3") == launch_of(SLURM | {"BEDSIDE_RUN_ID": "night-3"})
