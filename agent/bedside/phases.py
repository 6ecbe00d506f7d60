"""A stretch of the run with a name: the call marks its beginning, leaving the `with` block its end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal


class Phase:
    """Made by `run.phase(name)`. Without `with` it is a mark alone: the phase ends, for the rules, when steps are made within it."""

    def __init__(self, name: str, mark: Callable[[Literal["begin", "end"]], None]) -> None:
        self._name = name
        self._mark = mark
        mark("begin")

    def __repr__(self) -> str:
        return f"<Phase {self._name}>"

    def __enter__(self) -> Phase:
        return self

    def __exit__(self, *_: object) -> None:
        self._mark("end")
