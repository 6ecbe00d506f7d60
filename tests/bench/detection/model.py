"""What the benchmark speaks of: a run to be judged, what is true of it, and what a detector says.

A detector sees records, as a monitor does, one after the other; what it says at a step it must not take back.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

from bedside_protocol.records import Record, Severity

Source: TypeAlias = Literal["twins", "held out", "corpus", "spliced", "spliced, resumed"]


@dataclass(frozen=True, slots=True)
class Truth:
    """What is known of a run beforehand."""

    family: str
    """The kind of failure: the name of the case, or the label of the curve; "healthy" where there is none."""
    onset: int = 0
    """The first step at which the fault is at work."""
    rules: tuple[str, ...] = ()
    """The names of bedside's rules that would name it rightly; empty where nobody says."""
    curve: bool = True
    """Whether the fault is to be seen in a loss. What is inside the model is not, and no detector of curves is blamed for it."""
    every: int = 1
    """Steps between two snapshots of the probe that sees it; 1 for a curve."""
    first_nan: int | None = None
    shown: int | None = None
    """The first step from which on the quantity by which the catalogue tells this fault lies where it does in a broken run; None where
    nobody says."""

    @property
    def is_healthy(self) -> bool:
        return self.family == "healthy"


@dataclass(frozen=True, slots=True)
class Run:
    """One run: who made it, what is true of it, and its records, read when asked for."""

    name: str
    program: str
    """The independent unit: seeds of one program are not independent of each other."""
    source: Source
    truth: Truth
    records: Callable[[], Sequence[Record]]
    steps: int


@dataclass(frozen=True, slots=True)
class Alarm:
    """An episode that a detector began, or one that grew worse. `rule` names it, empty where the detector has only one thing to say."""

    step: int
    severity: Severity
    rule: str = ""
    target: str = ""
    episode: int = 0
    """Which of this rule on this target, where a detector tells: two alarms of one episode are one that grew worse."""


class Detector(Protocol):
    """Something that looks at runs."""

    @property
    def name(self) -> str: ...

    @property
    def timely(self) -> bool:
        """Whether it speaks while the training runs. One that does not has no latency, and warns of nothing."""

    def judge(self, run: Run) -> list[Alarm]:
        """The episodes, by step. It knows nothing of `run.truth`."""
