"""When something is bad: conditions as values, by what they judge. What each computes lives with its test (`level`, `explosion`, …)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from bedside_protocol.records import Lifecycle


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
    began count, but for those in `but`. Amber from the first name; red where they are `share` of the field `of`."""

    texts: tuple[str, ...]
    of: str = ""
    share: float = 1.0
    but: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Grows:
    """A norm that has grown by `factor` to the power of `times`, in so many even rises or up to twice as many, from no less than its
    level; see `growth`."""

    field: str = "value"
    """The field of a snapshot; a metric has only its value."""
    factor: float = 2.0
    times: int = 3


@dataclass(frozen=True, slots=True)
class Recurs:
    """Spikes that come back: at least `times` values above `factor` × the level around them, each soon after an event of the same name, or
    at equal distances; see `recurrence`."""

    factor: float = 2.0
    noise: float = 10.0
    """The rise that counts, in medians of successive differences."""
    times: int = 3


@dataclass(frozen=True, slots=True)
class Memorises:
    """An evaluation loss `rise` times its best or more, while the training loss is below the `gap`-th part of it; see `memorising`."""

    gap: float = 10.0
    rise: float = 1.2
    red_after: float | None = None
    """Red once the training since the best has been so many times as long as the one up to it."""


@dataclass(frozen=True, slots=True)
class Expects:
    """What is expected of a metric: a level within the bounds, always, or from one step on, at one, or between two; see `expectation`."""

    below: float | None = None
    at_most: float | None = None
    above: float | None = None
    at_least: float | None = None
    after: int | None = None
    """Each level from this step on; with `by`, each until that one."""
    by: int | None = None
    """Alone: the level at the first value from this step on, and no other."""


@dataclass(frozen=True, slots=True)
class Leaves:
    """Outside what healthy runs of the same training did: the lowest and the highest their level may be; see `reference`."""

    steps: tuple[int, ...]
    """From each of them its bounds hold until the next; before the first and after the last nothing is judged."""
    low: tuple[float, ...]
    high: tuple[float, ...]
    window: int = 11
    """Values the level is the median of."""


@dataclass(frozen=True, slots=True)
class All:
    """Several conditions on one snapshot, no worse than the mildest of them; the number that is told is that of the first."""

    conditions: tuple[Beyond | FellFromPeak | NamesPersist, ...]


@dataclass(frozen=True, slots=True)
class Ends:
    """The run ended in one of these ways: "failed" (an exception, or an exit code), "killed" (by a signal), "died" (no word and no known
    signal); see `endings`."""

    how: tuple[Lifecycle, ...]
    reasons: tuple[str, ...] = ("*",)
    """Globs: what is known of the reason must match one of them, in small letters: `*out of memory*`."""
    but: tuple[str, ...] = ()
    """Globs that it must not match."""


@dataclass(frozen=True, slots=True)
class NoStep:
    """No step for the longer of `seconds` and `times` × the median step; red at `red_times` that."""

    seconds: float = 60.0
    times: float = 10.0
    red_times: float = 5.0


PointCondition: TypeAlias = NonFinite | LostLevel | Explodes | Spikes | DoesNotFall | Beyond | Grows | Recurs | Memorises | Expects | Leaves
ProbeCondition: TypeAlias = Beyond | FellFromPeak | NamesPersist | Grows | All
RunCondition: TypeAlias = NoStep | Ends
Condition: TypeAlias = PointCondition | ProbeCondition | RunCondition
