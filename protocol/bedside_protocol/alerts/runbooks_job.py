"""What to do about alarms on the job around the model: schedules, data, memory, steps."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from bedside_protocol.alerts.runbook import Runbook

JOB_RUNBOOKS: Final[Mapping[str, Runbook]] = MappingProxyType({
    "failed-preflight": Runbook(
        title="preflight failed",
        what="the rehearsal before the training found something that will not hold for the whole of it",
        why=(
            "a batch of a wrong shape, type or range, or too little data for the length asked for",
            "a mode that breaks when it is first reached: evaluation, sampling, a checkpoint",
            "no memory left at the largest batch",
            "outputs that do not depend on inputs, or a loss that does not fall on a few batches",
        ),
        look=(("o", "which check failed, in its own words"), ("l", "what was said while it ran")),
        fixed=("mend what the check names and rehearse again", "a smaller batch or length", "a run of 100 steps that reaches every mode"),
    ),
    "schedule-ignored": Runbook(
        title="schedule not applied",
        what="a logged value is not what its declared schedule says it should be by now",
        why=(
            "a resume restored the value and froze it there",
            "steps counted in another unit: epochs, micro-batches, steps since the resume",
            "the value is computed once, and the module keeps the copy",
        ),
        look=(("o", "declared beside logged: from which step do they part?"), ("l", "a resume or a phase at that step")),
        fixed=("compute it from the global step each time", "save and load the schedule's state with the checkpoint"),
    ),
    "failing-more": Runbook(
        title="fails more often",
        what="the share of successes has fallen by more than a fifth below its own normal",
        why=("the data source or the network fails", "a broken shard, or a new one of another form", "a time limit that is now too short"),
        look=(("o", "rate beside its normal: a step or a slope?"), ("v", "data wait and step time: does the training starve?")),
        fixed=("retry with a pause that grows", "another mirror, or a local copy", "leave the broken shard out"),
    ),
    "memory-end": Runbook(
        title="memory runs out",
        what="memory grows steadily and will be used up within the hour at this pace",
        why=(
            "losses or outputs kept in a list with their graph",
            "a cache or a data set that grows with every batch seen",
            "loader workers that copy what they touch",
            "longer batches than before",
        ),
        look=(("h", "memory over time: with every step, every epoch, every evaluation?"), ("l", "what began at the step where it began")),
        fixed=(
            "loss.item() or detach() before keeping",
            "a smaller batch or length, gradient checkpointing",
            "save a checkpoint now, restart, then look for the leak",
        ),
    ),
    "stall": Runbook(
        title="stalled",
        what="the process lives and makes no steps: ten times its usual step and a minute at least",
        why=(
            "the data loader waits: a worker died, the network or the disk is slow",
            "another rank waits in a collective, or is gone",
            "an evaluation or a save that is not marked as a phase",
            "the machine is out of memory and swaps",
        ),
        look=(
            ("v", "cpu near zero: it waits; near a hundred: it works on something else"),
            ("l", "the last event before the silence"),
            ("P", "a pause that is never confirmed says the loop is not reached"),
        ),
        fixed=(
            "with run.phase('eval'): around long work between steps",
            "fewer loader workers, a timeout on them",
            "restart from the last checkpoint",
        ),
    ),
})  # fmt: skip
