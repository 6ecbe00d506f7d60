"""`make fuzz`: every target for so many seconds, guided by coverage where `atheris` is installed, else by chance alone; says which.

An input that raises is left in `build/fuzz`, and the exit code is 1. With `--keep`, inputs that reached something new join the corpus.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import time
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Final, NamedTuple

HERE: Final = Path(__file__).resolve().parent
ROOT: Final = HERE.parents[1]
FOUND: Final = ROOT / "build" / "fuzz"
sys.path[:0] = [str(ROOT / home) for home in ("agent", "protocol", "tui")] + [str(HERE)]

LONGEST: Final = 1024
"""Bytes of an input: longer ones reach nothing that shorter ones do not, and are slower."""
MOST_KEPT: Final = 30
"""Inputs that join the corpus after one run."""


class Tried(NamedTuple):
    """What the fuzzing of one target came to."""

    inputs: int
    seconds: float
    failed: str


def main() -> int:
    options = _options()
    if options.inside:
        return _guided(options.target[0], options.seconds)
    from fuzz_targets import TARGETS

    guided = find_spec("atheris") is not None
    print("guided by coverage (atheris)" if guided else "by chance alone: `pip install atheris` guides it by coverage", flush=True)
    failed = 0
    for target in options.target or TARGETS:
        found = _outside(target, options.seconds, keeping=options.keep) if guided else _by_chance(target, options.seconds)
        failed += bool(found.failed)
        print(f"{target:<8} {found.inputs:>11,} inputs {found.inputs / found.seconds:>9,.0f}/s  {found.failed or 'ok'}", flush=True)
    return 1 if failed else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", nargs="*", help="all where none is named")
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    parser.add_argument("--keep", action="store_true", help="put inputs that reached something new into the corpus")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


# --- by chance


def _by_chance(target: str, seconds: float) -> Tried:
    from fuzz_mutation import mutations
    from fuzz_seeds import seeds
    from fuzz_targets import TARGETS

    corpus, began, tried = seeds(target), time.monotonic(), 0
    for seed in count(int(time.time())):
        for data in mutations(corpus, 100, seed):
            tried += 1
            try:
                TARGETS[target](data)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is what was looked for
                path = FOUND / target / "crash-by-chance"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)
                return Tried(tried, time.monotonic() - began, f"{type(error).__name__}: {path}")
        if time.monotonic() - began >= seconds:
            break
    return Tried(tried, time.monotonic() - began, "")


# --- guided: a process for each target, since the fuzzer leaves with its process


def _outside(target: str, seconds: int, *, keeping: bool) -> Tried:
    from fuzz_seeds import keep, seeds

    found = FOUND / target
    found.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(seeds(target)):
        (found / f"seed-{number:03}").write_bytes(data)
    began = time.monotonic()
    ran = subprocess.run(
        [sys.executable, str(HERE), "--inside", "--seconds", str(seconds), target],
        cwd=found,
        capture_output=True,
        text=True,
        errors="replace",
    )
    told = re.findall(r"stat::number_of_executed_units:\s+(\d+)|Done (\d+) runs", ran.stderr)
    inputs = max((int(first or second) for first, second in told), default=0)
    if ran.returncode:
        (found / "output.txt").write_text(ran.stderr)
        return Tried(inputs, time.monotonic() - began, f"failed: {found / 'output.txt'}")
    if keeping:
        keep(target, _new(found))
    return Tried(inputs, time.monotonic() - began, "")


def _guided(target: str, seconds: int) -> int:
    """In a process of its own, in the directory of the target's inputs; what is imported in the block is watched."""
    import atheris

    with atheris.instrument_imports(include=["bedside_protocol", "bedside_tui", "fuzz_targets"]):
        from fuzz_targets import TARGETS
    atheris.Setup(
        [
            sys.argv[0],
            ".",
            f"-max_total_time={seconds}",
            f"-max_len={LONGEST}",
            "-timeout=10",
            "-rss_limit_mb=2048",
            "-print_final_stats=1",
        ],
        TARGETS[target],
    )
    atheris.Fuzz()
    return 0


def _new(found: Path) -> list[bytes]:
    """The shortest inputs that the fuzzer has written because they reached something of their own."""
    paths = [path for path in found.iterdir() if re.fullmatch(r"[0-9a-f]{40}", path.name)]
    return sorted((path.read_bytes() for path in paths), key=len)[:MOST_KEPT]


if __name__ == "__main__":
    sys.exit(main())
