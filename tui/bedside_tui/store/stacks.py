"""Where the training was when somebody asked, when it stalled, and when it crashed."""

from __future__ import annotations

from collections.abc import Sequence

from bedside_protocol.records import HUB_RANK, Ended, StackTaken
from bedside_protocol.stacks import own_call, said_of
from bedside_tui.store.ledger import Ledger, Moment
from bedside_tui.store.stack_view import StackView
from bedside_tui.store.view import Mark


class StacksFold:
    """Stacks and tracebacks, in the order of the log. Of several ranks that were asked together each gives its own; they stand together."""

    __slots__ = ("_stacks",)

    def __init__(self) -> None:
        self._stacks: Ledger[tuple[StackView, ...]] = Ledger()

    def taken(self, moment: Moment, rank: int, body: StackTaken) -> Mark | None:
        """A stack was taken. Of several ranks that were asked together the first's has the mark for all."""
        whose = body.rank if rank == HUB_RANK else rank
        view = StackView(moment.time, body.step, body.why, body.threads, body.trouble, command=body.command, rank=whose)
        before = self.at(moment.position) if body.command else ()
        together = [other for other in before if other.command == body.command and other.rank != view.rank]
        self._stacks.add(moment.position, tuple(sorted((*together, view), key=lambda stack: stack.rank)))
        if whose and body.command:
            return None
        return Mark(moment.time, body.step, "stack", "≡", f"stack  {_where(body)}  ({body.why})", jump=False)

    def ended(self, moment: Moment, body: Ended) -> None:
        """The training's own goodbye: an exception brings its traceback."""
        if body.traceback:
            why = ": ".join(part for part in (body.exception, body.message) if part)
            self._stacks.add(moment.position, (StackView(moment.time, body.step, why, traceback=body.traceback),))

    def at(self, position: int) -> Sequence[StackView]:
        """The newest known at `position`, by rank."""
        return self._stacks.last_at(position) or ()


def _where(body: StackTaken) -> str:
    if here := own_call(body.threads):
        return said_of(here)
    seen = next((thread for thread in body.threads if thread.kernel), None)
    return f"{seen.name} {seen.kernel}" if seen is not None else "nothing is known of any thread"
