"""What a case is, and the list of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Settings:
    """How one training of a case is to go."""

    name: str
    steps: int
    seed: int
    directory: Path | None
    broken: bool


@dataclass(frozen=True, slots=True)
class Case:
    """`script` is the module of this package whose `train` both forms run."""

    name: str
    script: str
    broken: bool
    steps: int
    about: str

    def train(self) -> Callable[[Settings], None]:
        """The training itself. Imports torch."""
        train: Callable[[Settings], None] = import_module(f"bedside.cases.{self.script}").train
        return train


CASES = (
    Case("vq-digits", "vq_digits", False, 6000, "a VQ-VAE on handwritten digits, healthy"),
    Case(
        "codebook-collapse",
        "vq_digits",
        True,
        6000,
        "the same training; from step 1,200 its codebook dies while the loss looks fine",
    ),
)


def case(name: str) -> Case | None:
    return next((found for found in CASES if found.name == name), None)
