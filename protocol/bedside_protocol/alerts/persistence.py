"""Which names stay in a probe's lists, measurement after measurement: parameters that never learn."""

from __future__ import annotations

from typing import Final

from bedside_protocol.alerts.levels import AMBER, OK, RED, Facts
from bedside_protocol.alerts.rules import NamesPersist
from bedside_protocol.records import Snapshot

_SHOWN: Final = 2


class Persistence:
    """Names that were listed in every snapshot since the first of the evidence: an expert without tokens in one batch is none."""

    __slots__ = ("_names", "_whole", "limits")

    def __init__(self, limits: NamesPersist) -> None:
        self.limits = limits
        self._names: tuple[str, ...] = ()
        self._whole = 0.0

    def __repr__(self) -> str:
        return f"<Persistence {len(self._names)} names in {' or '.join(self.limits.texts)}>"

    def facts(self) -> Facts:
        more = f" +{len(self._names) - _SHOWN}" if len(self._names) > _SHOWN else ""
        return {"value": float(len(self._names)), "count": float(len(self._names)), "names": ", ".join(self._names[:_SHOWN]) + more}

    def see(self, snapshot: Snapshot) -> int:
        listed = dict.fromkeys(name for text in self.limits.texts for name in snapshot.texts.get(text, ()))
        still = tuple(name for name in self._names if name in listed)
        self._names = still or tuple(listed)
        if not self._names:
            return OK
        whole = snapshot.scalars.get(self.limits.of, 0.0) if self.limits.of else 0.0
        return RED if 0.0 < whole <= len(self._names) else AMBER
