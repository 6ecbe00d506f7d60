"""The lab book of a run: what a person says of it. Notes at moments, a verdict, tags.

All three are asked for with the verb `note` and become records of the log; the newest word counts. The hub of a living run and a viewer
that writes into a recording make the same records of the same arguments, here. `text` is there always, so that a hub that knows notes
alone writes the others down as notes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from .records import Note, Record, Scalar, TagsChanged, VerdictGiven

VERDICTS: Final = ("good", "bad", "broken", "unclear")
"""Words offered for a verdict. `broken`: it says nothing, because something was wrong with it."""
MAX_NOTE: Final = 2000
MAX_VERDICT: Final = 80
MAX_TAG: Final = 40
MOST_TAGS: Final = 64
"""Tags in one entry."""
MOST_NOTES: Final = 200
"""Notes kept of a run, the newest; the others are counted."""

Entry: TypeAlias = Note | VerdictGiven | TagsChanged
Arguments: TypeAlias = dict[str, Scalar]


class BadEntry(ValueError):
    """Nothing that can be written into the book; the text says what can."""


# --- asking


def note_arguments(text: str, step: int | None = None, at: float | None = None) -> Arguments:
    """The arguments that ask for a note; without a step or a time it is pinned to the moment at which it is written. Raises `BadEntry`."""
    said: Arguments = {"text": _note(text)}
    return said | ({} if step is None else {"step": step}) | ({} if at is None else {"at": at})


def verdict_arguments(text: str) -> Arguments:
    """The arguments that ask for a verdict; an empty text takes it back. Raises `BadEntry`."""
    word = _verdict(text)
    return {"text": f"verdict: {word or 'none'}", "verdict": word}


def tag_arguments(added: Iterable[str], removed: Iterable[str] = ()) -> Arguments:
    """The arguments that put tags on a run and take tags from it. Raises `BadEntry`."""
    plus, minus = _tags(added), _tags(removed)
    if not plus and not minus:
        raise BadEntry("no tag was named")
    return {"text": f"tags: {_signed(plus, minus)}", "added": " ".join(plus), "removed": " ".join(minus)}


def tags_between(before: Sequence[str], line: str) -> Arguments | None:
    """What makes the tags `before` those of a line, where blanks and commas part them; None where nothing changes. Raises `BadEntry`."""
    after = _tags(line.replace(",", " ").split())
    added, removed = [tag for tag in after if tag not in before], [tag for tag in before if tag not in after]
    return tag_arguments(added, removed) if added or removed else None


# --- writing


def entry_of(arguments: Mapping[str, Scalar], who: str, step: int, wall: float = 0.0) -> Entry:
    """The record that these arguments ask for; `step` is where the run is. Raises `BadEntry`."""
    if "verdict" in arguments:
        return VerdictGiven(_verdict(str(arguments["verdict"] or "")), who, wall)
    if "added" in arguments or "removed" in arguments:
        added, removed = (_tags(str(arguments.get(key) or "").split()) for key in ("added", "removed"))
        if not added and not removed:
            raise BadEntry("no tag was named")
        return TagsChanged(added, removed, who, wall)
    asked, at = arguments.get("step"), arguments.get("at")
    moment = float(at) if isinstance(at, int | float) and not isinstance(at, bool) and math.isfinite(at) else None
    return Note(_note(str(arguments.get("text") or "")), who, asked if isinstance(asked, int) else step, moment, wall)


def said_of(entry: Entry) -> str:
    """What was written, in words; empty for a note, which says it itself."""
    match entry:
        case VerdictGiven(verdict=verdict):
            return f"verdict {verdict}" if verdict else "no verdict"
        case TagsChanged(added=added, removed=removed):
            return f"tags {_signed(added, removed)}"
        case _:
            return ""


def _signed(added: Sequence[str], removed: Sequence[str]) -> str:
    return " ".join([*(f"+{tag}" for tag in added), *(f"-{tag}" for tag in removed)])


def _note(text: str) -> str:
    words = text.strip()[:MAX_NOTE]
    if not words:
        raise BadEntry("a note has at least one word")
    return words


def _verdict(text: str) -> str:
    word = " ".join(text.split())
    if len(word) > MAX_VERDICT:
        raise BadEntry(f"a verdict has at most {MAX_VERDICT} characters: write the rest as a note")
    return word


def _tags(words: Iterable[str]) -> tuple[str, ...]:
    tags = tuple(dict.fromkeys(words))
    for tag in tags:
        if not _is_tag(tag):
            raise BadEntry(f"{tag[:MAX_TAG]!r} is no tag: a word of at most {MAX_TAG} characters, no comma in it, no + or - before it")
    if len(tags) > MOST_TAGS:
        raise BadEntry(f"at most {MOST_TAGS} tags at once")
    return tags


def _is_tag(word: str) -> bool:
    return 0 < len(word) <= MAX_TAG and word[0] not in "+-" and "," not in word and word.isprintable() and word.split() == [word]


# --- reading


@dataclass(frozen=True, slots=True)
class BookNote:
    """A note as the book has it: `time` is the moment it speaks of, in seconds since the run began."""

    text: str
    author: str
    step: int
    time: float
    wall: float = 0.0


@dataclass(frozen=True, slots=True)
class Book:
    """The book as some records leave it: the newest verdict, the tags in the order of their coming, the newest notes, the newest last."""

    verdict: str = ""
    verdict_by: str = ""
    tags: tuple[str, ...] = ()
    notes: tuple[BookNote, ...] = ()
    written: int = 0
    """How many notes there are in all."""

    def having(self, record: Record) -> Book:
        """The book after one more record of the log; records of other kinds leave it as it is."""
        match record.body:
            case Note(text, author, step, at, wall):
                note = BookNote(text, author, step, record.time if at is None else at, wall)
                return replace(self, notes=(*self.notes, note)[-MOST_NOTES:], written=self.written + 1)
            case VerdictGiven(verdict=verdict, who=who):
                return replace(self, verdict=verdict, verdict_by=who if verdict else "")
            case TagsChanged(added=added, removed=removed):
                kept = [tag for tag in self.tags if tag not in removed]
                return replace(self, tags=tuple(dict.fromkeys([*kept, *added])))
            case _:
                return self
