"""How soon a killed training is called killed: seconds from SIGKILL to the verdict in the recording, several times."""

from __future__ import annotations

import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bedside_protocol.records import LifecycleChanged
from bedside_protocol.runlog import read_records

TRIES = 7
SCRIPT = """
import bedside, time
run = bedside.init(name="victim", quiet=True)
for number in run.steps(range(10**9)):
    run.log({"loss": 1.0})
    time.sleep(0.01)
"""


def states(log: Path) -> list[str]:
    if not log.exists():
        return []
    with open(log, "rb") as file:
        return [record.body.state for record in read_records(file) if isinstance(record.body, LifecycleChanged)]


def once(way: str) -> float:
    with tempfile.TemporaryDirectory(prefix="bs-", ignore_cleanup_errors=True) as name:
        environment = {**os.environ, "BEDSIDE_DIR": f"{name}/runs", "BEDSIDE_RUNTIME_DIR": f"{name}/rt", "BEDSIDE_PROCESS_WATCH": way}
        process = subprocess.Popen([sys.executable, "-c", SCRIPT], env=environment)
        try:
            while not (logs := list(Path(name).glob("runs/*/run.bedside"))) or "running" not in states(logs[0]):
                time.sleep(0.02)
            process.send_signal(signal.SIGKILL)
            began = time.perf_counter()
            while not {"killed", "died"} & set(states(logs[0])):
                time.sleep(0.01)
            return time.perf_counter() - began
        finally:
            process.kill()
            process.wait()


def main() -> None:
    print(f"seconds from SIGKILL to the verdict in the recording, {TRIES} tries each")
    for way, meaning in (("info", "pidfd, with exit information"), ("pidfd", "pidfd"), ("stat", "pid and start time")):
        taken = sorted(once(way) for _ in range(TRIES))
        print(f"  {meaning:30} median {statistics.median(taken):.2f}  worst {taken[-1]:.2f}")


if __name__ == "__main__":
    main()
