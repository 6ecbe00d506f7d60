"""The log checker `trainproof` of the package index beside us, where it is installed: it is no dependency of this project.

It judges a log that is over, by its last and its lowest loss among others, and does not say when it would have: there is no latency and no
warning before a NaN to be had of it, and its alarms stand at the last step of the log.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final

from bedside_protocol.records import Severity

from .curve import Curve, curves
from .model import Alarm, Run

PACKAGE: Final = "trainproof"
SEVERITIES: Final[dict[str, Severity]] = {"FAIL": "red", "WARN": "amber"}
"""Of its findings; others tell what it looked at."""


@dataclass(frozen=True, slots=True)
class LogChecker:
    name: str = PACKAGE
    """Of the package, and of the detector."""
    timely: bool = False

    @property
    def why_not(self) -> str:
        """Why it cannot be asked, in one line; empty where it can."""
        return "" if find_spec(self.name) else f"{self.name}: not installed: pip install {self.name}"

    def judge(self, run: Run) -> list[Alarm]:
        """An alarm for each of its findings. Raises ImportError where it is not installed."""
        check = import_module(f"{self.name}.epoch").check_records
        return [alarm for name, curve in curves(run.records()).items() for alarm in _alarms(check(_rows(curve)), name, curve)]


def _rows(curve: Curve) -> list[dict[str, float]]:
    """The curve as it reads a log: a row a step."""
    return [{"step": step, "loss": value} for step, value in zip(curve.steps.tolist(), curve.values.tolist(), strict=True)]


def _alarms(report: dict[str, Any], name: str, curve: Curve) -> list[Alarm]:
    found = [finding for finding in report["findings"] if finding["level"] in SEVERITIES]
    return [Alarm(int(curve.steps[-1]), SEVERITIES[one["level"]], one["id"], name) for one in found]
