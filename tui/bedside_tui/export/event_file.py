"""Metrics as an event file that TensorBoard reads: an event a logged row, values rounded to float32 as every writer of such files does."""

from __future__ import annotations

from collections.abc import Iterable
from typing import BinaryIO

from bedside_protocol.records import Metrics
from bedside_tui.tfevents.events import Scalars, encoded_scalars, first_event
from bedside_tui.tfevents.framing import framed


def write_events(file: BinaryIO, blocks: Iterable[Metrics], begun: float) -> int:
    """All rows, with the calendar's time: `begun` is the epoch second of time 0. The number of values written."""
    file.write(framed(first_event(begun)))
    count = 0
    for block in blocks:
        for step, time, row in zip(block.steps.tolist(), block.times.tolist(), block.values.T.tolist(), strict=True):
            file.write(framed(encoded_scalars(Scalars(begun + time, step, tuple(zip(block.names, row, strict=True))))))
        count += block.values.size
    return count
