"""Commands on their way: from who asks to the desk, from there to the training or to all its ranks, and what becomes of them.

Decides and returns; the hub sends and records.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable
from typing import Final

from bedside_protocol.lifecycle import OVER
from bedside_protocol.messages import Answer, Armed, Ask, Message, Order
from bedside_protocol.records import AlertChanged, Body, CommandChanged, Record

from .actions import asks_of
from .desk import Desk
from .gate import Role
from .journal import Journal
from .notify import Notifier
from .process import State
from .ranks import Ranks
from .stacks import DOUBTFUL_AFTER, Stacks
from .status import RunStatus
from .together import BY_ALL, Together

_BEGUN: Final = ("accepted", "scheduled")
ToRanks = tuple[Collection[int], Message]
"""What is to be sent to the agents of these ranks."""


class Orders:
    """The commands of one run, whoever asks for them: a person, a rule, the hub itself."""

    def __init__(self, run: str, journal: Journal, status: RunStatus, ranks: Ranks, stacks: Stacks) -> None:
        self._run = run
        self._journal = journal
        self._status = status
        self._ranks = ranks
        self._stacks = stacks
        self._desk = Desk(run)
        self._together = Together(ranks)
        self._notifier = Notifier(run, bool(os.environ.get("BEDSIDE_NOTIFY", "").split()))

    def __repr__(self) -> str:
        return f"<Orders {self._desk!r}, {self._together!r}, {self._notifier!r}>"

    @property
    def are_busy(self) -> bool:
        """Whether a notification is on its way: something more will be said when the run is over."""
        return self._notifier.is_busy

    # --- what comes in

    def put(self, ask: Ask, role: Role, now: float, age: float = 0.0) -> tuple[Answer, list[Body]]:
        """Put a command to the desk: the answer to who asks, and what is said of it. `age`: seconds since the asking."""
        answer, said = self._desk.ask(ask, role, now, self._journal.step, self._status.lifecycle in OVER, age)
        for body in said:
            if isinstance(body, CommandChanged) and body.verb == "notify":
                self._notifier.send(body)
        return answer, said

    def act(self, alarms: Iterable[AlertChanged], now: float) -> list[Body]:
        """Ask for what the rules of these alarms ask for; what was asked before is not asked again."""
        asks = [ask for change in alarms for ask in asks_of(change, self._journal.engine.rules, self._status.probes, self._run)]
        return [body for ask in asks for body in self.put(ask, "operator", now)[1]]

    def hear(self, answer: Armed) -> list[Message]:
        """What a rank says of its step, and what it is answered."""
        return [*self._together.hear(answer)]

    def observe(self, record: Record) -> None:
        """Take in what the training, or an earlier hub, has said of a command."""
        self._together.observe(record)
        if isinstance(record.body, CommandChanged) and record.rank == 0:
            self._desk.heard(record.body)

    def recover(self, now: float) -> list[Body]:
        """Take up what an earlier hub has left to be done, as the status tells it."""
        for command in self._status.commands.values():
            self._desk.restore(command, now)
            if self._ranks.are_several and command.verb in BY_ALL and command.state in _BEGUN:
                self._together.ask(Order(command.id, command.verb, command.who, dict(command.arguments)))
            if command.verb == "notify" and command.state == "requested":
                self._notifier.recover(command)
        if self._status.lifecycle in OVER:
            return []
        return self.act(self._journal.engine.firing, now)  # it may have written an alarm and not lived to act

    # --- what goes out

    def look(self, now: float, process: State, silent: float) -> tuple[list[Body], list[ToRanks]]:
        """What is said, and sent, now. `silent`: seconds since rank 0 was heard."""
        said = [*self._desk.expired(now), *self._notifier.look(now), *self._answered(process, silent)]
        messages: list[ToRanks] = []
        for order in self._desk.due(now, held="stack" if silent > DOUBTFUL_AFTER else None):
            if self._ranks.are_several and order.verb in BY_ALL:
                said += self._told(self._together.ask(order))
            else:
                messages.append((range(self._ranks.world), order))
                said += self._stacks.of_unable(order, self._ranks.unable(now))
        agreed, more = self._agree(now)
        return said + agreed, messages + more

    def _answered(self, process: State, silent: float) -> list[Body]:
        """What is said of orders for a stack in the place of a training that cannot."""
        return self._told(self._stacks.answers(self._desk.unanswered("stack"), process, silent, self._status.step))

    def _agree(self, now: float) -> tuple[list[Body], list[ToRanks]]:
        changes, messages = self._together.look(now)
        return self._told(changes), [((rank,), message) for rank, message in messages]

    @property
    def await_writing(self) -> bool:
        """Whether all ranks will act together as soon as it stands in the recording that they will."""
        return self._together.awaits_writing

    def written(self, now: float) -> tuple[list[Body], list[ToRanks]]:
        """What they waited for is written: all ranks are told to act."""
        self._together.act()
        return self._agree(now)

    def release(self, why: str) -> list[Body]:
        """Nobody stays held when a rank is gone: the others would wait for it for ever, and the script shall see why."""
        if not self._ranks.are_several or not self._status.paused:
            return []
        return self._told(self._together.release(f"the hub: {why}"))

    def _told(self, bodies: Iterable[Body]) -> list[Body]:
        """What is said in the place of the training counts as its answer."""
        said = list(bodies)
        for body in said:
            if isinstance(body, CommandChanged):
                self._desk.heard(body)
        return said

    def over(self) -> list[Body]:
        """The run is over: what was not accepted will not happen."""
        return self._desk.close()

    def close(self) -> None:
        """The hub leaves: what is on its way goes on alone."""
        self._notifier.close()
