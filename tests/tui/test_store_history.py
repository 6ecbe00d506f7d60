"""Looking back is exact: a store that knows the whole log shows at any moment what a store that had read only so far would show."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, get_args

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from bedside_protocol.records import (
    HUB_RANK,
    AlertAcknowledged,
    AlertChanged,
    AlertShelved,
    Array,
    Body,
    CheckpointSaved,
    CommandChanged,
    Ended,
    Event,
    ExpectationDeclared,
    LifecycleChanged,
    Lost,
    MetricDefined,
    Metrics,
    Note,
    ProbeDeclared,
    Problem,
    RankCommand,
    RanksSeen,
    RankStarted,
    Record,
    RulesDeclared,
    RunStarted,
    Snapshot,
    StackFrame,
    StackTaken,
    TagsChanged,
    ThreadStack,
    Tick,
    Unknown,
    VerdictGiven,
)
from bedside_protocol.series import SeriesHistory
from bedside_tui.store.store import Store

NAMES = st.sampled_from(["loss", "lr", "grad norm", "system/cpu", "acc[top5]", "val\x1bloss", "vallos\u0301s"])
STEPS = st.integers(0, 3000)
NUMBERS = st.one_of(st.floats(-2, 2), st.sampled_from([float("nan"), float("inf"), 1e308, -1e308]))
TEXTS = st.sampled_from(["", "vq", "loss", "\x1b[2J", "a reason"])
RULES = st.sampled_from(["nonfinite", "codebook-collapse"])


@st.composite
def metrics(draw: st.DrawFn) -> Metrics:
    names = tuple(draw(st.lists(NAMES, min_size=1, max_size=3, unique=True)))
    rows = draw(st.integers(0, 4))
    begin = draw(STEPS)
    values = draw(st.lists(NUMBERS, min_size=rows * len(names), max_size=rows * len(names)))
    times = np.linspace(0, draw(st.floats(0, 50)), rows)
    return Metrics(names, np.arange(begin, begin + rows), times, np.array(values, np.float64).reshape(len(names), rows))


SEVERITIES = st.sampled_from(["", "amber", "red"])
RULE_FILES = st.sampled_from(["", "rules.spike.enabled = false", "[rules.spike]\nshade = 'mauve'", "\x1b[2J ="])
EXPECTED = st.sampled_from(["loss < 0.5 after 100", "loss > 0", "acc[top5] >= 0.9 by 2000", "no such thing"])
STATES = st.sampled_from(["not_checked", "ok", "pending", "firing", "cleared"])
KINDS: dict[type[Body], st.SearchStrategy[Body]] = {
    Metrics: metrics(),
    MetricDefined: st.builds(MetricDefined, NAMES, st.sampled_from([None, "loss", "reward"]), st.sampled_from([None, "dB"])),
    Tick: st.builds(Tick, STEPS),
    RunStarted: st.builds(RunStarted, TEXTS, TEXTS, TEXTS, st.just(1.0), config=st.dictionaries(TEXTS, TEXTS, max_size=2)),
    RulesDeclared: st.builds(RulesDeclared, TEXTS, RULE_FILES),
    ExpectationDeclared: st.builds(ExpectationDeclared, EXPECTED, st.sampled_from(["amber", "red"])),
    ProbeDeclared: st.builds(ProbeDeclared, TEXTS, st.just("codebook"), st.just(50)),
    Snapshot: st.builds(
        Snapshot,
        TEXTS,
        st.just("codebook"),
        STEPS,
        st.dictionaries(TEXTS, NUMBERS, max_size=2),
        st.just({"usage": Array("histogram", np.arange(4))}),
        cost=st.floats(0, 0.01),
    ),
    AlertChanged: st.builds(AlertChanged, RULES, TEXTS, STATES, SEVERITIES, STEPS, STEPS, NUMBERS, TEXTS, episode=st.integers(0, 1)),
    AlertShelved: st.builds(AlertShelved, RULES, TEXTS, TEXTS, st.floats(0.0, 20.0)),
    AlertAcknowledged: st.builds(AlertAcknowledged, st.one_of(st.just(""), RULES), TEXTS, TEXTS),
    CommandChanged: st.builds(
        CommandChanged,
        st.sampled_from("ab"),
        st.sampled_from(["pause", "checkpoint", "note"]),
        st.sampled_from(["requested", "accepted", "scheduled", "applied", "failed", "refused"]),
        TEXTS,
        TEXTS,
        STEPS,
    ),
    CheckpointSaved: st.builds(CheckpointSaved, TEXTS, st.integers(0, 10**9), STEPS, command=st.sampled_from("ab")),
    LifecycleChanged: st.builds(LifecycleChanged, st.sampled_from(["running", "paused", "stalled", "killed", "finished"]), TEXTS, STEPS),
    Event: st.builds(Event, TEXTS, STEPS, st.dictionaries(TEXTS, NUMBERS, max_size=1)),
    Note: st.builds(Note, TEXTS, TEXTS, STEPS, st.sampled_from([None, 1e9, float("nan")])),  # pinned to a moment gone by, it is told there
    VerdictGiven: st.builds(VerdictGiven, TEXTS, TEXTS),
    TagsChanged: st.builds(TagsChanged, st.tuples(TEXTS), st.tuples(TEXTS), TEXTS),
    RankStarted: st.builds(RankStarted, st.integers(1, 4), TEXTS, st.integers(1, 9)),
    RankCommand: st.builds(RankCommand, TEXTS, st.just("pause"), st.just("applied")),
    RanksSeen: st.builds(
        RanksSeen, st.integers(1, 4), st.just((0, 1)), st.tuples(STEPS, STEPS), st.tuples(NUMBERS, NUMBERS), st.tuples(TEXTS, TEXTS)
    ),
    Problem: st.builds(Problem, TEXTS, st.integers(1, 9)),
    Lost: st.builds(Lost, st.integers(0, 9), TEXTS),
    Ended: st.builds(Ended, st.sampled_from(["finished", "failed", "exited"]), STEPS),
    StackTaken: st.builds(StackTaken, TEXTS, STEPS, st.sampled_from([(), (ThreadStack("\x1b[2J", (StackFrame("a.py", 1, "f"),)),)]), TEXTS),
    Unknown: st.just(Unknown("new")),
}
BODIES = st.one_of(metrics(), metrics(), *KINDS.values())
PARTS = st.tuples(
    st.sampled_from([0.0, 0.0, 0.25, 1.0, 30.0, -5.0]),  # seconds since the record before
    BODIES,
    st.sampled_from([0, 0, 0, HUB_RANK, 1]),
    st.sampled_from([1, 1, 1, 5]),  # places in the log since the record before
)
RECORDS = st.one_of(st.lists(PARTS, max_size=15), st.lists(PARTS, min_size=30, max_size=60))


def log(parts: Sequence[tuple[float, Body, int, int]]) -> list[Record]:
    time, seq, records = 0.0, 0, []
    for wait, body, rank, skip in parts:
        time, seq = time + wait, seq + skip
        records.append(Record(time, body, rank, seq=seq))
    return records


def told(value: Any) -> Any:
    """What a value says, as nested tuples that compare equal whenever a reader would see no difference."""
    if isinstance(value, SeriesHistory):
        return told((value.steps, value.times, value.values, value.lowest, value.highest))
    if dataclasses.is_dataclass(value):
        return type(value).__name__, tuple(told(getattr(value, field.name)) for field in dataclasses.fields(value))
    if isinstance(value, np.ndarray):
        return told(value.tolist())
    if isinstance(value, Mapping):
        return tuple((key, told(item)) for key, item in value.items())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return tuple(told(item) for item in value)
    return repr(value) if isinstance(value, float) else value


def times_of(records: Sequence[Record]) -> list[float]:
    """The run's time at each record: it never decreases."""
    return np.maximum.accumulate([record.time for record in records]).tolist() if records else []


def feed_all(records: Sequence[Record]) -> Store:
    store = Store()
    store.feed(records)
    return store


def test_every_kind_of_record_is_among_those_looked_back_at() -> None:
    assert set(KINDS) == set(get_args(Body))


@settings(max_examples=150, deadline=None)
@given(parts=RECORDS, pieces=st.integers(1, 4), looks=st.sets(st.integers(1, 60), min_size=1, max_size=10))
def test_any_past_moment_is_shown_as_it_was_known_then(parts: list[tuple[float, Body, int, int]], pieces: int, looks: set[int]) -> None:
    records = log(parts)
    whole = Store()
    for part in np.array_split(np.arange(len(records)), pieces):
        whole.feed(records[at] for at in part)
        whole.at()  # looking in between changes nothing
    times = times_of(records)
    for size in {min(look, len(records)) for look in looks if records}:
        if size == len(records) or times[size] > times[size - 1]:
            assert told(whole.at(times[size - 1])) == told(feed_all(records[:size]).at()), f"after {size} records"


@settings(max_examples=50, deadline=None)
@given(parts=RECORDS)
def test_it_makes_no_difference_in_how_many_pieces_a_log_comes(parts: list[tuple[float, Body, int, int]]) -> None:
    records = log(parts)
    one_by_one = Store()
    for record in records:
        one_by_one.feed([record])
        one_by_one.at()
    assert told(one_by_one.at()) == told(feed_all(records).at())


@settings(max_examples=50, deadline=None)
@given(parts=RECORDS)
def test_no_text_of_a_view_could_move_a_terminal(parts: list[tuple[float, Body, int, int]]) -> None:
    def texts(value: Any) -> list[str]:
        if isinstance(value, str):
            return [value]
        return [text for item in value for text in texts(item)] if isinstance(value, tuple) else []

    view = feed_all(log(parts)).at()
    assert [text for text in texts(told(view)) if not text.isprintable()] == []
