"""What the whole suite shares: the order of its files, and the trainings that are too long to be waited for."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from long_trainings import LongTraining, LongTrainings, form

os.environ.setdefault("OMP_NUM_THREADS", "1")  # of torch here and in children: on a busy machine two threads wait for each other

ORDER = (
    "tests/flow/", "tests/faults/", "tests/security/", "tests/bench_detection/", "tests/typing/",  # wait for processes
    "tests/agent/", "tests/tui/",
    "tests/cases/", "tests/flow/test_demo.py",  # wait for long trainings, which went on meanwhile
    "tests/",  # short ones: what is long may not be the last of two processes that take from this list
)  # fmt: skip
"""Which files are tried after which; the longest that fits a file counts."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=_place)


def _place(item: pytest.Item) -> int:
    return ORDER.index(max((start for start in ORDER if item.nodeid.startswith(start)), key=len, default=ORDER[-1]))


@pytest.fixture(scope="session", autouse=True)
def long_trainings(request: pytest.FixtureRequest) -> Iterator[LongTrainings | None]:
    """Those that the collected tests will ask for, begun before the first test; None where they ask for none."""
    wanted = list(dict.fromkeys(_wanted(request.session.items)))
    if not wanted:
        yield None
        return
    together = os.environ.get("PYTEST_XDIST_TESTRUNUID", str(os.getpid()))[:12]
    trainings = LongTrainings(Path(tempfile.gettempdir(), f"bs-{together}"))  # short: a socket's path may have 107 bytes
    if os.environ.get("PYTEST_XDIST_WORKER", "gw0") == "gw0":
        trainings.begin(wanted)
    yield trainings
    trainings.close(interrupted=request.session.exitstatus == pytest.ExitCode.INTERRUPTED)


def _wanted(items: list[pytest.Item]) -> Iterator[LongTraining]:
    """Told by the tests' parameters: `training`, or `case`, `seed` and `forms`. The longest first."""
    each = [getattr(getattr(item, "callspec", None), "params", {}) for item in items]
    for parameters in each:
        if isinstance(parameters.get("training"), LongTraining):
            yield parameters["training"]
    for parameters in each:
        for healthy in parameters.get("forms", ()):
            yield form(parameters["case"], parameters.get("seed", 0), healthy)
