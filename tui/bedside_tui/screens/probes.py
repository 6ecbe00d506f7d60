"""The screens of probes: the codebooks, the samples, and everything else that is measured inside the model.

One probe at a time below a line of tabs; on a wide terminal beside a list of all of them. `j`, `k` and `tab` choose.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, cast

from bedside_protocol.commands import is_over
from bedside_tui.draw import number
from bedside_tui.draw.chart import reads
from bedside_tui.keys import Where
from bedside_tui.screens.base import RunScreen
from bedside_tui.store.history import History
from bedside_tui.store.view import ProbeView, View
from bedside_tui.widgets.choice import window
from bedside_tui.widgets.curves import CurveCache, curve_panel
from bedside_tui.widgets.figures import figures_of, lead_of
from bedside_tui.widgets.frame import Frame
from bedside_tui.widgets.lines import Line, beside, filled, fit, line, pad, rule, select
from bedside_tui.widgets.probe_panels import body_of, head_of
from bedside_tui.widgets.rows import Look
from bedside_tui.widgets.status import BADGES, age_text
from bedside_tui.widgets.tabs import Tab, tabs

WIDE = 120
"""Columns from which the list of probes stands beside the panel."""

LIST = 38
"""Cells of that list."""

SPARE, CHART = 12, 20
"""Rows that must be left for a chart below a panel, and rows it takes at most."""

OWN_SCREEN: dict[str, str] = {"codebook": "codebook", "samples": "samples"}
"""Kinds that have a screen to themselves; all others are on the model's."""


def screen_of(kind: str) -> str:
    """The name of the screen that shows a kind of probe."""
    return OWN_SCREEN.get(kind, "model")


class ProbeScreen(RunScreen):
    """The probes of some kinds. Subclasses have their name in `where`, and say what to write in a script that has none."""

    where: ClassVar[tuple[Where, ...]] = ("lists", "cursor", "probes")
    shows: ClassVar[str] = ""
    how: ClassVar[tuple[str, ...]] = ()

    def __init__(self, look: Look) -> None:
        super().__init__(look)
        self._cache = CurveCache()

    def body(self, frame: Frame, width: int, height: int) -> list[Line]:
        probes = [probe for probe in frame.view.probes if screen_of(probe.kind) == self.shows and self.passes(probe.name, probe.kind)]
        chosen = cast("str | None", self.choice.offer([probe.name for probe in probes]))
        probe = next((probe for probe in probes if probe.name == chosen), None)
        if probe is None:
            why = ("no probe contains this text; esc shows all",) if self.filter else self.how
            return [self.heading(frame, self.shows, width), *self.empty(*why)]
        if len(probes) > 1 and width >= WIDE:
            listed = filled(self._list(frame, probes, probe, height), height)
            return beside(listed, self._panel(frame, probe, width - LIST - 1, height), LIST)
        above = [tab_line(probes, self.choice.place, width)] if len(probes) > 1 and height >= 6 else []
        place = f" · {number.ordinal(self.choice.place + 1, len(probes))}" if len(probes) > 1 else ""
        return [*above, *self._panel(frame, probe, width, height - len(above), place)]

    def _panel(self, frame: Frame, probe: ProbeView, width: int, height: int, place: str = "") -> list[Line]:
        """The probe's panel, and below it the chart of its leading number where there is room to spare."""
        if frame.cursor is not None:
            place += f" · ┃ {frame.cursor.said if width >= WIDE else f'step {number.count(frame.cursor.at.step)}'}"
        lines = [head_of(probe, width, place, age_text(frame)), *body_of(probe, frame, width, height - 1)]
        room = height - len(lines) - 1
        self.across = reads(width)
        lead = lead_of(probe)
        if room < SPARE or lead is None:
            return lines
        return [*lines, (), *curve_panel(frame, [lead], width, min(room, CHART), cache=self._cache)]

    def _list(self, frame: Frame, probes: Sequence[ProbeView], chosen: ProbeView, height: int) -> list[Line]:
        """Badge, name and the leading figure of each."""
        first = window(len(probes), self.choice.place, height - 1)
        with_filter = f" · with “{self.filter}”" if self.filter else ""
        rows = [rule(f"{number.count(len(probes))} probes{with_filter}", LIST)]
        for probe in probes[first : first + height - 1]:
            row = fit(list_row(probe), LIST)
            rows.append(select(row, LIST) if probe is chosen else row)
        return rows

    def charted(self, view: View) -> History | None:
        probe = view.probe(str(self.choice.chosen))
        lead = lead_of(probe) if probe is not None else None
        return lead.history if lead is not None else super().charted(view)

    def action_panel(self, panels: int) -> None:
        """The next probe, from the last to the first."""
        before = self.choice.chosen
        self.choice.move(panels)
        if self.choice.chosen == before:
            self.choice.move(-1_000_000 * panels)
        self.viewer.redraw()

    def action_open(self) -> None:
        """A probe's alarm, where it has one."""
        self.viewer.open_alarm_of(cast("str | None", self.choice.chosen))

    def action_measure(self) -> None:
        """Have the chosen probe measured at the next step."""
        if self.choice.chosen is None:
            self.viewer.say("no probe here to measure", "quiet")
        else:
            self.viewer.ask_run("snapshot", {"probe": str(self.choice.chosen)})

    def action_rate(self, factor: float) -> None:
        """Have it measured so many times as often."""
        newest = self.viewer.viewing.store.at(None)
        probe = newest.probe(str(self.choice.chosen))
        every = rate_asked(newest, probe) if probe is not None else 0
        if probe is None or every < 1:
            self.viewer.say("no probe here with a rate to change", "quiet")
        elif every == 1 and factor > 1:
            self.viewer.say(f"{probe.name} is measured at every step already", "quiet")
        else:
            self.viewer.ask_run("rate", {"probe": probe.name, "every": max(1, round(every / factor))})


def rate_asked(view: View, probe: ProbeView) -> int:
    """Steps between two measurements: as last asked for and not yet answered, or as the probe declared."""
    for command in view.commands:
        every = command.arguments.get("every")
        if (
            command.verb == "rate"
            and command.arguments.get("probe") == probe.name
            and not is_over(command.state)
            and isinstance(every, int)
        ):
            return every
    return probe.every


def list_row(probe: ProbeView) -> Line:
    """` ● rollout        91 % lost`."""
    glyph, tone = BADGES[probe.badge]
    figures = figures_of(probe) if probe.snapshot is not None else []
    return line(" ", (glyph, tone), f" {pad(probe.name, 15)} ", (figures[0] if figures else "not measured yet", "quiet"))


def tab_line(probes: Sequence[ProbeView], place: int, width: int) -> Line:
    """` ● gradients  ✖ rollout  …`, the chosen one marked."""
    return tabs([_tab(probe) for probe in probes], place, width)


def _tab(probe: ProbeView) -> Tab:
    glyph, tone = BADGES[probe.badge]
    return Tab(pad(probe.name, min(len(probe.name), 20)), glyph if glyph.strip() else "", tone)


class CodebookScreen(ProbeScreen):
    """Usage, perplexity, dead codes; sorted and over time."""

    where = ("lists", "cursor", "probes", "codebook")
    shows = "codebook"
    how = ('no codebook is observed: `codes = run.probe(bedside.Codebook("vq", size=512))`', "and at each step: `codes.observe(indices)`")


class ModelScreen(ProbeScreen):
    """Gradients, attention, activations, rollouts and whatever else is measured inside."""

    where = ("lists", "cursor", "probes", "model")
    shows = "model"
    how = ("no model is watched: `run.watch(model, optimizer)`", "and other quantities: `run.probe(bedside.Attention(…))`")


class SamplesScreen(ProbeScreen):
    """What the model makes of its targets."""

    where = ("lists", "cursor", "probes", "samples")
    shows = "samples"
    how = ("no samples in this run", "a probe of kind samples shows its targets beside what the model made of them")
