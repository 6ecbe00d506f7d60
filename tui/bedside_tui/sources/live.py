"""A run that is going on: its hub answers with the bytes of the log after an offset, and takes commands.

Where the hub is not to be reached the file itself is read, if it is on this machine's disks: only commands need the socket. A thread owns
the socket and the file; everything in it wakes by what arrives, or at the latest a few times a second.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

import zmq

from bedside_protocol.commands import EXPIRES_IN
from bedside_protocol.lifecycle import OVER
from bedside_protocol.messages import Answer, Ask, Bytes, Refusal
from bedside_protocol.runlog import NewerFormat
from bedside_protocol.sanitise import text as safe
from bedside_tui.liveness import boot_id
from bedside_tui.places import Door, RunPlace, door_of
from bedside_tui.sources.afterwards import LOOK_EVERY, Afterwards
from bedside_tui.sources.conversation import Conversation, LiveControl
from bedside_tui.sources.replay import Follower, cannot_read, last_records, records_of
from bedside_tui.sources.source import SourceState, SourceStatus, Update
from bedside_tui.sources.way import SOON, Way
from bedside_tui.whoami import whoami

ANSWER_WITHIN: Final = 2.5
"""Seconds without an answer after which the hub counts as silent: it answers a waiting read once a second."""
LOOK_AGAIN: Final = 1.0
"""Seconds the file is followed before the hub is looked for again."""
UNREACHABLE: Final = "the hub cannot be reached"
READING_FILE: Final = "the hub does not answer: reading the file"
SILENT: Final = "the hub does not answer; looking again"
OVER_NOW: Final = "nothing can be asked of it any more"
_POLL: Final = 50
PACE: Final = 0.1
"""Seconds between two looks at the end of the file."""


class LiveSource:
    """The records of one live run, and the way to command it."""

    def __init__(self, place: RunPlace, *, read_only: bool = False, start: int = 0) -> None:
        self._place = place
        self._boot = boot_id()
        self._read_only = read_only
        self._control = None if read_only else LiveControl()
        self._talk = Conversation(self._control, start)
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._over = False
        self._refused = ""
        """Why the hub does not talk to us, in its own words; empty where it does, or says nothing."""

    def __repr__(self) -> str:
        return f"<LiveSource of {self._place.id}, {self._talk!r}>"

    @property
    def live(self) -> bool:
        return True

    @property
    def control(self) -> LiveControl | None:
        return self._control

    @property
    def place(self) -> RunPlace | None:
        return self._place

    def start(self, deliver: Callable[[Update], None]) -> None:
        self._thread = threading.Thread(target=self._main, args=(deliver,), name="live-source", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(2.0)

    # --- the thread

    def _main(self, deliver: Callable[[Update], None]) -> None:
        way = Way(self._door)
        try:
            while not self._stop.is_set() and not self._over:
                if self._may_converse(way, deliver):
                    self._converse(way, deliver)
                if not self._stop.is_set() and not self._over:
                    self._do_without(way, deliver)
        except NewerFormat as error:
            deliver(Update((), SourceStatus("unreachable", str(error))))
        finally:
            way.close()
        afterwards = Afterwards(self._place.log, self._talk.decoder.offset, self._talk.seq)
        while not self._stop.wait(LOOK_EVERY):
            self._refuse_commands(deliver, OVER_NOW, "ended")
            if records := afterwards.poll():
                deliver(Update(records, SourceStatus("ended")))

    def _door(self) -> Door | None:
        """The way to the hub, None where there is none."""
        return door_of(self._place.id, may_command=not self._read_only)

    def _may_converse(self, way: Way, deliver: Callable[[Update], None]) -> bool:
        """Whether the hub speaks, or is a new one that may in a moment; one that is silent is asked again, and not waited for."""
        try:
            if way.knock(time.monotonic()):
                return True
        except zmq.ZMQError as error:  # keys or a path that no socket takes
            deliver(Update((), SourceStatus("unreachable", f"the way to the hub is closed: {error}")))
        return way.speaks() or (way.send(self._talk.next_read()) and way.speaks(_POLL))

    def _converse(self, way: Way, deliver: Callable[[Update], None]) -> None:
        """Talk to the hub until it falls silent or the run is over."""
        heard = time.monotonic()
        asked = answered = False
        self._refused = ""
        self._talk.start_over()
        while not self._stop.is_set():
            if not asked:
                asked = way.send(self._talk.next_read())
            if answered:
                self._send_commands(way, deliver)
            if way.speaks(_POLL if asked else SOON):
                answered = True
                if self._hear(way, deliver):
                    asked = False
                heard = time.monotonic()  # after the delivery, which may take long where the viewer is slow
                if self._refused:
                    way.leave()  # and ask anew, after a while
                if self._over or self._refused:
                    return
            elif time.monotonic() - heard > ANSWER_WITHIN:
                return

    def _hear(self, way: Way, deliver: Callable[[Update], None]) -> bool:
        """Take one message; whether it answers the read."""
        match message := way.take(time.monotonic()):
            case Bytes(offset=offset) if offset == self._talk.reached:  # others answer what has been read in the file since
                self._took(message, deliver)
                return True
            case Answer() if records := self._talk.answered(message):
                deliver(Update(records, SourceStatus("connected", heard=time.monotonic())))
            case Refusal(why=why):
                self._refused = why
            case _:
                pass
        return False

    def _took(self, message: Bytes, deliver: Callable[[Update], None]) -> None:
        records = self._talk.take(message.offset, message.data)
        self._over = message.over and self._talk.reached >= message.end
        deliver(Update(records, status_of(message, self._talk)))

    def _send_commands(self, way: Way, deliver: Callable[[Update], None]) -> None:
        for wanted in self._talk.wanted():
            ask = Ask(self._place.id, wanted.id, wanted.verb, whoami(), wanted.arguments, EXPIRES_IN, self._boot, wanted.asked)
            if way.send(ask):
                self._talk.sent(wanted)
            else:
                refused = self._talk.refusal(wanted.id, wanted.verb, UNREACHABLE)
                deliver(Update((refused,), self._talk.away("unreachable")))

    def _refuse_commands(self, deliver: Callable[[Update], None], why: str, state: SourceState) -> None:
        if refused := self._talk.refused(why):
            deliver(Update(refused, self._talk.away(state)))

    def _do_without(self, way: Way, deliver: Callable[[Update], None]) -> None:
        """Follow the file for as long as the hub is silent; the end is told by the log, or by a writer and a training that are gone."""
        self._talk.start_over()
        follower = Follower(self._place.log, self._talk.decoder)
        until = time.monotonic() + LOOK_AGAIN
        while not self._stop.is_set():
            self._refuse_commands(deliver, self._refused or UNREACHABLE, "unreachable")
            try:
                records = self._talk.kept(records_of(follower.poll(), self._talk.last_time))
                if follower.at_end and not records and self._is_over(follower):
                    records = self._talk.kept(last_records(follower, self._talk.word, self._place.directory, self._talk.last_time))
                    self._over = True
                    deliver(Update(records, SourceStatus("ended")))
                    return
            except OSError as error:
                self._stop.wait(LOOK_AGAIN)
                deliver(Update((), SourceStatus("unreachable", cannot_read(self._place.log, error))))
                return
            if records:
                why = self._refused or READING_FILE
                status = SourceStatus("following", why, follower.heard, follower.at_end, follower.progress)
                deliver(Update(records, self._talk.tell(status)))
            if time.monotonic() > until and follower.at_end:
                if not follower.size or follower.silence > ANSWER_WITHIN:  # a file that is here and grows tells all that a hub would
                    deliver(Update((), SourceStatus("unreachable", self._refused or SILENT)))
                return
            if follower.at_end and (self._stop.wait(PACE) or way.speaks()):
                return

    def _is_over(self, follower: Follower) -> bool:
        return self._talk.decoder.offset > 0 and self._talk.word.now(self._place.directory, follower.silence)[0] in OVER


def status_of(message: Bytes, talk: Conversation) -> SourceStatus:
    """How the way to the run is after an answer of its hub has been taken."""
    done = talk.reached >= message.end
    state: SourceState = "ended" if message.over and done else "connected"
    progress = talk.decoder.offset / message.end if message.end else 1.0
    return talk.tell(SourceStatus(state, safe(message.trouble), time.monotonic(), done, progress))
