"""`bedside clip RUN --at STEP --out FILE`: the recording around a step, small enough to send; it opens like any recording.

Alarms in it are those the run's own hub found. `bedside check` of a clip judges only what is in it.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from bedside_protocol.records import Record
from bedside_protocol.sanitise import text as safe
from bedside_tui.cli import Failure
from bedside_tui.cli.options import add_run, chosen_run
from bedside_tui.clip.clip import clipped
from bedside_tui.clip.window import NoSuchStep, find_window
from bedside_tui.draw import number
from bedside_tui.library import read_recording
from bedside_tui.log_writer import LogWriter
from bedside_tui.output import Unwritable, whole_file

_AROUND = 200


def arguments(parser: argparse.ArgumentParser) -> None:
    add_run(parser)
    parser.add_argument("--at", type=int, required=True, metavar="STEP", help="the step that matters; of one that comes again the newest")
    parser.add_argument("--around", type=int, default=_AROUND, metavar="N", help=f"steps before and after it (default: {_AROUND})")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="the file to write")


def run(options: argparse.Namespace) -> int:
    place = chosen_run(options)
    out: Path = options.out.expanduser()
    try:
        window = read_recording(place, lambda records, heard: find_window(records, options.at, max(0, options.around)))
        with whole_file(out) as file:
            log = LogWriter(file)

            def write(records: Iterator[Record], heard: float) -> int:
                for record in clipped(records, window):
                    log.append(record)
                log.flush()
                return log.next_seq - 1

            count = read_recording(place, write)
    except NoSuchStep as error:
        raise Failure(f"{place.id}: {error}") from error
    except Unwritable as error:
        raise Failure(str(error)) from error
    size = number.size(out.stat().st_size) if out.is_file() else "no file"
    print(safe(f"wrote {out}: {count:,} records around step {options.at:,}, {size}; bedside replay {out} opens it", 1000))
    return 0
