"""What to do about alarms on what a person said beforehand: what to expect of a metric, and which healthy runs to compare with."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from bedside_protocol.alerts.runbook import Runbook

USER_RUNBOOKS: Final[Mapping[str, Runbook]] = MappingProxyType(
    {
        "expectation": Runbook(
            title="expectation",
            what="a metric is not where the script said it would be by now",
            why=(
                "the training learns slower than the one the number is from: learning rate, batch size, data order",
                "the data or the evaluation is another one than then",
                "the step means another thing: gradient accumulation, or a batch of another size",
                "the number was a guess",
            ),
            look=(
                ("h", "the metric: is it still moving towards the bound, or has it settled beside it?"),
                ("h", "lr: has the schedule ended before the bound was met?"),
                ("l", "what happened on the way: a resume, a phase, a checkpoint that was loaded"),
            ),
            fixed=(
                "compare configuration and curve with the run the number is from",
                "let it run where it still moves; stop it where it has settled",
                "correct the number in the script",
            ),
        ),
        "reference": Runbook(
            title="outside the reference runs",
            what="the level of a metric is where none of the healthy runs of this training was at this step; a loss that is too low counts",
            why=(
                "something was changed since the reference runs were made: code, data, configuration, library",
                "a part of the model has collapsed: the loss may then be lower than it should be",
                "this seed learns differently: three runs tell little of how far healthy ones differ",
                "other steps: a resume that counts from zero, another batch size",
            ),
            look=(
                ("h", "the metric: did it leave at one step, or was it never inside?"),
                ("b", "the codebook, and o the model: a collapse shows there first"),
                ("l", "configuration and events, against those of the reference runs"),
            ),
            fixed=(
                "undo the change since the reference runs, or find the collapse",
                "where the change is meant: make the reference anew from runs that have it",
                "where a healthy run is told: make the reference from more runs, or with more --slack",
            ),
        ),
    }
)
