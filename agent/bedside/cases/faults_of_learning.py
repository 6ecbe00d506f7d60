"""The cases whose fault is in how a model learns, in its data, or around it, with the quantity that tells each from its healthy twin."""

from __future__ import annotations

from math import inf
from typing import Final

from bedside.cases.case import Case, Sign

LEARNING: Final = (
    Case(
        "loss-explosion",
        "digits",
        True,
        1500,
        "the learning rate jumps to 300 times what it was",
        700,
        Sign("", "", "loss", "max", (0.0, 1.5), (10.0, inf), "vitals"),
    ),
    Case(
        "lr-zero",
        "digits",
        True,
        1500,
        "the warm-up divides whole numbers: the rate is 0",
        0,
        Sign("gradients", "gradients", "update_ratio_median", "max", (1e-4, 0.1), (0.0, 1e-6), "model"),
    ),
    Case(
        "no-learning",
        "digits",
        True,
        1500,
        "the output is cut off: nothing but the offsets of the classes learns",
        0,
        Sign("", "", "loss", "min", (0.0, 0.5), (2.0, 2.5), "vitals"),
    ),
    Case(
        "late-nan",
        "late_nan",
        True,
        1500,
        "a temperature without a floor: gradients grow for long, then the loss is NaN",
        173,
        Sign("", "", "grad_norm", "max", (0.0, 10.0), (100.0, inf), "vitals"),
    ),
    Case(
        "memory-leak",
        "memory_leak",
        True,
        300,
        "losses are kept with their graphs: the process grows each step",
        50,
        Sign("", "", "memory/grown", "last", (-5e7, 5e7), (2e8, inf), "vitals"),
    ),
    Case(
        "data-stall",
        "data_stall",
        True,
        1200,
        "the store behind the loader begins to fail: steps wait for their data",
        600,
        Sign("success", "fetches", "rate", "median", (0.8, 1.0), (0.0, 0.65), "vitals"),
    ),
    Case(
        "schedule-not-applied",
        "temperature",
        True,
        1200,
        "a resume locks the temperature that is declared to fall from 1.0 to 0.1",
        500,
        Sign("schedule", "temperature", "deviation", "max", (0.0, 0.01), (0.1, 20.0), "model"),
    ),
    Case(
        "periodic-spikes",
        "spikes",
        True,
        1500,
        "re-initialising every code every 250 steps makes the loss of a VQ model jump",
        600,
        Sign("", "", "loss/vq", "peak", (1.0, 2.0), (3.0, inf), "chart"),
    ),
    Case(
        "overfitting",
        "overfitting",
        True,
        1100,
        "a network meets the same 40 digits again and again: only their loss falls",
        0,
        Sign("ratio", "gap", "avg50", "last", (0.5, 60.0), (250.0, inf), "vitals"),
    ),
    Case(
        "crash",
        "crash",
        True,
        60,
        "sampling is first reached at step 26, and its cache was never made",
        26,
        Sign("ended", "", "KeyError", "last", (0.0, 0.0), (1.0, 1.0), "vitals"),
    ),
)
