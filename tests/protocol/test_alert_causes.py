"""A loss that does not fall is amber; it is red where the run itself says why it cannot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from bedside_protocol.alerts.causes import Causes
from bedside_protocol.alerts.defaults import DEFAULT_RULES
from bedside_protocol.alerts.engine import Engine
from bedside_protocol.records import AlertChanged, MetricDefined, Metrics, Record, Snapshot

PACE = 0.1
FLAT = {"loss": [2.3] * 1500}


def blocks(columns: Mapping[str, Sequence[float]], start: int = 0, rows: int = 50) -> list[Record]:
    names, values = tuple(columns), np.array(list(columns.values()), np.float64)
    steps = start + np.arange(values.shape[1], dtype=np.int64)
    times = np.asarray(steps * PACE, np.float64)
    cuts = [slice(at, at + rows) for at in range(0, len(steps), rows)]
    return [Record(float(times[cut][-1]), Metrics(names, steps[cut], times[cut], values[:, cut])) for cut in cuts]


def gradients(step: int, **scalars: float) -> Record:
    return Record(step * PACE, Snapshot("gradients", "gradients", step, {"tensors": 4.0, **scalars}))


def told(*parts: Sequence[Record]) -> list[tuple[str, str]]:
    """Severity and finding of what is said of a loss that never learns."""
    engine = Engine([rule for rule in DEFAULT_RULES if rule.name == "never-learns"])  # others would tell it first
    records = sorted((record for part in parts for record in part), key=lambda record: record.time)
    changes: list[AlertChanged] = [change for record in records for change in engine.observe(record)]
    return [(change.severity, change.message) for change in changes if change.rule == "never-learns" and change.state == "firing"]


def test_without_a_cause_it_is_amber() -> None:
    assert told(blocks({**FLAT, "lr": [3e-4] * 1500})) == [("amber", "2.3, began at 2.3")]


def test_a_learning_rate_of_zero_throughout_is_a_cause() -> None:
    assert told(blocks({**FLAT, "lr": [0.0] * 1500})) == [("red", "2.3, began at 2.3: the learning rate is 0")]


def test_the_script_may_say_what_a_learning_rate_is() -> None:
    defined = [Record(0.0, MetricDefined("pace", kind="rate"))]
    assert told(defined, blocks({**FLAT, "pace": [0.0] * 1500})) == [("red", "2.3, began at 2.3: the learning rate is 0")]


@pytest.mark.parametrize("rates", [{"lr": [0.0, *[1e-3] * 1499]}, {"lr/body": [0.0] * 1500, "lr/head": [1e-3] * 1500}])
def test_a_warm_up_and_a_frozen_group_are_no_cause(rates: dict[str, list[float]]) -> None:
    assert [severity for severity, _ in told(blocks({**FLAT, **rates}))] == ["amber"]


@pytest.mark.parametrize(
    ("scalars", "cause"),
    [
        ({"update_ratio_max": 0.0}, "no weight changes"),
        ({"update_ratio_max": 1e-9, "unchanged": 4.0}, "no weight changes"),
        ({"update_ratio_max": 1e-3, "none": 1.0, "zero": 3.0}, "no gradient anywhere"),
        ({"update_ratio_max": 1e-3, "none": 2.0, "zero": 1.0}, "3 of 4 without gradient"),
        ({"update_ratio_max": 1e-3, "none": 9.0, "tensors": 10.0}, "9 of 10 without gradient"),
    ],
)
def test_what_the_gradients_say_is_a_cause(scalars: dict[str, float], cause: str) -> None:
    seen = [gradients(step, **scalars) for step in (1, 101, 201)]
    assert told(blocks(FLAT), seen) == [("red", f"2.3, began at 2.3: {cause}")]


@pytest.mark.parametrize("scalars", [{"update_ratio_max": 1e-3}, {}, {"update_ratio_max": 1e-3, "zero": 2.0, "unchanged": 3.0}])
def test_gradients_of_a_model_that_moves_are_no_cause(scalars: dict[str, float]) -> None:
    found = told(blocks(FLAT), [gradients(step, **scalars) for step in (1, 101, 201)])
    assert [severity for severity, _ in found] == ["amber"]


def loop(step: int, difference: float, relative: float) -> Record:
    fields = {"output_difference": difference, "output_difference_relative": relative}
    return Record(step * PACE, Snapshot("structure", "structure", step, fields))


def test_an_output_that_does_not_depend_on_the_input_is_a_cause() -> None:
    assert told(blocks(FLAT), [loop(step, 1e-5, 1e-4) for step in (100, 200, 300)]) == [
        ("red", "2.3, began at 2.3: output ignores the input")
    ]


@pytest.mark.parametrize(
    "seen",
    [
        [loop(step, 1e-5, 1e-4) for step in (1, 20, 50, 99)],  # every deep model begins so
        [loop(step, 1e-5, 0.4) for step in (100, 200, 300)],  # small outputs, and all different
        [loop(100, 1e-5, 1e-4), loop(200, 0.3, 0.4), loop(300, 1e-5, 1e-4)],
        [Record(step * PACE, Snapshot("structure", "structure", step, {"batches": 1.0})) for step in (100, 200, 300)],
    ],
)
def test_outputs_that_differ_or_have_not_been_given_time_to_are_no_cause(seen: list[Record]) -> None:
    assert [severity for severity, _ in told(blocks(FLAT), seen)] == ["amber"]


def test_a_tensor_that_gets_its_gradient_once_takes_the_cause_back() -> None:
    seen = [gradients(step, none=none, update_ratio_max=1e-3) for step, none in ((1, 3.0), (101, 0.0), (201, 3.0))]
    assert [severity for severity, _ in told(blocks(FLAT), seen)] == ["amber"]


def test_one_still_step_is_no_cause() -> None:
    found = told(
        blocks(FLAT), [gradients(1, update_ratio_max=0.0), gradients(101, update_ratio_max=1e-3), gradients(201, update_ratio_max=0.0)]
    )
    assert [severity for severity, _ in found] == ["amber"]


def test_a_cause_that_comes_to_light_later_turns_it_red() -> None:
    found = told(blocks(FLAT), [gradients(step, update_ratio_max=0.0) for step in (1100, 1200, 1300)])
    assert found == [("amber", "2.3, began at 2.3"), ("red", "2.3, began at 2.3: no weight changes")]


def test_a_resume_forgets_the_cause() -> None:
    causes = Causes()
    for block in blocks({"lr": [0.0] * 100}):
        assert isinstance(block.body, Metrics)
        causes.take(block.body)
    assert (causes.found, repr(causes)) == ("the learning rate is 0", "<Causes the learning rate is 0>")
    causes.restart()
    assert causes.found == ""
