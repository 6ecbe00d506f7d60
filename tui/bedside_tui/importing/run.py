"""A run of another program as a recording below a directory: found, read, put in order, judged, written whole or not at all."""

from __future__ import annotations

import hashlib
import io
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import numpy as np

from bedside_protocol.places import LOG_NAME, run_id
from bedside_protocol.records import HUB_RANK, LifecycleChanged, Metrics, Problem, RunStarted
from bedside_tui.importing.about import About
from bedside_tui.importing.columns import Columns, NoSuchColumn, RowTaker
from bedside_tui.importing.event_files import read_events
from bedside_tui.importing.imported import Imported
from bedside_tui.importing.left_out import LeftOut
from bedside_tui.importing.lines import NotThat, read_history, read_rows
from bedside_tui.importing.order import InOrder, Row, in_order
from bedside_tui.importing.points import Kept, Points
from bedside_tui.importing.recording import JudgedLog, new_run
from bedside_tui.importing.sources import Source, find_source, first_three
from bedside_tui.importing.table import read_table
from bedside_tui.importing.whole_records import import_records
from bedside_tui.places import Unreadable

PROJECT: Final = "imported"
_MOST_ROWS: Final = 16
"""Rows in one block: an alarm follows the values that caused it by so many rows at most."""


def import_run(path: Path, out: Path, columns: Columns, renamed: Mapping[str, str]) -> Imported:
    """Import the run at `path` as `<out>/<id>/run.bedside`. Raises `Unreadable`, `NoSuchColumn` and `Unwritable`."""
    source = find_source(path)
    if source.form in ("records", "events") and (columns.step or columns.time):
        raise Unreadable(f"{path} tells steps and times itself: --step and --time are for columns")
    if source.form == "records":
        if renamed:
            raise Unreadable(f"{path} is a recording as JSON and keeps its names: --map is for other files")
        return import_records(source, out)
    left_out = LeftOut()
    left_out.add(f"runs in directories below ({first_three(source.below)})", len(source.below))
    left_out.add(f"directories below that may not be looked into ({first_three(source.closed)})", len(source.closed))
    points = Points(renamed)
    try:
        about = _read(source, columns, points, left_out)
    except OSError as error:
        raise Unreadable(f"cannot read {error.filename or path}: {error.strerror or error}") from error
    except NotThat as error:
        raise Unreadable(f"{path} cannot be imported: {error}") from error
    if not len(points):
        raise Unreadable(f"{path} holds no value of any metric" + (f"; not read: {left_out.sentence()}" if left_out.counts else ""))
    for name in renamed:
        if name not in points.names:
            raise NoSuchColumn(name, points.names)
    return _write(source, out, in_order(points.kept(), together=source.form == "events", begun=about.begun), left_out, about)


def _read(source: Source, columns: Columns, points: Points, left_out: LeftOut) -> About:
    """The values of a source; what else it tells."""
    if source.form == "events":
        read_events(source.files, points, left_out)
        return About()
    with open(source.files[0], "rb") as file:
        if source.form == "offline":
            from bedside_tui.importing.offline_files import read_offline  # an import of a thousand points is mostly one of modules

            return read_offline(file, columns, points, left_out)
        taker = RowTaker(columns, points, left_out)
        if source.form == "table":
            with io.TextIOWrapper(file, "utf-8-sig", "replace", newline="") as text:
                read_table(text, taker, left_out)
        elif source.form == "history":
            read_history(file, taker, left_out)
        else:
            read_rows(file, taker, left_out)
    taker.finish()
    return About(notes=("no column is the step: rows are counted",) if taker.counts_steps else ())


# --- values


def _write(source: Source, out: Path, run: InOrder, left_out: LeftOut, about: About) -> Imported:
    notes = about.notes + _notes(run)
    first, last = run.span if run.timed else (0.0, 0.0)
    written = max(path.stat().st_mtime for path in source.files)
    begun = run.begun if run.begun is not None else max(0.0, written - max(0.0, last))
    name = about.name or source.name
    id = run_id(name, time.strftime("%Y%m%d-%H%M%S", time.localtime(begun)), _digest(run.kept))
    config = {"imported from": source.files[0].name if len(source.files) == 1 else source.name, "format": source.form, **about.config}
    first_step, last_step = int(run.kept.steps.min()), int(run.kept.steps.max())
    with new_run(out, id) as file:
        log = JudgedLog(file)
        at = min(0.0, first)
        log.say(at, RunStarted(id, name, about.project or PROJECT, begun, config=config))
        log.say(at, LifecycleChanged("running", PROJECT, first_step), HUB_RANK)
        for note in notes:
            log.say(at, Problem(note, 1, "import"), HUB_RANK)
        for what, count in left_out.counts.items():
            log.say(at, Problem(f"not read: {what}", max(count, 1), "import"), HUB_RANK)
        for block in blocks(run.rows()):
            at = float(block.times[-1])
            log.say(at, block)
        log.say(at, _ending(about.exit_code, last_step), HUB_RANK)
        log.close()
    return Imported(
        id, out / id / LOG_NAME, source.form, log.verdict, 0, run.kept.values.size, len(run.kept.names), first_step, last_step, notes,
        dict(left_out.counts),
    )  # fmt: skip


def _ending(exit_code: int | None, step: int) -> LifecycleChanged:
    if exit_code is None:
        return LifecycleChanged("finished", "imported: how the training ended is not told", step)
    return LifecycleChanged("failed" if exit_code else "finished", f"imported: it ended with exit code {exit_code}", step)


def _notes(run: InOrder) -> tuple[str, ...]:
    said = []
    if run.anew:
        said.append("times begin anew while steps go on and are not used: the time of a row is its number")
    elif not run.timed:
        said.append("not every value has a time: the time of a row is its number")
    if run.unordered:
        said.append(f"values that stood out of the order of {'times' if run.timed else 'steps'} and were put into it: {run.unordered:,}")
    if run.repeated:
        said.append(f"values that repeat a step of their metric, all of them kept: {run.repeated:,}")
    return tuple(said)


def blocks(rows: Iterator[Row]) -> Iterator[Metrics]:
    """Rows as columns: neighbours with the same metrics together, a few at a time."""
    held: list[Row] = []
    for row in rows:
        if held and (len(held) >= _MOST_ROWS or row.values.keys() != held[0].values.keys()):
            yield _block(held)
            held = []
        held.append(row)
    if held:
        yield _block(held)


def _block(rows: list[Row]) -> Metrics:
    names = tuple(rows[0].values)
    return Metrics(
        names,
        np.array([row.step for row in rows], np.int64),
        np.array([row.time for row in rows], np.float64),
        np.array([[row.values[name] for row in rows] for name in names], np.float64),
    )


def _digest(kept: Kept) -> str:
    """Four digits that are the same for the same values: what is imported twice is found to be there."""
    digest = hashlib.blake2b(digest_size=2)
    for column in (kept.steps, kept.times, kept.ends, kept.place, kept.values):
        digest.update(column.data)
    digest.update("\0".join(kept.names).encode("utf-8", "replace"))
    return digest.hexdigest()
