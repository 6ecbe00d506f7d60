"""A recording as far as it has been read: the next look reads on from there. What is remembered of it may be deleted at any time."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Final

from bedside_protocol.codec import CodecError
from bedside_protocol.runlog import HEAD_SIZE, Chunk, Damage, Decoder, NewerFormat, encode_chunk
from bedside_tui.places import RunPlace, Unreadable
from bedside_tui.run_summary import RunSummary, remember
from bedside_tui.summary_fold import SummaryFold

_PIECE: Final = 1 << 20
_VERSION: Final = 1
WORTH: Final = 1 << 20
"""Bytes of a living run's recording that are rather read again than remembered: they take a fraction of a second."""


class ReadSoFar:
    """The fold of a recording up to a byte of it."""

    def __init__(self) -> None:
        self._start_over()

    def __repr__(self) -> str:
        return f"<ReadSoFar {self._decoder!r}, {self._fold!r}>"

    def _start_over(self) -> None:
        self._fold, self._decoder, self._damaged = SummaryFold(), Decoder(), 0
        self._head = b""
        """The first chunk's head: no other recording has its checksums."""
        self._remembered = 0
        self.spent = False
        """Whether its end was torn when it was read: what follows cannot be read on from there."""

    @property
    def is_worth_remembering(self) -> bool:
        """Whether much was read since it was remembered."""
        return not self.spent and self._decoder.offset - self._remembered > WORTH

    def read_on(self, place: RunPlace) -> RunSummary:
        """The run as it is now. Raises `Unreadable` where its recording cannot be opened or holds no record."""
        with reading(place.log), open(place.log, "rb") as file:
            if not self._is_of(file):
                self._start_over()
                self._head = file.read(HEAD_SIZE)
            self._read(file)
            heard = os.fstat(file.fileno()).st_mtime
        if not self._fold.records:
            raise Unreadable(f"{place.log} holds no records: is it a recording?")
        return self._fold.summary(place, heard, self._damaged)

    def _is_of(self, file: BinaryIO) -> bool:
        size = os.fstat(file.fileno()).st_size
        return len(self._head) == HEAD_SIZE and file.read(HEAD_SIZE) == self._head and self._decoder.offset <= size

    def _read(self, file: BinaryIO) -> None:
        end = file.seek(self._decoder.offset)
        while data := file.read(_PIECE):
            end += len(data)
            self._take(self._decoder.feed(data))
        understood = self._decoder.offset
        rest = list(self._decoder.finish())
        self.spent = bool(rest) or understood < end
        self._take(rest)

    def _take(self, pieces: Iterable[Chunk | Damage]) -> None:
        for piece in pieces:
            if isinstance(piece, Damage):
                self._damaged += 1
                continue
            for record in piece.records:
                self._fold.take(record)

    # --- remembering

    def to_json(self) -> dict[str, Any]:
        """What reads on from here in another process. Raises `CodecError` where it is too much."""
        gist = encode_chunk(self._fold.gist(), 1, {})
        self._remembered = self._decoder.offset
        return {
            "head": base64.b64encode(self._head).decode(),
            "offset": self._decoder.offset,
            "damaged": self._damaged,
            "gist": base64.b64encode(gist).decode(),
        }

    @classmethod
    def of_json(cls, said: Mapping[str, Any]) -> ReadSoFar:
        """The inverse. Raises `ValueError`, `KeyError` or `TypeError` for what was not written by it."""
        read = cls()
        read._take(Decoder().feed(base64.b64decode(said["gist"], validate=True)))
        read._head = base64.b64decode(said["head"], validate=True)
        read._decoder, read._damaged = Decoder(_count(said["offset"])), _count(said["damaged"])
        read._remembered = read._decoder.offset
        if not read._fold.records:
            raise ValueError("nothing was read")
        return read


def _count(value: object) -> int:
    if type(value) is not int or value < 0:
        raise ValueError(f"{value!r} counts nothing")
    return value


def load_readings(path: Path) -> dict[str, ReadSoFar]:
    """How far living runs had been read, by their directories; nothing where the file cannot be read or is another's."""
    try:
        content = json.loads(path.read_text())
        return {key: ReadSoFar.of_json(said) for key, said in content["runs"].items()} if content["version"] == _VERSION else {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, NewerFormat):
        return {}


def store_readings(path: Path, readings: Mapping[str, ReadSoFar]) -> None:
    """Remember them. A directory one cannot write in is left as it is, and a run that is too much is read again."""
    runs = {}
    for key, read in readings.items():
        try:
            runs[key] = read.to_json()
        except CodecError:
            continue
    remember(path, {"version": _VERSION, "runs": runs})


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Raises `Unreadable` for what goes wrong with a recording within."""
    try:
        yield
    except NewerFormat as error:
        raise Unreadable(f"cannot read {path}: {error}") from error
    except OSError as error:
        raise Unreadable(f"cannot read {path}: {error.strerror or error}") from error
