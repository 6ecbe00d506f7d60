"""What a fault costs a step: the 50th and 99th percentile of step times while something is wrong, over those while nothing is.

One training, stretches with and without a fault in turn; each ratio is of two stretches that lie side by side, and the median of all
rounds is told. *Nothing* against nothing says how far two equal stretches are apart on this machine: no fault can be told from less.
"""

from __future__ import annotations

import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parents[1] / "flow"))  # a folder that is run knows no package

from real_training import Training, environment_in

ROUNDS: Final = 9
STRETCH: Final = 2.0
"""Seconds: a thousand steps and more."""
TRAINING: Final = """
import select, sys, time
import bedside.spawn
import bedside
bedside.spawn.MAX_STARTS = 10**6
run = bedside.init(name="steps", quiet=True)
def work():
    total = 0.0
    for number in range(20_000):
        total += number * 0.5
    return total
times = []
for number in run.steps(range(10**9)):
    began = time.monotonic()
    run.log({f"metric/{name}": float(number) for name in range(10)})
    work()
    times.append((began, time.monotonic() - began))
    if number % 100 == 0 and select.select([sys.stdin], [], [], 0)[0]:
        break
with open("times", "w") as file:
    file.writelines(f"{began} {took}\\n" for began, took in times)
run.finish()
"""

Stretch: TypeAlias = tuple[float, float]


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="bs-", ignore_cleanup_errors=True) as name:
        home = Path(name)
        training = Training(home, TRAINING, {}, reaped_at_once=False, flags=())
        viewer = subprocess.Popen(
            [sys.executable, "-m", "bedside_tui", "watch", training.place.id, "--jsonl"],
            env=environment_in(home),
            stdout=subprocess.DEVNULL,
        )
        try:
            training.wait_points("metric/0", 1000)
            faults: dict[str, Callable[[], None]] = {
                "nothing": lambda: time.sleep(STRETCH),
                "the hub is stopped": lambda: _stopped(training.hub_pid()),
                "a viewer is stopped": lambda: _stopped(viewer.pid),
                "the hub is killed, and comes back": lambda: _killed(training.hub_pid()),
            }
            stretches: dict[str, list[tuple[Stretch, Stretch]]] = {words: [] for words in faults}
            for _ in range(ROUNDS):
                for words, inflict in faults.items():
                    stretches[words].append((_during(lambda: time.sleep(STRETCH)), _during(inflict)))
                    training.wait_points("metric/0", len(training.points("metric/0")) + 500)  # what was kept meanwhile has gone out
            training.say("end")
            training.end(60)
        finally:
            viewer.kill()
            viewer.wait()
            training.close()
        times = np.loadtxt(home / "times")
    print(f"{len(times):,} steps, median {1e3 * float(np.median(times[:, 1])):.2f} ms; {ROUNDS} rounds of {STRETCH:g} s\n")
    print(f"{'':36}{'p50':>24}{'p99':>24}")
    for words, pairs in stretches.items():
        print(f"{words:36}" + "".join(f"{_changed(times, pairs, share):>24}" for share in (50, 99)))


def _stopped(pid: int) -> None:
    os.kill(pid, signal.SIGSTOP)
    time.sleep(STRETCH)
    os.kill(pid, signal.SIGCONT)


def _killed(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    time.sleep(STRETCH)


def _during(happens: Callable[[], None]) -> Stretch:
    began = time.monotonic()
    happens()
    return began, time.monotonic()


def _changed(times: NDArray[np.float64], pairs: list[tuple[Stretch, Stretch]], share: float) -> str:
    """The median change of a percentile, in per cent, and the quartiles of all rounds."""
    changes = [100.0 * (_percentile(times, after, share) / _percentile(times, before, share) - 1.0) for before, after in pairs]
    low, middle, high = statistics.quantiles(changes, n=4)
    return f"{middle:+.1f} [{low:+.1f} {high:+.1f}]"


def _percentile(times: NDArray[np.float64], stretch: Stretch, share: float) -> float:
    began, ended = stretch
    return float(np.percentile(times[(times[:, 0] >= began) & (times[:, 0] < ended), 1], share))


if __name__ == "__main__":
    main()
