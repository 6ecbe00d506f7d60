"""What a rule is: a value that says what it watches, when that is bad, for how long, and how bad.

Every field is a number, a word or a list of them, so that a rule can be written in a file and shown on a screen. Which rules there are
is in `defaults`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Literal, TypeAlias

from bedside_protocol.alerts.conditions import Condition
from bedside_protocol.metrics import Kind
from bedside_protocol.records import Severity

Unit: TypeAlias = Literal["points", "steps", "seconds"]

Action: TypeAlias = Literal["checkpoint", "measure", "notify", "pause", "stop"]
"""What may be done when an alarm fires: save, measure the probe twice as often, tell somebody, hold the run, end it."""

Horizon: TypeAlias = Literal["now", "hour"]
"""When somebody should look: what runs on in vain must be stopped now; what spoils the result can wait for the hour to end."""


@dataclass(frozen=True, slots=True)
class Span:
    """A length of evidence. `points` are observations of the target: logged values of a metric, snapshots of a probe, ticks."""

    count: float = 0
    unit: Unit = "points"

    def __str__(self) -> str:
        return f"{self.count:g} {self.unit}"

    def __mul__(self, times: int) -> Span:
        return Span(self.count * times, self.unit)

    def has_passed(self, points: int, steps: int, seconds: float) -> bool:
        """Whether evidence of so many points, reaching over so many steps and seconds, is long enough."""
        return {"points": points, "steps": steps, "seconds": seconds}[self.unit] >= self.count


@dataclass(frozen=True, slots=True)
class OnMetric:
    """Metrics by kind and glob. `trained_on`: only what the training minimises, which leaves out losses of an evaluation,
    and parts of a total: a part may rise while the whole learns (a VQ commitment loss does in every healthy training)."""

    kinds: tuple[Kind, ...] = ()
    """Any of these; empty: every kind."""
    glob: str = "*"
    trained_on: bool = False


@dataclass(frozen=True, slots=True)
class OnProbe:
    """Snapshots of every probe of one kind."""

    kind: str


@dataclass(frozen=True, slots=True)
class OnRun:
    """The run itself: its steps against the clock."""


Watch: TypeAlias = OnMetric | OnProbe | OnRun


@dataclass(frozen=True, slots=True)
class Grace:
    """Before this a probe is not judged but *warming up*: a step, and a number of `field` (times the field `per`, where one is named). Of a
    metric that must be finite, values before the step may be what they are."""

    step: int = 0
    field: str = ""
    least: float = 0.0
    per: str = ""


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing worth an alarm. Several rules may share a name: they are the same finding in different places."""

    name: str
    title: str
    """What the alarm line calls it."""
    watch: Watch
    conditions: tuple[Condition, ...]
    """The worst of them counts."""
    message: str
    """What a person reads, a format over the facts of the condition: at most 60 characters once filled."""
    runbook: str
    for_amber: Span = Span()
    """How long something must be wrong, amber or red, before it fires; *pending* until then."""
    for_red: Span = Span()
    """How long it must be red before it fires red; amber until then."""
    keep_firing_for: Span = Span()
    """How long all must be well before it clears: two spikes close together are one episode."""
    grace: Grace = field(default_factory=Grace)
    worst: Severity = "red"
    quiet_under: tuple[str, ...] = ()
    """Rules whose alarm explains this one: while they fire at least as badly, and 200 steps on, this one is quiet."""
    assures: Literal["nothing", "ok", "needed"] = "nothing"
    """What its silence is worth: `ok`, having judged and not fired allows the verdict ok; `needed`, nor may it have never judged a
    target that the run declared."""
    targets: tuple[str, ...] = ("*",)
    """Globs: only metrics (or probes) whose name one of them matches are looked at."""
    but: tuple[str, ...] = ()
    """Globs: those are not."""
    horizon: Horizon = "now"
    on_amber: tuple[Action, ...] = ()
    """What the hub does when this fires, amber or red; it is recorded with its cause."""
    on_red: tuple[Action, ...] = ()
    """What it does when this fires red, besides."""

    def looks_at(self, target: str) -> bool:
        """Whether a metric or probe of this name is the rule's business, by its `targets` and `but`."""
        return any(fnmatchcase(target, glob) for glob in self.targets) and not any(fnmatchcase(target, glob) for glob in self.but)
