"""Which panel shows which kind of probe, and the head that is the same on all of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeAlias

from rich.cells import cell_len

from bedside_tui.draw import number
from bedside_tui.store.view import ProbeView
from bedside_tui.theme import Tone
from bedside_tui.widgets.frame import Frame
from bedside_tui.widgets.lines import Line, filled, fit, line, rule, width_of
from bedside_tui.widgets.panels import activity, codebook, gradients, measures, rollouts, samples, shares, verdicts
from bedside_tui.widgets.panels.default import default_panel
from bedside_tui.widgets.status import BADGES

Panel: TypeAlias = Callable[[ProbeView, Frame, int, int], list[Line]]
"""Draws a probe that has a snapshot for a place of so many cells and lines; raises for nothing that is in a snapshot."""

Piece: TypeAlias = tuple[str, Tone]

PANELS: Mapping[str, Panel] = {
    "activations": activity.activations_panel,
    "attention": activity.attention_panel,
    "class_balance": shares.class_balance_panel,
    "codebook": codebook.codebook_panel,
    "contribution": measures.contribution_panel,
    "distribution": shares.distribution_panel,
    "divergence": measures.divergence_panel,
    "gradients": gradients.gradients_panel,
    "parameter": measures.parameter_panel,
    "per_index": shares.per_index_panel,
    "preflight": verdicts.preflight_panel,
    "ratio": measures.ratio_panel,
    "rollout": rollouts.rollout_panel,
    "samples": samples.samples_panel,
    "schedule": measures.schedule_panel,
    "sensitivity": rollouts.sensitivity_panel,
    "similarity": measures.similarity_panel,
    "structure": gradients.structure_panel,
    "success": measures.success_panel,
}
"""By kind; any other has the default panel."""


def panel_of(probe: ProbeView, frame: Frame, width: int, height: int) -> list[Line]:
    """The panel of a probe with its head, exactly `height` lines."""
    return filled([head_of(probe, width), *body_of(probe, frame, width, height - 1)], height)


def body_of(probe: ProbeView, frame: Frame, width: int, height: int) -> list[Line]:
    """The panel without its head; before the first measurement, what it waits for."""
    if probe.snapshot is None:
        return [(), fit(line((f"   {waiting_for(probe)}", "quiet")), width)][: max(0, height)]
    drawn = PANELS.get(probe.kind, default_panel)(probe, frame, width, height)[: max(0, height)]
    return [fit(row, width) if width_of(row) > width else row for row in drawn]


def head_of(probe: ProbeView, width: int, place: str = "", age: Piece = ("", "quiet")) -> Line:
    """Name and sizes on the left; verdict, schedule and cost, and the age of the data: of these the cost goes first."""
    title = probe_title(probe) + place
    room = width - cell_len(title) - 9
    right = next((line_ for pieces in _ends(probe, age) if width_of(line_ := _joined(pieces)) <= room), _joined([verdict_of(probe)]))
    return rule(title, width, right)


def _ends(probe: ProbeView, age: Piece) -> Iterator[list[Piece]]:
    """What the head may end in, the fullest first. That no rule judges a probe is said only where there is room for it."""
    said, told = verdict_of(probe), cost_of(probe)
    cost: Piece = (told, "quiet")
    shorter: Piece = (told.removesuffix(" of a step"), "quiet")
    every: Piece = (told.partition(" · ")[0], "quiet")
    yield [said, cost, age]
    if probe.badge == "none" and not probe.not_checked:
        yield from ([cost, age], [shorter, age], [every, age], [age])
    else:
        yield from ([said, shorter, age], [said, every, age], [said, age])


def _joined(pieces: Sequence[Piece]) -> Line:
    there = [piece for piece in pieces if piece[0]]
    divider: Piece = (" ─ ", "rule")
    return line(*(part for at, piece in enumerate(there) for part in ((divider, piece) if at else (piece,))))


def probe_title(probe: ProbeView) -> str:
    """Name, kind where that is another, and sizes: `vq · 512 codes · window of 10,240`."""
    kind = probe.kind.replace("_", " ")
    parts = [probe.name] if probe.name in (probe.kind, kind) or probe.kind == "codebook" else [probe.name, kind]
    if probe.kind == "codebook":
        window = probe.snapshot.scalars.get("window") if probe.snapshot is not None else None
        size = probe.settings.get("size")
        parts += [f"{number.count(float(size))} codes"] if isinstance(size, int | float) else []
        parts += [f"window of {number.count(window)}"] if window is not None else []
    elif probe.snapshot is not None:
        parts.append(f"step {number.count(probe.snapshot.step)}")
    return " · ".join(parts)


def cost_of(probe: ProbeView) -> str:
    """Its schedule and what it takes: `every 50 · cost 0.2 % of a step`."""
    said = [f"every {number.count(probe.every)}"] if probe.every > 0 else []
    said += [f"cost {number.percent(probe.cost)} of a step"] if math.isfinite(probe.cost) else []
    return " · ".join(said)


def verdict_of(probe: ProbeView) -> tuple[str, Tone]:
    """What the rules say of it, for the end of its head."""
    glyph, tone = BADGES[probe.badge]
    words = {"red": "red", "amber": "amber", "ok": "ok", "pending": "pending", "none": probe.not_checked or "no rule judges it"}
    return f"{glyph} {words[probe.badge]}".strip(), tone


def waiting_for(probe: ProbeView) -> str:
    """Why a probe has nothing to show."""
    every = f"every {number.count(probe.every)} steps" if probe.every > 0 else "when it is asked"
    return probe.not_checked or f"declared, not measured yet: {every}"
