"""What a scripted run is planned to be: how long, how fast, and when it falls ill."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

Kind = Literal["healthy", "collapse", "explosion"]

CODES = 512
LAYERS = ("encoder.0", "encoder.2", "encoder.4", "quantizer.embedding", "decoder.0", "decoder.2", "decoder.4", "head")
COLLAPSE_AT = 0.74
"""Share of the run after which the codebook collapses, in the sick one."""

EXPLODES_AT = 0.9
"""Share of the run after which the loss explodes, in the one where it does."""


@dataclass(frozen=True, slots=True)
class Plan:
    kind: Kind
    steps: int
    seconds: float
    seed: int

    @property
    def rate(self) -> float:
        return self.steps / self.seconds

    def time(self, step: float) -> float:
        return step / self.rate

    def sickness(self, step: float) -> float:
        """0 while healthy, 1 once fully collapsed."""
        if self.kind != "collapse":
            return 0.0
        return float(np.clip((step / self.steps - COLLAPSE_AT) / 0.16, 0.0, 1.0))
