"""Which alarm explains which: one incident shows at most three.

An alarm is quiet under another that names its cause and is at least as bad, while that one fires and for 200 steps more; and under any
three at least as bad that began with it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from bedside_protocol.alerts.alarm import Alarm
from bedside_protocol.alerts.levels import RED

AFTERMATH: Final = 200
"""Steps after its alarm in which a cause still explains its consequences: windows empty slowly."""
AT_MOST: Final = 3
_RANK: Final = re.compile(r" rank \d+$")


@dataclass(slots=True)
class _Fired:
    alarm: Alarm
    step: int
    cleared: int | None = None


def _is_of_another_rank(first: str, second: str) -> bool:
    """Whether two targets are one metric on two ranks: what is wrong with it on one is soon wrong with it on all."""
    return first != second and _RANK.sub("", first) == _RANK.sub("", second)


class Incidents:
    """The alarms that fire, in the order they began; kept for their aftermath."""

    def __init__(self) -> None:
        self._fired: list[_Fired] = []

    def __repr__(self) -> str:
        return f"<Incidents {sum(fired.cleared is None for fired in self._fired)} firing>"

    @property
    def firing(self) -> Iterable[Alarm]:
        return (fired.alarm for fired in self._fired if fired.cleared is None)

    def note(self, alarm: Alarm, step: int) -> None:
        """An alarm has changed."""
        known = next((fired for fired in self._fired if fired.alarm is alarm and fired.cleared is None), None)
        if alarm.fires and known is None:
            self._fired.append(_Fired(alarm, step))
        elif not alarm.fires and known is not None:
            known.cleared = step

    def explanation(self, alarm: Alarm, level: int, step: int) -> str:
        """What explains a finding of `level` at `step` on a target that does not fire yet; empty where nothing does."""
        if not self._fired:
            return ""
        self._fired = [fired for fired in self._fired if fired.cleared is None or abs(step - fired.cleared) <= AFTERMATH]
        red = level >= RED and alarm.rule.worst == "red"
        near = [fired for fired in self._fired if fired.alarm is not alarm and (fired.alarm.severity == "red" or not red)]
        for fired in near:
            if fired.alarm.rule.name in alarm.rule.quiet_under and fired.step <= step:
                return f"same cause as {fired.alarm.rule.name} {fired.alarm.target}"
            if fired.alarm.rule.name == alarm.rule.name and _is_of_another_rank(fired.alarm.target, alarm.target):
                return f"as on {fired.alarm.target}"
        began = step if alarm.evidence_step is None else alarm.evidence_step
        together = [fired for fired in near if fired.cleared is None and 0 <= began - fired.step <= AFTERMATH]
        return f"{AT_MOST} alarms already tell of step {together[0].step:,}" if len(together) >= AT_MOST else ""
