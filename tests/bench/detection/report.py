"""The outcomes as tables, in words where a table says nothing, and as values for machines. It computes no score."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isnan
from typing import Any, Final

from . import scoring
from .corpus import NO_VERDICT
from .judging import Outcomes
from .scoring import Outcome, Share
from .table import Table

OURS: Final = "bedside"
"""The name of the detector whose families are told."""


@dataclass(frozen=True, slots=True)
class Section:
    """Runs of one kind and what each detector made of them. `afterwards`: those that speak when a run is over, and so are never in time.
    `short`: only whether ours stays silent is asked."""

    title: str
    outcomes: Outcomes
    afterwards: frozenset[str] = frozenset()
    short: bool = False

    @property
    def ours(self) -> list[Outcome]:
        return self.outcomes[OURS]


FAMILY: Final = ("fault", "runs", "red", "red or amber", "named", "alarms")
PACE: Final = ("fault", "first alarm", "p90", "in time", "shown", "in time of that", "snapshots", "every", "then")
FOUND: Final = ("detector", "red", "red or amber", "seen in a loss", "not seen there", "named", "first alarm", "p90", "in time", "alarms")
DISTURBED: Final = ("detector", "runs with red", "with any", "episodes per 10k steps", "programs with any", "excused", "chatter")
SILENCE: Final = ("healthy runs", "runs", "with red", "with any", "episodes per 10k steps", "programs with any")

LEGEND: Final = """\
In brackets the 95 % Wilson interval, in per cent. Whatever begins from the onset on counts as found, noise too: read it beside the false
alarms. Named: of the runs found, those whose alarms include one of the right family. First alarm: steps from the onset to any alarm, the
median; p90: of nine in ten found. In time: within 100 steps where a metric shows the fault, else within one interval of the probe that
sees it. Shown: steps from the onset until the quantity by which docs/failures.md tells this fault lies, for good, where it does in a
broken run, the median; in time of that: the first alarm came before it, or so soon after. Snapshots: how many of the probe it took; a
rule asks for one to five, some for a number of steps besides. Every: the interval the script asks for; then: what the probe's budget of
1 % of step time had made of it by the time of the alarm. Alarms: distinct ones in a run, the median and the most. Healthy steps are those
of healthy runs and those before an onset. Runs of one program are not independent of each other, programs are. Excused: one alarm, amber
where a detector has amber, about the one damaged batch of a healthy run. Chatter: runs in which an alarm began three times or more."""


def tables(sections: Sequence[Section]) -> Iterator[Table]:
    """Everything there is to show, in order."""
    for section in sections:
        if not section.short:
            if scoring.sick(section.ours):
                yield families(section)
                yield paces(section)
                yield finding(section)
            yield disturbing(section)
            if any(one.truth.first_nan is not None for one in section.ours):
                yield warnings(section)
    if short := [section for section in sections if section.short]:
        yield silence(short)


def side_by_side(sections: Sequence[Section]) -> Table:
    """Of each detector, how much it finds and how often it cries wolf: two figures of which neither means anything alone."""
    both = [section for section in sections if not section.short and scoring.sick(section.ours) and scoring.healthy(section.ours)]
    header = (f"{section.title.lower()}: {asked}" for section in both for asked in ("found", "false"))
    names = both[0].outcomes if both else ()
    rows = ((name, *(cell for section in both for cell in _both(_scored(section.outcomes[name])))) for name in names)
    return Table("Broken runs with an alarm, healthy runs with an alarm", ("detector", *header), tuple(rows))


def _both(outcomes: Sequence[Outcome]) -> tuple[str, str]:
    return _count(scoring.recall(outcomes, red=False)), _count(scoring.disturbed(outcomes, red=False))


def families(section: Section) -> Table:
    """What our rules make of each kind of fault."""
    return Table(f"{section.title}: what {OURS} says of each fault", FAMILY, _by_family(section, _family))


def paces(section: Section) -> Table:
    """How soon they do, and what there was to be seen by then."""
    return Table(f"{section.title}: how soon {OURS} says so", PACE, _by_family(section, _pace))


def _by_family(section: Section, row: Callable[[str, list[Outcome]], tuple[str, ...]]) -> tuple[tuple[str, ...], ...]:
    outcomes = scoring.sick(section.ours)
    names = list(dict.fromkeys(one.truth.family for one in outcomes))
    return (*(row(name, [one for one in outcomes if one.truth.family == name]) for name in names), row("all", _scored(outcomes)))


def _family(name: str, outcomes: list[Outcome]) -> tuple[str, ...]:
    return (
        name if name not in NO_VERDICT else f"{name} (not scored)",
        str(len(outcomes)),
        _share(scoring.recall(outcomes, red=True)),
        _share(scoring.recall(outcomes, red=False)),
        _count(scoring.named(outcomes)),
        _alarms(outcomes),
    )


def _pace(name: str, outcomes: list[Outcome]) -> tuple[str, ...]:
    late, every = scoring.latencies(outcomes), {one.truth.every for one in outcomes}
    shown = [one for one in outcomes if one.shown is not None]
    return (
        name,
        _number(scoring.quantile(late, 0.5)),
        _number(scoring.quantile(late, 0.9)),
        _count(scoring.share(outcomes, lambda one: one.in_time)),
        _number(scoring.quantile((one.shown for one in outcomes if one.shown is not None), 0.5)),
        _count(scoring.share(shown, lambda one: one.in_time_of_sign)),
        _number(scoring.quantile((one.snapshots for one in outcomes if one.snapshots is not None), 0.5)),
        _number(every.pop()) if len(every) == 1 and every != {1} else "–",
        _number(scoring.quantile((one.interval for one in outcomes if one.interval is not None), 0.5)),
    )


def finding(section: Section) -> Table:
    """All detectors on the same sick runs."""
    ill = scoring.sick(_scored(section.ours))
    rows = tuple(
        _found(name, scoring.sick(_scored(outcomes)), timely=name not in section.afterwards) for name, outcomes in section.outcomes.items()
    )
    return Table(f"{section.title}: found, of {len(ill)} runs of {_programs(ill)} programs", FOUND, rows)


def _found(name: str, outcomes: Sequence[Outcome], *, timely: bool) -> tuple[str, ...]:
    late = scoring.latencies(outcomes) if timely else []
    return (
        name,
        _share(scoring.recall(outcomes, red=True)),
        _share(scoring.recall(outcomes, red=False)),
        *(_count(scoring.recall([one for one in outcomes if one.truth.curve is curve], red=False)) for curve in (True, False)),
        _count(scoring.named(outcomes)) if name == OURS else "–",
        _number(scoring.quantile(late, 0.5)),
        _number(scoring.quantile(late, 0.9)),
        _count(scoring.share(outcomes, lambda one: one.in_time)) if timely else "–",
        _alarms(outcomes),
    )


def disturbing(section: Section) -> Table:
    """All detectors on the same healthy runs, and before the onset of the sick ones."""
    scored = _scored(section.ours)
    well, steps = scoring.healthy(scored), sum(one.healthy_steps for one in scored)
    rows = tuple(_disturbed(name, _scored(outcomes)) for name, outcomes in section.outcomes.items())
    title = f"{section.title}: false alarms, in {len(well)} healthy runs of {_programs(well)} programs and {steps:,} healthy steps"
    return Table(title, DISTURBED, rows)


def _disturbed(name: str, outcomes: Sequence[Outcome]) -> tuple[str, ...]:
    return (
        name,
        _share(scoring.disturbed(outcomes, red=True)),
        _share(scoring.disturbed(outcomes, red=False)),
        _number(scoring.false_rate(outcomes)),
        _share(scoring.disturbed_programs(outcomes)),
        str(sum(one.excused for one in outcomes)),
        str(sum(bool(one.chatter) for one in outcomes)),
    )


def warnings(section: Section) -> Table:
    """How soon after its first NaN a run is red, and how long before a late one each detector speaks."""
    ill = {name: [one for one in found if one.truth.first_nan is not None] for name, found in section.outcomes.items()}
    rows = [_warned(name, found) for name, found in ill.items() if name not in section.afterwards]
    whole = [one for one in ill[OURS] if one.is_whole]
    if 0 < len(whole) < len(ill[OURS]):
        rows.insert(1, _warned(f"{OURS}, whole logs", whole))
    header = ("detector", "red at NaN", "steps after, most", "warned of late", *scoring.leads(()))
    return Table(f"{section.title}: the first NaN, and steps from a warning to one at step {scoring.LATE} or later", header, tuple(rows))


def _warned(name: str, outcomes: Sequence[Outcome]) -> tuple[str, ...]:
    after = [one.after_nan for one in outcomes if one.after_nan is not None]
    bins = scoring.leads(outcomes)
    warned = Share(sum(bins.values()) - bins["none"], sum(bins.values()))
    red = _count(scoring.recall(outcomes, red=True))
    return (name, red, _number(max(after, default=float("nan"))), _share(warned), *map(str, bins.values()))


def silence(sections: Sequence[Section]) -> Table:
    """Healthy runs logged or run in other ways, under our rules."""
    return Table(f"{OURS} on healthy runs, logged or run in another way", SILENCE, tuple(_silent(section) for section in sections))


def _silent(section: Section) -> tuple[str, ...]:
    outcomes = section.ours
    disturbed = (_share(scoring.disturbed(outcomes, red=red)) for red in (True, False))
    rate, programs = scoring.false_rate(outcomes), scoring.disturbed_programs(outcomes)
    return (section.title, str(len(outcomes)), *disturbed, _number(rate), _share(programs))


def _scored(outcomes: Iterable[Outcome]) -> list[Outcome]:
    return [one for one in outcomes if one.truth.family not in NO_VERDICT]


def _programs(outcomes: Iterable[Outcome]) -> int:
    return len({one.program for one in outcomes})


def _alarms(outcomes: Iterable[Outcome]) -> str:
    alarms = [one.alarms for one in outcomes if one.found]
    return f"{_number(scoring.quantile(alarms, 0.5))}, {max(alarms)}" if alarms else "–"


def _count(share: Share) -> str:
    return f"{share.count}/{share.of}" if share.of else "–"


def _share(share: Share) -> str:
    low, high = share.interval
    return f"{_count(share)} ({low * 100:.0f}–{high * 100:.0f})" if share.of else "–"


def _number(value: float) -> str:
    if isnan(value):
        return "–"
    return f"{value:,.0f}" if value == round(value) or abs(value) >= 100 else f"{value:.2g}"


def remarks(section: Section) -> Iterator[str]:
    """What is to be looked at, by name: what our rules missed, misnamed, said without reason, or said too often."""
    for one in section.ours:
        if not one.truth.is_healthy and not one.found:
            yield f"missed    {one.run}"
        if one.found and one.truth.rules and not one.is_named:
            yield f"misnamed  {one.run}: {', '.join(sorted({alarm.rule for alarm in one.found}))}"
        for alarm in one.false:
            yield f"false     {one.run}: {alarm.severity} {alarm.rule} on {alarm.target} at step {alarm.step:,}"
        for rule, target in one.chatter:
            yield f"chatter   {one.run}: {rule} on {target}"


def values(sections: Iterable[Section]) -> dict[str, Any]:
    """Every outcome of every detector, for machines."""
    return {section.title: {name: [_value(one) for one in outcomes] for name, outcomes in section.outcomes.items()} for section in sections}


def _value(one: Outcome) -> Mapping[str, Any]:
    return {
        "run": one.run, "program": one.program, "family": one.truth.family, "steps": one.steps, "onset": one.truth.onset,
        "first_nan": one.truth.first_nan, "red": one.is_red, "found": bool(one.found), "named": one.is_named, "first": one.first,
        "in_time": one.in_time, "shown": one.shown, "in_time_of_sign": one.in_time_of_sign,
        "lead": one.lead, "after_nan": one.after_nan, "snapshots": one.snapshots, "alarms": one.alarms,
        "excused": one.excused, "chatter": [list(key) for key in one.chatter],
        "said": [[alarm.step, alarm.severity, alarm.rule, alarm.target] for alarm in one.found],
        "false": [[alarm.step, alarm.severity, alarm.rule, alarm.target] for alarm in one.false],
    }  # fmt: skip
