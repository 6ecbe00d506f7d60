"""Every alarm of a run and what became of it: findings go in, the changes worth a record come out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

from bedside_protocol.alerts.alarm import Alarm
from bedside_protocol.alerts.incident import Incidents
from bedside_protocol.alerts.levels import OK, UNCHECKED, Facts
from bedside_protocol.alerts.rules import Rule
from bedside_protocol.alerts.voice import Voice
from bedside_protocol.records import AlertChanged


def _no_facts() -> Facts:
    return {}


class Ledger:
    """All alarms in the order they came to be, the incidents among them, and the changes not yet handed out."""

    def __init__(self) -> None:
        self._alarms: dict[tuple[Rule, str], Alarm] = {}
        self._voices: defaultdict[tuple[str, str], Voice] = defaultdict(Voice)
        self._incidents = Incidents()
        self._changes: list[AlertChanged] = []

    def __repr__(self) -> str:
        return f"<Ledger {len(self._alarms)} alarms, {self._incidents!r}>"

    @property
    def standing(self) -> tuple[AlertChanged, ...]:
        """The last change of all alarms of a name on a target, in the order the alarms came to be."""
        return tuple(voice.told for voice in self._voices.values() if voice.told)

    def alarm(self, rule: Rule, target: str) -> Alarm:
        """The alarm of a rule on a target, new where there is none."""
        known = self._alarms.get((rule, target))
        if known is None:
            known = self._alarms[rule, target] = Alarm(rule, target)
            self._voices[rule.name, target].alarms.append(known)
        return known

    def collect(self) -> list[AlertChanged]:
        """The changes since the last call, by step."""
        changes, self._changes = self._changes, []
        return sorted(changes, key=lambda change: change.step)

    def judge(self, alarm: Alarm, level: int, step: int, time: float, facts: Callable[[], Facts] = _no_facts, waiting: str = "") -> None:
        """One observation of an alarm's target; `waiting` is why, where the level is UNCHECKED: without a reason it says nothing new."""
        if level == UNCHECKED:
            if waiting and not alarm.fires:
                self.suspend(alarm, waiting, step)
            return
        explained = "" if level == OK or alarm.fires else self._incidents.explanation(alarm, level, step)
        if alarm.see(level, step, time, explained):
            self._write(alarm, step, facts())

    def suspend(self, alarm: Alarm, why: str, step: int) -> None:
        """It cannot be judged any more, for this reason; what fired is cleared first."""
        self.clear(alarm, step)
        if alarm.suspend(why):
            self._write(alarm, step, {})

    def undo(self, alarm: Alarm, step: int) -> None:
        """What it found was found in steps that were undone: the run was resumed from before them."""
        if alarm.state in ("pending", "firing"):
            self.suspend(alarm, "resumed", step)

    def clear(self, alarm: Alarm, step: int) -> None:
        """What fired is over."""
        if alarm.clear():
            self._write(alarm, step, {})

    def _write(self, alarm: Alarm, step: int, facts: Facts) -> None:
        change = self._voices[alarm.rule.name, alarm.target].hear(alarm, step, facts)
        if change is not None:
            self._changes.append(change)
        self._incidents.note(alarm, step)
