"""The small vitals: probes, the machine, and what a row of each says. Numbers come from the view, places are fixed, units are said once."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from bedside_protocol.metrics import unit_of
from bedside_tui.draw import number
from bedside_tui.store.view import ProbeView, View
from bedside_tui.widgets.figures import CELLS, figures_of
from bedside_tui.widgets.lines import Line, Span, cut_text, fit, line, pad, width_of
from bedside_tui.widgets.probe_panels import waiting_for
from bedside_tui.widgets.status import BADGES

_GPU = re.compile(r"gpu(\d+)_percent")


def system_line(system: Mapping[str, float], width: int) -> Line:
    """The machine in one line: `cpu 182 %  memory 1.2 of 24 GB  gpu none  data wait 3 %  step 7.0 ms p95 9`."""
    if not system:
        return line(("   nothing measured yet: the agent reads the machine once a second", "quiet"))
    row = line("  ")
    for name, text in _system_pieces(system):
        longer = (*row, Span(f" {name} ", "quiet"), Span(f"{text} "))
        if width_of(longer) > width and len(row) > 1:
            break
        row = longer
    return fit(row, width)


def _system_pieces(system: Mapping[str, float]) -> list[tuple[str, str]]:
    pieces = []
    if (cpu := system.get("cpu_percent")) is not None:
        pieces.append(("cpu", f"{number.count(cpu)} %"))
    if (memory := system.get("memory")) is not None:
        total = system.get("memory_total")
        pieces.append(("memory", number.of(memory, total) if total else number.size(memory)))
    gpus = sorted(int(found[1]) for name in system if (found := _GPU.fullmatch(name)))
    for gpu in gpus[:4]:
        used, total = system.get(f"gpu{gpu}_memory"), system.get(f"gpu{gpu}_memory_total")
        load = f"{number.count(system[f'gpu{gpu}_percent'])} %"
        pieces.append((f"gpu{gpu}" if len(gpus) > 1 else "gpu", f"{load} {number.of(used, total)}" if used and total else load))
    if not gpus:
        pieces.append(("gpu", "none"))
    if (wait := system.get("data_wait")) is not None:
        pieces.append(("data wait", f"{number.count(wait * 100)} %"))
    if (step := system.get("step_ms")) is not None:
        text, p95 = number.milliseconds(step / 1e3), system.get("step_ms_p95")
        slow = number.milliseconds(p95 / 1e3).removesuffix(" ms") if p95 is not None else ""
        pieces.append(("step", f"{text} p95 {slow}" if slow else text))
    known = {"cpu_percent", "memory", "memory_total", "memory_available", "data_wait", "step_ms", "step_ms_p95"}
    others = [name for name in system if name not in known and not name.startswith("gpu")]
    return pieces + [(name.replace("_", " "), f"{number.value(system[name])} {unit_of(name)}".rstrip()) for name in sorted(others)]


def probe_cost(view: View) -> str:
    """What the probes take of a step, for the head of their panel."""
    return f"cost {number.percent(view.probe_cost)} of a step" if math.isfinite(view.probe_cost) else ""


_REASON = 16
"""Cells in which a reason begins to say something."""


def probe_row(probe: ProbeView, width: int) -> Line:
    """One probe in a row: badge, name, its three figures in columns, and why it is not judged where there is room to say it."""
    glyph, tone = BADGES[probe.badge]
    name = pad(probe.name, min(14, max(8, width // 6)))
    row = line(" ", (glyph, tone), f" {name} ")
    if probe.snapshot is None:
        return fit((*row, Span(waiting_for(probe), "quiet")), width)
    tail = probe.not_checked if probe.badge in ("none", "pending") else ""
    spans = list(row)
    for place, text in enumerate(figures_of(probe)):
        cells = CELLS[min(place, 2)]
        spans.append(Span(f"{pad(text, cells)}  ", "strong" if place == 0 and tone in ("red", "amber") else "plain"))
    room = width - width_of(tuple(spans))
    return fit((*spans, Span(cut_text(tail, room), "quiet")) if room >= _REASON else tuple(spans), width)
