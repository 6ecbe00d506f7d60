"""What judges a run: its own rules by their names, its expectations, its checkpoints, its review. All as known at the moment."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from time import process_time
from typing import Any, TypeAlias

import numpy as np
import pytest

from bedside_protocol.alerts.checkpoints import Checkpoints
from bedside_protocol.alerts.review import review
from bedside_protocol.alerts.rule_file import read_rules
from bedside_protocol.records import (
    AlertChanged,
    Body,
    CheckpointSaved,
    CommandChanged,
    Ended,
    ExpectationDeclared,
    LifecycleChanged,
    MetricDefined,
    Metrics,
    Record,
    RulesDeclared,
    RunStarted,
    Severity,
    Tick,
)
from bedside_tui.asking import doubts
from bedside_tui.sources.scripted import ScriptedSource
from bedside_tui.sources.scripted_run import scripted_run
from bedside_tui.store.store import Store
from bedside_tui.store.view import View
from bedside_tui.widgets.alarm_page import opened
from bedside_tui.widgets.judged import judged_by, sections
from bedside_tui.widgets.lines import plain
from bedside_tui.widgets.timeline import mark_row

Open: TypeAlias = Callable[..., AbstractAsyncContextManager[Any]]

MINE = """
[rules.explosion]
title = "the loss is gone"
horizon = "hour"
[rules.overfitting]
off = true
[rules.too-hot]
title = "the card is too hot"
watch = {metric = "temperature"}
when = {beyond = {amber_above = 80.0}}
"""


def store_of(*moments: tuple[float, Body]) -> Store:
    store = Store()
    store.feed(Record(time, body, seq=seq) for seq, (time, body) in enumerate(moments, start=1))
    return store


def below(view: View) -> str:
    """The sections below the alarms, at 80 cells."""
    return plain(line for part in sections(view, 80) for line in (part.head, *(row for _, rows in part.rows for row in rows)))


def exploded(severity: Severity = "amber", step: int = 100, rule: str = "explosion") -> AlertChanged:
    return AlertChanged(rule, "loss", "firing", severity, step=step, first_step=90, message="9 after 0.1", runbook=rule, episode=1)


def test_alarms_are_called_as_the_runs_own_rules_call_them() -> None:
    hot = AlertChanged("too-hot", "temperature", "firing", "amber", step=100, message="85 degrees", episode=1)
    view = store_of((0.1, RulesDeclared("mine.toml", MINE)), (1.0, exploded()), (2.0, hot)).at()
    assert [alert.title for alert in view.alerts] == ["the card is too hot", "the loss is gone"]
    assert [mark.text for mark in view.marks] == [
        "judged by mine.toml: 1 changed, 1 added, 1 off",
        "the loss is gone (loss)  9 after 0.1",
        "the card is too hot (temperature)  85 degrees",
    ]
    page = plain(opened(view.alerts[0], view, 100))
    assert "added by mine.toml: metric temperature; beyond: field value, amber above 80" in page


def test_an_alarm_that_can_wait_stands_after_one_of_its_severity_that_cannot() -> None:
    rules = RulesDeclared("mine.toml", MINE + '[rules.loss-level]\nhorizon = "now"\n')
    view = store_of((0.1, rules), (1.0, exploded(rule="loss-level")), (2.0, exploded())).at()
    assert [alert.rule for alert in view.alarms] == ["loss-level", "explosion"]
    assert "within the hour" in plain(opened(view.alarms[1], view, 80))
    assert "look now" in plain(opened(view.alarms[0], view, 80))
    worse = store_of((0.1, rules), (1.0, exploded(rule="loss-level")), (2.0, exploded("red"))).at()
    assert [alert.rule for alert in worse.alarms] == ["explosion", "loss-level"]


@pytest.mark.parametrize("text", ["[rules.explosion]\nfactr = 2", "\x00", "[" * 5000, "a = 1" + "0" * 6000, "#" * 600_000])
def test_a_file_of_rules_that_cannot_be_read_is_said_and_the_built_in_names_stay(text: str) -> None:
    view = store_of((0.1, RulesDeclared("mine.toml", text)), (1.0, exploded())).at()
    assert view.alerts[0].title == "explosion"
    assert view.marks[0].kind == "problem"
    assert view.marks[0].text.startswith("mine.toml cannot be read by this version")
    assert "mine.toml cannot be read" in plain(judged_by(view, 100))


def test_expectations_stand_as_the_rules_say_at_each_moment() -> None:
    checks = [AlertChanged("expectation", "loss", "not_checked", message="before step 200"),
              AlertChanged("expectation", "loss", "firing", "red", step=200, message="0.4, expected < 0.1 by 200", episode=1),
              AlertChanged("expectation", "loss", "cleared", "red", step=300, episode=1)]  # fmt: skip
    store = store_of((0.5, ExpectationDeclared("loss < 0.1 by 200", "red")), *((float(at), body) for at, body in enumerate(checks, 1)))
    shown = [[(each.state, each.said) for each in store.at(time).expectations] for time in (0.5, 1.0, 2.0, 3.0)]
    assert shown == [
        [("not yet", "nothing judged yet")], [("not yet", "before step 200")], [("broken", "0.4, expected < 0.1 by 200")], [("met", "")]
    ]  # fmt: skip
    assert "✖ broken  loss < 0.1 by 200" in below(store.at(2.0))
    assert "1 of 1 met" in below(store.at(3.0))
    assert store.at(2.0).alarms[0].title == "expected loss < 0.1 by 200"


def test_checkpoints_are_suspect_only_from_the_moment_at_which_that_is_known() -> None:
    store = store_of((1.0, CheckpointSaved("ckpt/a.pt", 1, 50)), (2.0, CheckpointSaved("ckpt/b.pt", 1, 95)), (3.0, exploded()))
    assert [saved.suspect_of for saved in store.at(3.0).checkpoints] == ["", "explosion since step 90"]
    assert [saved.suspect_of for saved in store.at(2.0).checkpoints] == ["", ""]
    assert [saved.suspect_of for saved in store.at(3.0).checkpoints] == ["", "explosion since step 90"]
    rows = [plain([mark_row(store.at(3.0), mark, 80)]) for mark in store.at(3.0).marks]
    assert "✓ the last good one  checkpoint saved" in rows[0]
    assert "▲ suspect  checkpoint saved  ckpt/b.pt" in rows[1]
    assert rows[1].endswith("explosion since step 90")
    assert "✓ checkpoint saved" in plain([mark_row(store.at(2.0), store.at(2.0).marks[1], 80)])
    page = plain(opened(store.at(3.0).alerts[0], store.at(3.0), 80))
    assert "the last good one is step 50: ckpt/a.pt; 1 saved since is suspect" in page


def test_the_screen_and_check_say_the_same_of_every_checkpoint() -> None:
    collapse = AlertChanged("codebook-collapse", "vq", "firing", "red", step=100, first_step=90, episode=1)
    hot = AlertChanged("too-hot", "temperature", "firing", "red", step=200, first_step=200, episode=1)
    moments: list[tuple[float, Body]] = [(0.0, RulesDeclared("mine.toml", MINE)), (1.0, CheckpointSaved("a", 1, 80)), (2.0, collapse)]
    moments += [(3.0, CheckpointSaved("b", 1, 120)), (4.0, replace(collapse, state="cleared", step=150)), (5.0, hot)]
    moments += [(6.0, CheckpointSaved("c", 1, 220))]
    checkpoints = Checkpoints(read_rules(MINE).rules)
    for time, body in moments:
        checkpoints.take(Record(time, body))
    assert [bool(judged.suspect_of) for judged in checkpoints.all] == [False, True, True]
    seen = store_of(*moments).at().checkpoints
    assert [(saved.path, saved.suspect) for saved in seen] == [(judged.path, bool(judged.suspect_of)) for judged in checkpoints.all]
    assert [saved.suspect_of for saved in seen][1:] == ["codebook collapse since step 90", "the card is too hot since step 200"]


def test_before_stopping_one_is_told_which_checkpoint_is_good() -> None:
    store = store_of((1.0, CheckpointSaved("ckpt/a.pt", 1, 50)), (2.0, exploded()))
    assert doubts(store.at(1.0)) == []
    assert doubts(store.at(2.0)) == ["explosion fires: a checkpoint saved now would be suspect", "the last good checkpoint is step 50"]
    assert doubts(store_of((2.0, exploded())).at())[1] == "there is no good checkpoint"


def test_what_a_rule_asked_for_is_told_on_its_alarms_page_and_in_the_log() -> None:
    who = "rule explosion on loss"
    store = store_of(
        (1.0, exploded()), (1.1, CommandChanged("c", "checkpoint", "requested", who)),
        (1.5, CommandChanged("c", "checkpoint", "applied", who, "saved ckpt/step-101.pt", 101)),
        (1.6, CommandChanged("d", "stop", "refused", who, "the run is stopping")),
        (1.7, CommandChanged("e", "pause", "applied", "you", "", 102)),
    )  # fmt: skip
    page = plain(opened(store.at().alerts[0], store.at(), 100))
    assert "checkpoint asked by this rule: saved ckpt/step-101.pt" in page
    assert "stop asked by this rule: refused, the run is stopping" in page
    assert "pause" not in page
    assert "checkpoint asked for by rule explosion on loss" in [mark.text for mark in store.marks]


def test_a_run_that_is_over_is_reviewed_and_not_before() -> None:
    rows = [Metrics(("loss",), np.array([step]), np.array([step / 10]), np.array([[1.0]])) for step in range(1, 1200)]
    moments: list[tuple[float, Body]] = [(0.0, RunStarted("r", "r", "p", 0.0)), *((row.times[0], row) for row in rows)]
    moments += [(130.0, LifecycleChanged("finished", "", 1199)), (131.0, RunStarted("r", "r", "p", 0.0, continues="r"))]
    store = store_of(*moments)
    whole = review(Record(time, body) for time, body in moments[:-1])
    assert "ends at 1" in whole[0].text
    assert [remark.text for remark in store.at(130.0).review] == [remark.text for remark in whole]
    assert (store.at(129.0).review, store.at(131.0).review) == ((), ())
    assert store.at(130.0).review is store.at(130.5).review  # made once
    shown = below(store.at(130.0))
    assert shown.startswith(" ─ review · ")
    assert "ends at 1" in shown


def test_a_review_knows_what_its_metrics_were_called_and_where_the_run_began_anew() -> None:
    def rows(begin: int, end: int, level: float) -> Metrics:
        steps = np.arange(begin, end)
        return Metrics(("gain", "loss"), steps, steps / 10.0, np.full((2, end - begin), level))

    moments: list[tuple[float, Body]] = [
        (0.0, RunStarted("r", "r", "p", 0.0)), (60.0, rows(1, 600, 1.0)), (61.0, MetricDefined("gain", "loss")),
        (100.0, rows(600, 1000, 0.9)), (100.5, CheckpointSaved("a.pt", 1, 900)), (100.9, Tick(1000)),
        (101.0, LifecycleChanged("stopped", "", 1000)),
        (102.0, RunStarted("r", "r", "p", 0.0, continues="r")), (200.0, rows(1000, 9000, 0.8)), (201.0, Ended("finished", 9001)),
    ]  # fmt: skip
    store = store_of(*moments)
    for time, known in ((101.0, 7), (201.0, 10)):
        told = [(remark.target, remark.text) for remark in review(Record(at, body) for at, body in moments[:known])]
        assert [(remark.target, remark.text) for remark in store.at(time).review] == told
        assert told


def test_losses_cost_no_more_to_read_than_other_metrics_since_a_review_waits_until_one_looks() -> None:
    random = np.random.default_rng(0)
    blocks = [(at * 20, random.random((40, 20))) for at in range(200)]

    def seconds(names: tuple[str, ...]) -> float:
        records = [Record(float(at), Metrics(names, np.arange(at, at + 20), np.arange(at, at + 20) / 10.0, rows)) for at, rows in blocks]
        records.append(Record(4100.0, LifecycleChanged("finished", "", 4000)))
        begin = process_time()
        store = Store()
        store.feed(records)
        return process_time() - begin

    losses, others = (tuple(f"{kind} {at}" for at in range(40)) for kind in ("loss", "temperature"))
    pairs = [(seconds(losses), seconds(others)) for _ in range(5)]
    assert min(of for of, _ in pairs) < 2 * min(of for _, of in pairs)


@pytest.mark.parametrize("size", [(80, 24), (200, 50)])
async def test_a_run_judged_by_its_own_rules_is_shown_with_all_that(size: tuple[int, int], viewer: Open) -> None:
    async with viewer(ScriptedSource(scripted_run("explosion", steps=2_000, seconds=120.0)), size=size) as opened_:
        assert "▲ suspect" in opened_.lines[0]
        await opened_.press("w")
        for said in ("judged by mine.toml: 1 changed, 1 added, 1 off", "expected by the script · 1 of 3 met", "waiting for data"):
            assert said in opened_.text
        await opened_.press("S")
        assert "the last good checkpoint is step 1,608" in opened_.dialog


async def test_the_sparkline_bears_a_mark_where_the_alarm_fired(viewer: Open) -> None:
    async with viewer(ScriptedSource(scripted_run(steps=2_000, seconds=120.0))) as opened_:
        row = next(line for line in opened_.lines if "loss/commit" in line)
        assert row.count("▲") == 2  # its state, and the place on the curve
        await opened_.press("b")
        assert any("✖" in line for line in opened_.lines[5:] if "%" in line or "▒" in line or "░" in line)
