"""Metrics as CSV: a line a value, or a line a logged row with a column for each metric.

Numbers are written so that reading them gives the same number again; what is not a number is `nan`, `inf` or `-inf`. Times are seconds
since the run began.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from typing import TextIO

from bedside_protocol.records import Metrics


def write_long(file: TextIO, blocks: Iterable[Metrics]) -> int:
    """Columns `step`, `time`, `metric`, `value`; the number of values written."""
    table = csv.writer(file, lineterminator="\n")
    table.writerow(("step", "time", "metric", "value"))
    count = 0
    for block in blocks:
        for step, time, row in zip(block.steps.tolist(), block.times.tolist(), block.values.T.tolist(), strict=True):
            table.writerows((step, time, name, value) for name, value in zip(block.names, row, strict=True))
        count += block.values.size
    return count


def write_wide(file: TextIO, blocks: Iterable[Metrics], names: Iterable[str]) -> int:
    """Columns `step`, `time` and one for each of `names`, empty where a row does not have the metric; the number of values written."""
    place = {name: at for at, name in enumerate(names)}
    table = csv.writer(file, lineterminator="\n")
    table.writerow(("step", "time", *place))
    count = 0
    for block in blocks:
        here = [(place[name], row) for name, row in zip(block.names, block.values.tolist(), strict=True) if name in place]
        for at, (step, time) in enumerate(zip(block.steps.tolist(), block.times.tolist(), strict=True)):
            cells: list[float | str] = [""] * len(place)
            for column, row in here:
                cells[column] = row[at]
            table.writerow((step, time, *cells))
        count += len(here) * block.steps.size
    return count


def names_in(blocks: Iterable[Metrics]) -> list[str]:
    """Every metric, in the order of its first value."""
    return list(dict.fromkeys(name for block in blocks for name in block.names))
