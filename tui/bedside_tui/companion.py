"""A run that is read once to be compared with others: as it is when it is read, on the thread of its source."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable

from bedside_protocol.records import Lost
from bedside_tui.compare.checkpoints import Measured, measured
from bedside_tui.sources.source import Source, Update
from bedside_tui.store.store import Store
from bedside_tui.store.view import View


class Companion:
    """The records of one run, from a source to a view.

    `key` is how its owner knows it again, `title` what it is called before it has said so itself. Only the source's thread touches the
    store before everything is read; from then on `view` belongs to whoever asks.
    """

    def __init__(self, key: Hashable, title: str, source: Source) -> None:
        self.key = key
        self.title = title
        self.progress = 0.0
        """The share that has been read, from 0 to 1."""
        self.failed = ""
        """Why nothing can be shown of it, in a sentence; empty where something can, or is about to."""
        self._source = source
        self._store = Store()
        self._over = threading.Event()
        self._spoke = False
        self._measured: Measured | None = None

    def __repr__(self) -> str:
        return f"<Companion {self.title}, {self.failed or f'{self.progress:.0%} read'}>"

    def start(self, told: Callable[[], object] = lambda: None) -> None:
        """Begin to read. `told` is called on the source's thread when it is over."""

        def take(update: Update) -> None:
            if self._over.is_set():
                return
            self._take(update)
            if self._over.is_set():
                told()

        self._source.start(take)

    def _take(self, update: Update) -> None:
        status = update.status
        self._store.feed(update.records)
        self._spoke = self._spoke or any(not isinstance(record.body, Lost) for record in update.records)
        self.progress = status.progress if self._spoke else 0.0
        done = status.state in ("ended", "unreachable") or (status.complete and self._spoke)
        if done and not self._spoke:
            self.failed = status.detail or "it holds no records: is it a recording?"
        if done:
            self._over.set()

    @property
    def over(self) -> bool:
        """Whether it has been read, or cannot be."""
        return self._over.is_set()

    def wait(self) -> None:
        """Until it is over."""
        self._over.wait()

    def close(self) -> None:
        """Let the source go; safe to call twice."""
        self._over.set()
        self._source.close()

    @property
    def view(self) -> View | None:
        """The run as it was when all of it had been read; None before, and where that failed."""
        return self._store.at(None) if self._over.is_set() and not self.failed and self._spoke else None

    @property
    def measured(self) -> Measured | None:
        """What was measured in it, found out when it is first asked for; None where there is no view."""
        if self._measured is None and self.view is not None:
            self._measured = measured(self.view)
        return self._measured
