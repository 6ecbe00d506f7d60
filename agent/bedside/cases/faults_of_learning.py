"""The cases whose fault is in how a model learns, in its data, or around it, with the quantity that tells each from its healthy twin."""

from __future__ import annotations

from typing import Final

from bedside.cases.case import Case

LEARNING: Final[tuple[Case, ...]] = ()
