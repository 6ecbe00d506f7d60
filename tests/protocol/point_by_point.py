"""A test of one metric fed as its track feeds it: what it is judged against takes each value first."""

from __future__ import annotations

from collections.abc import Sequence

from bedside_protocol.alerts.levels import PointTest
from bedside_protocol.alerts.surroundings import Surroundings


def see(test: PointTest, step: int, value: float) -> int:
    around = getattr(test, "around", None)
    if isinstance(around, Surroundings):
        around.push(value)
    return test.see(step, value)


def levels(test: PointTest, values: Sequence[float], stride: int = 1) -> list[int]:
    return [see(test, i * stride, value) for i, value in enumerate(values)]
