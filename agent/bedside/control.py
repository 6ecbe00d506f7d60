"""Where commands meet the training: orders come in on the uplink thread, are carried out by the training thread between two steps.

The uplink thread only puts an order down and says *accepted* or *refused*; the training thread looks at one attribute a step (`wanted`)
and acts at the boundary. What becomes of each order is said as `CommandChanged` through `say`, so the screen shows what the run did.
While held, the process lives, memory stays and heartbeats go on; a lease lets it go when there has been no hub for a while.

Of several ranks each arms itself for the step that the hub proposes, carries out what all have agreed upon, and says so as `RankCommand`;
what becomes of it on all of them the hub says.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
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
    TOO_LATE,
)
from bedside_protocol.messages import Arm, Armed, Order, Settled
from bedside_protocol.records import Body, CommandChanged, CommandState, Event, RankCommand, Scalar, Verb

from .checkpoint import CheckpointFailed, Checkpoints, Save
from .order_line import OrderLine
from .ranks import Place

LEASE: Final = 30.0
"""Seconds a held training waits without a hub before it goes on by itself."""

Boundaries = Literal["unknown", "yes", "no"]


class Control:
    """The orders of one rank. `line.wanted` is all the training thread reads on a step without orders.

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
        place: Place = Place(),  # noqa: B008 - a frozen value
    ) -> None:
        self.line = OrderLine(lambda: self._without_hub(), place.rank)
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
            "checkpoint": self._save_together,
            "stop": self._stop,
            "snapshot": self._snapshot,
            "rate": self._rate,
        }
        self._place = place

    def __repr__(self) -> str:
        state = "paused" if self.paused else "stopping" if self.stopping else "open"
        return f"<Control {state}, {self.line!r}>"

    def _without_hub(self) -> bool:
        """Whether the hub has been silent for as long as anybody is held without one."""
        return self._hub_silence() > LEASE

    # --- uplink thread

    def receive(self, order: Order, next_step: int) -> None:
        """Take an order from the hub; `next_step` is the boundary it will be carried out at."""
        if self._place.is_shared and order.at:
            self._act_with_others(order)
            return
        if not self.line.meet(order.id):
            return
        if order.verb == "cancel":
            self._cancel(order)
            return
        if refusal := self._refusal(order.verb, order.arguments):
            self._report(order, "refused", refusal)
            return
        self._report(order, "accepted")
        if order.verb in AT_BOUNDARY and not self.paused:
            self._report(order, "scheduled", step=next_step)
        if not self.line.put(order):  # it ended while this was being said
            self._report(order, "failed", OVER)

    def arm(self, arm: Arm, step: Callable[[], int]) -> Armed:
        """Be armed for a step that the other ranks are asked for too, or say why that cannot be. `step`: the newest boundary passed."""
        if (carried_out := self.line.carried_out(arm.id)) >= 0:
            return Armed(self._place.rank, arm.id, carried_out, step(), "done")
        if why := self._refusal(arm.verb, arm.arguments):
            return Armed(self._place.rank, arm.id, arm.at, step(), "refused", why=why)
        return self.line.arm(arm, step)

    def save_below(self, directory: Path) -> None:
        """Checkpoints belong into this run's directory, known by now."""
        self._checkpoints.directory = directory / "checkpoints"

    def settle(self, settled: Settled) -> None:
        """An order is over on all ranks, or will not happen."""
        self.line.settle(settled.id, settled.stop)

    def _act_with_others(self, order: Order) -> None:
        if self.line.agree(order.id, order.at) or self.line.carried_out(order.id) >= 0:
            return
        if self.line.meet(order.id):  # it was armed here once, and let go for want of a hub
            self._report(order, "failed", TOO_LATE)

    def _refusal(self, verb: Verb, arguments: Mapping[str, Scalar]) -> str:
        if self.line.is_over:
            return OVER
        if self.stopping:
            return STOPPING
        if verb in AT_BOUNDARY and self.boundaries == "no":
            return NO_BOUNDARY
        if self.save is None and self._place.is_first and (verb == "checkpoint" or (verb == "stop" and arguments.get("checkpoint"))):
            return NO_CHECKPOINT
        if verb in ("resume", "step") and not (self.paused or self.line.hold_next or self.line.holds("pause")):
            return NOT_PAUSED
        if verb == "pause" and self.paused:
            return ALREADY_PAUSED
        return ""

    def _cancel(self, order: Order) -> None:
        waiting = None if self.line.is_over else self.line.take_back(str(order.arguments.get("id", "")))
        if waiting is None:
            self._report(order, "refused", OVER if self.line.is_over else "there is no such command waiting")
            return
        self._report(waiting, "cancelled", f"by {order.who}")
        self._report(order, "accepted")
        self._report(order, "applied")

    # --- training thread

    def boundary(self, step: int) -> None:
        """Carry out what is asked, holding here while paused. Called when the line is `wanted`, after `step` was completed."""
        hold, self.line.hold_next = self.line.hold_next, False
        while (order := self.line.next(step)) is not None:
            hold = self._obey(order, step, hold)
            if self.stopping:
                break
        if hold and not self.stopping:
            self._hold(step)
        if self.stopping:
            self._drop(STOPPING, step)

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
        self.line.hold_next = hold
        return self._resume(order, step, hold)

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
                self.line.rest(step)
                if self._without_hub():
                    self._say(Event("resumed-without-hub", step, {"seconds": LEASE}))
                    break
                order = self.line.next(step, held=True)
                if order is not None and not self._obey(order, step, hold=True):
                    break
        finally:
            self.paused = False
            self.paused_seconds += time.monotonic() - began
            self.line.go_on()

    def _stop(self, order: Order, step: int, hold: bool) -> bool:
        if not order.arguments.get("checkpoint"):
            self.stopping = True
        elif not self._place.is_shared:
            self.stopping = self._checkpoint(order, step, also=True)
        else:
            self._checkpoint(order, step)
            self.stopping = self.line.together(order.id, step)  # only when all have saved
            return hold and not self.stopping
        if self.stopping:
            self._report(order, "applied", step=step)
        return hold and not self.stopping

    def _save_together(self, order: Order, step: int, hold: bool) -> bool:
        self._checkpoint(order, step)
        if self._place.is_shared and not hold:
            self.line.together(order.id, step)  # nobody waits in a collective for one that still writes
        return hold

    def _checkpoint(self, order: Order, step: int, also: bool = False) -> bool:
        if self.save is None:  # refused on arrival at rank 0; another rank may have nothing to save
            self._report(order, "applied", step=step)
            return True
        try:
            saved = self._checkpoints.write(self.save, step, order.id)
        except CheckpointFailed as error:
            why = f"{error}; the run goes on" if also else str(error)
            self._report(order, "failed", why, step)
            return False
        except BaseException as error:  # Ctrl-C, or a handler that exits: the training's own business, but not unsaid
            self._report(order, "failed", f"interrupted by {type(error).__name__}", step)
            raise
        if saved is None:  # rank 0 has saved for all
            self._report(order, "applied", step=step)
            return True
        self._say(saved)
        if not also:
            how = "" if saved.verified else " (saved by the script, not verified)"
            self._report(order, "applied", f"{saved.path} {saved.size:,} bytes{how}", step)
        return True

    def close(self, step: int) -> None:
        """The run is over: what still waits will not happen."""
        for order in self.line.close():
            self._report(order, "failed", OVER, step)

    def _drop(self, why: str, step: int) -> None:
        for order in self.line.drop():
            self._report(order, "failed", why, step)

    def _report(self, order: Order, state: CommandState, detail: str = "", step: int = -1) -> None:
        if self._place.is_shared:
            self._say(RankCommand(order.id, order.verb, state, detail, step))
        else:
            self._say(CommandChanged(order.id, order.verb, state, order.who, detail, step, dict(order.arguments)))


def _pace(asked: int, becomes: int) -> str:
    """What the training does about a rate, in words."""
    if becomes == 0:
        return "measured on demand only"
    return ("every step" if becomes == 1 else f"every {becomes:,} steps") + (
        f": every {asked:,} would exceed the probes' budget" if becomes > asked else ""
    )
