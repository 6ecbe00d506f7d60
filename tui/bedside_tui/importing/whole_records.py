"""A recording that was exported as JSON lines, written as it was: its records were judged when they were first written."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import BinaryIO, Final

from bedside_protocol.alerts.judge import recorded_verdict
from bedside_protocol.codec import CodecError
from bedside_protocol.places import LOG_NAME
from bedside_protocol.records import AlertChanged, Record, RunStarted
from bedside_tui.importing.imported import Imported
from bedside_tui.importing.left_out import LeftOut
from bedside_tui.importing.record_lines import NO_RECORD, read_record_lines
from bedside_tui.importing.recording import new_run
from bedside_tui.importing.sources import Source
from bedside_tui.log_writer import LogWriter
from bedside_tui.places import Unreadable

_UNORDERED: Final = "records that stood out of the log's order"
_SAFE: Final = re.compile(r"[^A-Za-z0-9._-]+")


def import_records(source: Source, out: Path) -> Imported:
    """The records of a file as `<out>/<id>/run.bedside`. Raises `Unreadable` and `Unwritable`."""
    left_out = LeftOut()
    changes: list[AlertChanged] = []
    count = 0
    try:
        lines = open(source.files[0], "rb")  # noqa: SIM115 - closed below
    except OSError as error:
        raise Unreadable(f"cannot read {source.files[0]}: {error.strerror or error}") from error
    with lines:
        records = _records_in(lines, source.files[0], left_out)
        first = next(records, None)
        if first is None:
            raise Unreadable(f"{source.files[0]} holds no record of this version; not read: {left_out.sentence()}")
        id = _directory_name(first.body.id if isinstance(first.body, RunStarted) else source.name)
        with new_run(out, id) as file:
            log = LogWriter(file)
            for record in chain([first], records):
                if 0 < record.seq < log.next_seq:
                    left_out.add(_UNORDERED)
                    continue
                try:
                    log.append(record)
                except CodecError:
                    left_out.add(NO_RECORD)
                    continue
                count += 1
                if isinstance(record.body, AlertChanged):
                    changes.append(record.body)
            log.flush()
    return Imported(id, out / id / LOG_NAME, source.form, recorded_verdict(changes), records=count, left_out=dict(left_out.counts))


def _records_in(lines: BinaryIO, path: Path, left_out: LeftOut) -> Iterator[Record]:
    """The records of the file. Only what goes wrong in reading is told as such."""
    try:
        yield from read_record_lines(lines, left_out)
    except OSError as error:
        raise Unreadable(f"cannot read {path}: {error.strerror or error}") from error


def _directory_name(id: str) -> str:
    """An id as the name of a directory: what somebody wrote into a file leads nowhere else."""
    return _SAFE.sub("-", id).strip("-.")[:100] or "run"
