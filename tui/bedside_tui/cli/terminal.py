"""Showing the screens: only here, and only when there is a terminal, the terminal library is loaded."""

from __future__ import annotations

import argparse
import os
import select
import sys
import threading
from collections.abc import Callable
from importlib.util import find_spec
from typing import TYPE_CHECKING

from bedside_protocol.records import Lifecycle
from bedside_tui.cli import Failure
from bedside_tui.loading import nothing_collected
from bedside_tui.places import RunPlace
from bedside_tui.visits import last_left, note_left

if TYPE_CHECKING:
    from bedside_tui.screens.runs import Library
    from bedside_tui.sources.source import Source


def has_terminal() -> bool:
    """Whether a person sits at both ends of this process. Without one, verbs print text: escapes in a file help nobody."""
    ends = (sys.stdin, sys.stdout, sys.stderr)  # each is None where the parent closed it
    return all(end is not None and end.isatty() for end in ends) and os.environ.get("TERM", "dumb") != "dumb"


def need_screens() -> None:
    """Raises `Failure` where the terminal library is missing."""
    if find_spec("textual") is None:
        raise Failure('the screens need the extra "tui": pip install "bedside[tui]"; all other verbs work without')


def show(
    source: Source | None,
    library: Library | None,
    options: argparse.Namespace,
    *,
    read_only: bool = False,
    place: RunPlace | None = None,
    parting: Callable[[Lifecycle | None], str] | None = None,
) -> int:
    """Open the viewer and stay until `q`. The exit code of the application; raises `Failure` where its library is missing.

    `place` is the live run that is opened first: what happened there since the person last left it is pointed out. `parting` makes the
    words after a good end of how that run was when it was left, None where that is not known: a day's log is not read for it again.
    """
    need_screens()
    over_ssh = "SSH_CONNECTION" in os.environ
    os.environ.setdefault("TEXTUAL_FPS", "10" if over_ssh else "20")  # read once, at import
    os.environ.setdefault("TEXTUAL_ANIMATIONS", "none")
    with nothing_collected():
        from bedside_tui import stopped
        from bedside_tui.app import BedsideApp
        from bedside_tui.theme import palette_for

    palette = palette_for(os.environ, options.theme or "")
    app = BedsideApp(
        source,
        library=library,
        read_only=read_only,
        ascii=options.ascii or not _speaks_unicode(),
        palette=palette,
        fps=2 if over_ssh else 4,
        left=last_left(place.directory) if place is not None else None,
    )
    if issubclass(stopped.Driver, app.driver_class):  # a terminal, and not what `serve` draws into
        app.driver_class = stopped.Driver
    threading.Thread(target=_leave_with, args=(sys.stdin.fileno(),), daemon=True).start()
    app.run(mouse=False)  # the terminal's own selection of text stays as it is
    if place is not None and app.viewing.source is source:
        note_left(place.directory, app.viewing.store.span[1])
    if parting is not None and not app.return_code:
        known = app.viewing.source is source and app.viewing.status.complete
        print(parting(app.viewing.store.at(None).lifecycle if known else None))
    return app.return_code or 0


def _leave_with(terminal: int) -> None:
    """End this process when its terminal has gone, as the signal of a hang-up does where it comes.

    It does not come under `nohup`, nor where the terminal controls nothing; the terminal library would then read the end of its input for
    ever, at half a core.
    """
    ends = select.poll()
    ends.register(terminal, 0)  # nothing but its end is waited for
    if any(event & (select.POLLHUP | select.POLLERR) for _, event in ends.poll()):
        os._exit(129)  # nothing is left to restore, and the training does not notice


def _speaks_unicode() -> bool:
    return (sys.stdout.encoding or "").lower().replace("-", "").startswith("utf")
