"""Where commands arrive: who may ask, what is handed over, and what becomes too old."""

from __future__ import annotations

import math

import pytest

from bedside.hub.desk import Desk
from bedside_protocol.codec import encode_record
from bedside_protocol.commands import EXPIRES_IN, OVER
from bedside_protocol.messages import Answer, Ask, Order
from bedside_protocol.records import (
    AlertAcknowledged,
    AlertShelved,
    Body,
    CommandChanged,
    Note,
    Record,
    Scalar,
    TagsChanged,
    Verb,
    VerdictGiven,
)

RUN = "digits-1"


def ask(verb: Verb = "pause", name: str = "c1", expires_in: float = EXPIRES_IN, run: str = RUN, **arguments: Scalar) -> Ask:
    return Ask(run, name, verb, "me@laptop", arguments, expires_in)


def states(bodies: list[Body]) -> list[str]:
    return [body.state for body in bodies if isinstance(body, CommandChanged)]


def open_desk(*asks: Ask, now: float = 0.0) -> Desk:
    desk = Desk(RUN)
    for each in asks:
        desk.ask(each, "operator", now, 5, is_over=False)
    return desk


def test_an_operators_command_is_recorded_with_who_asked_and_handed_over() -> None:
    desk = Desk(RUN)
    answer, said = desk.ask(ask("checkpoint", reason="lunch"), "operator", 0.0, 5, is_over=False)
    assert answer == Answer("c1", True)
    assert said == [CommandChanged("c1", "checkpoint", "requested", "me@laptop", arguments={"reason": "lunch"})]
    assert desk.due(0.0) == []
    assert desk.due(1.0) == [Order("c1", "checkpoint", "me@laptop", {"reason": "lunch"})]


@pytest.mark.parametrize("role", ["viewer", "agent"])
def test_who_may_only_look_commands_nothing_and_leaves_no_trace(role: str) -> None:
    desk = Desk(RUN)
    assert desk.ask(ask(), role, 0.0, 5, is_over=False) == (Answer("c1", False, "this key may look, not command"), [])  # type: ignore[arg-type]
    assert desk.ask(ask(), "operator", 0.0, 5, is_over=False)[0].taken


def test_a_command_for_another_run_is_sent_back() -> None:
    answer, said = Desk(RUN).ask(ask(run="digits-2"), "operator", 0.0, 5, is_over=False)
    assert (answer, said) == (Answer("c1", False, "this is run digits-1, not digits-2"), [])


@pytest.mark.parametrize("name", ["", "x" * 101, "x" * 1_000_000])
def test_an_id_that_is_none_is_sent_back(name: str) -> None:
    answer, said = Desk(RUN).ask(ask(name=name), "operator", 0.0, 5, is_over=False)
    assert (answer.taken, said) == (False, [])


def test_a_command_asked_twice_is_one() -> None:
    desk = open_desk(ask())
    assert desk.ask(ask(), "operator", 1.0, 5, is_over=False) == (Answer("c1", True, "already asked"), [])
    desk.heard(CommandChanged("c1", "pause", "accepted"))
    assert desk.ask(ask(), "operator", 2.0, 5, is_over=False)[1] == []
    assert desk.due(10.0) == []
    assert repr(desk) == "<Desk 1 commands known, 0 not accepted>"


def test_an_order_is_handed_over_again_until_the_training_says_something() -> None:
    desk = open_desk(ask(), now=100.0)
    assert [len(desk.due(now)) for now in (100.0, 100.5, 101.0, 101.5, 102.0)] == [1, 0, 1, 0, 1]
    desk.heard(CommandChanged("c1", "pause", "refused"))
    assert desk.due(200.0) == []
    assert desk.expired(200.0) == []


@pytest.mark.parametrize(("asked", "lifetime"), [(30.0, 30), (5.0, 5), (0.0, 1), (-7.0, 1), (1e9, 300), (math.inf, 300), (math.nan, 1)])
def test_what_is_not_accepted_in_its_time_expires_and_says_after_how_long(asked: float, lifetime: int) -> None:
    desk = open_desk(ask(expires_in=asked), now=100.0)
    assert desk.expired(100.0 + lifetime - 0.01) == []
    (gone,) = desk.expired(100.0 + lifetime)
    assert isinstance(gone, CommandChanged)
    assert (gone.state, gone.detail) == ("expired", f"the training did not answer within {lifetime} s")
    assert desk.expired(1000.0) == []
    assert desk.due(1000.0) == []


def test_a_command_that_lay_too_long_before_the_hub_saw_it_expires_without_being_handed_over() -> None:
    desk = Desk(RUN)
    desk.ask(ask(), "operator", 100.0, 5, is_over=False, age=EXPIRES_IN + 1)
    (gone,) = desk.expired(100.0)
    assert isinstance(gone, CommandChanged)
    assert gone.state == "expired"
    assert desk.due(100.0) == []


@pytest.mark.parametrize("age", [-5.0, math.nan])
def test_an_age_that_makes_no_sense_is_none(age: float) -> None:
    desk = Desk(RUN)
    desk.ask(ask(), "operator", 100.0, 5, is_over=False, age=age)
    assert desk.expired(100.0 + EXPIRES_IN - 0.01) == []
    assert len(desk.expired(100.0 + EXPIRES_IN)) == 1


def test_a_run_that_is_over_refuses_and_that_is_recorded() -> None:
    answer, said = Desk(RUN).ask(ask("stop"), "operator", 0.0, 5, is_over=True)
    assert answer == Answer("c1", False, OVER)
    assert states(said) == ["requested", "refused"]


def test_what_waits_at_the_end_is_refused() -> None:
    desk = open_desk(ask(), ask("stop", "c2"))
    desk.heard(CommandChanged("c1", "pause", "accepted"))
    (gone,) = desk.close()
    assert isinstance(gone, CommandChanged)
    assert (gone.id, gone.state, gone.detail) == ("c2", "refused", OVER)
    assert desk.close() == []


@pytest.mark.parametrize(("verb", "arguments"), [("snapshot", {"probe": "vq"}), ("rate", {"probe": "vq", "every": 10})])
def test_what_is_asked_of_a_probe_is_the_trainings_to_answer(verb: Verb, arguments: dict[str, Scalar]) -> None:
    desk = Desk(RUN)
    _, said = desk.ask(ask(verb, **arguments), "operator", 0.0, 5, is_over=False)
    assert states(said) == ["requested"]
    assert desk.due(1.0) == [Order("c1", verb, "me@laptop", arguments)]


# --- the hub's own verbs


@pytest.mark.parametrize("is_over", [False, True])
def test_a_note_is_written_down_at_once_also_after_the_end(is_over: bool) -> None:
    answer, said = Desk(RUN).ask(ask("note", text="lr too high?"), "operator", 0.0, 5, is_over=is_over)
    assert answer.taken
    assert states(said) == ["requested", "applied"]
    assert said[1] == Note("lr too high?", "me@laptop", 5)


def test_a_note_may_speak_of_another_step() -> None:
    assert Desk(RUN).ask(ask("note", text="here", step=3), "operator", 0.0, 5, is_over=False)[1][1] == Note("here", "me@laptop", 3)
    assert Desk(RUN).ask(ask("note", text="here", step="3"), "operator", 0.0, 5, is_over=False)[1][1] == Note("here", "me@laptop", 5)


def test_a_verdict_and_tags_are_notes_of_another_kind_and_say_what_was_written() -> None:
    _, said = Desk(RUN).ask(ask("note", text="verdict: good", verdict="good"), "operator", 0.0, 5, is_over=True)
    assert said[1:] == [VerdictGiven("good", "me@laptop"), CommandChanged("c1", "note", "applied", "me@laptop", "verdict good", 5)]
    _, said = Desk(RUN).ask(ask("note", added="a b", removed="c"), "operator", 0.0, 5, is_over=False)
    assert said[1:] == [
        TagsChanged(("a", "b"), ("c",), "me@laptop"),
        CommandChanged("c1", "note", "applied", "me@laptop", "tags +a +b -c", 5),
    ]


@pytest.mark.parametrize("arguments", [{"text": " "}, {"verdict": "v" * 81}, {"added": "a,b"}])
def test_what_is_no_entry_of_the_book_is_refused_in_words(arguments: dict[str, Scalar]) -> None:
    _, said = Desk(RUN).ask(ask("note", **arguments), "operator", 0.0, 5, is_over=False)
    assert states(said) == ["requested", "refused"]
    assert isinstance(said[1], CommandChanged)
    assert said[1].detail


def test_an_alarm_is_acknowledged_by_name() -> None:
    _, said = Desk(RUN).ask(ask("acknowledge", rule="nonfinite", target="loss"), "operator", 0.0, 5, is_over=False)
    assert said[1] == AlertAcknowledged("nonfinite", "loss", "me@laptop")
    _, said = Desk(RUN).ask(ask("acknowledge"), "operator", 0.0, 5, is_over=False)
    assert said[1] == AlertAcknowledged("", "", "me@laptop")


def test_an_alarm_is_shelved_by_name_for_so_long() -> None:
    _, said = Desk(RUN).ask(ask("shelve", rule="spike", target="loss", seconds=3600), "operator", 0.0, 5, is_over=True)
    assert said[1] == AlertShelved("spike", "loss", "me@laptop", 3600.0)
    assert states(said) == ["requested", "applied"]


@pytest.mark.parametrize("seconds", [-1.0, float("nan"), 1e9, "3600", None])
def test_a_shelf_without_a_name_or_an_end_is_refused(seconds: Scalar) -> None:
    _, said = Desk(RUN).ask(ask("shelve", rule="spike", target="loss", seconds=seconds), "operator", 0.0, 5, is_over=False)
    assert states(said) == ["requested", "refused"]
    _, said = Desk(RUN).ask(ask("shelve", seconds=60.0), "operator", 0.0, 5, is_over=False)
    assert states(said) == ["requested", "refused"]


def test_whatever_an_operator_sends_can_be_recorded() -> None:
    for verb in ("note", "acknowledge", "shelve", "pause"):
        big: dict[str, Scalar] = {f"{number}" + "k" * 1000: "v" * 10_000 for number in range(1000)}
        huge = Ask(RUN, "c1", verb, "w" * 1_000_000, {"text": "t" * 3_000_000, "rule": "r" * 1_000_000, **big})
        desk = Desk(RUN)
        _, said = desk.ask(huge, "operator", 0.0, 5, is_over=False)
        for body in [*said, *desk.expired(1e9)]:
            assert len(encode_record(Record(0.0, body))) < 64 << 10


# --- after a restart


def test_a_restarted_hub_hands_over_what_was_only_requested_and_no_more() -> None:
    desk = Desk(RUN)
    desk.restore(CommandChanged("c1", "pause", "requested", "me"), 50.0)
    desk.restore(CommandChanged("c2", "checkpoint", "scheduled", "me", step=7), 50.0)
    desk.restore(CommandChanged("c3", "note", "requested", "me"), 50.0)
    assert [order.id for order in desk.due(50.0)] == ["c1"]
    for name in ("c1", "c2", "c3"):
        assert desk.ask(ask(name=name), "operator", 51.0, 5, is_over=False) == (Answer(name, True, "already asked"), [])
    assert states(desk.expired(50.0 + EXPIRES_IN)) == ["expired"]


def test_what_waits_for_an_answer_is_known_by_its_verb_until_the_training_says_something() -> None:
    desk = open_desk(ask("pause", "c1"), ask("stack", "c2"))
    assert [order.id for order in desk.unanswered("stack")] == ["c2"]
    desk.heard(CommandChanged("c2", "stack", "accepted"))
    assert desk.unanswered("stack") == []


def test_a_notification_is_only_recorded_as_asked_for_what_becomes_of_it_is_told_by_who_sends_it() -> None:
    answer, said = Desk(RUN).ask(ask("notify", title="red"), "operator", 0.0, 5, is_over=True)
    assert (answer.taken, states(said)) == (True, ["requested"])
