"""What tests of the agent's parts share."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest


class Said(list[str]):
    """Sentences said to the person, in order; is itself what the parts call."""

    def __call__(self, text: str) -> None:
        self.append(text)


@pytest.fixture
def bad() -> Said:
    """Collects what a part could not take."""
    return Said()


@pytest.fixture
def together() -> Callable[[int, Callable[[int], None]], None]:
    """Run a function with 0, 1, … n-1 in as many threads, which begin at the same moment; what one raises fails the test."""

    def run(count: int, work: Callable[[int], None]) -> None:
        start = threading.Barrier(count)
        failures: list[BaseException] = []

        def one(number: int) -> None:
            start.wait(10)
            try:
                work(number)
            except Exception as error:  # noqa: BLE001 - said by the test itself
                failures.append(error)

        threads = [threading.Thread(target=one, args=(number,)) for number in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert not failures
        assert not any(thread.is_alive() for thread in threads)

    return run
