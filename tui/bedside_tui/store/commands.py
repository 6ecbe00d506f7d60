"""What people asked of the run, what the run said, and what it saved."""

from __future__ import annotations

from collections.abc import Mapping

from bedside_protocol.records import CheckpointSaved, CommandChanged, CommandState
from bedside_tui.draw import number
from bedside_tui.store.ledger import Ledger, Moment, Prefix
from bedside_tui.store.view import CommandView, Mark

_OUTCOMES: Mapping[CommandState, tuple[str, str]] = {
    "requested": ("›", "asked for"),
    "applied": ("✓", "done"),
    "failed": ("✗", "failed"),
    "expired": ("✗", "expired"),
    "refused": ("✗", "refused"),
    "cancelled": ("✗", "cancelled"),
}  # accepted and scheduled pass within a step: the command's own life tells them

_SPEAKS_FOR_ITSELF = frozenset(
    [(verb, "applied") for verb in ("checkpoint", "pause", "resume", "stop", "snapshot", "stack")]
    + [("snapshot", "requested"), ("stack", "requested")]
)  # what was applied is told by the checkpoint, the new state of the run, the snapshot, the stack
_OTHERS_SPEAK = frozenset({"note", "acknowledge", "shelve"})


class CommandsFold:
    """The visible lives of all commands, and the marks of checkpoints, which say who asked."""

    __slots__ = ("_commands", "_lives")

    def __init__(self) -> None:
        self._commands: dict[str, Ledger[CommandView]] = {}
        self._lives: dict[str, list[tuple[float, CommandState, int, str]]] = {}

    def changed(self, moment: Moment, body: CommandChanged) -> Mark | None:
        ledger = self._commands.setdefault(body.id, Ledger())
        life = self._lives.setdefault(body.id, [])
        before = ledger.last_at(moment.position)
        life.append((moment.time, body.state, body.step, body.detail))
        view = CommandView(
            id=body.id,
            verb=body.verb,
            who=body.who or (before.who if before else ""),
            state=body.state,
            detail=body.detail,
            step=body.step if body.step >= 0 or not before else before.step,
            life=Prefix(life, len(life)),
            arguments=body.arguments or (before.arguments if before else {}),
        )
        ledger.add(moment.position, view)
        return _mark(moment, view)

    def saved(self, moment: Moment, body: CheckpointSaved) -> Mark:
        asked = self._commands.get(body.command)
        command = asked.last_at(moment.position) if asked else None
        parts = [f"checkpoint {'saved' if body.verified else 'saved by the script, not verified'}", short_path(body.path)]
        parts += [number.size(body.size)] if body.size else []
        parts += [f"asked by {command.who}"] if command and command.who else []
        return Mark(moment.time, body.step, "checkpoint", "✓", "  ".join(part for part in parts if part), path=body.path)

    def views(self, position: int) -> list[CommandView]:
        """The commands known at `position`, newest first."""
        latest = (ledger.last_at(position) for ledger in self._commands.values())
        return [view for view in latest if view is not None][::-1]


def short_path(path: str) -> str:
    """The file and its folder; the whole path is in the checkpoint."""
    return "/".join(path.rsplit("/", 2)[-2:])


def _mark(moment: Moment, view: CommandView) -> Mark | None:
    if view.verb in _OTHERS_SPEAK or (view.verb, view.state) in _SPEAKS_FOR_ITSELF or view.state not in _OUTCOMES:
        return None
    glyph, word = _OUTCOMES[view.state]
    probe = view.arguments.get("probe")
    text = f"{view.verb}{f' of {probe}' if probe else ''} {word}" + (f" by {view.who}" if view.state == "requested" and view.who else "")
    text += f": {view.detail}" if view.detail else ""
    step = view.step if view.step >= 0 and view.state == "applied" else moment.step
    return Mark(moment.time, step, "command", glyph, text, jump=view.state != "requested")
