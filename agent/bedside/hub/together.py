"""Orders for all ranks of a run, one after the other: each is agreed upon, written down, carried out by all, and told.

Decides and returns; the hub sends and records. How an agreement is found stands in the protocol's `agreement`.
"""

from __future__ import annotations

import os
from collections import OrderedDict, deque
from typing import Final

from bedside_protocol.agreement import ANSWER_WITHIN, Agreement
from bedside_protocol.commands import FOR_TRAINING, is_over
from bedside_protocol.messages import Arm, Armed, Order, Settled
from bedside_protocol.records import CommandChanged, CommandState, RankCommand, Record, Verb

from .ranks import Ranks

_REMEMBERED: Final = 1000
BY_ALL: Final = FOR_TRAINING - {"stack"}
"""What all ranks do at one step, or none does."""
_HOLDING: Final[frozenset[Verb]] = frozenset({"pause", "step"})
NOT_ANY_MORE: Final = "every rank has it already"


class Together:
    """The orders of one run of several ranks."""

    def __init__(self, ranks: Ranks) -> None:
        self._ranks = ranks
        self._line: deque[Order] = deque()
        self._agreement: Agreement | None = None
        self._scheduled = False
        self._begun: set[str] = set()
        """Orders accepted by an earlier hub, and not over."""
        self._said: dict[str, dict[int, RankCommand]] = {}
        """What ranks said of orders that are not over; of those an earlier hub had begun, too."""
        self._settled: OrderedDict[str, Settled] = OrderedDict()
        self._releases = 0
        self._began = float("inf")

    def __repr__(self) -> str:
        return f"<Together {self._agreement!r}, {len(self._line)} orders behind it>"

    # --- what comes in

    def ask(self, order: Order) -> list[CommandChanged]:
        """Put an order into the line, once. A cancel acts at once; what is said of it."""
        if order.verb == "cancel":
            return self._cancel(order)
        current = self._agreement.order.id if self._agreement else ""
        if order.id not in self._settled and order.id != current and all(order.id != waiting.id for waiting in self._line):
            self._line.append(order)
        return []

    def hear(self, answer: Armed) -> list[Settled]:
        """What a rank says of its step. The answer to one that stands still for an order of which nothing is known here."""
        if self._agreement is not None and answer.id == self._agreement.order.id:
            self._agreement.hear(answer)
            return []
        if any(answer.id == order.id for order in self._line):
            return []
        return [self._settled.get(answer.id, Settled(answer.id))]

    def observe(self, record: Record) -> None:
        """Take in what a rank, or an earlier hub, has said of an order."""
        body = record.body
        if isinstance(body, RankCommand) and body.id not in self._settled:
            self._said.setdefault(body.id, {})[record.rank] = body
            if self._agreement is not None:
                self._agreement.did(record.rank, body)
        elif isinstance(body, CommandChanged) and is_over(body.state):
            self._over(Settled(body.id, body.verb == "stop" and body.state == "applied"))
        elif isinstance(body, CommandChanged) and body.state == "accepted":
            self._begun.add(body.id)

    # --- what goes out

    def look(self, now: float) -> tuple[list[CommandChanged], list[tuple[int, Arm | Order | Settled]]]:
        """What there is to say, and to send to which rank."""
        said: list[CommandChanged] = []
        self._began = min(now, self._began)
        if self._agreement is None and self._line:
            said += self._begin(self._line.popleft(), now)
        current = self._agreement
        if current is None:
            return said, []
        if gone := current.ranks - self._ranks.alive - current.done.keys():
            current.give_up(self._ranks.lost() or f"rank {min(gone)} is gone")
        messages: list[tuple[int, Arm | Order | Settled]] = list(current.due(now))
        if current.phase == "agreed" and not self._scheduled:
            self._scheduled = True
            said.append(_change(current.order, "scheduled", step=current.at))
        if current.outcome is not None:
            step = max((done.step for done in current.done.values()), default=-1)
            said.append(_change(current.order, current.outcome.state, current.outcome.detail, step))
            settled = current.settled()
            messages += [(rank, settled) for rank in sorted(current.ranks)]
            self._over(settled)
            if current.order.verb in _HOLDING and current.outcome.state != "applied" and current.at:
                said += self.release(f"the hub: not all ranks could {current.order.verb}")
        return said, messages

    def release(self, who: str) -> list[CommandChanged]:
        """Let every rank that is held go on, before anything else; what is said of it."""
        self._releases += 1
        order = Order(f"release-{os.getpid()}-{self._releases}", "resume", who)
        self._line.appendleft(order)
        return [_change(order, "requested")]

    def _begin(self, order: Order, now: float) -> list[CommandChanged]:
        if not self._ranks.are_all_here and now - self._began < ANSWER_WITHIN:
            self._line.appendleft(order)  # a hub that has just begun has not heard them all yet
            return []
        resumes = order.verb == "resume"
        if (why := self._ranks.why_not_all()) and not (resumes and self._ranks.alive):
            self._over(Settled(order.id))
            return [_change(order, "refused", why)]
        self._agreement = Agreement(order, self._ranks.alive, now)
        self._scheduled = False
        for rank, said in self._said.get(order.id, {}).items():
            self._agreement.did(rank, said)
        return [] if order.id in self._begun else [_change(order, "accepted")]

    @property
    def awaits_writing(self) -> bool:
        """Whether all ranks are armed, and told to act as soon as that is in the recording."""
        return self._agreement is not None and self._agreement.phase == "agreed" and self._scheduled

    def act(self) -> None:
        """What was agreed upon is in the recording."""
        if self._agreement is not None:
            self._agreement.act()

    def _cancel(self, order: Order) -> list[CommandChanged]:
        target = str(order.arguments.get("id", ""))
        for waiting in self._line:
            if waiting.id == target:
                self._line.remove(waiting)
                self._over(Settled(target))
                return [_change(waiting, "cancelled", f"by {order.who}"), _change(order, "accepted"), _change(order, "applied")]
        current = self._agreement
        if current is None or current.order.id != target or current.phase == "over":
            return [_change(order, "refused", "there is no such command waiting")]
        if current.phase == "acting":
            return [_change(order, "refused", NOT_ANY_MORE)]
        current.cancel(f"by {order.who}")
        return [_change(order, "accepted"), _change(order, "applied")]

    def _over(self, settled: Settled) -> None:
        if self._agreement is not None and self._agreement.order.id == settled.id:
            self._agreement = None
        self._said.pop(settled.id, None)
        self._begun.discard(settled.id)
        self._settled[settled.id] = settled
        while len(self._settled) > _REMEMBERED:
            self._settled.popitem(last=False)


def _change(order: Order, state: CommandState, detail: str = "", step: int = -1) -> CommandChanged:
    return CommandChanged(order.id, order.verb, state, order.who, detail, step, dict(order.arguments))
