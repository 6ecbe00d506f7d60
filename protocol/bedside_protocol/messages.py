"""What agent, hub and viewer say to each other over their sockets. One message a frame; `codec` knows the bytes.

The hub answers; it never queues for a viewer. A viewer asks for what follows a byte offset and gets the very bytes of the log.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from .records import Lifecycle, Scalar, Verb

VERSION = 1
"""Of the conversation, said by whoever begins (`Hello`, `Read`). Another is refused in one line; a `Refusal` stays the same."""

# --- agent → hub


@dataclass(frozen=True, slots=True)
class Hello:
    """An agent is there (again). `pid` and `pid_start` name the process whose life the hub shall watch. What was acknowledged up to `acked`
    is not there to be sent again."""

    run: str
    rank: int
    version: int
    pid: int
    pid_start: int
    acked: int = 0


@dataclass(frozen=True, slots=True)
class Batch:
    """Encoded records of one rank, in the order of their counters."""

    rank: int
    frames: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Beat:
    """The agent's thread lives. `step` is the newest boundary passed; `waiting` the records not yet acknowledged."""

    rank: int
    step: int
    waiting: int


@dataclass(frozen=True, slots=True)
class Armed:
    """What a rank says of an order that all ranks shall carry out at one step.

    *ready*: it will stand still at `at` (0: it was only asked for its step). *past*: it is beyond that. *done*: it has carried it out, at
    `at`. *refused*: `why` says the reason. `step` is the newest boundary passed, `stands` whether the training stands still there.
    """

    rank: int
    id: str
    at: int
    step: int
    state: Literal["ready", "past", "done", "refused"]
    stands: bool = False
    why: str = ""


# --- hub → agent


@dataclass(frozen=True, slots=True)
class Welcome:
    """The hub knows this rank up to `counter`: what follows must be sent (again)."""

    counter: int


@dataclass(frozen=True, slots=True)
class Ack:
    """Everything up to `counter` is written."""

    counter: int


@dataclass(frozen=True, slots=True)
class Order:
    """A command for the training; orders are idempotent by id. `at`: the step that all ranks have agreed upon, 0 for the next."""

    id: str
    verb: Verb
    who: str
    arguments: Mapping[str, Scalar] = field(default_factory=dict)
    at: int = 0


@dataclass(frozen=True, slots=True)
class Arm:
    """To each of several ranks: stand still at the boundary of step `at` for this order, and say whether that is still ahead. 0: say your
    step."""

    id: str
    verb: Verb
    who: str
    arguments: Mapping[str, Scalar] = field(default_factory=dict)
    at: int = 0


@dataclass(frozen=True, slots=True)
class Settled:
    """The order is over on all ranks, or will not happen: go on. `stop`: all have saved, leave the loop now."""

    id: str
    stop: bool = False


# --- viewer → hub


@dataclass(frozen=True, slots=True)
class Read:
    """Give me at most `limit` bytes of the log from `offset`; answer when there are some, or after a second."""

    offset: int
    limit: int
    version: int = 1
    """Of the conversation; those who do not say speak the first."""


@dataclass(frozen=True, slots=True)
class Ask:
    """An operator's command. It names its run and expires: a stale one never reaches another run."""

    run: str
    id: str
    verb: Verb
    who: str
    arguments: Mapping[str, Scalar] = field(default_factory=dict)
    expires_in: float = 30.0
    """Seconds until the training must have accepted it: from the asking where the hub can tell when that was, else from its arrival."""
    boot: str = ""
    asked: float = 0.0
    """The asker's monotonic clock at the key press, and the boot of the machine it belongs to. A hub of the same boot reads the same clock,
    so a command that lay in the buffers of a stopped hub is old when it wakes; to a hub elsewhere this says nothing."""


# --- hub → viewer


@dataclass(frozen=True, slots=True)
class Bytes:
    """Bytes of the log. `end`: what was written when answering; `over`: the hub leaves, nothing will follow `end`."""

    offset: int
    data: bytes
    end: int
    now: float
    """The run's clock at the hub, seconds: the age of the newest record is `now` minus its time."""
    over: bool = False
    trouble: str = ""
    """What keeps the hub from recording, in one sentence; empty while all is written."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Whether the hub took a command, and if not, why. What becomes of it is in the log."""

    id: str
    taken: bool
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Refusal:
    """This conversation cannot go on, in one sentence."""

    why: str


# --- viewer → proxy, the process that speaks for a run at the far end of a link, beside what it passes on to the hub


@dataclass(frozen=True, slots=True)
class Judge:
    """How is the run, to a reader on your machine? Asked where no hub answers and the log tells no ending."""


# --- proxy → viewer, beside what it passes on from the hub


@dataclass(frozen=True, slots=True)
class Here:
    """The proxy lives: said first, and each second from then on, so that silence means a link that hangs.

    `clock`: monotonic seconds of its machine, in the boot `boot`. With them a viewer elsewhere tells when a command was asked in terms
    that the hub understands: too early by what the link takes, never too late.
    """

    run: str
    boot: str
    clock: float


@dataclass(frozen=True, slots=True)
class Kept:
    """Bytes of the log as its file has them: no hub answers. `end`: the file's size; `silence`: seconds since it was last written to."""

    offset: int
    data: bytes
    end: int
    silence: float


@dataclass(frozen=True, slots=True)
class Judged:
    """What a reader on the proxy's machine makes of a log without an ending: files and processes there tell what its bytes cannot."""

    state: Lifecycle
    reason: str


@dataclass(frozen=True, slots=True)
class Listed:
    """The runs of the proxy's machine, as a table of text."""

    table: str


Message: TypeAlias = (
    Hello
    | Batch
    | Beat
    | Armed
    | Welcome
    | Ack
    | Order
    | Arm
    | Settled
    | Read
    | Ask
    | Bytes
    | Answer
    | Refusal
    | Judge
    | Here
    | Kept
    | Judged
    | Listed
)
