"""Files that a verb writes: whole or not at all.

What is there is replaced only when the new file is complete. A recording is never replaced: it is the only copy of what a training did.
A name that is no ordinary file (a pipe, a device) is written to as it is.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from bedside_protocol.runlog import MARK


class Unwritable(Exception):
    """A file cannot be written; the text says which and why."""


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """A file to write, which gets its name when the block ends well and is gone when it does not. Raises `Unwritable`."""
    try:
        if path.exists() and not path.is_file():
            with open(path, "wb") as file:
                yield file
            return
        if _is_recording(path):
            raise Unwritable(f"{path} is a recording and is not written over: name another file")
        with _replacing(path) as file:
            yield file
    except BrokenPipeError:
        raise
    except OSError as error:
        raise Unwritable(f"cannot write {path}: {error.strerror or error}") from error


@contextlib.contextmanager
def _replacing(path: Path) -> Iterator[BinaryIO]:
    part = path.with_name(f".{path.name[:200]}.{os.getpid()}.part")
    try:
        with open(part, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _is_recording(path: Path) -> bool:
    if not path.is_file():
        return False
    with open(path, "rb") as file:
        return file.read(len(MARK)) == MARK
