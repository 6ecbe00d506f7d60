"""How often something succeeds, against its own normal: samples decoded, requests answered, episodes won.

Ninety in a hundred may be normal for a data stream; what tells is a fall below that. This probe counts, and judges nothing.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from bedside.probes.intake import Refused, is_no_real_step, is_tensor, numbers
from bedside.probes.probe import Probe, schedule_of
from bedside.schedule import NEVER, Schedule
from bedside_protocol.records import Scalar, Snapshot

if TYPE_CHECKING:
    from torch import Tensor

_WINDOWS: Final = 200
"""Earlier windows that make the normal: 20,000 outcomes."""
_HELD: Final = 256
"""Tensors that wait to be read at a measurement; at the next one the device is waited for, rather than memory growing."""


class SuccessRate(Probe):
    """The share of successes among the last `window` outcomes that `observe` was told of, and its normal.

    A snapshot has the scalars `rate` (of the last `window` outcomes, 0 … 1), `count` (outcomes so far), `nonfinite` (NaN among them,
    left out), and once there is an earlier window `normal` (the upper quartile of the rates of the windows before, which do not overlap:
    a fault that lasts does not soon become normal) and `drop` (`normal − rate`). With 100 outcomes a rate of 0.9 is uncertain by 0.03
    (one standard error).
    """

    kind = "success"
    lead = NEVER  # every outcome counts

    def __init__(self, name: str = "success", *, every: int | Schedule = 50, window: int = 100) -> None:
        super().__init__(name, schedule_of(every))
        self.window = max(1, window)
        self._recent: deque[bool] = deque()
        self._window_before: list[bool] = []
        self._rates: deque[float] = deque(maxlen=_WINDOWS)
        self._unread: list[Tensor] = []
        self._count = 0
        self._nonfinite = 0

    def settings(self) -> Mapping[str, Scalar]:
        return {"window": self.window}

    def observe(self, ok: object) -> None:
        """One outcome, or several: booleans, or numbers that are 0 or 1, alone, in a sequence, an array or a tensor. Never raises.

        A tensor is read when the probe is measured, so that no device is waited for before.
        """
        if self.idle:
            return
        with self.taking("outcomes"):
            if ok is True or ok is False:
                self._read_tensors()
                self._add(ok)
            elif is_tensor(ok):
                self._hold(ok)
            else:
                self._read_tensors()
                self._take(ok)

    def measure(self, step: int) -> Snapshot | None:
        with self.taking("outcomes"):
            self._read_tensors()
        if not self._recent:
            return None
        rate = sum(self._recent) / len(self._recent)
        scalars = {"rate": rate, "count": float(self._count), "nonfinite": float(self._nonfinite)}
        if self._rates:
            normal = sorted(self._rates)[3 * (len(self._rates) - 1) // 4]
            scalars |= {"normal": normal, "drop": normal - rate}
        return Snapshot(self.name, self.kind, step, scalars)

    def _hold(self, outcomes: Tensor) -> None:
        if is_no_real_step(outcomes):
            return
        if not outcomes.numel():
            raise Refused("an empty batch of outcomes")
        self._unread.append(outcomes.detach().clone())  # the script may write to its own
        if len(self._unread) >= _HELD:
            self._read_tensors()

    def _read_tensors(self) -> None:
        unread, self._unread = self._unread, []
        for outcomes in unread:
            try:
                self._take(outcomes)  # waits for the device
            except Refused as refused:
                self.say(str(refused))

    def _take(self, outcomes: object) -> None:
        if outcomes is None:
            raise Refused("an outcome is true or false, not None")
        values = numbers(outcomes).reshape(-1).tolist()
        if not values:
            raise Refused("an empty batch of outcomes")
        finite = [value for value in values if not math.isnan(value)]
        if not all(value in (0.0, 1.0) for value in finite):
            raise Refused("an outcome is true or false, 1 or 0")
        self._nonfinite += len(values) - len(finite)
        for value in finite:
            self._add(bool(value))

    def _add(self, ok: bool) -> None:
        self._count += 1
        self._recent.append(ok)
        if len(self._recent) > self.window:
            self._window_before.append(self._recent.popleft())
        if len(self._window_before) == self.window:
            self._rates.append(sum(self._window_before) / self.window)
            self._window_before.clear()
