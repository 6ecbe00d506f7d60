"""What a training could not hand to its hub before it left: written beside the recording, for a hub that wakes or comes later.

The end of a training is never held up for a hub that is slow, stopped or being started again, and its last words are those that matter
most. Nothing here knows a socket or what a record means.
"""

from __future__ import annotations

import contextlib
import os
import struct
from collections.abc import Iterable
from pathlib import Path

from bedside_protocol.places import left_name

_LENGTH = struct.Struct("<I")


def leave_frames(directory: Path, frames: Iterable[bytes], rank: int = 0) -> None:
    """Write these frames of a rank, all or none. Raises `OSError`."""
    left = left_name(rank)
    part = directory / f".{left}"
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        with open(handle, "wb") as file:
            for frame in frames:
                file.write(_LENGTH.pack(len(frame)) + frame)
        os.replace(part, directory / left)
    except OSError:
        with contextlib.suppress(OSError):
            part.unlink()
        raise


def left_frames(directory: Path, rank: int = 0) -> list[bytes]:
    """The frames that were left here by a rank, in order; none where nothing was."""
    try:
        data = (directory / left_name(rank)).read_bytes()
    except OSError:
        return []
    frames = []
    place = 0
    while place + _LENGTH.size <= len(data):
        (length,) = _LENGTH.unpack_from(data, place)
        place += _LENGTH.size + length
        frames.append(data[place - length : place])
    return frames


def forget_left(directory: Path, rank: int = 0) -> None:
    """They are in the recording now."""
    with contextlib.suppress(OSError):
        (directory / left_name(rank)).unlink()
