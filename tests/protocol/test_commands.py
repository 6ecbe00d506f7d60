"""The table of a command's life."""

from __future__ import annotations

import typing

import pytest

from bedside_protocol.commands import AT_BOUNDARY, EXPIRED, EXPIRES_IN, FOR_TRAINING, NEXT, is_over, may_follow
from bedside_protocol.messages import Ask
from bedside_protocol.records import CommandState, Verb

STATES = typing.get_args(CommandState)
VERBS = typing.get_args(Verb)


def test_the_table_knows_every_state_and_no_other() -> None:
    assert set(NEXT) == set(STATES)
    assert frozenset().union(*NEXT.values()) | {"requested"} == set(STATES)


def test_a_life_has_no_way_back_and_always_an_end() -> None:
    def longest(state: CommandState, seen: tuple[CommandState, ...] = ()) -> int:
        assert state not in seen
        return 1 + max((longest(after, (*seen, state)) for after in NEXT[state]), default=0)

    assert longest("requested") == 4


@pytest.mark.parametrize("state", ["applied", "failed", "expired", "refused", "cancelled"])
def test_what_is_over_stays_over(state: CommandState) -> None:
    assert is_over(state)
    assert not any(may_follow(state, after) for after in STATES)


@pytest.mark.parametrize("state", ["requested", "accepted", "scheduled"])
def test_what_is_open_may_still_become_something(state: CommandState) -> None:
    assert not is_over(state)


def test_nothing_expires_or_is_refused_once_the_training_has_scheduled_it() -> None:
    assert not may_follow("accepted", "expired")
    assert not may_follow("scheduled", "expired")
    assert not may_follow("scheduled", "refused")


def test_each_verb_is_the_trainings_or_the_hubs() -> None:
    assert set(VERBS) >= FOR_TRAINING
    assert set(VERBS) - FOR_TRAINING == {"acknowledge", "shelve", "note", "notify"}
    assert AT_BOUNDARY < FOR_TRAINING


def test_a_command_lives_as_long_as_it_says() -> None:
    assert Ask("run", "id", "pause", "me").expires_in == EXPIRES_IN
    assert EXPIRED.format(seconds=4.6) == "the training did not answer within 5 s"
