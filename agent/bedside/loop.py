"""The step loop: a loader whose iterations end in step boundaries."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from .run import Run

Item = TypeVar("Item")


class Steps(Generic[Item]):
    """Made by `run.steps(loader)`: iterate over it as over the loader, as often as you like."""

    def __init__(self, run: Run, loader: Iterable[Item], accumulate: int) -> None:
        self._run = run
        self._loader = loader
        self._accumulate = accumulate

    def __repr__(self) -> str:
        return f"<Steps over {type(self._loader).__name__}, a step is {self._accumulate} iterations>"

    def __len__(self) -> int:
        return len(self._loader)  # type: ignore[arg-type]

    def __iter__(self) -> Iterator[Item]:
        run = self._run
        run.settle_step()
        iterations = 0
        waited = 0.0
        items = iter(self._loader)
        while not run.stopping:
            began = time.monotonic()
            try:
                item = next(items)
            except StopIteration:
                return
            waited += time.monotonic() - began
            iterations += 1
            boundary = iterations % self._accumulate == 0
            try:
                yield item
            except GeneratorExit:
                if boundary:
                    run.leave_step()
                raise
            if boundary:
                run.end_step(waited)
                waited = 0.0
