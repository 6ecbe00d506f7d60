"""Whether a metric is where the script's author expects it: from a step on, by a step, or between two.

It is judged by a level, so that one noisy value is no failure: the median of the last five values, of those within a hundred steps. An
evaluation every thousand steps is judged by each of its values.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from math import inf
from statistics import median
from typing import Final

from numpy import bool_
from numpy.typing import NDArray

from bedside_protocol.alerts.alarm import Alarm
from bedside_protocol.alerts.conditions import Expects
from bedside_protocol.alerts.ledger import Ledger
from bedside_protocol.alerts.levels import OK, RED, UNCHECKED, Facts
from bedside_protocol.alerts.rules import Rule
from bedside_protocol.records import Metrics

_VALUES: Final = 5
_WITHIN: Final = 100
"""Steps: values further back are not of the level now."""


def expected_words(expects: Expects) -> str:
    """An expectation as a script writes it, without the metric: `< 0.05 after 5000`."""
    signs = (("<", expects.below), ("<=", expects.at_most), (">", expects.above), (">=", expects.at_least))
    bounds = " and ".join(f"{sign} {bound:g}" for sign, bound in signs if bound is not None)
    if expects.after is not None and expects.by is not None:
        return f"{bounds} between {expects.after} and {expects.by}"
    times = (("after", expects.after), ("by", expects.by))
    return " ".join([bounds, *(f"{word} {step}" for word, step in times if step is not None)])


class Expectation:
    """One metric against one expectation. What failed is looked at until it is met, however late."""

    __slots__ = ("_failed", "_first", "_judged", "_last", "_level", "_recent", "limits")

    def __init__(self, limits: Expects) -> None:
        self.limits = limits
        self._recent: deque[tuple[int, float]] = deque(maxlen=_VALUES)
        self._level = 0.0
        self._judged = self._failed = False
        self._last = inf if limits.by is None else limits.by
        """The last step that counts; without a value until then, the first one after it does."""
        first = limits.by if limits.after is None else limits.after
        self._first = -inf if first is None else first

    def __repr__(self) -> str:
        return f"<Expectation {expected_words(self.limits)}: {self._level:.4g}>"

    @property
    def waiting(self) -> str:
        return f"before step {self._first:,}"

    def facts(self) -> Facts:
        return {"value": self._level, "expected": expected_words(self.limits)}

    def see(self, step: int, value: float) -> int:
        self._level = self._level_at(step, value)
        if step < self._first:
            self._judged = self._failed = False
            return UNCHECKED
        if step <= self._last or self._failed or not self._judged:
            self._judged, self._failed = True, not self._is_met(self._level)
        return RED if self._failed else OK

    def _level_at(self, step: int, value: float) -> float:
        recent = self._recent
        if recent and step < recent[-1][0]:  # resumed from before
            recent.clear()
        recent.append((step, value))
        while step - recent[0][0] >= _WITHIN:
            recent.popleft()
        return median(each for _, each in recent)

    def _is_met(self, level: float) -> bool:
        limits = self.limits
        return (
            (limits.below is None or level < limits.below)
            and (limits.at_most is None or level <= limits.at_most)
            and (limits.above is None or level > limits.above)
            and (limits.at_least is None or level >= limits.at_least)
        )


class Expectations:
    """The rules with an expectation over the metrics of one rank. They need no beginning and know no segments: a metric is judged from its
    first value on, whatever its stride."""

    def __init__(self, ledger: Ledger, suffix: str) -> None:
        self._ledger = ledger
        self._suffix = suffix
        self._tests: dict[str, dict[Rule, tuple[Alarm, Expectation]]] = {}
        self._sought: dict[Rule, Alarm] = {}
        """Declared, and no metric is called so yet: its alarm, which says so."""

    def __repr__(self) -> str:
        return f"<Expectations of {', '.join(self._tests) or 'nothing'}>"

    def seek(self, rule: Rule, glob: str, step: int) -> None:
        """What is expected of a metric that is not there yet says so until it comes; a further rank may log less."""
        if self._suffix:
            return
        called = glob.replace("[[]", "[")
        self._sought[rule] = self._ledger.alarm(rule, called)
        self._ledger.suspend(self._sought[rule], f"no metric is called {called}", step)

    def meet(self, name: str, rules: Sequence[Rule], step: int) -> None:
        """These rules look at the metric from now on, and no other."""
        before = self._tests.pop(name, {})
        now = {rule: before[rule] if rule in before else self._begin(rule, name, step) for rule in rules}
        for rule in [rule for rule in before if rule not in now]:
            self._ledger.suspend(before[rule][0], "the script says: of another kind", step)
        if now:
            self._tests[name] = now

    def _begin(self, rule: Rule, name: str, step: int) -> tuple[Alarm, Expectation]:
        (expects,) = (condition for condition in rule.conditions if isinstance(condition, Expects))
        alarm, sought = self._ledger.alarm(rule, name + self._suffix), self._sought.pop(rule, None)
        if sought is not None and sought is not alarm:  # a pattern, which is judged where it matches
            self._ledger.judge(sought, OK, step, 0.0)
        return alarm, Expectation(expects)

    def take(self, block: Metrics, finite: NDArray[bool_], steps: Sequence[int], times: Sequence[float]) -> None:
        """Judges the finite values of a block whose steps do not go back."""
        if not self._tests:
            return
        for column, name in enumerate(block.names):
            for alarm, test in self._tests.get(name, {}).values():
                for row in finite[column].nonzero()[0].tolist():
                    level = test.see(steps[row], float(block.values[column, row]))
                    if not (level == OK and alarm.rests):
                        waiting = test.waiting if level == UNCHECKED else ""
                        self._ledger.judge(alarm, level, steps[row], times[row], test.facts, waiting)
