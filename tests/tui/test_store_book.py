"""Notes stand at the moment they speak of, whenever they were written; the verdict and the tags are known from when they were given."""

from __future__ import annotations

import pytest

from bedside_protocol.records import Body, Event, LifecycleChanged, Note, Record, TagsChanged, Tick, VerdictGiven
from bedside_tui.store.store import Store
from bedside_tui.store.view import View


def store_of(*moments: tuple[float, Body]) -> Store:
    store = Store()
    store.feed(Record(time, body, -1) for time, body in moments)
    return store


RUN: tuple[tuple[float, Body], ...] = (
    *((float(time), Tick(10 * time)) for time in range(5)),
    (5.0, LifecycleChanged("failed", "KeyError", 50)),
    *((float(time), Tick(10 * time)) for time in range(6, 10)),
    (10.0, LifecycleChanged("finished", "", 100)),
)
LATER = (10.0, Note("the shard", "ann", 30, 3.0, 1e9))


def texts(view: View) -> list[str]:
    return [mark.text for mark in view.marks if mark.kind == "note"]


def test_a_note_written_after_the_end_stands_at_its_moment() -> None:
    store = store_of(*RUN, LATER)
    assert [mark.time for mark in store.marks] == [3.0, 5.0, 10.0]
    assert texts(store.at(2.9)) == []
    for time in (3.0, 4.0, 10.0, None):
        assert texts(store.at(time)) == ["ann: the shard"]
    assert store.at(3.0).marks[-1].step == 30


def test_one_stops_at_it_in_the_order_of_time() -> None:
    store = store_of(*RUN, LATER)
    forth = [mark.time for time in (-1.0, 3.0, 5.0) if (mark := store.next_mark(time, 1)) is not None]
    back = [mark.time for time in (11.0, 10.0, 5.0) if (mark := store.next_mark(time, -1)) is not None]
    assert (forth, back) == ([3.0, 5.0, 10.0], [10.0, 5.0, 3.0])


def test_a_moment_that_is_on_the_screen_shows_it_at_once() -> None:
    store = store_of(*RUN)
    assert texts(store.at(4.0)) == []
    store.feed([Record(*LATER)])
    assert texts(store.at(4.0)) == ["ann: the shard"]


def test_nothing_else_of_a_past_moment_is_changed_by_it() -> None:
    before, after = store_of(*RUN).at(4.0), store_of(*RUN, LATER, (10.0, VerdictGiven("bad", "ann"))).at(4.0)
    differing = [name for name in View.__slots__ if repr(getattr(before, name)) != repr(getattr(after, name))]
    assert differing == ["marks"]


@pytest.mark.parametrize(("at", "time"), [(-5.0, 0.0), (99.0, 10.0), (float("nan"), 10.0), (float("inf"), 10.0), (None, 10.0)])
def test_a_note_at_no_moment_of_the_run_stands_at_the_nearest(at: float | None, time: float) -> None:
    assert [mark.time for mark in store_of(*RUN, (10.0, Note("x", "", 1, at))).marks if mark.kind == "note"] == [time]


def test_the_verdict_and_the_tags_are_known_from_when_they_were_given() -> None:
    store = store_of(
        (0.0, Tick(0)), (1.0, VerdictGiven("good", "ann")), (2.0, TagsChanged(("a", "b"), (), "bo")), (3.0, TagsChanged((), ("a",), "bo")),
        (4.0, VerdictGiven("", "bo")), (5.0, Event("x", 1)),
    )  # fmt: skip
    assert [(store.at(time).book.verdict, store.at(time).book.tags) for time in (0.0, 1.0, 2.0, 3.0, 4.0)] == [
        ("", ()), ("good", ()), ("good", ("a", "b")), ("good", ("b",)), ("", ("b",)),
    ]  # fmt: skip
    assert texts(store.at()) == ["ann: verdict good", "bo: tags +a +b", "bo: tags -a", "bo: no verdict"]


def test_what_a_person_wrote_is_made_safe_to_show() -> None:
    view = store_of((0.0, VerdictGiven("\x1b[2J", "\x07")), (1.0, TagsChanged(("\u202ea",), (), "x"))).at()
    assert all(text.isprintable() for text in (view.book.verdict, view.book.verdict_by, *view.book.tags, *texts(view)))
