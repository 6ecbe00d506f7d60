"""A living run's recording is read on from where it had been read: in one list, in the next process, and never where it is another."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bedside_protocol.places import LOCK_NAME, LOG_NAME
from bedside_protocol.records import (
    AlertChanged,
    Body,
    LifecycleChanged,
    MetricDefined,
    Metrics,
    Note,
    Record,
    RunStarted,
    Snapshot,
    TagsChanged,
    Tick,
    VerdictGiven,
)
from bedside_protocol.runlog import HEAD_SIZE, encode_chunk
from bedside_tui import read_so_far
from bedside_tui.library import READINGS_NAME, Library, summarise
from bedside_tui.places import RunPlace
from bedside_tui.read_so_far import ReadSoFar
from bedside_tui.summary_fold import SummaryFold

RUNNING = LifecycleChanged("running")


def values(step: int, **columns: float) -> Metrics:
    return Metrics(tuple(columns), np.array([step]), np.array([0.1]), np.array([[value] for value in columns.values()]))


def chunk(bodies: Sequence[Body], first_seq: int) -> bytes:
    return encode_chunk([Record(0.1 * (first_seq + place), body) for place, body in enumerate(bodies)], first_seq, {})


@pytest.fixture
def living(tmp_path: Path) -> Any:
    """A run whose hub lives, with its beginning written."""
    place = RunPlace("one", tmp_path / "one" / LOG_NAME)
    place.directory.mkdir()
    place.log.write_bytes(chunk([RunStarted("one", "one", "p", 1000.0), RUNNING, values(1, loss=3.0, lr=0.1)], 1))
    handle = os.open(place.directory / LOCK_NAME, os.O_RDWR | os.O_CREAT)
    fcntl.flock(handle, fcntl.LOCK_EX)
    yield place
    os.close(handle)


def grow(place: RunPlace, bodies: Sequence[Body], first_seq: int = 4) -> None:
    with open(place.log, "ab") as file:
        file.write(chunk(bodies, first_seq))


def spoil(place: RunPlace) -> None:
    """Make unreadable what was written so far: whoever reads it again finds damage."""
    data = place.log.read_bytes()
    place.log.write_bytes(data[:HEAD_SIZE] + bytes(len(data) - HEAD_SIZE))


@pytest.fixture
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """However little was read is worth remembering."""
    monkeypatch.setattr(read_so_far, "WORTH", 0)


def test_a_list_reads_only_what_was_written_since_it_looked_last(living: RunPlace, tmp_path: Path) -> None:
    library = Library([tmp_path])
    assert [summary.metrics for summary in library.summaries()] == [{"loss": 3.0, "lr": 0.1}]
    spoil(living)
    grow(living, [values(2, loss=2.0)])
    assert [(summary.metrics, summary.step) for summary in library.summaries()] == [({"loss": 2.0, "lr": 0.1}, 2)]


def test_another_process_reads_on_where_this_one_was(living: RunPlace, tmp_path: Path, eager: None) -> None:
    Library([tmp_path]).summaries()
    spoil(living)
    grow(living, [values(2, loss=2.0)])
    assert [summary.metrics for summary in Library([tmp_path]).summaries()] == [{"loss": 2.0, "lr": 0.1}]


def test_little_is_rather_read_again_than_remembered(living: RunPlace, tmp_path: Path) -> None:
    Library([tmp_path]).summaries()
    assert not (tmp_path / READINGS_NAME).exists()


def test_what_ends_is_forgotten_as_a_living_run(living: RunPlace, tmp_path: Path, eager: None) -> None:
    library = Library([tmp_path])
    library.summaries()
    grow(living, [LifecycleChanged("finished")])
    assert [summary.lifecycle for summary in library.summaries()] == ["finished"]
    living.log.unlink()
    assert library.summaries() == []


def test_a_recording_that_took_the_place_of_another_is_read_from_its_start(living: RunPlace, tmp_path: Path) -> None:
    library = Library([tmp_path])
    library.summaries()
    living.log.write_bytes(
        chunk([RunStarted("two", "two", "p", 1000.0), RUNNING, values(7, gain=1.0), Note("longer than the one before", "ann", 7)], 1)
    )
    assert [(summary.name, summary.metrics) for summary in library.summaries()] == [("two", {"gain": 1.0})]


def test_a_recording_that_was_cut_is_read_from_its_start(living: RunPlace, tmp_path: Path) -> None:
    library = Library([tmp_path])
    whole = living.log.read_bytes()
    grow(living, [values(2, loss=2.0)])
    library.summaries()
    living.log.write_bytes(whole)
    assert [summary.metrics for summary in library.summaries()] == [{"loss": 3.0, "lr": 0.1}]


def test_an_end_that_is_half_written_is_read_again_when_it_is_whole(living: RunPlace, tmp_path: Path) -> None:
    library = Library([tmp_path])
    library.summaries()
    coming = chunk([values(2, loss=2.0)], 4)
    for half, expected in ((coming[: len(coming) // 2], 3.0), (coming[len(coming) // 2 :], 2.0)):
        with open(living.log, "ab") as file:
            file.write(half)
        assert [summary.metrics["loss"] for summary in library.summaries()] == [expected]


@pytest.mark.parametrize(
    "spoilt",
    [
        lambda text: "",
        lambda text: text[: len(text) // 2],
        lambda text: "[]",
        lambda text: text.replace('"offset": ', '"offset": -'),
        lambda text: text.replace('"damaged": 0', '"damaged": "many"'),
        lambda text: text.replace('"gist": "', '"gist": "AAAA'),
        lambda text: text.replace('"gist": "', '"gist": "?'),
        lambda text: text.replace('"head"', '"hand"'),
        lambda text: text.replace('"version": 1', '"version": 0'),
    ],
)
def test_what_was_remembered_and_is_spoilt_is_read_again(
    living: RunPlace, tmp_path: Path, eager: None, spoilt: Callable[[str], str]
) -> None:
    before = Library([tmp_path]).summaries()
    kept = tmp_path / READINGS_NAME
    whole = kept.read_text()
    assert spoilt(whole) != whole
    kept.write_text(spoilt(whole))
    assert Library([tmp_path]).summaries() == before


def test_a_gist_makes_the_summary_that_the_whole_log_makes(living: RunPlace) -> None:
    said: list[Body] = [
        MetricDefined("score", direction="up"),
        values(2, score=0.5, loss=float("nan")),
        values(3, score=0.9, loss=1.0, **{"val/loss": 2.0}),
        AlertChanged("spike", "loss", "firing", "amber", 3, 3, 9.0, "up", "spike", 1),
        values(4, score=0.2, loss=4.0),
        AlertChanged("spike", "loss", "cleared", "amber", 4),
        AlertChanged("collapse", "vq", "firing", "red", 4, 2, float("nan"), "gone", "collapse", 1),
        Snapshot("vq", "codebook", 5, {}, {}),
        Note("look here", "ann", 3, 0.1, 9.0),
        VerdictGiven("good", "ann"),
        TagsChanged(("a", "b"), (), "ann"),
        LifecycleChanged("paused"),
        Tick(6),
    ]
    grow(living, said)
    read = ReadSoFar()
    summary = read.read_on(living)
    again = ReadSoFar.of_json(json.loads(json.dumps(read.to_json())))
    assert again.read_on(living) == summary
    assert list(again.read_on(living).metrics) == list(summary.metrics) == ["loss", "lr", "score", "val/loss"]
    assert (summary.lifecycle, summary.step, summary.verdict, summary.note_count) == ("paused", 6, "red", 1)
    assert [(best.metric, best.value, best.step) for best in summary.best[:2]] == [("score", 0.9, 3), ("loss", 1.0, 3)]


def test_a_gist_is_no_longer_after_a_thousand_steps() -> None:
    fold = SummaryFold()
    fold.take(Record(0.0, RunStarted("one", "one", "p", 1000.0)))
    sizes = []
    for step in range(1, 1001):
        fold.take(Record(0.1 * step, values(step, loss=1.0 / step, lr=0.1)))
        sizes.append(len(fold.gist()))
    assert sizes[0] == sizes[-1]


def test_names_that_differ_only_in_what_cannot_be_shown_stay_two(living: RunPlace) -> None:
    grow(living, [values(2, **{"loss\u200b": 1.0, "loss\u200c": 2.0})])
    summary = summarise(living)
    assert summary.metrics == {"loss": 3.0, "lr": 0.1, "loss\ufffd": 1.0, "loss\ufffd~2": 2.0}
    assert {best.metric: best.value for best in summary.best} == {"loss": 3.0, "loss\ufffd": 1.0, "loss\ufffd~2": 2.0}
