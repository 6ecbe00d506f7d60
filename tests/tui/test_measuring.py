"""How measured checkpoints are listed, and what their table says to a person."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bedside_protocol.measuring import Measured
from bedside_protocol.records import LifecycleChanged, Metrics, Record, RunStarted, Snapshot
from bedside_tui.cli.probe import to_json, to_text
from bedside_tui.measuring import Outcome, in_order, natural
from bedside_tui.places import RunPlace
from bedside_tui.store.store import Store


def measured(
    name: str, order: int, step: int | None, *, loss: float = 1.0, used: float = 8.0, data: str = "aa", weights: str = ""
) -> Outcome:
    """A checkpoint of which a loss and the use of a codebook are known."""
    store = Store()
    at = step or 0
    bodies = [
        RunStarted(name, name, "", 0.0),
        Snapshot("vq", "codebook", at, {"used": used, "size": 16.0}),
        Metrics(("loss",), np.array([at]), np.array([1.0]), np.array([[loss]])),
        LifecycleChanged("finished"),
    ]
    store.feed(Record(float(number), body, 0, number) for number, body in enumerate(bodies, 1))
    answer = Measured(name, "name" if step is not None else "order", weights, data, 3)
    return Outcome(name, order, RunPlace(name, Path(name)), answer, store.at(None), step)


def refused(name: str, order: int, why: str) -> Outcome:
    return Outcome(name, order, RunPlace(name, Path(name)), why=why)


def test_files_are_listed_as_a_person_counts() -> None:
    names = ["a/step_10.pt", "a/step_9.pt", "a/step_100.pt", "a/last.pt", "b/step_1.pt", "9.pt"]
    assert sorted(names, key=natural) == ["9.pt", "a/last.pt", "a/step_9.pt", "a/step_10.pt", "a/step_100.pt", "b/step_1.pt"]


def test_checkpoints_stand_by_their_steps_and_those_not_measured_come_last() -> None:
    outcomes = [measured("late.pt", 1, 30), refused("bad.pt", 2, "no"), measured("early.pt", 3, 20)]
    assert [each.checkpoint for each in in_order(outcomes)] == ["early.pt", "late.pt", "bad.pt"]


def test_where_one_does_not_tell_its_step_all_stand_as_they_were_listed_and_that_is_said() -> None:
    outcomes = [measured("a30.pt", 1, 30), measured("b20.pt", 2, 20), measured("last.pt", 3, None, loss=2.0)]
    assert [each.checkpoint for each in in_order(outcomes)] == ["a30.pt", "b20.pt", "last.pt"]
    text = to_text(outcomes, 80)
    assert "—  last.pt" in text
    assert "not all checkpoints tell their step: they stand as they were listed" in text


def test_the_table_marks_the_best_names_what_is_alike_and_says_what_was_not_measured() -> None:
    outcomes = [
        measured("s10.pt", 1, 10, loss=0.5, used=12),
        measured("s20.pt", 2, 20, loss=0.25, used=3),
        refused("s30.pt", 3, "it is cut"),
    ]
    lines = [line.split() for line in to_text(outcomes, 80).splitlines()]
    assert ["10", "s10.pt", "0.5000", "◆", "12"] in lines
    assert ["20", "s20.pt", "◆", "0.2500", "3"] in lines
    assert to_text(outcomes, 80).splitlines()[-2:] == [" not measured: s30.pt: it is cut", " the same in all rows: vq: size"]


def test_a_single_checkpoint_shows_all_its_quantities() -> None:
    text = to_text([measured("s10.pt", 1, 10, loss=0.5, used=12)], 80)
    assert "the same" not in text
    assert ["10", "s10.pt", "0.5000", "12", "16"] in [line.split() for line in text.splitlines()]


def test_other_data_and_other_places_of_the_weights_are_remarked() -> None:
    outcomes = [measured("a1.pt", 1, 1, weights="model"), measured("a2.pt", 2, 2, data="bb", weights="ema")]
    assert to_json(outcomes)["remarks"] == [
        "other data than a1.pt in the first step: a2.pt; seed what the script draws them with",
        "weights from model of a1.pt, ema of a2.pt",
    ]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_value_that_json_cannot_say_is_null(value: float) -> None:
    (row,) = to_json([measured("a1.pt", 1, 1, loss=value)])["checkpoints"]
    assert row["values"]["loss"] is None


def test_nothing_measured_is_said_without_a_table() -> None:
    assert to_text([refused("a.pt", 1, "it is cut"), refused("b.pt", 2, "it is a directory")], 80).splitlines() == [
        " not measured: a.pt: it is cut",
        " not measured: b.pt: it is a directory",
    ]
