"""A run that is going on: its hub answers with the bytes of the log after an offset, and takes commands.

Where the hub is not to be reached the file itself is read, if it is on this machine's disks: only commands need the socket. A thread owns
the socket and the file; everything in it wakes by what arrives, or at the latest a few times a second.
"""

from __future__ import annotations

import queue
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from typing import Final

import zmq

from bedside_protocol.codec import CodecError, decode_message, encode_message
from bedside_protocol.commands import EXPIRES_IN
from bedside_protocol.lifecycle import OVER
from bedside_protocol.messages import Answer, Ask, Bytes, Read, Refusal
from bedside_protocol.records import CommandChanged, Record, Scalar, Verb
from bedside_protocol.runlog import Decoder, NewerFormat
from bedside_tui.liveness import LastWord, boot_id
from bedside_tui.places import Door, RunPlace, door_of
from bedside_tui.sources.afterwards import LOOK_EVERY, Afterwards
from bedside_tui.sources.replay import Follower, cannot_read, last_records, records_of
from bedside_tui.sources.source import SourceState, SourceStatus, Update
from bedside_tui.whoami import whoami

READ: Final = 512 << 10
ANSWER_WITHIN: Final = 2.5
"""Seconds without an answer after which the hub counts as silent: it answers a waiting read once a second."""
LOOK_AGAIN: Final = 1.0
"""Seconds the file is followed before the hub is looked for again."""
UNREACHABLE: Final = "the hub cannot be reached"
READING_FILE: Final = "the hub does not answer: reading the file"
_POLL: Final = 50


class LiveControl:
    """Commands on their way up; the source's thread sends them."""

    def __init__(self) -> None:
        self.outbox: queue.SimpleQueue[tuple[str, Verb, dict[str, Scalar], float]] = queue.SimpleQueue()

    def send(self, verb: Verb, arguments: Mapping[str, Scalar]) -> str:
        """Ask for `verb`; the id under which the log will speak of it."""
        name = secrets.token_hex(6)
        self.outbox.put((name, verb, dict(arguments), time.monotonic()))
        return name


class LiveSource:
    """The records of one live run, and the way to command it."""

    def __init__(self, place: RunPlace, *, read_only: bool = False, start: int = 0) -> None:
        self._place = place
        self._boot = boot_id()
        self._read_only = read_only
        self._control = None if read_only else LiveControl()
        self._decoder = Decoder(start)
        self._ahead = 0
        self._word = LastWord()
        self._asked: dict[str, Verb] = {}
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._last_time = 0.0
        self._seq = 0
        self._over = False

    def __repr__(self) -> str:
        return f"<LiveSource of {self._place.id}, {self._decoder!r}>"

    @property
    def live(self) -> bool:
        return True

    @property
    def control(self) -> LiveControl | None:
        return self._control

    @property
    def place(self) -> RunPlace:
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
        try:
            while not self._stop.is_set() and not self._over:
                door = door_of(self._place.id, may_command=not self._read_only)
                if door is not None:
                    self._converse(door, deliver)
                if not self._stop.is_set() and not self._over:
                    self._read_file(deliver)
        except NewerFormat as error:
            deliver(Update((), SourceStatus("unreachable", str(error))))
        afterwards = Afterwards(self._place.log, self._decoder.offset, self._seq)
        while not self._stop.wait(LOOK_EVERY):
            self._refuse_commands(deliver, "nothing can be asked of it any more", "ended")
            if records := afterwards.poll():
                deliver(Update(records, SourceStatus("ended")))

    def _converse(self, door: Door, deliver: Callable[[Update], None]) -> None:
        """Talk to the hub until it falls silent or the run is over."""
        context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        socket = context.socket(zmq.DEALER)
        try:
            socket.curve_serverkey = door.server_public.encode()
            socket.curve_publickey = door.public.encode()
            socket.curve_secretkey = door.secret.encode()
            socket.setsockopt(zmq.IMMEDIATE, 1)  # a command is never kept for a run that is not there
            socket.setsockopt(zmq.LINGER, 0)
            socket.setsockopt(zmq.MAXMSGSIZE, 8 << 20)
            socket.connect(door.endpoint)
            self._ask_and_answer(socket, deliver)
        except zmq.ZMQError as error:  # keys or a path that no socket takes
            deliver(Update((), SourceStatus("unreachable", f"the way to the hub is closed: {error}")))
        finally:
            socket.close(linger=0)
            context.destroy(linger=0)

    def _ask_and_answer(self, socket: zmq.Socket[bytes], deliver: Callable[[Update], None]) -> None:
        heard = time.monotonic()
        asked = answered = False
        self._start_over()
        while not self._stop.is_set():
            if not asked:
                asked = _sent(socket, encode_message(Read(self._decoder.offset + self._ahead, READ)))
            if answered:
                self._send_commands(socket, deliver)
            if socket.poll(_POLL):
                heard = time.monotonic()
                if self._hear(socket, deliver):
                    asked, answered = False, True
                if self._over:
                    return
            elif time.monotonic() - heard > ANSWER_WITHIN:
                return

    def _hear(self, socket: zmq.Socket[bytes], deliver: Callable[[Update], None]) -> bool:
        """Take one message; whether it answers the read."""
        try:
            message = decode_message(socket.recv(zmq.NOBLOCK))
        except (zmq.Again, CodecError):
            return False
        if isinstance(message, Bytes):
            self._took(message, deliver)
            return True
        if isinstance(message, Answer):
            verb = self._asked.pop(message.id, None)
            if not message.taken and verb is not None:
                refused = self._said_no(message.id, message.detail, verb)
                deliver(Update((refused,), SourceStatus("connected", heard=time.monotonic())))
        elif isinstance(message, Refusal):
            deliver(Update((), SourceStatus("unreachable", message.why)))
        return False

    def _took(self, message: Bytes, deliver: Callable[[Update], None]) -> None:
        before = self._decoder.offset
        records: list[Record] = []
        if message.offset == before + self._ahead:
            records = self._kept(records_of(self._decoder.feed(message.data), self._last_time))
            self._ahead += len(message.data) - (self._decoder.offset - before)  # the beginning of a chunk larger than an answer
        else:
            self._start_over()
        done = self._decoder.offset + self._ahead >= message.end
        self._over = message.over and done
        state: SourceState = "ended" if self._over else "connected"
        progress = self._decoder.offset / message.end if message.end else 1.0
        deliver(Update(records, SourceStatus(state, message.trouble, time.monotonic(), done, progress)))

    def _start_over(self) -> None:
        """Ask again from the last whole chunk: another hub may have cut away what followed."""
        self._decoder.forget()
        self._ahead = 0

    def _kept(self, records: list[Record]) -> list[Record]:
        """The same records, after noting what they say of the run."""
        self._word.take(records)
        if records:
            self._last_time = records[-1].time
            self._seq = max(self._seq, *(record.seq for record in records))
        return records

    def _send_commands(self, socket: zmq.Socket[bytes], deliver: Callable[[Update], None]) -> None:
        while self._control is not None and not self._control.outbox.empty():
            name, verb, arguments, asked = self._control.outbox.get()
            if _sent(socket, encode_message(Ask(self._place.id, name, verb, whoami(), arguments, EXPIRES_IN, self._boot, asked))):
                self._asked[name] = verb
            else:
                deliver(Update((self._said_no(name, UNREACHABLE, verb),), SourceStatus("unreachable")))

    def _refuse_commands(self, deliver: Callable[[Update], None], why: str, state: SourceState) -> None:
        """Nothing is kept for later: a command that arrives minutes after the key was pressed is a danger."""
        while self._control is not None and not self._control.outbox.empty():
            name, verb, _, _ = self._control.outbox.get()
            deliver(Update((self._said_no(name, why, verb),), SourceStatus(state)))

    def _said_no(self, name: str, why: str, verb: Verb) -> Record:
        """A command that never reached the log, shown as if it had: the person pressed a key and must see what became of it."""
        return Record(self._last_time, CommandChanged(name, verb, "refused", whoami(), why))

    def _read_file(self, deliver: Callable[[Update], None]) -> None:
        """Follow the file for as long as the hub is silent; the end is told by the log, or by a writer and a training that are gone."""
        self._start_over()
        follower = Follower(self._place.log, self._decoder)
        until = time.monotonic() + LOOK_AGAIN
        while not self._stop.is_set():
            self._refuse_commands(deliver, UNREACHABLE, "unreachable")
            try:
                records = self._kept(records_of(follower.poll(), self._last_time))
                if follower.at_end and not records and self._is_over(follower):
                    records = self._kept(last_records(follower, self._word, self._place.directory, self._last_time))
                    self._over = True
                    deliver(Update(records, SourceStatus("ended")))
                    return
            except OSError as error:
                self._stop.wait(LOOK_AGAIN)
                deliver(Update((), SourceStatus("unreachable", cannot_read(self._place.log, error))))
                return
            if records:
                deliver(Update(records, SourceStatus("following", READING_FILE, follower.heard, follower.at_end, follower.progress)))
            if time.monotonic() > until and follower.at_end:
                if not follower.size or follower.silence > ANSWER_WITHIN:  # a file that is here and grows tells all that a hub would
                    deliver(Update((), SourceStatus("unreachable", "the hub does not answer; looking again")))
                return
            if follower.at_end:
                self._stop.wait(0.1)

    def _is_over(self, follower: Follower) -> bool:
        return self._decoder.offset > 0 and self._word.now(self._place.directory, follower.silence)[0] in OVER


def _sent(socket: zmq.Socket[bytes], frame: bytes) -> bool:
    try:
        socket.send(frame, zmq.NOBLOCK)
    except zmq.Again:
        return False
    return True
