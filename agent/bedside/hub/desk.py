"""Where commands arrive: who may ask what, what is handed to the training, and what becomes too old.

Decides and returns; the hub sends and records. A command is known by its id for ever: asked twice, it is done once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from bedside_protocol.commands import EXPIRED, EXPIRES_IN, FOR_TRAINING, LONGEST_SHELF, NO_SHELF, OVER
from bedside_protocol.lab_book import MAX_NOTE, BadEntry, entry_of, said_of
from bedside_protocol.messages import Answer, Ask, Order
from bedside_protocol.records import AlertAcknowledged, AlertShelved, Body, CommandChanged, Scalar, Verb

from .gate import Role

_HAND_OVER_AGAIN = 1.0
"""Seconds until an order that was not accepted is sent again; the agent carries out each id once."""
_MAX_ARGUMENTS = 16
_MAX_ID = 100


@dataclass(slots=True)
class _Waiting:
    order: Order
    lifetime: float
    expires: float
    handed: float


class Desk:
    """The commands of one run that the training has not accepted yet."""

    def __init__(self, run: str) -> None:
        self._run = run
        self._known: set[str] = set()
        self._waiting: dict[str, _Waiting] = {}

    def __repr__(self) -> str:
        return f"<Desk {len(self._known)} commands known, {len(self._waiting)} not accepted>"

    def ask(self, ask: Ask, role: Role, now: float, step: int, is_over: bool, age: float = 0.0) -> tuple[Answer, list[Body]]:
        """The answer to the asker, and what goes into the log. `age`: seconds since the asking, as far as they are known."""
        if role != "operator":
            return Answer(ask.id, False, "this key may look, not command"), []
        if ask.run != self._run:
            return Answer(ask.id, False, f"this is run {self._run}, not {ask.run[:100]}"), []
        if not 0 < len(ask.id) <= _MAX_ID:
            return Answer(ask.id, False, f"a command's id has 1 to {_MAX_ID} characters"), []
        if ask.id in self._known:
            return Answer(ask.id, True, "already asked"), []
        self._known.add(ask.id)
        who = ask.who[:100]
        arguments = _short(ask.arguments)
        requested = CommandChanged(ask.id, ask.verb, "requested", who, arguments=arguments)
        if ask.verb not in FOR_TRAINING:
            return Answer(ask.id, True), [requested, *self._own_work(ask, who, step)]
        if is_over:
            return Answer(ask.id, False, OVER), [requested, CommandChanged(ask.id, ask.verb, "refused", who, OVER)]
        lifetime = min(max(1.0, ask.expires_in), 10 * EXPIRES_IN)  # in this order, not-a-number is 1
        self._waiting[ask.id] = _Waiting(Order(ask.id, ask.verb, who, arguments), lifetime, now + lifetime - max(0.0, age), 0.0)
        return Answer(ask.id, True), [requested]

    def restore(self, command: CommandChanged, now: float) -> None:
        """A command as an earlier hub's log leaves it: known, and still waiting where the training has said nothing of it."""
        self._known.add(command.id)
        if command.state == "requested" and command.verb in FOR_TRAINING:
            order = Order(command.id, command.verb, command.who, dict(command.arguments))
            self._waiting[command.id] = _Waiting(order, EXPIRES_IN, now + EXPIRES_IN, 0.0)

    def heard(self, command: CommandChanged) -> None:
        """The training said something about a command: it has it."""
        self._waiting.pop(command.id, None)

    def unanswered(self, verb: Verb) -> list[Order]:
        """Commands of this verb that the training has said nothing of."""
        return [waiting.order for waiting in self._waiting.values() if waiting.order.verb == verb]

    def due(self, now: float, held: Verb | None = None) -> list[Order]:
        """Orders to hand to the training now; those of the verb `held` wait."""
        orders = []
        for waiting in self._waiting.values():
            if now - waiting.handed >= _HAND_OVER_AGAIN and waiting.order.verb != held:
                waiting.handed = now
                orders.append(waiting.order)
        return orders

    def expired(self, now: float) -> list[Body]:
        """What is said of commands that waited too long."""
        gone = [waiting for waiting in self._waiting.values() if now >= waiting.expires]
        for waiting in gone:
            del self._waiting[waiting.order.id]
        return [_expired(waiting.order, waiting.lifetime) for waiting in gone]

    def close(self) -> list[Body]:
        """The run is over: what was not accepted will not happen."""
        orders, self._waiting = [waiting.order for waiting in self._waiting.values()], {}
        return [CommandChanged(order.id, order.verb, "refused", order.who, OVER, arguments=order.arguments) for order in orders]

    def _own_work(self, ask: Ask, who: str, step: int) -> list[Body]:
        if ask.verb == "notify":
            return []  # sent by the hub, and what becomes of it takes a while
        applied = CommandChanged(ask.id, ask.verb, "applied", who, step=step)
        rule, target = (str(ask.arguments.get(key, ""))[:300] for key in ("rule", "target"))
        if ask.verb == "acknowledge":
            return [AlertAcknowledged(rule, target, who), applied]
        if ask.verb == "shelve":
            seconds = ask.arguments.get("seconds")
            if not (rule and target) or not isinstance(seconds, int | float) or not 0 <= seconds <= LONGEST_SHELF:
                return [CommandChanged(ask.id, ask.verb, "refused", who, NO_SHELF)]
            return [AlertShelved(rule, target, who, float(seconds)), applied]
        try:
            entry = entry_of(ask.arguments, who, step)
        except BadEntry as error:
            return [CommandChanged(ask.id, ask.verb, "refused", who, str(error))]
        return [entry, replace(applied, detail=said_of(entry))]


def _expired(order: Order, seconds: float) -> CommandChanged:
    return CommandChanged(order.id, order.verb, "expired", order.who, EXPIRED.format(seconds=seconds), arguments=order.arguments)


def _short(arguments: Mapping[str, Scalar]) -> dict[str, Scalar]:
    """Arguments as they are recorded: few, and no text longer than a note."""
    few = list(arguments.items())[:_MAX_ARGUMENTS]
    return {name[:100]: value[:MAX_NOTE] if isinstance(value, str) else value for name, value in few}
