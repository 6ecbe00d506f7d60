"""From what was seen in a soak to a verdict, a table by minute, and RESULTS.md: text, and nothing else."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from flatness import HOUR, MIB, Judgement, Slope, slope, thinned
from soaking import Sample, Soaked

WARMING: Final = 300.0
"""Seconds at the beginning that are not judged, or half of a shorter soak: caches, ring buffers and allocators fill up."""
BOUND: Final = 16.0
"""MiB an hour that a memory may grow and still be called flat: 2.3 GiB in a run of six weeks."""
OF_A_POINT: Final = 30
"""Bytes that a viewer may keep of each value: it holds the whole history, and 10 million points may take 300 MB."""
ALL: Final = "all"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to be said of one process. `bound` in MiB an hour."""

    name: str
    first: Sample
    last: Sample
    slope: Slope
    bound: float

    @property
    def judgement(self) -> Judgement:
        return self.slope.against(self.bound)


def verdicts(soaked: Soaked, bound: float = BOUND) -> list[Verdict]:
    """One a process, of the memory that is its own, after the warming up."""
    return [_verdict(name, samples, bound + (_history(soaked) if name == "viewer" else 0.0)) for name, samples in soaked.samples.items()]


def _verdict(name: str, samples: Sequence[Sample], bound: float) -> Verdict:
    last = samples[-1].time
    warm = [sample for sample in samples if sample.time >= min(WARMING, last / 2)]
    times, values = [sample.time for sample in warm], [sample.own / MIB for sample in warm]
    return Verdict(name, warm[0], warm[-1], slope(*thinned(times, values, 60.0 if last > 2 * WARMING else 1.0)), bound)


def _history(soaked: Soaked) -> float:
    """MiB an hour that the history of a viewer may grow by."""
    return soaked.points * OF_A_POINT / MIB / (soaked.samples["viewer"][-1].time / HOUR)


def page(soaked: Soaked, command: str, bound: float = BOUND) -> str:
    """The whole of RESULTS.md."""
    seconds = soaked.samples["trainer"][-1].time
    when = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
    machine = f"{os.cpu_count()} cores (load {os.getloadavg()[2]:.0f}), Linux {platform.release()}, Python {platform.python_version()}"
    pace = (soaked.steps[-1] - soaked.steps[0]) / seconds
    came = ", ".join(f"{count} × *{kind}*" for kind, count in soaked.kinds.items())
    parts = [
        "# What a soak shows",
        f"Written by `{command}` on {when}, on {machine}: {seconds / 60:.0f} minutes of a real training at {pace:.0f} steps a second (200 "
        f"asked for) with the probes of `watch` and a codebook, {soaked.points:,} values in {soaked.size / 1e6:.0f} MB of recording, one "
        f"viewer that stays, and visitors: {came}.",
        *(
            ["What went otherwise:\n\n" + "\n".join(f"- {trouble.splitlines()[0]}" for trouble in soaked.troubles)]
            if soaked.troubles
            else []
        ),
        judged(soaked, bound),
        "*Own*: resident memory that is of no file, and so of no other process. The slope is that of the minutes' medians after the first "
        f"{WARMING / 60:.0f} minutes (Theil, Sen), with its 95 % interval; *flat* where all of the interval is within the bound, *grows* "
        f"where all of it is above. A trainer or a hub may grow by {bound:.0f} MiB an hour. A viewer keeps every value, so as to show any "
        f"moment of the run: it may grow by {OF_A_POINT} bytes a value more, which is {_history(soaked):.0f} MiB an hour here, and 300 MB "
        "for ten million.",
        "## By the minute",
        by_minute(soaked),
    ]
    return "\n\n".join(parts) + "\n"


def judged(soaked: Soaked, bound: float = BOUND) -> str:
    """The table of verdicts."""
    head = ("process", "own memory, MiB", "slope, MiB an hour", "bound", "descriptors", "threads", "verdict")
    rows = [
        (
            verdict.name,
            f"{verdict.first.own / MIB:.1f} → {verdict.last.own / MIB:.1f}",
            f"{verdict.slope.an_hour:+.1f} [{verdict.slope.low:+.1f}, {verdict.slope.high:+.1f}]",
            f"{verdict.bound:.0f}",
            f"{verdict.first.descriptors} → {verdict.last.descriptors}",
            f"{verdict.first.threads} → {verdict.last.threads}",
            verdict.judgement,
        )
        for verdict in verdicts(soaked, bound)
    ]
    return _table([head, *rows])


def by_minute(soaked: Soaked) -> str:
    """What the newest sample of each minute says."""
    names = list(soaked.samples)
    head = ("minute", "steps", "visitors so far", "drawn, kB", *(f"{name}: resident, own, descriptors" for name in names))
    minutes: dict[int, int] = {int(sample.time // 60): place for place, sample in enumerate(soaked.samples[names[0]])}
    rows = []
    for minute, place in minutes.items():
        here = (soaked.samples[name][place] for name in names if place < len(soaked.samples[name]))
        cells = (f"{sample.resident / MIB:.1f}, {sample.own / MIB:.1f}, {sample.descriptors}" for sample in here)
        rows.append((str(minute + 1), str(soaked.steps[place]), str(soaked.visits[place]), f"{soaked.drawn[place] / 1000:.0f}", *cells))
    return _table([head, *rows])


def _table(lines: Sequence[Sequence[str]]) -> str:
    widths = [max(len(line[place]) for line in lines if place < len(line)) for place in range(len(lines[0]))]
    drawn = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=False)) + " |" for line in lines]
    return "\n".join([drawn[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *drawn[1:]])
