"""`python tests/faults --tries N`: every fault over and over, N tries divided over them, the table of what became of them, and RESULTS.md.

It decides which fault is tried how often, and when a try has hung; what a fault is stands in the `faults_of_…` files.
"""

from __future__ import annotations

import argparse
import os
import shlex
import sys
import time
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).parents[1] / "flow"))  # a folder that is run knows no package: where trainings are started

from fault_table import FAULTS, Fault
from report import Row, page, table
from stage import Stage, Tally

AT_ONCE: Final = 20
"""Tries in one stage at most: a failure then points at few of them, and no recording grows long."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="faults", description="The fault matrix, over and over.")
    parser.add_argument("--tries", type=int, default=1000, metavar="N", help="tries in all (1000)")
    parser.add_argument("--only", default="", metavar="WORD", help="only the faults with this in their name or row")
    parser.add_argument("--write", type=Path, metavar="FILE", help="the page to write the results into")
    options = parser.parse_args()
    chosen = [fault for fault in FAULTS if options.only in (*fault.rows, "") or options.only in fault.words]
    if not chosen or options.tries < 1:
        print(f"nothing to try: no fault has {options.only!r} in its name, or N is less than 1", file=sys.stderr)
        return 2
    began, cpu = time.monotonic(), _cpu()
    rows = []
    for fault, times in zip(chosen, shares(chosen, options.tries), strict=True):
        rows.append(tried(fault, times))
        print(f"{time.monotonic() - began:6.0f} s  {rows[-1].tally!r}"[:300], flush=True)
    print("\n" + table(rows))
    if options.write:
        command = shlex.join(["make", "faults", f"N={options.tries}"])
        options.write.write_text(page(rows, command, time.monotonic() - began, _cpu() - cpu))
    return 0 if all(row.tally.is_clean or row.why_not for row in rows) else 1


def shares(faults: list[Fault], tries: int) -> list[int]:
    """How often each is tried: by weight, and each at least once."""
    whole = sum(fault.weight for fault in faults)
    return [max(1, round(tries * fault.weight / whole)) * fault.each for fault in faults]


def tried(fault: Fault, times: int) -> Row:
    """One fault, so many times; what was waited for in vain is a hang."""
    whole = Tally()
    if why := fault.why_not():
        return Row(fault, whole, why)
    done = 0
    while done < times:
        part = min(times - done, AT_ONCE * fault.each)
        with Stage() as stage:
            print(f"{'·'.join(fault.rows):>9}  {fault.words}: {done} of {times}", file=sys.stderr, flush=True)
            try:
                fault.inflict(stage, part)
            except AssertionError as error:
                stage.tally.hung(str(error))
        whole.add(stage.tally)
        done += part
    return Row(fault, whole, "")


def _cpu() -> float:
    """Seconds of processor time of this process and of those it has waited for: hubs are nobody's children, and are not in it."""
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


if __name__ == "__main__":
    sys.exit(main())
