"""Which runs, in what order, and how the lab book is printed."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest

from bedside_protocol.records import MetricDefined, Metrics
from bedside_tui.best_values import Best, BestValues
from bedside_tui.cli.runs_table import HEAD, NONE_YET, runs_markdown, runs_table
from bedside_tui.run_query import KEYS, BadQuery, read_filter, read_order
from bedside_tui.run_row import RunRow

GOOD = RunRow(
    "a1", "digits-1", "vq", "finished", "", 200, "ok", "1d 02h", "/r/a1", heard=10.0, loss=0.5, best=(Best("loss", 0.4, 150, "down"),),
    verdict="good enough", tags=("baseline", "lr=3e-4"), notes=2, newest="EMA on",
)  # fmt: skip
LIVE = RunRow("b2", "digits-2", "vq", "running", "", 90, "amber", "now", "/r/b2", 99.0, 0.7, (Best("loss", 0.3, 80, "down"),))
DEAD = RunRow("c3", "world", "", "killed", "9: SIGKILL", 1000, "red", "3d", "/r/c3", 5.0, None, (Best("acc", 0.9, 10, "up"),), "bad")
BARE = RunRow("d4", "", "", "lost", "", 0, "none", "9d", "/r/d4", 1.0)
ROWS = [GOOD, LIVE, DEAD, BARE]


def ids(rows: list[RunRow]) -> str:
    return " ".join(row.id for row in rows)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("", "a1 b2 c3 d4"), ("digits", "a1 b2"), ("DIGITS 2", "b2"), ("ema", "a1"), ("sigkill", "c3"), ("b2", "b2"),
        ("name=vq/", "a1 b2"), ("tag=baseline", "a1"), ("tag=LR=3e-4", "a1"), ("tag=base", ""), ("tag=", "b2 c3 d4"),
        ("state=running", "b2"), ("state=over", "a1 c3 d4"), ("state=alive", "b2"), ("verdict=good", "a1"), ("verdict=", "b2 d4"),
        ("alert>=amber", "b2 c3"), ("alert>=red", "c3"), ("state=over alert>=amber", "c3"),
    ],
)  # fmt: skip
def test_a_filter_keeps_the_rows_for_which_all_its_words_hold(text: str, meant: str) -> None:
    holds = read_filter(text)
    assert ids([row for row in ROWS if holds(row)]) == meant


@pytest.mark.parametrize("text", ["stat=over", "alert", "alert>red", "alert>=ok", "alert=red"])
def test_what_is_no_filter_says_what_is(text: str) -> None:
    with pytest.raises(BadQuery, match="alert>=amber"):
        read_filter(text)


@pytest.mark.parametrize(
    ("text", "order"),
    [
        ("", "a1 b2 c3 d4"), ("name", "d4 a1 b2 c3"), ("-name", "c3 b2 a1 d4"), ("when", "d4 c3 a1 b2"), ("-when", "b2 a1 c3 d4"),
        ("step", "d4 b2 a1 c3"), ("loss", "a1 b2 c3 d4"), ("-loss", "b2 a1 c3 d4"), ("best", "c3 b2 a1 d4"), ("verdict", "c3 a1 b2 d4"),
        ("-verdict", "a1 c3 b2 d4"), ("tags", "a1 b2 c3 d4"), ("-notes", "a1 b2 c3 d4"), ("-alert", "c3 b2 a1 d4"),
        ("-notes,step", "a1 d4 b2 c3"), (" step , name ", "d4 b2 a1 c3"),
    ],
)  # fmt: skip
def test_rows_are_sorted_by_keys_and_those_that_lack_one_come_last(text: str, order: str) -> None:
    assert ids(read_order(text).sorted(ROWS)) == order


def test_an_order_is_written_as_it_is_read() -> None:
    assert [str(read_order(text)) for text in ("", "-step,name")] == ["", "-step,name"]
    with pytest.raises(BadQuery, match=", ".join(KEYS)):
        read_order("speed")


def test_the_table_has_a_column_for_what_is_there() -> None:
    whole = runs_table([GOOD, LIVE]).split("\n")
    assert whole[0].split() == list(HEAD)
    assert "good enough" in whole[1]
    assert "baseline lr=3e-4" in whole[1]
    assert "2: EMA on" in whole[1]
    assert "0.4000 @ 150" in whole[1]
    assert [name for name in HEAD if name not in runs_table([BARE]).split("\n")[0].split()] == ["best", "verdict", "tags", "notes"]
    assert runs_table([]) == NONE_YET


def test_nothing_that_a_run_is_called_leaves_its_cell_in_markdown() -> None:
    hostile = RunRow(
        "a|b",
        "*x* `y`",
        "",
        "failed",
        "[l](u) <b>&amp;",
        1,
        "ok",
        "now",
        "/r",
        verdict="~no~",
        tags=("$a$", "b_c"),
        notes=1,
        newest="\\| end",
    )
    lines = runs_markdown([hostile]).split("\n")
    assert len(lines) == 3
    assert re.sub(r"\\.", "", lines[2]).count("|") == len(HEAD) + 1, "every other bar is escaped"
    assert not re.search(r"[*`\[<&~$_]", re.sub(r"\\.", "", lines[2])), "and so is whatever else Markdown obeys"


def block(names: tuple[str, ...], *rows: tuple[float, ...]) -> Metrics:
    steps = np.arange(1, len(rows[0]) + 1) * 10
    return Metrics(names, steps, steps * 0.1, np.array(rows))


def test_the_best_is_taken_where_the_better_side_is_known() -> None:
    best = BestValues()
    best.take(block(("lr", "acc", "loss", "system/loss"), (1.0, 2.0), (0.5, math.nan), (2.0, 1.0), (0.0, 0.0)))
    best.take(block(("acc", "loss"), (0.4, 0.6), (math.inf, -math.inf)))
    assert best.told() == (Best("loss", 1.0, 20, "down"), Best("acc", 0.6, 20, "up"))


def test_what_the_script_gave_a_direction_is_told_first() -> None:
    best = BestValues()
    best.define(MetricDefined("energy", direction="up"))
    best.take(block(("loss", "energy"), (2.0, 1.0), (5.0, 4.0)))
    assert best.told() == (Best("energy", 5.0, 10, "up"), Best("loss", 1.0, 20, "down"))


def test_a_metric_that_was_never_a_number_has_no_best() -> None:
    best = BestValues()
    best.take(block(("loss",), (math.nan, math.inf)))
    assert best.told() == ()
