"""The lines that stand on top of every screen of a run: is it alive, what does it do, what is safe; is something wrong; when is this.

They keep their place whatever happens. When it gets narrow the least important piece goes first, never half of one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from bedside_protocol.records import Lifecycle
from bedside_tui.draw import number
from bedside_tui.store.view import AlertView, View
from bedside_tui.theme import Tone
from bedside_tui.wall import wall_time
from bedside_tui.widgets.frame import Asked, Frame
from bedside_tui.widgets.lines import Line, Span, cut_text, ends, fit, line, width_of

LIFECYCLE: dict[Lifecycle, tuple[str, Tone]] = {
    "starting": ("◌", "quiet"),
    "running": ("●", "ok"),
    "paused": ("‖", "accent"),
    "stalled": ("▲", "amber"),
    "suspended": ("▲", "amber"),
    "unreachable": ("▲", "amber"),
    "finished": ("✓", "ok"),
    "stopped": ("■", "plain"),
    "failed": ("✖", "red"),
    "killed": ("✖", "red"),
    "died": ("✖", "red"),
    "lost": ("✖", "red"),
}

ALIVE: frozenset[Lifecycle] = frozenset({"starting", "running", "paused", "stalled", "suspended"})

_SOMEWHERE: frozenset[Lifecycle] = frozenset({"stalled", "suspended", "failed", "killed", "died"})

BADGES: dict[str, tuple[str, Tone]] = {
    "red": ("✖", "red"),
    "amber": ("▲", "amber"),
    "ok": ("●", "ok"),
    "pending": ("◌", "amber"),
    "none": (" ", "quiet"),
}

SEVERITIES: dict[str, tuple[str, Tone]] = {"red": ("✖ RED", "alarm"), "amber": ("▲ AMBER", "amber")}

OLD = 5.0
"""Seconds of silence after which the age of the data is worth attention: the hub writes a tick each second."""


def run_name(view: View) -> str:
    """`project/name`, as far as known."""
    if view.run is None:
        return "no run yet"
    return "/".join(part for part in (view.run.project, view.run.name) if part) or view.run.id or "unnamed"


class _Piece(NamedTuple):
    """A part of the status line. `rank` 0 stays longest; a `shorter` form is tried before it goes."""

    rank: int
    spans: Line


def _fitted(pieces: Sequence[_Piece], width: int) -> Line:
    """As many pieces as fit, in their order, two blanks apart; the highest rank goes first."""
    kept = list(pieces)
    while len(kept) > 1 and 1 + sum(width_of(piece.spans) + 2 for piece in kept) - 2 > width:
        kept.remove(max(kept, key=lambda piece: piece.rank))
    row: list[Span] = [Span(" ")]
    for place, piece in enumerate(kept):
        row += [Span("  "), *piece.spans] if place else piece.spans
    return fit(tuple(row), width)


def status_line(frame: Frame, width: int) -> Line:
    """Alive, doing, safe."""
    view = frame.view
    pieces = [_Piece(1, line((run_name(view), "strong"))), _Piece(0, _state(frame, width))]
    if _nothing_written(view):
        return _fitted(pieces, width)
    if frame.asked is not None:
        pieces.append(_Piece(0, line((said_of(frame.asked), "accent"))))
    pieces.append(_Piece(2, line("step ", (number.count(view.step), "strong"))))
    if view.lifecycle in ALIVE and math.isfinite(view.steps_per_second):
        pieces.append(_Piece(5, line(number.rate(view.steps_per_second))))
    pieces.append(_Piece(3, _checkpoint(view)))
    if view.checkpoint is not None and view.checkpoint.suspect and view.last_good is not None:
        pieces.append(_Piece(4, line("good ", (number.count(view.last_good.step), "ok"))))
    if view.paused_seconds >= 1:
        pieces.append(_Piece(7, line((f"held {number.duration(view.paused_seconds)}", "quiet"))))
    if view.lost:
        pieces.append(_Piece(6, line((f"▲ {number.count(view.lost)} lost", "amber"))))
    if _tells_where(frame):
        pieces.append(_Piece(2, line(("W", "key"), " where")))
    return _fitted(pieces, width)


def _tells_where(frame: Frame) -> bool:
    """Whether the run stands or ended where a stack was taken, or one can be."""
    view = frame.view
    return (view.lifecycle == "stalled" and frame.control) or (view.lifecycle in _SOMEWHERE and len(view.stacks) > 0)


def _state(frame: Frame, width: int) -> Line:
    room = max(14, width // 3)  # for the reason: the run's name keeps its place beside it, and the log tells the rest
    view, source = frame.view, frame.source
    if not source.complete and source.state != "unreachable":
        return line((f"◌ reading {max(0, min(100, round(100 * source.progress)))} %", "accent"))
    if source.state == "connecting":
        return line((f"◌ {source.detail or 'connecting'}", "quiet"))
    if source.state == "unreachable" and view.lifecycle in ALIVE:
        return line((f"▲ unreachable{f' {cut_text(source.detail, room)}' if source.detail else ''}", "amber"))
    if _nothing_written(view):
        return line(("◌ nothing written yet: the run has not begun", "quiet"))
    glyph, tone = LIFECYCLE[view.lifecycle]
    reason = "" if view.lifecycle in ("running", "starting", "paused", "finished") else view.reason
    if view.lifecycle == "killed":
        reason = f"({reason})" if reason else ""
    return line((f"{glyph} {view.lifecycle}{f' {cut_text(reason, room)}' if reason else ''}", tone))


def _nothing_written(view: View) -> bool:
    return view.run is None and not view.metrics and not view.marks


def _checkpoint(view: View) -> Line:
    saved = view.checkpoint
    if saved is None:
        return line(("no ckpt", "quiet"))
    word, tone = ("suspect", "amber") if saved.suspect else ("good", "ok") if saved.verified else ("not verified", "amber")
    return line("ckpt ", f"{number.count(saved.step)} ", (f"{'▲ ' if tone == 'amber' else ''}{word}", tone))  # type: ignore[arg-type]


_PARTICIPLES: dict[str, str] = {"sent": "requested", "requested": "requested", "accepted": "accepted"}


def said_of(asked: Asked) -> str:
    """A command on its way, in the words of the run."""
    if asked.state == "scheduled" and asked.step >= 0:
        return f"{asked.verb} at step {number.count(asked.step)}…"
    return f"{asked.verb} {_PARTICIPLES.get(asked.state, asked.state)}…"


def alarm_line(frame: Frame, width: int) -> Line:
    """The worst alarm, or that there is none, or that nothing could be judged yet."""
    alarms = frame.view.alarms
    if not alarms:
        return _calm(frame.view, width)
    return alarm_row(alarms[0], f"1 of {len(alarms)}", width)


def alarm_row(alarm: AlertView, place: str, width: int) -> Line:
    """One alarm on one line: severity, rule, target and finding; then its place among the others and the key that explains it."""
    word, tone = SEVERITIES.get(alarm.severity, ("● ok", "ok"))
    finding = f"{alarm.target}: {alarm.message}" if alarm.message else alarm.target
    state = "  cleared" if alarm.state == "cleared" else ""
    seen = "  seen" if alarm.acknowledged else ""
    whole: Tone = "alarm" if tone == "alarm" else "amber"
    detail: Tone = "alarm" if tone == "alarm" else "plain"
    left = line((f" {word}  ", whole), (f"{alarm.title}  ", whole), (f"{finding}{state}{seen}", detail))
    right = line((f"  {place}  ⏎ why ", detail)) if width >= 60 else ()
    row = ends(left, right, width)
    return tuple(span._replace(tone=detail) if span.text.isspace() else span for span in row)


def _calm(view: View, width: int) -> Line:
    judged = any(badge == "ok" for badge in (*(m.badge for m in view.metrics), *(p.badge for p in view.probes)))
    waiting = len(view.not_checked)
    right = line((f"{waiting} not checked{'' if view.over else ' yet'}  w why ", "quiet")) if waiting and width >= 60 else ()
    if shelved := sum(alert.stands for alert in view.alerts if alert.shelved_until):  # put aside is not well
        return ends(line((f" ◌ {number.count(shelved)} shelved", "plain"), ("  no other alarm  w which", "quiet")), right, width)
    if judged:
        return ends(line((" ● ok", "ok"), ("  no alarm", "quiet")), right, width)
    why = view.not_checked[0][2] if view.not_checked else "no rule has seen enough of the run"
    return ends(line((" ◌ not judged yet", "plain"), (f"  {why}", "quiet")), right, width)


def time_line(frame: Frame, width: int) -> Line:
    """That this is not now: a recording, or a live run looked back at."""
    head, view = frame.playhead, frame.view
    clock = f"{number.clock(head.time)} of {number.clock(head.end)}"
    symbol = "▶" if head.playing else "‖"
    if head.mode == "replay":
        begun = wall_time(view.run, 0.0)
        text = f" {symbol} replay {head.speed} · {clock}{f' · recorded {begun:%Y-%m-%d %H:%M}' if begun is not None else ''}"
    else:
        playing = f"▶ looking back {head.speed}" if head.playing else "◀ looking back"
        text = f" {playing} · {clock} · {'the run is over' if frame.newest.over else 'the run goes on'} · end returns to now"
    return tuple(span._replace(tone="mode") for span in fit(line((text, "mode")), width))


def age_text(frame: Frame) -> tuple[str, Tone]:
    """How old what is shown is. Live: `0.2 s ago` in the sketch; below a second it stands still as `< 1 s ago`. Looking back, how long
    before now the moment was; of a recording, when it was by the clock on the wall.
    """
    if frame.playhead.mode == "replay" or frame.source.state == "ended":
        begun, at = wall_time(frame.view.run, 0.0), wall_time(frame.view.run, frame.view.time)
        if begun is None or at is None:
            return ("recorded", "quiet")
        told = frame.playhead.mode == "replay" and begun.date() == at.date()  # the date stands in the first line
        return (f"at {at:%H:%M:%S}" if told else f"recorded {at:%Y-%m-%d %H:%M}", "quiet")
    if frame.playhead.mode == "back":
        return (f"as of {number.age(frame.playhead.end - frame.playhead.time + (frame.age or 0.0))}", "accent")
    if frame.age is None:
        return ("nothing heard yet", "quiet")
    way = "from the file, " if frame.source.state == "following" else ""
    if frame.age < 1:
        return (f"{way}< 1 s ago", "quiet")
    return (f"{way}{number.age(frame.age)}", "amber" if frame.age >= OLD else "quiet")
