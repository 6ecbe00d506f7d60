"""Tells somebody outside, once, and ends: a process of its own, so that a slow service or a script that hangs never holds the hub.

Where to is in the environment: `BEDSIDE_NOTIFY` holds addresses separated by white space, each an apprise URL (`mailto://…`, `slack://…`;
`pip install 'bedside[notify]'`) or `exec:/path/of/a/program`, which gets the title as its argument and the text on its standard input.
Addresses hold secrets: they stand in no argument, no recording and no complaint, which counts them instead.

In: a JSON object with `path` (where modules are found), `title` and `text`. Out: what went wrong, a line each. Until the path is known,
only the standard library is there.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Final

PROGRAM: Final = "exec:"
PATIENCE: Final = 10.0
"""Seconds a program may take."""
NO_APPRISE: Final = "apprise is not installed: pip install 'bedside[notify]'"


def troubles(addresses: list[str], title: str, text: str) -> Iterator[str]:
    """Sends to every address; a sentence for each that was not reached."""
    for number, address in enumerate(addresses, 1):
        if trouble := _run(address.removeprefix(PROGRAM), title, text) if address.startswith(PROGRAM) else _post(address, title, text):
            yield f"address {number} of {len(addresses)}: {trouble}"


def _run(program: str, title: str, text: str) -> str:
    try:
        done = subprocess.run(
            [program, title],
            input=text.encode(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"the program did not end within {PATIENCE:g} s"
    except OSError as error:
        return f"the program cannot be run: {error.strerror}"
    return f"the program ended with code {done.returncode}" if done.returncode else ""


def _post(address: str, title: str, text: str) -> str:
    try:
        from apprise import Apprise
    except ImportError:
        return NO_APPRISE
    service = Apprise()
    try:
        if not service.add(address):
            return "apprise does not know this kind of address"
        return "" if service.notify(text, title) else "the service did not take it"
    except Exception as error:  # whatever a service's plug-in raises; its text may hold the address
        return f"the service failed with {type(error).__name__}"


def main() -> None:
    told = json.load(sys.stdin)
    sys.path += [entry for entry in told["path"] if entry not in sys.path]
    for trouble in troubles(os.environ.get("BEDSIDE_NOTIFY", "").split(), told["title"], told["text"]):
        print(trouble)


if __name__ == "__main__":
    main()
