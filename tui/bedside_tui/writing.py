"""What the keys of the lab book do: a note at the moment shown, a verdict, tags; of the run in view, or of the one chosen in the list.

A living run's hub is asked as for any command. Into a recording it is written on a thread of its own: disks may be slow.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from bedside_protocol.lab_book import Arguments, BadEntry, Book, note_arguments, tags_between, verdict_arguments
from bedside_protocol.sanitise import text as safe
from bedside_tui.draw import number
from bedside_tui.lab_book import NotWritten, noted, write
from bedside_tui.moving import MovingViewer
from bedside_tui.run_row import RunRow
from bedside_tui.screens.dialogs import AskLine
from bedside_tui.screens.lab_book import AskVerdict
from bedside_tui.screens.runs import RunsScreen


@dataclass(frozen=True, slots=True)
class _Page:
    """A run's page in the book: what stands there, and how to write. `step`, `at`: the moment shown, None for the newest."""

    book: Book
    write: Callable[[Arguments], None]
    step: int | None = None
    at: float | None = None


class WritingViewer(MovingViewer, inherit_bindings=False):
    """A viewer with its keys of the lab book."""

    def action_note(self) -> None:
        """Pinned to the moment that is shown now, however long the typing takes."""
        if (page := self._page()) is None:
            return
        where = f" at step {number.count(page.step)}" if page.step is not None else ""

        def answered(text: str | None) -> None:
            if text is not None and text.strip():
                self._ask(page, lambda: note_arguments(text, page.step, page.at))

        self.push_screen(AskLine(self.look, f"note{where}"), answered)

    def action_verdict(self) -> None:
        """The verdict, to be given or changed; an empty line takes it back."""
        if (page := self._page()) is None:
            return

        def answered(text: str | None) -> None:
            if text is not None and text.strip() != page.book.verdict:
                self._ask(page, lambda: verdict_arguments(text))

        self.push_screen(AskVerdict(self.look, "verdict", page.book.verdict), answered)

    def action_tags(self) -> None:
        """All tags on one line; what is taken out of it is taken from the run."""
        if (page := self._page()) is None:
            return

        def answered(text: str | None) -> None:
            if text is not None:
                self._ask(page, lambda: tags_between(page.book.tags, text))

        self.push_screen(AskLine(self.look, "tags", " ".join(page.book.tags)), answered)

    def _page(self) -> _Page | None:
        """The page that is meant; None where nothing can be written, and then why is said."""
        row = self.top.chosen_row if isinstance(self.top, RunsScreen) else None
        if row is not None and not self._read_only:
            return _Page(Book(row.verdict, tags=row.tags), partial(self._write_row, row))
        if why := self.viewing.why_not_written():
            self.say(why, "amber")
            return None
        view = self.shown
        return _Page(self.viewing.store.at(None).book, self._write, view.step, view.time)

    def _ask(self, page: _Page, make: Callable[[], Arguments | None]) -> None:
        try:
            arguments = make()
        except BadEntry as error:
            self.say(safe(error, 500), "amber")
            return
        if arguments is not None:
            page.write(arguments)

    def _write(self, arguments: Arguments) -> None:
        place = self.viewing.recording
        if place is None:
            self.viewing.send("note", arguments, self._now())
            self.redraw()
        else:
            self._on_a_thread(lambda: write(place, arguments), arguments)

    def _write_row(self, row: RunRow, arguments: Arguments) -> None:
        library = self.library
        if library is not None:
            self._on_a_thread(lambda: library.write(row, arguments), arguments)

    def _on_a_thread(self, work: Callable[[], str], arguments: Arguments) -> None:
        self.run_worker(partial(self._work, work, arguments), thread=True, group="book", exit_on_error=False)

    def _work(self, work: Callable[[], str], arguments: Arguments) -> None:
        try:
            said = noted(arguments, work())
        except NotWritten as error:
            self.call_from_thread(self.say, safe(error, 500), "amber")
            return
        self.call_from_thread(self.say, said, "ok")
        self.call_from_thread(self.read_runs)
