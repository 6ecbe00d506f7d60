"""What a run's metrics are: what the script said of them, and where it said nothing, what their names say.

Of several definitions that match a name, the last one that says something decides, field by field. Nothing here looks at values.
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final, get_args

from .metrics import Kind, kind_of, split_group, unit_of
from .records import Direction, MetricDefined

KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
DIRECTIONS: Final[tuple[Direction, ...]] = get_args(Direction)

MAX_PATTERN: Final = 200
MAX_UNIT: Final = 20
MOST_DEFINITIONS: Final = 1000
"""Definitions kept: a script that makes one a step must not make every look slow. The oldest are forgotten."""

_BETTER: Final[dict[Kind, Direction]] = {"loss": "down", "reward": "up", "accuracy": "up"}
"""Kinds whose better side nobody has to say."""


class BadDefinition(ValueError):
    """A definition that cannot be; the text says what is allowed."""


def definition(pattern: object, kind: object = None, unit: object = None, direction: object = None) -> MetricDefined:
    """A definition of what a script passed. Raises `BadDefinition`, with one sentence for the person."""
    if not isinstance(pattern, str) or not 0 < len(pattern) <= MAX_PATTERN:
        raise BadDefinition(f"a pattern is a metric's name or a glob, at most {MAX_PATTERN} characters")
    if kind is not None and kind not in KINDS:
        raise BadDefinition(f"no such kind of metric; there are {', '.join(KINDS)}")
    if direction is not None and direction not in DIRECTIONS:
        raise BadDefinition("no such direction; better is down or up")
    if unit is not None and not (isinstance(unit, str) and len(unit) <= MAX_UNIT):
        raise BadDefinition(f"a unit is text of at most {MAX_UNIT} characters")
    return MetricDefined(pattern, kind, unit, direction)


@dataclass(frozen=True, slots=True)
class Definitions:
    """What was said of a run's metrics so far, oldest first."""

    said: tuple[MetricDefined, ...] = ()

    def __repr__(self) -> str:
        return f"<Definitions {', '.join(one.pattern for one in self.said) or 'none'}>"

    def holds(self, one: MetricDefined) -> bool:
        """Whether it was said, and nothing else of the same pattern since."""
        return next((other for other in reversed(self.said) if other.pattern == one.pattern), None) == one

    def having(self, one: MetricDefined) -> Definitions:
        """These and one more; said again, it is the newest."""
        return Definitions((*(other for other in self.said if other != one), one)[-MOST_DEFINITIONS:])

    def with_room_for(self, one: MetricDefined) -> Definitions:
        """As `having`, for the one who speaks: raises `BadDefinition` rather than forget."""
        if len(self.said) >= MOST_DEFINITIONS:
            raise BadDefinition(f"only the first {MOST_DEFINITIONS:,} definitions are kept (is a step or an id in a pattern?)")
        return self.having(one)

    def kind_of(self, name: str) -> Kind:
        """The kind of a metric, or of a series of it in a group."""
        said = (one.kind for one in reversed(self.said) if one.kind is not None and matches(one.pattern, name))
        return next(said, None) or kind_of(name)

    def unit_of(self, name: str) -> str:
        """The unit to print after a value, empty where there is none."""
        said = (one.unit for one in reversed(self.said) if one.unit is not None and matches(one.pattern, name))
        unit = next(said, None)
        return unit_of(name) if unit is None else unit

    def direction_of(self, name: str) -> Direction | None:
        """Which way is better; None where neither the script nor the kind says."""
        said = (one.direction for one in reversed(self.said) if one.direction is not None and matches(one.pattern, name))
        return next(said, None) or _BETTER.get(self.kind_of(name))


NOTHING_SAID: Final = Definitions()


def matches(pattern: str, name: str) -> bool:
    """Whether a definition speaks of a series: of itself by name, of all groups of its metric, or by a glob over either."""
    base, _ = split_group(name)
    return pattern in (name, base) or fnmatchcase(base, pattern) or fnmatchcase(name, pattern)
