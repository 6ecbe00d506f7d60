"""The commands this viewer sent, and what the run said of them: what is on its way, and the sentence when its fate is known.

Pure: time is an argument, the fate is read from a view. What a key asked for is never taken for what happened.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from bedside_protocol.commands import is_over
from bedside_protocol.records import Lifecycle, Scalar, Verb
from bedside_tui.draw import number
from bedside_tui.sources.source import Control
from bedside_tui.store.commands import short_path
from bedside_tui.store.view import AlertView, CommandView, View
from bedside_tui.theme import Tone
from bedside_tui.widgets.frame import Asked

UNHEARD = 10.0
"""Seconds without a word in the log after which a command is said not to have been heard: a hub writes *requested* at once."""

HUBS_OWN: frozenset[Verb] = frozenset({"note", "acknowledge", "shelve"})
"""Verbs the hub carries out itself and tells by their effect."""

DONE: Mapping[Verb, str] = {"pause": "paused", "resume": "running again", "stop": "stopped", "checkpoint": "checkpoint saved",
                            "note": "noted", "acknowledge": "acknowledged", "shelve": "shelved",
                            "snapshot": "measured", "rate": "rate changed", "stack": "stack taken"}  # fmt: skip


class Verdict(NamedTuple):
    """One sentence for the person."""

    text: str
    tone: Tone


@dataclass(frozen=True, slots=True)
class _Sent:
    verb: Verb
    at: float


class Asking:
    """Commands on their way through one control."""

    def __init__(self) -> None:
        self._sent: dict[str, _Sent] = {}

    def __repr__(self) -> str:
        return f"<Asking {len(self._sent)} on their way>"

    def send(self, control: Control, verb: Verb, arguments: Mapping[str, Scalar], now: float) -> None:
        """Ask for `verb`, and watch what becomes of it."""
        self._sent[control.send(verb, arguments)] = _Sent(verb, now)

    def asked(self, commands: Sequence[CommandView]) -> Asked | None:
        """The newest command to the training that is still on its way, as the run spoke of it last."""
        known = {command.id: command for command in commands}
        for id_, sent in reversed(self._sent.items()):
            if sent.verb in HUBS_OWN:
                continue
            command = known.get(id_)
            return Asked(sent.verb, "sent") if command is None else Asked(sent.verb, command.state, command.step)
        return None

    def fates(self, view: View, now: float) -> list[Verdict]:
        """What has become of commands since the last look; each is told once."""
        known = {command.id: command for command in view.commands}
        told = []
        for id_, sent in list(self._sent.items()):
            command = known.get(id_)
            if command is not None and is_over(command.state):
                told.append(_fate(command))
            elif command is None and sent.verb in HUBS_OWN and now - sent.at > UNHEARD:
                pass  # told by its effect, if at all
            elif command is None and now - sent.at > UNHEARD:
                told.append(Verdict(f"{sent.verb}: no answer in {UNHEARD:.0f} s; the hub has not heard it", "amber"))
            else:
                continue
            del self._sent[id_]
        return told


def _fate(command: CommandView) -> Verdict:
    if command.state == "applied":
        done = "taken from the shelf" if command.arguments.get("seconds") == 0 else DONE.get(command.verb, f"{command.verb} done")
        where = f" at step {number.count(command.step)}" if command.step >= 0 and command.verb not in HUBS_OWN else ""
        detail = short_path(command.detail) if command.verb == "checkpoint" else command.detail
        return Verdict(f"{done}{where}{f': {detail}' if detail else ''}", "ok")
    detail = f": {command.detail}" if command.detail else ""
    return Verdict(f"{command.verb} {command.state}{detail}", "amber")


def doubts(view: View) -> list[str]:
    """Why a checkpoint saved now would be suspect, and which one is not; nothing where it would be good."""
    saved, good = view.checkpoint, view.last_good
    ill = next((alert for alert in view.alerts if alert.state == "firing" and _damages(alert, view)), None)
    if ill is None and not (saved and saved.suspect):
        return []
    why = f"{ill.title} fires: a checkpoint saved now would be suspect" if ill else "the newest checkpoint is suspect"
    return [why, f"the last good checkpoint is step {number.count(good.step)}" if good else "there is no good checkpoint"]


def _damages(alert: AlertView, view: View) -> bool:
    from bedside_protocol.alerts.checkpoints import damaging  # only here: asked when somebody is about to stop

    least = damaging(view.rules.rules.values()).get(alert.rule)
    return least is not None and alert.severity in (least, "red")


def pause_or_resume(lifecycle: Lifecycle) -> Verb:
    """What `P` means now: it follows what the run says it is, not what was asked before."""
    return "resume" if lifecycle == "paused" else "pause"
