"""Which cases there are. Their rows stand beside each other by what goes wrong: inside the model, in how it learns, around it."""

from __future__ import annotations

from typing import Final

from bedside.cases.case import Case
from bedside.cases.faults_of_learning import LEARNING
from bedside.cases.faults_of_model import MODEL
from bedside.cases.hard_healthy import HARD

HEALTHY: Final = (Case("vq-digits", "vq_digits", False, 6000, "a VQ-VAE on handwritten digits"),)

BROKEN: Final = MODEL + LEARNING

GROUPS: Final = (
    ("healthy", HEALTHY),
    ("broken, from the given step on; --healthy trains the same script without the fault", BROKEN),
    ("healthy, although it looks like trouble: nothing may raise an alarm", HARD),
)

CASES: Final = HEALTHY + BROKEN + HARD


def case(name: str) -> Case | None:
    return next((found for found in CASES if found.name == name), None)
