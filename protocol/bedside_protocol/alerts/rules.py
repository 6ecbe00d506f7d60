"""What a rule is: a value that says what it watches, when that is bad, for how long, and how bad.

Every field is a number, a word or a list of them, so that a rule can be written in a file and shown on a screen. What a condition
computes lives with its test (`level`, `explosion`, …); which rules there are is in `defaults`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from bedside_protocol.metrics import Kind
from bedside_protocol.records import Severity

Unit: TypeAlias = Literal["points", "steps", "seconds"]


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
class NonFinite:
    """A value that is NaN or infinite."""


@dataclass(frozen=True, slots=True)
class LostLevel:
    """The level of a loss has risen from its best for good; see `level`."""

    noise: float = 8.0
    """The rise above the best level that counts, in medians of successive differences."""
    rise: float = 1.05
    """The rise above the best level that counts, as a factor."""
    share: float = 0.5
    """The share of the drop achieved that must be lost."""
    above_start: float = 1.1
    """A level this factor above the start is lost whatever the drop was."""
    far_above_start: float = 2.0
    """A level this factor above the start is lost whatever the noise is."""


@dataclass(frozen=True, slots=True)
class Explodes:
    """Above `factor` × the previous median, and from scratch above the first value; after a resume above the median by `noise`
    medians of successive differences, which is never red. See `explosion` and `spike`."""

    factor: float = 1.5
    noise: float = 10.0


@dataclass(frozen=True, slots=True)
class Spikes:
    """One value alone above `factor` × the previous median, by more than `noise` medians of successive differences; see `spike`."""

    factor: float = 3.0
    """One batch of a small training costs twice the others now and then."""
    noise: float = 10.0


@dataclass(frozen=True, slots=True)
class DoesNotFall:
    """From scratch only: from step `by`, not `share` below the beginning; see `learning`."""

    by: int = 1000
    share: float = 0.02


@dataclass(frozen=True, slots=True)
class Beyond:
    """A field of a snapshot outside its limits, or a metric's values, whatever `field` calls them. With `per`, limits are shares of that
    other field (`size` of a codebook). A field with a `*` is the worst of all that match: `psnr/*`.

    `unless_mending`: an amber value is forgiven while it moves the right way by a fiftieth over the last five snapshots.
    """

    field: str
    amber_below: float | None = None
    red_below: float | None = None
    amber_above: float | None = None
    red_above: float | None = None
    per: str = ""
    unless_mending: bool = False


@dataclass(frozen=True, slots=True)
class FellFromPeak:
    """A field of a snapshot has lost `share` of its own highest value."""

    field: str
    share: float


@dataclass(frozen=True, slots=True)
class NamesPersist:
    """Names stay in the lists `texts` of a snapshot, measurement after measurement: those that were in every one since the evidence
    began count, but for those in `but`. Amber from the first name; red where they are all of the field `of`."""

    texts: tuple[str, ...]
    of: str = ""
    but: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class All:
    """Several conditions on one snapshot, no worse than the mildest of them; the number that is told is that of the first."""

    conditions: tuple[Beyond | FellFromPeak | NamesPersist, ...]


@dataclass(frozen=True, slots=True)
class NoStep:
    """No step for the longer of `seconds` and `times` × the median step; red at `red_times` that."""

    seconds: float = 60.0
    times: float = 10.0
    red_times: float = 5.0


PointCondition: TypeAlias = NonFinite | LostLevel | Explodes | Spikes | DoesNotFall | Beyond
ProbeCondition: TypeAlias = Beyond | FellFromPeak | NamesPersist | All
Condition: TypeAlias = PointCondition | ProbeCondition | NoStep


@dataclass(frozen=True, slots=True)
class Grace:
    """Before this a probe is not judged but *warming up*: a step, and a number of `field` (times the field `per`, where one is named)."""

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
