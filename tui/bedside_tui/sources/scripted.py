"""A source that plays a list of records: for pictures, documentation, tests, and for trying the viewer without a training.

It is a real source in every respect the application can see: its own thread, updates, a control whose commands live a visible life.
What a run would answer to a command is a small function here, `answer`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import count
from queue import Queue

from bedside_protocol.commands import FOR_TRAINING
from bedside_protocol.lab_book import entry_of
from bedside_protocol.records import (
    HUB_RANK,
    AlertAcknowledged,
    AlertShelved,
    Body,
    CheckpointSaved,
    CommandChanged,
    Ended,
    Event,
    LifecycleChanged,
    Metrics,
    ProbeDeclared,
    Record,
    RunStarted,
    Scalar,
    Snapshot,
    Verb,
)
from bedside_tui.sources.scripted_stack import waiting_for_data
from bedside_tui.sources.source import Control, SourceStatus, Update

CONNECTED = SourceStatus("connected")

OF_THE_AGENT = (RunStarted, Metrics, ProbeDeclared, Snapshot, CheckpointSaved, Event, Ended)
"""What the training itself says; the rest is the hub's."""

BLOCK = 256
"""Records an update: as many as a hub's answer holds, roughly."""


def answer(verb: Verb, arguments: Mapping[str, Scalar], command: str, step: int) -> Iterator[Body]:
    """What a willing run with a checkpoint handler writes to its log about a command, in order."""
    who = "you"
    if verb == "note":
        yield entry_of(arguments, who, step)
        return
    if verb == "acknowledge":
        yield AlertAcknowledged(str(arguments.get("rule", "")), str(arguments.get("target", "")), who)
        return
    if verb == "shelve":
        rule, target, seconds = (arguments.get(name) for name in ("rule", "target", "seconds"))
        yield AlertShelved(str(rule), str(target), who, float(seconds or 0.0))
        return
    yield CommandChanged(command, verb, "accepted", who)
    if verb == "stack":
        yield waiting_for_data(f"asked by {who}", step, command)
        yield CommandChanged(command, verb, "applied", who, step=step)
        return
    yield CommandChanged(command, verb, "scheduled", who, step=step + 1)
    if verb == "checkpoint" or arguments.get("checkpoint"):
        path = f"ckpt/step_{step + 1:06d}.pt"
        yield CheckpointSaved(path, 48_200_000, step + 1, seconds=0.21, command=command)
        yield CommandChanged(command, verb, "applied", who, f"saved {path}", step + 1)
    else:
        yield CommandChanged(command, verb, "applied", who, step=step + 1)
    if verb in ("pause", "resume"):
        yield LifecycleChanged("paused" if verb == "pause" else "running", f"asked by {who}", step + 1)
    elif verb == "stop":
        yield LifecycleChanged("stopped", f"asked by {who}", step + 1)


class ScriptedControl:
    """Commands to a scripted run. `sent` keeps what was asked; with `answering` false the run has heard it and says no more."""

    def __init__(
        self, say: Callable[[Sequence[Body]], None], step: Callable[[], int], answering: bool = True, records: Sequence[Record] = ()
    ) -> None:
        self.sent: list[tuple[Verb, dict[str, Scalar]]] = []
        self._say = say
        self._step = step
        self._answering = answering
        self._numbers = count(1)
        self._probes: dict[str, tuple[ProbeDeclared | None, Snapshot | None]] = {}
        for record in records:
            if isinstance(record.body, ProbeDeclared):
                self._probes[record.body.probe] = (record.body, None)
            elif isinstance(record.body, Snapshot):
                self._probes[record.body.probe] = (self._probes.get(record.body.probe, (None, None))[0], record.body)

    def send(self, verb: Verb, arguments: Mapping[str, Scalar]) -> str:
        command = f"scripted-{next(self._numbers)}"
        self.sent.append((verb, dict(arguments)))
        life: list[Body] = []
        if verb in FOR_TRAINING:
            life.append(CommandChanged(command, verb, "requested", "you", arguments=dict(arguments)))
        if self._answering:
            life += self._probed(verb, arguments)
            life += answer(verb, arguments, command, self._step())
        self._say(life)
        return command

    def _probed(self, verb: Verb, arguments: Mapping[str, Scalar]) -> Iterator[Body]:
        """A probe that is asked measures what it measured last; one whose rate is changed declares itself anew."""
        declared, measured = self._probes.get(str(arguments.get("probe")), (None, None))
        if verb == "rate" and declared is not None:
            yield replace(declared, every=int(arguments.get("every") or 0))
        elif verb == "snapshot" and measured is not None:
            yield replace(measured, step=self._step() + 1)


class ScriptedSource:
    """Delivers `records` at once, then whatever is `say`d, until closed.

    `live` false plays as a recording (and has no control); `control` false is a live run one may only look at.
    """

    def __init__(
        self,
        records: Sequence[Record] = (),
        *,
        live: bool = True,
        control: bool = True,
        answering: bool = True,
        status: SourceStatus = CONNECTED,
    ) -> None:
        self.live = live
        self.scripted_control = ScriptedControl(self._say_now, lambda: self._step, answering, records)
        self._has_control = control and live
        self._records = list(records)
        self._time = max((record.time for record in records), default=0.0)
        self._step = max((last_step(record.body) for record in records), default=0)
        self._seq = len(self._records)
        self._status = status
        self._waiting: Queue[Update | None] = Queue()
        self._thread: threading.Thread | None = None

    def __repr__(self) -> str:
        return f"<ScriptedSource {'live' if self.live else 'recorded'}, {self._seq} records>"

    @property
    def control(self) -> Control | None:
        return self.scripted_control if self._has_control else None

    @property
    def place(self) -> None:
        return None

    def start(self, deliver: Callable[[Update], None]) -> None:
        for first in range(0, len(self._records), BLOCK):
            read = replace(self._status, complete=False, progress=first / len(self._records))
            self._waiting.put(Update(self._records[first : first + BLOCK], read))
        self._waiting.put(Update((), self._status))
        self._thread = threading.Thread(target=self._play, args=(deliver,), name="scripted source", daemon=True)
        self._thread.start()

    def _play(self, deliver: Callable[[Update], None]) -> None:
        while (update := self._waiting.get()) is not None:
            deliver(update)
            self._waiting.task_done()

    @property
    def delivering(self) -> bool:
        """Whether something that was said has not been delivered yet."""
        return self._waiting.unfinished_tasks > 0

    def say(self, *bodies: Body, after: float = 0.1) -> None:
        """Let the run say these things, `after` seconds of run time later, as the hub would have written them."""
        self._time += after
        self._say_now(bodies)

    def report(self, status: SourceStatus) -> None:
        """Let the way to the run change."""
        self._status = status
        self._waiting.put(Update((), status))

    def _say_now(self, bodies: Sequence[Body]) -> None:
        records = []
        for body in bodies:
            self._seq += 1
            self._step = max(self._step, last_step(body))
            rank = 0 if isinstance(body, OF_THE_AGENT) else HUB_RANK
            records.append(Record(self._time, body, rank, self._seq, self._seq))
        self._waiting.put(Update(records, self._status))

    def close(self) -> None:
        self._waiting.put(None)
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout=2.0)


def last_step(body: Body) -> int:
    """The newest step a body speaks of, 0 where it speaks of none."""
    if isinstance(body, Metrics):
        return int(body.steps[-1]) if len(body.steps) else 0
    return max(0, int(getattr(body, "step", 0)))
