"""`python tests/faults --tries N`: every fault over and over, side by side, the table of what became of them, and RESULTS.md.

It reads the command line and gathers tallies; how N is divided stands in `parts`, how tries run in `side_by_side`, what a fault is in the
`faults_of_…` files. Interrupted, it writes what was done so far.
"""

from __future__ import annotations

import argparse
import os
import shlex
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

# A folder that is run knows no package: where trainings are started, and what other versions wrote.
sys.path.extend(str(Path(__file__).parents[1] / part) for part in ("flow", "golden"))

from fault_table import FAULTS, Fault
from parts import Part, parts_of, seconds_left
from report import Row, Whole, page, table
from side_by_side import Done, part_name, side_by_side
from stage import Tally

PER_CORE: Final = 4
"""Tries at once for each core: most of a try is waiting."""


def main() -> int:
    options = _options()
    chosen = [fault for fault in FAULTS if not options.only or any(word in fault.rows or word in fault.words for word in options.only)]
    if not chosen or options.tries < 1 or options.jobs < 1:
        print(f"nothing to try: no fault has {' or '.join(options.only)!r} in its name, or a number is less than 1", file=sys.stderr)
        return 2
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell gives its background jobs deaf ears
    began = time.monotonic()
    rows = {fault: Row(fault, Tally(), Tally(), fault.why_not()) for fault in chosen}
    parts = parts_of([fault for fault, row in rows.items() if not row.why_not], options.tries)
    done = list(_tried(parts, rows, options.jobs, began))
    some = [word for only in options.only for word in ("--only", only)]
    command = shlex.join(
        ["python", "tests/faults", "--tries", str(options.tries), *some] if some else ["make", "faults", f"N={options.tries}"]
    )
    whole = Whole(command, time.monotonic() - began, sum(part.cpu for part in done), options.jobs, len(parts) - len(done), len(parts))
    print("\n" + table(list(rows.values())))
    if options.write:
        options.write.write_text(page(list(rows.values()), whole))
    return 0 if all(row.tally.is_clean or row.why_not for row in rows.values()) else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="faults", description="The fault matrix, over and over.")
    parser.add_argument(
        "--tries", type=int, default=1000, metavar="N", help="1000: as many as the goals speak of; 100: a tenth of that (1000)"
    )
    parser.add_argument(
        "--only", action="append", default=[], metavar="WORD", help="only the faults of this row, or with this in their name"
    )
    cores = os.cpu_count() or 1
    parser.add_argument(
        "--jobs", type=int, default=PER_CORE * cores, help=f"parts side by side ({PER_CORE} for each core: {PER_CORE * cores})"
    )
    parser.add_argument("--write", type=Path, metavar="FILE", help="the page to write the results into")
    return parser.parse_args()


def _tried(parts: Sequence[Part], rows: dict[Fault, Row], jobs: int, began: float) -> Iterator[Done]:
    """Every part, those alone first, its tally taken into its row; an interruption ends it early."""
    took: list[tuple[Part, float]] = []
    left = list(parts)
    try:
        for alone, at_once in ((True, 1), (False, jobs)):
            for done in side_by_side([part for part in parts if part.alone == alone], at_once):
                row = rows[done.part.fault]
                (row.alone if alone else row.beside).add(done.tally)
                took.append((done.part, done.seconds))
                left.remove(done.part)
                _show(done, f"{len(took)} of {len(parts)}", seconds_left(left, took, jobs), time.monotonic() - began)
                yield done
    except KeyboardInterrupt:
        print("\ninterrupted: what was done so far", file=sys.stderr)


def _show(done: Done, count: str, left: float, since: float) -> None:
    """What was done last and when all is, on a terminal in its last line; what went otherwise stays there."""
    line = f"{since:6.0f} s  {count}, {left / 60:.0f} min left   {part_name(done.part)}: {done.seconds:.0f} s"
    redrawn = sys.stderr.isatty()
    if not done.tally.is_clean:
        line += f"\n{done.tally!r}"[:3000]
    print(f"\r\x1b[K{line}" if redrawn else line, end="" if redrawn and done.tally.is_clean else "\n", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
