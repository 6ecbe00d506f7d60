"""The hub's loop: hear agents and viewers, watch the process, keep the clock, record, leave in time.

One thread owns the sockets. Each round: messages in, facts about the process, commands, the second's tick, a chunk every quarter of a
second, and what the recorder has written out to those who wait for it. Viewers are answered from the file, so nothing is ever queued for
one.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import zmq

from bedside.left_over import forget_left, left_frames
from bedside.origin import boot_id
from bedside.runtime import remove_runtime
from bedside.spawn import HubPlan
from bedside_protocol.alerts.engine import Engine
from bedside_protocol.alerts.rule_file import read_rules
from bedside_protocol.codec import CodecError, decode_message, decode_place, decode_record, encode_message
from bedside_protocol.lifecycle import OVER, Signals, verdict
from bedside_protocol.messages import VERSION, Ack, Answer, Ask, Batch, Beat, Bytes, Hello, Message, Read, Refusal, Welcome
from bedside_protocol.places import LOCK_NAME, LOG_NAME
from bedside_protocol.records import (
    AlertChanged,
    Body,
    CommandChanged,
    LifecycleChanged,
    Lost,
    Problem,
    Record,
    RulesDeclared,
    RunStarted,
    Tick,
)
from bedside_protocol.runlog import Chunk, read_log

from .actions import asks_of
from .desk import Desk
from .doorstep import lay_out
from .gate import Gate, Role
from .journal import Journal
from .memory import MemoryKiller
from .notify import Notifier
from .process import WatchedProcess, Way
from .recorder import AnotherWriter, Recorder, take_lock
from .status import RunStatus
from .troubles import Troubles

FLUSH_EVERY: Final = 0.25
"""Seconds at most between a record's arrival and its chunk."""
LONG_POLL: Final = 1.0
"""Seconds after which a viewer that waits is told that there is nothing new: the age of its data stays true."""
STATUS_WAIT: Final = 0.5
"""Seconds the kernel may take to tell an exit status after the process ended: its parent must collect it first."""
LEAVE_AFTER: Final = 1.2
"""Seconds after the end within which viewers fetch the rest."""
SPEAK_WITHIN: Final = 5.0
"""Seconds the training may take to say its first word before the hub begins the log without it."""
MARGIN: Final = 64 << 20
"""Bytes over the size cap for what must still be said: alarms, commands, checkpoints, the ending."""
LAST_NEWS: Final = 45.0
"""Seconds after the end that a notification may still take to be sent."""
_ROUND: Final = 50
_LOOK: Final = 0.2
_MAX_WAITING: Final = 64


class Hub:
    """One run's hub, from its start to its leaving."""

    def __init__(self, plan: HubPlan) -> None:
        self._plan = plan
        self._directory = Path(plan.directory)
        self._lock = take_lock(self._directory / LOCK_NAME)
        self._journal = Journal(Engine(read_rules(plan.rules).rules))
        self._status = RunStatus()
        self._desk = Desk(plan.run)
        self._notifier = Notifier(plan.run, bool(os.environ.get("BEDSIDE_NOTIFY", "").split()))
        self._boot = boot_id()
        self._recorder = Recorder(self._directory / LOG_NAME, self._recovered(), self._journal.counters, plan.size_cap + MARGIN)
        self._process = WatchedProcess(plan.pid, plan.pid_start, forced_way(dict(os.environ)))
        self._memory = MemoryKiller(plan.pid)
        lay_out(plan)
        self._gate = Gate(plan.keys, Path(plan.runtime))
        self._agents: dict[bytes, int] = {}
        self._acked: dict[bytes, int] = {}
        self._reads: dict[bytes, tuple[Read, float]] = {}
        self._process_state = self._process.state()
        self._chunks = 0
        self._troubles = Troubles(plan, self._recorder, self._journal, self._gate)
        self._has_left = False
        self._refused = 0
        self._started = self._heard = time.monotonic()
        self._exited_at = self._over_at = float("inf")
        self._leaving = False

    def __repr__(self) -> str:
        return f"<Hub of {self._plan.run}: {self._status!r}>"

    def now(self) -> float:
        """The run's clock: monotonic seconds since its start, to the microsecond."""
        return round(time.monotonic() - self._plan.monotonic_start, 6)

    def run(self) -> None:
        """Serve until the run is over and told."""
        poller = zmq.Poller()
        for source in (self._gate.socket, self._gate.zap, self._recorder.wake_reader):
            poller.register(source, zmq.POLLIN)
        if self._process.fd >= 0:
            poller.register(self._process.fd, zmq.POLLIN)
        next_flush = next_tick = next_look = 0.0
        while not self._is_done(time.monotonic()):
            ready = {source for source, _ in poller.poll(_ROUND)}
            now = time.monotonic()
            if self._process.fd in ready:
                poller.unregister(self._process.fd)
                next_look = 0.0
            self._hear(now)
            if now >= next_look:
                self._take_left()
            if not self._begun(now):
                continue
            if now >= next_look:
                next_look = now + _LOOK
                self._look(now)
            if now >= next_tick:
                next_tick = now + 1.0
                self._tick(now)
            self._command(now)
            if now >= next_flush or self._journal.is_full or (self._status.goodbye and self._over_at == float("inf")):
                next_flush = now + FLUSH_EVERY
                self._flush()
            self._drain_wake()
            self._acknowledge()
            self._answer_reads(now)
        self._leave()

    def _begun(self, now: float) -> bool:
        """Whether the training has spoken (or never will): a log begins with who the run is."""
        return self._journal.has_begun or self._process.state() == "exited" or now - self._started > SPEAK_WITHIN

    # --- what comes in

    def _hear(self, now: float) -> None:
        while self._gate.answer_zap():
            pass
        for _ in range(1000):
            received = None if self._journal.is_full else self._gate.receive()
            if received is None:  # what is still to be heard waits at the door until there is room in memory, and acks have gone out
                return
            peer, role, frame = received
            try:
                message = decode_message(frame)
                if role == "agent":
                    self._from_agent(peer, message, now)
                else:
                    self._from_viewer(peer, role, message, now)
            except CodecError:
                self._refused += 1

    def _from_agent(self, peer: bytes, message: Message, now: float) -> None:
        self._heard = now
        match message:
            case Hello(run=run, version=version, rank=rank, acked=acked):
                if run != self._plan.run or version != VERSION:
                    self._send(peer, Refusal(f"this hub serves run {self._plan.run} in version {VERSION}"))
                    return
                self._agents[peer] = rank
                if missing := self._journal.skip_to(rank, acked):
                    self._say(Lost(missing, "an earlier hub took them and could not write them"))
                written = self._recorder.written.counters.get(rank, 0)
                self._acked[peer] = written
                self._send(peer, Welcome(written))
            case Batch(rank=rank, frames=frames):
                whole = [self._take(frame) for frame in frames]
                if not all(whole):
                    self._send(peer, Welcome(self._recorder.written.counters.get(rank, 0)))
            case Beat(rank=rank, step=step):
                self._agents.setdefault(peer, rank)
                self._journal.step = max(self._journal.step, step)
                self._send(peer, Ack(self._recorder.written.counters.get(rank, 0)))
            case _:
                self._refused += 1

    def _take(self, frame: bytes) -> bool:
        """Take one record; False where something before it is missing, and must come first."""
        rank, counter = decode_place(frame)
        if self._journal.lacks(rank, counter):
            return False
        try:
            record = decode_record(frame)
        except CodecError:  # one that cannot be read here must not cost those behind it
            self._refused += self._journal.skip_to(rank, counter)
            return True
        if self._journal.take(record, len(frame)):
            self._status.observe(record)
            if isinstance(record.body, CommandChanged):
                self._desk.heard(record.body)
            elif isinstance(record.body, RunStarted) and rank == 0 and self._plan.rules:
                self._say(RulesDeclared(self._plan.rules_name, self._plan.rules))
        return True

    def _take_left(self) -> None:
        """What the training left behind when it went, once: nothing of it was acknowledged, all of it comes next."""
        if self._has_left or not (frames := left_frames(self._directory)):
            return
        self._has_left = True
        try:
            for frame in frames:
                if not self._take(frame):
                    rank, counter = decode_place(frame)
                    self._say(Lost(self._journal.skip_to(rank, counter - 1), "the training said them to a hub that died"))
                    self._take(frame)
        except CodecError:
            self._refused += 1

    def _from_viewer(self, peer: bytes, role: Role, message: Message, now: float) -> None:
        match message:
            case Read() as read:
                self._reads[peer] = (read, now)
                while len(self._reads) > _MAX_WAITING:
                    self._reads.pop(next(iter(self._reads)))
            case Ask() as ask:
                age = now - ask.asked if ask.boot and ask.boot == self._boot else 0.0
                self._send(peer, self._put(ask, role, now, age))
            case _:
                self._refused += 1

    def _put(self, ask: Ask, role: Role, now: float, age: float = 0.0) -> Answer:
        """Put a command to the desk, a person's or a rule's."""
        answer, said = self._desk.ask(ask, role, now, self._journal.step, self._status.lifecycle in OVER, age)
        for body in said:
            self._say(body)
            if isinstance(body, CommandChanged) and body.verb == "notify":
                self._notifier.send(body)
        return answer

    # --- facts and clock

    def _look(self, now: float) -> None:
        """What the process does, and the verdict that follows."""
        self._process_state = self._process.state()
        if self._process_state == "exited" and self._exited_at == float("inf"):
            self._exited_at = now
        state, reason = verdict(self._signals(now))
        settled = state != "died" or now - self._exited_at > STATUS_WAIT
        if settled and (state, reason) != (self._status.lifecycle, self._status.reason):
            if state in OVER:
                for body in (*self._troubles.losses(now, last=True), *self._desk.close()):
                    self._say(body)
            self._say(LifecycleChanged(state, reason, max(self._journal.step, self._status.step)))
        if self._status.lifecycle in OVER:
            self._over_at = min(self._over_at, now)

    def _signals(self, now: float) -> Signals:
        exited = self._process_state == "exited"
        return Signals(
            process=self._process_state,
            exit_code=self._process.exit_code() if exited else None,
            out_of_memory=exited and self._memory.struck(),
            goodbye=self._status.goodbye,
            stepped=self._status.step > 0,
            paused=self._status.paused,
            stalled=self._status.stalled,
            silent_for=now - self._heard,
        )

    def _tick(self, now: float) -> None:
        if self._over_at == float("inf"):
            self._say(Tick(max(self._journal.step, self._status.step)))
        if self._refused:
            self._say(Problem("messages this hub does not understand", self._refused, "hub"))
            self._refused = 0
        self._journal.words_only = self._recorder.written.end >= self._plan.size_cap
        for body in self._troubles.news(now):
            self._say(body)

    def _command(self, now: float) -> None:
        for body in (*self._desk.expired(now), *self._notifier.look(now)):
            self._say(body)
        for order in self._desk.due(now):
            for peer in list(self._agents):
                self._send(peer, order)

    def _say(self, body: Body) -> None:
        now = self.now()
        self._journal.say(now, body)
        self._status.observe(Record(now, body))

    # --- what goes out

    def _flush(self) -> None:
        fired = []
        for chunk, count, counters, records in self._journal.chunks():
            for record in records:
                if isinstance(record.body, AlertChanged):
                    self._status.observe(record)
                    fired.append(record.body)
            self._recorder.append(chunk, count, counters)
            self._chunks += 1
        self._act(fired)

    def _act(self, fired: Iterable[AlertChanged]) -> None:
        """Ask for what the rules of these alarms ask for; what was asked before is not asked again."""
        for change in fired:
            for ask in asks_of(change, self._journal.engine.rules, self._status.probes, self._plan.run):
                self._put(ask, "operator", time.monotonic())

    def _acknowledge(self) -> None:
        counters = self._recorder.written.counters
        for peer, rank in list(self._agents.items()):
            counter = counters.get(rank, 0)
            if counter > self._acked.get(peer, 0):
                self._acked[peer] = counter
                self._send(peer, Ack(counter))

    def _answer_reads(self, now: float) -> None:
        written = self._recorder.written
        all_said = not self._journal.has_pending and not self._notifier.is_busy
        told = self._over_at < float("inf") and all_said and written.flushed >= self._chunks
        for peer, (read, since) in list(self._reads.items()):
            if read.offset < written.end or now - since >= LONG_POLL or told or written.trouble:
                del self._reads[peer]
                data = self._recorder.read(read.offset, min(read.limit, 1 << 20))
                self._send(peer, Bytes(read.offset, data, written.end, self.now(), told, written.trouble))

    def _send(self, peer: bytes, message: Message) -> None:
        if not self._gate.send(peer, encode_message(message)):
            self._agents.pop(peer, None)
            self._reads.pop(peer, None)

    def _drain_wake(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while os.read(self._recorder.wake_reader, 4096):
                pass

    # --- beginning and end

    def _recovered(self) -> int:
        """Where to append: after the last whole chunk of an earlier hub, whose torn tail is cut away."""
        path = self._directory / LOG_NAME
        if not path.exists():
            return 0
        end = 0
        with open(path, "r+b") as file:
            for piece in read_log(file):
                if isinstance(piece, Chunk):
                    end = piece.head.end
                    self._journal.replay(piece.records, dict(piece.counters))
                    for record in piece.records:
                        self._status.observe(record)
            file.truncate(end)
        for command in self._status.commands.values():
            self._desk.restore(command, time.monotonic())
            if command.verb == "notify" and command.state == "requested":
                self._notifier.recover(command)
        if self._status.lifecycle not in OVER:  # an earlier hub may have written an alarm and not lived to act
            self._act(self._journal.engine.firing)
        return end

    def _is_done(self, now: float) -> bool:
        return self._leaving or now - self._over_at > (LAST_NEWS if self._notifier.is_busy else LEAVE_AFTER)

    def stop(self) -> None:
        """Leave at the next round."""
        self._leaving = True

    def _leave(self) -> None:
        while self._journal.has_pending:  # what is found in the last chunk may be acted upon
            self._flush()
        self._notifier.close()
        self._recorder.close()
        if self._has_left and not self._recorder.written.trouble:
            forget_left(self._directory)
        self._gate.close()
        self._process.close()
        remove_runtime(Path(self._plan.runtime))
        os.close(self._lock)


def forced_way(environment: dict[str, str]) -> Way:
    """How to watch the process: the best this kernel has, unless `BEDSIDE_PROCESS_WATCH` names a lesser way."""
    asked = environment.get("BEDSIDE_PROCESS_WATCH", "")
    return "stat" if asked == "stat" else "pidfd" if asked == "pidfd" else "info"


def serve(plan: HubPlan) -> None:
    """Be the hub of one run, until it is over."""
    try:
        hub = Hub(plan)
    except AnotherWriter as error:
        print(f"hub {os.getpid()} leaves: {error}", flush=True)
        return
    signal.signal(signal.SIGTERM, lambda *_: hub.stop())
    print(f"hub {os.getpid()} serves {plan.run} of process {plan.pid}", flush=True)
    hub.run()
    print(f"hub {os.getpid()} leaves: {hub!r}", flush=True)
