"""A moment as a person types it after `:`: a step, a share, a time of the run, so much back or on, or a time by the clock on the wall.

What was typed becomes a value; which second of which run that is, the timeline says. Nothing here knows a run or reads a clock.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

from bedside_tui.draw import number

Unit = Literal["step", "second", "percent", "clock"]
"""`second`: of the run, as the first line shows it. `clock`: seconds since midnight, where the viewer is."""

FORMS: Final = (
    ("12000  12k", "to a step"),
    ("50%", "to a share of the run"),
    ("1:02:03  2:03", "to a time of the run, as the first line shows it"),
    ("90s  1h30m", "the same, in units: d, h, m, s"),
    ("-10m  +500", "back or on: so much time, so many steps"),
    ("@14:30", "to a time by the clock on the wall"),
)
"""What can be typed, with what it does: for the help and for whoever typed something else."""

EXAMPLES: Final = "12000 · 50% · 1:02:03 · -10m · @14:30"

_SECONDS: Final = {"d": 86_400.0, "h": 3600.0, "m": 60.0, "s": 1.0}
_LOWER: Final = {"d": "h", "h": "m", "m": "s"}
_TIMES: Final = {"": 1.0, "k": 1e3, "M": 1e6}
_STEP: Final = re.compile(r"(\d[\d,_]{0,18}(?:\.\d{1,6})?)([kM]?)")
_PERCENT: Final = re.compile(r"(\d{1,3}(?:\.\d{1,6})?) ?%")
_COLONS: Final = re.compile(r"(?:(\d{1,5}):)?(\d{1,5}):(\d{2})")
_PARTS: Final = re.compile(r"(?:\d{1,9}(?:\.\d{1,6})?[dhms] ?)+(?:\d{1,9})?")
_PART: Final = re.compile(r"(\d+(?:\.\d+)?)([dhms]?)")
_MINUTE: Final = 60


@dataclass(frozen=True, slots=True)
class Seek:
    """Where to go. `by`: so much on from where one stands, or back where `amount` is negative."""

    unit: Unit
    amount: float
    by: bool = False

    @property
    def said(self) -> str:
        """`go to step 12,000`, `go back 10m00`."""
        amount = abs(self.amount)
        words = {
            "step": f"{number.count(amount)} {'step' if amount == 1 else 'steps'}" if self.by else f"step {number.count(amount)}",
            "second": number.duration(amount) if self.by else f"{number.clock(amount)} of the run",
            "percent": f"{amount:g} % of the run",
            "clock": f"{number.clock(amount)} by the clock",
        }[self.unit]
        return f"go {'back' if self.amount < 0 else 'on'} {words}" if self.by else f"go to {words}"


def read_seek(text: str) -> Seek | None:
    """What was typed, None where it is no moment. `+` and `-` in front mean from here."""
    text = text.strip()
    if text.startswith("@"):
        found = _clock(text[1:].strip())
        return Seek("clock", found) if found is not None else None
    sign, rest = (text[:1], text[1:].strip()) if text[:1] in ("+", "-") else ("", text)
    factor = -1.0 if sign == "-" else 1.0
    for unit, amount in (("percent", _percent(rest)), ("step", _step(rest)), ("second", _seconds(rest))):
        if amount is not None:
            return Seek(unit, factor * amount, by=bool(sign))  # type: ignore[arg-type]
    return None


def _percent(text: str) -> float | None:
    found = _PERCENT.fullmatch(text)
    return float(found[1]) if found else None


def _step(text: str) -> float | None:
    found = _STEP.fullmatch(text)
    return float(round(float(re.sub("[,_]", "", found[1])) * _TIMES[found[2]])) if found else None


def _seconds(text: str) -> float | None:
    """Of `1:02:03`, `2:03`, `1h30m` and `11m44`."""
    if found := _COLONS.fullmatch(text):
        hours, minutes, seconds = int(found[1] or 0), int(found[2]), int(found[3])
        whole = seconds < _MINUTE and (minutes < _MINUTE or found[1] is None)
        return 3600.0 * hours + 60.0 * minutes + seconds if whole else None
    if not _PARTS.fullmatch(text):
        return None
    total, unit = 0.0, ""
    for amount, given in _PART.findall(text):
        unit = given or _LOWER.get(unit, "")
        if not unit:
            return None
        total += float(amount) * _SECONDS[unit]
    return total


def _clock(text: str) -> float | None:
    """Seconds since midnight of `14:30` and `14:30:05`."""
    found = re.fullmatch(r"(\d{1,2}):(\d{2})(?::(\d{2}))?", text)
    if found is None:
        return None
    hours, minutes, seconds = int(found[1]), int(found[2]), int(found[3] or 0)
    inside = hours < 24 and minutes < _MINUTE and seconds < _MINUTE
    return float(hours * 3600 + minutes * 60 + seconds) if inside else None
