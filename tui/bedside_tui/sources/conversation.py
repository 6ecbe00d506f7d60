"""A viewer's side of the talk about one run, whatever carries it: which bytes of the log come next, what they tell, what was asked.

No socket, no process, no thread, and no clock but the one that stamps a key press.
"""

from __future__ import annotations

import queue
import secrets
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from bedside_protocol.messages import VERSION, Answer, Read
from bedside_protocol.records import CommandChanged, Record, Scalar, Verb
from bedside_protocol.runlog import Decoder
from bedside_tui.liveness import LastWord
from bedside_tui.sources.replay import records_of
from bedside_tui.sources.source import SourceState, SourceStatus
from bedside_tui.whoami import whoami

READ: Final = 512 << 10
"""Bytes of the log asked for at once."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A command on its way up, and when the key was pressed, by the monotonic clock."""

    id: str
    verb: Verb
    arguments: dict[str, Scalar]
    asked: float


class LiveControl:
    """Commands on their way up; the source's thread sends them."""

    def __init__(self) -> None:
        self._outbox: queue.SimpleQueue[Wanted] = queue.SimpleQueue()

    def send(self, verb: Verb, arguments: Mapping[str, Scalar]) -> str:
        """Ask for `verb`; the id under which the log will speak of it."""
        name = secrets.token_hex(6)
        self._outbox.put(Wanted(name, verb, dict(arguments), time.monotonic()))
        return name

    def waiting(self) -> Iterator[Wanted]:
        """The commands that wait, each given once."""
        while not self._outbox.empty():
            yield self._outbox.get()


class Conversation:
    """What has been read of one log so far, and which commands still have no answer. `start`: the byte it is read from."""

    def __init__(self, control: LiveControl | None, start: int = 0) -> None:
        self.decoder = Decoder(start)
        self.word = LastWord()
        self.last_time = 0.0
        self.seq = 0
        """Place in the log of the newest record."""
        self.told = SourceStatus("connecting")
        """The way to the run as it was when something last came from there."""
        self._control = control
        self._ahead = 0
        self._asked: dict[str, Verb] = {}

    def __repr__(self) -> str:
        return f"<Conversation, {self.decoder!r}>"

    @property
    def reached(self) -> int:
        """The byte that is asked for next."""
        return self.decoder.offset + self._ahead

    def tell(self, status: SourceStatus) -> SourceStatus:
        """This status, which something that came from the run has made."""
        self.told = status
        return status

    def away(self, state: SourceState, detail: str = "") -> SourceStatus:
        """What is told while nothing comes: how much had been read, and when the run was last heard, stay as they were."""
        return replace(self.told, state=state, detail=detail)

    def next_read(self) -> Read:
        """What to ask for."""
        return Read(self.reached, READ, VERSION)

    def take(self, offset: int, data: bytes) -> list[Record]:
        """The records that these bytes complete. Raises `NewerFormat`. Bytes from another place than asked for are not looked at."""
        if offset != self.reached:
            self.start_over()
            return []
        before = self.decoder.offset
        records = self.kept(records_of(self.decoder.feed(data), self.last_time))
        self._ahead += len(data) - (self.decoder.offset - before)  # the beginning of a chunk larger than an answer
        return records

    def start_over(self) -> None:
        """Ask again from the last whole chunk: another hub may have cut away what followed."""
        self.decoder.forget()
        self._ahead = 0

    def kept(self, records: list[Record]) -> list[Record]:
        """The same records, after noting what they say of the run."""
        self.word.take(records)
        if records:
            self.last_time = records[-1].time
            self.seq = max(self.seq, *(record.seq for record in records))
        return records

    def wanted(self) -> Iterator[Wanted]:
        """The commands that wait to be sent."""
        return self._control.waiting() if self._control is not None else iter(())

    def sent(self, wanted: Wanted) -> None:
        """This command is on its way."""
        self._asked[wanted.id] = wanted.verb

    def answered(self, answer: Answer) -> list[Record]:
        """What an answer adds to the log as it is shown: a refusal never reached it."""
        verb = self._asked.pop(answer.id, None)
        return [] if answer.taken or verb is None else [self.refusal(answer.id, verb, answer.detail)]

    def refused(self, why: str) -> list[Record]:
        """All that waits, refused. Nothing is kept for later: a command that arrives minutes after the key was pressed is a danger."""
        return [self.refusal(wanted.id, wanted.verb, why) for wanted in self.wanted()]

    def refusal(self, id: str, verb: Verb, why: str) -> Record:
        """A command that never reached the log, shown as if it had: the person pressed a key and must see what became of it."""
        return Record(self.last_time, CommandChanged(id, verb, "refused", whoami(), why))
