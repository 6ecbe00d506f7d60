"""What is compared: bedside's own engine, and the rules people write instead, on the same records.

A baseline looks at the losses the training follows, and says of every value whether it alarms. What it says then is red, for it knows one
severity; and one alarm is one episode: it ends after `QUIET` values without an alarm. bedside's episodes are its engine's, which end by
the rules' own `keep_firing_for`: they are not merged, for a rule that chatters is to be seen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from bedside_protocol.alerts.defaults import DEFAULT_RULES
from bedside_protocol.alerts.engine import Engine
from bedside_protocol.alerts.rules import Rule

from .curve import Curve, curves
from .model import Alarm, Run

QUIET: Final = 50
"""Values."""

Flags: TypeAlias = NDArray[np.bool_]
"""(n,), one for each value of a curve."""


@dataclass(frozen=True, slots=True)
class Bedside:
    """The engine over the records: an alarm where a rule begins to fire, with the severity it has then, and one more where it turns red."""

    name: str = "bedside"
    rules: Sequence[Rule] = field(default=DEFAULT_RULES, repr=False)
    timely: bool = True

    def judge(self, run: Run) -> list[Alarm]:
        engine = Engine(self.rules)
        said: dict[tuple[str, str, int, str], Alarm] = {}
        for record in run.records():
            for change in engine.observe(record):
                if change.state == "firing" and change.severity:
                    alarm = Alarm(change.step, change.severity, change.rule, change.target, change.episode)
                    said.setdefault((change.rule, change.target, change.episode, change.severity), alarm)
        return sorted(said.values(), key=lambda alarm: alarm.step)


@dataclass(frozen=True, slots=True)
class Baseline:
    """A rule over the values of one loss. `about`: its definition, and where it is published."""

    name: str
    about: str
    flags: Callable[[Curve], Flags]
    timely: bool = True

    def judge(self, run: Run) -> list[Alarm]:
        found = [
            Alarm(int(curve.steps[place]), "red", target=name)
            for name, curve in curves(run.records()).items()
            for place in episodes(self.flags(curve))
        ]
        return sorted(found, key=lambda alarm: alarm.step)


def episodes(flags: Flags) -> list[int]:
    """The places at which episodes begin."""
    places = np.flatnonzero(flags)
    if not places.size:
        return []
    return [int(places[0]), *places[1:][np.diff(places) > QUIET].tolist()]


def not_finite(curve: Curve) -> Flags:
    return ~np.isfinite(curve.values)


_ROWS: Final = 8192
"""Windows looked at at once: 8 MiB of them."""


def sigmas(curve: Curve, factor: float, window: int = 128) -> Flags:
    """Whether a value is not below `factor` standard deviations (of a sample) above the mean of the `window` finite or not before it; what
    is not finite counts in neither. From half a window on."""
    finite = np.where(np.isfinite(curve.values), curve.values, np.nan)
    before = np.concatenate([np.full(window, np.nan), finite[:-1]])
    flags = np.zeros(len(curve), bool)
    for begin in range(window // 2 - 1, len(curve), _ROWS):
        end = min(begin + _ROWS, len(curve))
        windows = np.lib.stride_tricks.sliding_window_view(before[begin : end + window - 1], window)
        with np.errstate(invalid="ignore", over="ignore"):
            flags[begin:end] = ~(finite[begin:end] <= _mean(windows) + factor * _deviation(windows))
    return flags


def _mean(windows: NDArray[np.float64]) -> NDArray[np.float64]:
    count = np.maximum(1, np.isfinite(windows).sum(axis=1))
    return np.asarray(np.nansum(windows, axis=1) / count, np.float64)


def _deviation(windows: NDArray[np.float64]) -> NDArray[np.float64]:
    """NaN of fewer than two values, and no value is below that."""
    count = np.isfinite(windows).sum(axis=1)
    squares = np.nansum((windows - _mean(windows)[:, None]) ** 2, axis=1)
    return np.where(count > 1, np.sqrt(squares / np.maximum(1, count - 1)), np.nan)


def z_score(curve: Curve, threshold: float = 2.5, alpha: float = 0.97, warm_up: int = 25) -> Flags:
    """Whether a value is more than `threshold` deviations above an exponential mean, both begun with `warm_up` values; they then follow
    what the value is clipped to. What is not finite is neither judged nor followed."""
    flags = np.zeros(len(curve), bool)
    places = np.flatnonzero(np.isfinite(curve.values))
    values = curve.values[places]
    if len(values) <= warm_up:
        return flags
    mean, variance = float(values[:warm_up].mean()), float(values[:warm_up].var())
    for place, value in zip(places[warm_up:].tolist(), values[warm_up:].tolist(), strict=True):
        deviation = variance**0.5
        z = (value - mean) / (deviation + 1e-6)
        if z > threshold:
            flags[place] = True
            value = mean + threshold**2 * deviation / z
        mean = alpha * mean + (1 - alpha) * value
        variance = alpha * variance + (1 - alpha) * (value - mean) ** 2
    return flags


def not_decreasing(curve: Curve, num_steps: int = 10, diff_percent: float = 0.1) -> Flags:
    """Every `num_steps` steps, at the next step with a value: whether it is not `diff_percent` below the newest value at least `num_steps`
    steps back."""
    flags = np.zeros(len(curve), bool)
    steps, values = curve.steps.tolist(), curve.values.tolist()
    checked, back = steps[0], 0
    for place, step in enumerate(steps):
        if step < checked + num_steps:
            continue
        checked = step
        while steps[back + 1] <= step - num_steps:
            back += 1
        fallen = values[back] - values[place]
        flags[place] = not fallen >= abs(values[back]) * diff_percent / 100
    return flags


BASELINES: Final = (
    Baseline("NaN only", "a loss that is not finite", not_finite),
    Baseline(
        "3 sigma",
        "above the mean of the last 128 values by 3 of their standard deviations, from 64 values on: a rule of thumb",
        lambda curve: sigmas(curve, 3.0),
    ),
    Baseline(
        "6 sigma of 128",
        "the same by 6: at such a loss OLMo-core's SkipStepOptimizer skips the step (defaults: 128 values, factor 6)",
        lambda curve: sigmas(curve, 6.0),
    ),
    Baseline(
        "z > 2.5, EMA",
        "the z-score of ZClip (arXiv 2504.02507; alpha 0.97, 25 values to begin with), which has it of the gradient norm, of the loss",
        z_score,
    ),
    Baseline(
        "loss not decreasing",
        "LossNotDecreasing of Amazon SageMaker Debugger (num_steps 10, diff_percent 0.1), without its tolerance for growth",
        not_decreasing,
    ),
)
