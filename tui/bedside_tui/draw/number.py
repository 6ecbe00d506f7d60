"""How numbers are written: the one guard through which every number passes on its way to a screen.

Texts stand still: three significant digits, the same number of decimals over each range, so that a number changes on screen only when
the change can be seen. A missing number is `—`, NaN and infinities are words. Nothing here fails for any float or int.
"""

from __future__ import annotations

import math

MISSING = "—"

_DECIMALS = ((1.0, 4), (10.0, 2), (100.0, 1), (1000.0, 0))
"""(below, decimals): 0.0214, 1.24, 18.2, 182. Four under 1, because losses live there."""

_SIZES = ("B", "kB", "MB", "GB", "TB", "PB", "EB")
_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def value(x: float | None) -> str:
    """A measured value in at most 9 characters: `0.0214`, `-1.24`, `12,431`, `3.0e-04`, `nan`, `-inf`, `—` for None."""
    if x is None:
        return MISSING
    if not math.isfinite(x):
        return "nan" if math.isnan(x) else "inf" if x > 0 else "-inf"
    size = abs(x)
    if size == 0:
        return "0.0000"  # also for -0.0
    if not 0.0009995 <= size < 999_999.5:
        return f"{x:.1e}"
    for below, decimals in _DECIMALS:
        if float(f"{size:.{decimals}f}") < below:  # after rounding: 9.996 is 10.0, not 10.00
            return f"{x:.{decimals}f}"
    return f"{x:,.0f}"


def count(n: float | None, width: int | None = None) -> str:
    """A whole number with thousands separators: `12,431`; where that exceeds `width`, shortened: `12.4 M`, then `1e+12`."""
    if n is None:
        return MISSING
    if not abs(n) < 1e16:  # beyond this a double has no units, and a text no end
        return value(n)
    text = f"{round(n):,}"
    if width is None or len(text) <= width:
        return text
    for unit, name in ((10**12, "T"), (10**9, "G"), (10**6, "M"), (10**3, "k")):
        if abs(n) >= unit and len(short := f"{n / unit:.1f}{name}") <= width:
            return short
    return f"{n:.0e}"


def fixed(text: str, width: int) -> str:
    """A number's text right-aligned in `width` cells; one that does not fit becomes `#`s, never another number."""
    return text.rjust(width) if len(text) <= width else "#" * max(0, width)


def size(count_of_bytes: float | None) -> str:
    """Bytes in decimal units: `48 MB`, `1.2 GB`, `812 B`."""
    if count_of_bytes is None or not math.isfinite(count_of_bytes):
        return MISSING if count_of_bytes is None else value(count_of_bytes)
    left, unit = float(count_of_bytes), 0
    while abs(left) >= 999.5 and unit < len(_SIZES) - 1:
        left, unit = left / 1000, unit + 1
    decimals = 1 if unit and abs(left) < 9.95 else 0
    return f"{left:.{decimals}f} {_SIZES[unit]}" if abs(left) < 1e6 else f"{left:.0e} {_SIZES[unit]}"


def of(part: float, whole: float) -> str:
    """One size beside another, the unit said once: `1.2 of 24 GB`."""
    left, right = size(part), size(whole)
    number, _, unit = left.partition(" ")
    return f"{number} of {right}" if right.endswith(f" {unit}") and unit else f"{left} of {right}"


def duration(seconds: float | None) -> str:
    """A length of time in at most 7 characters: `7 ms`, `8.2 s`, `45 s`, `12m05`, `3h10`, `2d 03h`, `104 d`."""
    if seconds is None or not math.isfinite(seconds):
        return MISSING if seconds is None else value(seconds)
    sign, left = ("-", -seconds) if seconds < 0 else ("", seconds)
    if left < 0.9995:
        return f"{sign}{left * 1000:.0f} ms"
    if left < 59.5:
        return f"{sign}{left:.1f} s" if left < 9.95 else f"{sign}{left:.0f} s"
    if left >= 100 * _DAY:
        return f"{sign}{left / _DAY:,.0f} d" if left < 99_999.5 * _DAY else f"{sign}{left / _DAY:.0e} d"
    whole = round(left)
    if whole < _HOUR:
        return f"{sign}{whole // _MINUTE}m{whole % _MINUTE:02}"
    if whole < _DAY:
        return f"{sign}{whole // _HOUR}h{whole % _HOUR // _MINUTE:02}"
    return f"{sign}{whole // _DAY}d {whole % _DAY // _HOUR:02}h"


def milliseconds(seconds: float | None) -> str:
    """A short time in milliseconds: `7.0 ms`, `0.12 ms`, `140 ms`; beyond 1000 s as `duration`."""
    if seconds is None or not math.isfinite(seconds):
        return MISSING if seconds is None else value(seconds)
    ms = seconds * 1000
    if abs(ms) >= 1e6:
        return duration(seconds)
    return f"{ms:.2f} ms" if abs(ms) < 0.995 else f"{ms:.1f} ms" if abs(ms) < 9.95 else f"{count(ms)} ms"


def clock(seconds: float) -> str:
    """A place in a recording: `0:08:12`, `-` before the start never: negative is 0."""
    if not math.isfinite(seconds):
        return MISSING
    whole = int(min(max(seconds, 0.0), 1e12))
    return f"{whole // _HOUR}:{whole % _HOUR // _MINUTE:02}:{whole % _MINUTE:02}"


def age(seconds: float | None) -> str:
    """How long ago: `0.2 s ago`, `3h10 ago`; `now` under a twentieth of a second."""
    if seconds is None or not math.isfinite(seconds):
        return MISSING
    if seconds < 0.05:
        return "now"
    return f"{seconds:.1f} s ago" if seconds < 1 else f"{duration(seconds)} ago"


def rate(per_second: float | None) -> str:
    """Steps a second: `143/s`, `2.4/s`; slower ones by the minute or hour: `12/min`, `3/h`."""
    if per_second is None or math.isnan(per_second):
        return MISSING
    if not math.isfinite(per_second):
        return value(per_second)
    if per_second == 0 or abs(per_second) >= 9.95:
        return f"{count(per_second)}/s" if abs(per_second) < 1e9 else f"{per_second:.0e}/s"
    if abs(per_second) >= 0.95:
        return f"{per_second:.1f}/s"
    if abs(per_second) * _MINUTE >= 0.95:
        return f"{per_second * _MINUTE:.0f}/min"
    return f"{per_second * _HOUR:.1f}/h"


def percent(share: float | None) -> str:
    """A share of 1 as a percentage: `0.6 %`, `14 %`, `100 %`."""
    if share is None or math.isnan(share):
        return MISSING
    hundredths = share * 100
    if not math.isfinite(hundredths) or abs(hundredths) >= 1e9:
        return f"{value(hundredths)} %"
    return f"{hundredths:.1f} %" if 0 < abs(hundredths) < 9.95 else f"{count(hundredths)} %"


def ordinal(number: int, total: int) -> str:
    """A place among several: `1 of 2`."""
    return f"{count(number)} of {count(total)}"
