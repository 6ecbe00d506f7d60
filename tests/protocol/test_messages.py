"""What both ends know of each other's messages."""

from __future__ import annotations

import dataclasses
import typing

import pytest

from bedside_protocol.codec import BODIES, MESSAGES
from bedside_protocol.messages import Message
from bedside_protocol.records import Body, Unknown


def test_every_message_and_every_body_has_a_name_on_the_wire() -> None:
    assert set(typing.get_args(Message)) == set(MESSAGES.values())
    assert {*typing.get_args(Body)} - {Unknown} == set(BODIES.values())


@pytest.mark.parametrize("kind", [*MESSAGES.values(), *BODIES.values()])
def test_messages_and_bodies_are_values_that_do_not_change(kind: type) -> None:
    assert dataclasses.is_dataclass(kind)
    assert kind.__dataclass_params__.frozen  # type: ignore[attr-defined]
    assert "__slots__" in vars(kind)
