"""W&B's offline file of one run: its rows, what its summary adds to them, its configuration, name and beginning, and how it ended."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import BinaryIO, Final

from bedside_protocol.redact import flat_config
from bedside_tui.importing.about import About
from bedside_tui.importing.columns import Columns, RowTaker
from bedside_tui.importing.left_out import LeftOut
from bedside_tui.importing.lines import flat
from bedside_tui.importing.points import Points
from bedside_tui.wandb_files.blocks import Broken, read_records
from bedside_tui.wandb_files.records import Began, Exited, History, Settings, Summary, Told, told_by

STEP: Final = "_step"
TIME: Final = "_timestamp"
_OWN: Final = "_"
"""What names of W&B's own begin with."""
_MARKER: Final = "/_type"
"""How the name of what a value that is no number says of itself ends."""
OTHERS: Final = "pictures, histograms and other values that are no numbers"
MEASURED: Final = "measurements of the machine"
NO_RECORDS: Final = "records that cannot be understood"


def read_offline(file: BinaryIO, wanted: Columns, points: Points, left_out: LeftOut) -> About:
    """Every value of a file to `points`. W&B's own step and time are used unless others are `wanted`. Raises `NoSuchColumn`."""
    step, time = wanted.step or STEP, wanted.time or TIME
    taker = RowTaker(Columns(step, time), points, left_out)
    summary: dict[str, object] = {}
    settings: dict[str, object] = {}
    met: dict[str, object] = {}
    """The newest cell of every column: the last row's step and time are among them."""
    began, ended = Began(), None
    for told in _read(file, left_out):
        if isinstance(told, History):
            missing = {STEP: told.step, TIME: math.nan}
            row = {name: cell for name, cell in missing.items() if name in (step, time)} | _cells(told.items, (step, time), left_out)
            taker.take(row)
            met |= row
        elif isinstance(told, Summary):
            summary |= told.items
        elif isinstance(told, Settings):
            settings |= told.items
        elif isinstance(told, Began):
            began = Began(told.name or began.name, told.project or began.project, told.at or began.at)
            settings |= told.settings
        elif isinstance(told, Exited):
            ended = told.code
        else:
            left_out.add(MEASURED)
    more = {name: cell for name, cell in _cells(summary, (step, time), LeftOut()).items() if name not in met}
    if met and more:
        taker.take({step: met.get(step), time: met.get(time)} | more)
    if met:
        taker.finish()
    config = flat_config({name: value for name, value in settings.items() if not name.startswith(_OWN)})
    return About(began.name, began.project, began.at, config, ended)


def _cells(items: Mapping[str, object], wanted: tuple[str, str], left_out: LeftOut) -> dict[str, object]:
    """What was logged, by its path, without what is no number by its nature, and of what W&B adds of its own only what is wanted."""
    found = dict(flat(items))
    media = tuple(name.removesuffix(_MARKER[1:]) for name in found if name.endswith(_MARKER))
    left_out.add(OTHERS, len(media))
    return {name: cell for name, cell in found.items() if name in wanted or not (name.startswith(media) or name.startswith(_OWN))}


def _read(file: BinaryIO, left_out: LeftOut) -> Iterator[Told]:
    """What the records tell, one after the other."""
    for record in read_records(file):
        if isinstance(record, Broken):
            if record.torn:
                left_out.note(f"what stands from byte {record.offset:,} on, where the file is cut off")
            else:
                left_out.add("damaged places")
            continue
        try:
            told = told_by(record)
        except ValueError:
            left_out.add(NO_RECORDS)
            continue
        if told is not None:
            yield told
