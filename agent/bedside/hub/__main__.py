"""Where the hub's process begins.

Until the pipe is read, only the standard library may be imported: the path to the rest comes through it.
"""

from __future__ import annotations

import json
import os
import sys


def main() -> None:
    if os.fork():  # the launcher leaves at once, so that the hub is nobody's child but init's
        os._exit(0)
    told = json.load(sys.stdin)
    sys.stdin.close()
    for entry in told.pop("path"):
        if entry not in sys.path:
            sys.path.append(entry)  # behind the standard library: a user's logging.py must not shadow it
    from bedside.hub.service import serve
    from bedside.spawn import HubPlan

    serve(HubPlan.told(told))


if __name__ == "__main__":
    main()
