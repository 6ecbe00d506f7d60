"""The screens of probes: the codebook, the model's layers, the samples. One probe of the kind at a time, `j` and `k` for the next."""

from __future__ import annotations

from typing import ClassVar, cast

from bedside_tui.draw import number
from bedside_tui.keys import Where
from bedside_tui.screens.base import RunScreen
from bedside_tui.widgets.frame import Frame
from bedside_tui.widgets.lines import Line, line, rule
from bedside_tui.widgets.probe_panels import PANELS, probe_title, scalars_panel, verdict_of
from bedside_tui.widgets.status import age_text
from bedside_tui.widgets.vitals import waiting_for


class ProbeScreen(RunScreen):
    """A probe's panel on the whole screen. Subclasses say which kind, and what to write in a script that has none."""

    where: ClassVar[tuple[Where, ...]] = ("lists",)
    kind: ClassVar[str] = ""
    how: ClassVar[tuple[str, ...]] = ()

    def body(self, frame: Frame, width: int, height: int) -> list[Line]:
        probes = [probe for probe in frame.view.probes if probe.kind == self.kind and self.passes(probe.name)]
        chosen = cast("str | None", self.choice.offer([probe.name for probe in probes]))
        probe = next((probe for probe in probes if probe.name == chosen), None)
        if probe is None:
            return [self.heading(frame, self.kind, width), *self.empty(*self.how)]
        place = f"  {number.ordinal(self.choice.place + 1, len(probes))}" if len(probes) > 1 else ""
        said, tone = verdict_of(probe)
        age, age_tone = age_text(frame)
        right = line((said, tone), (" ─ ", "rule"), (age, age_tone))
        head = rule(probe_title(probe) + place, width, right)
        if probe.snapshot is None:
            return [head, *self.empty(waiting_for(probe))]
        return [head, *PANELS.get(self.kind, scalars_panel)(probe, frame, width, height - 1)]

    def action_open(self) -> None:
        """A probe's alarm, where it has one."""
        self.viewer.open_alarm_of(cast("str | None", self.choice.chosen))


class CodebookScreen(ProbeScreen):
    """Usage, perplexity, dead codes; sorted and over time."""

    where = ("lists", "codebook")
    kind = "codebook"
    how = ('no codebook is observed: `codes = run.probe(bedside.Codebook("vq", size=512))`', "and at each step: `codes.observe(indices)`")


class ModelScreen(ProbeScreen):
    """Gradient and update of each layer."""

    where = ("lists", "model")
    kind = "gradients"
    how = ("no model is watched: `run.watch(model, optimizer)`",)


class SamplesScreen(ProbeScreen):
    """What the model makes of its targets."""

    where = ("lists", "samples")
    kind = "samples"
    how = ("no samples in this run", "a probe of kind samples shows its targets beside their reconstructions here")
