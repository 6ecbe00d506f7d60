"""Whether a classifier predicts what there is: the shares of the predicted classes against those of the targets.

Where one class is rare, a model that never predicts it has a good loss and a good accuracy. A batch says little, so the latest
predictions are kept, as the codebook's probe keeps assignments: copied between measurements, thinned where a batch is a picture's worth,
counted at the measurement with one device sync. The probe judges nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from bedside.probes import class_tally
from bedside.probes.class_tally import Pairs, Tally
from bedside.probes.intake import is_no_real_step
from bedside.probes.probe import Probe, schedule_of
from bedside.schedule import NEVER, Schedule
from bedside_protocol.records import Array, Scalar, Snapshot

_PREDICTIONS_A_CLASS = 20
"""As for codes: a class of a tenth of the mean share is then missed in 13 % of windows."""
_WIDEST = 64
"""Times the window asked for: how far it grows where most targets are left out. Language models with masked tokens leave out 85 %."""
_PRESENT = 0.01
"""The share of the targets from which a class is worth predicting."""


class ClassBalance(Probe):
    """Predicted against target classes; `classes` is their number or their names.

    `window`: predictions a measurement looks back on, at least; 20 × classes unless given. Nothing is told before 20 × classes were seen
    beside valid targets. Of a batch at most 65,536 labels are kept, or those of 262,144 logits (65,536 with the classes on axis 1), evenly
    thinned; of a vocabulary, feed labels.

    A snapshot has the scalars `observed` (predictions in the window beside a valid target), `predicted_max` (largest predicted share),
    `effective` and `target_effective` (exp of the entropy of the shares, in classes), `effective_ratio` (of the two), `missing` (classes
    with ≥ 1 % of the targets that are never predicted; the text `missing` names them), `present` (classes with ≥ 1 % of the targets),
    `accuracy`, `ignored` (targets below 0 or beyond the classes, left out), `outside` (predicted labels that are no class) and `nonfinite`
    (predictions from logits with NaN, left out); and the histograms `predicted` and `target`: int64 (classes).
    """

    kind = "class_balance"

    def __init__(self, name: str, classes: int | Iterable[str], *, every: int | Schedule = 50, window: int | None = None) -> None:
        super().__init__(name, schedule_of(every))
        self.names = tuple(map(str, classes)) if isinstance(classes, Iterable) and not isinstance(classes, str) else ()
        count = len(self.names) or (int(classes) if isinstance(classes, int | np.integer) else 0)
        self.classes = max(1, count)
        self.window = max(1, int(window or _PREDICTIONS_A_CLASS * self.classes))
        self.lead = self.schedule.every or NEVER
        self._reach = self.window
        self._batches: deque[Pairs] = deque()
        """The latest predictions and targets, oldest first: as few batches as make a window."""
        self._held = 0
        if count < 1:
            self.say(f"classes are a whole number or a list of names, not {classes!r}")

    def settings(self) -> dict[str, Scalar]:
        return {"classes": self.classes, "window": self.window}

    def observe(self, predictions: object, targets: object) -> None:
        """Take predictions beside their targets. Never raises, never syncs.

        `targets`: integers (or booleans) of any shape; below 0 or beyond the classes means *left out*. `predictions`: labels of the same
        shape, or logits of that shape with the classes as one more axis: the last, or axis 1 of (n, classes, …). Where both would fit,
        it is the last.
        """
        if self.idle:
            return
        with self.taking("predictions"):
            if is_no_real_step(predictions) or is_no_real_step(targets):
                return
            self._slide(class_tally.pairs(predictions, targets, self.classes))

    def _slide(self, batch: Pairs) -> None:
        self._batches.append(batch)
        self._held += len(batch)
        while self._held - len(self._batches[0]) >= self._reach:
            self._held -= len(self._batches.popleft())

    def measure(self, step: int) -> Snapshot | None:
        needed = _PREDICTIONS_A_CLASS * self.classes
        if self._held < needed:
            return None
        tally = class_tally.tally(list(self._batches), self.classes)
        self._look_back(needed, tally.observed)
        if tally.observed < needed:
            return None
        if tally.outside:
            self.say(f"predicted labels outside 0 … {self.classes - 1} are no class")
        missing = missing_classes(tally)
        return Snapshot(
            self.name,
            self.kind,
            step,
            scalars=balance(tally),
            arrays={
                "predicted": Array("histogram", tally.predicted, self.names),
                "target": Array("histogram", tally.target, self.names),
            },
            texts={"missing": tuple(self.names[index] if self.names else str(index) for index in missing)},
        )

    def _look_back(self, needed: int, observed: int) -> None:
        """Reach as far back as it takes where so many targets are left out that the window does not hold enough of the others."""
        reach = needed * self._held / max(1, observed)
        self._reach = self.window if reach <= self.window else min(int(1.25 * reach), _WIDEST * self.window)


def balance(tally: Tally) -> dict[str, float]:
    """What the counts amount to; see `ClassBalance`. The effective number of classes is Hill's of order 1 (Ecology 54, 1973)."""
    effective, target_effective = _effective(tally.predicted), _effective(tally.target)
    return {
        "observed": float(tally.observed),
        "predicted_max": float(tally.predicted.max() / max(1, tally.predicted.sum())),
        "effective": effective,
        "target_effective": target_effective,
        "effective_ratio": effective / target_effective if target_effective else float("nan"),
        "missing": float(len(missing_classes(tally))),
        "present": float(_present(tally).sum()),
        "accuracy": tally.correct / max(1, tally.observed),
        "ignored": float(tally.ignored),
        "outside": float(tally.outside),
        "nonfinite": float(tally.nonfinite),
    }


def missing_classes(tally: Tally) -> list[int]:
    """The classes that have at least 1 % of the targets and are never predicted."""
    return [int(index) for index in np.flatnonzero(_present(tally) & (tally.predicted == 0))]


def _present(tally: Tally) -> NDArray[np.bool_]:
    present: NDArray[np.bool_] = tally.target >= _PRESENT * max(1, tally.target.sum())
    return present


def _effective(counts: NDArray[np.int64]) -> float:
    shares = counts[counts > 0] / max(1, counts.sum())
    return float(np.exp(-np.sum(shares * np.log(shares)))) if shares.size else 0.0
