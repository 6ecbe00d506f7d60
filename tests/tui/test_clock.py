"""Replay's clock: a value, moved by keys and by the time it is told."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bedside_tui.clock import FASTEST, SLOWEST, ReplayClock

LAST = 100.0


def test_it_stands_still_until_it_plays() -> None:
    clock = ReplayClock(position=10.0)
    assert (clock.at(0.0, LAST), clock.at(99.0, LAST)) == (10.0, 10.0)
    playing = clock.play(5.0, LAST)
    assert (playing.at(5.0, LAST), playing.at(8.0, LAST)) == (10.0, 13.0)
    assert playing.pause(8.0, LAST).at(50.0, LAST) == 13.0


def test_it_stops_at_the_newest_record_and_says_so() -> None:
    clock = ReplayClock().play(0.0, LAST)
    assert (clock.at(500.0, LAST), clock.ended(500.0, LAST), clock.ended(50.0, LAST)) == (LAST, True, False)


def test_speed_changes_without_a_jump() -> None:
    clock = ReplayClock().play(0.0, LAST).faster(10.0, LAST)
    assert (clock.at(10.0, LAST), clock.at(15.0, LAST)) == (10.0, 20.0)
    slower = clock.slower(15.0, LAST).slower(15.0, LAST)
    assert slower.at(17.0, LAST) == 21.0


def test_speed_has_limits_and_a_text() -> None:
    fast = slow = ReplayClock()
    for _ in range(20):
        fast, slow = fast.faster(0.0, LAST), slow.slower(0.0, LAST)
    assert (fast.speed, slow.speed) == (FASTEST, SLOWEST)
    assert (fast.speed_text, slow.speed_text, ReplayClock().speed_text) == ("64×", "1/8×", "1×")


def test_following_is_now_however_far_now_goes() -> None:
    clock = ReplayClock().follow()
    assert (clock.at(0.0, 50.0), clock.at(0.0, 60.0), clock.shown(0.0, 60.0)) == (50.0, 60.0, None)


def test_space_on_a_live_run_holds_this_moment_and_end_returns() -> None:
    held = ReplayClock().follow().toggle(3.0, 60.0)
    assert (held.following, held.playing, held.shown(9.0, 90.0)) == (False, False, 60.0)
    assert held.follow().shown(9.0, 90.0) is None


def test_space_at_the_end_plays_from_the_beginning() -> None:
    again = ReplayClock(position=LAST).toggle(0.0, LAST, first=2.0)
    assert (again.playing, again.at(1.0, LAST)) == (True, 3.0)


def test_space_plays_and_pauses() -> None:
    clock = ReplayClock(position=5.0).toggle(0.0, LAST)
    assert clock.playing
    assert not clock.toggle(1.0, LAST).playing


def test_seeking_stays_within_the_recording_and_goes_on_playing() -> None:
    clock = ReplayClock().play(0.0, LAST)
    assert clock.seek(40.0, 7.0, 0.0, LAST).at(8.0, LAST) == 41.0
    assert clock.seek(-9.0, 7.0, 2.0, LAST).at(7.0, LAST) == 2.0
    assert clock.seek(900.0, 7.0, 2.0, LAST).at(7.0, LAST) == LAST
    assert clock.skip(-3.0, 10.0, 0.0, LAST).at(10.0, LAST) == 7.0
    assert clock.share(0.5, 0.0, 20.0, LAST).at(0.0, LAST) == 60.0


def test_skipping_back_from_now_leaves_following() -> None:
    clock = ReplayClock().follow().skip(-10.0, 0.0, 0.0, 60.0)
    assert (clock.following, clock.at(5.0, 70.0)) == (False, 50.0)


KEYS = st.sampled_from(["toggle", "faster", "slower", "follow", "skip"])


@given(st.lists(st.tuples(KEYS, st.floats(0, 5)), max_size=30))
def test_no_sequence_of_keys_leaves_the_recording(presses: list[tuple[str, float]]) -> None:
    clock, now = ReplayClock(), 0.0
    for key, wait in presses:
        now += wait
        before = clock.at(now, LAST)
        if key == "toggle":
            clock = clock.toggle(now, LAST)
        elif key in ("faster", "slower"):
            clock = clock.faster(now, LAST) if key == "faster" else clock.slower(now, LAST)
            assert clock.at(now, LAST) == pytest.approx(before)
        else:
            clock = clock.follow() if key == "follow" else clock.skip(-7.0, now, 0.0, LAST)
        assert 0.0 <= clock.at(now, LAST) <= LAST
        assert clock.at(now + 1, LAST) >= clock.at(now, LAST)
