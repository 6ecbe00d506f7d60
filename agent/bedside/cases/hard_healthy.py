"""The cases that are healthy and look as if they were not."""

from __future__ import annotations

from typing import Final

from bedside.cases.case import Case

HARD: Final = (
    Case("gan", "gan", False, 1500, "a generator and its critic: neither loss ever falls for good"),
    Case("rl", "gridworld", False, 600, "policy gradient in a small grid: a noisy reward, a loss without meaning"),
    Case("warm-restarts", "restarts", False, 1600, "a cosine schedule that restarts: the loss goes up each time"),
    Case("resume", "resume", False, 1500, "goes back to its checkpoint and on from there: steps are made twice"),
    Case("long-and-short", "lengths", False, 800, "sequences of two lengths, and the long ones cost more"),
    Case("single-bad-batch", "bad_batch", False, 1500, "one batch that was damaged on its way: a spike, and it is over"),
    Case("amp-overflow", "amp_overflow", False, 800, "half precision whose scaler begins too high: the first steps overflow"),
)
