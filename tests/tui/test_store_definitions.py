"""What the script says of its metrics, as the viewer shows it."""

from __future__ import annotations

import numpy as np
import pytest

from bedside_protocol.records import Body, MetricDefined, Metrics, Record
from bedside_tui.store.store import Store
from bedside_tui.store.view import MetricView
from bedside_tui.widgets.lines import plain
from bedside_tui.widgets.metrics import VALUE, columns_for, metric_row, value_of


def rows(name: str, *values: float) -> Metrics:
    steps = np.arange(10, 10 * len(values) + 1, 10)
    return Metrics((name,), steps, steps.astype(np.float64), np.array([values]))


def metric(*bodies: Body, rank: int = 0) -> MetricView:
    store = Store()
    store.feed(Record(float(place), body, rank) for place, body in enumerate(bodies))
    (found,) = store.at().metrics
    return found


@pytest.mark.parametrize(
    ("definition", "remark"),
    [
        (MetricDefined("fid"), ""),
        (MetricDefined("fid", direction="down"), "best 1.00 @ 20"),
        (MetricDefined("fid", direction="up"), "best 3.00 @ 10"),
        (MetricDefined("fid", kind="reward"), "best 3.00 @ 10"),
        (MetricDefined("fid", kind="reward", direction="down"), "best 1.00 @ 20"),
    ],
)
def test_what_is_best_is_what_the_script_calls_better(definition: MetricDefined, remark: str) -> None:
    assert metric(definition, rows("fid", 3.0, 1.0, 2.0)).remark == remark


def test_a_definition_that_comes_later_changes_what_was_there() -> None:
    found = metric(rows("loss", 3.0, 1.0, 2.0), MetricDefined("loss", "accuracy", "%", "up"))
    assert (found.kind, found.unit, found.direction, found.remark) == ("accuracy", "%", "up", "best 3.00 @ 10")


def test_looking_back_before_a_definition_shows_what_was_known_then() -> None:
    store = Store()
    store.feed([Record(0.0, rows("fid", 3.0, 1.0)), Record(5.0, MetricDefined("fid", unit="pts", direction="down"))])
    assert [view.metrics[0].unit for view in (store.at(), store.at(1.0), store.at())] == ["pts", "", "pts"]
    assert [view.metrics[0].remark for view in (store.at(), store.at(1.0))] == ["best 1.00 @ 20", ""]


def test_a_loss_by_definition_stands_with_the_losses() -> None:
    store = Store()
    store.feed(Record(0.0, body) for body in (rows("aaa", 1.0), rows("energy", 1.0), MetricDefined("energy", "loss")))
    assert [found.name for found in store.at().metrics] == ["energy", "aaa"]


def test_a_group_has_the_definition_of_its_metric() -> None:
    assert metric(MetricDefined("fid", unit="pts"), rows("fid [T=64]", 1.0)).unit == "pts"


def test_a_metric_of_another_rank_has_its_definition_too() -> None:
    found = metric(MetricDefined("fid", unit="pts"), rows("fid", 1.0), rank=2)
    assert (found.name, found.unit) == ("fid @2", "pts")


def test_what_cannot_be_shown_is_made_safe_and_still_matched() -> None:
    found = metric(MetricDefined("a\x1b[31m", unit="\x1b]0;x\x07"), rows("a\x1b[31m", 1.0))
    assert found.unit
    assert not set(found.unit + found.name) & {"\x1b", "\x07"}


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (24.1, "dB", "24.1 dB"),
        (143.0, "/s", "143/s"),
        (24.1, "", "24.1"),
        (3e-9, "GB", "3.0e-09"),
        (24.1, "tokens a second", "24.1"),
        (float("nan"), "dB", "nan"),
        (1.0, "漢字", "1.00 漢字"),
    ],
)
def test_a_unit_follows_its_value_where_both_fit(value: float, unit: str, text: str) -> None:
    found = metric(MetricDefined("x", unit=unit), rows("x", value))
    assert value_of(found) == text
    assert text.rjust(VALUE).rstrip() in plain([metric_row(found, columns_for(80, 14))]) or not text.isascii()
