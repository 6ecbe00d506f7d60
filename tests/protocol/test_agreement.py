"""How all ranks come to one step: asked, armed, told, and what becomes of it where one is faster, silent, unwilling or gone."""

from __future__ import annotations

import pytest

from bedside_protocol.agreement import ANSWER_WITHIN, MARGIN, Agreement, Outcome
from bedside_protocol.messages import Arm, Armed, Order, Settled
from bedside_protocol.records import RankCommand, Verb


def agreement(verb: Verb = "pause", ranks: int = 3) -> Agreement:
    return Agreement(Order("c1", verb, "ann", {"why": "x"}), range(ranks), now=100.0)


def asked(on: Agreement, *steps: int, stands: bool = False) -> Agreement:
    """Each rank has said its step."""
    for rank, step in enumerate(steps):
        on.hear(Armed(rank, "c1", 0, step, "ready", stands))
    return on


def armed(on: Agreement) -> Agreement:
    """Each rank holds at the step that was tried."""
    for rank in sorted(on.ranks):
        on.hear(Armed(rank, "c1", on.at, on.at - 1, "ready"))
    return on


def did(on: Agreement, *said: tuple[str, str]) -> Agreement:
    """Each rank is through with it, in this state and with this detail."""
    for rank, (state, detail) in enumerate(said):
        on.did(rank, RankCommand("c1", on.order.verb, state, detail, on.at))  # type: ignore[arg-type]
    return on


def test_the_step_is_the_farthest_and_a_margin_and_all_are_told_once_all_are_armed() -> None:
    on = agreement()
    assert on.due(100.0) == [(rank, Arm("c1", "pause", "ann", {"why": "x"}, 0)) for rank in range(3)]
    asked(on, 5, 9, 7)
    assert (on.phase, on.at) == ("arming", 9 + MARGIN)
    assert on.due(100.0) == [(rank, Arm("c1", "pause", "ann", {"why": "x"}, 11)) for rank in range(3)]
    armed(on)
    assert (on.phase, on.due(100.0)) == ("agreed", [])
    on.act()
    assert on.due(100.0) == [(rank, Order("c1", "pause", "ann", {"why": "x"}, 11)) for rank in range(3)]
    did(on, ("applied", "held"), ("applied", "held"), ("applied", "held"))
    assert (on.phase, on.outcome, on.settled()) == ("over", Outcome("applied", "held"), Settled("c1"))
    assert set(on.done) == {0, 1, 2}


def test_a_rank_that_is_past_the_step_makes_it_a_later_one_with_twice_the_margin() -> None:
    on = asked(agreement(), 5, 5, 5)
    on.hear(Armed(0, "c1", on.at, 6, "ready"))
    on.hear(Armed(1, "c1", on.at, 20, "past"))
    assert (on.phase, on.at) == ("arming", 20 + 2 * MARGIN)
    on.hear(Armed(1, "c1", on.at, 2, "past"))
    assert on.at == 24 + 4 * MARGIN
    assert [rank for rank, _ in on.due(100.0)] == [0, 1, 2]


def test_ranks_that_stand_at_one_step_are_asked_to_act_there_and_those_that_stand_apart_are_not() -> None:
    assert asked(agreement(), 8, 8, 8, stands=True).at == 8
    assert asked(agreement(), 8, 8, 9, stands=True).at == 9 + MARGIN


def test_where_one_has_acted_already_all_act_there() -> None:
    """A hub that died since had told it; the next one asks again."""
    on = agreement(ranks=2)
    on.hear(Armed(0, "c1", 0, 30, "ready"))
    on.hear(Armed(1, "c1", 12, 31, "done"))
    assert (on.phase, on.at) == ("agreed", 12)


@pytest.mark.parametrize(
    "answer",
    [Armed(0, "another", 0, 5, "refused"), Armed(7, "c1", 0, 5, "refused")],
    ids=["of another order", "of a rank that is not asked"],
)
def test_what_is_not_about_this_order_changes_nothing(answer: Armed) -> None:
    on = agreement()
    on.hear(answer)
    assert (on.phase, on.outcome) == ("asking", None)
    on.did(7, RankCommand("c1", "pause", "applied"))
    on.did(0, RankCommand("another", "pause", "applied"))
    on.did(0, RankCommand("c1", "pause", "accepted"))
    assert on.done == {}


def test_an_answer_to_a_step_that_is_no_longer_tried_counts_for_nothing() -> None:
    on = asked(agreement(ranks=2), 5, 5)
    on.hear(Armed(0, "c1", on.at - 1, 99, "past"))
    assert on.at == 5 + MARGIN


def test_one_refusal_ends_it_and_what_comes_later_is_not_heard() -> None:
    on = agreement()
    on.hear(Armed(2, "c1", 0, 5, "refused", why="no checkpoint is registered"))
    assert on.outcome is not None
    assert (on.phase, on.outcome.state) == ("over", "refused")
    assert "no checkpoint is registered" in on.outcome.detail
    before = on.outcome
    asked(on, 5, 5, 5)
    on.give_up("rank 1 is gone")
    assert (on.outcome, on.due(100.0)) == (before, [])


def test_what_got_no_answer_goes_out_again_and_silence_ends_it_by_name() -> None:
    on = agreement()
    on.due(100.0)
    on.hear(Armed(1, "c1", 0, 5, "ready"))
    assert on.due(100.4) == []
    assert [rank for rank, _ in on.due(100.6)] == [0, 2]
    assert on.due(100.1 + ANSWER_WITHIN) == []
    assert on.outcome == Outcome("failed", "rank 0, 2 did not answer within 10 s")


@pytest.mark.parametrize("end", ["give_up", "cancel"])
def test_it_can_be_given_up_and_taken_back(end: str) -> None:
    on = asked(agreement(), 5, 5, 5)
    getattr(on, end)("because")
    assert on.outcome == Outcome("failed" if end == "give_up" else "cancelled", "because")
    assert on.settled() == Settled("c1")


def test_some_may_be_through_with_it_before_all_were_told() -> None:
    on = asked(agreement(ranks=1), 5)
    did(armed(on), ("applied", "here"))
    assert on.phase == "agreed"
    on.act()
    assert on.outcome == Outcome("applied", "here")


def test_what_failed_is_told_by_rank_unless_all_say_the_same() -> None:
    on = armed(asked(agreement(), 5, 5, 5))
    on.act()
    did(on, ("applied", "saved"), ("failed", "disk full"), ("failed", "disk full"))
    assert on.outcome == Outcome("failed", "rank 1: disk full; rank 2: disk full")
    on = armed(asked(agreement(), 5, 5, 5))
    on.act()
    did(on, *[("failed", "disk full")] * 3)
    assert on.outcome == Outcome("failed", "disk full")


def test_after_a_stop_that_all_carried_out_the_loop_is_left_and_after_one_that_failed_it_is_not() -> None:
    for state, stop in (("applied", True), ("failed", False)):
        on = armed(asked(agreement("stop", 1), 5))
        on.act()
        assert did(on, (state, "")).settled() == Settled("c1", stop)


def test_a_resume_needs_no_common_step() -> None:
    on = agreement("resume")
    assert on.due(100.0) == [(rank, Order("c1", "resume", "ann", {"why": "x"}, 0)) for rank in range(3)]
    assert repr(on) == "<Agreement on resume acting at 0, 0 of 3 answered>"
