"""Recordings of the cases: each form is trained once, in a fork of its own, two at a time and in the order the tests will ask.

Test processes that run beside each other share them: who comes second to a form waits for it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import NamedTuple, TypeAlias

import pytest
from detection.nursery import MODULE, Nursery

from bedside_protocol.places import LOG_NAME
from bedside_protocol.records import Record
from bedside_protocol.runlog import read_records

HOMES = [str(Path(__file__).parents[2] / folder) for folder in ("agent", "protocol", "tui")]
SECONDS = 170.0
"""A form that takes longer is no small training; below the time limit of one test."""


class Form(NamedTuple):
    """One training of a case: its broken form or its healthy twin."""

    case: str
    seed: int
    healthy: bool


Recordings: TypeAlias = Callable[[str, int, bool], list[Record]]


class Trainings:
    """The forms wanted, trained in the background as soon as the first is asked for."""

    def __init__(self, home: Path, wanted: list[Form]) -> None:
        self._home = home
        self._wanted = wanted
        self._pool = ThreadPoolExecutor(max_workers=max(1, min(2, os.cpu_count() or 1)))
        self._running: dict[Form, Future[Path]] = {}
        self._nurseries: SimpleQueue[Nursery] = SimpleQueue()

    def records(self, case: str, seed: int, healthy: bool) -> list[Record]:
        """All records of a form's recording; trains it, and those after it, where that has not happened."""
        form = Form(case, seed, healthy)
        for other in dict.fromkeys([*self._wanted, form]):
            if other not in self._running:
                self._running[other] = self._pool.submit(self._train, other)
        with open(self._running[form].result(SECONDS), "rb") as file:
            return list(read_records(file))

    def _train(self, form: Form) -> Path:
        place = self._home / f"{form.case}-{form.seed}{'-healthy' * form.healthy}"
        with open(f"{place}.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            found = sorted(place.glob(f"*/{LOG_NAME}")) or self._trained(form, place)
        return found[-1]

    def _trained(self, form: Form, place: Path) -> list[Path]:
        place.mkdir()
        output = place / "output"
        nursery = self._nurseries.get_nowait() if not self._nurseries.empty() else Nursery(self._environment())
        try:
            nursery.run(
                [MODULE, "bedside.cases", form.case, "--seed", str(form.seed), "--dir", str(place), *["--healthy"] * form.healthy],
                output,
                SECONDS,
            )
        finally:
            self._nurseries.put(nursery)
        found = sorted(place.glob(f"*/{LOG_NAME}"))
        assert found, f"{form}: nothing recorded\n{output.read_text()[-2000:]}"
        return found

    def _environment(self) -> dict[str, str]:
        return os.environ | {
            "PYTHONPATH": os.pathsep.join(HOMES),
            "BEDSIDE_DIR": str(self._home / "runs"),
            "BEDSIDE_RUNTIME_DIR": str(self._home / "rt"),
            "OMP_NUM_THREADS": "1",
        }

    def close(self) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)
        while not self._nurseries.empty():
            self._nurseries.get().close()


@pytest.fixture(scope="session")
def recording(request: pytest.FixtureRequest) -> Iterator[Recordings]:
    """`recording(case, seed, healthy)`: the records of one form."""
    together = os.environ.get("PYTEST_XDIST_TESTRUNUID", str(os.getpid()))[:12]
    home = Path(tempfile.gettempdir(), f"bs-{together}")  # short: a socket's path may have 107 bytes
    home.mkdir(exist_ok=True)
    with open(f"{home}.users", "w") as users:
        fcntl.flock(users, fcntl.LOCK_SH)
        trainings = Trainings(home, _wanted(request.session.items))
        yield trainings.records
        trainings.close()
        with contextlib.suppress(BlockingIOError):  # another test process still reads them, and will remove them
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(home, ignore_errors=True)
            Path(users.name).unlink(missing_ok=True)


def _wanted(items: list[pytest.Item]) -> list[Form]:
    """The forms the collected tests will ask for, by their parameters `case`, `seed` and `forms`."""
    forms: list[Form] = []
    for item in items:
        parameters = getattr(getattr(item, "callspec", None), "params", {})
        if "case" in parameters and "forms" in parameters:
            forms += [Form(parameters["case"], parameters.get("seed", 0), healthy) for healthy in parameters["forms"]]
    return list(dict.fromkeys(forms))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The quantities measured, as a table, where more than one seed was asked for."""
    if int(os.environ.get("BEDSIDE_CASE_SEEDS", "1")) < 2:
        return
    terminalreporter.section("the quantity of each case")
    for report in (*terminalreporter.getreports("passed"), *terminalreporter.getreports("failed")):
        for name, value in report.user_properties if report.when == "call" else ():
            if name == "quantity":
                terminalreporter.write_line(str(value))
