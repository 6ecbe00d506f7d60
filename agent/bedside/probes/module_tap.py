"""The hook on one module: which of its calls count, and what they amount to over a window of scheduled steps.

It reads evaluations, copies and the seventeenth call of a step no more than it must: not at all. What one output tells is
`module_output`; when outputs are wanted, the probe decides.
"""

from __future__ import annotations

import weakref
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bedside.probes.effective_rank import share_of_width
from bedside.probes.module_output import Look, bounds, look

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

_ENOUGH_SAMPLES = 1000
"""Samples of a unit after which it may be called dead before the window is full: one active in 1 % of them is missed once in 23,000."""

_LOOKS = 16
"""Calls of a module that are read in one step: a recurrent cell is called once for every place of a sequence."""


class Tap:
    """The hook on one module, and what its outputs told. Copies and pickles of the module get a hook that does nothing."""

    def __init__(self, module: Module, given: str, take: Callable[[Tap, Module, object], None]) -> None:
        self._take = take
        self.given = given
        """The name the script gave the module, empty for none."""
        self.module = weakref.ref(module)
        self._looks: list[Look] = []
        self._trains = False
        self._window: deque[tuple[NDArray[np.bool_], int]] = deque()
        """For the latest scheduled steps which units were alive, and the samples that say so."""
        self._handle = module.register_forward_hook(self)

    def __call__(self, module: Module, inputs: object, output: object) -> None:
        self._take(self, module, output)

    def see(self, module: Module, output: Tensor) -> None:
        """Read an output, unless it is an evaluation's or a copy's."""
        if module is not self.module() or (self._trains and not module.training):
            return
        if module.training and not self._trains:
            self._trains = True
            self._looks.clear()  # what came before was an evaluation
        if len(self._looks) < _LOOKS:
            self._looks.append(look(module, output))

    def read(self, window: int) -> dict[str, float] | None:
        """What the outputs since the last call amount to; None where there were none. Waits for the device."""
        looks, self._looks = self._looks, []
        module = self.module()
        if not looks or module is None:
            return None
        totals = np.stack([one.totals.cpu().numpy().astype(np.float64) for one in looks])
        self._slide(looks, window)
        sample = looks[0].sample.cpu().numpy().astype(np.float64)
        return {
            **_pooled(totals),
            "bounded": float(bounds(module) is not None),
            "rank": share_of_width(sample[np.isfinite(sample).all(axis=1)]),
            **self._dead(window),
        }

    def leave(self) -> None:
        """Take the hook back."""
        self._handle.remove()

    def _slide(self, looks: Sequence[Look], window: int) -> None:
        units = looks[-1].alive.shape
        same = [one for one in looks if one.alive.shape == units]
        if self._window and self._window[-1][0].shape != units:
            self._window.clear()
        alive = np.any([one.alive.cpu().numpy() for one in same], axis=0)
        self._window.append((alive, sum(one.rows for one in same)))
        while len(self._window) > window:
            self._window.popleft()

    def _dead(self, window: int) -> dict[str, float]:
        """Units, and the dead ones among them; NaN while too few samples were seen to call one dead."""
        alive = np.any([alive for alive, _ in self._window], axis=0)
        told = len(self._window) == window or sum(rows for _, rows in self._window) >= _ENOUGH_SAMPLES
        return {"units": float(alive.size), "dead": float(np.count_nonzero(~alive)) if told else float("nan")}

    def __reduce__(self) -> tuple[Callable[[], Callable[..., None]], tuple[()]]:  # deep copies go this way too
        return _no_hook, ()


def _no_hook() -> Callable[..., None]:
    return _nothing


def _nothing(*_: object) -> None:
    """The hook of a copy: it reads nothing and changes nothing."""


def _pooled(totals: NDArray[np.float64]) -> dict[str, float]:
    """Counts, mean and standard deviation over several looks (looks, 5), as if they were one output."""
    numbers, _, _, saturated, nonfinite = totals.sum(axis=0).tolist()
    found = {"numbers": numbers, "saturated": saturated, "nonfinite": nonfinite, "mean": float("nan"), "std": float("nan")}
    if numbers:
        count, mean, variance, _, _ = totals[totals[:, 0] > 0].T
        found["mean"] = float(np.sum(count * mean) / numbers)
        found["std"] = float(np.sqrt(np.sum(count * (variance + (mean - found["mean"]) ** 2)) / numbers))
    return found
