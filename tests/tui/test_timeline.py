"""The timeline by itself: moves that cannot be made say why, and what has been shown is remembered as it was shown."""

from __future__ import annotations

import numpy as np

from bedside_protocol.records import Metrics, Note, Record
from bedside_tui.store.store import Store
from bedside_tui.timeline import Timeline


def grown(store: Store, line: Timeline, first: int, last: int) -> None:
    """A record a second from `first` to `last`."""
    records = [Record(float(at), Metrics(("loss",), np.array([at]), np.array([float(at)]), np.array([[1.0]]))) for at in range(first, last)]
    store.feed(records)
    line.take(records)


def opened(*, live: bool, seconds: int = 101) -> tuple[Store, Timeline]:
    store = Store()
    line = Timeline(store, live=live, now=0.0)
    grown(store, line, 0, seconds)
    return store, line


def said(sentence: object) -> str:
    return getattr(sentence, "text", "")


def test_a_speed_beyond_the_fastest_or_the_slowest_says_so() -> None:
    _, line = opened(live=False)
    words = [said(line.speed(2.0, 0.0)) for _ in range(8)]
    assert (line.at(0.0).speed, words) == ("64×", ["", "", "", "", "", "", "64× is the fastest", "64× is the fastest"])
    speeds = []
    for _ in range(9):
        assert said(line.speed(0.5, 0.0)) == ""
        speeds.append(line.at(0.0).speed)
    assert speeds == ["32×", "16×", "8×", "4×", "2×", "1×", "1/2×", "1/4×", "1/8×"]
    assert said(line.speed(0.5, 0.0)) == "1/8× is the slowest"


def test_a_record_beyond_the_last_or_the_first_says_so() -> None:
    _, line = opened(live=False)
    line.hold(100.0, 0.0)
    assert said(line.record(1, 0.0)) == "no later record"
    line.hold(0.0, 0.0)
    assert said(line.record(-1, 0.0)) == "no earlier record"
    assert said(line.record(1, 0.0)) == ""
    assert line.at(0.0).time == 1.0


def test_looking_back_plays_until_it_has_caught_up_with_now() -> None:
    store, line = opened(live=True)
    line.percent(90, 0.0)
    line.play(0.0)
    line.speed(4.0, 0.0)
    assert (line.at(1.0).mode, line.at(1.0).time, line.at(1.0).playing) == ("back", 94.0, True)
    grown(store, line, 101, 103)
    assert (line.at(2.5).mode, line.at(2.5).time) == ("back", 100.0)
    assert (line.at(9.0).mode, line.at(9.0).time) == ("now", 102.0)


def test_a_recording_holds_at_its_end() -> None:
    _, line = opened(live=False)
    line.begin(0.0)
    assert (line.at(500.0).mode, line.at(500.0).time, line.at(500.0).playing) == ("replay", 100.0, False)


def test_what_was_shown_is_one_stretch_and_what_was_skipped_is_not_in_it() -> None:
    _, line = opened(live=False)
    line.begin(0.0)
    for now in (0.0, 5.0, 10.0):
        line.at(now)
    line.percent(50, 10.0)
    for now in (10.0, 12.0):
        line.at(now)
    assert line.seen == ((0.0, 10.0), (50.0, 52.0))


def test_what_was_watched_live_was_seen_too() -> None:
    store, line = opened(live=True)
    line.at(0.0)
    grown(store, line, 101, 120)
    line.at(1.0)
    line.percent(10, 1.0)
    line.at(1.0)
    assert line.seen == ((100.0, 119.0), (11.9, 11.9))


def test_marks_of_the_same_second_are_one_stop() -> None:
    store, line = opened(live=False)
    store.feed([Record(100.0, Note("one", "", 100)), Record(100.0, Note("two", "", 100))])
    line.hold(50.0, 0.0)
    assert said(line.event(1, 0.0)).startswith("✎")
    assert said(line.event(1, 0.0)) == "no later event"
    assert said(line.event(-1, 0.0)) == "no earlier event"
