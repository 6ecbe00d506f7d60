"""Metrics as one picture: a panel each over steps, with lows and highs, values that are no number, and where alarms fired.

A history is reduced to columns as it is on screens, so a panel is as large for ten million points as for a hundred. Drawn for white paper.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final
from xml.sax.saxutils import escape

import numpy as np
from numpy.typing import NDArray

from bedside_protocol.columns import Columns
from bedside_protocol.records import AlertChanged, Metrics, Severity
from bedside_protocol.sanitise import text as safe
from bedside_protocol.series import Series
from bedside_tui.draw import number

MOST_PANELS: Final = 60
_WIDTH, _LEFT, _RIGHT = 900, 80, 20
_HEAD, _TOP, _PLOT, _BELOW = 44, 22, 110, 28
_PANEL: Final = _TOP + _PLOT + _BELOW
_INNER: Final = _WIDTH - _LEFT - _RIGHT
_COLUMNS: Final = _INNER // 2
_LINE, _BAND, _FRAME = "#1f5fa8", "#bcd3ee", "#bbbbbb"
_COLOURS: Final[dict[Severity, str]] = {"red": "#c62828", "amber": "#e09000"}
_STYLE: Final = "text{font:12px sans-serif;fill:#222222}.n{text-anchor:end}.b{font-weight:bold}"


class Drawing:
    """What is to be drawn, gathered block by block."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._histories: dict[str, Series] = {}
        self._alarms: dict[str, list[tuple[int, Severity]]] = {}
        self.left_out: set[str] = set()
        """Metrics after the first `MOST_PANELS`."""

    def __repr__(self) -> str:
        return f"<Drawing of {len(self._histories)} metrics>"

    def __len__(self) -> int:
        """Panels."""
        return len(self._histories)

    def take(self, block: Metrics) -> None:
        """More values of some metrics."""
        for name, row in zip(block.names, block.values, strict=True):
            if name in self._histories or len(self) < MOST_PANELS:
                self._histories.setdefault(name, Series()).extend(block.steps, block.times, row)
            else:
                self.left_out.add(name)

    def mark(self, change: AlertChanged) -> None:
        """An alarm has changed: where it fires, its metric's panel has a mark."""
        if change.state == "firing" and change.severity:
            self._alarms.setdefault(change.target, []).append((change.step, change.severity))

    def lines(self) -> Iterator[str]:
        """The file, line by line."""
        height = _HEAD + _PANEL * len(self)
        yield f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" viewBox="0 0 {_WIDTH} {height}">'
        yield f"<style>{_STYLE}</style>"
        yield f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>'
        yield _text(_LEFT, 26, self._title, "b")
        for place, (name, series) in enumerate(self._histories.items()):
            yield f'<g transform="translate({_LEFT} {_HEAD + place * _PANEL})">'
            yield from _panel(name, series, self._alarms.get(name, ()))
            yield "</g>"
        yield "</svg>"


class _Scale:
    """Where columns and values lie in a panel: pixels from its upper left corner."""

    def __init__(self, columns: Columns) -> None:
        there = columns.count > 0
        self.low = float(columns.low[there].min()) if there.any() else 0.0
        self.high = float(columns.high[there].max()) if there.any() else 1.0
        self._start = float(columns.start[0]) if len(columns) else 0.0
        self._end = float(columns.start[-1]) + columns.span if len(columns) else 1.0

    def __repr__(self) -> str:
        return f"<_Scale {self.low:g} to {self.high:g}>"

    def x(self, steps: NDArray[np.float64]) -> NDArray[np.float64]:
        return (steps - self._start) / (self._end - self._start) * _INNER

    def y(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        half = self.high / 2 - self.low / 2  # a difference of two may overflow
        share = (values / 2 - self.low / 2) / half if half > 0 else np.full(values.shape, 0.5)
        return _TOP + _PLOT * (1 - share)


def _panel(name: str, series: Series, alarms: Sequence[tuple[int, Severity]]) -> Iterator[str]:
    history = series.history()
    columns = history.columns(_COLUMNS)
    scale = _Scale(columns)
    middle = scale.x(columns.start + columns.span / 2)
    yield f'<rect y="{_TOP}" width="{_INNER}" height="{_PLOT}" fill="none" stroke="{_FRAME}"/>'
    yield _text(0, _TOP - 6, f"{name} · {number.value(history.last[2])}", "b")
    yield _text(-6, _TOP + 10, number.value(scale.high), "n")
    yield _text(-6, _TOP + _PLOT, number.value(scale.low), "n")
    yield _text(0, _TOP + _PLOT + 15, number.count(int(history.steps.min())))
    yield _text(_INNER, _TOP + _PLOT + 15, f"step {number.count(int(history.steps.max()))}", "n")
    for part in _stretches(columns):
        low, high = (_points(middle[part], scale.y(side[part])) for side in (columns.low, columns.high))
        yield f'<polygon points="{" ".join([*high, *reversed(low)])}" fill="{_BAND}" stroke="{_BAND}"/>'
        yield f'<polyline points="{" ".join(_points(middle[part], scale.y(columns.mean[part])))}" fill="none" stroke="{_LINE}"/>'
    for x in middle[columns.bad]:
        yield f'<path d="M{x:.1f} {_TOP}v6" stroke="{_COLOURS["red"]}"><title>not a finite number</title></path>'
    steps = np.array([step for step, _ in alarms], np.float64)
    for x, (step, severity) in zip(scale.x(steps), alarms, strict=True):
        if 0 <= x <= _INNER:
            yield f'<path d="M{x:.1f} {_TOP}v{_PLOT}" stroke="{_COLOURS[severity]}"><title>{severity} at step {step:,}</title></path>'


def _stretches(columns: Columns) -> list[NDArray[np.int64]]:
    """The columns that hold values, cut where the run went back to a checkpoint."""
    there = np.flatnonzero(columns.count > 0)
    cuts = np.flatnonzero(columns.breaks[there])
    return [part for part in np.split(there, cuts) if part.size]


def _points(x: NDArray[np.float64], y: NDArray[np.float64]) -> list[str]:
    return [f"{across:.1f},{down:.1f}" for across, down in zip(x.tolist(), y.tolist(), strict=True)]


def _text(x: int, y: int, words: str, style: str = "") -> str:
    return f'<text x="{x}" y="{y}" class="{style}">{escape(safe(words))}</text>'
