"""A recording as it is written by an import: records in whole chunks, each followed by what the rules find in it, as a hub's are."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from bedside_protocol.alerts.defaults import DEFAULT_RULES
from bedside_protocol.alerts.engine import Engine
from bedside_protocol.alerts.judge import recorded_verdict
from bedside_protocol.alerts.rules import Rule
from bedside_protocol.alerts.verdict import Verdict
from bedside_protocol.places import LOG_NAME
from bedside_protocol.records import HUB_RANK, AlertChanged, Body, Record
from bedside_tui.log_writer import LogWriter
from bedside_tui.output import Unwritable, made_directory, whole_file


class JudgedLog:
    """What is said, and after each word the alarms that it causes."""

    def __init__(self, file: BinaryIO, rules: Sequence[Rule] = DEFAULT_RULES) -> None:
        self._log = LogWriter(file)
        self._engine = Engine(rules)
        self._rules = rules
        self._counters = {0: 0, HUB_RANK: 0}
        self._changes: list[AlertChanged] = []

    def __repr__(self) -> str:
        return f"<JudgedLog {self._log!r}>"

    @property
    def verdict(self) -> Verdict:
        """The worst that has fired so far."""
        return recorded_verdict(self._changes, self._rules)

    def say(self, time: float, body: Body, rank: int = 0) -> None:
        """One record of the run (`rank` 0) or of the one who writes it (`HUB_RANK`)."""
        record = self._counted(time, body, rank)
        self._log.append(record)
        for change in self._engine.observe(record):
            self._changes.append(change)
            self._log.append(self._counted(time, change, HUB_RANK))

    def close(self) -> None:
        """Write what waits."""
        self._log.flush()

    def _counted(self, time: float, body: Body, rank: int) -> Record:
        self._counters[rank] += 1
        return Record(time, body, rank, self._counters[rank])


@contextlib.contextmanager
def new_run(out: Path, id: str) -> Iterator[BinaryIO]:
    """The file of a run that is not there yet, below `out`; where the block fails nothing stays. Raises `Unwritable`."""
    directory = out / id
    if (directory / LOG_NAME).exists():
        raise Unwritable(f"{directory} is there already: this has been imported before (`bedside rm` deletes it)")
    with made_directory(directory), whole_file(directory / LOG_NAME) as file:
        yield file
