"""Where the garbage collector stays away: from modules while they are loaded, and from a history once it is read."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def nothing_collected() -> Iterator[None]:
    """No garbage is looked for: what is loaded stays, and looking takes an eighth of the time until the first picture."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def set_aside() -> None:
    """All that is alive stays so and is not looked through for garbage any more: with the history of a day that takes as long as drawing
    it twice, at moments nobody chose."""
    gc.collect(1)
    gc.freeze()


def let_go() -> None:
    """What was set aside may become garbage again."""
    gc.unfreeze()
