"""From tallies to the table and to RESULTS.md: text, and nothing else."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from fault_table import Fault
from faults_of_endings import KILLED, TAIL
from faults_of_files import CHUNKS_LOST
from faults_of_hub import EXIT_DELAY
from faults_of_links import BARE_SSH, JOINED
from faults_of_ranks import BEYOND
from matrix import MATRIX
from stage import Tally

from bedside.uplink import WAKE

FEW: Final = """`N=1000` makes as many tries as a goal speaks of (1,000 hub kills, 10,000 flips), a smaller N its share of them: the tries
stand beside each figure. *Alone*: so many of the tries were made with nothing else of ours running, because what they measure is a time. A
figure is theirs; what was measured in the crowd stands behind it."""
LEGEND: Final = """*Training deaths*: trainings that ended otherwise than their script says. *Hangs*: anything waited for in vain, and tries
that broke off. *Records lost*: what is missing in, or twice in, the recording without a word about it. *Wrong verdicts*: endings called by
the wrong name, and values that were never logged."""
JOINS: Final = ("viewers killed", "viewers come over ssh")
COUNTS: Final = ("tries", "deaths", "hangs", "lost", "wrong")
HEAD: Final = ("row", "fault", "tries", "alone", "training deaths", "hangs", "records lost", "wrong verdicts")


@dataclass(frozen=True, slots=True)
class Row:
    """One fault and what became of its tries, alone and beside others; `why_not` says why there were none."""

    fault: Fault
    alone: Tally
    beside: Tally
    why_not: str

    @property
    def tally(self) -> Tally:
        """Of all tries together."""
        whole = Tally()
        whole.add(self.alone)
        whole.add(self.beside)
        return whole

    @property
    def cells(self) -> tuple[str, ...]:
        name = " ".join(self.fault.rows), self.fault.words
        if self.why_not:
            return (*name, f"not tried: {self.why_not}", *"–––––")
        tries, *others = (str(getattr(self.tally, count)) for count in COUNTS)
        return (*name, tries, str(self.alone.tries), *others)


@dataclass(frozen=True, slots=True)
class Whole:
    """What the command that made the tries has cost. `left`: parts, of so many, that an interruption has kept from being tried."""

    command: str
    seconds: float
    cpu: float
    jobs: int
    left: int
    parts: int


def table(rows: Sequence[Row]) -> str:
    """The table in Markdown, its columns aligned so that a terminal reads it too."""
    tries, *others = (str(sum(getattr(row.tally, count) for row in rows)) for count in COUNTS)
    lines = [HEAD, *(row.cells for row in rows), ("", "all", tries, str(sum(row.alone.tries for row in rows)), *others)]
    widths = [max(len(line[place]) for line in lines) for place in range(len(HEAD))]
    drawn = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |" for line in lines]
    return "\n".join([drawn[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *drawn[1:]])


def page(rows: Sequence[Row], whole: Whole) -> str:
    """The whole of RESULTS.md."""
    tries = sum(row.tally.tries for row in rows)
    notes = [f"- {row.fault.words}: {note.splitlines()[0][:300]}" for row in rows for note in row.tally.notes]
    when = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
    machine = f"{os.cpu_count()} cores (load {os.getloadavg()[1]:.0f}), Linux {platform.release()}, Python {platform.python_version()}"
    parts = [
        "# What the faults did",
        f"Written by `{whole.command}` on {when}: {tries} tries of {len(rows)} faults in {whole.seconds:.0f} s, {whole.jobs} side by side, "
        f"{whole.cpu:.0f} s of processor time (without the hubs: they are nobody's children), on {machine}.",
        *([f"Interrupted: {whole.left} of {whole.parts} parts were not tried."] if whole.left else []),
        FEW,
        table(rows),
        LEGEND,
        *(["What went otherwise:\n\n" + "\n".join(notes)] if notes else []),
        "## The goals",
        goals(rows),
        "## The matrix",
        matrix(),
    ]
    return "\n\n".join(parts) + "\n"


def matrix() -> str:
    """Every row of the matrix, where it is tried, and what is not."""
    lines = [
        (line.row, line.fault, ["`tests/faults`"] * line.here + [f"`{place}`" for place in line.also], line.missing) for line in MATRIX
    ]
    told = [f"| {row} | {fault} | {', '.join(places) or '–'} | {missing} |" for row, fault, places, missing in lines]
    return "\n".join(["| row | fault | tried in | not tried |", "|---|---|---|---|", *told])


def goals(rows: Sequence[Row]) -> str:
    """The goals, what was measured just now, and where the rest is tested."""
    running = [row.tally for row in rows if "F14" not in row.fault.rows]  # that one harms files
    tries, harmed = sum(tally.tries for tally in running), sum(tally.deaths + tally.hangs for tally in running)
    kills = [row.tally for row in rows if "F3" in row.fault.rows and "hub killed" in row.fault.words]
    endings = [row for row in rows if set(row.fault.rows) & {"F5", "F6", "F7", "F9"}]
    judged, wrong = sum(row.tally.tries for row in endings), sum(row.tally.wrong for row in endings)
    flips = next((row.tally for row in rows if row.fault.words.startswith("a bit")), Tally())
    cuts = next((row.tally for row in rows if row.fault.words.startswith("a recording cut")), Tally())
    saves = _of(rows, "F22")
    joins = [row.tally for row in rows if row.fault.words in JOINS]
    pauses = next((row.tally for row in rows if row.fault.words.startswith("three ranks paused")), Tally())
    lines = [
        ("training deaths or hangs caused by us, fault matrix × 1000", "0", f"{harmed} in {tries} tries"),
        ("exit delay added, hub dead or stopped", "≤ 0.6 s", _largest(rows, EXIT_DELAY, "s")),
        ("memory added to the trainer, stuck viewers, snapshots", "≤ 16 MiB", _largest(rows, "the training grew with ", "MiB")),
        ("memory added to the trainer, no hub, a flood", "≤ 16 MiB", _largest(rows, "the training grew without", "MiB")),
        ("records acked then lost, 1000 hub kills", "0", f"{sum(t.lost for t in kills)} in {sum(t.tries for t in kills)} kills"),
        (
            "un-acked tail of a killed training",
            "≤ 0.1 s",
            f"{_largest(rows, TAIL, 's')}: what is logged leaves each {WAKE} s, in a crowd when the process gets a processor",
        ),
        ("one flipped bit, 10,000 trials: wrong values", "0", f"{flips.wrong} in {flips.tries} flips"),
        ("one flipped bit: chunks lost at most", "1", _largest(rows, CHUNKS_LOST, "")),
        ("truncation: whole chunks read", "all", f"{cuts.tries - cuts.lost} of {cuts.tries} cuts"),
        ("join or reattach with a hole", "0/1000", f"{sum(t.lost for t in joins)}/{sum(t.tries for t in joins)}"),
        ("reattach with the full state", "< 0.3 s", _largest(rows, "reattached", "s")),
        ("join over ssh with the full state", "< 1 s", f"{_largest(rows, JOINED, 's')}; a bare ssh {_largest(rows, BARE_SSH, 's')}"),
        ("verdict right (10 endings × 50)", "500/500", f"{judged - wrong}/{judged}"),
        ("a kill is told within", "≤ 1 s", _largest(rows, KILLED, "s")),
        ("a stop is told within", "≤ 2 s", _largest(rows, "from a stop", "s")),
        ("checkpoint command: previous good lost under kill", "0/500", f"{sum(t.lost for t in saves)}/{sum(t.tries for t in saves)}"),
        (
            "step-time p99 change under any fault",
            "≤ 1 %",
            "not told from nothing: two equal stretches of a training differ by more on a machine that others use (`make bench-faults`)",
        ),
        ("power-loss window", "≤ 1 s", "by construction: `fdatasync` once a second; a power failure is not tried"),
        ("pause of all ranks on one step", "1000/1000", f"{pauses.tries - pauses.wrong - pauses.hangs}/{pauses.tries}"),
        ("pause of all ranks: beyond two steps", "≤ 10 ms", _largest(rows, BEYOND, "ms")),
        ("pause: cost of a step without orders; collectives", "≤ 100 ns; 0", "by construction: one attribute is tested; none is called"),
        ("endpoints reachable by another uid", "0", "`tests/security`"),
        ("pickle, eval, `torch.load` in wire, file and viewer", "0", "`tests/security`"),
        ("control bytes to the terminal, all widgets", "0", "`tests/security`"),
        ("decode of any frame", "≤ 100 ms, only `ValueError`", "`make fuzz`"),
        ("the faults within `make test`, two cores", "≤ 90 s", "`pytest --numprocesses 2 --dist loadfile tests/faults`"),
        ("every branch of codec, run log, state machines and sanitiser", "100 %", "`make coverage`"),
    ]
    head = ["| goal | number | ours |", "|---|---|---|"]
    return "\n".join([*head, *(f"| {goal} | {number} | {ours} |" for goal, number, ours in lines)])


def _of(rows: Sequence[Row], name: str) -> list[Tally]:
    return [row.tally for row in rows if name in row.fault.rows]


def _largest(rows: Sequence[Row], what: str, unit: str) -> str:
    """The largest that was measured where a time can be: alone; and what it came to in the crowd."""
    alone, beside = (_measured([getattr(row, where) for row in rows], what) for where in ("alone", "beside"))
    if not alone:
        return f"{max(beside):.3g} {unit}".strip() + " at most" if beside else "not measured"
    crowd = f" ({max(beside):.3g} in the crowd)" if beside else ""
    return f"{max(alone):.3g} {unit}".strip() + f" at most{crowd}"


def _measured(tallies: Sequence[Tally], what: str) -> list[float]:
    return [value for tally in tallies for name, value in tally.measured.items() if name.startswith(what)]
