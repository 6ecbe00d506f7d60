"""The stacks of a training's threads as values: paths shortened, bounded, read from the text that a native fault leaves.

Pure: who takes a stack, reads a file or draws it is elsewhere. What is bounded here is what one record holds: where a stack has too many
calls the innermost stay, because they tell where it hangs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Final, NamedTuple

from .messages import Order
from .records import StackFrame, ThreadStack
from .redact import redacted_text

MOST_THREADS: Final = 48
MOST_CALLS: Final = 50
"""Calls kept of one thread."""
MOST_FRAMES: Final = 1000
"""Calls kept of all threads: with their texts at their longest they are half of what a record may have."""
MOST_FAULT: Final = 256 << 10
"""Bytes read of the file of a native fault: a hundred threads of a hundred calls have fewer."""

_MOST_PATH: Final = 160
_MOST_NAME: Final = 100
_MOST_SOURCE: Final = 160
_LIBRARY: Final = re.compile(r"^(?:site-packages|dist-packages|python3\.\d+|<)")
_INSTALLED: Final = re.compile(r".*/((?:site|dist)-packages/.*)", re.S)
_STANDARD: Final = re.compile(r".*/lib(?:64)?/(python3\.\d+/.*)", re.S)
_UPLINK: Final = "bedside/uplink.py"

_TITLE: Final = re.compile(r"^Fatal Python error: (.*)$")
_THREAD: Final = re.compile(r"^(?P<current>Current thread|Thread) 0x[0-9a-f]+(?: \[(?P<name>.*)\])?.*\(most recent call first\)")
_CALL: Final = re.compile(r'^  File "(?P<file>.*)", line (?P<line>\d+|\?\?\?) in (?P<function>.*)$')


class Call(NamedTuple):
    """One call as Python names it."""

    file: str
    line: int
    function: str


class FaultThread(NamedTuple):
    """One thread at a native fault, its innermost call first."""

    name: str
    crashed: bool
    calls: list[Call]


class Fault(NamedTuple):
    """A native fault: `Segmentation fault`, and where the threads were, the one that crashed first."""

    title: str
    threads: tuple[FaultThread, ...]


def frame(call: Call, source: str, base: str) -> StackFrame:
    """One call as it is recorded. `source`: the text of its line; `base`: the directory the training works in, empty where unknown."""
    file = short_path(call.file, base)[-_MOST_PATH:]
    return StackFrame(file, call.line, call.function[:_MOST_NAME], redacted_text(source.strip())[:_MOST_SOURCE])


def short_path(path: str, base: str) -> str:
    """A path as one says it: below `base` from there, a library's from `site-packages` or `python3.11` on, others by their last parts."""
    for pattern in (_INSTALLED, _STANDARD):
        if found := pattern.match(path):
            return found[1]
    if base and path.startswith(base.rstrip("/") + "/"):
        return path[len(base.rstrip("/")) + 1 :]
    return path if path.count("/") < 3 else "…/" + "/".join(path.rsplit("/", 2)[-2:])


def is_library(frame: StackFrame) -> bool:
    """Whether a call is in Python itself or an installed package, and not in the script's own files."""
    return _LIBRARY.match(frame.file) is not None


def own_call(threads: Iterable[ThreadStack]) -> StackFrame | None:
    """Where the first thread is in the script's own files; in a library where it is in none of these; None without calls."""
    frames = next((thread.frames for thread in threads), ())
    return next((each for each in frames if not is_library(each)), frames[0] if frames else None)


def said_of(frame: StackFrame) -> str:
    """A call in one line: `train.py:42 in step  x = lock.acquire()`."""
    return f"{frame.file}:{frame.line} in {frame.function}" + (f"  {frame.source}" if frame.source else "")


def bounded(threads: Iterable[ThreadStack]) -> tuple[ThreadStack, ...]:
    """As many threads and calls as one record holds, the first threads before the later ones."""
    kept = []
    room = MOST_FRAMES
    for thread in list(threads)[:MOST_THREADS]:
        frames = thread.frames[: min(room, MOST_CALLS)]
        room -= len(frames)
        left_out = thread.left_out + len(thread.frames) - len(frames)
        kept.append(replace(thread, name=thread.name[:_MOST_NAME], frames=frames, left_out=left_out))
    return tuple(kept)


def asked_for(order: Order) -> str:
    """What an order for a stack is taken for, in words."""
    return str(order.arguments.get("why", ""))[:300] or f"asked by {order.who or 'somebody'}"


def read_fault(text: str) -> Fault:
    """What the text that `faulthandler` writes tells, perhaps cut; lines of other forms are passed over, and threads of ours left out."""
    title = ""
    threads: list[FaultThread] = []
    for row in text[:MOST_FAULT].splitlines():
        if head := _THREAD.match(row):
            current = head["current"] == "Current thread"
            name = head["name"] or ("the thread that crashed" if current else f"thread {len(threads) + 1}")
            threads.append(FaultThread(name, current, []))
        elif (call := _CALL.match(row)) and threads:
            threads[-1].calls.append(Call(call["file"], int(call["line"]) if call["line"].isdigit() else 0, call["function"]))
        elif found := _TITLE.match(row):
            title = title or found[1][:_MOST_NAME]
    kept = [thread for thread in threads if thread.crashed or not _is_ours(thread.calls)]
    return Fault(title, tuple(sorted(kept, key=lambda thread: not thread.crashed)))


def _is_ours(calls: Iterable[Call]) -> bool:
    return any(call.file.endswith(_UPLINK) for call in calls)
