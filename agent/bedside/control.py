"""Where commands meet the training: orders come in on the uplink thread, are carried out by the training thread between two steps.

The uplink thread only puts an order down and says *accepted* or *refused*; the training thread looks at one attribute a step (`wanted`)
and acts at the boundary. What becomes of each order is said as `CommandChanged` through `say`, so the screen shows what the run did.
While held, the process lives, memory stays and heartbeats go on; a lease lets it go when there has been no hub for a while.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping
from typing import Final, Literal

from bedside_protocol.commands import (
    ALREADY_PAUSED,
    AT_BOUNDARY,
    MOST_STEPS,
    NO_BOUNDARY,
    NO_CHECKPOINT,
    NO_PROBE,
    NO_RATE,
    NOT_PAUSED,
    OVER,
    STOPPING,
)
from bedside_protocol.messages import Order
from bedside_protocol.records import Body, CommandChanged, CommandState, Event, Verb

from .checkpoint import CheckpointFailed, Checkpoints, Save

LEASE: Final = 30.0
"""Seconds a held training waits without a hub before it goes on by itself."""
_REMEMBERED: Final = 1000
"""Ids of orders kept, so that one delivered twice is done once."""
_LOOK: Final = 0.25
"""Seconds between two looks at the lease while held. A new order wakes the hold at once."""

Boundaries = Literal["unknown", "yes", "no"]


class Control:
    """The orders of one run. `wanted` is all the training thread reads on a step without orders.

    `demand(probe)` measures a probe soon; `rate(probe, every)` measures it every so many steps and returns how many they will be. Both
    tell where there is no such probe: False, and None.
    """

    def __init__(
        self,
        say: Callable[[Body], None],
        checkpoints: Checkpoints,
        hub_silence: Callable[[], float],
        demand: Callable[[str], bool],
        rate: Callable[[str, int], int | None],
    ) -> None:
        self.wanted = False
        self.stopping = False
        self.paused = False
        self.paused_seconds = 0.0
        self.save: Save | None = None
        self.boundaries: Boundaries = "unknown"
        self._say = say
        self._checkpoints = checkpoints
        self._hub_silence = hub_silence
        self._demand = demand
        self._change_rate = rate
        self._acts: Mapping[Verb, Callable[[Order, int, bool], bool]] = {
            "pause": self._pause,
            "resume": self._resume,
            "step": self._single_step,
            "checkpoint": self._save,
            "stop": self._stop,
            "snapshot": self._snapshot,
            "rate": self._rate,
        }
        self._wake = threading.Condition()
        self._orders: deque[Order] = deque()
        self._seen: OrderedDict[str, None] = OrderedDict()
        self._pause_next = False
        self._over = False

    def __repr__(self) -> str:
        state = "paused" if self.paused else "stopping" if self.stopping else "open"
        return f"<Control {state}, {len(self._orders)} orders waiting>"

    # --- uplink thread

    def receive(self, order: Order, next_step: int) -> None:
        """Take an order from the hub; `next_step` is the boundary it will be carried out at."""
        with self._wake:
            if order.id in self._seen:
                return
            self._seen[order.id] = None
            while len(self._seen) > _REMEMBERED:
                self._seen.popitem(last=False)
            refusal = self._refusal(order)
            if not refusal and order.verb == "cancel":
                target = str(order.arguments.get("id", ""))
                refusal = self._cancelled(target, order)
                if not refusal:
                    return
        if refusal:
            self._report(order, "refused", refusal)
            return
        self._report(order, "accepted")
        if order.verb in AT_BOUNDARY and not self.paused:
            self._report(order, "scheduled", step=next_step)
        with self._wake:
            over = self._over
            if not over:
                self._orders.append(order)
                self.wanted = True
                self._wake.notify_all()
        if over:  # it ended while this was being said
            self._report(order, "failed", OVER)

    def _refusal(self, order: Order) -> str:
        if self._over:
            return OVER
        if self.stopping and order.verb != "cancel":
            return STOPPING
        if order.verb in AT_BOUNDARY and self.boundaries == "no":
            return NO_BOUNDARY
        if self.save is None and (order.verb == "checkpoint" or (order.verb == "stop" and order.arguments.get("checkpoint"))):
            return NO_CHECKPOINT
        if order.verb in ("resume", "step") and not (self.paused or self._pause_next or any(o.verb == "pause" for o in self._orders)):
            return NOT_PAUSED
        if order.verb == "pause" and self.paused:
            return ALREADY_PAUSED
        return ""

    def _cancelled(self, target: str, order: Order) -> str:
        for waiting in self._orders:
            if waiting.id == target:
                self._orders.remove(waiting)
                self._report(waiting, "cancelled", f"by {order.who}")
                self._report(order, "accepted")
                self._report(order, "applied")
                return ""
        return "there is no such command waiting"

    # --- training thread

    def boundary(self, step: int) -> None:
        """Carry out what is asked, holding here while paused. Called when `wanted`, after `step` was completed."""
        hold = self._pause_next
        self._pause_next = False
        while (order := self._next()) is not None:
            hold = self._obey(order, step, hold)
            if self.stopping:
                break
        if hold and not self.stopping:
            self._hold(step)
        if self.stopping:
            self._drop(STOPPING, step)

    def _next(self) -> Order | None:
        with self._wake:
            if self._orders:
                return self._orders.popleft()
            self.wanted = self._pause_next
            return None

    def _obey(self, order: Order, step: int, hold: bool) -> bool:
        """Carry out one order, while the run is to be `hold` or not; whether it is to be held afterwards."""
        act = self._acts.get(order.verb)
        if act is not None:
            return act(order, step, hold)
        self._report(order, "failed", f"this agent does not know {order.verb!r}", step)
        return hold

    def _pause(self, order: Order, step: int, hold: bool) -> bool:
        self._report(order, "applied", step=step)
        return True

    def _resume(self, order: Order, step: int, hold: bool) -> bool:
        self._report(order, "applied" if hold else "failed", "" if hold else NOT_PAUSED, step)
        return False

    def _single_step(self, order: Order, step: int, hold: bool) -> bool:
        self._pause_next = hold
        return self._resume(order, step, hold)

    def _save(self, order: Order, step: int, hold: bool) -> bool:
        self._checkpoint(order, step)
        return hold

    def _snapshot(self, order: Order, step: int, hold: bool) -> bool:
        known = self._demand(str(order.arguments.get("probe", "")))
        self._report(order, "applied" if known else "failed", "" if known else NO_PROBE, step)
        return hold

    def _rate(self, order: Order, step: int, hold: bool) -> bool:
        every = order.arguments.get("every")
        if type(every) is not int or every > MOST_STEPS:
            self._report(order, "failed", NO_RATE, step)
            return hold
        becomes = self._change_rate(str(order.arguments.get("probe", "")), every)
        if becomes is None:
            self._report(order, "failed", NO_PROBE, step)
        else:
            self._report(order, "applied", _pace(every, becomes), step)
        return hold

    def _hold(self, step: int) -> None:
        began = time.monotonic()
        self.paused = True
        try:
            while True:
                with self._wake:
                    if not self._orders:
                        self._wake.wait(_LOOK)
                if self._hub_silence() > LEASE:
                    self._say(Event("resumed-without-hub", step, {"seconds": LEASE}))
                    break
                order = self._next()
                if order is not None and not self._obey(order, step, hold=True):
                    break
        finally:
            self.paused = False
            self.paused_seconds += time.monotonic() - began
            with self._wake:
                self.wanted = bool(self._orders) or self._pause_next

    def _stop(self, order: Order, step: int, hold: bool) -> bool:
        if order.arguments.get("checkpoint") and not self._checkpoint(order, step, also=True):
            return hold
        self.stopping = True
        self._report(order, "applied", step=step)
        return False

    def _checkpoint(self, order: Order, step: int, also: bool = False) -> bool:
        assert self.save is not None  # refused on arrival otherwise
        try:
            saved = self._checkpoints.write(self.save, step, order.id)
        except CheckpointFailed as error:
            why = f"{error}; the run goes on" if also else str(error)
            self._report(order, "failed", why, step)
            return False
        except BaseException as error:  # Ctrl-C, or a handler that exits: the training's own business, but not unsaid
            self._report(order, "failed", f"interrupted by {type(error).__name__}", step)
            raise
        self._say(saved)
        if not also:
            how = "" if saved.verified else " (saved by the script, not verified)"
            self._report(order, "applied", f"{saved.path} {saved.size:,} bytes{how}", step)
        return True

    def close(self, step: int) -> None:
        """The run is over: what still waits will not happen."""
        with self._wake:
            self._over = True
        self._drop(OVER, step)

    def _drop(self, why: str, step: int) -> None:
        with self._wake:
            orders, self._orders = list(self._orders), deque()
            self.wanted = False
        for order in orders:
            self._report(order, "failed", why, step)

    def _report(self, order: Order, state: CommandState, detail: str = "", step: int = -1) -> None:
        self._say(CommandChanged(order.id, order.verb, state, order.who, detail, step, dict(order.arguments)))


def _pace(asked: int, becomes: int) -> str:
    """What the training does about a rate, in words."""
    if becomes == 0:
        return "measured on demand only"
    return ("every step" if becomes == 1 else f"every {becomes:,} steps") + (
        f": every {asked:,} would exceed the probes' budget" if becomes > asked else ""
    )
