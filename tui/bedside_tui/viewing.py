"""One run being looked at: its source, what was read of it, where in its time we stand, what was asked of it and what was said to us.

It turns all that into a `Frame` at any moment. It knows no terminal; the time is an argument.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from bedside_protocol.commands import FOR_TRAINING
from bedside_protocol.lifecycle import OVER
from bedside_protocol.records import Scalar, Verb
from bedside_tui.asking import Asking, Verdict
from bedside_tui.cursor import Cursor
from bedside_tui.greeting import since_left
from bedside_tui.places import RunPlace
from bedside_tui.sources.source import Inbox, Source, SourceStatus, Update
from bedside_tui.store.store import Store
from bedside_tui.store.view import View
from bedside_tui.theme import Tone
from bedside_tui.timeline import Timeline
from bedside_tui.widgets.frame import Frame

SAID_FOR = 8.0
"""Seconds a sentence to the person stays: long enough to be read twice."""


class Viewing:
    """What the viewer knows and may do about one run (or, without a source, about none)."""

    def __init__(self, source: Source | None, now: float, *, read_only: bool = False, left: float | None = None) -> None:
        self.source = source
        self.store = Store()
        self.status = SourceStatus("connecting") if source is not None else SourceStatus("ended", "no run is open")
        self.timeline = Timeline(self.store, live=source is None or source.live, now=now)
        self.cursor: Cursor | None = None
        """Where values are read, on every screen of this run; None where nobody asked."""
        self.asking = Asking()
        self._read_only = read_only
        self._left = left
        self._inbox = Inbox()
        self._heard: float | None = None
        self._said = Verdict("", "plain")
        self._said_until = now
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
        self.timeline.take(update.records)
        if update.status.heard is not None:
            self._heard = update.status.heard
        elif update.records:
            self._heard = now
        self.status = update.status
        self.timeline.complete = update.status.complete
        if update.records and not self._begun and self.timeline.mode == "replay":
            self._begun = True  # a day takes seconds to read: its beginning is shown meanwhile
            self.timeline.begin(now)

    # --- drawing

    def frame(self, now: float) -> Frame:
        """Everything a screen needs, as things stand at `now`."""
        playhead = self.timeline.at(now)
        newest = self.store.at(None)
        view = newest if playhead.mode == "now" else self.store.at(playhead.time)
        self._follow_commands(newest, now)
        self._greet(newest, now)
        said = self._said if now < self._said_until else Verdict("", "plain")
        return Frame(
            view=view,
            source=self.status,
            playhead=playhead,
            age=None if self._heard is None else max(0.0, now - self._heard),
            now=now,
            newest=newest,
            marks=self.store.marks if playhead.mode != "now" else (),
            seen=self.timeline.seen,
            cursor=self.cursor,
            asked=self.asking.asked(newest.commands),
            said=said.text,
            said_tone=said.tone,
            control=self.source is not None and self.source.control is not None and not self._read_only,
        )

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
        if self._left is not None and (news := since_left(newest, self._left, self.store.span[1])) is not None:
            self.say(*news, now)

    def why_not(self) -> str:
        """Why nothing can be asked of this run, empty where something can."""
        if self.source is None:
            return "no run is open: r lists them"
        if not self.source.live:
            return "this is a recording: there is nothing to ask it"
        if self._read_only:
            return "read-only: started with --read-only, so nothing is asked of the run"
        if self.source.control is None:
            return "view only: " + (self.status.detail or "there is no way from here to the run")
        return ""

    @property
    def recording(self) -> RunPlace | None:
        """The recording that is written into where no hub is asked: the run is over, or looked at as a recording."""
        if self.source is None or (self.source.live and not self.store.at(None).over):
            return None
        return self.source.place

    def why_not_written(self) -> str:
        """Why nothing can be written into the lab book of this run, empty where something can."""
        if self.source is not None and self._read_only:
            return "read-only: started with --read-only, so nothing is written"
        return "" if self.recording is not None else self.why_not()

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
