"""A sign read off the records of one run: the number of which the case says where it lies, and in which form.

Only the log is looked at, as every screen and rule must; what the training knew beside it does not count.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from statistics import fmean, median
from typing import Final

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
    if sign.kind == ENDED:
        endings = (record.body for record in records if isinstance(record.body, Ended))
        return float(any(ending.exception == sign.field for ending in endings))
    values = [value for value in _values(sign, records, since) if math.isfinite(value)]
    return _OVER[sign.over](values) if values else math.nan


def _values(sign: Sign, records: Iterable[Record], since: int) -> Iterator[float]:
    for record in records:
        body = record.body
        if isinstance(body, Metrics) and not sign.probe and sign.field in body.names:
            yield from body.values[body.names.index(sign.field)][body.steps >= since].tolist()
        elif isinstance(body, Snapshot) and body.probe == sign.probe and body.kind == sign.kind and body.step >= since:
            yield body.scalars.get(sign.field, math.nan)
