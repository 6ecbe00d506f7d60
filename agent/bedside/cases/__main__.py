"""`python -m bedside.cases [CASE]`: train one, in this process. The viewer starts its demos this way."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from bedside.cases.case import CASES, Settings, case


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bedside.cases", description="Train a small model to watch.")
    parser.add_argument("case", nargs="?", default=CASES[0].name, metavar="CASE", help=f"which one (default {CASES[0].name}; see --list)")
    parser.add_argument("--list", action="store_true", help="list the cases and leave")
    parser.add_argument("--steps", type=_at_least_one, metavar="N", help="how many steps (default: the case's own)")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="random seed (default 0)")
    parser.add_argument("--dir", type=Path, metavar="D", help="record in this directory (default: where runs are kept)")
    return parser


def _at_least_one(word: str) -> int:
    number = int(word)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} steps are none: say 1 or more")
    return number


def main(words: Sequence[str] | None = None) -> int:
    """0 when the training came to its end, 2 for a case or a setting there is not, 3 where what it needs is not installed."""
    options = _arguments().parse_args(words)
    if options.list:
        for one in CASES:
            print(f"{one.name:20} {one.steps:6,} steps  {one.about}")
        return 0
    chosen = case(options.case)
    if chosen is None:
        print(f"no case is called {options.case}: there are {', '.join(one.name for one in CASES)}", file=sys.stderr)
        return 2
    try:
        train = chosen.train()
    except ModuleNotFoundError as missing:
        print(f'the cases train real models and need {missing.name}: pip install "bedside[demo]"', file=sys.stderr)
        return 3
    steps = chosen.steps if options.steps is None else options.steps
    train(Settings(chosen.name, steps, options.seed, options.dir, chosen.broken))
    return 0


if __name__ == "__main__":
    sys.exit(main())
