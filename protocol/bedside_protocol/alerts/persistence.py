"""Which names stay in a probe's lists, measurement after measurement: parameters that never learn."""

from __future__ import annotations

from typing import Final

from bedside_protocol.alerts.levels import AMBER, OK, RED, Facts
from bedside_protocol.alerts.rules import NamesPersist
from bedside_protocol.records import Snapshot

_SHOWN: Final = 2


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
        hidden = self._count - _SHOWN
        names = ", ".join(self._names[:_SHOWN]) + (f" +{hidden}" if hidden > 0 else "")
        return {"value": float(self._count), "count": float(self._count), "names": names}

    def see(self, snapshot: Snapshot) -> int:
        listed = tuple(dict.fromkeys(name for text in self.limits.texts for name in snapshot.texts.get(text, ())))
        still = tuple(name for name in self._names if name in listed)
        others = bool(self._names) and not still
        self._names = still or listed
        total = int(sum(snapshot.scalars.get(text, 0.0) for text in self.limits.texts))
        self._count = total if total > len(listed) else len(self._names)  # a probe shows only so many names
        if not self._names or others:
            return OK
        whole = snapshot.scalars.get(self.limits.of, 0.0) if self.limits.of else 0.0
        return RED if 0.0 < whole <= self._count else AMBER
