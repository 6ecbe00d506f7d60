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
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Final

import zmq

from bedside.origin import boot_id
from bedside.ranks import withdraw
from bedside.runtime import remove_runtime
from bedside.spawn import HubPlan
from bedside_protocol.alerts.engine import Engine
from bedside_protocol.alerts.rule_file import read_rules
from bedside_protocol.codec import CodecError, OtherVersion, decode_message, encode_message
from bedside_protocol.lifecycle import OVER, Signals, verdict
from bedside_protocol.messages import Ack, Answer, Armed, Ask, Batch, Beat, Bytes, Hello, Message, Order, Read, Refusal, Welcome
from bedside_protocol.places import LOCK_NAME, LOG_NAME
from bedside_protocol.records import AlertChanged, Body, CommandChanged, Event, LifecycleChanged, Lost, Problem, Record, Tick

from .actions import asks_of
from .desk import Desk
from .doorstep import lay_out
from .gate import Gate, Role
from .intake import Intake
from .journal import Journal
from .memory import MemoryKiller
from .notify import Notifier
from .process import WatchedProcess, forced_way
from .ranks import LINGER, Ranks, told_of
from .recorder import AnotherWriter, Recorder, take_lock
from .stacks import DOUBTFUL_AFTER, Stacks
from .status import RESUMED_WITHOUT_HUB, RunStatus
from .together import BY_ALL, Together
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
        self._ranks = Ranks(plan.world, forced_way(os.environ))
        self._together = Together(self._ranks)
        self._intake = Intake(plan, self._journal, self._status, self._desk, self._say, self._heed)
        self._stacks = Stacks(plan.run, self._directory, plan.pid)
        self._notifier = Notifier(plan.run, bool(os.environ.get("BEDSIDE_NOTIFY", "").split()))
        self._boot = boot_id()
        self._recorder = Recorder(self._directory / LOG_NAME, self._recovered(), self._journal.counters, plan.size_cap + MARGIN)
        self._process = WatchedProcess(plan.pid, plan.pid_start, forced_way(os.environ))
        self._memory = MemoryKiller(plan.pid)
        lay_out(plan)
        self._gate = Gate(plan.keys, Path(plan.runtime))
        self._agents: dict[bytes, int] = {}
        self._acked: dict[bytes, int] = {}
        self._reads: dict[bytes, tuple[Read, float]] = {}
        self._process_state = self._process.state()
        self._chunks = 0
        self._troubles = Troubles(plan, self._recorder, self._journal, self._gate)
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
                self._intake.take_left()
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
            except OtherVersion as error:
                self._send(peer, Refusal(str(error)))
            except CodecError:
                self._intake.refused += 1

    def _from_agent(self, peer: bytes, message: Message, now: float) -> None:
        match message:
            case Hello(run=run, rank=rank, acked=acked):
                if run != self._plan.run or not 0 <= rank < self._plan.world:
                    self._send(peer, Refusal(f"this hub serves the {self._plan.world} ranks of run {self._plan.run}"))
                    return
                self._agents[peer] = rank
                self._note(rank, now)
                self._ranks.joined(rank, message.pid, message.pid_start, now)
                if missing := self._journal.skip_to(rank, acked):
                    self._say(Lost(missing, "an earlier hub took them and could not write them"))
                written = self._recorder.written.counters.get(rank, 0)
                self._acked[peer] = written
                self._send(peer, Welcome(written))
            case Batch(rank=rank, frames=frames):
                self._note(rank, now)
                whole = [self._intake.take(frame) for frame in frames]
                if not all(whole) and self._journal.has_begun:  # before rank 0 has spoken the others wait, and try again by themselves
                    self._send(peer, Welcome(self._recorder.written.counters.get(rank, 0)))
            case Beat(rank=rank, step=step):
                self._agents.setdefault(peer, rank)
                self._note(rank, now, step)
                self._send(peer, Ack(self._recorder.written.counters.get(rank, 0)))
            case Armed(rank=rank):
                self._note(rank, now, message.step)
                for answer in self._together.hear(message):
                    self._send(peer, answer)
            case _:
                self._intake.refused += 1

    def _note(self, rank: int, now: float, step: int = 0) -> None:
        """A rank was heard, at a step; the first one's is the run's."""
        self._ranks.heard(rank, now, step or None)
        if rank == 0:
            self._heard = now
            self._journal.step = max(self._journal.step, step)

    def _heed(self, record: Record) -> None:
        """A record has been taken, or found in what an earlier hub wrote."""
        self._ranks.observe(record)
        self._together.observe(record)
        if isinstance(record.body, Event) and record.body.name == RESUMED_WITHOUT_HUB and self._agents:
            self._release(f"rank {record.rank} had gone on without a hub")

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
                self._intake.refused += 1

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
        for member in self._ranks.look(now):
            self._release(told_of(member))
            for body in self._stacks.of_rank(member):
                self._say(body)
        signals = self._signals(now)
        state, reason = verdict(signals)
        settled = state != "died" or now - self._exited_at > STATUS_WAIT
        if settled and (state, reason) != (self._status.lifecycle, self._status.reason):
            step = max(self._journal.step, self._status.step)
            if state in OVER:
                fault = self._stacks.of_fault(signals.exit_code, reason, step) if signals.process == "exited" else []
                for body in (*self._troubles.losses(now, last=True), *self._desk.close(), *fault):
                    self._say(body)
            change = LifecycleChanged(state, reason, step)
            self._say(change)
            for ask in self._stacks.wanted(change, now):
                self._put(ask, "operator", now)
        if self._status.lifecycle in OVER:
            self._over_at = min(self._over_at, now)

    def _signals(self, now: float) -> Signals:
        exited = self._process_state == "exited"
        code = self._process.exit_code() if exited else None
        return Signals(
            process=self._process_state,
            exit_code=self._stacks.exit_code() if exited and code is None else code,
            out_of_memory=exited and self._memory.struck(),
            goodbye=self._status.goodbye,
            stepped=self._status.step > 0,
            paused=self._status.paused,
            stalled=self._status.stalled or ("no step since then" if self._ranks.stand_still else ""),
            silent_for=now - self._heard,
            lost_rank=self._ranks.lost(but=0),
        )

    def _tick(self, now: float) -> None:
        if self._over_at == float("inf"):
            self._say(Tick(max(self._journal.step, self._status.step)))
            if self._ranks.are_several:
                self._say(self._ranks.seen(now))
        if self._intake.refused:
            self._say(Problem("messages this hub does not understand", self._intake.refused, "hub"))
            self._intake.refused = 0
        self._journal.words_only = self._recorder.written.end >= self._plan.size_cap
        for body in self._troubles.news(now):
            self._say(body)

    def _command(self, now: float) -> None:
        for body in (*self._desk.expired(now), *self._notifier.look(now)):
            self._say(body)
        silent = now - self._heard
        for body in self._stacks.answers(self._desk.unanswered("stack"), self._process_state, silent, self._status.step):
            self._say(body)
            if isinstance(body, CommandChanged):
                self._desk.heard(body)
        for order in self._desk.due(now, held="stack" if silent > DOUBTFUL_AFTER else None):
            if self._ranks.are_several and order.verb in BY_ALL:
                for body in self._together.ask(order):
                    self._told(body)
            else:
                self._send_to(range(self._plan.world), order)
        self._agree(now)

    def _agree(self, now: float) -> None:
        """What all ranks are asked for together: they are told to act when it stands in the recording that they will."""
        said, messages = self._together.look(now)
        for body in said:
            self._told(body)
        for rank, message in messages:
            self._send_to((rank,), message)
        if self._together.awaits_writing:
            if self._journal.has_pending:
                self._flush()
            if self._recorder.written.flushed >= self._chunks:
                self._together.act()
                self._agree(now)

    def _told(self, body: CommandChanged) -> None:
        """A command of all ranks has changed."""
        self._say(body)
        self._desk.heard(body)

    def _release(self, why: str) -> None:
        """Nobody stays held when a rank is gone: the others would wait for it for ever, and the script shall see why."""
        if not self._ranks.are_several or not self._status.paused:
            return
        for body in self._together.release(f"the hub: {why}"):
            self._told(body)

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

    def _send_to(self, ranks: Collection[int], message: Message) -> None:
        for peer, rank in list(self._agents.items()):
            if rank in ranks:
                self._send(peer, message)

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
        """Where to append, and what an earlier hub has left to be done."""
        end = self._intake.recover()
        for command in self._status.commands.values():
            self._desk.restore(command, time.monotonic())
            if self._ranks.are_several and command.verb in BY_ALL and command.state in ("accepted", "scheduled"):
                self._together.ask(Order(command.id, command.verb, command.who, dict(command.arguments)))
            if command.verb == "notify" and command.state == "requested":
                self._notifier.recover(command)
        if self._status.lifecycle not in OVER:  # an earlier hub may have written an alarm and not lived to act
            self._act(self._journal.engine.firing)
        return end

    def _is_done(self, now: float) -> bool:
        after = LAST_NEWS if self._notifier.is_busy else LINGER if self._ranks.speaks_on(now) else LEAVE_AFTER
        return self._leaving or now - self._over_at > after

    def stop(self) -> None:
        """Leave at the next round."""
        self._leaving = True

    def _leave(self) -> None:
        if self._ranks.are_several:
            self._say(self._ranks.seen(time.monotonic()))
        while self._journal.has_pending:  # what is found in the last chunk may be acted upon
            self._flush()
        self._notifier.close()
        self._recorder.close()
        if not self._recorder.written.trouble:
            self._intake.forget_left()
        self._stacks.close()
        self._gate.close()
        self._process.close()
        self._ranks.close()
        if self._plan.invitation:
            withdraw(Path(self._plan.invitation), self._plan.run)
        remove_runtime(Path(self._plan.runtime))
        os.close(self._lock)


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
