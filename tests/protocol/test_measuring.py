"""What is asked of a process that measures a checkpoint, and what it answers."""

from __future__ import annotations

import pytest

from bedside_protocol.measuring import BadRequest, Measured, Request
from bedside_protocol.records import Event


def test_a_request_comes_out_of_the_environment_as_it_went_in() -> None:
    request = Request("step-20-x", "out/step 20.pt", "/runs", "/home/ann/out/step 20.pt", 3, steps=7)
    assert Request.of_text(request.to_text()) == request


@pytest.mark.parametrize(
    "text",
    [
        "", "yes", "[]", "{}", '{"run": "a"}',
        '{"run": "", "name": "n", "directory": "d", "checkpoint": "c", "order": 1}',
        '{"run": "a", "name": "n", "directory": "d", "checkpoint": 7, "order": 1}',
        '{"run": "a", "name": "n", "directory": "d", "checkpoint": "c", "order": 0}',
        '{"run": "a", "name": "n", "directory": "d", "checkpoint": "c", "order": 1, "steps": 1.5}',
        '{"run": "a", "name": "n", "directory": "d", "checkpoint": "c", "order": 1, "seed": 1}',
    ],
)  # fmt: skip
def test_what_is_no_request_is_refused_with_the_name_of_the_variable(text: str) -> None:
    with pytest.raises(BadRequest, match=r"^BEDSIDE_MEASURE "):
        Request.of_text(text)


def test_an_answer_is_an_event_at_the_checkpoints_step_and_read_from_it_again() -> None:
    measured = Measured("out/step_20.pt", "step", "model", "0123456789abcdef", 50)
    event = measured.event(20)
    assert event.step == 20
    assert Measured.of_event(event) == measured


def test_another_event_is_no_answer_and_fields_of_another_kind_are_left_out() -> None:
    event = Measured("a.pt", "step").event(1)
    assert Measured.of_event(Event("reinit", 1, event.fields)) is None
    assert Measured.of_event(Event(event.name, 1, {"checkpoint": "a.pt", "steps": "many", "colour": "red"})) == Measured("a.pt")
