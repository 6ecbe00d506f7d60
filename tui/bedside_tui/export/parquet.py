"""Metrics as Parquet: a row a value, with the columns `step`, `time`, `metric` and `value`. The one file that knows pyarrow.

It is loaded when it is asked for, since pyarrow comes with the extra `parquet`.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from typing import BinaryIO, Final

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from bedside_protocol.records import Metrics

_GROUP: Final = 1 << 18
"""Values in a row group, at least: what a reader takes at once."""
_SCHEMA: Final = pa.schema([("step", pa.int64()), ("time", pa.float64()), ("metric", pa.string()), ("value", pa.float64())])


def write_parquet(file: BinaryIO, blocks: Iterable[Metrics]) -> int:
    """All values, in the order of the log; how many were written."""
    count = waiting = 0
    held: list[Metrics] = []
    with parquet.ParquetWriter(file, _SCHEMA) as writer:
        for block in blocks:
            held.append(block)
            waiting += block.values.size
            if waiting >= _GROUP:
                writer.write_table(_table(held))
                count, waiting, held = count + waiting, 0, []
        if waiting or not count:
            writer.write_table(_table(held))
    return count + waiting


def _table(blocks: list[Metrics]) -> pa.Table:
    none = [np.empty(0)]
    steps = np.concatenate([np.empty(0, np.int64), *(np.repeat(block.steps, len(block.names)) for block in blocks)])
    times = np.concatenate(none + [np.repeat(block.times, len(block.names)) for block in blocks])
    values = np.concatenate(none + [block.values.T.reshape(-1) for block in blocks])
    names = list(chain.from_iterable(block.names * block.steps.size for block in blocks))
    return pa.table([steps, times, pa.array(names, pa.string()), values], schema=_SCHEMA)
