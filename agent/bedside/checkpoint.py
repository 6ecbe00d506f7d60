"""Writing a checkpoint so that a good one is never harmed: a temporary name, synced, renamed, and only then called saved.

`torch.save` in place left a corrupt file in 25 of 25 kills, and a full disk destroyed the previous good one.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from bedside_protocol.records import CheckpointSaved

Save = Callable[[str], Any]
TEMPORARY: Final = ".part"
_HEADROOM: Final = 1.1
"""Free space asked for, in sizes of the previous checkpoint."""


class CheckpointFailed(Exception):
    """No checkpoint was written; what was there before is untouched. The text says why."""


class Checkpoints:
    """The checkpoints of one run, in one directory, written by the user's own `save(path)`: each of several ranks its own files."""

    def __init__(self, directory: Path, rank: int = 0) -> None:
        self.directory = directory
        self._rank = rank
        self._ending = f".rank{rank}.pt" if rank else ".pt"
        self._last_size = 0

    def __repr__(self) -> str:
        return f"<Checkpoints in {self.directory}>"

    def write(self, save: Save, step: int, command: str = "") -> CheckpointSaved | None:
        """Call `save` with a temporary path, make what it wrote durable, give it its name. Raises `CheckpointFailed`.

        A `save` that returns another path has written there itself: reported as such, not verified. None: one of several ranks, not the
        first, wrote nothing.
        """
        began = time.perf_counter()
        final = self.directory / f"step_{step:08d}{self._ending}"
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            self._sweep()
            self._refuse_if_full()
            part = final.with_name(f".{final.name}{TEMPORARY}")
            try:
                elsewhere = save(str(part))
                if isinstance(elsewhere, (str, os.PathLike)) and os.path.exists(elsewhere) and Path(elsewhere) != part:
                    path, verified = Path(elsewhere).absolute(), False
                elif self._rank and not part.exists():
                    return None
                else:
                    path, verified = _published(part, final), True
                size = _size(path)
            finally:
                _remove(part)
        except CheckpointFailed:
            raise
        except Exception as error:  # the handler is the user's: whatever it raises, the training goes on
            raise CheckpointFailed(_said(error)) from error
        self._last_size = size
        return CheckpointSaved(str(path), size, step, verified, time.perf_counter() - began, command)

    def _sweep(self) -> None:
        for rest in self.directory.glob(f".step_*{TEMPORARY}"):
            if rest.name.removeprefix(".step_").removesuffix(self._ending + TEMPORARY).isdecimal():  # another rank's may be in the making
                _remove(rest)

    def _refuse_if_full(self) -> None:
        free = shutil.disk_usage(self.directory).free
        if self._last_size and free < self._last_size * _HEADROOM:
            raise CheckpointFailed(f"only {free / 1e6:,.0f} MB free, the last checkpoint took {self._last_size / 1e6:,.0f} MB")


def _published(part: Path, final: Path) -> Path:
    if not part.exists():
        raise CheckpointFailed("save(path) wrote nothing at the path it was given")
    for inside in part.rglob("*"):  # nothing where it is a file
        if inside.is_file() or inside.is_dir():
            _sync(inside)
    _sync(part)
    if part.is_dir() and final.exists():
        final = final.with_name(f"{final.stem}_{time.time_ns()}{final.suffix}")  # a directory cannot be replaced in one move
    os.replace(part, final)
    _sync(final.parent)
    return final


def _said(error: Exception) -> str:
    try:
        return f"{type(error).__name__}: {error}"[:300]
    except Exception:  # an exception's text is made by anybody's code
        return type(error).__name__


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _size(path: Path) -> int:
    if path.is_dir():
        return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    return path.stat().st_size
