"""Replay is live: what a screen draws of a moment is the same, whether the log ended there or goes on for hours; and a file that grows,
on any file system, is read without a hole and without a double."""

from __future__ import annotations

import asyncio
import fcntl
import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from test_store_history import RECORDS, feed_all, log, times_of

from bedside_protocol.places import LOCK_NAME, LOG_NAME
from bedside_protocol.records import HUB_RANK, Array, Body, LifecycleChanged, Record, RunStarted, Snapshot, Tick
from bedside_protocol.runlog import HEAD_SIZE, encode_chunk
from bedside_tui.app import BedsideApp
from bedside_tui.sources.replay import ReplaySource
from bedside_tui.sources.scripted_run import scripted_run
from bedside_tui.sources.source import Update
from bedside_tui.store.store import Store
from bedside_tui.store.view import View
from bedside_tui.timeline import Timeline
from bedside_tui.widgets.frame import Playhead

SCREENS = ("vitals", "alerts")


async def drawn(*moments: tuple[View, View]) -> list[list[str]]:
    """What each screen shows of views, each with the newest view of its own store."""
    pictures = []
    app = BedsideApp(None)
    async with app.run_test(size=(80, 24)) as pilot:
        for name in SCREENS:
            app.show(name)
            await pilot.pause()
            screen = app.top
            assert screen is not None
            texts = []
            for view, newest in moments:
                frame = app.viewing.frame(0.0)
                screen.draw(replace(frame, view=view, newest=newest, playhead=Playhead("replay", view.time, 0.0, view.time)), app.look)
                texts.append(screen.rows.text)
            pictures.append(texts)
    return pictures


@settings(max_examples=8, deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate))  # to shrink pictures takes minutes
@given(parts=RECORDS.filter(bool), story=st.sampled_from(["collapse", "explosion", None]), share=st.floats(0.0, 1.0))
def test_a_screen_shows_of_a_past_moment_what_it_showed_then(
    parts: list[tuple[float, Body, int, int]], story: str | None, share: float
) -> None:
    records = scripted_run(story, steps=600, seconds=60.0, ended=True) if story else log(parts)  # type: ignore[arg-type]
    times = times_of(records)
    at = times[int(share * (len(records) - 1))]
    known = int(np.searchsorted(times, at, side="right"))
    whole, then = feed_all(records), feed_all(records[:known]).at()
    for back, live in asyncio.run(drawn((whole.at(at), whole.at()), (then, then))):
        assert back == live
        assert "could not be drawn" not in back


def test_a_recording_plays_while_it_is_still_being_read() -> None:
    store = Store()
    timeline = Timeline(store, live=False, now=0.0)
    timeline.complete = False
    store.feed([Record(0.0, Tick(0))])
    timeline.begin(now=0.0)
    assert (timeline.at(5.0).time, timeline.at(5.0).playing) == (0.0, True)
    store.feed([Record(60.0, Tick(9))])
    assert (timeline.at(6.0).time, timeline.at(6.0).playing) == (6.0, True)
    timeline.complete = True
    assert (timeline.at(90.0).time, timeline.at(90.0).playing) == (60.0, False)


class GrowingFile:
    """A recording as a hub grows it, a piece whenever the reader has looked: `pieces` are done to the file one after the other."""

    def __init__(self, path: Path, pieces: Sequence[Callable[[int], object]]) -> None:
        self.delivered: list[Record] = []
        self.ended = threading.Event()
        self._file = os.open(path, os.O_RDWR | os.O_CREAT)
        self._pieces = list(pieces)

    def take(self, update: Update) -> None:
        self.delivered += update.records
        if self._pieces:
            self._pieces.pop(0)(self._file)
        if update.status.state == "ended":
            self.ended.set()


def written(data: bytes) -> Callable[[int], object]:
    return lambda file: os.write(file, data)


def cut_to(size: int) -> Callable[[int], object]:
    def cut(file: int) -> None:
        os.ftruncate(file, size)
        os.lseek(file, 0, os.SEEK_END)

    return cut


def test_a_file_that_grows_by_odd_bytes_is_followed_without_a_hole_or_a_double(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).normal(size=60_000)  # a chunk larger than what is read at a time
    bodies: list[Body] = [RunStarted("r", "r", "p", 0.0), LifecycleChanged("running"), Tick(1), Tick(2)]
    bodies += [Snapshot("big", "samples", 3, {}, {"noise": Array("trajectory", noise)}), Tick(4), LifecycleChanged("finished")]
    chunks = [encode_chunk([Record(float(at), body, HUB_RANK, at + 1)], at + 1, {HUB_RANK: at + 1}) for at, body in enumerate(bodies)]
    data = b"".join(chunks)
    ends = np.cumsum([len(chunk) for chunk in chunks]).tolist()
    cuts = [0, 3, HEAD_SIZE - 1, HEAD_SIZE, ends[0] - 1, ends[0], ends[1] + 5, ends[2], ends[4] - 7, ends[4] + 1, ends[5]]
    pieces = [written(data[begin:end]) for begin, end in pairwise(cuts)]
    pieces += [written(data[ends[5] : ends[5] + 20]), cut_to(ends[5]), written(data[ends[5] :])]  # a hub was killed while it wrote
    lock = os.open(tmp_path / LOCK_NAME, os.O_RDWR | os.O_CREAT)
    fcntl.flock(lock, fcntl.LOCK_EX)
    growing = GrowingFile(tmp_path / LOG_NAME, pieces)
    source = ReplaySource(tmp_path / LOG_NAME, follow=True)
    try:
        source.start(growing.take)
        assert growing.ended.wait(60)
    finally:
        source.close()
        os.close(lock)
    assert [record.seq for record in growing.delivered] == list(range(1, len(bodies) + 1))
    assert [record.body for record in growing.delivered] == bodies
