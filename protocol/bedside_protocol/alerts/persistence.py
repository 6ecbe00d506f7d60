"""Which names stay in a probe's lists, measurement after measurement: parameters that never learn."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import Final

from bedside_protocol.alerts.conditions import NamesPersist
from bedside_protocol.alerts.levels import AMBER, OK, RED, Facts
from bedside_protocol.records import Snapshot

_SHOWN: Final = 2
_WIDTH: Final = 24
"""Of the names in a message, which has 60 characters in all. The end of a long one tells more than its beginning."""


class Persistence:
    """Names that were listed in every snapshot since the first of the evidence: an expert without tokens in one batch is none."""

    __slots__ = ("_count", "_names", "limits")

    def __init__(self, limits: NamesPersist) -> None:
        self.limits = limits
        self._names: tuple[str, ...] = ()
        self._count = 0

    def __repr__(self) -> str:
        return f"<Persistence {self._count} names in {' or '.join(self.limits.texts)}>"

    def facts(self) -> Facts:
        return {"value": float(self._count), "count": float(self._count), "names": _shown(self._names, self._count)}

    def see(self, snapshot: Snapshot) -> int:
        listed = tuple(
            dict.fromkeys(name for text in self.limits.texts for name in snapshot.texts.get(text, ()) if name not in self.limits.but)
        )
        still = tuple(name for name in self._names if name in listed)
        others = bool(self._names) and not still
        self._names = still or listed
        counts = [snapshot.scalars.get(text, 0.0) for text in self.limits.texts]
        total = sum(count for count in counts if count % 1 == 0)  # where a text has a scalar that is no count, it has a fraction
        self._count = int(total) if len(listed) < total < inf else len(self._names)  # a probe shows only so many names
        if not self._names or others:
            return OK
        whole = snapshot.scalars.get(self.limits.of, 0.0) if self.limits.of else 0.0
        return RED if 0.0 < self.limits.share * whole <= self._count else AMBER


def _shown(names: Sequence[str], count: int) -> str:
    """The first names and how many more there are."""
    shown = ", ".join(names[:_SHOWN])
    fits = len(shown) <= _WIDTH
    hidden = count - (_SHOWN if fits else 1)
    if not fits:
        shown = names[0] if len(names[0]) <= _WIDTH else "…" + names[0][1 - _WIDTH :]
    return shown + (f" +{hidden}" if hidden > 0 else "")
