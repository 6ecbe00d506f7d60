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
def made_directory(path: Path) -> Iterator[None]:
    """A directory, made where it is not there, with those above it; what was made and is empty is gone when the block fails. Raises
    `Unwritable`."""
    made = [each for each in (path, *path.parents) if not each.exists()]
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        yield
    except BaseException as error:
        for each in made:
            with contextlib.suppress(OSError):
                each.rmdir()
        if isinstance(error, OSError) and not isinstance(error, BrokenPipeError):
            raise Unwritable(f"cannot make {path}: {error.strerror or error}") from error
        raise


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
