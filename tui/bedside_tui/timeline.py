"""The one timeline of a run: where in it one stands, what of it has been shown, and how keys and words move one.

Live is a replay that follows: the same clock stays at the newest record. A move that could not be made as asked returns a sentence; the
sentence is said by whoever asked. It knows no terminal and no source, and the time is an argument.
"""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from typing import Final

from bedside_protocol.records import Record
from bedside_tui.asking import Verdict
from bedside_tui.clock import ReplayClock, speed_text
from bedside_tui.draw import number
from bedside_tui.seek import Seek
from bedside_tui.store.store import Store
from bedside_tui.wall import wall_time
from bedside_tui.widgets.frame import Mode, Playhead

SKIP = 0.01
"""Share of the run that one press of an arrow skips: about one column of a chart."""

MOST_SEEN = 32
"""Stretches of a recording remembered as seen; beyond, the oldest is forgotten."""

_DAY: Final = 86_400.0


class Timeline:
    """Where one stands in the records of a store. `live`: whether its end is now, and may still move."""

    def __init__(self, store: Store, *, live: bool, now: float) -> None:
        self.clock = ReplayClock(following=True) if live else ReplayClock(since=now)
        self._store = store
        self._live = live
        self._times = array("d")
        self._seen: list[tuple[float, float]] = []
        self._jumped = True
        """Whether the next moment shown begins a stretch of its own."""
        self.complete = True
        """Whether the newest record is the end of a recording, and not only the last that was read so far."""

    def __repr__(self) -> str:
        return f"<Timeline {self.mode}, {self.clock!r}>"

    def take(self, records: Iterable[Record]) -> None:
        """Note the moments of records the store has been fed."""
        for record in records:
            if not self._times or record.time > self._times[-1]:
                self._times.append(record.time)

    def begin(self, now: float) -> None:
        """Play a recording from its start."""
        first, last = self._store.span
        self.clock = self.clock.seek(first, now, first, last).play(now, last)

    # --- where one stands

    @property
    def mode(self) -> Mode:
        """Whether this is now, a look back at a live run, or a recording."""
        return "replay" if not self._live else "now" if self.clock.following else "back"

    def at(self, now: float) -> Playhead:
        """Where one stands at `now`. Playing that has come to the newest record is now, or the end of the recording."""
        first, last = self._store.span
        if self.complete and self.clock.ended(now, last):
            self.clock = self.clock.follow() if self._live else self.clock.pause(now, last)
        playhead = Playhead(self.mode, self.clock.at(now, last), first, last, self.clock.playing, self.clock.speed_text)
        self._note_seen(playhead)
        return playhead

    @property
    def seen(self) -> tuple[tuple[float, float], ...]:
        """Stretches that have been shown, in seconds of the run."""
        return tuple(self._seen)

    def _note_seen(self, playhead: Playhead) -> None:
        time = playhead.time
        if self._seen and not self._jumped and self._seen[-1][1] <= time:
            self._seen[-1] = (self._seen[-1][0], time)
        elif not self._seen or self._seen[-1][1] != time:
            self._seen = [*self._seen[-MOST_SEEN:], (time, time)]
        self._jumped = False

    # --- moves

    def play(self, now: float) -> Verdict | None:
        """`space`: play or hold. A live run at now is not held by it: that is `P`."""
        if self.mode == "now":
            return Verdict("this is live: P pauses the training, the left arrow looks back", "plain")
        first, last = self._store.span
        self._jumped = self.clock.at(now, last) >= last  # it plays again from the start
        self.clock = self.clock.toggle(now, last, first)
        return None

    def skip(self, steps: float, now: float) -> None:
        """So many hundredths of the run on or back; on a live run, on from the last moment is now."""
        first, last = self._store.span
        self.move_to(self.clock.at(now, last) + steps * max(0.25, SKIP * (last - first)), now)

    def move_to(self, time: float, now: float) -> None:
        """Stand at a second of the run. On a live run its end is now."""
        self._jumped = True
        first, last = self._store.span
        if self._live and time >= last:
            self.clock = self.clock.follow()
        else:
            self.clock = self.clock.seek(time, now, first, last)
            if self._live:
                self.clock = self.clock.pause(now, last)

    def hold(self, time: float, now: float) -> None:
        """Stand still at a second of the run, also where it is the newest of a live one."""
        self._jumped = True
        first, last = self._store.span
        self.clock = self.clock.seek(time, now, first, last).pause(now, last)

    def record(self, direction: float, now: float) -> Verdict | None:
        """To the moment of the next or previous record, and hold there."""
        last = self._store.span[1]
        here = self.clock.at(now, last)
        place = bisect_right(self._times, here) if direction > 0 else bisect_left(self._times, here) - 1
        if not 0 <= place < len(self._times):
            return Verdict("no later record" if direction > 0 else "no earlier record", "quiet")
        self.move_to(self._times[place], now)
        self.clock = self.clock if self.clock.following else self.clock.pause(now, last)
        return None

    def event(self, direction: float, now: float) -> Verdict:
        """To the next or previous mark worth a stop."""
        mark = self._store.next_mark(self.clock.at(now, self._store.span[1]), 1 if direction > 0 else -1)
        if mark is None:
            return Verdict("no later event" if direction > 0 else "no earlier event", "quiet")
        self.move_to(mark.time, now)
        return Verdict(f"{mark.glyph} {mark.text}", "plain")

    def speed(self, factor: float, now: float) -> Verdict | None:
        """Play so many times as fast."""
        if self.mode == "now":
            return Verdict("this is live: speed is for looking back and for recordings", "quiet")
        before = self.clock.speed
        self.clock = self.clock.faster(now, self._store.span[1], factor)
        if self.clock.speed == before:
            return Verdict(f"{speed_text(before)} is the {'fastest' if factor > 1 else 'slowest'}", "quiet")
        return None

    def percent(self, percent: float, now: float) -> None:
        """To a share of the run."""
        first, last = self._store.span
        self.move_to(first + (last - first) * percent / 100, now)

    def end(self, now: float) -> None:
        """The end: now, where the run lives."""
        if self._live:
            self._jumped = self._jumped or not self.clock.following
            self.clock = self.clock.follow()
        else:
            self.hold(self._store.span[1], now)

    def seek(self, seek: Seek, now: float) -> Verdict:
        """To a moment given in words; what lies beyond an end of the run goes to that end, and the sentence says so."""
        if not self._times:
            return Verdict("nothing has been read of this run yet", "quiet")
        first, last = self._store.span
        found = self._step_sought(seek, now) if seek.unit == "step" else self._time_sought(seek, now)
        if isinstance(found, Verdict):
            return found
        self.move_to(found, now)
        at = self._store.at(min(max(found, first), last))
        here = f"step {number.count(at.step)} at {number.clock(at.time)}"
        if found < first:
            return Verdict(f"that is before the beginning of the run: {here} is where it begins", "amber")
        if found > last:
            return Verdict(f"the run has not come that far: {here} is {'now' if self._live else 'its end'}", "amber")
        return Verdict(here, "plain")

    def _step_sought(self, seek: Seek, now: float) -> float:
        """The second of a step; infinite where it lies beyond the newest or before the first."""
        here = self._store.at(self.clock.shown(now, self._store.span[1])).step
        step = here + seek.amount if seek.by else seek.amount
        time = self._store.time_of_step(step)
        if time is None:
            return math.inf if step > self._store.at(None).step else -math.inf
        return time

    def _time_sought(self, seek: Seek, now: float) -> float | Verdict:
        """The second of a time or a share; of a time by the clock the one nearest to where one stands, since a run may last for days."""
        first, last = self._store.span
        here = self.clock.at(now, last)
        if seek.unit == "clock":
            begun = wall_time(self._store.at(None).run, 0.0)
            if begun is None:
                return Verdict("this recording does not say when it was made; a time of the run is written 1:02:03", "amber")
            midnight = begun.replace(hour=0, minute=0, second=0, microsecond=0)
            time = (midnight - begun).total_seconds() + seek.amount
            days = [time + _DAY * (round((here - time) / _DAY) + by) for by in (-1, 0, 1)]
            return min(days, key=lambda day: (not first <= day <= last, abs(day - here)))
        amount = seek.amount if seek.unit == "second" else (last - first) * seek.amount / 100
        return amount + (here if seek.by else first if seek.unit == "percent" else 0.0)
