"""Who sits at this terminal."""

from __future__ import annotations

import getpass


def whoami() -> str:
    """Who asks, for the log."""
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return "somebody"
