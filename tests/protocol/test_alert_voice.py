"""Rules that share a name speak of one trouble: of one target a person is told once, at its worst, until the last of them is content."""

from __future__ import annotations

from bedside_protocol.alerts.ledger import Ledger
from bedside_protocol.alerts.levels import AMBER, OK, RED, UNCHECKED
from bedside_protocol.alerts.rules import OnRun, Rule
from bedside_protocol.records import AlertChanged

EARLY = Rule("lost", "lost", OnRun(), (), "early {value}", "", worst="amber")
LATE = Rule("lost", "lost", OnRun(), (), "late {value}", "", horizon="hour")


def story(*seen: tuple[Rule, int]) -> list[AlertChanged]:
    """What is told where each of these rules finds that level on one target, an observation a step."""
    ledger = Ledger()
    alarms = {rule: ledger.alarm(rule, "x") for rule in (EARLY, LATE)}
    for step, (rule, level) in enumerate(seen):
        ledger.judge(alarms[rule], level, step, float(step), lambda step=step: {"value": float(step)}, "too early")
    return ledger.collect()


def told(*seen: tuple[Rule, int]) -> list[str]:
    return [f"{change.state} {change.severity}".strip() for change in story(*seen)]


def test_what_one_of_them_finds_well_does_not_end_what_another_tells() -> None:
    assert told((EARLY, AMBER), (LATE, OK), (LATE, OK)) == ["firing amber"]


def test_the_worse_of_two_is_told_and_the_milder_adds_nothing() -> None:
    assert told((LATE, RED), (EARLY, AMBER)) == ["firing red"]
    assert told((EARLY, AMBER), (LATE, RED)) == ["firing amber", "firing red"]


def test_it_is_over_when_the_last_of_them_is_and_with_the_worst_it_was() -> None:
    changes = story((EARLY, AMBER), (LATE, RED), (LATE, OK), (EARLY, OK))
    assert [change.step for change in changes] == [0, 1, 3]
    assert [(change.state, change.severity, change.episode) for change in changes[1:]] == [("firing", "red", 1), ("cleared", "red", 1)]
    assert {change.first_step for change in changes} == {0}
    assert changes[-1].message == changes[1].message == "late 1.0"


def test_what_comes_after_all_were_well_is_a_new_episode() -> None:
    changes = story((EARLY, AMBER), (EARLY, OK), (LATE, RED))
    assert [(change.state, change.episode) for change in changes] == [("firing", 1), ("cleared", 1), ("firing", 2)]
    assert changes[-1].first_step == 2


def test_not_checked_is_told_only_where_none_of_them_could_judge() -> None:
    assert told((EARLY, UNCHECKED), (LATE, UNCHECKED)) == ["not_checked"]
    assert told((EARLY, OK), (LATE, UNCHECKED)) == ["ok"]
