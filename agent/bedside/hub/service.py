"""The hub's loop: hear agents and viewers, watch the process, keep the clock, record, leave in time.

One thread owns the sockets. Each round: messages in, facts about the process, commands, the second's tick, a chunk every quarter of a
second, and what the recorder has written out to those who wait for it. What is to be done stands in the parts; here is when, and what one
says handed to the next.
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

from bedside.ranks import withdraw
from bedside.runtime import remove_runtime
from bedside.spawn import HubPlan
from bedside_protocol.alerts.engine import Engine
from bedside_protocol.alerts.rule_file import read_rules
from bedside_protocol.lifecycle import OVER
from bedside_protocol.places import LOCK_NAME, LOG_NAME
from bedside_protocol.records import AlertChanged, Body, Event, Problem, Record, Tick

from .doorstep import lay_out
from .gate import Gate
from .intake import Intake
from .journal import Journal
from .life import Life
from .orders import Orders, ToRanks
from .peers import Peers
from .process import forced_way
from .ranks import LINGER, Ranks, told_of
from .reception import Reception
from .recorder import AnotherWriter, Recorder, take_lock
from .stacks import Stacks
from .status import RESUMED_WITHOUT_HUB, RunStatus
from .troubles import Troubles

FLUSH_EVERY: Final = 0.25
"""Seconds at most between a record's arrival and its chunk."""
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


class Hub:
    """One run's hub, from its start to its leaving."""

    def __init__(self, plan: HubPlan) -> None:
        self._plan = plan
        self._directory = Path(plan.directory)
        self._lock = take_lock(self._directory / LOCK_NAME)
        self._journal = Journal(Engine(read_rules(plan.rules).rules))
        self._status = RunStatus()
        self._ranks = Ranks(plan.world, forced_way(os.environ))
        self._stacks = Stacks(plan.run, self._directory, plan.pid)
        self._orders = Orders(plan.run, self._journal, self._status, self._ranks, self._stacks)
        self._intake = Intake(plan, self._journal, self._status, self._say, self._heed)
        self._recorder = Recorder(self._directory / LOG_NAME, self._recovered(), self._journal.counters, plan.size_cap + MARGIN)
        self._life = Life(plan, self._status, self._ranks, self._stacks)
        lay_out(plan)
        self._gate = Gate(plan.keys, Path(plan.runtime))
        self._peers = Peers(self._gate, self._recorder)
        self._reception = Reception(plan, self._gate, self._peers, self._intake, self._journal, self._ranks, self._orders, self._say_all)
        self._troubles = Troubles(plan, self._recorder, self._journal, self._gate)
        self._started = time.monotonic()
        self._over_at = float("inf")
        self._leaving = False

    def __repr__(self) -> str:
        return f"<Hub of {self._plan.run}: {self._status!r}>"

    def now(self) -> float:
        """The run's clock: monotonic seconds since its start, to the microsecond."""
        return round(time.monotonic() - self._plan.monotonic_start, 6)

    def run(self) -> None:
        """Serve until the run is over and told."""
        poller = zmq.Poller()
        process = self._life.process.fd
        for source in (self._gate.socket, self._gate.zap, self._recorder.wake_reader):
            poller.register(source, zmq.POLLIN)
        if process >= 0:
            poller.register(process, zmq.POLLIN)
        next_flush = next_tick = next_look = 0.0
        while not self._is_done(time.monotonic()):
            ready = {source for source, _ in poller.poll(_ROUND)}
            now = time.monotonic()
            if process in ready:
                poller.unregister(process)
                next_look = 0.0
            self._reception.hear(now)
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
            self._peers.acknowledge()
            self._peers.answer_reads(now, self.now(), self._has_told())
        self._leave()

    def _begun(self, now: float) -> bool:
        """Whether the training has spoken (or never will): a log begins with who the run is."""
        return self._journal.has_begun or self._life.process.state() == "exited" or now - self._started > SPEAK_WITHIN

    # --- what was taken

    def _learn(self, record: Record) -> None:
        """A record has been taken, or found in what an earlier hub wrote."""
        self._ranks.observe(record)
        self._orders.observe(record)

    def _heed(self, record: Record) -> None:
        """A record has been taken."""
        self._learn(record)
        if isinstance(record.body, Event) and record.body.name == RESUMED_WITHOUT_HUB and self._peers.has_agents:
            self._say_all(self._orders.release(f"rank {record.rank} had gone on without a hub"))

    # --- facts and clock

    def _look(self, now: float) -> None:
        """What the processes do, and the verdict that follows."""
        for member in self._ranks.look(now):
            self._say_all([*self._orders.release(told_of(member)), *self._stacks.of_rank(member)])
        change = self._life.look(now, now - self._reception.heard, self._step)
        if change is not None:
            if change.state in OVER:
                fault = self._stacks.of_fault(self._life.exit_code(), change.reason, change.step)
                self._say_all([*self._troubles.losses(now, last=True), *self._orders.over(), *fault])
            self._say(change)
            for ask in self._stacks.wanted(change, now):
                self._say_all(self._orders.put(ask, "operator", now)[1])
        if self._status.lifecycle in OVER:
            self._over_at = min(self._over_at, now)

    @property
    def _step(self) -> int:
        """The step the run has come to: as its agent beats it, or its records tell it."""
        return max(self._journal.step, self._status.step)

    def _tick(self, now: float) -> None:
        if self._over_at == float("inf"):
            self._say(Tick(self._step))
            if self._ranks.are_several:
                self._say(self._ranks.seen(now))
        if self._intake.refused:
            self._say(Problem("messages this hub does not understand", self._intake.refused, "hub"))
            self._intake.refused = 0
        self._journal.words_only = self._recorder.written.end >= self._plan.size_cap
        self._say_all(self._troubles.news(now))

    def _command(self, now: float) -> None:
        self._hand_over(*self._orders.look(now, self._life.state, now - self._reception.heard))
        if self._orders.await_writing:
            if self._journal.has_pending:
                self._flush()
            if self._recorder.is_idle:
                self._hand_over(*self._orders.written(now))

    def _hand_over(self, said: Iterable[Body], messages: Iterable[ToRanks]) -> None:
        self._say_all(said)
        for ranks, message in messages:
            self._peers.send_to(ranks, message)

    def _say_all(self, bodies: Iterable[Body]) -> None:
        for body in bodies:
            self._say(body)

    def _say(self, body: Body) -> None:
        now = self.now()
        self._journal.say(now, body)
        self._status.observe(Record(now, body))

    # --- what is written

    def _flush(self) -> None:
        """Hand what is pending to the recorder, and do what the rules ask for whose alarms it has fired."""
        fired = []
        for chunk, count, counters, records in self._journal.chunks():
            for record in records:
                if isinstance(record.body, AlertChanged):
                    self._status.observe(record)
                    fired.append(record.body)
            self._recorder.append(chunk, count, counters)
        self._say_all(self._orders.act(fired, time.monotonic()))

    def _has_told(self) -> bool:
        """Whether the run is over and all that will be said of it is written."""
        return self._over_at < float("inf") and not self._journal.has_pending and not self._orders.are_busy and self._recorder.is_idle

    def _drain_wake(self) -> None:
        with contextlib.suppress(OSError):  # empty, as a rule
            while os.read(self._recorder.wake_reader, 4096):
                pass

    # --- beginning and end

    def _recovered(self) -> int:
        """Where to append; what an earlier hub has left to be done is taken up."""
        end = self._intake.recover(self._learn)
        self._say_all(self._orders.recover(time.monotonic()))
        return end

    def _is_done(self, now: float) -> bool:
        after = LAST_NEWS if self._orders.are_busy else LINGER if self._ranks.speaks_on(now) else LEAVE_AFTER
        return self._leaving or now - self._over_at > after

    def stop(self) -> None:
        """Leave at the next round."""
        self._leaving = True

    def _leave(self) -> None:
        if self._ranks.are_several:
            self._say(self._ranks.seen(time.monotonic()))
        while self._journal.has_pending:  # what is found in the last chunk may be acted upon
            self._flush()
        self._orders.close()
        self._recorder.close()
        if not self._recorder.written.trouble:
            self._intake.forget_left()
        self._stacks.close()
        self._gate.close()
        self._life.process.close()
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
