"""The life of one alarm: how long it takes to be over, and how long where it keeps coming back."""

from __future__ import annotations

from point_by_point import levels

from bedside_protocol.alerts.alarm import Alarm, Evidence
from bedside_protocol.alerts.conditions import NonFinite
from bedside_protocol.alerts.explosion import Explosion
from bedside_protocol.alerts.levels import AMBER, OK, RED
from bedside_protocol.alerts.rules import OnMetric, Rule, Span
from bedside_protocol.alerts.surroundings import Surroundings, Windows


def alarm(keep: int = 100) -> Alarm:
    return Alarm(Rule("r", "r", OnMetric(), (NonFinite(),), "", "", keep_firing_for=Span(keep, "steps")), "loss")


def life(alarm: Alarm, bad: set[int], steps: int) -> list[tuple[str, int]]:
    """What it became, and when, where these steps are bad."""
    return [(alarm.state, step) for step in range(steps) if alarm.see(RED if step in bad else OK, step, step * 0.1)]


def test_it_takes_twice_as_long_to_clear_each_time_it_soon_comes_back() -> None:
    told = life(alarm(), {10, 200, 500}, 2000)
    assert told == [("ok", 0), ("firing", 10), ("cleared", 111), ("firing", 200), ("cleared", 401), ("firing", 500), ("cleared", 901)]


def test_what_comes_back_within_the_longer_wait_is_the_same_episode() -> None:
    told = life(alarm(), {10, 200, 350, 500}, 2000)
    assert [step for state, step in told if state == "firing"] == [10, 200]


def test_after_a_long_time_well_it_starts_with_the_short_wait_again() -> None:
    told = life(alarm(), {10, 200, 5000}, 6000)
    assert told[-2:] == [("firing", 5000), ("cleared", 5101)]


def test_a_new_segment_forgets_how_often_it_came_back() -> None:
    it = alarm()
    life(it, {10}, 150)
    it.clear()
    assert life(it, {10}, 150)[-1] == ("cleared", 111)


def test_an_explosion_is_over_when_its_level_is_below_the_beginning() -> None:
    test = Explosion(1.5, Surroundings(Windows(level=5, scale=5, hold=5, burst=3)))
    values = [2.0, *[1.0] * 10, *[50.0] * 20, *[2.5] * 20, *[1.9] * 20]
    found = levels(test, values)
    assert found[12] == RED
    assert set(found[31:51]) == {AMBER}
    assert set(found[54:]) == {OK}


def patient() -> Alarm:
    """Pending for two observations, amber, and red after five."""
    rule = Rule("r", "r", OnMetric(), (NonFinite(),), "", "", for_amber=Span(2, "points"), for_red=Span(5, "points"))
    return Alarm(rule, "loss")


def test_what_lasts_is_pending_then_amber_then_red_and_its_first_step_is_where_it_began() -> None:
    it = patient()
    changes = [(it.state, it.severity) for step in range(10) if it.see(RED if step > 2 else OK, step, step * 0.1)]
    assert changes == [("ok", None), ("pending", "amber"), ("firing", "amber"), ("firing", "red")]
    assert (it.first_step, it.evidence_step, it.fires, it.rests) == (3, 3, True, False)


def test_what_is_well_again_before_its_time_never_fired() -> None:
    it = patient()
    changes = [it.state for step, level in enumerate([RED, OK, RED, RED]) if it.see(level, step, 0.0)]
    assert changes == ["pending", "ok", "pending", "firing"]
    assert not it.see(AMBER, 4, 0.0)


def test_evidence_begins_anew_where_the_steps_go_back() -> None:
    it = patient()
    assert [it.see(RED, step, 0.0) for step in (10, 3)] == [True, False]
    assert (it.state, it.evidence_step) == ("pending", 3)


def test_what_another_alarm_explains_is_not_checked_and_says_by_whom_once() -> None:
    it = patient()
    assert [it.see(RED, step, 0.0, "nonfinite on loss") for step in (1, 2)] == [True, False]
    assert (it.state, it.severity, it.why) == ("not_checked", None, "quiet: nonfinite on loss")
    assert it.see(RED, 3, 0.0)
    assert (it.state, it.why) == ("firing", "")


def test_clearing_what_does_not_fire_forgets_its_evidence_and_is_no_news() -> None:
    it = patient()
    it.see(RED, 1, 0.0)
    assert not it.clear()
    assert (it.state, it.evidence_step) == ("pending", None)


def test_an_episode_can_be_ended_whatever_is_wrong_and_that_is_news() -> None:
    it = patient()
    for step in (1, 2):
        it.see(RED, step, 0.0)
    assert it.clear()
    assert (it.state, it.severity, it.evidence_step) == ("cleared", "amber", None)


def test_an_alarm_and_its_evidence_say_how_they_are() -> None:
    it = patient()
    it.see(RED, 7, 0.0)
    assert repr(it) == "<Alarm r loss: pending amber>"
    it.suspend("no such metric yet")
    assert repr(it) == "<Alarm r loss: not_checked no such metric yet>"
    evidence = Evidence()
    evidence.gather(True, 7, 0.0)
    assert repr(evidence) == "<Evidence 1 points since step 7>"
