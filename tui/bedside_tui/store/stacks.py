"""Where the training was when somebody asked, when it stalled, and when it crashed."""

from __future__ import annotations

from dataclasses import replace

from bedside_protocol.records import Ended, StackTaken
from bedside_protocol.stacks import own_call, said_of
from bedside_tui.store.ledger import Ledger, Moment
from bedside_tui.store.ranks import SPEAKERS
from bedside_tui.store.view import Mark, StackView


class StacksFold:
    """Stacks and tracebacks, in the order of the log."""

    __slots__ = ("_stacks",)

    def __init__(self) -> None:
        self._stacks: Ledger[StackView] = Ledger()

    def taken(self, moment: Moment, rank: int, body: StackTaken) -> Mark | None:
        """A stack was taken. Of several ranks that were asked together each gives its own, and they stand together."""
        of_run = rank in SPEAKERS
        threads = body.threads if of_run else tuple(replace(each, name=f"rank {rank} · {each.name}") for each in body.threads)
        view = StackView(moment.time, body.step, body.why, threads, body.trouble, command=body.command)
        before = self._stacks.last_at(moment.position)
        if before is not None and body.command and before.command == body.command:
            view = replace(view if of_run else before, threads=(*threads, *before.threads) if of_run else (*before.threads, *threads))
        self._stacks.add(moment.position, view)
        return Mark(moment.time, body.step, "stack", "≡", f"stack  {_where(body)}  ({body.why})", jump=False) if of_run else None

    def ended(self, moment: Moment, body: Ended) -> None:
        """The training's own goodbye: an exception brings its traceback."""
        if body.traceback:
            why = ": ".join(part for part in (body.exception, body.message) if part)
            self._stacks.add(moment.position, StackView(moment.time, body.step, why, traceback=body.traceback))

    def at(self, position: int) -> StackView | None:
        """The newest known at `position`."""
        return self._stacks.last_at(position)


def _where(body: StackTaken) -> str:
    if here := own_call(body.threads):
        return said_of(here)
    seen = next((thread for thread in body.threads if thread.kernel), None)
    return f"{seen.name} {seen.kernel}" if seen is not None else "nothing is known of any thread"
