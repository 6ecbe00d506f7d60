"""Where a replay stands: a value that says, for any reading of a clock, which second of the recording is shown.

Following means staying at the newest record, live or at the end of a file that still grows. The clock itself reads no clock: `now` is
an argument, in seconds of any clock that only goes forward.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

SLOWEST, FASTEST = 1 / 8, 64.0


@dataclass(frozen=True, slots=True)
class ReplayClock:
    """Immutable; every key gives a new one. `position` is where it stood at `since`."""

    position: float = 0.0
    since: float = 0.0
    speed: float = 1.0
    playing: bool = False
    following: bool = False

    def at(self, now: float, last: float) -> float:
        """The second of the recording shown at `now`, when the newest record is at `last`."""
        if self.following:
            return last
        if not self.playing:
            return min(self.position, last)
        return min(self.position + max(0.0, now - self.since) * self.speed, last)

    def shown(self, now: float, last: float) -> float | None:
        """The moment to ask the store for: None (the newest) while following."""
        return None if self.following else self.at(now, last)

    def follow(self) -> ReplayClock:
        """`End`: stay at the newest record from here on."""
        return replace(self, following=True, playing=False)

    def play(self, now: float, last: float) -> ReplayClock:
        """Run on from here."""
        return replace(self, position=self.at(now, last), since=now, playing=True, following=False)

    def pause(self, now: float, last: float) -> ReplayClock:
        """Stand still here."""
        return replace(self, position=self.at(now, last), since=now, playing=False, following=False)

    def toggle(self, now: float, last: float, first: float = 0.0) -> ReplayClock:
        """`space`. Playing from the end begins again at `first`; while following it stops at this moment."""
        if self.following or (self.playing and self.at(now, last) < last):
            return self.pause(now, last)
        if self.at(now, last) >= last:
            return self.seek(first, now, first, last).play(now, last)
        return self.play(now, last)

    def seek(self, time: float, now: float, first: float, last: float) -> ReplayClock:
        """Go to a second of the recording, held within it; playing goes on from there, following ends."""
        return replace(self, position=min(max(time, first), last), since=now, following=False)

    def skip(self, seconds: float, now: float, first: float, last: float) -> ReplayClock:
        """`←` `→`: relative to what is shown."""
        return self.seek(self.at(now, last) + seconds, now, first, last)

    def share(self, share: float, now: float, first: float, last: float) -> ReplayClock:
        """`0`–`9`: a share of the recording."""
        return self.seek(first + (last - first) * share, now, first, last)

    def faster(self, now: float, last: float, factor: float = 2.0) -> ReplayClock:
        """`}` doubles and, with a `factor` of a half, `{` halves the speed, between 1/8 and 64; the moment shown stays."""
        speed = min(max(self.speed * factor, SLOWEST), FASTEST)
        return replace(self, position=self.at(now, last), since=now, speed=speed)

    def slower(self, now: float, last: float) -> ReplayClock:
        """`{`: half as fast."""
        return self.faster(now, last, 0.5)

    def ended(self, now: float, last: float) -> bool:
        """Whether a playing replay has come to the newest record."""
        return self.playing and self.at(now, last) >= last

    @property
    def speed_text(self) -> str:
        """`2×`, `1/4×`."""
        return speed_text(self.speed)


def speed_text(speed: float) -> str:
    """`2×`, `1/4×`."""
    return f"{speed:.0f}×" if speed >= 1 else f"1/{1 / speed:.0f}×"
