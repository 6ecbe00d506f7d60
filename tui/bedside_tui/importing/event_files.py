"""The scalars of a run's event files: all files of one directory, as one writer after the other left them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Final

from bedside_tui.importing.columns import TOO_MANY
from bedside_tui.importing.left_out import LeftOut
from bedside_tui.importing.lines import NotThat
from bedside_tui.importing.points import LARGEST_STEP, Points
from bedside_tui.tfevents.events import scalars_of
from bedside_tui.tfevents.framing import Broken, read_frames

OTHERS: Final = "histograms, pictures, texts and other values that are no scalars"
WRONG_SUM: Final = "events that do not match their checksum"
NOT_EVENTS: Final = "records that are no event"

_Span = tuple[float, float, str]
"""Wall times of the first and the last value of a metric in a file, and the file's name."""


class MixedRuns(NotThat):
    """Two files tell the same metric of the same time: they are two runs."""


def read_events(files: Sequence[Path], points: Points, left_out: LeftOut) -> None:
    """All scalars of these files. Raises `MixedRuns`, and `OSError` for a file that cannot be read."""
    spans: dict[str, list[_Span]] = {}
    for path in files:
        for tag, (first, last) in _read(path, points, left_out).items():
            spans.setdefault(tag, []).append((first, last, path.name))
    for tag, each in spans.items():
        each.sort()
        for before, after in pairwise(each):
            if after[0] < before[1]:
                raise MixedRuns(f"{before[2]} and {after[2]} tell {tag!r} of the same time and are two runs: name one of the files")


def _read(path: Path, points: Points, left_out: LeftOut) -> dict[str, tuple[float, float]]:
    """One file's scalars; the first and the last wall time of each metric in it."""
    spans: dict[str, tuple[float, float]] = {}
    with open(path, "rb") as file:
        for frame in read_frames(file):
            if isinstance(frame, Broken):
                why = "cut off" if frame.torn else "damaged"
                left_out.note(f"{path.name} from byte {frame.offset:,} on, where it is {why}")
                break
            try:
                said = scalars_of(frame.data)
            except ValueError:
                left_out.add(NOT_EVENTS if frame.is_whole else WRONG_SUM)
                continue
            if said.values and not frame.is_whole:
                left_out.add(WRONG_SUM)
                continue
            left_out.add(OTHERS, said.others)
            for tag, value in said.values:
                _put(points, left_out, said.step, said.wall_time, tag, value)
                first, last = spans.get(tag, (said.wall_time, said.wall_time))
                spans[tag] = min(first, said.wall_time), max(last, said.wall_time)
    return spans


def _put(points: Points, left_out: LeftOut, step: int, time: float, tag: str, value: float) -> None:
    if abs(step) >= LARGEST_STEP:
        left_out.add("events whose step is out of range")
    elif not points.add(step, time if abs(time) < LARGEST_STEP else float("nan"), tag or "scalar", value):
        left_out.add(TOO_MANY)
    else:
        points.end_value()
