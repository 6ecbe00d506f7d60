"""What a case is: a real small training, how it is to go, and what tells its broken form from its healthy one.

Which cases there are stands in `catalogue`; what they train in their scripts. Nothing here imports torch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Final, Literal

Over = Literal["last", "max", "min", "median", "mean", "peak"]
"""How many values become one. `peak` is the largest over the median."""

Interval = tuple[float, float]

ENDED: Final = "ended"
"""The kind of a sign that is read off the run's ending; its field is an exception's name, its quantity 1 or 0."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How one training of a case is to go. `broken` is the only difference between two forms, and shows from step `fault_at` on.

    `twin`: this is the healthy form of a case that is broken otherwise.
    """

    name: str
    steps: int
    seed: int
    directory: Path | None
    broken: bool
    fault_at: int = 0
    twin: bool = False

    @property
    def run_name(self) -> str:
        """What the run is called in every list."""
        return f"{self.name}-healthy-{self.seed}" if self.twin else f"{self.name}-{self.seed}"


@dataclass(frozen=True, slots=True)
class Sign:
    """One quantity that tells broken from healthy, and the screen that shows it.

    It is `over` of the values, from the step of the fault on, of scalar `field` of the snapshots of probe `probe`, whose kind is `kind`.
    Without kind and probe, `field` is a logged metric's name. `healthy` and `broken` hold the quantity, both ends included.
    """

    kind: str
    probe: str
    field: str
    over: Over
    healthy: Interval
    broken: Interval
    screen: str

    def __post_init__(self) -> None:
        (low, high), (worse_low, worse_high) = self.healthy, self.broken
        if not low <= high or not worse_low <= worse_high:
            raise ValueError(f"{self.field}: an interval ends before it begins")
        if low <= worse_high and worse_low <= high:
            raise ValueError(f"{self.field}: {self.healthy} and {self.broken} overlap, so that a constant could be in both")


@dataclass(frozen=True, slots=True)
class Case:
    """`script` is the module of this package whose `train` runs it, in both forms where `broken`; `fault_at` is the fault's first step.

    A broken case has a sign. One that is healthy has none: it is there to be left alone.
    """

    name: str
    script: str
    broken: bool
    steps: int
    about: str
    fault_at: int = 0
    sign: Sign | None = None

    def __post_init__(self) -> None:
        if self.broken is not (self.sign is not None):
            raise ValueError(f"{self.name}: a broken case has a sign, a healthy one has none")

    def train(self) -> Callable[[Settings], None]:
        """The training itself. Imports torch."""
        train: Callable[[Settings], None] = import_module(f"bedside.cases.{self.script}").train
        return train

    def settings(self, *, steps: int | None = None, seed: int = 0, directory: Path | None = None, healthy: bool = False) -> Settings:
        """The settings of one form: its own number of steps where none is given."""
        broken = self.broken and not healthy
        return Settings(self.name, self.steps if steps is None else steps, seed, directory, broken, self.fault_at, self.broken and healthy)
