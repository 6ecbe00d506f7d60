"""The life of one alarm: how long it takes to be over, and how long where it keeps coming back."""

from __future__ import annotations

from point_by_point import levels

from bedside_protocol.alerts.alarm import Alarm
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
