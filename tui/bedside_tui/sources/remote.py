"""A run on another machine: a proxy there answers through an `ssh` of ours with the bytes of its log, and takes commands.

A thread owns the link. One that hangs is noticed by the beats that do not come, one that is gone is made again, later and later; reading
goes on at the byte where it stopped. While the way is closed every command is refused.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

from bedside_protocol.commands import EXPIRES_IN
from bedside_protocol.lifecycle import OVER
from bedside_protocol.messages import Answer, Ask, Bytes, Here, Judge, Judged, Kept, Message, Refusal
from bedside_protocol.records import LifecycleChanged, Record
from bedside_protocol.runlog import NewerFormat
from bedside_protocol.sanitise import text as safe
from bedside_tui.places import RunPlace
from bedside_tui.remote.link import Link, LinkLost
from bedside_tui.remote.place import Reach, RemotePlace
from bedside_tui.sources.conversation import Conversation, LiveControl
from bedside_tui.sources.live import ANSWER_WITHIN, OVER_NOW, READING_FILE, SILENT, UNREACHABLE, status_of
from bedside_tui.sources.replay import records_of
from bedside_tui.sources.source import SourceState, SourceStatus, Update
from bedside_tui.whoami import whoami

HANGS_AFTER: Final = 3.0
"""Seconds without a byte after which the link is said to hang: the proxy speaks once a second."""
GIVES_UP_AFTER: Final = 10.0
"""Seconds after which a link that hangs is made anew: a connection that a router has forgotten never tells."""
GREETS_WITHIN: Final = 20.0
"""Seconds for ssh and the other machine's shell until bedside answers there."""
FIRST_WAIT, LONGEST_WAIT = 1.0, 30.0
"""Seconds before the first attempt to come back, and between two at most: each waits twice as long as the one before."""
_POLL: Final = 50
_PACE: Final = 0.2
"""Seconds before a file is asked for again that ended within a chunk."""


class RemoteSource:
    """The records of a run elsewhere, and the way to command it. As a `replay` it is a recording, and stands at its start."""

    def __init__(self, place: RemotePlace, reach: Reach, *, read_only: bool = False, replay: bool = False) -> None:
        self.there = place
        self._reach = reach
        self._read_only = read_only or replay
        self._replay = replay
        self._control = None if self._read_only else LiveControl()
        self._talk = Conversation(self._control)
        self._link: Link | None = None
        self._here: Here | None = None
        self._here_at = 0.0
        self._asked = False
        self._ask_at = 0.0
        self._judge_at = 0.0
        self._judged: Judged | None = None
        self._over = False
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def __repr__(self) -> str:
        return f"<RemoteSource of {self.there.word}, {self._talk!r}>"

    @property
    def live(self) -> bool:
        return not self._replay

    @property
    def control(self) -> LiveControl | None:
        return self._control

    @property
    def place(self) -> RunPlace | None:
        return None

    @property
    def link(self) -> Link | None:
        """The link that is used now."""
        return self._link

    def connect(self, *, may_ask: bool) -> Link:
        """Make the link and wait until bedside answers there; raises `LinkLost`. `may_ask`: ssh may talk to a person at this terminal."""
        self._here = None
        argv = self._reach.argv(self.there, read_only=self._read_only, may_ask=may_ask)
        self._link = link = Link(argv, self.there.host, asks=may_ask)
        while self._here is None and not self._stop.is_set():
            for message in link.hear(_POLL):
                self._take(message, lambda update: None)
            if not may_ask and time.monotonic() - link.heard > GREETS_WITHIN:
                raise LinkLost(f"{self.there.host} has not answered for {GREETS_WITHIN:g} s")
        return link

    def start(self, deliver: Callable[[Update], None]) -> None:
        self._thread = threading.Thread(target=self._main, args=(deliver,), name="remote-source", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(2.0)
        self._hang_up()

    @property
    def _nothing_heard(self) -> str:
        return f"no word from {self.there.host}"

    # --- the thread

    def _main(self, deliver: Callable[[Update], None]) -> None:
        wait, why = FIRST_WAIT, ""
        try:
            while not self._stop.is_set() and not self._over:
                try:
                    link = self._link or self.connect(may_ask=False)
                    wait = FIRST_WAIT
                    self._converse(link, deliver)
                except LinkLost as lost:
                    why = safe(lost)
                    deliver(Update((), self._talk.away("unreachable", why)))
                self._hang_up()
                if not self._over:
                    self._wait(wait, why, deliver)
                    wait = min(2 * wait, LONGEST_WAIT)
        except NewerFormat as error:
            deliver(Update((), SourceStatus("unreachable", str(error))))
        self._hang_up()
        while not self._stop.wait(_PACE):
            if refused := self._talk.refused(OVER_NOW):
                deliver(Update(refused, self._talk.away("ended")))

    def _hang_up(self) -> None:
        link, self._link = self._link, None
        if link is not None:
            link.close()

    def _wait(self, seconds: float, why: str, deliver: Callable[[Update], None]) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until and not self._stop.wait(_POLL / 1000):
            if refused := self._talk.refused(UNREACHABLE):
                deliver(Update(refused, self._talk.away("unreachable", why)))

    def _converse(self, link: Link, deliver: Callable[[Update], None]) -> None:
        """Ask and hear until the run is over; raises `LinkLost`."""
        self._talk.start_over()
        self._asked, self._ask_at, self._judged = False, 0.0, None
        hangs = False
        while not self._stop.is_set() and not self._over:
            now = time.monotonic()
            if not self._asked and now >= self._ask_at:
                link.send(self._talk.next_read())
                self._asked = True
            heard = link.heard
            for message in link.hear(_POLL):
                self._take(message, deliver)
            silence = time.monotonic() - heard if heard == link.heard else 0.0  # a slow viewer may have taken its time with what came
            if silence > GIVES_UP_AFTER:
                raise LinkLost(self._nothing_heard)
            if silence <= HANGS_AFTER:
                self._send_commands(link)
            elif (refused := self._talk.refused(UNREACHABLE)) or not hangs:
                deliver(Update(refused, self._talk.away("unreachable", self._nothing_heard)))
            hangs = silence > HANGS_AFTER

    def _take(self, message: Message, deliver: Callable[[Update], None]) -> None:
        match message:
            case Here():
                self._here, self._here_at = message, time.monotonic()
            case Bytes():
                self._asked = False
                records = self._talk.take(message.offset, message.data)
                self._over = message.over and self._talk.reached >= message.end
                deliver(Update(records, status_of(message, self._talk)))
            case Kept():
                self._asked = False
                self._take_kept(message, deliver)
            case Judged():
                self._judged = message
            case Answer() if records := self._talk.answered(message):
                deliver(Update(records, SourceStatus("connected", heard=time.monotonic())))
            case Refusal(why=why):
                raise LinkLost(f"{self.there.host}: {why}")
            case _:
                pass

    def _take_kept(self, kept: Kept, deliver: Callable[[Update], None]) -> None:
        """Bytes of the file, for want of a hub. At its end the log says itself that the run is over, or the proxy's machine is asked."""
        now = time.monotonic()
        records = self._talk.take(kept.offset, kept.data)
        at_end = self._talk.reached >= kept.end
        grows = bool(records) or kept.silence <= ANSWER_WITHIN
        if grows:
            self._judged = None
        known = self._talk.word.lifecycle in OVER or self._judged is not None
        over = self._talk.word.lifecycle in OVER or (self._judged is not None and self._judged.state in OVER)
        if at_end and over and kept.silence > ANSWER_WITHIN:
            self._over = True
            deliver(Update(records + self._last_records(), SourceStatus("ended")))
            return
        if at_end:
            self._talk.start_over()  # a writer that starts again may cut away what was half written
            self._ask_at = now if records else now + _PACE
            if not known and not grows:
                self._ask_to_judge(now)
        progress = self._talk.decoder.offset / kept.end if kept.end else 1.0
        state: SourceState = "following" if grows else "unreachable"
        detail = READING_FILE if grows else SILENT
        status = SourceStatus(state, detail, now - kept.silence, at_end and (known or grows), progress)
        deliver(Update(records, self._talk.tell(status)))

    def _ask_to_judge(self, now: float) -> None:
        if self._link is not None and now >= self._judge_at:
            self._judge_at = now + ANSWER_WITHIN
            self._link.send(Judge())

    def _last_records(self) -> list[Record]:
        """What remains to be told of a log that will not grow: its torn end, and the ending that nobody was left to write."""
        records = self._talk.kept(records_of(self._talk.decoder.finish(), self._talk.last_time))
        if self._judged is not None and self._judged.state == "lost" and self._talk.word.lifecycle not in OVER:
            records += self._talk.kept([Record(self._talk.last_time, LifecycleChanged("lost", self._judged.reason))])
        return records

    def _send_commands(self, link: Link) -> None:
        for wanted in self._talk.wanted():
            assert self._here is not None  # it came first
            asked = self._here.clock + (wanted.asked - self._here_at)
            link.send(Ask(self._here.run, wanted.id, wanted.verb, whoami(), wanted.arguments, EXPIRES_IN, self._here.boot, asked))
            self._talk.sent(wanted)
