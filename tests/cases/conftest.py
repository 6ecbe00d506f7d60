"""Recordings of the cases: each form is trained once a session."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import pytest
from long_trainings import SEEDS, LongTrainings, form

from bedside_protocol.records import Record
from bedside_protocol.runlog import read_records
from bedside_tui.places import runs_in

Recordings: TypeAlias = Callable[[str, int, bool], list[Record]]


@pytest.fixture(scope="session")
def recording(long_trainings: LongTrainings) -> Recordings:
    """`recording(case, seed, healthy)`: the records of one form."""

    def records(case: str, seed: int, healthy: bool) -> list[Record]:
        left = long_trainings.left(form(case, seed, healthy))
        places = runs_in([left.directory])
        assert len(places) == 1, f"{case}, seed {seed}: {len(places)} recordings\n{left.output[-2000:]}"
        with open(places[0].log, "rb") as file:
            return list(read_records(file))

    return records


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The quantities measured, as a table, where more than one seed was asked for."""
    if len(SEEDS) < 2:
        return
    terminalreporter.section("the quantity of each case")
    for report in (*terminalreporter.getreports("passed"), *terminalreporter.getreports("failed")):
        for name, value in report.user_properties if report.when == "call" else ():
            if name == "quantity":
                terminalreporter.write_line(str(value))
