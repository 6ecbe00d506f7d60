"""What the loss rules say of public training curves: verdicts by label, and points judged a second.

`CORPUS=DIR python tests/bench/bench_curves.py`, where DIR holds `labels.json` and one `.npz` a run. The curves are no part of this project.
"""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from pathlib import Path

from detection import corpus

from bedside_protocol.alerts.judge import judge
from bedside_protocol.records import Metrics


def main() -> int:
    folder = os.environ.get("CORPUS", "")
    if not folder:
        print("set CORPUS to a folder with labels.json and the curves it names", file=sys.stderr)
        return 3
    verdicts: Counter[tuple[str, str]] = Counter()
    points, began = 0, time.process_time()
    for run in corpus.runs(Path(folder)):
        found = run.records()
        points += sum(record.body.values.size for record in found if isinstance(record.body, Metrics))
        verdicts[run.truth.family, judge(found).verdict] += 1
    seconds = time.process_time() - began
    words = ("ok", "amber", "red", "unknown")
    print(f"{'label':16}" + "".join(f"{word:>9}" for word in words))
    for label in sorted({label for label, _ in verdicts}):
        print(f"{label:16}" + "".join(f"{verdicts[label, word]:9}" for word in words))
    print(f"{points:,} points in {seconds:.0f} s: {points / seconds:,.0f} a second")
    return 0


if __name__ == "__main__":
    sys.exit(main())
