"""`followers.py RUN LOG`: forks a process that follows the run as a viewer does, each time it reads `follow`.

On `seen` the newest follower answers with one line of JSON: how many values of `number` it has, whether they are 0, 1, 2, … without a
hole, the state of its way to the run in the words of a source, how long it took to have the first of them, in seconds, and whether its
source still reads.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from pathlib import Path

from bedside_protocol.records import Metrics
from bedside_tui.places import RunPlace
from bedside_tui.sources.live import LiveSource
from bedside_tui.sources.source import Update


class Follower:
    """One viewer of a run: what it has seen."""

    def __init__(self, place: RunPlace) -> None:
        self.numbers: list[float] = []
        self.state, self.detail = "connecting", ""
        self.full: float | None = None
        self.something = threading.Event()
        self._began = time.monotonic()
        self.source = LiveSource(place, read_only=True)
        self.source.start(self._took)

    def _took(self, update: Update) -> None:
        self.state, self.detail = update.status.state, update.status.detail
        for record in update.records:
            if isinstance(record.body, Metrics) and "number" in record.body.names:
                self.numbers += record.body.values[record.body.names.index("number")].tolist()
        if update.status.complete and self.numbers and self.full is None:
            self.full = time.monotonic() - self._began
        self.something.set()

    def told(self) -> str:
        numbers = list(self.numbers)  # the source's thread goes on
        whole = numbers == [float(number) for number in range(len(numbers))]
        reads = any(thread.name == "live-source" for thread in threading.enumerate())
        said = {"count": len(numbers), "whole": whole, "state": self.state, "detail": self.detail, "full": self.full, "reads": reads}
        return json.dumps(said)


def serve(place: RunPlace, asked: int) -> None:
    """Follow the run, and answer each byte that is asked."""
    follower = Follower(place)
    follower.something.wait(20)
    print(json.dumps({"pid": os.getpid()}), flush=True)
    while os.read(asked, 1):
        print(follower.told(), flush=True)


def main() -> None:
    place = RunPlace(sys.argv[1], Path(sys.argv[2]))
    asking = -1
    for line in sys.stdin:
        if line.strip() == "follow":
            reader, writer = os.pipe()
            if asking >= 0:
                os.close(asking)
            if os.fork() == 0:
                os.close(writer)
                serve(place, reader)
                os._exit(0)
            os.close(reader)
            asking = writer
        else:
            os.write(asking, b"?")


if __name__ == "__main__":
    main()
