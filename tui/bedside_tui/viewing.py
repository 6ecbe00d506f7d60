"""One run being looked at: its source, what was read of it, where in its time we stand, what was asked of it and what was said to us.

It turns all that into a `Frame` at any moment, and keys into moves. It knows no terminal; the time is an argument.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping

from bedside_protocol.commands import FOR_TRAINING
from bedside_protocol.lifecycle import OVER
from bedside_protocol.records import Scalar, Verb
from bedside_tui.asking import Asking, Verdict
from bedside_tui.clock import ReplayClock
from bedside_tui.greeting import since_left
from bedside_tui.sources.source import Inbox, Source, SourceStatus, Update
from bedside_tui.store.store import Store
from bedside_tui.store.view import View
from bedside_tui.theme import Tone
from bedside_tui.widgets.frame import Frame, Mode, Playhead

SAID_FOR = 8.0
"""Seconds a sentence to the person stays: long enough to be read twice."""

SKIP = 0.01
"""Share of the run that one press of an arrow skips: about one column of a chart."""

MOST_SEEN = 32
"""Stretches of a recording remembered as seen; beyond, the oldest is forgotten."""


class Viewing:
    """What the viewer knows and may do about one run (or, without a source, about none)."""

    def __init__(self, source: Source | None, now: float, *, read_only: bool = False, left: float | None = None) -> None:
        self.source = source
        self.store = Store()
        self.status = SourceStatus("connecting") if source is not None else SourceStatus("ended", "no run is open")
        live = source is None or source.live
        self.clock = ReplayClock(following=True) if live else ReplayClock(since=now)
        self.asking = Asking()
        self._read_only = read_only
        self._left = left
        self._inbox = Inbox()
        self._heard: float | None = None
        self._times = array("d")
        self._said = Verdict("", "plain")
        self._said_until = now
        self._seen: list[tuple[float, float]] = []
        self._begun = False
        self._greeted = False

    def __repr__(self) -> str:
        return f"<Viewing {self.source!r} {self.store!r}>"

    # --- reading

    def start(self, wake: Callable[[], object]) -> None:
        """Let the source begin; `wake` is called on its thread when something waits."""
        if self.source is None:
            return
        inbox = self._inbox

        def deliver(update: Update) -> None:
            if inbox.put(update):
                wake()

        self.source.start(deliver)

    def close(self) -> None:
        """Let the source go. The training is not told: nothing was attached to it."""
        self._inbox.close()
        if self.source is not None:
            self.source.close()

    def take(self, monotonic: Callable[[], float], budget: float) -> bool:
        """Read what waits for at most about `budget` seconds; whether there may be more."""
        until = monotonic() + budget
        while (update := self._inbox.take()) is not None:
            self._read(update, monotonic())
            if monotonic() > until:
                return True
        return False

    def _read(self, update: Update, now: float) -> None:
        self.store.feed(update.records)
        for record in update.records:
            if not self._times or record.time > self._times[-1]:
                self._times.append(record.time)
        if update.status.heard is not None:
            self._heard = update.status.heard
        elif update.records:
            self._heard = now
        self.status = update.status
        if update.status.complete and not self._begun and not self._live:
            self._begun = True
            first, last = self.store.span
            self.clock = self.clock.seek(first, now, first, last).play(now, last)

    @property
    def _live(self) -> bool:
        return self.source is None or self.source.live

    # --- drawing

    def frame(self, now: float) -> Frame:
        """Everything a screen needs, as things stand at `now`."""
        first, last = self.store.span
        if self.clock.ended(now, last) and not self._live:
            self.clock = self.clock.pause(now, last)
        newest = self.store.at(None)
        shown = self.clock.shown(now, last)
        view = newest if shown is None else self.store.at(shown)
        self._follow_commands(newest, now)
        self._greet(newest, now)
        playhead = Playhead(self.mode, self.clock.at(now, last), first, last, self.clock.playing, self.clock.speed_text)
        self._note_seen(playhead)
        said = self._said if now < self._said_until else Verdict("", "plain")
        return Frame(
            view=view,
            source=self.status,
            playhead=playhead,
            age=None if self._heard is None else max(0.0, now - self._heard),
            now=now,
            newest=newest,
            marks=self.store.marks if playhead.mode != "now" else (),
            seen=tuple(self._seen),
            asked=self.asking.asked(newest.commands),
            said=said.text,
            said_tone=said.tone,
            control=self.source is not None and self.source.control is not None and not self._read_only,
        )

    @property
    def mode(self) -> Mode:
        """Whether this is now, a look back at a live run, or a recording."""
        return "replay" if not self._live else "now" if self.clock.following else "back"

    def _note_seen(self, playhead: Playhead) -> None:
        time = playhead.time
        if self._seen and playhead.playing and self._seen[-1][1] <= time:
            self._seen[-1] = (self._seen[-1][0], time)
        elif not self._seen or self._seen[-1][1] != time:
            self._seen = [*self._seen[-MOST_SEEN:], (time, time)]

    # --- saying and asking

    def say(self, text: str, tone: Tone, now: float) -> None:
        """One line for the person, for a while."""
        self._said = Verdict(text, tone)
        self._said_until = now + SAID_FOR

    def _follow_commands(self, newest: View, now: float) -> None:
        for fate in self.asking.fates(newest, now):
            self.say(fate.text, fate.tone, now)

    def _greet(self, newest: View, now: float) -> None:
        """Once everything has been read: what happened while the person was away."""
        if self._greeted or not self.status.complete or not self.store.records:
            return
        self._greeted = True
        if self._left is not None:
            self.say(*since_left(newest, self._left, self.store.span[1]), now)

    def why_not(self) -> str:
        """Why nothing can be asked of this run, empty where something can."""
        if self.source is None:
            return "no run is open: r lists them"
        if not self.source.live:
            return "this is a recording: there is nothing to ask it"
        if self.source.control is None:
            return "view only: " + (self.status.detail or "there is no way from here to the run")
        if self._read_only:
            return "read-only: started with --read-only, so nothing is asked of the run"
        return ""

    def send(self, verb: Verb, arguments: Mapping[str, Scalar], now: float) -> None:
        """Ask the run for `verb`, or say why that cannot be done."""
        control = self.source.control if self.source is not None else None
        why = self.why_not()
        state = self.store.at(None).lifecycle
        if not why and state in OVER and verb in FOR_TRAINING:
            why = f"the run is over ({state}): nothing can be asked of it"
        if why or control is None:
            self.say(why, "amber", now)
            return
        self.asking.send(control, verb, arguments, now)

    # --- moving in time

    def play(self, now: float) -> None:
        """`space`: play or hold. A live run at now is not held by it: that is `P`."""
        first, last = self.store.span
        if self.mode == "now":
            self.say("this is live: P pauses the training, ← looks back in time", "plain", now)
            return
        self.clock = self.clock.toggle(now, last, first)

    def skip(self, steps: int, now: float) -> None:
        """So many hundredths of the run on or back; on a live run, on from the last moment is now."""
        first, last = self.store.span
        target = self.clock.at(now, last) + steps * max(0.25, SKIP * (last - first))
        self.move_to(target, now)

    def move_to(self, time: float, now: float) -> None:
        """Stand at a second of the run. On a live run its end is now."""
        first, last = self.store.span
        if self._live and time >= last:
            self.clock = self.clock.follow()
        else:
            self.clock = self.clock.seek(time, now, first, last)
            if self._live:
                self.clock = self.clock.pause(now, last)

    def record(self, direction: int, now: float) -> None:
        """To the moment of the next or previous record."""
        here = self.clock.at(now, self.store.span[1])
        place = bisect_right(self._times, here) if direction > 0 else bisect_left(self._times, here) - 1
        if 0 <= place < len(self._times):
            self.move_to(self._times[place], now)
            self.clock = self.clock if self.clock.following else self.clock.pause(now, self.store.span[1])

    def event(self, direction: int, now: float) -> None:
        """To the next or previous mark worth a stop."""
        mark = self.store.next_mark(self.clock.at(now, self.store.span[1]), direction)
        if mark is None:
            self.say("no later event" if direction > 0 else "no earlier event", "quiet", now)
            return
        self.move_to(mark.time, now)
        self.say(f"{mark.glyph} {mark.text}", "plain", now)

    def speed(self, factor: float, now: float) -> None:
        """Play so many times as fast."""
        if self.mode == "now":
            self.say("this is live: speed is for recordings", "quiet", now)
            return
        self.clock = self.clock.faster(now, self.store.span[1], factor)

    def percent(self, percent: int, now: float) -> None:
        """To a share of the run."""
        first, last = self.store.span
        self.move_to(first + (last - first) * percent / 100, now)

    def end(self, now: float) -> None:
        """The end: now, where the run lives."""
        self.clock = (
            self.clock.follow() if self._live else self.clock.seek(self.store.span[1], now, *self.store.span).pause(now, self.store.span[1])
        )
