"""Where agents and viewers are received: each message goes to the part it is for, and who sent it is answered.

The key somebody came in with decides what may be said: agents speak for the training, operators ask, viewers read. What cannot be
understood is counted, never answered with an error that costs the connection.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from bedside.origin import boot_id
from bedside.spawn import HubPlan
from bedside_protocol.codec import CodecError, OtherVersion, decode_message
from bedside_protocol.messages import Armed, Ask, Batch, Beat, Hello, Message, Read, Refusal
from bedside_protocol.records import Body, Lost

from .gate import Gate, Role
from .intake import Intake
from .journal import Journal
from .orders import Orders
from .peers import Peers
from .ranks import Ranks

_AT_ONCE = 1000
"""Messages heard before the hub turns to something else."""


class Reception:
    """Hears the messages of one run. Times are seconds on the hub's monotonic clock."""

    def __init__(
        self,
        plan: HubPlan,
        gate: Gate,
        peers: Peers,
        intake: Intake,
        journal: Journal,
        ranks: Ranks,
        orders: Orders,
        say: Callable[[Iterable[Body]], None],
    ) -> None:
        self.heard = time.monotonic()
        """When rank 0 last spoke; before its first word, when this hub began to listen."""
        self._plan = plan
        self._gate = gate
        self._peers = peers
        self._intake = intake
        self._journal = journal
        self._ranks = ranks
        self._orders = orders
        self._say = say
        self._boot = boot_id()

    def __repr__(self) -> str:
        return f"<Reception of {self._plan.run}: {self._peers!r}>"

    def hear(self, now: float) -> None:
        """Hear what waits at the door."""
        while self._gate.answer_zap():
            pass
        for _ in range(_AT_ONCE):
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
                self._peers.send(peer, Refusal(str(error)))
            except CodecError:
                self._intake.refused += 1

    def _from_agent(self, peer: bytes, message: Message, now: float) -> None:
        match message:
            case Hello():
                self._greet(peer, message, now)
            case Batch(rank=rank, frames=frames):
                self._note(rank, now)
                whole = [self._intake.take(frame) for frame in frames]
                if not all(whole) and self._journal.has_begun:  # before rank 0 has spoken the others wait, and try again by themselves
                    self._peers.welcome(peer, rank)
            case Beat(rank=rank, step=step):
                self._note(rank, now, step)
                self._peers.beaten(peer, rank)
            case Armed(rank=rank, step=step):
                self._note(rank, now, step)
                for answer in self._orders.hear(message):
                    self._peers.send(peer, answer)
            case _:
                self._intake.refused += 1

    def _greet(self, peer: bytes, hello: Hello, now: float) -> None:
        if hello.run != self._plan.run or not 0 <= hello.rank < self._plan.world:
            self._peers.send(peer, Refusal(f"this hub serves the {self._plan.world} ranks of run {self._plan.run}"))
            return
        self._note(hello.rank, now)
        self._ranks.joined(hello.rank, hello.pid, hello.pid_start, now)
        if missing := self._journal.skip_to(hello.rank, hello.acked):
            self._say([Lost(missing, "an earlier hub took them and could not write them")])
        self._peers.joined(peer, hello.rank)

    def _note(self, rank: int, now: float, step: int = 0) -> None:
        """A rank was heard, at a step; the first one's is the run's."""
        self._ranks.heard(rank, now, step or None)
        if rank == 0:
            self.heard = now
            self._journal.step = max(self._journal.step, step)

    def _from_viewer(self, peer: bytes, role: Role, message: Message, now: float) -> None:
        match message:
            case Read():
                self._peers.waits(peer, message, now)
            case Ask():
                age = now - message.asked if message.boot and message.boot == self._boot else 0.0
                answer, said = self._orders.put(message, role, now, age)
                self._say(said)
                self._peers.send(peer, answer)
            case _:
                self._intake.refused += 1
