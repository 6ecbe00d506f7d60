"""One of several ranks, as screens are shown it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RankView:
    """`behind`: steps to the rank that is farthest. Seconds of a step are nan before they are known."""

    rank: int
    world: int
    """How many there are, watched here or not."""
    state: str
    step: int
    behind: int
    silent: float
    """Seconds since it was last heard."""
    step_seconds: float
    loss: float | None
    """None where it logged none: evaluations, say, are often rank 0's alone."""
    host: str
    pid: int
