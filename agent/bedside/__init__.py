"""A bedside monitor for training runs: the part that lives inside the training process.

    import bedside

    run = bedside.init(project="tokenizer", name="digits-1", config=cfg)
    run.watch(model, optimizer)
    codes = run.probe(bedside.Codebook("vq", size=512))
    run.on_checkpoint(save)

    for batch in run.steps(loader):
        loss, indices = train_step(batch)
        codes.observe(indices)
        run.log({"loss": loss})
    run.finish()

Importing this opens nothing, starts nothing and imports neither torch nor a terminal library. Nothing here raises into the training.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar, Unpack

from .probes.activations import Activations
from .probes.attention import Attention
from .probes.class_balance import ClassBalance
from .probes.codebook import Codebook
from .probes.contribution import Contribution, epoch
from .probes.declared_schedule import Schedule
from .probes.distribution import Distribution
from .probes.divergence import Divergence
from .probes.parameter import Parameter
from .probes.per_index import PerIndex
from .probes.probe import Probe
from .probes.ratio import Ratio
from .probes.rollout import Frames, Rollout
from .probes.samples import Samples
from .probes.sensitivity import Sensitivity
from .probes.similarity import Similarity
from .probes.success_rate import SuccessRate
from .schedule import every, log_spaced, on_demand

if TYPE_CHECKING:
    from torch.nn import Module

    from bedside_protocol.metrics import Kind
    from bedside_protocol.records import Direction, Severity

    from .loop import Steps
    from .phases import Phase
    from .rehearsal import Given, Loss, Preflight
    from .run import Run

__all__ = [
    "Activations",
    "Attention",
    "ClassBalance",
    "Codebook",
    "Contribution",
    "Distribution",
    "Divergence",
    "Frames",
    "Parameter",
    "PerIndex",
    "Probe",
    "Ratio",
    "Rollout",
    "Samples",
    "Schedule",
    "Sensitivity",
    "Similarity",
    "SuccessRate",
    "define_metric",
    "epoch",
    "event",
    "every",
    "expect",
    "finish",
    "init",
    "log",
    "log_spaced",
    "on_checkpoint",
    "on_demand",
    "phase",
    "preflight",
    "probe",
    "step",
    "steps",
    "watch",
]

_AnyProbe = TypeVar("_AnyProbe", bound=Probe)
_AnySave = TypeVar("_AnySave", bound=Callable[[str], object])
_Item = TypeVar("_Item")
_run: Run | None = None


def init(
    project: str = "",
    name: str = "",
    config: Any = None,
    *,
    dir: str | os.PathLike[str] | None = None,  # the argument is called as in every tracker
    rules: str | os.PathLike[str] | None = None,
    quiet: bool = False,
    rank: int | None = None,
    world: int | None = None,
    id: str = "",
) -> Run:
    """Begin a monitored run: starts its hub, opens its recording, says on one line how to attach.

    `config` is any nesting of mappings, dataclasses and namespaces; what looks like a secret is not recorded. `dir` is the directory that
    holds runs (default: `BEDSIDE_DIR`, else the user's state directory). `rules` is a file of your own rules (docs/rules.md); where it
    is refused, stderr says why and the built-in rules judge. A second `init` finishes the first run. Never raises: where monitoring is
    impossible, the returned run takes everything and records nothing, and one line on stderr says why.

    Every process of a distributed training calls it. `rank` and `world` (how many there are) are found where torch.distributed is
    initialised, or torchrun or SLURM started the script. `id` names the launch where nothing tells the ranks of one from those of another
    (docs/ranks.md).
    """
    global _run
    from .start import start_run  # sockets and psutil are loaded only by those who begin a run

    if _run is not None:
        _run.finish()
    _run = start_run(
        project=project, name=name, config=config, directory=dir, rules=rules, quiet=quiet, rank=rank, world=world, launch=id
    )  # fmt: skip
    return _run


def _current() -> Run:
    """The run of the last `init`; without one, a run that records nothing, with one line that says so."""
    global _run
    if _run is None:
        from .notice import say
        from .run import no_run

        say("nothing is recorded: call bedside.init() first")
        _run = no_run()
    return _run


def log(values: Mapping[str, Any], step: int | None = None, group: Mapping[str, object] | None = None) -> None:
    """`Run.log` of the current run."""
    _current().log(values, step, group)


def define_metric(pattern: str, kind: Kind | None = None, unit: str | None = None, direction: Direction | None = None) -> None:
    """`Run.define_metric` of the current run."""
    _current().define_metric(pattern, kind, unit, direction)


def expect(text: str, severity: Severity = "amber") -> None:
    """`Run.expect` of the current run."""
    _current().expect(text, severity)


def event(name: str, /, **fields: Any) -> None:
    """`Run.event` of the current run."""
    _current().event(name, **fields)


def phase(name: str) -> Phase:
    """`Run.phase` of the current run."""
    return _current().phase(name)


def watch(model: Any, *optimizers: Any, every: int = 50) -> None:
    """`Run.watch` of the current run."""
    _current().watch(model, *optimizers, every=every)


def probe(probe: _AnyProbe) -> _AnyProbe:
    """`Run.probe` of the current run."""
    return _current().probe(probe)


def steps(loader: Iterable[_Item], accumulate: int = 1, start: int | None = None) -> Steps[_Item]:
    """`Run.steps` of the current run."""
    return _current().steps(loader, accumulate, start)


def step() -> bool:
    """`Run.step` of the current run."""
    return _current().step()


def preflight(model: Module, batch: Any, *, loss: Loss, **given: Unpack[Given]) -> Preflight:
    """Rehearse a long run within about two minutes, print a verdict, and put everything back bit for bit. Never raises.

    `loss(model, batch)` gives the training loss as a scalar tensor. `optimizer`: the optimizer or several (without one, AdamW at 1e-3
    stands in). `batches`: further batches, one of every shape there will be. `modes`: by name, what a run also does (sampling, a second
    phase), each called with nothing, or with the model and the batch where it needs them. `save(path)`: writes a checkpoint (default: the
    function given to `on_checkpoint`). `steps`: how many are trained. `length`, `stride`, `available`: frames of a window, frames between
    the beginnings of two windows, frames of the shortest recording; `length + stride` are needed.

    Checked are shapes, dtypes and ranges; enough data; memory at each shape; evaluation; every mode; a checkpoint; that gradients arrive,
    the loss falls, nothing is NaN or infinite and memory stays flat; and that different inputs give different outputs. The script's own
    functions run: what they keep for themselves, print or log stays. The verdict is also recorded, as a snapshot of kind `preflight`.
    """
    return _current().preflight(model, batch, loss=loss, **given)


def on_checkpoint(save: _AnySave) -> _AnySave:
    """`Run.on_checkpoint` of the current run."""
    return _current().on_checkpoint(save)


def finish() -> None:
    """`Run.finish` of the current run."""
    _current().finish()
