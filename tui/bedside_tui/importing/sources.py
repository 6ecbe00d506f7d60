"""What a file or a directory that somebody wants imported is: judged by its first bytes, not by its name.

A directory is one run. Where it holds several, nothing is guessed: `Unreadable` names them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from bedside_protocol.runlog import MARK
from bedside_tui.importing.lines import MOST_LINE, object_in
from bedside_tui.places import Unreadable
from bedside_tui.tfevents.framing import HEAD, length_in
from bedside_tui.wandb_files.blocks import HEAD as OFFLINE_HEAD

Form = Literal["records", "rows", "history", "table", "events", "offline"]
"""Our own JSONL; JSON objects a line; a trainer's state; CSV; event files; W&B's offline file."""

_HEAD: Final = 4096
_EVENTS: Final = "tfevents"
_OFFLINE: Final = ".wandb"
_STATE: Final = "trainer_state.json"
_ENDINGS: Final = (".csv", ".tsv", ".jsonl", ".ndjson")
_MOST_LOOKED_AT: Final = 20_000
"""Entries of directories below, looked at for runs."""
_GENERIC: Final = frozenset({"metrics", "log", "logs", "history", "trainer_state", "progress", "events", "data", "results"})
_FORMS: Final = "CSV, JSON lines, trainer_state.json, event files of TensorBoard and offline files of W&B"
_OTHERS: Final = {b"PAR1": "Parquet", b"\x1f\x8b": "compressed", b"PK\x03\x04": "a zip archive", b"SQLite format 3": "a database"}


@dataclass(frozen=True, slots=True)
class Source:
    """One run to read. `below`: directories below its own that hold others, which are not read, and `closed`: those that may not be looked
    into, as paths from there."""

    form: Form
    files: tuple[Path, ...]
    name: str
    below: tuple[str, ...] = ()
    closed: tuple[str, ...] = ()


def find_source(path: Path) -> Source:
    """The run at `path`. Raises `Unreadable`, in one sentence."""
    try:
        if path.is_dir():
            return _in_directory(path)
        form = form_of(path)
    except OSError as error:
        raise Unreadable(f"cannot read {path}: {error.strerror or error}") from error
    return Source(form, (path,), _name_of(path, form))


def form_of(path: Path) -> Form:
    """What a file is. Raises `Unreadable` for what cannot be imported, and `OSError`."""
    with open(path, "rb") as file:
        head = file.read(_HEAD)
        file.seek(0)
        line = file.readline(MOST_LINE)
    if head.startswith(MARK):
        raise Unreadable(f"{path} is a recording already: bedside replay {path}")
    if length_in(head[:HEAD]) is not None:
        return "events"
    if head.startswith(OFFLINE_HEAD):
        return "offline"
    other = next((name for start, name in _OTHERS.items() if head.startswith(start)), "")
    if other or b"\0" in head or not head.strip():
        raise Unreadable(f"{path} is {other or ('no text' if head.strip() else 'empty')}: what can be imported is {_FORMS}")
    if head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
        return _form_of_json(line)
    if not any(separator in line for separator in (b",", b"\t", b";", b"|")) and path.suffix not in _ENDINGS:
        raise Unreadable(f"{path} is no table: what can be imported is {_FORMS}")
    return "table"


def _form_of_json(line: bytes) -> Form:
    """Of JSON by its first line: one that is no object of its own begins a file that is one."""
    found = object_in(line)
    if found is None or "log_history" in found:
        return "history"
    return "records" if found.keys() >= {"seq", "time", "kind", "body"} else "rows"


# --- directories


def _in_directory(path: Path) -> Source:
    entries = sorted(os.scandir(path), key=lambda entry: entry.name)
    files = [Path(entry.path) for entry in entries if entry.is_file()]
    events = [file for file in files if _EVENTS in file.name]
    if events:
        below = _below(path)
        return Source("events", tuple(events), path.absolute().name, below.found, below.closed)
    state = _state_in(path, [Path(entry.path) for entry in entries if entry.is_dir()])
    if state is not None:
        return Source("history", (state,), path.absolute().name)
    tables = [file for file in files if file.suffix == _OFFLINE] or [file for file in files if file.suffix in _ENDINGS]
    if len(tables) == 1:
        return find_source(tables[0])
    if tables:
        raise Unreadable(
            f"{path} holds {len(tables):,} files that may be runs ({first_three([table.name for table in tables])}): name one of them"
        )
    below = _below(path)
    if len(below.found) == 1 and not below.unseen:
        return _in_directory(path / below.found[0])
    if below.found:
        many = f"{len(below.found):,} directories" if len(below.found) > 1 else "a directory"
        raise Unreadable(f"{path} holds runs in {many} ({first_three(below.found)}){below.unseen}: name one of them")
    raise Unreadable(f"{path} holds nothing that can be imported{below.unseen}: that is {_FORMS}")


def _state_in(path: Path, directories: Sequence[Path]) -> Path | None:
    """The newest state of a trainer: its own, else that of the checkpoint of the highest step. Each holds the whole history before it."""
    if (path / _STATE).is_file():
        return path / _STATE
    found = [(int(step[1]), each / _STATE) for each in directories if (step := re.fullmatch(r"checkpoint-(\d{1,15})", each.name))]
    held = [(step, state) for step, state in found if state.is_file()]
    return max(held)[1] if held else None


@dataclass(frozen=True, slots=True)
class _Below:
    """Directories below another, as paths from there: those with a run, and those that may not be looked into."""

    found: tuple[str, ...]
    closed: tuple[str, ...]
    looked: int
    """Entries looked at: with more than there may be, the search was given up."""

    @property
    def unseen(self) -> str:
        """What was not looked at, to go on with a sentence."""
        closed = f", and there are directories that may not be looked into ({first_three(self.closed)})" if self.closed else ""
        return closed + (f", as far as the first {self.looked:,} entries tell" if self.looked > _MOST_LOOKED_AT else "")


def _below(path: Path) -> _Below:
    """Looks for event files and offline files; links are not followed."""
    found: list[str] = []
    closed: list[str] = []
    looked = 0
    for where, directories, files in os.walk(path, onerror=lambda error: closed.append(os.path.relpath(error.filename, path))):
        directories.sort()
        looked += len(directories) + len(files)
        if Path(where) != path and any(_EVENTS in name or name.endswith(_OFFLINE) for name in files):
            found.append(os.path.relpath(where, path))
        if looked > _MOST_LOOKED_AT:
            break
    return _Below(tuple(found), tuple(closed), looked)


def first_three(names: Sequence[str]) -> str:
    """The first of many names, on one line."""
    return ", ".join([*names[:3], *(["…"] if len(names) > 3 else [])])


def _name_of(path: Path, form: Form) -> str:
    """What to call the run: by its file, or by its directory where the file's name says nothing."""
    directory = path.absolute().parent
    if form == "events" or path.stem.lower() in _GENERIC:
        return directory.parent.name if directory.name.startswith("checkpoint-") else directory.name
    return path.stem
