"""The stacks of this process's threads, taken on demand: the command `stack`, answered beside the training thread, which may hang.

The uplink thread takes them: it needs nothing of the training thread but the interpreter lock for a moment. Where a native call keeps that
lock nothing here runs, and the hub answers instead. (`faulthandler.dump_traceback_later` would write even then, but there is one a process,
which may be the script's, and a child forked while it waits hangs as it exits.) Files and lines are recorded, values of variables never.
"""

from __future__ import annotations

import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from types import FrameType
from typing import Final

from bedside_protocol.messages import Order
from bedside_protocol.records import Body, CommandChanged, CommandState, StackTaken, ThreadStack
from bedside_protocol.stacks import MOST_CALLS, MOST_THREADS, Call, asked_for, bounded, frame

from .kernel_view import thread_of
from .source_lines import OWN, Place, lines_of

_REMEMBERED: Final = 100
"""Ids of orders kept, so that one delivered twice is answered once."""
_MOST_OUTER: Final = 10_000
"""Outer calls counted: a recursion without end has more."""


class Stacks:
    """Answers orders for a stack. Made by the training thread, whose stack comes first.

    Of several ranks each takes its own; the first alone speaks of the command.
    """

    def __init__(self, say: Callable[[Body], None], step: Callable[[], int], rank: int = 0) -> None:
        self._say = say
        self._step = step
        self._rank = rank
        self._training = threading.get_ident()
        self._seen: deque[str] = deque(maxlen=_REMEMBERED)

    def __repr__(self) -> str:
        return f"<Stacks {len(self._seen)} asked for>"

    def answers(self, order: Order) -> bool:
        """Answer `order` at once where it asks for a stack; False where it asks for something else."""
        if order.verb != "stack":
            return False
        if order.id not in self._seen:
            self._seen.append(order.id)
            self._answer(order)
        return True

    def _answer(self, order: Order) -> None:
        self._report(order, "accepted")
        try:
            step = self._step()
            self._say(StackTaken(asked_for(order), step, taken(self._training), command=order.id))
        except Exception as error:  # whatever a thread of the script's is called, or its files are
            self._report(order, "failed", f"the stack could not be read: {type(error).__name__}: {error}")
        else:
            self._report(order, "applied", step=step)

    def _report(self, order: Order, state: CommandState, detail: str = "", step: int = -1) -> None:
        if self._rank == 0:
            self._say(CommandChanged(order.id, "stack", state, order.who, detail, step, dict(order.arguments)))


def taken(training: int) -> tuple[ThreadStack, ...]:
    """Where the threads of this process are now, the one with the identifier `training` first, ours left out."""
    calls = {ident: _calls(top) for ident, top in sys._current_frames().items()}
    known = dict(getattr(threading, "_active", {}))  # enumerate() takes a lock that the thread that hangs may hold
    first = training if training in calls else threading.main_thread().ident
    threads = sorted(calls, key=lambda ident: ident != first)
    threads = [ident for ident in threads if ident not in known or not known[ident].name.startswith(OWN)][:MOST_THREADS]
    lines = lines_of((call.file, call.line) for ident in threads for call in calls[ident][0])
    base = _base()
    return bounded(_thread(known.get(ident), *calls[ident], lines, base) for ident in threads)


def _thread(thread: threading.Thread | None, calls: list[Call], left_out: int, lines: Mapping[Place, str], base: str) -> ThreadStack:
    frames = tuple(frame(call, lines.get((call.file, call.line), ""), base) for call in calls)
    seen = thread_of("self", thread.native_id) if thread is not None and thread.native_id else None
    name = str(thread.name) if thread is not None else "a thread without a name in Python"
    return ThreadStack(name, frames, seen.doing if seen is not None else "", left_out)


def _calls(top: FrameType) -> tuple[list[Call], int]:
    """The calls of a stack, the innermost first, as many as are kept, and how many more there are."""
    kept = [Call(each.f_code.co_filename, each.f_lineno or 0, each.f_code.co_qualname) for each in islice(_outwards(top), MOST_CALLS)]
    return kept, sum(1 for _ in islice(_outwards(top), MOST_CALLS, _MOST_OUTER))


def _outwards(top: FrameType | None) -> Iterator[FrameType]:
    while top is not None:
        yield top
        top = top.f_back


def _base() -> str:
    try:
        return os.getcwd()
    except OSError:  # it was removed
        return ""
