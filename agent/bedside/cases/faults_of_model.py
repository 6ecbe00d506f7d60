"""The cases whose fault is inside the model, with the quantity that tells each from its healthy twin."""

from __future__ import annotations

from typing import Final

from bedside.cases.case import Case, Sign

MODEL: Final = (
    Case(
        "codebook-collapse",
        "vq_digits",
        True,
        6000,
        "the codebook of a VQ-VAE dies while its loss looks fine",
        1200,
        Sign("codebook", "vq", "usage", "last", (0.6, 1.0), (0.0, 0.3), "codebook"),
    ),
    Case(
        "first-step-rollout-collapse",
        "grid_world",
        True,
        600,
        "a world model dreams one code from its first own frame on; teacher-forced it is perfect",
        0,
        Sign("rollout", "dream", "collapse", "last", (-0.2, 0.2), (0.8, 1.0), "model"),
    ),
    Case(
        "background-collapse",
        "background",
        True,
        420,
        "a module that should wait adds noise: all cells become background, at 93 % accuracy",
        0,
        Sign("class_balance", "cells", "predicted_max", "median", (0.8, 0.97), (0.995, 1.0), "vitals"),
    ),
    Case(
        "untrained-branch",
        "staged_branch",
        True,
        400,
        "a branch that should be an identity until epoch 2 adds untrained attention from step 1",
        0,
        Sign("contribution", "branch", "early", "max", (0.0, 0.01), (0.05, 2.0), "vitals"),
    ),
    Case(
        "dead-parameters",
        "checkpointed",
        True,
        400,
        "checkpointed blocks given a dict get no gradient; one parameter is in no optimizer",
        0,
        Sign("gradients", "gradients", "none", "last", (0.0, 0.0), (16.0, 64.0), "model"),
    ),
    Case(
        "uniform-attention",
        "retrieval",
        True,
        1300,
        "cosine attention without its temperature looks everywhere alike",
        0,
        Sign("attention", "reader", "entropy", "last", (0.0, 0.8), (0.98, 1.0), "model"),
    ),
    Case(
        "equal-pair",
        "foveated",
        True,
        1250,
        "a second look sees what the first saw: the softmax runs over the wrong axis",
        0,
        Sign("ratio", "gain", "equal", "last", (0.05, 10.0), (0.0, 0.01), "vitals"),
    ),
    Case(
        "query-collapse",
        "slots",
        True,
        800,
        "queries of std 0.02 next to a bias all ask for the same",
        0,
        Sign("similarity", "asked", "cosine", "last", (-0.5, 0.5), (0.9, 1.0), "model"),
    ),
    Case(
        "mode-collapse",
        "rezero",
        True,
        500,
        "a gate that is no parameter stays shut: the output ignores the input",
        0,
        Sign("structure", "structure", "output_difference", "max", (0.1, 1.0), (0.0, 0.001), "model"),
    ),
    Case(
        "per-index-decay",
        "odometer",
        True,
        600,
        "a recurrent state that is not passed on: each frame is worse than the one before",
        0,
        Sign("per_index", "loss by frame", "later_worse", "last", (0.5, 1.3), (2.0, 20.0), "model"),
    ),
)
