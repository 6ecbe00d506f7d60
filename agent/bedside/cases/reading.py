"""A sign read off the records of one run: the number of which the case says where it lies, and in which form.

Only the log is looked at, as every screen and rule must; what the training knew beside it does not count.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from statistics import fmean, median
from typing import Final

import numpy as np

from bedside.cases.case import ENDED, Over, Sign
from bedside_protocol.records import Ended, Metrics, Record, Snapshot

_OVER: Final[Mapping[Over, Callable[[list[float]], float]]] = {
    "last": lambda values: values[-1],
    "max": max,
    "min": min,
    "median": median,
    "mean": fmean,
    "peak": lambda values: max(values) / median(values),
}


def quantity(sign: Sign, records: Iterable[Record], since: int = 0) -> float:
    """`sign.over` of its values at step `since` or later; values that are not finite are left out. NaN where there is none.

    Of a sign on the ending: 1 where the run ended by that exception, else 0.
    """
    values = [value for _, value in _values(sign, records, since)]
    if sign.kind == ENDED:
        return max(values, default=0.0)
    return _OVER[sign.over](values) if values else math.nan


def shown_since(sign: Sign, records: Iterable[Record], since: int = 0) -> int | None:
    """The first step from which on the quantity, of the values there were by then, lies where it does in the broken form, and stays there
    to the end of the log. None where it does not."""
    low, high = sign.broken
    points = list(_values(sign, records, since))
    values = [value for _, value in points]
    shown = None
    while values and low <= _OVER[sign.over](values) <= high:
        shown = points[len(values) - 1][0]
        values.pop()
    return shown


def _values(sign: Sign, records: Iterable[Record], since: int) -> Iterator[tuple[int, float]]:
    """Steps and finite values."""
    for record in records:
        body = record.body
        if isinstance(body, Metrics) and not sign.probe and sign.field in body.names:
            column = body.values[body.names.index(sign.field)]
            kept = (body.steps >= since) & np.isfinite(column)
            yield from zip(body.steps[kept].tolist(), column[kept].tolist(), strict=True)
        elif isinstance(body, Snapshot) and body.probe == sign.probe and body.kind == sign.kind and body.step >= since:
            value = body.scalars.get(sign.field, math.nan)
            if math.isfinite(value):
                yield body.step, value
        elif isinstance(body, Ended) and sign.kind == ENDED:
            yield body.step, float(body.exception == sign.field)
