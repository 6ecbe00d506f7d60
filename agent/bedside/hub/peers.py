"""Who is connected, and what goes out to them: agents by their rank, viewers that wait for what is written next.

Everything said here is said of what is written. Viewers are answered from the file, so nothing is ever queued for one; who does not take
what is sent is forgotten, and comes again.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from bedside_protocol.codec import encode_message
from bedside_protocol.messages import Ack, Bytes, Message, Read, Welcome

from .gate import Gate
from .recorder import Recorder

LONG_POLL: Final = 1.0
"""Seconds after which a viewer that waits is told that there is nothing new: the age of its data stays true."""
_MAX_WAITING: Final = 64
_MOST_BYTES: Final = 1 << 20


class Peers:
    """The other ends of one hub's connections, by the names its socket gives them."""

    def __init__(self, gate: Gate, recorder: Recorder) -> None:
        self._gate = gate
        self._recorder = recorder
        self._agents: dict[bytes, int] = {}
        self._acked: dict[bytes, int] = {}
        self._reads: dict[bytes, tuple[Read, float]] = {}

    def __repr__(self) -> str:
        return f"<Peers {len(self._agents)} agents, {len(self._reads)} viewers waiting>"

    @property
    def has_agents(self) -> bool:
        """Whether anybody from the training is here."""
        return bool(self._agents)

    def joined(self, peer: bytes, rank: int) -> None:
        """An agent has come: it is told from where to go on."""
        self._agents[peer] = rank
        self._acked[peer] = self._recorder.written.last_of(rank)
        self.welcome(peer, rank)

    def welcome(self, peer: bytes, rank: int) -> None:
        """Tell an agent to send, or to send again, what comes after what is written."""
        self.send(peer, Welcome(self._recorder.written.last_of(rank)))

    def beaten(self, peer: bytes, rank: int) -> None:
        """An agent lives, and is told that its hub does."""
        self._agents.setdefault(peer, rank)
        self.send(peer, Ack(self._recorder.written.last_of(rank)))

    def waits(self, peer: bytes, read: Read, now: float) -> None:
        """A viewer asks for bytes; of those that wait too many, the oldest is forgotten."""
        self._reads[peer] = (read, now)
        while len(self._reads) > _MAX_WAITING:
            self._reads.pop(next(iter(self._reads)))

    def acknowledge(self) -> None:
        """Tell agents what has been written of theirs since they were told."""
        written = self._recorder.written
        for peer, rank in list(self._agents.items()):
            counter = written.last_of(rank)
            if counter > self._acked.get(peer, 0):
                self._acked[peer] = counter
                self.send(peer, Ack(counter))

    def answer_reads(self, now: float, run_time: float, told: bool) -> None:
        """Answer viewers for whom there is something new, or that have waited long. `told`: whether all that will ever be is written."""
        written = self._recorder.written
        for peer, (read, since) in list(self._reads.items()):
            if read.offset < written.end or now - since >= LONG_POLL or told or written.trouble:
                del self._reads[peer]
                data = self._recorder.read(read.offset, min(read.limit, _MOST_BYTES))
                self.send(peer, Bytes(read.offset, data, written.end, run_time, told, written.trouble))

    def send_to(self, ranks: Collection[int], message: Message) -> None:
        """Send to the agents of these ranks."""
        for peer, rank in list(self._agents.items()):
            if rank in ranks:
                self.send(peer, message)

    def send(self, peer: bytes, message: Message) -> None:
        """Send to one of them, without waiting."""
        if not self._gate.send(peer, encode_message(message)):
            self._agents.pop(peer, None)
            self._reads.pop(peer, None)
