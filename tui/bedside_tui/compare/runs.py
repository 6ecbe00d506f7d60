"""The runs of a comparison: each has a letter and a colour by which it is known everywhere, and a name that is no other's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from bedside_protocol.alerts.verdict import Verdict
from bedside_tui.draw.cells import Style
from bedside_tui.store.view import View

LETTERS: Final = "ABCDEFGHIJKLMNOP"
FEWEST: Final = 2
MOST: Final = len(LETTERS)
STYLES: Final[tuple[Style, ...]] = ("curve", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth")
"""Colours of the runs in order; from the ninth run on they come again, and only the letter tells."""


@dataclass(frozen=True, slots=True)
class Run:
    """One of the runs. `place` is its index among them."""

    place: int
    name: str
    view: View

    @property
    def letter(self) -> str:
        return LETTERS[self.place]

    @property
    def style(self) -> Style:
        return STYLES[self.place % len(STYLES)]

    @property
    def verdict(self) -> Verdict:
        """The worst that ever fired; unknown where no rule could judge."""
        severities = {alert.severity for alert in self.view.alerts if alert.state != "pending"}
        if severities & {"red", "amber"}:
            return "red" if "red" in severities else "amber"
        judged = "ok" in {*(metric.badge for metric in self.view.metrics), *(probe.badge for probe in self.view.probes)}
        return "ok" if judged else "unknown"


def lettered_runs(views: Sequence[View]) -> tuple[Run, ...]:
    """The runs in this order, named as shortly as tells them apart. Raises `ValueError` for more than `MOST`."""
    if len(views) > MOST:
        raise ValueError(f"{len(views)} runs: at most {MOST} can be told apart")
    return tuple(Run(place, name, view) for place, (name, view) in enumerate(zip(_names(views), views, strict=True)))


def _names(views: Sequence[View]) -> list[str]:
    """Names; with the project where there are several, with the id where both are the same."""
    runs = [view.run for view in views]
    several = len({run.project for run in runs if run is not None}) > 1
    names = [
        "" if run is None else "/".join(part for part in ((run.project if several else ""), run.name) if part) or run.id for run in runs
    ]
    return [
        name if name and names.count(name) == 1 else (run.id if run is not None and run.id else f"run {LETTERS[place]}")
        for place, (name, run) in enumerate(zip(names, runs, strict=True))
    ]
