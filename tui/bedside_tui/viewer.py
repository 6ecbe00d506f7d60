"""The viewer's loop: it looks at one run at a time and draws the visible screen a few times a second.

What is known of the run is in `Viewing`, how it looks is in the screens, what keys do is in `app`. Here is only what needs the terminal:
the drawing, the screens, the colours, the list of runs, and the promise that nothing that fails while drawing ends the viewer.
"""

from __future__ import annotations

import asyncio
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import ClassVar

from rich.text import Text
from textual.app import App
from textual.message import Message
from textual.theme import Theme

from bedside_protocol.sanitise import text as safe
from bedside_tui.loading import let_go, set_aside
from bedside_tui.run_row import RunRow
from bedside_tui.screens.base import RunScreen
from bedside_tui.screens.runs import Library
from bedside_tui.sources.source import Source
from bedside_tui.theme import DARK, Palette, Tone
from bedside_tui.viewing import Viewing
from bedside_tui.widgets.rows import Look

FEEDING = 0.05
"""Seconds of reading between two looks at the keyboard while a long history comes in."""

CATCHING_UP = 1.0
"""Seconds between two drawings while what had been written before we came is still read: each would hold up the reading."""

RUNS_EVERY = 2.0
"""Seconds between two looks for runs while their list is in sight."""


class Viewer(App[None], inherit_bindings=False):
    """The viewer of one run after the other.

    `source` is the run to begin with; without one the list of `library` is shown. `fps`: drawings a second, 4, and 2 over SSH.
    `left`: the run's time when the person last left it, for the line "since you left". `monotonic`: the clock of ages and replays.
    """

    ENABLE_COMMAND_PALETTE = False
    SCREEN_TYPES: ClassVar[dict[str, type[RunScreen]]] = {}
    """The screens by name; `vitals` and `runs` are among them."""

    class Arrived(Message):
        """Updates wait in the inbox."""

    def __init__(
        self,
        source: Source | None = None,
        *,
        library: Library | None = None,
        read_only: bool = False,
        ascii: bool = False,
        palette: Palette = DARK,
        fps: float = 4.0,
        left: float | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(ansi_color=palette.ansi)
        self.look = Look(palette, ascii)
        self.library = library
        self.run_rows: Sequence[RunRow] = ()
        self.runs_read = False
        self._reading_runs = False
        self.metric = ""
        """The metric charts show, chosen on any screen."""
        self.pinned: list[str] = []
        """Metrics kept at the top of the vitals."""
        self._fps = fps
        self._read_only = read_only
        self._now = monotonic
        self.settled = asyncio.Event()
        """Set once all that had been written before we came is read, or the list of runs where no run is open."""
        self.screens: dict[str, RunScreen] = {}
        self._drawn: tuple[Viewing, float] | None = None
        """The run in the newest drawing that shows a record, and when that was."""
        self._read: Viewing | None = None
        """The run of which all that had been written is read."""
        self.viewing = Viewing(source, self._now(), read_only=read_only, left=left)

    # --- the loop

    def on_mount(self) -> None:
        self.paint(self.look.palette)
        self.screens = {name: kind(self.look) for name, kind in self.SCREEN_TYPES.items()}
        for name, screen in self.screens.items():
            self.install_screen(screen, name)
        nothing_open = self.viewing.source is None and self.library is not None
        self.push_screen("runs" if nothing_open else "vitals")
        self.viewing.start(self._arrived)
        self.set_interval(1 / self._fps, self.beat)
        if self.library is not None:
            self.set_interval(RUNS_EVERY, self.read_runs)
            self.read_runs()

    def on_unmount(self) -> None:
        self.viewing.close()
        let_go()

    def _arrived(self) -> None:
        self.post_message(self.Arrived())

    def on_viewer_arrived(self) -> None:
        """Read what came, and let the keyboard have its turn when it is much. The first that there is to see is shown at once."""
        more = self.viewing.take(self._now, FEEDING)
        if self.viewing.store.records and (self._drawn is None or self._drawn[0] is not self.viewing):
            self.redraw()
        if more:
            self.post_message(self.Arrived())
        elif self.viewing.status.complete and self._read is not self.viewing:
            self._read = self.viewing
            self.settled.set()
            self.redraw()
            self.read_runs()
            set_aside()

    @property
    def top(self) -> RunScreen | None:
        """The run screen in sight, below any dialog."""
        return next((screen for screen in reversed(self.screen_stack) if isinstance(screen, RunScreen)), None)

    def beat(self) -> None:
        """It is time for another drawing; while a history is read, only now and then."""
        if self.viewing.status.complete or self._drawn is None or self._now() >= self._drawn[1] + CATCHING_UP:
            self.redraw()

    def redraw(self) -> None:
        """Draw the visible screen as things stand. What fails is said in its place and tried again at the next beat."""
        screen = self.top
        if screen is None or not self.is_running:
            return
        if self.viewing.store.records:
            self._drawn = self.viewing, self._now()
        try:
            look = self.look
            heat = () if look.ascii else look.palette.heat
            frame = replace(self.viewing.frame(self._now()), ascii=look.ascii, colours=look.palette.name != "mono", heat=heat)
            screen.draw(frame, look)
        except Exception as error:  # noqa: BLE001 - a drawing that fails must not end the one view of a failing training
            place = traceback.extract_tb(error.__traceback__)[-1]
            where = f"{place.filename.rpartition('/')[2]}:{place.lineno}"
            screen.draw_failure(safe(f"this screen could not be drawn: {type(error).__name__}: {error} ({where})"), self.look)

    def say(self, text: str, tone: Tone = "plain") -> None:
        """One line to the person."""
        self.viewing.say(text, tone, self._now())
        self.redraw()

    def paint(self, palette: Palette) -> None:
        """Use these colours from here on."""
        self.look = Look(palette, self.look.ascii)
        if palette.ansi:
            self.theme = "ansi-dark"  # the terminal's own colours, whichever they are
        else:
            name = f"bedside-{palette.name}"
            ink, ground = palette.tones["plain"].color, palette.background
            self.register_theme(Theme(name, primary=ink.name if ink else "white", background=ground, surface=ground, dark=palette.dark))
            self.theme = name
        self.ansi_color = palette.ansi

    def _fatal_error(self) -> None:
        """After a failure outside of drawing: the traceback without locals, which may hold keys, and without escape sequences."""
        lines = [safe(part, 400) for part in traceback.format_exc().splitlines()]
        self._exit_renderables.append(Text("\n".join(["the viewer failed; the training goes on", "", *lines])))
        self._close_messages_no_wait()

    # --- runs

    def read_runs(self) -> None:
        """Have the list read on a thread of its own, where it is in sight, or was never read and the run that is open has been."""
        wanted = (self.settled.is_set() and not self.runs_read) or (self.top is not None and self.top.lists_runs)
        if self.library is not None and wanted and not self._reading_runs:
            self._reading_runs = True
            self.run_worker(self._read_runs, thread=True, exclusive=True, group="runs", exit_on_error=False)

    def _read_runs(self) -> None:
        try:
            if self.library is not None:
                rows = tuple(self.library.rows())
                self.call_from_thread(self._show_runs, rows)
        finally:
            self._reading_runs = False

    def _show_runs(self, rows: Sequence[RunRow]) -> None:
        self.run_rows, self.runs_read = rows, True
        if self.viewing.source is None:
            self.settled.set()
        self.redraw()

    def open_run(self, row: RunRow) -> None:
        """Look at another run; the one looked at so far is let go, and does not notice."""
        if self.library is None:
            return
        try:
            source = self.library.open(row)
        except OSError as error:
            self.say(safe(f"{row.title} cannot be opened: {error}"), "amber")
            return
        self.viewing.close()
        let_go()
        self.viewing = Viewing(source, self._now(), read_only=self._read_only)
        self.metric = ""
        self.viewing.start(self._arrived)
        self.show("vitals")

    # --- screens

    def show(self, name: str) -> None:
        """Another screen of the same run, or the list of runs."""
        screen = self.screens.get(name)
        if screen is not None and self.top is not screen:
            self.switch_screen(screen)
            self.call_after_refresh(self.redraw)
        else:
            self.redraw()
