"""What the loss rules say of public training curves: verdicts by label, and points judged a second.

`CORPUS=DIR python tests/bench/bench_curves.py`, where DIR holds `labels.json` and one `.npz` a run with `loss` (n,) and `step0`. The
curves are no part of this project.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from bedside_protocol.alerts.judge import judge
from bedside_protocol.records import Metrics, Record, RunStarted

ROWS = 50
SECONDS_A_STEP = 0.01


def records(path: Path) -> Iterator[Record]:
    with np.load(path) as run:
        losses, first = run["loss"].astype(np.float64), int(run["step0"])
    yield Record(0.0, RunStarted(path.stem, path.stem, "curves", 0.0))
    for start in range(0, len(losses), ROWS):
        values = losses[start : start + ROWS]
        steps = np.arange(first + start + 1, first + start + 1 + len(values))
        times = steps * SECONDS_A_STEP
        yield Record(float(times[-1]), Metrics(("loss",), steps, times, values.reshape(1, -1)))


def main() -> int:
    folder = os.environ.get("CORPUS", "")
    if not folder:
        print("set CORPUS to a folder with labels.json and the curves it names", file=sys.stderr)
        return 3
    verdicts: Counter[tuple[str, str]] = Counter()
    points, began = 0, time.process_time()
    entries = json.loads((Path(folder) / "labels.json").read_text())
    for entry in entries:
        found = list(records(Path(folder) / entry["file"]))
        points += sum(record.body.values.size for record in found if isinstance(record.body, Metrics))
        verdicts[entry["label"], judge(found).verdict] += 1
    seconds = time.process_time() - began
    words = ("ok", "amber", "red", "unknown")
    print(f"{'label':16}" + "".join(f"{word:>9}" for word in words))
    for label in sorted({label for label, _ in verdicts}):
        print(f"{label:16}" + "".join(f"{verdicts[label, word]:9}" for word in words))
    print(f"{points:,} points in {seconds:.0f} s: {points / seconds:,.0f} a second")
    return 0


if __name__ == "__main__":
    sys.exit(main())
