"""What people wrote into the lab book of the run, as entries of the timeline, and the verdict and the tags at any place in the log."""

from __future__ import annotations

import math

from bedside_protocol.lab_book import Book, said_of
from bedside_protocol.records import Note, Record, TagsChanged, VerdictGiven
from bedside_tui.store.ledger import Ledger, Moment
from bedside_tui.store.view import Mark

_NOTHING = Book()


class BookFold:
    """The book's pages after each record that changed them. Notes are kept by the timeline alone."""

    __slots__ = ("_pages",)

    def __init__(self) -> None:
        self._pages: Ledger[Book] = Ledger()

    def noted(self, moment: Moment, body: Note) -> Mark:
        """A remark, at the moment it is pinned to: none that is still to come."""
        at = moment.time if body.at is None or not math.isfinite(body.at) else min(max(body.at, 0.0), moment.time)
        return Mark(at, body.step, "note", "✎", _said(body.author, body.text))

    def judged(self, moment: Moment, body: VerdictGiven) -> Mark:
        return self._write(moment, body)

    def tagged(self, moment: Moment, body: TagsChanged) -> Mark:
        return self._write(moment, body)

    def _write(self, moment: Moment, body: VerdictGiven | TagsChanged) -> Mark:
        page = self._pages.last_at(moment.position) or _NOTHING
        self._pages.add(moment.position, page.having(Record(moment.time, body)))
        return Mark(moment.time, moment.step, "note", "✎", _said(body.who, said_of(body)), jump=False)

    def at(self, position: int) -> Book:
        """The verdict and the tags known at `position`."""
        return self._pages.last_at(position) or _NOTHING


def _said(who: str, text: str) -> str:
    return f"{who}: {text}" if who else text
