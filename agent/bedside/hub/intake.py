"""What agents say, on its way into the log: each record once, in the order of its speaker, known to whoever must know of it.

Also what a training left beside its recording when it went, and what an earlier hub has written. Knows no socket and no clock.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from bedside.left_over import forget_left, left_frames
from bedside.spawn import HubPlan
from bedside_protocol.codec import CodecError, decode_place, decode_record
from bedside_protocol.places import LOG_NAME
from bedside_protocol.records import Body, Lost, Record, RulesDeclared, RunStarted
from bedside_protocol.runlog import Chunk, read_log

from .journal import Journal
from .status import RunStatus


class Intake:
    """Takes records for one journal. `heed` is told of each that was taken."""

    def __init__(
        self,
        plan: HubPlan,
        journal: Journal,
        status: RunStatus,
        say: Callable[[Body], None],
        heed: Callable[[Record], None],
    ) -> None:
        self.refused = 0
        """Frames this hub could not read, not yet told of."""
        self._plan = plan
        self._directory = Path(plan.directory)
        self._journal = journal
        self._status = status
        self._say = say
        self._heed = heed
        self._left: set[int] = set()

    def __repr__(self) -> str:
        return f"<Intake of {self._plan.run}, {self.refused} refused>"

    def take(self, frame: bytes) -> bool:
        """Take one record; False where something before it is missing, and must come first."""
        rank, counter = decode_place(frame)
        if self._journal.lacks(rank, counter) or (rank > 0 and not self._journal.has_begun):
            return False
        try:
            record = decode_record(frame)
        except CodecError:  # one that cannot be read here must not cost those behind it
            self.refused += self._journal.skip_to(rank, counter)
            return True
        if self._journal.take(record, len(frame)):
            self._status.observe(record)
            self._heed(record)
            if isinstance(record.body, RunStarted) and rank == 0 and self._plan.rules:
                self._say(RulesDeclared(self._plan.rules_name, self._plan.rules))
        return True

    def take_left(self) -> None:
        """What the ranks left behind when they went, each once: nothing of it was acknowledged, all of it comes next."""
        for rank in range(self._plan.world):
            if rank not in self._left and (frames := left_frames(self._directory, rank)):
                self._left.add(rank)
                self._take_frames(frames)

    def _take_frames(self, frames: list[bytes]) -> None:
        try:
            for frame in frames:
                if not self.take(frame):
                    rank, counter = decode_place(frame)
                    self._say(Lost(self._journal.skip_to(rank, counter - 1), "the training said them to a hub that died"))
                    self.take(frame)
        except CodecError:
            self.refused += 1

    def forget_left(self) -> None:
        """What was left behind is written now."""
        for rank in self._left:
            forget_left(self._directory, rank)

    def recover(self, learn: Callable[[Record], None]) -> int:
        """Take in what an earlier hub wrote, `learn` told of each record. Where to append: after its last whole chunk; a torn tail is cut
        away."""
        path = self._directory / LOG_NAME
        if not path.exists():
            return 0
        end = 0
        with open(path, "r+b") as file:
            for piece in read_log(file):
                if isinstance(piece, Chunk):
                    end = piece.head.end
                    self._journal.replay(piece.records, dict(piece.counters))
                    for record in piece.records:
                        self._status.observe(record)
                        learn(record)
            file.truncate(end)
        return end
