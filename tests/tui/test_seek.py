"""Moments as a person types them, and where on the timeline of a run they lead."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bedside_protocol.records import Metrics, Note, Record, RunStarted
from bedside_tui.seek import EXAMPLES, FORMS, Seek, read_seek
from bedside_tui.store.store import Store
from bedside_tui.timeline import Timeline

BEGUN = datetime(2026, 11, 20, 23, 30).timestamp()


@pytest.mark.parametrize(
    ("typed", "seek"),
    [
        ("12000", Seek("step", 12_000)),
        ("12,000", Seek("step", 12_000)),
        (" 1.5k ", Seek("step", 1_500)),
        ("2M", Seek("step", 2_000_000)),
        ("50%", Seek("percent", 50)),
        ("12.5 %", Seek("percent", 12.5)),
        ("1:02:03", Seek("second", 3_723)),
        ("90:00", Seek("second", 5_400)),
        ("90s", Seek("second", 90)),
        ("1h30m", Seek("second", 5_400)),
        ("1d 2h", Seek("second", 93_600)),
        ("11m44", Seek("second", 704)),
        ("-10m", Seek("second", -600, by=True)),
        ("+1:30", Seek("second", 90, by=True)),
        ("+500", Seek("step", 500, by=True)),
        ("-5%", Seek("percent", -5, by=True)),
        ("@14:30", Seek("clock", 52_200)),
        ("@14:30:05", Seek("clock", 52_205)),
    ],
)
def test_a_moment_can_be_written_in_these_ways(typed: str, seek: Seek) -> None:
    assert read_seek(typed) == seek


@pytest.mark.parametrize("typed", ["", "loss", "1:99", "1:60:00", "@25:00", "@12", "12x", "5 m", "--5", "1e5", "½", "h3", "12:3", "@"])
def test_what_is_no_moment_is_left_to_the_names(typed: str) -> None:
    assert read_seek(typed) is None


def test_every_form_that_is_told_can_be_typed() -> None:
    told = [example for forms, _ in FORMS for example in forms.split()] + EXAMPLES.split(" · ")
    assert [example for example in told if read_seek(example) is None] == []


@given(st.text("0123456789:%+-@dhmskM., _", max_size=24))
def test_no_text_breaks_the_reading(typed: str) -> None:
    seek = read_seek(typed)
    assert seek is None or seek.said.startswith("go ")


def test_what_will_be_done_is_said_before_it_is() -> None:
    assert read_seek("12k").said == "go to step 12,000"  # type: ignore[union-attr]
    assert read_seek("-10m").said == "go back 10m00"  # type: ignore[union-attr]
    assert read_seek("+1").said == "go on 1 step"  # type: ignore[union-attr]
    assert read_seek("1:02:03").said == "go to 1:02:03 of the run"  # type: ignore[union-attr]


# --- on a run: ten steps a second for an hour, begun half an hour before midnight


def row(step: int, at: float) -> Metrics:
    return Metrics(("loss",), np.array([step]), np.array([at]), np.array([[1.0]]))


def an_hour(*, wall: float = BEGUN) -> Store:
    store = Store()
    bodies = [RunStarted("id", "n", "p", wall), *(row(second * 10, float(second)) for second in range(3_601))]
    store.feed(Record(float(max(0, at - 1)), body, seq=at + 1) for at, body in enumerate(bodies))
    return store


HOUR = an_hour()


def timeline(store: Store = HOUR, *, live: bool = False) -> Timeline:
    line = Timeline(store, live=live, now=0.0)
    line.take([Record(0.0, Note("", "", 0)), Record(store.span[1], Note("", "", 0))])
    return line


def gone(typed: str, *, start: float = 1_800.0) -> tuple[float, str]:
    """Where it leads from half an hour into the recording, and what is said."""
    line = timeline()
    line.hold(start, 0.0)
    seek = read_seek(typed)
    assert seek is not None
    said = line.seek(seek, 0.0)
    return line.at(0.0).time, said.text


@pytest.mark.parametrize(
    ("typed", "time"),
    [
        ("12000", 1_200.0), ("12001", 1_201.0), ("50%", 1_800.0), ("0:20:00", 1_200.0), ("-10m", 1_200.0), ("+10m", 2_400.0),
        ("-500", 1_750.0), ("+500", 1_850.0), ("+10%", 2_160.0), ("@23:50", 1_200.0), ("@0:10", 2_400.0),
    ],
)  # fmt: skip
def test_a_moment_leads_to_its_second(typed: str, time: float) -> None:
    assert gone(typed)[0] == time


def test_where_one_has_come_to_is_said() -> None:
    assert gone("12000")[1] == "step 12,000 at 0:20:00"


@pytest.mark.parametrize("typed", ["99000", "+2h", "150%", "2:00:00", "@1:00"])
def test_beyond_the_end_is_the_end_and_is_said(typed: str) -> None:
    assert gone(typed) == (3_600.0, "the run has not come that far: step 36,000 at 1:00:00 is its end")


@pytest.mark.parametrize("typed", ["-99000", "-2h", "@22:00"])
def test_before_the_beginning_is_the_beginning_and_is_said(typed: str) -> None:
    assert gone(typed) == (0.0, "that is before the beginning of the run: step 0 at 0:00:00 is where it begins")


def test_beyond_the_end_of_a_live_run_is_now() -> None:
    line = timeline(live=True)
    line.seek(Seek("step", 10), 0.0)
    assert line.mode == "back"
    said = line.seek(Seek("step", 99_000), 0.0)
    assert line.mode == "now"
    assert said.text == "the run has not come that far: step 36,000 at 1:00:00 is now"


def test_a_recording_without_a_date_knows_no_clock_on_the_wall() -> None:
    line = timeline(an_hour(wall=0.0))
    assert "does not say when it was made" in line.seek(Seek("clock", 0.0), 0.0).text


def test_a_run_of_several_days_goes_to_the_nearest_such_hour() -> None:
    store = Store()
    store.feed(Record(hour * 3_600.0, RunStarted("id", "n", "p", BEGUN) if not hour else row(hour, hour * 3_600.0)) for hour in range(100))
    line = timeline(store)
    line.hold(50 * 3_600.0, 0.0)
    line.seek(Seek("clock", 3_600.0), 0.0)
    assert line.at(0.0).time == 49.5 * 3_600.0


def test_of_a_step_that_was_run_twice_the_newer_time_is_meant() -> None:
    store = Store()
    store.feed(Record(float(at), row(step, float(at))) for at, step in enumerate([0, 10, 20, 10, 20, 30]))
    line = timeline(store)
    line.seek(Seek("step", 20), 0.0)
    assert line.at(0.0).time == 4.0


def test_before_anything_is_read_there_is_nowhere_to_go() -> None:
    assert Timeline(Store(), live=True, now=0.0).seek(Seek("percent", 50), 0.0).text == "nothing has been read of this run yet"
