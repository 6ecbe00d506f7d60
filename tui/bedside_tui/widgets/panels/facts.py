"""Numbers as rows: what it is, what it is now, how it went, and in a few words what that means."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bedside_tui.draw import number
from bedside_tui.draw.bar import bar
from bedside_tui.store.history import History
from bedside_tui.store.view import ProbeView
from bedside_tui.theme import Tone
from bedside_tui.widgets.frame import Frame
from bedside_tui.widgets.lines import Line, Span, fit, line, pad, pad_left
from bedside_tui.widgets.metrics import REMARK, at_cursor
from bedside_tui.widgets.panels.blocks import short
from bedside_tui.widgets.panels.given import Floats
from bedside_tui.widgets.spark import spark

VALUE = 10
"""Cells of a value: `number.value` takes at most 9."""

SPARK = 8
"""Cells of a sparkline at least: words give way to it, and it to the numbers."""


def _calm(value: float) -> Tone:
    return "strong" if math.isfinite(value) else "amber"


@dataclass(frozen=True, slots=True)
class Fact:
    """One scalar and how it is said."""

    scalar: str
    label: str = ""
    words: str = ""
    write: Callable[[float], str] | None = None
    """By default a count where it has only ever been whole, else a measured value."""
    tone: Callable[[float], Tone] = _calm
    only_if: bool = False
    """Left out while it is zero: nothing to say is not said."""


NONFINITE = Fact("nonfinite", "not finite", "values, left out of the rest", number.count, lambda value: "amber", only_if=True)
"""What most probes say of values that were no numbers."""


def fact_lines(probe: ProbeView, frame: Frame, facts: Sequence[Fact], width: int) -> list[Line]:
    """A row for each of the facts that the probe has measured."""
    given = probe.snapshot.scalars if probe.snapshot is not None else {}
    there = [fact for fact in facts if fact.scalar in probe.scalars and fact.scalar in given and (given[fact.scalar] or not fact.only_if)]
    label = min(max([14, *(len(fact.label or fact.scalar) for fact in there)]), max(6, width // 3))
    room = width - 3 - label - VALUE - 3
    words = max((len(fact.words) for fact in there), default=0) if frame.cursor is None else REMARK
    words = min(words, room - SPARK - 2) if room >= SPARK + 16 else 0
    cells = min(40, room - words - 2) if room - words - 2 >= SPARK else 0
    lines = []
    for fact in there:
        history = probe.scalars[fact.scalar]
        value = given[fact.scalar]
        drawn = spark(history, cells, "curve", probe.fired, frame.cursor, ascii=frame.ascii)
        said = at_cursor(history, frame.cursor) if frame.cursor is not None else fact.words
        written = fact.write(value) if fact.write is not None and math.isfinite(value) else _written(history, value)
        lines.append(fit(line(
            "   ", f"{pad(short(fact.label or fact.scalar, label), label)} ", (pad_left(written, VALUE), fact.tone(value)), "  ",
            *drawn, "  " if cells else "", (said if words else "", "quiet" if frame.cursor is None else "plain"),
        ), width))  # fmt: skip
    return lines


def others(probe: ProbeView, facts: Sequence[Fact], known: Sequence[str] = ()) -> list[Fact]:
    """The scalars of which nothing has been said: none is hidden."""
    said = {fact.scalar for fact in facts} | set(known)
    return [NONFINITE if name == NONFINITE.scalar else Fact(name, name.replace("_", " ")) for name in probe.scalars if name not in said]


def _written(history: History, value: float) -> str:
    seen = (history.lowest, history.highest)
    whole = all(record is not None and record[1].is_integer() for record in seen) and value.is_integer()
    return number.count(value) if whole else number.value(value)


def bar_lines(
    names: Sequence[str],
    values: Floats,
    width: int,
    height: int,
    frame: Frame,
    *,
    write: Callable[[float], str] = number.value,
    top: float | None = None,
    what: str = "entries",
    tones: Callable[[float], Tone] = lambda value: "curve",
) -> list[Line]:
    """A row a value: name, number, and a bar from zero to the largest; what does not fit is counted."""
    finite = [value for value in values.tolist() if math.isfinite(value)]
    most = top if top else max((abs(value) for value in finite), default=0.0)
    label = min(max([8, *(len(name) for name in names[:height])]), max(6, width // 3))
    room = max(0, min(48, width - label - VALUE - 6))
    shown = len(values) if len(values) <= height else max(0, height - 1)
    lines = []
    for name, value in list(zip(names, values.tolist(), strict=False))[:shown]:
        share = abs(value) / most if most > 0 and math.isfinite(value) else 0.0
        tone: Tone = _calm(value)
        lines.append(fit(line(
            f"   {pad(short(name, label), label)} ", (pad_left(write(value) if math.isfinite(value) else number.value(value), VALUE), tone),
            "  ", (bar(share, room, ascii=frame.ascii), tones(value)),
        ), width))  # fmt: skip
    if shown < len(values) and height > 0:
        lines.append(line((f"   +{number.count(len(values) - shown)} more {what}", "quiet")))
    return lines


def small_bar(share: float, width: int, frame: Frame, tone: Tone = "curve") -> Span:
    """A bar in a column of a table."""
    return Span(bar(share, width, ascii=frame.ascii), tone)
