"""What a rule asks for when its alarm fires: commands as a person would send them, with the alarm as their cause.

Pure, and without memory. A command's id is made of the alarm's episode and the action, so whoever asks for it again asks for nothing:
an action is carried out once an episode, also where amber becomes red.

`measure` on a probe's alarm doubles that probe's rate, until somebody sets another; on any other alarm, and on a probe measured on demand
only, it takes a snapshot: of every probe, or of that one. `checkpoint` beside `stop` is one command, *checkpoint and stop*, as the key `S`
offers it: a run whose state cannot be saved goes on, and says so. `stop` alone stops.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from hashlib import blake2b
from typing import Final

from bedside_protocol.alerts.rules import Action, OnProbe, Rule
from bedside_protocol.messages import Ask
from bedside_protocol.records import AlertChanged, Scalar, Verb

_ORDER: Final[tuple[Action, ...]] = ("notify", "measure", "checkpoint", "pause", "stop")
"""Somebody is told before anything else can fail; what was seen and saved comes before the run is held or ended."""


def asks_of(change: AlertChanged, rules: Sequence[Rule], probes: Mapping[str, int], run: str) -> list[Ask]:
    """The commands that a change of an alarm asks for, in their order; none unless it fires. `probes`: each declared one's steps between
    two measurements, 0 on demand."""
    if change.state != "firing":
        return []
    mine = [rule for rule in rules if rule.name == change.rule]
    wanted = {action for rule in mine for action in (*rule.on_amber, *(rule.on_red if change.severity == "red" else ()))}
    is_of_probe = any(isinstance(rule.watch, OnProbe) for rule in mine)
    return [
        Ask(run, _id(change, action, arguments), verb, f"rule {change.rule} on {change.target}", {**arguments, **cause_of(change)})
        for action in _ORDER
        if action in wanted
        for verb, arguments in _commands(action, wanted, _looked_at(change.target, probes, is_of_probe))
    ]


def cause_of(change: AlertChanged) -> dict[str, Scalar]:
    """The alarm in the arguments of a command."""
    return {
        "rule": change.rule,
        "target": change.target,
        "severity": change.severity,
        "alarm_step": change.step,
        "message": change.message,
    }


def _commands(action: Action, wanted: set[Action], probes: Mapping[str, int]) -> Iterator[tuple[Verb, dict[str, Scalar]]]:
    match action:
        case "measure":
            for probe, every in probes.items():
                yield ("rate", {"probe": probe, "every": max(1, every // 2)}) if every else ("snapshot", {"probe": probe})
        case "checkpoint" if "stop" in wanted:
            pass  # the stop writes it
        case "stop" if "checkpoint" in wanted:
            yield "stop", {"checkpoint": True}
        case "checkpoint" | "stop" | "pause" | "notify":
            yield action, {}


def _looked_at(target: str, probes: Mapping[str, int], is_of_probe: bool) -> Mapping[str, int]:
    """What `measure` measures, and how often it is measured now; 0: only when asked. Where there is nothing, the training is asked for a
    probe without a name, and says that there is none."""
    if is_of_probe and target in probes:
        return {target: probes[target]}
    return dict.fromkeys(probes, 0) or {"": 0}


def _id(change: AlertChanged, action: Action, arguments: Mapping[str, Scalar]) -> str:
    said = "\0".join((change.rule, change.target, str(change.episode), action, str(arguments.get("probe", ""))))
    return f"rule-{blake2b(said.encode(), digest_size=12).hexdigest()}"
