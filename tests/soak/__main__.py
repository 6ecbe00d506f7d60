"""`python tests/soak --minutes 30`: a real training, its hub and a viewer for so long, others coming and going; is their memory flat?

Prints a line a minute and the verdicts, and writes RESULTS.md. Exit code 1 where a memory grows or something went otherwise.
"""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).parents[1] / "flow"))  # a folder that is run knows no package: where trainings are started

from flatness import MIB
from soak_report import judged, page, verdicts
from soaking import Soaked, soak

FEWEST: Final = 8
"""Samples, half of which are warming up: a slope takes three."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="soak", description="Memory of trainer, hub and viewer over time.")
    parser.add_argument("--minutes", type=float, default=30.0, help="how long (30)")
    parser.add_argument("--write", type=Path, metavar="FILE", help="the page to write the results into")
    options = parser.parse_args()
    if options.minutes < 0.2:
        print("a soak takes 0.2 minutes at least", file=sys.stderr)
        return 2
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell gives its background jobs deaf ears
    soaked = soak(60 * options.minutes, say=_say)
    if len(soaked.steps) < FEWEST:
        print("too short to be judged", *soaked.troubles, sep="\n", file=sys.stderr)
        return 1
    print("\n" + judged(soaked), *soaked.troubles, sep="\n")
    if options.write:
        options.write.write_text(page(soaked, f"make soak MINUTES={options.minutes:g}"))
    return 0 if all(verdict.judgement == "flat" for verdict in verdicts(soaked)) and not soaked.troubles else 1


def _say(soaked: Soaked) -> None:
    newest = ", ".join(f"{name} {samples[-1].own / MIB:.1f} MiB" for name, samples in soaked.samples.items())
    minute = soaked.samples["trainer"][-1].time / 60
    print(f"{minute:4.0f} min  step {soaked.steps[-1]}  {soaked.visits[-1]} visitors  {newest}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
