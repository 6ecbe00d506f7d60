"""What tests of the agent's parts share."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from bedside.probes.probe_set import ProbeSet


class Said(list[str]):
    """Sentences said to the person, in order; is itself what the parts call."""

    def __call__(self, text: str) -> None:
        self.append(text)


@pytest.fixture
def bad() -> Said:
    """Collects what a part could not take."""
    return Said()


@pytest.fixture
def problems() -> Counter[str]:
    """How often each sentence was said."""
    return Counter()


@pytest.fixture
def probes(problems: Counter[str]) -> Iterator[ProbeSet]:
    """The probes of a run, without the run."""
    probes = ProbeSet(problem=lambda text: problems.update([text]))
    yield probes
    probes.close()


class Marked(torch.autograd.Function):
    """The identity, with a place in the graph that can be referred to weakly."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        return x.clone()

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> torch.Tensor:
        return gradients[0]


@pytest.fixture
def mark() -> Callable[[torch.Tensor], torch.Tensor]:
    """`mark(x)`: x with a node of its own, whose death tells that nobody keeps the graph."""
    return Marked.apply


class Unwaited(TorchDispatchMode):
    """Fails where an operation must know values on the host: on an accelerator the training would wait."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        assert not any(word in str(func) for word in ("_local_scalar_dense", "nonzero", "masked_select", "equal.default", "bincount"))
        assert not any(isinstance(one, list) and any(getattr(i, "dtype", None) == torch.bool for i in one) for one in args[1:2])
        return func(*args, **(kwargs or {}))


@pytest.fixture
def unwaited() -> AbstractContextManager[Any]:
    """Within it nothing may wait for a device."""
    return Unwaited()


@pytest.fixture
def together() -> Callable[[int, Callable[[int], None]], None]:
    """Run a function with 0, 1, … n-1 in as many threads, which begin at the same moment; what one raises fails the test."""

    def run(count: int, work: Callable[[int], None]) -> None:
        start = threading.Barrier(count)
        failures: list[BaseException] = []

        def one(number: int) -> None:
            start.wait(60)
            try:
                work(number)
            except Exception as error:  # noqa: BLE001 - said by the test itself
                failures.append(error)

        threads = [threading.Thread(target=one, args=(number,)) for number in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert not failures
        assert not any(thread.is_alive() for thread in threads)

    return run
