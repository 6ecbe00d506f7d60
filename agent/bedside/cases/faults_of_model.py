"""The cases whose fault is inside the model, with the quantity that tells each from its healthy twin."""

from __future__ import annotations

from typing import Final

from bedside.cases.case import Case, Sign

MODEL: Final = (
    Case(
        "codebook-collapse",
        "vq_digits",
        True,
        6000,
        "the codebook of a VQ-VAE dies while its loss looks fine",
        1200,
        Sign("codebook", "vq", "usage", "last", (0.6, 1.0), (0.0, 0.3), "codebook"),
    ),
)
