"""A small training that went wrong, and `offline_run/run-line.wandb`, which W&B's own package wrote of it, offline.

wandb 0.31.0 wrote the file: `python tests/tui/offline_training.py` where that is installed writes one again. It is longer than a block of
that format, 32 KiB, so that a record is split.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

STEPS = 90
CONFIG = {"lr": 0.1, "wd": None, "data": {"name": "line", "points": 16}, "api_key": "swordfish"}


def training() -> Iterator[dict[str, Any]]:
    """A line through points, by gradient descent; at step 60 somebody raises the learning rate. One row a step, as it is logged."""
    chance = random.Random(0)
    points = [(x / 8 - 1, 2 * x / 8 + chance.gauss(0, 0.1)) for x in range(16)]
    slope = height = 0.0
    for step in range(STEPS):
        rate = CONFIG["lr"] if step < 60 else 1e3
        errors = [slope * x + height - y for x, y in points]
        loss = sum(error * error for error in errors) / len(points)
        yield {"loss": loss, "weight": {"slope": slope, "height": height}, "lr": rate}
        slope -= rate * sum(error * x for error, (x, _) in zip(errors, points, strict=True)) / len(points)
        height -= rate * sum(errors) / len(points)


if __name__ == "__main__":
    import wandb  # type: ignore[import-not-found]

    unsaid = dict.fromkeys(("x_disable_meta", "x_disable_stats", "x_disable_machine_info", "disable_code", "disable_git"), True)
    quiet = wandb.Settings(console="off", host="host", **unsaid)
    run = wandb.init(project="regression", name="line-1", id="line", mode="offline", config=CONFIG, settings=quiet)
    for row in training():
        run.log(row)
    run.log({"note": "the end", "seen": wandb.Histogram(np_histogram=([1, 2], [0, 1, 2]))})
    run.summary["slope error"] = 0.5
    run.finish(exit_code=1)
