"""What a run's log is made of.

A log is a sequence of `Record`s. A record says who speaks (`rank`; the hub is `HUB_RANK`), the speaker's own counter (from 1,
without holes), when (`time`, monotonic seconds since the run began) and one `Body`. The hub gives each record its `seq`, the place
in the log. Everything a screen, a rule or an export can know is one of these bodies; nothing else exists.

This file knows no bytes: `codec` turns records into frames and back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .metrics import Kind

HUB_RANK = -1

Scalar: TypeAlias = bool | int | float | str | None

Severity = Literal["amber", "red"]
AlertState = Literal["not_checked", "ok", "pending", "firing", "cleared"]
Lifecycle = Literal[
    "starting", "running", "paused", "stalled", "suspended",  # alive
    "finished", "stopped", "failed", "killed", "died", "lost",  # over
    "unreachable",  # only ever said by a viewer: the run may live, the way to it does not
]  # fmt: skip
Outcome = Literal["finished", "stopped", "failed", "exited"]
Verb = Literal[
    "pause", "resume", "step", "checkpoint", "stop", "cancel", "acknowledge", "shelve", "note", "snapshot", "rate", "notify", "stack",
]  # fmt: skip
CommandState = Literal["requested", "accepted", "scheduled", "applied", "failed", "expired", "refused", "cancelled"]
Meaning = Literal["histogram", "matrix", "table", "trajectory", "image"]
Direction = Literal["down", "up"]


@dataclass(frozen=True, slots=True)
class RunStarted:
    """The first record of a run (and of each continuation): who it is and where it lives."""

    id: str
    name: str
    project: str
    wall_start: float
    """Seconds since the epoch at `time` 0."""
    host: str = ""
    boot_id: str = ""
    pid: int = 0
    pid_start: int = 0
    """Start time of the process in clock ticks since boot (field 22 of /proc/PID/stat), 0 where unknown. With `boot_id` and `pid`
    it names one process for ever: pids are used again."""
    argv: tuple[str, ...] = ()
    config: Mapping[str, Scalar] = field(default_factory=dict)
    python: str = ""
    torch: str = ""
    bedside: str = ""
    git_commit: str = ""
    world_size: int = 1
    continues: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Metrics:
    """A block of logged values as columns.

    `names` (k), `steps` int64 (n), `times` float64 (n, seconds since the run began), `values` float64 (k, n). Every row has a
    value for every name; rows with other names are another block. NaN and infinities are data.
    """

    names: tuple[str, ...]
    steps: NDArray[np.int64]
    times: NDArray[np.float64]
    values: NDArray[np.float64]

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Metrics)
            and self.names == other.names
            and np.array_equal(self.steps, other.steps)
            and np.array_equal(self.times, other.times, equal_nan=True)
            and np.array_equal(self.values, other.values, equal_nan=True)
        )

    __hash__ = None  # type: ignore[assignment]


@dataclass(frozen=True, slots=True)
class MetricDefined:
    """The script says what the metrics named like `pattern` (a name or a glob) are. None: nothing is said of that."""

    pattern: str
    kind: Kind | None = None
    unit: str | None = None
    direction: Direction | None = None
    """Which way is better."""


@dataclass(frozen=True, slots=True)
class RulesDeclared:
    """The file of rules the run is judged by, whole: a recording can be judged the same way wherever it is read."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class ExpectationDeclared:
    """The script says what it expects of a metric, in the words of `alerts.expecting`."""

    text: str
    severity: Severity = "amber"
    """How bad it is if it does not come true."""


@dataclass(frozen=True, slots=True, eq=False)
class Array:
    """Numbers with their meaning: `values` of any shape, `labels` for the last axis where it has names (layers, classes), `rows` for
    the first of a matrix where that has (layers of heads)."""

    meaning: Meaning
    values: NDArray[np.generic]
    labels: tuple[str, ...] = ()
    rows: tuple[str, ...] = ()

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Array)
            and (self.meaning, self.labels, self.rows, self.values.dtype) == (other.meaning, other.labels, other.rows, other.values.dtype)
            and np.array_equal(self.values, other.values, equal_nan=self.values.dtype.kind == "f")
        )

    __hash__ = None  # type: ignore[assignment]


@dataclass(frozen=True, slots=True)
class ProbeDeclared:
    """A probe exists. `kind` names the quantity ("codebook", "gradients"), `every` its schedule in steps, `settings` its sizes."""

    probe: str
    kind: str
    every: int
    settings: Mapping[str, Scalar] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One measurement of one probe. `cost` is what it took of the training thread, in seconds."""

    probe: str
    kind: str
    step: int
    scalars: Mapping[str, float]
    arrays: Mapping[str, Array] = field(default_factory=dict)
    texts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Named lists of names: parameters without gradient, parameters in no optimizer."""
    cost: float = 0.0


@dataclass(frozen=True, slots=True)
class AlertChanged:
    """A rule changed its mind about a target (a metric's or a probe's name). `severity` is empty unless pending, firing or cleared."""

    rule: str
    target: str
    state: AlertState
    severity: Severity | Literal[""] = ""
    step: int = 0
    first_step: int = 0
    """The first step of the evidence of this episode, not of the report."""
    value: float = float("nan")
    message: str = ""
    """What a person reads: the finding when firing, the reason when not checked."""
    runbook: str = ""
    episode: int = 0


@dataclass(frozen=True, slots=True)
class AlertAcknowledged:
    """A person has seen it. `rule` and `target` empty: all that fire."""

    rule: str
    target: str
    who: str


@dataclass(frozen=True, slots=True)
class AlertShelved:
    """Somebody knows of it and does not want to be told for so many seconds of the log. It is judged on, and counts in the verdict."""

    rule: str
    target: str
    who: str
    seconds: float
    """0 takes it from the shelf."""


@dataclass(frozen=True, slots=True)
class CommandChanged:
    """One moment in the visible life of a command. `step` is the boundary it is scheduled for or was applied at, -1 before."""

    id: str
    verb: Verb
    state: CommandState
    who: str = ""
    detail: str = ""
    step: int = -1
    arguments: Mapping[str, Scalar] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CheckpointSaved:
    """A checkpoint is on disk. `verified`: written to a temporary name, synced and renamed by bedside itself."""

    path: str
    size: int
    step: int
    verified: bool = True
    seconds: float = 0.0
    command: str = ""


@dataclass(frozen=True, slots=True)
class Event:
    """A named mark on the timeline, made by the script: `reinit`, `epoch`, `phase`."""

    name: str
    step: int
    fields: Mapping[str, Scalar] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Note:
    """A person's remark at a moment."""

    text: str
    author: str
    step: int
    at: float | None = None
    """The moment it is pinned to, in seconds since the run began; None: the record's own."""
    wall: float = 0.0
    """Seconds since the epoch at which it was written after the run had ended; 0: while it lived, and then the record's time tells."""


@dataclass(frozen=True, slots=True)
class VerdictGiven:
    """A person's verdict on the run. The newest counts; an empty one takes it back. `wall` as in `Note`."""

    verdict: str
    who: str
    wall: float = 0.0


@dataclass(frozen=True, slots=True)
class TagsChanged:
    """Tags a person put on the run and took from it. Of each tag the newest word counts. `wall` as in `Note`."""

    added: tuple[str, ...]
    removed: tuple[str, ...]
    who: str
    wall: float = 0.0


@dataclass(frozen=True, slots=True)
class LifecycleChanged:
    """The hub's verdict about the process, with its reason in words."""

    state: Lifecycle
    reason: str = ""
    step: int = 0


@dataclass(frozen=True, slots=True)
class Tick:
    """The hub's clock, once a second: silence becomes data, so that a recording re-evaluates bit for bit."""

    step: int


@dataclass(frozen=True, slots=True)
class Problem:
    """Something bedside could not take, said once a distinct sentence; `count` is how often so far."""

    text: str
    count: int
    where: str = "agent"


@dataclass(frozen=True, slots=True)
class Lost:
    """`count` records of a speaker that never reached the log, and why."""

    count: int
    why: str


@dataclass(frozen=True, slots=True)
class Ended:
    """The training's own goodbye. `exited`: the interpreter ended without a word; the exit status decides."""

    outcome: Outcome
    step: int
    exception: str = ""
    message: str = ""
    traceback: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StackFrame:
    """One call that has not returned: it stands at `line` of `file`, whose path is shortened. `source` is the text of that line, empty
    where it could not be read. Values of variables are never recorded."""

    file: str
    line: int
    function: str
    source: str = ""


@dataclass(frozen=True, slots=True)
class ThreadStack:
    """Where one thread is: its calls, the innermost first."""

    name: str
    frames: tuple[StackFrame, ...] = ()
    kernel: str = ""
    """What the operating system says of it: `waits for a lock (futex_do_wait)`."""
    left_out: int = 0
    """Outer calls that are not among the frames."""


@dataclass(frozen=True, slots=True)
class StackTaken:
    """Where the threads of the training are, or were when it crashed; the one that trains, or crashed, comes first."""

    why: str
    """What it was taken for: `asked by ada`, `11: SIGSEGV`."""
    step: int
    threads: tuple[ThreadStack, ...]
    trouble: str = ""
    """Why no Python calls are in it, empty where they are."""
    command: str = ""
    """The command that asked for it, empty where none did."""
    rank: int = 0
    """Of which rank it is, where the hub tells of one that cannot; any other's is of the rank that says it."""


@dataclass(frozen=True, slots=True)
class RankStarted:
    """The first record of a rank other than 0, which speaks for the run: where it lives. As in `RunStarted`."""

    world_size: int
    host: str = ""
    pid: int = 0
    pid_start: int = 0


@dataclass(frozen=True, slots=True)
class RankCommand:
    """What one of several ranks says of a command. What became of it on all of them is the hub's `CommandChanged`."""

    id: str
    verb: Verb
    state: CommandState
    detail: str = ""
    step: int = -1


@dataclass(frozen=True, slots=True)
class RanksSeen:
    """How the ranks stood, as the hub saw them; once a second where there are several. The four tuples are of one length."""

    world_size: int
    ranks: tuple[int, ...]
    steps: tuple[int, ...]
    """Newest boundary passed."""
    silent: tuple[float, ...]
    """Seconds since the rank was last heard."""
    states: tuple[str, ...]
    """"running", "suspended", "silent", "finished", or how it ended: "killed (9: SIGKILL)"."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """A body this version cannot read, of a kind or with a value that came later: counted, never an error."""

    kind: str


Body: TypeAlias = (
    RunStarted | RulesDeclared | ExpectationDeclared | Metrics | MetricDefined | ProbeDeclared | Snapshot
    | AlertChanged | AlertAcknowledged | AlertShelved | CommandChanged | CheckpointSaved | Event | Note
    | VerdictGiven | TagsChanged | LifecycleChanged | Tick | Problem | Lost | Ended | StackTaken
    | RankStarted | RankCommand | RanksSeen | Unknown
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Record:
    """One entry of the log."""

    time: float
    body: Body
    rank: int = 0
    counter: int = 0
    seq: int = 0
    """Place in the log, from 1; 0 until the hub has given it one."""
