"""How a training ended, as it says itself."""

from __future__ import annotations

import traceback
from typing import Final

from bedside_protocol.records import Ended
from bedside_protocol.redact import redacted_text

_TRACEBACK_LINES: Final = 30


def goodbye(error: BaseException | None, exited: bool, stopping: bool, step: int) -> Ended:
    """How the training ended, in its own words."""
    if isinstance(error, KeyboardInterrupt):
        return Ended("stopped", step, message="interrupted (Ctrl-C)")
    if isinstance(error, SystemExit) and error.code in (0, None):
        error = None
    if error is not None:
        lines = "".join(traceback.format_exception(error, limit=-8)).splitlines()
        return Ended("failed", step, type(error).__name__, redacted_text(str(error)), tuple(map(redacted_text, lines[-_TRACEBACK_LINES:])))
    if stopping:
        return Ended("stopped", step, message="asked to stop")
    return Ended("exited" if exited else "finished", step)
