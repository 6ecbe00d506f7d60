"""How all ranks of a run come to carry out one order at one step: the hub's side, without a clock or a socket.

Every rank is asked for its step, the greatest and a margin make the step to hold at, and every rank arms itself for it: it will stand still
there until it is told to act or to forget. A rank that is past it already says so, and a later step is tried, with twice the margin. Only
when all are armed is anything carried out. No rank waits inside a collective, and none calls one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from .messages import Arm, Armed, Order, Settled
from .records import CommandState, RankCommand

MARGIN: Final = 2
"""Steps between the farthest rank and the first step tried; doubled each time a rank was faster."""
ANSWER_WITHIN: Final = 10.0
"""Seconds in which every rank must have armed itself. The answer comes from a thread of its own, so the length of a step does not matter;
a rank whose interpreter is held up must not keep the others standing."""
_ASK_AGAIN: Final = 0.5
_AT_ONCE: Final = frozenset({"resume"})
"""Verbs that need no common step: the ranks stand at one already."""

Phase: TypeAlias = Literal["asking", "arming", "agreed", "acting", "over"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of the order on all ranks together."""

    state: CommandState
    detail: str = ""


class Agreement:
    """One order on its way to one step of `ranks`. Ask `due` what to send, tell it what is heard."""

    def __init__(self, order: Order, ranks: Iterable[int], now: float) -> None:
        self.order = order
        self.ranks = frozenset(ranks)
        self.phase: Phase = "acting" if order.verb in _AT_ONCE else "asking"
        self.at = 0
        """The step agreed upon, or tried; 0 before one is."""
        self.outcome: Outcome | None = None
        self._margin = MARGIN
        self._began = now
        self._answers: dict[int, Armed] = {}
        self._astray: frozenset[int] = frozenset()
        """The ranks that did not stand with the others when all had last said where they are."""
        self._done: dict[int, RankCommand] = {}
        self._sent: dict[int, float] = {}

    def __repr__(self) -> str:
        return f"<Agreement on {self.order.verb} {self.phase} at {self.at}, {len(self._answers)} of {len(self.ranks)} answered>"

    @property
    def done(self) -> Mapping[int, RankCommand]:
        """What the ranks that are through with it said."""
        return self._done

    def hear(self, answer: Armed) -> None:
        """What a rank says of its step, or of the step it was asked to hold at."""
        if answer.id != self.order.id or answer.rank not in self.ranks or self.phase not in ("asking", "arming"):
            return
        if answer.state == "refused":
            self._end("refused", answer.why)
        elif self.phase == "asking":
            self._answers[answer.rank] = answer
            if len(self._answers) == len(self.ranks):
                self._choose()
        elif answer.at == self.at:
            self._heard_of_step(answer)

    def _choose(self) -> None:
        """A step for all: where they stand, if they do; where one has acted already (told by a hub that died since); else ahead of all.
        Where only some stand, all are asked again."""
        done = [answer.at for answer in self._answers.values() if answer.state == "done"]
        steps = {answer.step for answer in self._answers.values()}
        standing = all(answer.stands for answer in self._answers.values())
        if done:
            self.at, self.phase = done[0], "agreed"
        elif standing and len(steps) == 1:
            self._try(steps.pop())
        elif any(answer.stands for answer in self._answers.values()):  # held: the others come to where it stands, or never will
            self._astray = frozenset(rank for rank, answer in self._answers.items() if not (answer.stands and answer.step == max(steps)))
            self._answers.clear()
        else:
            self._try(max(steps) + self._margin)

    def _try(self, step: int) -> None:
        self.at, self.phase = step, "arming"
        self._answers.clear()
        self._sent.clear()

    def _heard_of_step(self, answer: Armed) -> None:
        if answer.state == "past":
            self._margin *= 2
            self._try(max(answer.step, self.at) + self._margin)
            return
        self._answers[answer.rank] = answer
        if len(self._answers) == len(self.ranks):
            self.phase = "agreed"

    def act(self) -> None:
        """It is written down that all will act at `at`: tell them. (Written first, a hub that starts anew knows what was told.)"""
        self.phase = "acting"
        self._sent.clear()
        self._settle_if_done()

    def did(self, rank: int, said: RankCommand) -> None:
        """A rank is through with the order, well or badly."""
        if rank in self.ranks and said.id == self.order.id and said.state in ("applied", "failed", "refused"):
            self._done[rank] = said
            self._settle_if_done()

    def _settle_if_done(self) -> None:
        if self.phase != "acting" or len(self._done) < len(self.ranks):
            return
        bad = [(rank, said) for rank, said in sorted(self._done.items()) if said.state != "applied"]
        if not bad:
            self._end("applied", self._done[min(self._done)].detail)
            return
        same = len({said.detail for _, said in bad}) == 1 and len(bad) == len(self.ranks)
        detail = bad[0][1].detail if same else "; ".join(f"rank {rank}: {said.detail}" for rank, said in bad)
        self._end("failed", detail)

    def give_up(self, why: str) -> None:
        """It will not happen: a rank is gone, or does not answer."""
        self._end("failed", why)

    def cancel(self, why: str) -> None:
        """Somebody took it back before all had agreed."""
        self._end("cancelled", why)

    def _end(self, state: CommandState, detail: str) -> None:
        if self.phase != "over":
            self.phase, self.outcome = "over", Outcome(state, detail[:600])

    def due(self, now: float) -> list[tuple[int, Arm | Order]]:
        """What to send to whom now; what got no answer goes out again."""
        if self.phase in ("asking", "arming") and now - self._began > ANSWER_WITHIN:
            astray = self.phase == "asking" and self._astray
            what = "come to where the others stand" if astray else "answer"
            missing = sorted(self._astray if astray else self.ranks - self._answers.keys())
            self.give_up(f"rank {', '.join(map(str, missing))} did not {what} within {ANSWER_WITHIN:.0f} s")
        if self.phase in ("agreed", "over"):
            return []
        answered = self._done if self.phase == "acting" else self._answers
        waiting = [rank for rank in sorted(self.ranks - answered.keys()) if now - self._sent.get(rank, float("-inf")) >= _ASK_AGAIN]
        self._sent.update(dict.fromkeys(waiting, now))
        return [(rank, self._message()) for rank in waiting]

    def _message(self) -> Arm | Order:
        order = self.order
        if self.phase == "acting":
            return Order(order.id, order.verb, order.who, order.arguments, self.at)
        return Arm(order.id, order.verb, order.who, order.arguments, self.at)

    def settled(self) -> Settled:
        """What all ranks are told when it is over: go on, or leave the loop."""
        stop = self.order.verb == "stop" and self.outcome is not None and self.outcome.state == "applied"
        return Settled(self.order.id, stop)
