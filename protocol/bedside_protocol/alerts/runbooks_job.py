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
    "out-of-memory": Runbook(
        title="out of memory",
        what="the training asked for memory that was not there, and ended: by an exception, or by the system's memory killer",
        why=(
            "a longer batch, a larger mode or an evaluation than any before",
            "memory that grew all along: look at its curve",
            "graphs kept alive: losses in a list, outputs without detach()",
            "another process on the same card or machine",
        ),
        look=(
            ("h", "system/memory, or that of the card, up to the end: a slope or a jump?"),
            ("l", "the traceback: which mode and which size it was in"),
            ("v", "the last values, and the batch they came from"),
        ),
        fixed=(
            "a smaller batch with accumulation, a shorter length, gradient checkpointing",
            "torch.no_grad() and a batch of its own for the evaluation",
            "rehearse with the largest batch before the long run: run.preflight",
            "go on from the last checkpoint",
        ),
    ),
    "crash": Runbook(
        title="crashed",
        what="an exception, or an exit code that is not zero, ended the training before its end",
        why=(
            "a mode that is reached for the first time: evaluation, sampling, saving, the last batch of an epoch",
            "data of another shape, type or range than before",
            "a key, a file or a device that is not there",
        ),
        look=(
            ("l", "the exception with the last lines of its traceback, and what was logged before"),
            ("v", "the last values: were they healthy?"),
        ),
        fixed=(
            "mend what the last line of the traceback in your own code names",
            "reach every mode once in the first minutes: a rehearsal of 100 steps",
            "go on from the last checkpoint",
        ),
    ),
    "killed": Runbook(
        title="killed",
        what="a signal ended the training, or its process is gone without a word",
        why=(
            "a scheduler: the time limit, the memory limit, a job of a higher priority",
            "somebody ended it, or the session it ran in",
            "a fault in native code: SIGSEGV, SIGBUS, SIGABRT",
            "the container or the machine went down",
        ),
        look=(
            ("l", "the signal, and the last thing that was said before it"),
            ("h", "system/memory up to the end: killed at its limit?"),
            ("v", "the last values and the newest checkpoint"),
        ),
        fixed=(
            "a longer time limit, or a checkpoint before it is reached",
            "start it in tmux or with nohup, so that it outlives its session",
            "for native faults: python -X faulthandler, other versions of driver and library",
            "go on from the last checkpoint",
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
            ("W", "the line each thread stands at: one stack was taken when the stall began"),
        ),
        fixed=(
            "with run.phase('eval'): around long work between steps",
            "fewer loader workers, a timeout on them",
            "restart from the last checkpoint",
        ),
    ),
})  # fmt: skip
