"""What flows through modules: dead units, saturation, mean and spread, and how many directions are used.

Forward hooks read the modules' outputs on scheduled steps; on all others a hook is one comparison. A unit is dead only over a window of
several scheduled steps. What one module's calls amount to is `module_tap`; this file decides which modules, their names and the snapshot.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from bedside.probes.intake import Refused, is_no_real_step
from bedside.probes.module_output import first_tensor
from bedside.probes.module_tap import Tap
from bedside.probes.probe import Gone, Probe, schedule_of
from bedside.schedule import Schedule
from bedside_protocol.records import Array, Scalar, Snapshot

if TYPE_CHECKING:
    from torch.nn import Module

_PATIENCE = 3
"""Scheduled steps without any output before it is said."""


class Activations(Probe):
    """Outputs of `modules`: one module, several, or a mapping from names to modules.

    `window`: scheduled steps over which a unit must be zero to be dead, 4 unless given. A unit is a channel of a convolution (and of
    anything else with four dimensions or more), else a feature, the last axis. Of an output that is no tensor the first in it is read. A
    module is read while it is in training mode, so that evaluation is not mixed in; one that never is, always. Recomputation in
    the backward pass is not read again. Modules inside a compiled region cannot be read. Hooks change nothing, keep no graph, copy
    and pickle as nothing, and leave with `close`; modules are held weakly.

    A snapshot has the scalars `dead` (share of all units with |x| ≤ 1e-8 for every sample of the window) and `dead_max` (of the worst
    module), both once a module has 1,000 samples or the window is full; `saturated` (share of the numbers of bounded activations that
    lie within 1 % of the half-width from an end: |x| > 0.99 for a tanh; 0 where there are none) and `saturated_max`; `rank_min`
    (the smallest effective rank of (samples, units), Roy & Vetterli 2007, of at most 256 × 256 evenly spread numbers, divided by
    the largest that sample could have); `nonfinite` (numbers that are none, left out), `modules`. The tables `dead`, `saturated`, `mean`,
    `std` and `rank` are labelled with the modules' names; NaN where there is nothing to tell.
    """

    kind = "activations"
    lead = 1

    def __init__(
        self,
        name: str,
        modules: Module | Iterable[Module] | Mapping[str, Module],
        *,
        every: int | Schedule = 50,
        window: int = 4,
    ) -> None:
        super().__init__(name, schedule_of(every))
        self.window = max(1, int(window))
        self._silent = 0
        self._taps = [Tap(module, given, self._see) for given, module in self._modules(modules)]

    def settings(self) -> dict[str, Scalar]:
        return {"modules": len(self._taps), "window": self.window}

    def close(self) -> None:
        """Take the hooks back; nothing is read any more."""
        for tap in self._taps:
            tap.leave()

    def measure(self, step: int) -> Snapshot | None:
        self._taps = [tap for tap in self._taps if tap.module() is not None]
        if not self._taps:
            raise Gone("the modules it looked at are gone")
        names = _names(self._taps, self.models())
        read = {names[tap]: found for tap in self._taps if (found := tap.read(self.window)) is not None}
        if not read:
            self._silent += 1
            if self._silent == _PATIENCE:
                self.say("no output of its modules was seen: they are not called, or inside a compiled region, which is not read")
            return None
        if any(one["nonfinite"] for one in read.values()):
            self.say("NaN or infinity among outputs: they are counted and left out")
        return Snapshot(self.name, self.kind, step, _scalars(list(read.values())), _tables(read))

    def _see(self, tap: Tap, module: Module, output: object) -> None:
        """An output of a module, given by its hook. Never raises, never waits for the device."""
        if self.idle:
            return
        with self.taking("outputs"):
            tensor = first_tensor(output)
            if tensor is None:
                raise Refused("an output without a tensor; it is not read")
            if not is_no_real_step(tensor):
                tap.see(module, tensor)

    def _modules(self, given: Any) -> list[tuple[str, Module]]:
        """The modules with the names the script gave them; what is none is said."""
        from torch.nn import Module, ModuleDict, ModuleList

        if isinstance(given, Module) and not isinstance(given, ModuleDict | ModuleList):
            given = [given]
        try:
            pairs = list(given.items()) if isinstance(given, Mapping | ModuleDict) else [("", module) for module in given]
        except TypeError:
            pairs = [("", given)]
        found = {id(module): (str(name), module) for name, module in pairs if isinstance(module, Module)}
        if any(not isinstance(module, Module) for _, module in pairs):
            self.say("modules were expected, and something else was among them; it is not read")
        return list(found.values())


def _names(taps: Sequence[Tap], models: Sequence[Module]) -> dict[Tap, str]:
    """A name for each module, all different: that given by the script, else its place in a watched model, else its type."""
    if any(not tap.given for tap in taps):
        places = {id(module): _bare(name) for model in models for name, module in model.named_modules()}
        for tap in taps:
            tap.given = tap.given or places.get(id(tap.module()), "")
    names: dict[Tap, str] = {}
    taken: Counter[str] = Counter()
    for tap in taps:
        name = tap.given or type(tap.module()).__name__
        taken[name] += 1
        names[tap] = name if taken[name] == 1 else f"{name}-{taken[name]}"
    return names


def _bare(name: str) -> str:
    """Without what DistributedDataParallel and torch.compile put into it."""
    return name.replace("_orig_mod.", "").removeprefix("module.")


def _scalars(read: Sequence[Mapping[str, float]]) -> dict[str, float]:
    judged = [one for one in read if np.isfinite(one["dead"])]
    bounded = [one for one in read if one["bounded"] and one["numbers"]]
    ranks = [one["rank"] for one in read if np.isfinite(one["rank"])]
    found = {
        "modules": float(len(read)),
        "nonfinite": sum(one["nonfinite"] for one in read),
        "saturated": sum(one["saturated"] for one in bounded) / sum(one["numbers"] for one in bounded) if bounded else 0.0,
        "saturated_max": max((one["saturated"] / one["numbers"] for one in bounded), default=0.0),
    }
    if judged:
        found["dead"] = sum(one["dead"] for one in judged) / sum(one["units"] for one in judged)
        found["dead_max"] = max(one["dead"] / one["units"] for one in judged)
    return {**found, "rank_min": min(ranks)} if ranks else found


def _tables(read: Mapping[str, Mapping[str, float]]) -> dict[str, Array]:
    rows = list(read.values())
    columns = {
        "dead": [one["dead"] / one["units"] for one in rows],
        "saturated": [one["saturated"] / max(one["numbers"], 1.0) for one in rows],
        **{field: [one[field] for one in rows] for field in ("mean", "std", "rank")},
    }
    return {name: Array("table", np.array(values, np.float64), tuple(read)) for name, values in columns.items()}
