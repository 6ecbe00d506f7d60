"""All ranks carry an order out at one step, whatever the order in which steps are made and messages arrive."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bedside_protocol.agreement import ANSWER_WITHIN, Agreement
from bedside_protocol.messages import Arm, Armed, Order
from bedside_protocol.records import RankCommand

ORDER = Order("o", "pause", "me")


@dataclass
class Rank:
    """A rank that makes a step whenever it is told to, unless it stands: armed for this step, or held."""

    number: int
    step: int = 0
    at: int = 0
    agreed: bool = False
    held_at: int = -1
    inbox: list[Arm | Order] = field(default_factory=list)

    def make_step(self, others: list[Rank]) -> None:
        """One step, where the collective of it lets it: nobody is more than a step ahead of the slowest."""
        if self.held_at >= 0 or (self.at and self.step == self.at) or any(other.step < self.step for other in others):
            return
        self.step += 1
        self._act()

    def hear(self) -> Armed | None:
        if not self.inbox:
            return None
        message = self.inbox.pop(0)
        if isinstance(message, Order):
            if self.held_at < 0:
                self.at, self.agreed = message.at, True
                self._act()
            return None
        if message.at and self.held_at < 0:
            self.at = message.at
        ahead = self.step < message.at or not message.at
        return Armed(self.number, message.id, message.at, self.step, "ready" if ahead else "past")

    def _act(self) -> None:
        if self.agreed and self.step == self.at:
            self.held_at = self.step

    def said(self) -> RankCommand | None:
        return RankCommand("o", "pause", "applied", step=self.held_at) if self.held_at >= 0 else None


@settings(max_examples=300, deadline=None)
@given(st.lists(st.integers(0, 20), min_size=2, max_size=5), st.lists(st.integers(0, 11), max_size=300))
def test_whatever_comes_first_all_are_held_at_one_step(starts: list[int], moves: list[int]) -> None:
    slowest = min(starts)
    ranks = [Rank(number, slowest + (start > slowest)) for number, start in enumerate(starts)]
    agreement = Agreement(ORDER, range(len(ranks)), 0.0)
    clock = 0.0

    def hub() -> None:
        if agreement.phase == "agreed":
            agreement.act()
        for number, message in agreement.due(clock):
            ranks[number].inbox.append(message)

    def move(choice: int) -> None:
        rank = ranks[choice % len(ranks)]
        match choice % 3:
            case 0:
                rank.make_step([other for other in ranks if other is not rank])
            case 1 if (answer := rank.hear()) is not None:
                agreement.hear(answer)
            case _:
                hub()

    for choice in moves:
        move(choice)
    for _ in range(200):  # then the ranks go on, and every message arrives
        clock = min(clock + 0.6, ANSWER_WITHIN - 0.1)
        hub()
        for rank in ranks:
            while rank.inbox:
                if (answer := rank.hear()) is not None:
                    agreement.hear(answer)
            rank.make_step([other for other in ranks if other is not rank])
            if (said := rank.said()) is not None:
                agreement.did(rank.number, said)
    assert {rank.held_at for rank in ranks} == {agreement.at}
    assert agreement.outcome is not None
    assert agreement.outcome.state == "applied"


def answered(agreement: Agreement, *answers: Armed) -> Agreement:
    for answer in answers:
        agreement.hear(answer)
    return agreement


def test_the_first_step_tried_is_two_ahead_of_the_farthest_and_the_margin_doubles() -> None:
    agreement = answered(Agreement(ORDER, (0, 1), 0.0), Armed(0, "o", 0, 5, "ready"), Armed(1, "o", 0, 9, "ready"))
    assert agreement.at == 11
    assert answered(agreement, Armed(0, "o", 11, 12, "past")).at == 16


def test_ranks_that_stand_at_one_step_act_there() -> None:
    standing = [Armed(rank, "o", 0, 40, "ready", stands=True) for rank in (0, 1)]
    assert answered(Agreement(ORDER, (0, 1), 0.0), *standing).at == 40


def test_a_rank_on_its_way_to_where_the_others_stand_is_waited_for() -> None:
    """The second of two single steps in a row: a step ahead of ranks that are held would never come."""
    agreement = Agreement(ORDER, (0, 1), 0.0)
    assert [rank for rank, _ in agreement.due(0.0)] == [0, 1]
    answered(agreement, Armed(0, "o", 0, 41, "ready", stands=True), Armed(1, "o", 0, 40, "ready"))
    assert (agreement.phase, agreement.due(0.1), [rank for rank, _ in agreement.due(0.6)]) == ("asking", [], [0, 1])
    assert answered(agreement, *(Armed(rank, "o", 0, 41, "ready", stands=True) for rank in (0, 1))).at == 41


@pytest.mark.parametrize("other", [Armed(1, "o", 0, 40, "ready"), Armed(1, "o", 0, 40, "ready", stands=True)], ids=["runs", "stands"])
def test_a_rank_that_never_comes_to_where_the_others_stand_is_named(other: Armed) -> None:
    agreement = answered(Agreement(ORDER, (0, 1), 0.0), Armed(0, "o", 0, 41, "ready", stands=True), other)
    assert agreement.due(ANSWER_WITHIN + 0.1) == []
    assert agreement.outcome is not None
    assert agreement.outcome.detail == "rank 1 did not come to where the others stand within 10 s"


def test_a_rank_that_has_acted_already_decides_the_step() -> None:
    agreement = answered(Agreement(ORDER, (0, 1), 0.0), Armed(0, "o", 7, 7, "done"), Armed(1, "o", 0, 7, "ready", stands=True))
    assert (agreement.phase, agreement.at) == ("agreed", 7)


def test_one_refusal_is_enough() -> None:
    agreement = answered(Agreement(ORDER, (0, 1), 0.0), Armed(1, "o", 0, 3, "refused", why="the run is stopping"))
    assert agreement.outcome is not None
    assert (agreement.outcome.state, agreement.outcome.detail) == ("refused", "the run is stopping")


def test_a_rank_that_does_not_answer_is_named_and_nobody_acts() -> None:
    agreement = answered(Agreement(ORDER, (0, 1, 2), 0.0), Armed(0, "o", 0, 3, "ready"))
    assert agreement.due(ANSWER_WITHIN + 0.1) == []
    assert agreement.outcome is not None
    assert (agreement.outcome.state, agreement.outcome.detail) == ("failed", "rank 1, 2 did not answer within 10 s")


@pytest.mark.parametrize("stop", [True, False])
def test_all_leave_only_when_all_have_done_it(stop: bool) -> None:
    agreement = Agreement(Order("o", "stop", "me", {"checkpoint": True}), (0, 1), 0.0)
    answered(agreement, *(Armed(rank, "o", 0, 3, "ready", stands=True) for rank in (0, 1)))
    answered(agreement, *(Armed(rank, "o", 3, 3, "ready") for rank in (0, 1)))
    agreement.act()
    agreement.did(0, RankCommand("o", "stop", "applied", "saved", 3))
    assert agreement.outcome is None
    agreement.did(1, RankCommand("o", "stop", "applied" if stop else "failed", "disk full", 3))
    assert agreement.settled().stop is stop
    assert agreement.outcome is not None
    assert agreement.outcome.detail == ("saved" if stop else "rank 1: disk full")


def test_what_is_not_about_this_order_or_of_a_rank_of_it_changes_nothing() -> None:
    agreement = Agreement(ORDER, (0, 1), 0.0)
    answered(agreement, Armed(0, "another", 0, 5, "refused"), Armed(7, "o", 0, 5, "refused"))
    for rank, said in (
        (7, RankCommand("o", "pause", "applied")),
        (0, RankCommand("p", "pause", "applied")),
        (0, RankCommand("o", "pause", "accepted")),
    ):
        agreement.did(rank, said)
    assert (agreement.phase, agreement.outcome, dict(agreement.done)) == ("asking", None, {})
    assert repr(agreement) == "<Agreement on pause asking at 0, 0 of 2 answered>"


def test_an_answer_to_a_step_that_is_no_longer_tried_counts_for_nothing() -> None:
    agreement = answered(Agreement(ORDER, (0, 1), 0.0), Armed(0, "o", 0, 5, "ready"), Armed(1, "o", 0, 5, "ready"))
    assert answered(agreement, Armed(0, "o", agreement.at - 1, 99, "past")).at == 7


@pytest.mark.parametrize(("end", "state"), [("give_up", "failed"), ("cancel", "cancelled")])
def test_it_can_be_given_up_or_taken_back_and_what_ended_it_first_stands(end: str, state: str) -> None:
    agreement = Agreement(ORDER, (0, 1), 0.0)
    getattr(agreement, end)("because")
    agreement.give_up("rank 1 is gone")
    answered(agreement, Armed(0, "o", 0, 5, "ready"), Armed(1, "o", 0, 5, "ready"))
    assert agreement.outcome is not None
    assert (agreement.outcome.state, agreement.outcome.detail, agreement.due(0.0)) == (state, "because", [])
