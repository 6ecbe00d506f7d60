"""The list of alerts: alarms, what is expected, remarked and not checked, in one list that scrolls."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeAlias

import numpy as np

from bedside_protocol.records import (
    AlertChanged,
    Body,
    Ended,
    ExpectationDeclared,
    LifecycleChanged,
    Metrics,
    ProbeDeclared,
    Record,
    RunStarted,
    Snapshot,
)
from bedside_tui.sources.scripted import ScriptedSource

Open: TypeAlias = Callable[..., AbstractAsyncContextManager[Any]]


def unlucky(alarms: int = 12, waiting: int = 9, *, over: bool = True) -> list[Record]:
    """A run with so many alarms, and so many rules that wait; an expectation that is broken, and one that is met."""
    steps = np.arange(1, 1200)
    bodies: list[Body] = [RunStarted("r", "unlucky", "p", 0.0), ProbeDeclared("codes", "codebook", 10)]
    bodies += [ExpectationDeclared("loss < 0.5 after 100", "red"), ExpectationDeclared("loss > 0")]
    bodies += [Metrics(("loss",), steps, steps / 10.0, np.ones((1, len(steps))))]
    bodies += [AlertChanged("explosion", f"loss/{at}", "firing", "amber", at, at, message="high", episode=1) for at in range(1, alarms + 1)]
    bodies += [AlertChanged("expectation", "loss", "firing", "red", 100, 100, 1.0, "1, expected < 0.5 after 100", episode=1)]
    bodies += [AlertChanged("expectation-2", "loss", "ok")]
    bodies += [AlertChanged("codebook-collapse", "codes", "not_checked", message="warming up")]
    bodies += [AlertChanged("never-learns", f"loss/{at}", "not_checked", message="before step 1,000") for at in range(2, waiting + 1)]
    bodies += [Ended("finished", 1199), LifecycleChanged("finished", "", 1199)] if over else []
    return [Record(120.0 + at, body, seq=at) for at, body in enumerate(bodies, start=1)]


def pointed_at(lines: Sequence[str]) -> str:
    """The row under the cursor, below the head."""
    (row,) = (line for line in lines[4:] if line.startswith("›"))
    return row[1:]


async def test_what_has_no_room_is_named_and_tab_leads_there_section_by_section(viewer: Open) -> None:
    async with viewer(ScriptedSource(unlucky(), live=False)) as opened:
        await opened.press("end", "w")
        assert "further down: 1 of 2 expectations met, 1 remark, 9 not checked  tab" in opened.text
        assert pointed_at(opened.lines).startswith("✖ RED     expected loss < 0.5…")
        seen = []
        for _ in range(4):
            await opened.press("tab")
            seen.append(pointed_at(opened.lines).strip())
        assert seen[0].startswith("✖ broken  loss < 0.5 after 100")
        assert seen[1].startswith("loss  ends at 1, 100% of the 1 it began at")
        assert seen[2].startswith("codebook collapse  codes")
        assert seen[3].startswith("✖ RED")  # round, to the alarms
        await opened.press("shift+tab")
        assert "not checked · 9" in opened.text


async def test_every_row_is_reached_by_walking_down(viewer: Open) -> None:
    async with viewer(ScriptedSource(unlucky(), live=False)) as opened:
        await opened.press("end", "w")
        rows = [pointed_at(opened.lines)]
        for _ in range(24):
            await opened.press("j")
            rows.append(pointed_at(opened.lines))
        assert len(set(rows)) == 13 + 2 + 1 + 9
        await opened.press("j")
        assert pointed_at(opened.lines) == rows[-1]
        assert "further down" not in opened.text


async def test_two_remarks_of_one_name_on_one_probe_are_two_rows(viewer: Open) -> None:
    blurry = Snapshot("pictures", "samples", 10, {"sharpness/a": 0.1, "sharpness/b": 0.2})
    records = [*unlucky(0, 1, over=False), Record(121.0, blurry), Record(122.0, LifecycleChanged("finished", "", 1199))]
    async with viewer(ScriptedSource(records, live=False)) as opened:
        await opened.press("end", "w", "slash", *"edges", "enter")
        assert pointed_at(opened.lines).strip() == "pictures  a has 10% of the edges of its target"
        await opened.press("j")
        assert pointed_at(opened.lines).strip() == "pictures  b has 20% of the edges of its target"


async def test_a_row_opens_what_it_is_about(viewer: Open) -> None:
    async with viewer(ScriptedSource(unlucky(), live=False)) as opened:
        await opened.press("end", "w", "tab", "enter")
        assert "✖ RED  expected loss < 0.5 after 100 · loss" in opened.text
        await opened.press("escape", "tab", "tab", "enter")
        assert opened.name == "chart"
        await opened.press("w", "tab", "enter")
        assert opened.name == "codebook"


async def test_the_filter_holds_for_every_section(viewer: Open) -> None:
    async with viewer(ScriptedSource(unlucky(), live=False)) as opened:
        await opened.press("end", "w", "slash", *"loss/7", "enter")
        assert "explosion" in opened.text
        assert "not checked · 1" in opened.text
        assert "review" not in opened.text
        assert "expected by" not in opened.text


async def test_a_run_that_is_over_waits_for_nothing(viewer: Open) -> None:
    async with viewer(ScriptedSource(unlucky(0, 2, over=False))) as opened:
        await opened.press("w", "enter")
        assert "stop now: what runs on is in vain" in opened.text
        await opened.press("escape")
        assert "not checked yet · 2" in opened.text
    async with viewer(ScriptedSource(unlucky(0, 2), live=False)) as opened:
        await opened.press("end", "w", "enter")
        assert "in vain" not in opened.text
        await opened.press("escape")
        assert "not checked · 2" in opened.text
