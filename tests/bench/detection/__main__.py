"""`python tests/bench/detection`: train what is missing where asked, judge every run with every detector, print the tables.

It decides what is judged and says what is left out; what a run is worth is decided in `scoring`.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from textwrap import fill
from typing import Final

sys.path.insert(0, str(Path(__file__).parents[1]))  # a folder that is run knows no package

from detection import corpus, held_out, report, splicing, table, trainings, twins
from detection.baselines import BASELINES, Bedside
from detection.judging import judge
from detection.log_checker import LogChecker
from detection.model import Detector, Run
from detection.report import Section

RESULTS: Final = "results.json"
WIDTH: Final = 140
SECONDS_A_TRAINING: Final = 25.0
"""The mean over all programs, on one core of a machine of 2026."""
SECONDS: Final = 10.0
"""Between two lines about long work."""


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="detection", description="What the rules find, and how often they cry wolf.")
    parser.add_argument("--recordings", type=Path, default=Path("build/detection"), metavar="DIR", help="our own trainings")
    parser.add_argument("--corpus", type=Path, metavar="DIR", help="labelled public curves")
    parser.add_argument("--train", action="store_true", help="train what is not recorded yet (hours; may be stopped and started again)")
    parser.add_argument("--write", type=Path, nargs="+", default=[], metavar="FILE", help="put the tables at the marks of documents")
    return parser.parse_args()


def main() -> int:
    options = arguments()
    if reason := refusal(options):
        print(reason, file=sys.stderr)
        return 2
    folder = options.recordings.resolve()
    if options.train:
        train(folder)
    sections, left_out = judged(folder, options.corpus)
    if not sections:
        print(f"nothing to judge: no recording in {folder} (--train makes them), and no corpus", file=sys.stderr)
        return 3
    tables = list(report.tables(sections))
    found = [f"{section.title}: {remark}" for section in sections for remark in report.remarks(section)]
    summary = report.side_by_side(sections)
    print("\n\n".join([*map(table.text, (*tables, summary)), report.LEGEND, "\n".join(found), *(fill(line, WIDTH) for line in left_out)]))
    if folder.is_dir():
        (folder / RESULTS).write_text(json.dumps(report.values(sections), indent=1))
    places = {
        table.ALL: [*map(table.markdown, tables), report.LEGEND, *left_out],
        table.SUMMARY: [table.markdown(summary)],
    }
    for document in options.write:
        document.write_text(table.put(document.read_text(), places))
    return 0


def refusal(options: argparse.Namespace) -> str:
    """What is wrong with a path, said before hours of work; empty where nothing is."""
    if options.corpus and not (options.corpus / "labels.json").is_file():
        return f"{options.corpus} holds no labels.json: no folder of labelled curves"
    for document in options.write:
        if not document.is_file():
            return f"{document} is no file to put tables into"
        try:
            table.put(document.read_text(), {table.ALL: (), table.SUMMARY: ()})
        except ValueError as wrong:
            return f"{document}: {wrong}"
    return ""


def train(folder: Path) -> None:
    wanted = [*trainings.wanted(), *held_out.wanted()]
    missing = trainings.missing(folder, wanted)
    if missing:
        hours = len(missing) * SECONDS_A_TRAINING / trainings.JOBS / 3600
        print(
            f"training {len(missing)} of {len(wanted)} runs into {folder}, {trainings.JOBS} at a time: about {hours:.1f} hours", flush=True
        )
        trainings.train_all(folder, missing, lambda line: print(line, flush=True))


def judged(folder: Path, curves: Path | None) -> tuple[list[Section], list[str]]:
    """The sections there are runs for, and in words what is left out."""
    ours, checker = Bedside(), LogChecker()
    detectors: list[Detector] = [ours, *BASELINES]
    sections: list[Section] = []
    left_out: list[str] = []
    if checker.why_not:
        left_out.append(f"Left out: {checker.why_not}.")
    else:
        detectors.append(checker)
    for title, wanted in (("Twins", list(trainings.wanted())), ("Held out", list(held_out.wanted()))):
        found = list(twins.runs(folder, wanted))
        there = {run.name for run in found}
        left_out.append(_counted(title, len(found), [one.name for one in wanted if one.name not in there]))
        sections += _section(title, found, detectors)
    if curves is None:
        return sections, [*left_out, "Public curves: left out, for no folder of them was given (CORPUS=DIR)."]
    public = list(corpus.runs(curves))
    well = [run for run in public if run.truth.is_healthy]
    sections += _section("Public curves", public, detectors)
    spliced = list(splicing.splices(public, splicing.donors(public)))
    sections += _section("Spliced", spliced, detectors)
    sections += _section("Spliced and resumed", [splicing.resumed(run) for run in spliced], detectors)
    for variant in corpus.VARIANTS:
        sections += _section(variant.title, variant.of(well), [ours], short=True)
    return sections, left_out


def _section(title: str, runs: Sequence[Run], detectors: Sequence[Detector], *, short: bool = False) -> list[Section]:
    if not runs:
        return []
    afterwards = frozenset(detector.name for detector in detectors if not detector.timely)
    return [Section(title, judge(runs, detectors, _progress(title, len(runs))), afterwards, short)]


def _progress(title: str, of: int) -> Callable[[int], None]:
    """Says how far it is, now and then."""
    began = said = time.monotonic()

    def tell(done: int) -> None:
        nonlocal said
        now = time.monotonic()
        if done == of or now - said >= SECONDS:
            said = now
            print(f"{title}: {done} of {of} runs judged, {now - began:.0f} s", file=sys.stderr, flush=True)

    return tell


_SHOWN: Final = 6


def _counted(title: str, there: int, missing: Sequence[str]) -> str:
    """In words, how many recordings there are of how many, and which are not, or ended before their fault: never silently fewer."""
    words = f"{title}: {there} recordings of {there + len(missing)} wanted"
    others = f" and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
    return f"{words}; missing, or over before their fault: {', '.join(missing[:_SHOWN])}{others}." if missing else f"{words}."


if __name__ == "__main__":
    sys.exit(main())
