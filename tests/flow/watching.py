"""What a source has delivered, for tests that wait for it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from bedside_protocol.records import Metrics, Record
from bedside_tui.sources.source import Source, Update


class Watched:
    """What a source delivered, in order."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.updates: list[Update] = []
        source.start(self.updates.append)

    @property
    def records(self) -> list[Record]:
        return [record for update in list(self.updates) for record in update.records]

    @property
    def numbers(self) -> list[float]:
        blocks = [record.body for record in self.records if isinstance(record.body, Metrics) and "number" in record.body.names]
        return [value for block in blocks for value in block.values[block.names.index("number")].tolist()]


Viewer = TypeVar("Viewer", bound=Watched)


@contextmanager
def watching(form: Callable[[Source], Viewer]) -> Iterator[Callable[[Source], Viewer]]:
    """Watch sources; they are closed afterwards, and leave no thread."""
    watched: list[Viewer] = []

    def begin(source: Source) -> Viewer:
        watched.append(form(source))
        return watched[-1]

    yield begin
    for viewer in watched:
        viewer.source.close()
    assert not [thread for thread in threading.enumerate() if thread.name.endswith("-source")]
