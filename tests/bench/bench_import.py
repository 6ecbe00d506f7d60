"""What an import costs: a process that imports and judges a thousand points, and the memory of one that imports a million."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

TRIES = 9
IMPORT = """
import json, resource, sys
from bedside_tui.cli import main
small, large, out = sys.argv[1:]
main(["import", small, "--out", out])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
main(["import", large, "--out", out])
print(json.dumps(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before))
"""


class Cost(NamedTuple):
    """Seconds of one process: by the clock, and of the processor."""

    wall: float
    cpu: float


def table(path: Path, steps: int, metrics: int, *, by_metric: bool = False) -> Path:
    """A CSV of a loss that falls with noise: a column a metric, or one metric's lines after the other's."""
    chance = random.Random(0)
    with open(path, "w") as file:
        if by_metric:
            print("step,time,metric,value", file=file)
            for metric in range(metrics):
                for step in range(steps):
                    print(step, step * 0.5, f"m{metric}", 1 / (1 + step / 1000) + chance.random() / 10, sep=",", file=file)
            return path
        print("step", "time", *(f"m{metric}" for metric in range(metrics)), sep=",", file=file)
        for step in range(steps):
            print(step, step * 0.5, *(1 / (1 + step / 1000) + chance.random() / 10 for _ in range(metrics)), sep=",", file=file)
    return path


def process(home: Path, source: Path, number: int) -> Cost:
    """One `bedside import` from its start to its end."""
    began, before = time.perf_counter(), os.times()
    command = [sys.executable, "-m", "bedside_tui", "import", str(source), "--out", str(home / str(number))]
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    after = os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return Cost(time.perf_counter() - began, cpu)


def memory(home: Path, small: Path, large: Path) -> float:
    """Megabytes that a process grows by, importing the large one after the small one."""
    command = [sys.executable, "-c", IMPORT, str(small), str(large), str(home / large.stem)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return float(json.loads(said.splitlines()[-1])) / 1024


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="bs-") as name:
        home = Path(name)
        small = table(home / "small.csv", 1000, 1)
        costs = sorted(process(home, small, number) for number in range(TRIES))
        least = min(cost.cpu for cost in costs)
        print(f"1,000 points: {costs[0].wall:.2f} s a process, median {costs[TRIES // 2].wall:.2f} ({least:.2f} s of the processor)")
        for name, by_metric in (("rows of ten metrics", False), ("one metric after the other", True)):
            large = table(home / f"large-{by_metric}.csv", 100_000, 10, by_metric=by_metric)
            print(f"1,000,000 points, {name}: {memory(home, small, large):.0f} MB")


if __name__ == "__main__":
    main()
