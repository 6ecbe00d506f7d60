"""The trainings that rules were never tuned on: small programs unlike the cases, each in a healthy form and with a fault that is real.

`python tests/bench/detection/held_out.py NAME --seed S --dir D` trains one form in this process and records it into D, as
`python -m bedside.cases` does. It says what is wrong with a form in plain words; it knows no rule, and no number of one.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Final, cast

if not __package__:
    sys.path.insert(0, str(Path(__file__).parents[1]))  # a file that is run knows no package

from detection.trainings import BROKEN_SEEDS, HEALTHY_SEEDS, Training

from bedside.cases.case import Settings

Train = Callable[[Settings], None]


@dataclass(frozen=True, slots=True)
class Program:
    """One form of one program: the healthy one, or one with a fault."""

    name: str
    program: str
    """The file in `programs` that trains it."""
    broken: bool
    steps: int
    about: str
    fault_at: int = 0
    """The first step at which the fault is at work; 0 where there is none."""
    probe: str = ""
    """The probe that should see it, by its name in the run; empty where the log of the training should."""
    every: int = 1
    """Steps between two snapshots of that probe, or between two values of the log."""
    curve: bool = False
    """Whether the fault is to be seen in a loss."""
    finding: str = ""
    """What a monitor should say, in plain words."""

    def settings(self, *, seed: int = 0, directory: Path | None = None, healthy: bool = False, steps: int | None = None) -> Settings:
        return Settings(
            self.name, steps or self.steps, seed, directory, self.broken and not healthy, self.fault_at, twin=self.broken and healthy
        )

    def train(self) -> Train:
        return cast(Train, import_module(f"detection.programs.{self.program}").train)


PROGRAMS: Final = (
    Program("characters", "characters", False, 600, "a causal transformer reads source text on a cosine schedule with one warm restart"),
    Program(
        "sees-the-future", "characters", True, 600, "the causal mask is made and given to nobody",
        fault_at=1, probe="attention", every=50, finding="attention falls on keys that its mask forbids",
    ),
    Program(
        "rising-temperature", "characters", True, 600, "a temperature that should be annealed to 1 rises for good",
        fault_at=61, probe="attention", every=50, finding="every head attends to all keys alike",
    ),
    Program(
        "restart-without-warm-up", "characters", True, 600, "the second cycle begins without warm-up, at a rate scaled by the batch",
        fault_at=301, curve=True, finding="the loss left the level it had reached and stays away",
    ),
    Program("denoising", "denoising", False, 800, "a diffusion model of digits, given noise level and class"),
    Program(
        "level-of-zero", "denoising", True, 800, "the noise level is divided as whole numbers are, and is 0 for all",
        fault_at=1, probe="conditions", every=100, finding="the noise level changes nothing: an input is ignored",
    ),
    Program(
        "classes-left-out", "denoising", True, 800, "the share of classes left out for guidance is given in per cent: all are",
        fault_at=1, probe="conditions", every=100, finding="the class changes nothing: an input is ignored",
    ),
    Program("bootstrap", "bootstrap", False, 400, "two views of a digit are made to agree with a slow average, without labels"),
    Program(
        "no-stop-gradient", "bootstrap", True, 400, "the average is left out, and the gradient goes through both sides",
        fault_at=1, probe="projections", every=25, finding="all embeddings are alike",
    ),
    Program(
        "predictor-bypassed", "bootstrap", True, 400, "a second stage compares the two views directly, without predictor or average",
        fault_at=201, probe="projections", every=25, finding="all embeddings become alike",
    ),
    Program("forecast", "forecast", False, 420, "a recurrent network lives on its own forecasts over horizons that grow"),
    Program(
        "scale-without-floor", "forecast", True, 420, "series are divided by a scale without floor; later ones are flat",
        fault_at=281, curve=True, finding="the loss becomes NaN, and the weights with it",
    ),
    Program("experts", "experts", False, 1000, "a mixture of experts, held in balance, names digits on a schedule with restarts"),
    Program(
        "balance-below-zero", "experts", True, 1000, "the falling weight of the balance is not held at its end and becomes negative",
        fault_at=401, probe="experts", every=25, finding="one expert takes everything",
    ),
    Program("inspection", "inspection", False, 900, "one trunk names digits and finds rare scratches; resumed on the way"),
    Program(
        "weights-not-inverted", "inspection", True, 900, "the rare class is weighted by its share instead of by the inverse",
        fault_at=1, probe="damage", every=25, finding="one class is never predicted",
    ),
    Program(
        "head-made-anew", "inspection", True, 900, "a resume makes the head for digits anew, after the optimizer was made",
        fault_at=401, probe="gradients", every=50, finding="a head is in no optimizer",
    ),
)  # fmt: skip


def wanted(broken_seeds: int = BROKEN_SEEDS, healthy_seeds: int = HEALTHY_SEEDS) -> Iterator[Training]:
    """Every form over several seeds, low seeds of everything first."""
    command = (str(Path(__file__)),)
    for seed in range(max(broken_seeds, healthy_seeds)):
        for one in PROGRAMS:
            if seed < (broken_seeds if one.broken else healthy_seeds):
                yield Training(one.name, one.program, one.broken, seed, command=command)


def program(name: str) -> Program | None:
    return next((one for one in PROGRAMS if one.name == name), None)


def main(words: Sequence[str] | None = None) -> int:
    """0 when the training came to its end, 2 for a program there is not."""
    options = _arguments().parse_args(words)
    chosen = program(options.name)
    if chosen is None:
        print(f"no program is called {options.name}: there are {', '.join(one.name for one in PROGRAMS)}", file=sys.stderr)
        return 2
    chosen.train()(chosen.settings(steps=options.steps, seed=options.seed, directory=options.dir, healthy=options.healthy))
    return 0


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Train one form of a program that is held out.")
    parser.add_argument("name", metavar="NAME", help="which one")
    parser.add_argument("--healthy", action="store_true", help="the same script without its fault")
    parser.add_argument("--steps", type=_at_least_one, metavar="N", help="how many steps (default: the program's own)")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="random seed (default 0)")
    parser.add_argument("--dir", type=Path, metavar="D", help="record in this directory (default: where runs are kept)")
    return parser


def _at_least_one(word: str) -> int:
    number = int(word)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} steps are none: say 1 or more")
    return number


if __name__ == "__main__":
    sys.exit(main())
