"""The viewer opened on a scripted run, headless, with a clock that only the test moves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, NamedTuple

import pytest
from textual import events
from textual.pilot import Pilot

from bedside_tui.app import BedsideApp
from bedside_tui.sources.scripted import ScriptedSource
from bedside_tui.sources.source import Source

MESSAGES_DEEP = 3
"""Messages that may follow from one: a key goes to the application, then to the screen, and what it did is drawn after the refresh."""


class Clock:
    """Seconds, moved by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Opened(NamedTuple):
    """A viewer in use."""

    app: BedsideApp
    pilot: Pilot[None]
    clock: Clock

    @property
    def text(self) -> str:
        """What the run screen shows."""
        assert self.app.top is not None
        return self.app.top.rows.text

    @property
    def lines(self) -> list[str]:
        return self.text.split("\n")

    @property
    def dialog(self) -> str:
        """What the dialog on top shows."""
        return self.app.screen.rows.text  # type: ignore[attr-defined, no-any-return]

    @property
    def name(self) -> str:
        """The run screen in sight."""
        return next(name for name, screen in self.app.screens.items() if screen is self.app.top)

    async def press(self, *keys: str) -> None:
        """Keys by the terminal library's names or as characters. `Pilot.press` sleeps 50 ms a key; this waits until all is quiet."""
        for key in keys:
            character = " " if key == "space" else key if len(key) == 1 else None
            self.app.post_message(events.Key(key, character))
            await self.quiet()
        self.app.redraw()
        await self.quiet()

    async def quiet(self) -> None:
        """Wait until nothing is under way: the source is read, threads have done their work, messages and what they caused are handled.

        `Pilot.pause()` waits for 20 ms without work instead: most of a test's time, and no proof that a thread has had its turn.
        """
        async with asyncio.timeout(60):
            while True:
                for _ in range(MESSAGES_DEEP):
                    await self.pilot.pause(0)
                if not self._under_way():
                    return

    def _under_way(self) -> bool:
        source = self.app.viewing.source
        return (isinstance(source, ScriptedSource) and source.delivering) or not all(worker.is_finished for worker in self.app.workers)

    async def until(self, true: Callable[[], bool]) -> None:
        """Wait for something that a thread or the event loop is about to do; fails after a minute."""
        async with asyncio.timeout(60):
            while not true():
                self.app.redraw()
                await self.pilot.pause(0.01)

    async def seen(self, text: str) -> None:
        """Wait until the screen shows a text."""
        await self.until(lambda: text in self.text)


Open = Callable[..., AbstractAsyncContextManager[Opened]]


@pytest.fixture
def viewer() -> Open:
    """`async with viewer(source, size=(80, 24), **options) as opened`: everything written so far is read by then."""

    @asynccontextmanager
    async def opened(source: Source | None = None, *, size: tuple[int, int] = (80, 24), **options: Any) -> AsyncIterator[Opened]:
        clock = Clock()
        source = source if source is not None or "library" in options else ScriptedSource()
        app = BedsideApp(source, monotonic=clock, **options)
        async with app.run_test(size=size) as pilot:
            await asyncio.wait_for(app.settled.wait(), timeout=60)
            found = Opened(app, pilot, clock)
            await found.quiet()
            app.redraw()
            yield found

    return opened
