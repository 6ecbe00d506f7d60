"""How records reach the viewer, whatever they come from: a live hub, a recording, a file that grows, a script.

A source works on its own thread and hands over updates one after the other. It decides nothing about what records mean; the application
decides nothing about where they come from.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Condition
from typing import Literal, Protocol

from bedside_protocol.records import Record, Scalar, Verb
from bedside_tui.places import RunPlace

SourceState = Literal["connecting", "connected", "following", "ended", "unreachable"]
"""`following`: reading a file that may grow. `ended`: nothing more will come. `unreachable`: the run may live, the way to it does not."""


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """What is known about the way to the run. `detail` is a short sentence for the person, empty when all is well."""

    state: SourceState
    detail: str = ""
    heard: float | None = None
    """When the other end last gave a sign of life, in seconds of the monotonic clock; None where it never did."""
    complete: bool = True
    """Whether all that was written before we came has been delivered."""
    progress: float = 1.0
    """The share of it that has been, from 0 to 1."""


@dataclass(frozen=True, slots=True)
class Update:
    """One delivery: records in the order of the log, and the state of the way they came. Either may be all the news there is."""

    records: Sequence[Record] = field(default_factory=tuple)
    status: SourceStatus = SourceStatus("connected")


class Control(Protocol):
    """The way commands go up. What becomes of them arrives in the log, never as a return value."""

    def send(self, verb: Verb, arguments: Mapping[str, Scalar]) -> str:
        """Ask the run for `verb` and return the command's id at once; raises nothing. An id that the log never mentions was not heard."""


class Source(Protocol):
    """Where the records of one run come from."""

    @property
    def live(self) -> bool:
        """Whether the run may still be going on: the viewer then stands at now. Otherwise it is a recording and plays from its start."""

    @property
    def control(self) -> Control | None:
        """The way to ask things of the training; None where one can only look."""

    @property
    def place(self) -> RunPlace | None:
        """The recording that is read, None where it is on none of this machine's disks."""

    def start(self, deliver: Callable[[Update], None]) -> None:
        """Begin, on a thread of its own. `deliver` may block: that is how a slow viewer slows the reading, and nothing piles up."""

    def close(self) -> None:
        """Stop delivering and end the thread; safe to call twice, and before `start`."""


class Inbox:
    """Updates between the source's thread and the screen's: at most `capacity` wait, then the source waits.

    Nothing is dropped, because a source reads by place in the log and can read on later.
    """

    def __init__(self, capacity: int = 8) -> None:
        self._capacity = capacity
        self._waiting: deque[Update] = deque()
        self._changed = Condition()
        self._closed = False

    def __repr__(self) -> str:
        return f"<Inbox {len(self._waiting)}/{self._capacity} waiting{', closed' if self._closed else ''}>"

    def put(self, update: Update) -> bool:
        """Leave an update, waiting for room. True if it was the first waiting one, so that somebody must be told; False when closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or len(self._waiting) < self._capacity)
            if self._closed:
                return False
            self._waiting.append(update)
            self._changed.notify_all()
            return len(self._waiting) == 1

    def take(self, seconds: float = 0.0) -> Update | None:
        """The oldest waiting update; None where none waits, nor comes within so many seconds."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._waiting, seconds):
                return None
            update = self._waiting.popleft()
            self._changed.notify_all()
            return update

    def close(self) -> None:
        """Throw away what waits and let a waiting source go."""
        with self._changed:
            self._closed = True
            self._waiting.clear()
            self._changed.notify_all()
