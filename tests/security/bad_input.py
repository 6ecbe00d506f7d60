"""The names, values and steps that a run may bring and a screen must survive, and a run in which they stand everywhere.

Each sequence that a terminal would obey holds the number 4242, which nothing of ours ever says: where it is found behind an escape
character, that character came through.
"""

from __future__ import annotations

import re
import typing
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from typing import Any, Final

import numpy as np

from bedside_protocol.records import (
    AlertChanged,
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
    VerdictGiven,
)
from bedside_tui.sources.scripted_run import scripted_run

OBEYED: Final = re.compile("[\x1b\x9b\x9d\x90][^A-Za-z]{0,8}4242|[\r\n\t\b]over4242")
"""What must not be in the text that reaches a terminal."""

NAMES: Final = (
    "", " ", "acc[top5]", "[/x]", "[@click=app.quit]x[/]", "[link=https://x]x", "a/b/../c", "$HOME`id`", "{value}", "%s%n", "None",
    "\x1b]52;4242;QUFBQQ==\x07", "\x1b]0;4242\x1b\\", "\x1b[4242h", "\x1b[31;4242m", "\x9b4242J", "\x9d4242\x9c", "\x1bP4242q\x1b\\",
    "\x1bc", "\x0e\x0f\x05", "\x00nul", "a\rover4242", "a\nover4242", "a\tover4242", "a\x08over4242", "\x7f\x85\u2028\u2029",
    "\u202eevil\u2066",
    "a\u200b\u200d\ufeff\u2060b", "👩‍👩‍👧‍👦", "🇩🇪🇫🇷", "✔\ufe0f\u20e3", "x" + "\u0316" * 500, "\u0301alone", "e\u0301", "é",
    "損失" * 40, "x" * 5000, "\U000e0041\U000e007f", "\ufdd0\uffff", "\u3164\u115f", "loss\x00", "loss\x01",
)  # fmt: skip
"""Names, two of them the same but for what cannot be seen."""
VALUES: Final = (float("nan"), float("inf"), float("-inf"), -0.0, 5e-324, 1e308, -1e308, float(2**64), 1e-300, 0.0)
LONGEST_KEY: Final = 256
"""Characters of a key that a record may have."""
STEPS: Final = (0, 5, 5, 3, -7, 10**12, 10**12 + 1, 2**53, 1, 2)
TIMES: Final = (0.0, -5.0, float("nan"), float("inf"), 1e300, 3.0, 2.0, 2.0, -float("inf"), 4.0)


def spoiled_run() -> list[Record]:
    """A run with a probe of every kind, in which each text has something of `NAMES` behind it, and every tenth value is one of `VALUES`."""
    told = scripted_run(probes="all", steps=600, seconds=40.0)
    config = {name[:LONGEST_KEY]: name for name in NAMES}
    who = RunStarted("id", f"name{NAMES[11]}", NAMES[19], float("nan"), NAMES[13], argv=NAMES, config=config, git_commit=NAMES[15])
    bodies = [who, *(_spoiled(one.body) for one in told[1:]), *_sayings()]
    times = [*(one.time for one in told), *(told[-1].time + place for place in range(len(bodies) - len(told)))]
    return [Record(time, body, 0, place, place) for place, (time, body) in enumerate(zip(times, bodies, strict=True), 1)]


def tail(word: str) -> str:
    """What is put behind a word: always the same behind the same."""
    return NAMES[zlib.crc32(word.encode("utf-8", "replace")) % len(NAMES)]


# --- every text of a body


_KEPT: Final[dict[type, set[str]]] = {Snapshot: {"kind"}, ProbeDeclared: {"kind"}, AlertChanged: {"runbook"}, RulesDeclared: {"text"}}
"""Words that choose what is drawn: behind another one less would be seen."""


def _spoiled(body: Body) -> Body:
    if isinstance(body, Metrics):
        return replace(body, names=tuple(map(_word, body.names)), values=_values(body.values))
    hints = typing.get_type_hints(type(body))
    changes = {
        field.name: _any(getattr(body, field.name), hints[field.name])
        for field in fields(body)
        if field.name not in _KEPT.get(type(body), ()) and typing.get_origin(hints[field.name]) is not typing.Literal
    }
    return replace(body, **changes)


def _any(value: Any, hint: Any = str) -> Any:
    if isinstance(value, str):
        return value if typing.Literal in map(typing.get_origin, typing.get_args(hint)) else _word(value)
    if isinstance(value, tuple):
        return tuple(map(_any, value))
    if isinstance(value, Mapping):
        numbers = typing.get_args(hint)[-1:] == (float,)  # a panel finds its numbers by their names: bad ones stand beside them
        spoiled = {key if numbers else _word(key)[:LONGEST_KEY]: _any(each) for key, each in value.items()}
        return {**spoiled, **dict(zip(NAMES[:30], VALUES * 3, strict=True))} if numbers else spoiled
    if isinstance(value, Array):
        return replace(value, values=_values(value.values), labels=_any(value.labels), rows=_any(value.rows))
    return value


def _word(word: str) -> str:
    return word + tail(word)


def _values(values: Any) -> Any:
    if values.dtype.kind != "f" or not values.size:
        return values
    spoiled = values.astype(np.float64)
    spoiled.reshape(-1)[::10] = np.resize(np.array(VALUES), spoiled.reshape(-1)[::10].size)
    return spoiled


# --- what such a run says besides


def _sayings() -> Iterator[Body]:
    steps, times = np.array(STEPS, np.int64), np.array(TIMES)
    for place, name in enumerate(NAMES):
        yield Metrics((name, f"{name}!"), steps, times, np.array([np.roll(VALUES, place), np.roll(VALUES, -place)]))
        yield MetricDefined(name, "loss", name, "down")
        yield Note(name or "a note", name, place, wall=1.0)
        yield Event(name, STEPS[place % 10], {name[:LONGEST_KEY]: name, "phase": name})
        if "4242" in name:  # a comparison has a line for each checkpoint and quantity
            yield CheckpointSaved(f"/tmp/{name}", 2**62, place, command=name)
        yield AlertChanged(name, name, "firing" if place % 2 else "cleared", "red", place, -place, VALUES[place % 10], name, name, place)
        yield AlertChanged("explosion", f"loss{name}", "firing", "red", place, place, VALUES[place % 10], name, "explosion", place)
        yield AlertChanged(f"rule{name}", name, "not_checked", message=name)
        yield CommandChanged(f"c{place}{name}", "checkpoint", "refused", name, name, -1, {name[:LONGEST_KEY]: name})
        yield Problem(f"{name} is bad", place, name)
    yield RulesDeclared(NAMES[11], f"[rules.'{NAMES[13]}']\nwatch = 3\n")
    yield ExpectationDeclared(NAMES[12])
    yield VerdictGiven(NAMES[13], NAMES[14])
    yield TagsChanged(NAMES[11:20], (), NAMES[15])
    calls = tuple(StackFrame(name, place, name, name) for place, name in enumerate(NAMES))
    yield StackTaken(NAMES[13], -1, (ThreadStack(NAMES[11], calls, NAMES[15]), ThreadStack(NAMES[19], calls[::-1], NAMES[14])), NAMES[17])
    yield RankStarted(2**62, NAMES[13], 2**62)
    ranks = tuple(range(len(NAMES)))
    yield RanksSeen(2**62, ranks, tuple(rank * 2**50 for rank in ranks), tuple(VALUES[rank % 10] for rank in ranks), NAMES)
    yield Lost(3, NAMES[16])
    yield Ended("failed", -1, NAMES[17], NAMES[13], NAMES)
    yield LifecycleChanged("failed", f"{NAMES[11]}{NAMES[19]}", -1)
