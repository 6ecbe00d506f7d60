"""What a script says of its metrics, and what the rules make of it."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from math import exp, nan

import numpy as np
import pytest

from bedside_protocol.alerts.engine import Engine
from bedside_protocol.codec import decode_record, encode_record
from bedside_protocol.definitions import MOST_DEFINITIONS, NOTHING_SAID, BadDefinition, Definitions, definition, matches
from bedside_protocol.metrics import grouped, kind_of, unit_of
from bedside_protocol.records import AlertChanged, Body, MetricDefined, Metrics, Record, RunStarted

BLOCK = 50


def said(*definitions: MetricDefined) -> Definitions:
    found = NOTHING_SAID
    for one in definitions:
        found = found.having(one)
    return found


# --- values


def test_where_nothing_is_said_the_name_decides() -> None:
    for name in ("loss", "acc", "reward", "step_ms", "whatever", "loss [T=64]"):
        assert (NOTHING_SAID.kind_of(name), NOTHING_SAID.unit_of(name)) == (kind_of(name), unit_of(name))
    assert [NOTHING_SAID.direction_of(name) for name in ("loss", "acc", "reward", "lr")] == ["down", "up", "up", None]


def test_the_last_definition_that_matches_and_says_something_decides_field_by_field() -> None:
    known = said(MetricDefined("val/*", "loss", "nats", "down"), MetricDefined("val/score", "accuracy"), MetricDefined("*", direction="up"))
    assert (known.kind_of("val/score"), known.unit_of("val/score"), known.direction_of("val/score")) == ("accuracy", "nats", "up")
    assert (known.kind_of("val/other"), known.kind_of("train/score")) == ("loss", "other")


def test_a_unit_can_be_said_to_be_none() -> None:
    assert (unit_of("psnr"), said(MetricDefined("psnr", unit="")).unit_of("psnr")) == ("dB", "")


@pytest.mark.parametrize(
    ("pattern", "name", "found"),
    [
        ("loss", "loss [T=64]", True),
        ("loss*", "loss [T=64]", True),
        ("loss [T=64]", "loss [T=64]", True),
        ("loss [T=64]", "loss [T=128]", False),
        ("*T=64*", "loss [T=64]", True),
        ("val/*", "loss [T=64]", False),
        ("acc[top5]", "acc[top5]", True),
        ("Loss", "loss", False),
    ],
)
def test_a_definition_speaks_of_a_metric_and_of_all_its_groups(pattern: str, name: str, found: bool) -> None:
    assert matches(pattern, name) is found


def test_what_was_said_and_not_changed_since_holds() -> None:
    first, second = MetricDefined("x", "loss"), MetricDefined("x", "reward")
    assert said(first).holds(first)
    assert not said(first, second).holds(first)
    assert said(first, second, MetricDefined("y", "loss")).holds(second)
    assert said(first, second, first).kind_of("x") == "loss"


def test_definitions_without_end_forget_the_oldest() -> None:
    known = said(*(MetricDefined(f"m{number}", "loss") for number in range(MOST_DEFINITIONS + 1)))
    assert (known.kind_of("m0"), known.kind_of("m1")) == ("other", "loss")


def test_a_definition_is_checked_and_an_unknown_kind_is_told_the_known_ones() -> None:
    assert definition("x", "loss", "nats", "up") == MetricDefined("x", "loss", "nats", "up")
    with pytest.raises(BadDefinition, match=r"^no such kind of metric; there are loss, adversarial, reward, .*, other$"):
        definition("x", "lose")
    with pytest.raises(BadDefinition, match=r"better is down or up$"):
        definition("x", direction="sideways")


def test_a_definition_travels() -> None:
    for body in (MetricDefined("x"), MetricDefined("val/*", "loss", "", "down")):
        assert decode_record(encode_record(Record(1.0, body))).body == body


# --- rules


def curve(name: str, values: Sequence[float], start: int = 0) -> list[Record]:
    """Values at consecutive steps, a second each, in blocks."""
    records = []
    for first in range(0, len(values), BLOCK):
        part = values[first : first + BLOCK]
        steps = np.arange(start + first, start + first + len(part), dtype=np.int64)
        records.append(Record(float(steps[-1]), Metrics((name,), steps, steps.astype(np.float64), np.array([part]))))
    return records


def learning(n: int, seed: int = 0) -> list[float]:
    source = random.Random(seed)
    return [(0.05 + 2.0 * exp(-i / 300)) * exp(source.gauss(0.0, 0.1)) for i in range(n)]


def lost(n: int = 200) -> list[float]:
    """A level far above where the metric was."""
    return [1.9 + 0.01 * (i % 7) for i in range(n)]


def changes(*records: Iterable[Record]) -> list[AlertChanged]:
    engine = Engine()
    return [change for part in records for record in part for change in engine.observe(record)]


def fired(found: Iterable[AlertChanged], rule: str = "loss-level") -> set[str]:
    return {change.target for change in found if change.state == "firing" and change.rule == rule}


def at(time: float, body: Body) -> list[Record]:
    return [Record(time, body)]


def test_a_metric_whose_name_says_nothing_is_judged_as_the_loss_the_script_says_it_is() -> None:
    told = curve("energy", learning(1500)) + curve("energy", lost(), 1500)
    assert fired(changes(told)) == set()
    assert fired(changes(at(0.0, MetricDefined("energy", "loss")), told)) == {"energy"}


def test_what_is_called_a_loss_and_is_none_is_not_judged_as_one() -> None:
    told = curve("loss", learning(1500)) + curve("loss", lost(), 1500)
    assert fired(changes(told)) == {"loss"}
    assert fired(changes(at(0.0, MetricDefined("loss", "reward")), told)) == set()


def test_a_definition_after_the_first_values_ends_what_fired_and_judges_by_the_new_kind() -> None:
    told = curve("loss", learning(1500)) + curve("loss", lost(), 1500)
    found = changes(told, at(1700.0, MetricDefined("loss", "reward")), curve("loss", lost(), 1700))
    level = [(change.state, change.message) for change in found if change.rule == "loss-level"]
    assert [state for state, _ in level][-3:] == ["firing", "cleared", "not_checked"]
    assert level[-1][1] == "the script says: reward"
    late = changes(told, at(1700.0, MetricDefined("loss", "reward")), curve("loss", [nan] * 5, 1700))
    assert [change.severity for change in late if change.rule == "nonfinite" and change.state == "firing"] == ["amber", "red"]


def test_a_metric_defined_as_a_loss_after_its_first_values_is_judged_from_there_on() -> None:
    found = changes(
        curve("energy", learning(1500)),
        at(1500.0, MetricDefined("energy", "loss")),
        curve("energy", learning(3000)[1500:], 1500),
        curve("energy", lost(), 3000),
    )
    assert fired(found) == {"energy"}
    assert fired(found, "never-learns") == set()  # it has no beginning to compare with
    assert {change.severity for change in found if change.rule == "explosion" and change.state == "firing"} == {"amber"}  # by its own level


def test_a_rule_that_fires_under_both_kinds_counts_its_episodes_on() -> None:
    found = changes(
        curve("score", [1.0] * 50), curve("score", [nan] * 10, 50), at(60.0, MetricDefined("score", "loss")), curve("score", [nan] * 10, 60)
    )
    episodes = [change.episode for change in found if change.rule == "nonfinite" and change.state == "firing"]
    assert sorted(set(episodes)) == [1, 2]


def test_a_definition_that_changes_no_kind_disturbs_no_alarm() -> None:
    told, rest = curve("loss", learning(1500)), curve("loss", lost(), 1500)
    plain = changes(told, rest)
    assert changes(told, at(1500.0, MetricDefined("*", unit="nats", direction="down")), rest) == plain
    assert changes(told, at(1500.0, MetricDefined("loss", "loss")), rest) == plain


def test_a_total_declared_later_takes_its_parts_along() -> None:
    found = changes(
        curve("recon_loss", learning(300)),
        at(300.0, MetricDefined("loss", "loss")),
        curve("loss", learning(300), 300),
        curve("recon_loss", lost(), 600),
    )
    assert fired(found) == set()
    assert "a part, judged with the total" in {change.message for change in found if change.target == "recon_loss"}


def test_definitions_hold_for_every_rank_and_after_a_resume() -> None:
    def on_rank(rank: int, records: Iterable[Record]) -> list[Record]:
        return [Record(record.time, record.body, rank) for record in records]

    told = curve("energy", learning(1500)) + curve("energy", lost(), 1500)
    found = changes(at(0.0, MetricDefined("energy", "loss")), at(1.0, RunStarted("a", "a", "", 0.0, continues="a")), on_rank(1, told))
    assert fired(found) == {"energy rank 1"}


@pytest.mark.parametrize("sick", [64, 128])
def test_groups_are_judged_apart_and_never_pooled(sick: int) -> None:
    names = {length: grouped("loss", {"T": length}) for length in (64, 128)}

    def interleaved(last: int) -> list[Record]:
        """Both lengths in turn, each at a level of its own; `last` loses its level at the end."""
        values = {length: learning(1500) + (lost() if length == last else learning(1700)[1500:]) for length in names}
        return [
            Record(
                float(step),
                Metrics((names[length],), np.array([step]), np.array([float(step)]), np.array([[length * values[length][step]]])),
            )
            for step in range(1700)
            for length in names
        ]

    assert fired(changes(interleaved(0))) == set()
    assert fired(changes(interleaved(sick))) == {names[sick]}
