"""What `bedside wait --until` can ask of a run: terms, and how they join. Each is a value that writes itself as it is read.

It knows no run: what holds is asked of a `Moment`.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias, get_args

from bedside_protocol.lifecycle import OVER
from bedside_protocol.records import Lifecycle, Severity

Sign = Literal["<", "<=", ">", ">="]

SIGNS: Final[Mapping[Sign, Callable[[float, float], bool]]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip
SEVERITIES: Final[tuple[Severity, ...]] = get_args(Severity)
STATES: Final = (*(state for state in get_args(Lifecycle) if state != "unreachable"), "over")
"""`over`: any state after which nothing more comes. That a run is unreachable is no state it says itself."""
WORDS: Final = frozenset({"alert", "step", "state", "and", "or"})
"""Names that mean something else: a metric called so stands in quotes."""
BARE: Final = re.compile(r"""[^\s()<>=!"']+""")
"""A name that needs no quotes."""


@dataclass(slots=True)
class Moment:
    """What an expression asks about: a run as its log has told it so far."""

    time: float = 0.0
    """Seconds since the run began."""
    step: int = 0
    state: Lifecycle = "starting"
    alert: Severity | None = None
    """The worst that fires."""
    metrics: dict[str, float] = field(default_factory=dict)
    """The newest values."""


@dataclass(frozen=True, slots=True)
class AlertAtLeast:
    severity: Severity

    def __str__(self) -> str:
        return f"alert>={self.severity}"

    def holds(self, moment: Moment) -> bool:
        return moment.alert is not None and (moment.alert == "red" or self.severity == "amber")


@dataclass(frozen=True, slots=True)
class StepAtLeast:
    step: int

    def __str__(self) -> str:
        return f"step>={self.step}"

    def holds(self, moment: Moment) -> bool:
        return moment.step >= self.step


@dataclass(frozen=True, slots=True)
class StateIs:
    state: str

    def __str__(self) -> str:
        return f"state={self.state}"

    def holds(self, moment: Moment) -> bool:
        return moment.state in OVER if self.state == "over" else moment.state == self.state


@dataclass(frozen=True, slots=True)
class MetricIs:
    """No comparison holds of a metric that is not a number, or was never logged."""

    name: str
    sign: Sign
    number: float

    def __str__(self) -> str:
        return f"{_written(self.name)}{self.sign}{repr(self.number).removesuffix('.0')}"

    def holds(self, moment: Moment) -> bool:
        return SIGNS[self.sign](moment.metrics.get(self.name, math.nan), self.number)


@dataclass(frozen=True, slots=True)
class Every:
    """All parts, of which none is itself an `Every`."""

    parts: tuple[Expression, ...]

    def __str__(self) -> str:
        return " and ".join(f"({part})" if isinstance(part, Some) else str(part) for part in self.parts)

    def holds(self, moment: Moment) -> bool:
        return all(part.holds(moment) for part in self.parts)


@dataclass(frozen=True, slots=True)
class Some:
    """At least one part, of which none is itself a `Some`."""

    parts: tuple[Expression, ...]

    def __str__(self) -> str:
        return " or ".join(str(part) for part in self.parts)

    def holds(self, moment: Moment) -> bool:
        return any(part.holds(moment) for part in self.parts)


Term: TypeAlias = AlertAtLeast | StepAtLeast | StateIs | MetricIs
Expression: TypeAlias = Term | Every | Some


def every(parts: Sequence[Expression]) -> Expression:
    """All of these."""
    return parts[0] if len(parts) == 1 else Every(tuple(_flat(parts, Every)))


def some(parts: Sequence[Expression]) -> Expression:
    """Any of these."""
    return parts[0] if len(parts) == 1 else Some(tuple(_flat(parts, Some)))


def terms_of(expression: Expression) -> Iterator[Term]:
    """Its terms, as they are read."""
    if isinstance(expression, (Every, Some)):
        for part in expression.parts:
            yield from terms_of(part)
    else:
        yield expression


def _flat(parts: Sequence[Expression], kind: type[Every] | type[Some]) -> Iterator[Expression]:
    for part in parts:
        yield from part.parts if isinstance(part, kind) else (part,)


def _written(name: str) -> str:
    """A metric's name as it is read again."""
    if BARE.fullmatch(name) and name not in WORDS:
        return name
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
