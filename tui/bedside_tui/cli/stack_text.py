"""A stack as a command prints it: as text in the order of the screen, the innermost call first, and as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from bedside_protocol.records import StackFrame, StackTaken, ThreadStack
from bedside_tui.record_json import plain_json
from bedside_tui.store.clean import clean


def stack_text(stack: StackTaken) -> Iterator[str]:
    """The lines of a stack, each safe to print."""
    safe = clean(stack)
    assert isinstance(safe, StackTaken)
    for thread in safe.threads:
        yield from _thread(thread)


def _thread(thread: ThreadStack) -> Iterator[str]:
    yield f"{thread.name}  {thread.kernel}".rstrip()
    for frame in thread.frames:
        yield from _call(frame)
    if thread.left_out:
        yield f"  {thread.left_out:,} outer calls are not recorded"


def _call(frame: StackFrame) -> Iterator[str]:
    yield f"  {frame.file}:{frame.line} in {frame.function}"
    if frame.source:
        yield f"    {frame.source}"


def threads_json(stacks: Iterable[StackTaken]) -> list[Any]:
    """Their threads, as a record of the log has them."""
    return [plain_json(thread) for stack in stacks for thread in stack.threads]
