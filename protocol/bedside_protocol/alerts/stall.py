"""Whether a run has stopped making steps, judged from records alone: silence is data because the hub ticks."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple, TypeAlias

from bedside_protocol.alerts.conditions import NoStep
from bedside_protocol.alerts.levels import AMBER, OK, RED, Facts
from bedside_protocol.alerts.median import RollingMedian
from bedside_protocol.records import Event

_WINDOW: Final = 101
_WITHIN: Final = 1
"""Steps a phase may seem to advance without the training doing so: what is logged in an evaluation belongs to the step that comes."""

Source: TypeAlias = Literal["ticks", "values"]


class Stall:
    """The time since the last step against the median step."""

    __slots__ = ("_excuse", "_excused", "_median", "_moved", "_said", "_silence", "limits")

    def __init__(self, limits: NoStep) -> None:
        self.limits = limits
        self._median = RollingMedian(_WINDOW)
        self._said: dict[Source, tuple[int, float]] = {}
        """The last step each source said, and when it first did."""
        self._moved = 0.0
        self._excused = 0.0
        """When silence was last excused: time before that is in no step's pace."""
        self._silence = 0.0
        self._excuse = ""

    def __repr__(self) -> str:
        return f"<Stall silent for {self._silence:.1f} s, {self.exempt or 'watching'}>"

    @property
    def exempt(self) -> str:
        """Why silence is legitimate now, empty when it is not."""
        return self._excuse or ("" if self._said else "starting")

    @property
    def limit(self) -> float:
        """Seconds of silence from which it is amber."""
        return max(self.limits.seconds, self.limits.times * self._median.value if len(self._median) else 0.0)

    def facts(self) -> Facts:
        return {"value": self._silence, "silence": self._silence, "median": self._median.value}

    def excuse(self, why: str, time: float) -> None:
        """From now on silence is legitimate because of `why`; empty: no longer. Where that is new, the silence so far is forgotten."""
        if why != self._excuse:
            self._excuse = why
            self._moved = self._excused = time

    def restart(self, time: float) -> None:
        """The steps begin anew: a resumed run is starting again."""
        self._said.clear()
        self._excuse = ""
        self._moved = self._excused = time

    def progress(self, source: Source, step: int, time: float) -> None:
        """One of those who know says the run was at `step` at `time`; step 0 is before the first.

        Each is compared with itself alone: a late block of values after a tick is no way back, and a run that goes back while the
        ticks hold on to its highest step still moves.
        """
        before = self._said.get(source)
        if (before is None and step <= 0) or (before is not None and step == before[0]):
            return
        self._said[source] = (step, time)
        if before is None and len(self._said) > 1:
            return
        if before is not None and step > before[0] and time > before[1] and not self._excuse:
            self._median.push((time - max(before[1], self._excused)) / (step - before[0]))
        self._moved = max(time, self._moved)

    def see(self, time: float) -> int:
        """The level at `time`."""
        self._silence = time - self._moved
        if self.exempt or self._silence <= self.limit:
            return OK
        return RED if self._silence > self.limits.red_times * self.limit else AMBER


class Stretch(NamedTuple):
    """A phase, and the step at which it began."""

    name: str
    step: int


class Phases:
    """The phases a run is in, by its `phase` events: the field `name`, and `state` "begin" or "end".

    A phase excuses silence until it ends, or until steps are made within it: then it is a stretch of training, and silence in it is
    silence. So a mark without an end (`run.phase("finetune")`) excuses nothing for long.
    """

    def __init__(self) -> None:
        self._open: list[Stretch] = []

    def __bool__(self) -> bool:
        return bool(self._open)

    def __repr__(self) -> str:
        return f"<Phases {', '.join(phase.name for phase in self._open) or 'none'}>"

    @property
    def current(self) -> str:
        """The newest of the phases that are open."""
        return self._open[-1].name

    def clear(self) -> None:
        self._open.clear()

    def take(self, event: Event) -> None:
        """A `phase` event: one begins, or the newest of that name ends."""
        name = str(event.fields.get("name", ""))
        if event.fields.get("state") != "end":
            self._open.append(Stretch(name, event.step))
            return
        place = next((at for at in reversed(range(len(self._open))) if self._open[at].name == name), None)
        if place is not None:
            del self._open[place]

    def end_at(self, step: int) -> Stretch | None:
        """The run is at `step`: phases in which steps were made excuse nothing any more. The newest of those that ended so."""
        ended = [phase for phase in self._open if step > phase.step + _WITHIN]
        self._open = [phase for phase in self._open if phase not in ended]
        return ended[-1] if ended else None
