"""`python -m bedside.cases [CASE] [--healthy]`: train one, in this process. The viewer starts its demos this way."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from textwrap import wrap
from typing import Final

from bedside.cases.case import ENDED, Case, Sign
from bedside.cases.catalogue import CASES, GROUPS, case
from bedside.cases.failures import markdown

_WIDTH: Final = 79
"""The list is to be read in a terminal of 80 columns."""
_NAME: Final = max(len(one.name) for one in CASES) + 4


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bedside.cases", description="Train a small model to watch.")
    parser.add_argument("case", nargs="?", default=CASES[0].name, metavar="CASE", help=f"which one (default {CASES[0].name}; see --list)")
    parser.add_argument("--healthy", action="store_true", help="the same script without its fault")
    parser.add_argument("--list", action="store_true", help="list the cases and leave")
    parser.add_argument("--failures", action="store_true", help="print docs/failures.md and leave")
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
        print("\n".join(listing()))
        return 0
    if options.failures:
        print(markdown(), end="")
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
    train(chosen.settings(steps=options.steps, seed=options.seed, directory=options.dir, healthy=options.healthy))
    return 0


def listing() -> Iterator[str]:
    """The cases in their groups, in lines that fit 80 columns: name, what it is, and where the fault is to be seen."""
    for place, (title, cases) in enumerate(GROUPS):
        if place:
            yield ""
        yield from wrap(title, _WIDTH)
        for one in cases:
            name, margin = f"  {one.name}", " " * _NAME
            for line in _described(one):
                yield f"{name:{_NAME}}{line}"
                name = margin


def _described(one: Case) -> list[str]:
    room = _WIDTH - _NAME
    if one.sign is None:
        return wrap(f"{one.about} ({one.steps:,} steps)", room)
    return wrap(one.about, room) + wrap(f"{_begins(one)} · {one.sign.screen}: {_field(one.sign)}", room)


def _begins(one: Case) -> str:
    return f"step {one.fault_at:,} of {one.steps:,}" if one.fault_at > 1 else f"from the start, {one.steps:,} steps"


def _field(sign: Sign) -> str:
    if sign.kind == ENDED:
        return f"ended by {sign.field}"
    return f"{sign.field} of {sign.probe}" if sign.probe else sign.field


if __name__ == "__main__":
    sys.exit(main())
