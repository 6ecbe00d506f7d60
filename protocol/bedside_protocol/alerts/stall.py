"""Whether a run has stopped making steps, judged from records alone: silence is data because the hub ticks."""

from __future__ import annotations

from typing import Final

from bedside_protocol.alerts.levels import AMBER, OK, RED, Facts
from bedside_protocol.alerts.median import RollingMedian
from bedside_protocol.alerts.rules import NoStep

_WINDOW: Final = 101


class Stall:
    """The time since the last step against the median step."""

    __slots__ = ("_excuse", "_median", "_moved", "_silence", "_step", "limits")

    def __init__(self, limits: NoStep) -> None:
        self.limits = limits
        self._median = RollingMedian(_WINDOW)
        self._step: int | None = None
        self._moved = 0.0
        self._silence = 0.0
        self._excuse = ""

    def __repr__(self) -> str:
        return f"<Stall step {self._step}, silent for {self._silence:.1f} s, {self.exempt or 'watching'}>"

    @property
    def exempt(self) -> str:
        """Why silence is legitimate now, empty when it is not."""
        return self._excuse or ("starting" if self._step is None else "")

    @property
    def limit(self) -> float:
        """Seconds of silence from which it is amber."""
        return max(self.limits.seconds, self.limits.times * self._median.value if len(self._median) else 0.0)

    def facts(self) -> Facts:
        return {"value": self._silence, "silence": self._silence, "median": self._median.value}

    def excuse(self, why: str, time: float) -> None:
        """From now on silence is legitimate because of `why`; empty: no longer, and the silence so far is forgotten."""
        self._excuse = why
        self._moved = time

    def restart(self, time: float) -> None:
        """The steps begin anew: a resumed run is starting again."""
        self._step = None
        self.excuse("", time)

    def progress(self, step: int, time: float) -> None:
        """The run is known to have been at `step` at `time`; step 0 is before the first."""
        if step == self._step or (self._step is None and step <= 0):
            return
        if self._step is not None and step > self._step and time > self._moved and not self._excuse:
            self._median.push((time - self._moved) / (step - self._step))
        self._step, self._moved = step, max(time, self._moved)

    def see(self, time: float) -> int:
        """The level at `time`."""
        self._silence = time - self._moved
        if self.exempt or self._silence <= self.limit:
            return OK
        return RED if self._silence > self.limits.red_times * self.limit else AMBER
