"""What `run.log` costs: microseconds a call with the hub attached, beside a bare append and what else a script may log with.

Run it by itself: `make bench`. All rows come from one process on one machine; compare rows, not machines. Rows of libraries that are not
installed are left out and named.
"""

from __future__ import annotations

import csv
import importlib.util
import logging
import statistics
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

import bedside

CALLS = 5_000
WORK = 0.0005  # seconds of computing between two calls: caches are as cold as in a real loop, and a second is not ten million calls


def rows() -> dict[str, float]:
    return {f"metric/{place}": 0.1 * place for place in range(10)}


def measured(call: Callable[[dict[str, float]], object]) -> tuple[float, float]:
    """Median and 99th percentile of one call, microseconds."""
    values = rows()
    times = []
    for _ in range(CALLS):
        busy_until = time.perf_counter() + WORK
        while time.perf_counter() < busy_until:
            pass
        began = time.perf_counter_ns()
        call(values)
        times.append(time.perf_counter_ns() - began)
    times.sort()
    return statistics.median(times) / 1e3, times[int(0.99 * len(times))] / 1e3


def contenders(directory: Path) -> dict[str, Callable[[dict[str, float]], object]]:
    kept: deque[dict[str, float]] = deque(maxlen=16_384)
    sink = open(directory / "log.csv", "w", newline="")  # noqa: SIM115 - open for the length of the benchmark
    writer = csv.writer(sink)
    logger = logging.getLogger("bench")
    logger.addHandler(logging.FileHandler(directory / "log.txt"))
    logger.setLevel(logging.INFO)
    logger.propagate = False
    found: dict[str, Callable[[dict[str, float]], object]] = {
        "deque.append": lambda values: kept.append(values),
        "csv.writer": lambda values: writer.writerow(values.values()),
        "logging": lambda values: logger.info("%s", values),
    }
    if importlib.util.find_spec("tensorboard"):
        from torch.utils.tensorboard import SummaryWriter

        board = SummaryWriter(str(directory / "board"))
        found["SummaryWriter"] = lambda values: [board.add_scalar(name, value, 1) for name, value in values.items()]
    return found


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="bs-") as name:
        directory = Path(name)
        results = {label: measured(call) for label, call in contenders(directory).items()}
        run = bedside.init(name="bench", dir=directory / "runs", quiet=True)
        results["bedside run.log"] = measured(run.log)
        began = time.perf_counter()
        run.finish()
        finish = time.perf_counter() - began
    bare = results["deque.append"][0]
    print(f"one call with 10 values, {CALLS:,} calls, {WORK * 1e3:g} ms of computing between two; Python {sys.version.split()[0]}")
    print(f"{'':18}{'p50 µs':>9}{'p99 µs':>9}{'× append':>10}")
    for label, (median, tail) in results.items():
        print(f"{label:18}{median:9.2f}{tail:9.2f}{median / bare:10.1f}")
    print(f"finish with everything written: {finish * 1e3:.0f} ms")
    if "SummaryWriter" not in results:
        print("not installed here, so not measured: tensorboard")


if __name__ == "__main__":
    main()
