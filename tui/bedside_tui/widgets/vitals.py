"""The small vitals: probes, the machine, and what a row of each says. Numbers come from the view, places are fixed, units are said once."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from bedside_protocol.metrics import unit_of
from bedside_tui.draw import number
from bedside_tui.store.view import ProbeView, View
from bedside_tui.widgets.lines import Line, Span, fit, line, pad, pad_left
from bedside_tui.widgets.status import BADGES

_GPU = re.compile(r"gpu(\d+)_percent")


def system_line(system: Mapping[str, float], width: int) -> Line:
    """The machine in one line: `cpu 182 %  memory 1.2 of 24 GB  gpu none  data wait 3 %  step 7.0 ms p95 9`."""
    if not system:
        return line(("   nothing measured yet: the agent reads the machine once a second", "quiet"))
    spans: list[Span] = [Span("   ")]
    for name, text in _system_pieces(system):
        spans += [Span(f"{name} ", "quiet"), Span(f"{text}  ")]
    return fit(tuple(spans), width)


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


def probe_row(probe: ProbeView, width: int) -> Line:
    """One probe in a row: badge, name, and its three numbers in columns."""
    glyph, tone = BADGES[probe.badge]
    name = pad(probe.name, min(14, max(8, width // 6)))
    row = line(" ", (glyph, tone), f" {name} ")
    if probe.snapshot is None:
        return fit((*row, Span(waiting_for(probe), "quiet")), width)
    columns = _PROBE_COLUMNS.get(probe.kind, _scalars)(probe)
    tail = probe.not_checked if probe.badge in ("none", "pending") else ""
    spans = list(row)
    for place, (text, cells) in enumerate(columns):
        spans.append(Span(pad(text, cells) + "  ", "strong" if place == 0 and tone in ("red", "amber") else "plain"))
    return fit((*spans, Span(tail, "quiet")), width)


def waiting_for(probe: ProbeView) -> str:
    """Why a probe has nothing to show."""
    return probe.not_checked or f"declared, not measured yet: every {number.count(probe.every)} steps"


def scalar(probe: ProbeView, name: str) -> float | None:
    """A scalar of the newest snapshot, None where it has none."""
    return probe.snapshot.scalars.get(name) if probe.snapshot is not None else None


def codebook_size(probe: ProbeView) -> int:
    """How many codes there are, by declaration or measurement; 0 where neither says."""
    for size in (probe.settings.get("size"), scalar(probe, "size")):
        if isinstance(size, int | float) and math.isfinite(size) and size > 0:
            return int(size)
    return 0


def _codebook(probe: ProbeView) -> list[tuple[str, int]]:
    used, size = scalar(probe, "used"), codebook_size(probe)
    return [
        (f"{pad_left(number.count(used), len(number.count(size)))}/{number.count(size)} used", 16),
        (f"perplexity {number.count(scalar(probe, 'perplexity'))}", 17),
        (f"dead {number.count(scalar(probe, 'dead'))}", 12),
    ]


def _gradients(probe: ProbeView) -> list[tuple[str, int]]:
    snapshot = probe.snapshot
    texts = snapshot.texts if snapshot is not None else {}
    idle = len(texts.get("none", ())) + len(texts.get("zero", ()))
    unowned = len(texts.get("unowned", ()))
    learning = f"{idle} without gradient" if idle else f"{unowned} in no optimizer" if unowned else "all learning"
    array = snapshot.arrays.get("layer_norm") if snapshot is not None else None
    largest = ""
    if array is not None and array.values.size:
        flat = array.values.reshape(-1).astype(float)
        finite = [value if math.isfinite(value) else -math.inf for value in flat.tolist()]
        at = max(range(len(finite)), key=finite.__getitem__)
        label = array.labels[at] if at < len(array.labels) else f"layer {at}"
        largest = f"largest {label}  {number.value(float(flat[at]))}"
    tensors = scalar(probe, "tensors")
    return [(f"{number.count(tensors)} tensors" if tensors is not None else "", 16), (learning, 17), (largest, 30)]


def _samples(probe: ProbeView) -> list[tuple[str, int]]:
    step = number.count(probe.snapshot.step) if probe.snapshot is not None else "—"
    ratios = [value for name, value in probe.snapshot.scalars.items() if name.startswith("psnr/")] if probe.snapshot is not None else []
    return [("target → made", 16), (f"psnr {number.value(ratios[0])} dB" if ratios else "", 17), (f"step {step}", 12), ("i look", 8)]


def _scalars(probe: ProbeView) -> list[tuple[str, int]]:
    scalars = probe.snapshot.scalars if probe.snapshot is not None else {}
    return [(f"{name} {number.value(value)}", 17) for name, value in list(scalars.items())[:3]]


_PROBE_COLUMNS = {"codebook": _codebook, "gradients": _gradients, "samples": _samples}
