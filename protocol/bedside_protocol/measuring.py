"""Measuring a checkpoint instead of training: what the viewer asks of the process it starts, and what that process says when it is done.

The request travels in one variable of the environment, so that processes the script starts are asked the same and none of them trains.
The answer is an event in the run's log. Nothing here reads the environment or a file.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from typing import Final

from .records import Event, Scalar

VARIABLE: Final = "BEDSIDE_MEASURE"
_EVENT: Final = "checkpoint-measured"


class BadRequest(ValueError):
    """The variable holds no request; the text says why."""


@dataclass(frozen=True, slots=True)
class Request:
    """Measure `checkpoint`, and record it as run `run` in `directory`, under `name`. Paths are absolute: a script may go elsewhere."""

    run: str
    name: str
    directory: str
    checkpoint: str
    order: int
    """The checkpoint's place in its list, from 1: stands for its step where neither the file nor its name tells one."""
    steps: int | None = None
    """How many steps are made with its weights; None: as many as the slowest probe has to be fed for."""

    def to_text(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def of_text(cls, text: str) -> Request:
        """Raises `BadRequest`."""
        try:
            request = cls(**json.loads(text))
        except (ValueError, TypeError) as error:
            raise BadRequest(f"{VARIABLE} is not understood: {error}") from error
        if not all(isinstance(word, str) and word for word in (request.run, request.name, request.directory, request.checkpoint)):
            raise BadRequest(f"{VARIABLE} lacks a name")
        if not all(count is None or (type(count) is int and count > 0) for count in (request.order, request.steps)):
            raise BadRequest(f"{VARIABLE} counts what cannot be counted")
        return request


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured: the last word of a measurement that came to its end. The checkpoint's step is that of the event."""

    checkpoint: str
    told_by: str = ""
    """What told the checkpoint's step: `step`, `global_step` or `epoch` in the file, `name` for the file's name, or `order` for its place
    in the list."""
    weights: str = ""
    """The place of the weights in the file, such as `model`; empty where the file is nothing else. Several models: joined by commas."""
    data: str = ""
    """A digest of what was given to the first forward of a watched model; empty where none was seen."""
    steps: int = 0
    """Steps that were made with the checkpoint's weights."""

    def event(self, step: int) -> Event:
        return Event(_EVENT, step, asdict(self))

    @classmethod
    def of_event(cls, event: Event) -> Measured | None:
        """What an event tells, None where it tells something else."""
        if event.name != _EVENT:
            return None
        given: dict[str, Scalar] = {field.name: event.fields.get(field.name) for field in fields(cls)}
        defaults = cls("")
        kept = {name: value for name, value in given.items() if type(value) is type(getattr(defaults, name))}
        return cls(**{"checkpoint": "", **kept})  # type: ignore[arg-type]
