"""What a stranger's text may look like on a terminal: the one edge through which every name, message and note passes.

Logs carry text from datasets, exceptions and other people. A terminal obeys some of it: escape sequences write to the clipboard,
carriage returns overwrite lines, right-to-left overrides turn "good" around. `text` makes all of that visible instead of effective,
on one line, in bounded time. It decides characters only: markup such as `[/x]` is left as written, because no widget parses markup.
"""

from __future__ import annotations

import unicodedata

MOST_MARKS = 2
"""Combining marks kept on one letter: enough for Vietnamese and the phonetic alphabet, too few to climb into other rows."""

UNSEEN = "\ufffd"
"""Stands for a character that would be obeyed, invisible, or unknown to this Python."""

_HOLLOW = frozenset("\u115f\u1160\u3164\uffa0\u034f\u17b4\u17b5")  # letters and marks by category, drawn as nothing
_SELECTORS = frozenset(
    [*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0), *range(0x180B, 0x180E), 0x180F, *range(0x1F3FB, 0x1F400)]
)  # choose between pictures of one character, and change its width on some terminals only: left out
_REGIONAL_A = 0x1F1E6  # pairs are flags on some terminals and two letters on others: always letters here


class _Visible(dict[int, str]):
    """What each code point is shown as; `str.translate` asks for those not seen before. Latin is prepared, the rest is not kept."""

    def __missing__(self, code: int) -> str:
        return _shown(chr(code))


def _shown(char: str) -> str:
    code = ord(char)
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "\u2421"
    if _REGIONAL_A <= code < _REGIONAL_A + 26:
        return chr(ord("A") + code - _REGIONAL_A)
    if code in _SELECTORS:
        return ""
    category = unicodedata.category(char)
    if category == "Zs":
        return " "
    if category[0] == "C" or category in ("Zl", "Zp") or char in _HOLLOW:
        return UNSEEN
    return char


_TABLE = _Visible({code: _shown(chr(code)) for code in range(0x250)})


def text(value: object, limit: int = 200) -> str:
    """`value` as at most `limit` characters that a terminal only shows; what was cut is marked by a final `…`.

    Control characters become their pictures (`␛`), other characters a terminal would obey or hide become `�`, spaces of any kind
    a space. The result is NFC, is stable under a second pass, and costs the same whether the input has 200 or 10 M characters.
    Anything that is not a string is shown as `str` shows it, and named by its type where that raises.
    """
    raw = str.__getitem__(value, slice(4 * limit + 1)) if isinstance(value, str) else _of_object(value, 4 * limit + 1)
    if len(raw) <= limit and raw.isascii() and raw.isprintable():
        return raw
    shown = unicodedata.normalize("NFC", raw[: 4 * limit].translate(_TABLE))
    if not shown.isascii():
        shown = _few_marks(shown)
    if len(shown) > limit or len(raw) > 4 * limit:
        shown = shown[: max(0, limit - 1)] + "…"
    return shown[:limit]


def _of_object(value: object, most: int) -> str:
    try:
        if isinstance(value, (bytes, bytearray, memoryview)):
            return bytes(value[:most]).decode("utf-8", "backslashreplace")
        return str.__getitem__(str(value), slice(most))
    except Exception:  # noqa: BLE001 - a stranger's __str__ may raise anything, and a screen must still be drawn
        return f"<unprintable {type(value).__name__}>"


def _few_marks(shown: str) -> str:
    """At most MOST_MARKS marks in a row, and none without a letter to stand on."""
    kept: list[str] = []
    marks = 0
    for char in shown:
        if unicodedata.category(char) in ("Mn", "Me"):
            if not kept:
                kept.append("\u25cc")
            marks += 1
            if marks > MOST_MARKS:
                continue
        else:
            marks = 0
        kept.append(char)
    return "".join(kept)
