"""A clip shows its moment as the recording shows it, is small, and says where it ends."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest

from bedside_protocol.records import (
    HUB_RANK,
    Array,
    Body,
    Event,
    LifecycleChanged,
    Metrics,
    Note,
    Record,
    RunStarted,
    Snapshot,
    TagsChanged,
    Tick,
    VerdictGiven,
)
from bedside_tui.clip.clip import clipped
from bedside_tui.clip.thinned import MOST_ROWS, kept_of
from bedside_tui.clip.window import NoSuchStep, Window, find_window
from bedside_tui.sources.scripted_run import scripted_run
from bedside_tui.store.store import Store

SAME = (
    "time", "run", "step", "lifecycle", "reason", "steps_per_second", "paused_seconds", "system", "alerts", "not_checked", "commands",
    "checkpoints", "rules", "expectations", "marks", "lost", "problems", "book",
)  # fmt: skip
"""What a view at the moment says of the run."""


def clip_of(records: Sequence[Record], at: int, around: int = 200) -> list[Record]:
    return list(clipped(records, find_window(records, at, around)))


def store_of(records: Sequence[Record]) -> Store:
    store = Store()
    store.feed(records)
    return store


def said(*bodies: Body) -> list[Record]:
    """A log with a record each second; what the hub says is told by its type."""
    hub = (LifecycleChanged, Tick)
    return [Record(float(at), body, HUB_RANK if isinstance(body, hub) else 0, at, at) for at, body in enumerate(bodies, 1)]


def block(first: int, last: int, *values: float, names: tuple[str, ...] = ("loss",)) -> Metrics:
    steps = np.arange(first, last + 1, dtype=np.int64)
    rows = np.array(values or np.zeros(steps.size), np.float64)
    return Metrics(names, steps, steps * 1.0, np.broadcast_to(rows, (len(names), steps.size)).copy())


def steps_in(records: Sequence[Record]) -> list[int]:
    return [step for record in records if isinstance(record.body, Metrics) for step in record.body.steps.tolist()]


@pytest.mark.parametrize("at", [150, 9000, 12_300])
@pytest.mark.parametrize("kind", ["collapse", "explosion"])
def test_a_view_at_the_moment_is_that_of_the_whole_recording(kind: str, at: int) -> None:
    records = scripted_run(kind, ended=True, probes="all")  # type: ignore[arg-type]
    whole, part = store_of(records), store_of(clip_of(records, at))
    moment = whole.time_of_step(at)
    assert moment is not None
    assert part.time_of_step(at) == moment
    before, after = whole.at(moment), part.at(moment)
    for name in SAME:
        assert repr(getattr(after, name)) == repr(getattr(before, name)), name
    assert [metric.name for metric in after.metrics] == [metric.name for metric in before.metrics]
    for one, other in zip(after.metrics, before.metrics, strict=True):
        assert repr((one.value, one.step, one.badge, one.fired)) == repr((other.value, other.step, other.badge, other.fired))
        assert (one.history.lowest, one.history.highest, one.history.last) == (
            other.history.lowest, other.history.highest, other.history.last,
        )  # fmt: skip
    for mine, its in zip(after.probes, before.probes, strict=True):
        assert repr((mine.name, mine.kind, mine.settings, mine.badge, mine.not_checked, mine.snapshot)) == repr(
            (its.name, its.kind, its.settings, its.badge, its.not_checked, its.snapshot)
        )


def test_a_clip_holds_the_steps_around_the_moment_and_says_that_the_run_went_on() -> None:
    records = said(
        RunStarted("a", "a", "p", 0.0), LifecycleChanged("running"), *(block(step, step) for step in range(1, 1001)),
        LifecycleChanged("failed", "no", 1000),
    )  # fmt: skip
    clip = clip_of(records, 500, 50)
    assert steps_in(clip)[-101:] == list(range(450, 551))
    assert clip[-1].body == LifecycleChanged("stopped", "the clip ends here; the run went on to step 1,000 (failed)", 550)
    assert clip[-1].time == clip[-2].time
    assert all(record.seq == 0 for record in clip)


def test_a_clip_at_the_end_of_a_recording_ends_as_that_does() -> None:
    records = said(RunStarted("a", "a", "p", 0.0), *(block(step, step) for step in range(1, 101)), LifecycleChanged("failed", "no", 100))
    clip = clip_of(records, 90, 20)
    assert clip[-1].body == LifecycleChanged("failed", "no", 100)


def test_of_a_step_that_comes_again_after_a_checkpoint_the_newest_is_meant() -> None:
    first = [block(step, step) for step in range(1, 101)]
    again = [block(step, step) for step in range(60, 90)]
    records = said(RunStarted("a", "a", "p", 0.0), *first, Event("resumed", 60), *again)
    assert find_window(records, 70, 5) == Window(1 + 100 + 1 + 5, 1 + 100 + 1 + 16)
    assert find_window(records, 95, 2) == Window(1 + 92, 1 + 97)


def test_what_the_machine_measures_cuts_no_window() -> None:
    system = block(2, 2, names=("system/memory",))
    records = said(block(1, 3), system, block(4, 6), system, block(7, 9))
    assert find_window(records, 5, 1) == Window(2, 4)


@pytest.mark.parametrize(
    ("bodies", "why"),
    [
        ([block(5, 9), block(7, 12)], "it has no step 13: steps 5 to 12"),
        ([Tick(3), Event("epoch", 2)], "it tells no values, so it has no steps"),
    ],
)
def test_a_step_that_is_not_there_is_told_with_those_that_are(bodies: list[Body], why: str) -> None:
    with pytest.raises(NoSuchStep) as raised:
        find_window(said(*bodies), 13, 5)
    assert str(raised.value) == why


def test_of_the_history_before_the_window_few_rows_stay_with_its_lows_highs_and_first_nan() -> None:
    values = np.random.default_rng(0).normal(size=(3, 100_000))
    values[0, 51_234] = math.nan
    values[1, 7] = 1e9
    values[2, 99_998] = -1e9
    kept = kept_of(values)
    assert {51_234, 7, 99_998, 99_999} <= set(kept.tolist())
    assert kept.size < 2 * MOST_ROWS
    assert sorted(set(kept.tolist())) == kept.tolist()


def test_a_long_history_is_thinned_as_it_comes() -> None:
    steps = 200_000
    blocks = [block(first, first + 99, *(np.sin(np.arange(first, first + 100) / 5000.0))) for first in range(1, steps, 100)]
    clip = clip_of(said(RunStarted("a", "a", "p", 0.0), *blocks), steps - 100, 50)
    assert len(steps_in(clip)) < 3 * MOST_ROWS
    assert steps_in(clip) == sorted(steps_in(clip))


def test_of_the_snapshots_before_the_window_the_last_stays_whole_and_a_few_without_their_pictures() -> None:
    arrays = {"usage": Array("histogram", np.zeros(512)), "picture": Array("image", np.zeros((64, 64)))}
    shots = [Snapshot(probe, "codebook", step, {"used": 1.0}, arrays) for step in range(1, 201) for probe in ("a", "b")]
    clip = clip_of(said(*shots, Tick(1), Tick(2), block(400, 401), block(900, 901)), 900, 10)
    kept = [record.body for record in clip if isinstance(record.body, Snapshot) and record.body.probe == "a"]
    assert 32 <= len(kept) <= 65
    assert [shot.step for shot in kept] == sorted({shot.step for shot in kept})
    assert kept[-1] == Snapshot("a", "codebook", 200, {"used": 1.0}, arrays)
    assert [set(shot.arrays) for shot in kept[:-1]] == [{"usage"}] * (len(kept) - 1)
    assert [record.body for record in clip if isinstance(record.body, Tick)] == [Tick(2)]


def test_what_people_wrote_after_the_run_goes_with_a_clip_as_far_as_it_speaks_of_it() -> None:
    records = said(
        RunStarted("a", "a", "p", 0.0), LifecycleChanged("running"), *(block(step, step) for step in range(1, 1001)),
        LifecycleChanged("finished", "", 1000), VerdictGiven("broken", "ann"), TagsChanged(("vq",), (), "ann"),
        Note("here", "ann", 500, 502.0), Note("much later", "ann", 900, 902.0), Note("at the end", "ann", 1000),
    )  # fmt: skip
    clip = clip_of(records, 500, 50)
    assert [record.body.text for record in clip if isinstance(record.body, Note)] == ["here"]
    times = [record.time for record in clip]
    assert times == sorted(times)
    view = store_of(clip).at()
    assert (view.book.verdict, view.book.tags, view.lifecycle) == ("broken", ("vq",), "stopped")
    assert [mark.time for mark in view.marks if mark.text == "ann: here"] == [502.0]
