"""A stack as lines: every thread with its calls, the innermost first, the script's own standing out from those of libraries."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from bedside_protocol.records import StackFrame, ThreadStack
from bedside_protocol.stacks import is_library, own_call
from bedside_tui.draw import number
from bedside_tui.store.stack_view import StackView
from bedside_tui.theme import Tone
from bedside_tui.widgets.lines import Line, line, pad, pointed, wrapped

COLUMNS = 110
"""Columns from which a call is one line; below, the text of its line stands under it."""
_FUNCTION = 5
"""One part of so many of the width that a function's name may take: methods of libraries have long ones."""


def stack_lines(stack: StackView, width: int, wanted: Callable[..., bool] = lambda *texts: True) -> list[Line]:
    """All of a stack; with `wanted` the threads in which some text passes it."""
    lines: list[Line] = [line((f"   {part}", "amber")) for part in wrapped(stack.trouble, width - 6)]
    lines += [line(f"   {text}") for text in stack.traceback if wanted(text)]
    here = own_call(stack.threads)
    places = [len(_place(frame)) for thread in stack.threads for frame in thread.frames]
    where = min(max(places, default=0), width * 2 // 5)
    for place, thread in enumerate(stack.threads):
        if wanted(thread.name, thread.kernel, *(text for frame in thread.frames for text in (frame.file, frame.function, frame.source))):
            lines += [(), *_thread(thread, here if not place else None, where, width)]
    return lines[1:] if lines[:1] == [()] else lines


def _thread(thread: ThreadStack, here: StackFrame | None, where: int, width: int) -> Iterator[Line]:
    yield line((f"   {thread.name}", "strong"), (f"  {thread.kernel}", "quiet"))
    for frame in thread.frames:
        rows = _call(frame, frame is here, where, width)
        yield from [pointed(rows[0]), *rows[1:]] if frame is here else rows
    if thread.left_out:
        yield line((f"     {number.count(thread.left_out)} outer calls are not recorded", "quiet"))


def _call(frame: StackFrame, is_here: bool, where: int, width: int) -> Sequence[Line]:
    """` train.py:42  forward  lock.acquire()`, in one line or two."""
    tone: Tone = "strong" if is_here else "quiet" if is_library(frame) else "plain"
    if width >= COLUMNS:
        return [line((f"     {pad(_place(frame), where)}  {pad(frame.function, width // _FUNCTION)}  {frame.source}", tone))]
    head = line((f"     {_place(frame)}", tone), (f" in {frame.function}", "quiet"))
    return [head, line((f"         {frame.source}", tone))] if frame.source else [head]


def _place(frame: StackFrame) -> str:
    return f"{frame.file}:{frame.line}" if frame.line else frame.file
