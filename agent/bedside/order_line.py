"""Orders between the uplink thread, which receives them, and the training thread, which carries them out: in their sequence, each once.

An order may be armed for a step, where several ranks shall carry it out together: there the training stands still, outside any collective,
until every rank is armed and the hub says so, or says to forget it. Nothing waits here any longer once the run is `without_hub`.
"""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from bedside_protocol.messages import Arm, Armed, Order

REMEMBERED: Final = 1000
"""Ids of orders kept, so that one delivered twice is done once."""
_LOOK: Final = 0.25
"""Seconds between two looks at the lease while the training stands still. A new order wakes it at once."""
_Value = TypeVar("_Value")


@dataclass(slots=True)
class _Waiting:
    order: Order
    at: int = 0
    """The step to carry it out at, 0 for the next boundary."""
    agreed: bool = True


class OrderLine:
    """The orders of one rank. `wanted` is all the training thread reads on a step without orders."""

    def __init__(self, without_hub: Callable[[], bool], rank: int = 0) -> None:
        self.wanted = False
        self.hold_next = False
        """Whether the training stands still at the next boundary whatever comes."""
        self.is_over = False
        self.rank = rank
        self._without_hub = without_hub
        self._wake = threading.Condition()
        self._line: deque[_Waiting] = deque()
        self._known: OrderedDict[str, int] = OrderedDict()
        """Ids of orders taken, with the step they were carried out at, -1 before."""
        self._settled: OrderedDict[str, bool] = OrderedDict()
        self._stands_at = -1
        self._awaited: tuple[str, int] | None = None

    def __repr__(self) -> str:
        return f"<OrderLine {len(self._line)} waiting{f', standing at {self._stands_at}' if self._stands_at >= 0 else ''}>"

    # --- uplink thread

    def meet(self, name: str) -> bool:
        """Whether an order of this id is new; from now on it is not."""
        with self._wake:
            if name in self._known:
                return False
            _remember(self._known, name, -1)
            return True

    def holds(self, *verbs: str) -> bool:
        """Whether an order of such a verb waits."""
        with self._wake:
            return any(waiting.order.verb in verbs for waiting in self._line)

    def put(self, order: Order) -> bool:
        """An order for the next boundary; False where the run is over."""
        with self._wake:
            if not self.is_over:
                self._line.append(_Waiting(order))
                self._news()
            return not self.is_over

    def take_back(self, name: str) -> Order | None:
        """The order of this id, which no longer waits; None where none does."""
        with self._wake:
            waiting = self._find(name)
            if waiting is not None:
                self._line.remove(waiting)
            return waiting.order if waiting else None

    def carried_out(self, name: str) -> int:
        """The step at which an order was carried out, -1 where it was not."""
        return self._known.get(name, -1)

    def arm(self, arm: Arm, step: Callable[[], int]) -> Armed:
        """Stand still at `arm.at` for this order, or say that it is past. Without a step: say only where the training is."""
        with self._wake:
            if arm.at:
                waiting = self._find(arm.id)
                if waiting is None:
                    self._line.append(_Waiting(Order(arm.id, arm.verb, arm.who, arm.arguments), arm.at, agreed=False))
                else:
                    waiting.at = arm.at
                self._news()
            stands_at = self._stands_at
        passed = step()  # read after the step is published: whoever passes it meanwhile is seen here, whoever does not, sees it
        ahead = passed < arm.at or stands_at == arm.at or not arm.at
        return Armed(self.rank, arm.id, arm.at, passed, "ready" if ahead else "past", stands_at == passed)

    def agree(self, name: str, at: int) -> bool:
        """All ranks are armed: the order will be carried out. False where it does not wait here."""
        with self._wake:
            waiting = self._find(name)
            if waiting is not None:
                waiting.at, waiting.agreed = at, True
                self._news()
            return waiting is not None

    def settle(self, name: str, stop: bool) -> None:
        """The order is over on all ranks, or will not happen."""
        with self._wake:
            waiting = self._find(name)
            if waiting is not None:
                self._line.remove(waiting)
            _remember(self._settled, name, stop)
            self._wake.notify_all()

    def open(self, step: int) -> list[Armed]:
        """What stands still here for the others' word: said again and again, so that whoever has forgotten it says so."""
        with self._wake:
            armed = [(waiting.order.id, waiting.at, "ready") for waiting in self._line if waiting.at and not waiting.agreed]
            armed += [(*self._awaited, "done")] if self._awaited else []
            return [Armed(self.rank, name, at, step, state, self._stands_at == step) for name, at, state in armed]  # type: ignore[arg-type]

    def close(self) -> list[Order]:
        """The run is over. What still waited."""
        with self._wake:
            self.is_over = True
        return self.drop()

    def drop(self) -> list[Order]:
        """What waits, which no longer does."""
        with self._wake:
            orders, self._line = [waiting.order for waiting in self._line], deque()
            self.wanted = False
            return orders

    def _find(self, name: str) -> _Waiting | None:
        return next((waiting for waiting in self._line if waiting.order.id == name), None)

    def _news(self) -> None:
        self.wanted = True
        self._wake.notify_all()

    # --- training thread, between two steps

    def next(self, step: int, held: bool = False) -> Order | None:
        """The next order to carry out at `step`; stands still for one that is armed until all are. None where nothing is to be done, and
        then the training goes on, unless it is `held`."""
        with self._wake:
            while self._line and self._line[0].at <= step:
                first = self._line[0]
                if first.agreed:
                    self._line.popleft()
                    _remember(self._known, first.order.id, step)
                    return first.order
                if self._without_hub():
                    self._line.popleft()
                else:
                    self._stand(step)
            if not held:
                self._go_on()
            return None

    def go_on(self) -> None:
        """The training stands still no longer."""
        with self._wake:
            self._go_on()

    def _go_on(self) -> None:
        self._stands_at = -1
        self.wanted = bool(self._line) or self.hold_next

    def rest(self, step: int) -> None:
        """Stand still until there may be something to do."""
        with self._wake:
            if not (self._line and self._line[0].at <= step):
                self._stand(step)

    def together(self, name: str, step: int) -> bool:
        """Stand still until all ranks have carried out this order; whether all shall stop now."""
        with self._wake:
            self._awaited = name, step
            while name not in self._settled and not self._without_hub():
                self._stand(step)
            self._awaited = None
            return self._settled.pop(name, False)

    def _stand(self, step: int) -> None:
        self._stands_at = step
        self._wake.wait(_LOOK)


def _remember(kept: OrderedDict[str, _Value], name: str, value: _Value) -> None:
    kept[name] = value
    while len(kept) > REMEMBERED:
        kept.popitem(last=False)
