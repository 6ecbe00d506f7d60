"""The public face of the agent as a strict type checker sees it: what comes back is as precise as what went in."""

from __future__ import annotations

from pathlib import Path
from typing import assert_type

import bedside


def calls() -> None:
    with bedside.init(config={"lr": 3e-4}, dir=Path("runs"), quiet=True) as run:
        codes = run.probe(bedside.Codebook("vq", size=512))
        assert_type(codes, bedside.Codebook)
        assert_type(bedside.probe(bedside.Samples("samples")), bedside.Samples)
        for name in run.steps(["a", "b"], accumulate=2):
            assert_type(name, str)
        for number in bedside.steps(range(3)):
            assert_type(number, int)
        assert_type(run.step(), bool)
        with run.phase("eval"):
            run.log({"loss": 1, "accuracy": 0.5}, step=7)
        run.phase("finetune")
        run.define_metric("val/*", kind="loss", unit="nats", direction="down")
        run.log({"loss": 0.5}, group={"T": 64, "task": "arc"})
        run.expect("loss < 0.05 after 5000", severity="red")
        run.event("reinit", n=12)
        run.epoch(3)

    @run.on_checkpoint
    def save(path: str) -> None:
        """Stays what it was under its decorator."""

    save("somewhere")
    bedside.log({"loss": 0.5}, group={"T": 64})
    bedside.define_metric("fid", direction="down")
    bedside.expect("val/accuracy > 0.9 by 2000")
    with bedside.phase("eval"):
        bedside.log({"loss": 0.5})
    bedside.finish()
