"""The ranks of one run: who is here, how each is, and what that means for all.

A run of one process has none but itself, and nothing here has anything to say of it. Decides and returns; the hub sends and records.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from bedside_protocol.lifecycle import SILENT_AFTER
from bedside_protocol.records import Ended, RanksSeen, Record

from .member import Member
from .process import Way

LINGER: Final = 10.0
"""Seconds after rank 0's end that the hub stays for the last words of other ranks that live."""

TOLD_WITHIN: Final = 1.0
"""Seconds in which every rank has told the step it is at: it beats twice a second."""


class Ranks:
    """The members of one run by their rank."""

    def __init__(self, world: int, way: Way) -> None:
        self.world = world
        self._way = way
        self._members: dict[int, Member] = {}
        self._first_lost: Member | None = None
        """The first rank that ended badly."""
        self._lost_at = self._looked = 0.0
        self._lost_step = 0
        """The step the run had come to when it was lost, as told a moment later."""

    def __repr__(self) -> str:
        return f"<Ranks {list(self._members.values())} of {self.world}>"

    @property
    def are_several(self) -> bool:
        return self.world > 1

    def joined(self, rank: int, pid: int, pid_start: int, now: float) -> None:
        """A rank has said who it is."""
        if not self.are_several:
            return
        known = self._members.get(rank)
        if known is None or not known.is_process(pid, pid_start):
            if known is not None:
                known.close()
            self._members[rank] = Member(rank, pid, pid_start, self._way, now)

    def heard(self, rank: int, now: float, step: int | None = None) -> None:
        """A rank was heard, and may have told its step."""
        if (member := self._members.get(rank)) is not None:
            member.heard = now
            member.step = member.step if step is None else step
        if now - self._lost_at <= TOLD_WITHIN:
            self._lost_step = self.farthest

    def observe(self, record: Record) -> None:
        """Take in what a rank said of its end."""
        if isinstance(record.body, Ended) and (member := self._members.get(record.rank)) is not None:
            member.goodbye = record.body

    def look(self, now: float) -> list[Member]:
        """See how all processes are: those that are over now, and were not before."""
        self._looked = now
        ended = [member for member in self._members.values() if member.look(now)]
        for member in ended:
            if member.ended_badly and self._first_lost is None:
                self._first_lost, self._lost_at, self._lost_step = member, now, self.farthest
        return ended

    @property
    def farthest(self) -> int:
        """The step of the rank that is farthest."""
        return max((member.step for member in self._members.values()), default=0)

    @property
    def alive(self) -> frozenset[int]:
        """The ranks that are here and not over."""
        return frozenset(member.rank for member in self._members.values() if not member.is_over)

    def unable(self, now: float) -> list[Member]:
        """The ranks other than 0 that live and answer nothing: stopped, or with a native call that keeps the interpreter lock."""
        others = [member for member in self._members.values() if member.rank and not member.is_over]
        return [member for member in others if member.state == "suspended" or now - member.heard > SILENT_AFTER]

    def why_not_all(self) -> str:
        """Why nothing can be asked of all ranks, empty where it can."""
        if gone := [member for member in self._members.values() if member.is_over]:
            return f"{told_of(gone[0])}: the other ranks cannot be held without it"
        missing = sorted(set(range(self.world)) - self._members.keys())
        if missing:
            have = "has" if len(missing) == 1 else "have"
            why = "on another machine, ended, or without bedside.init"
            return f"{_ranks(missing)} of {self.world} {have} not joined ({why}): all act at one step, or none does"
        return ""

    @property
    def are_all_here(self) -> bool:
        """Whether each of them has joined."""
        return len(self._members) == self.world

    def lost(self, but: int = -1) -> str:
        """The first rank that ended badly, in words; empty where none did, or it is `but`."""
        if self._first_lost is None or self._first_lost.rank == but:
            return ""
        return told_of(self._first_lost)

    @property
    def stand_still(self) -> bool:
        """Whether no step has been made since a rank was lost: one that was under way may still have ended."""
        return self._first_lost is not None and self._looked - self._lost_at > TOLD_WITHIN and self.farthest <= self._lost_step + 1

    def seen(self, now: float) -> RanksSeen:
        """How they stand."""
        members = [self._members[rank] for rank in sorted(self._members)]
        return RanksSeen(
            self.world,
            tuple(member.rank for member in members),
            tuple(member.step for member in members),
            tuple(round(now - member.heard, 1) for member in members),
            tuple(member.words(now)[:200] for member in members),
        )

    def speaks_on(self, now: float) -> bool:
        """Whether a rank other than 0 lives and was heard of late: it has something to say yet."""
        return any(member.rank and not member.is_over and now - member.heard < 2.0 for member in self._members.values())

    def close(self) -> None:
        for member in self._members.values():
            member.close()


def told_of(member: Member) -> str:
    """`rank 2 was killed (9: SIGKILL)`."""
    was = "" if member.state in ("finished", "failed", "died") else "was "
    return f"rank {member.rank} {was}{member.words(member.heard)}"


def _ranks(ranks: Iterable[int]) -> str:
    """`rank 3`, `ranks 4–7`, `ranks 2, 5`."""
    several = sorted(ranks)
    if len(several) == 1:
        return f"rank {several[0]}"
    if several == list(range(several[0], several[-1] + 1)):
        return f"ranks {several[0]}–{several[-1]}"
    return f"ranks {', '.join(map(str, several))}"
