"""The alerts of a run as episodes: fired, escalated, acknowledged, cleared; red latches until a person has seen it.

What is an alarm is decided by the rules in the hub; here their changes are only kept and put in order.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from bedside_protocol.records import AlertAcknowledged, AlertChanged, AlertShelved
from bedside_tui.draw import number
from bedside_tui.store.judging import JudgingFold
from bedside_tui.store.ledger import Ledger, Moment
from bedside_tui.store.rules import ExpectationView, RulesView
from bedside_tui.store.view import AlertView, Badge, Firing, Mark

if TYPE_CHECKING:
    from bedside_protocol.alerts.rules import Rule

_GLYPH: Mapping[str, str] = {"red": "✖", "amber": "▲", "": "▲"}
_WORST: Mapping[str, int] = {"": 0, "amber": 1, "red": 2}
_BADGES: tuple[Badge, ...] = ("none", "ok", "pending", "amber", "red")
_RANK: Mapping[Badge, int] = {badge: rank for rank, badge in enumerate(_BADGES)}


@dataclass(frozen=True, slots=True)
class Episode:
    """An alert, and the positions at which it began and ended as the log told it."""

    alert: AlertView
    fired: int
    """Position of the record that first fired it; 0 while pending."""
    cleared: int | None = None


@dataclass(frozen=True, slots=True)
class Shelf:
    """Until when an alarm is put aside, and the severity it had: a worse one is told."""

    until: float
    severity: str


@dataclass(frozen=True, slots=True)
class Standing:
    """All that the rules say at one position."""

    alerts: list[AlertView]
    """Firing (red, then amber; of each what must be stopped now before what can wait), then latched, pending, shelved, cleared; each
    newest first."""
    not_checked: list[tuple[str, str, str]]
    """(rule, target, why) of what no rule can judge yet; expectations say so themselves."""
    badges: dict[str, Badge]
    """The worst that is said of each target."""
    fired: dict[str, list[Firing]]
    """The alarms of each target that have fired."""
    expectations: list[ExpectationView]


class AlertsFold:
    """Everything the rules said."""

    __slots__ = ("_changes", "_checks", "_episodes", "_judging", "_shelves", "_standing")

    def __init__(self, judging: JudgingFold) -> None:
        self._judging = judging
        self._episodes: dict[tuple[str, str, int], Ledger[Episode | None]] = {}
        self._checks: dict[tuple[str, str], Ledger[tuple[str, str]]] = {}
        self._shelves: dict[tuple[str, str], Ledger[Shelf]] = {}
        self._changes: Ledger[None] = Ledger()
        self._standing: tuple[tuple[int, int, Mapping[tuple[str, str], Shelf]], Standing] | None = None

    def changed(self, moment: Moment, body: AlertChanged) -> Mark | None:
        """Keep a change; the mark it leaves on the timeline, if any."""
        self._changes.add(moment.position, None)
        checks = self._checks.setdefault((body.rule, body.target), Ledger())
        checks.add(moment.position, (body.state, body.message))
        if body.state in ("not_checked", "ok"):
            self._be_over(moment, body)
            return None
        ledger = self._episodes.setdefault((body.rule, body.target, body.episode), Ledger())
        before = ledger.last_at(moment.position)
        if before is not None and before.cleared is not None and body.state != "cleared":
            before = None  # an engine that was restarted counts its episodes anew
        after = _episode(moment, body, before, self._judging.at(moment.position), first_out=not any(self._firing(moment.position)))
        ledger.add(moment.position, after)
        return self._mark(moment, body, before, after)

    def acknowledged(self, moment: Moment, body: AlertAcknowledged) -> Mark | None:
        """A person has seen one alert, or all that stand."""
        self._changes.add(moment.position, None)
        wanted = (body.rule, body.target) if body.rule or body.target else None
        seen = 0
        for (rule, target, _), ledger in self._episodes.items():
            episode = ledger.last_at(moment.position)
            if episode is None or not episode.alert.shown or (wanted and wanted != (rule, target)):
                continue
            ledger.add(moment.position, replace(episode, alert=replace(episode.alert, acknowledged=body.who or "someone")))
            seen += 1
        if not seen:
            return None
        what = f"{self._title(moment, body.rule)} ({body.target})" if wanted else "all alarms"
        by = f" by {body.who}" if body.who else ""
        return Mark(moment.time, moment.step, "command", "·", f"{what} acknowledged{by}", jump=False)

    def shelved(self, moment: Moment, body: AlertShelved) -> Mark | None:
        """A person has put an alarm aside for a while, or back."""
        standing = [episode.alert for episode in self._known(moment.position) if (episode.alert.rule, episode.alert.target) == _key(body)]
        worst = max((alert.severity for alert in standing if alert.stands), key=_WORST.__getitem__, default="")
        if not worst:
            return None
        self._changes.add(moment.position, None)
        self._shelves.setdefault(_key(body), Ledger()).add(moment.position, Shelf(moment.time + body.seconds, worst))
        what = f"shelved until {number.clock(moment.time + body.seconds)}" if body.seconds > 0 else "taken from the shelf"
        by = f" by {body.who}" if body.who else ""
        return Mark(moment.time, moment.step, "command", "·", f"{self._title(moment, body.rule)} ({body.target}) {what}{by}", jump=False)

    def standing(self, position: int, time: float) -> Standing:
        """What is known at `position` and `time`. Kept until it changes: between two changes lie thousands of other records."""
        shelves = {key: shelf for key, ledger in self._shelves.items() if (shelf := ledger.last_at(position)) and shelf.until > time}
        expected = self._judging.expected(position)
        version = (self._changes.size_at(position), len(expected), shelves)
        if self._standing is None or self._standing[0] != version:
            known = sorted(self._put_aside(self._known(position), shelves), key=lambda it: (_place(it.alert), -it.fired))
            checks = [(key, said) for key, ledger in self._checks.items() if (said := ledger.last_at(position))]
            own = {rule.name for rule, _ in expected}
            self._standing = (
                version,
                Standing(
                    alerts=[episode.alert for episode in known],
                    not_checked=[
                        (rule, target, why) for (rule, target), (state, why) in checks if state == "not_checked" and rule not in own
                    ],
                    badges=_badges([target for (_, target), (state, _) in checks if state in ("ok", "cleared")], known),
                    fired=_fired(known),
                    expectations=[_expectation(rule, said, checks) for rule, said in expected],
                ),
            )
        return self._standing[1]

    def _put_aside(self, episodes: Iterable[Episode], shelves: Mapping[tuple[str, str], Shelf]) -> Iterator[Episode]:
        for episode in episodes:
            alert = episode.alert
            shelf = shelves.get((alert.rule, alert.target))
            if shelf is not None and alert.stands and _WORST[alert.severity] <= _WORST[shelf.severity]:
                episode = replace(episode, alert=replace(alert, shelved_until=shelf.until))
            yield episode

    def _known(self, position: int) -> Iterator[Episode]:
        latest = (ledger.last_at(position) for ledger in self._episodes.values())
        return (episode for episode in latest if episode is not None)

    def _firing(self, position: int) -> Iterator[Episode]:
        return (episode for episode in self._known(position) if episode.alert.state == "firing")

    def _be_over(self, moment: Moment, body: AlertChanged) -> None:
        """All is well without a word that it cleared: what was pending is nobody's business, what fired is cleared."""
        ledger = self._episodes.get((body.rule, body.target, body.episode))
        episode = ledger.last_at(moment.position) if ledger else None
        if ledger is None or episode is None or episode.cleared is not None:
            return
        over = replace(episode.alert, state="cleared", cleared_step=body.step)
        ledger.add(moment.position, Episode(over, episode.fired, moment.position) if episode.fired else None)

    def _mark(self, moment: Moment, body: AlertChanged, before: Episode | None, after: Episode) -> Mark | None:
        title, alert = after.alert.title, after.alert
        if body.state == "firing":
            if before is not None and before.alert.state == "firing" and before.alert.severity == alert.severity:
                return None
            text = f"{title} ({body.target})" + (f"  {alert.message}" if alert.message else "")
            return Mark(moment.time, body.step, "alert", _GLYPH[alert.severity], text, alert.severity or "amber")
        if body.state == "cleared" and after.fired:
            return Mark(moment.time, body.step, "cleared", "●", f"{title} ({body.target}) cleared", "ok", jump=False)
        return None

    def _title(self, moment: Moment, rule: str) -> str:
        return self._judging.at(moment.position).title(rule)


def _episode(moment: Moment, body: AlertChanged, before: Episode | None, rules: RulesView, *, first_out: bool) -> Episode:
    old = before.alert if before else None
    worst = max(body.severity, old.severity if old else "", key=_WORST.__getitem__)
    fires = body.state == "firing" and not (before and before.fired)
    rises = old is not None and _WORST[worst] > _WORST[old.severity]
    alert = AlertView(
        rule=body.rule,
        target=body.target,
        state=body.state,
        severity=worst,
        message=body.message if body.message and (body.state != "cleared" or not old) else old.message if old else "",
        runbook=body.runbook or (old.runbook if old else ""),
        value=body.value if not math.isnan(body.value) or not old or body.state != "cleared" else old.value,
        first_step=body.first_step or (old.first_step if old else 0),
        fired_step=body.step if fires else old.fired_step if old else 0,
        fired_time=moment.time if fires else old.fired_time if old else 0.0,
        cleared_step=body.step if body.state == "cleared" else None,
        acknowledged="" if rises or not old else old.acknowledged,
        first_out=first_out if fires else bool(old and old.first_out),
        episode=body.episode,
        title=rules.title(body.rule),
        horizon=rules.rules[body.rule].horizon if body.rule in rules.rules else "now",
    )
    fired = moment.position if fires else before.fired if before else 0
    return Episode(alert, fired, moment.position if body.state == "cleared" else None)


def _badges(well: Iterable[str], episodes: Iterable[Episode]) -> dict[str, Badge]:
    badges: dict[str, Badge] = dict.fromkeys(well, "ok")
    for alert in (episode.alert for episode in episodes):
        badge: Badge = alert.severity or "amber" if alert.shown else "pending" if alert.state == "pending" else "none"
        badges[alert.target] = max(badges.get(alert.target, "none"), badge, key=_RANK.__getitem__)
    return badges


def _fired(episodes: Iterable[Episode]) -> dict[str, list[Firing]]:
    steps: dict[str, list[Firing]] = {}
    for episode in episodes:
        if episode.fired:
            steps.setdefault(episode.alert.target, []).append(Firing(episode.alert.fired_step, episode.alert.severity or "amber"))
    return steps


def _expectation(rule: Rule, words: str, checks: Iterable[tuple[tuple[str, str], tuple[str, str]]]) -> ExpectationView:
    """How an expectation stands: the worst of what is said of the metrics it is about."""
    said = [what for (name, _), what in checks if name == rule.name]
    metric = next((target for (name, target), _ in checks if name == rule.name), "")

    def view(state: Literal["met", "not yet", "broken"], what: str) -> ExpectationView:
        return ExpectationView(words, rule.name, metric, rule.worst, state, what)

    broken = next((message for state, message in said if state in ("pending", "firing")), None)
    if broken is not None:
        return view("broken", broken)
    if any(state in ("ok", "cleared") for state, _ in said):
        return view("met", "")
    return view("not yet", said[0][1] if said else "nothing judged yet")


def _key(body: AlertShelved) -> tuple[str, str]:
    return body.rule, body.target


def _place(alert: AlertView) -> int:
    """Its place in the list: what must be stopped now stands before what can wait an hour, within a severity."""
    if alert.shelved_until:
        return 6
    if alert.state == "firing":
        return (0 if alert.severity == "red" else 2) + (alert.horizon == "hour")
    return 4 if alert.shown else 5 if alert.state == "pending" else 7
