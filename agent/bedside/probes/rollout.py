"""What a model still says when it lives on its own output: the codes in each frame of an autoregressive rollout.

Teacher-forced losses can be fine while the first self-made frame loses nearly every code. The script rolls out from a real frame, in
several ways; this probe counts. It knows nothing of the model, and judges nothing: what loss of codes is a collapse is a rule's
business, but for `collapsed`, which tells other probes not to blame the inputs meanwhile.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bedside.probes.intake import Refused, is_tensor, numbers
from bedside.probes.probe import Probe, schedule_of
from bedside.probes.untouched import models_of, reason, seed, untouched
from bedside.schedule import Schedule
from bedside_protocol.records import Array, Scalar, Snapshot

if TYPE_CHECKING:
    from torch.nn import Module

_SEED = 20_240_521
"""Every variant and every measurement draws the same random numbers: what differs is the variant, or the model."""

_COLLAPSED = 0.5
"""A rollout whose second frame has lost more than half of the codes explains by itself why no input seems to matter."""


@dataclass(frozen=True, slots=True, init=False, eq=False)
class Frames:
    """What a rollout made: `codes`, integers (frames, …) or (batch, frames, …), and one number a frame for each further quantity.

    Codes are a tensor, an array, nested lists or a list with one tensor a frame; negative ones are padding. Each scalar is (frames), or
    (batch, frames), which is averaged over the batch. Where batch and frames are equal in number, the first axis is the frames.
    """

    codes: object
    scalars: Mapping[str, object]

    def __init__(self, codes: object, **scalars: object) -> None:
        object.__setattr__(self, "codes", codes)
        object.__setattr__(self, "scalars", scalars)


@dataclass(frozen=True, slots=True, eq=False)
class _Rolled:
    """A rollout as read: `codes` int64 (batch, frames, codes a frame), `scalars` float64 (frames) each."""

    codes: NDArray[np.int64]
    scalars: Mapping[str, NDArray[np.float64]]

    def unique(self) -> NDArray[np.float64]:
        """Different codes in each frame, averaged over the batch: (frames)."""
        ordered = np.sort(self.codes, axis=-1)
        fresh = np.ones(ordered.shape, bool)
        fresh[..., 1:] = ordered[..., 1:] != ordered[..., :-1]
        return (fresh & (ordered >= 0)).sum(-1).mean(0)  # type: ignore[no-any-return]

    def used(self, frame: int) -> set[int]:
        """The codes that occur in a frame, anywhere in the batch."""
        return {code for code in np.unique(self.codes[:, frame]).tolist() if code >= 0}


class Rollout(Probe):
    """Rollouts of `frames` frames by `fn(variant, frames)`, one for each of `variants`, every so many steps.

    `fn` returns `frames` frames of codes as in `Frames`, or a `Frames`; frame 0 is the seed, a real frame. `variants` are names, given
    to `fn` as they are, or a mapping of names to what `fn` gets. `reference` are the codes of the real frames (a dark scene has few
    codes too): an array, a `Frames`, a function of the number of frames, or True, where `fn("reference", frames)` returns them. `fn`
    runs as `untouched` says, in eval mode, without gradients; `model` tells which model it runs where that cannot be seen. Random
    numbers start alike for every variant. A variant that raises is said and left out.

    A snapshot has, for each variant V, the scalars `first/V`, `second/V`, `rest/V` (different codes in frame 0, in frame 1, mean of the
    later ones; averaged over a batch), `collapse/V` (1 − second / base: the share of codes lost in one step; base is the reference's
    frame 1 where there is one, else `first/V`; below 0 where codes are gained) and `jaccard/V` (|A ∩ B| / |A ∪ B| of the sets of codes
    in frame 1 of the rollout and in the reference's frame 1, else in frame 0); `collapse` (of the worst variant), `best` (the least),
    `reference` (mean of different codes in the real frames), `failed` (variants left out) and `nonfinite` (per-frame numbers that are
    NaN or infinite). Trajectories over the frames: `codes/V`, `codes/reference`, and `NAME/V` for each further number a frame. Texts
    `failed`: the variants left out.
    """

    kind = "rollout"

    def __init__(
        self,
        name: str,
        fn: Callable[[Any, int], object],
        frames: int,
        *,
        variants: Sequence[object] | Mapping[str, object] = ("argmax",),
        reference: object = None,
        every: int | Schedule = 500,
        model: Module | Sequence[Module] | None = None,
    ) -> None:
        super().__init__(name, schedule_of(every))
        self.frames = frames if isinstance(frames, int) and frames >= 2 else 2
        self.collapsed = False
        """Whether the last rollout that could be measured lost more than half of its codes in one step, under any variant."""
        self._function = fn
        self._variants = _named(variants)
        self._reference = reference if reference is not False else None
        self._model = model
        if self.frames != frames:
            self.say(f"a rollout has a whole number of frames, two or more, not {frames!r}")
        if not self._variants:
            self.say("no variant is given: nothing is rolled out")

    def settings(self) -> dict[str, Scalar]:
        return {"frames": self.frames, "variants": ", ".join(self._variants)}

    def measure(self, step: int) -> Snapshot | None:
        """Roll out every variant. Takes as long as the function does, and waits for the device it runs on."""
        if not self._variants:
            return None
        with untouched(models_of(self._function, self._model, self.models())):
            real = None if self._reference is None else self._roll("reference", self._real_frames)
            rolled = {name: self._roll(name, partial(self._made, value)) for name, value in self._variants.items()}
        return self._snapshot(step, {name: one for name, one in rolled.items() if one is not None}, real)

    def _made(self, variant: object) -> object:
        return self._function(variant, self.frames)

    def _real_frames(self) -> object:
        if self._reference is True:
            return self._made("reference")
        return self._reference(self.frames) if callable(self._reference) else self._reference

    def _roll(self, name: str, run: Callable[[], object]) -> _Rolled | None:
        """What a function made, read; None where it could not be, with a sentence."""
        try:
            seed(_SEED)
            return self._read(name, run())
        except Exception as error:  # whatever the script's function does, the training and the other variants go on
            self.say(f"{name} is not rolled out: {reason(error)}")
            return None

    def _read(self, name: str, made: object) -> _Rolled:
        frames = made if isinstance(made, Frames) else Frames(made)
        codes = _codes(frames.codes, self.frames)
        if codes.min() < 0:
            self.say(f"{name}: negative codes are not counted")
        scalars: dict[str, NDArray[np.float64]] = {}
        for scalar, values in frames.scalars.items():
            try:
                scalars[scalar] = _by_frame(values, self.frames)
            except Refused as refused:
                self.say(f"{name}: {scalar} is left out: {refused}")
        return _Rolled(codes, scalars)

    def _snapshot(self, step: int, rolled: Mapping[str, _Rolled], real: _Rolled | None) -> Snapshot:
        failed = tuple(name for name in self._variants if name not in rolled)
        scalars: dict[str, float] = {"failed": float(len(failed))}
        arrays = {f"codes/{name}": _trajectory(one.unique()) for name, one in rolled.items()}
        for name, one in rolled.items():
            scalars |= {f"{field}/{name}": value for field, value in compared(one, real).items()}
            arrays |= {f"{scalar}/{name}": _trajectory(values) for scalar, values in one.scalars.items()}
        if real is not None:
            scalars["reference"] = float(real.unique().mean())
            arrays["codes/reference"] = _trajectory(real.unique())
        losses = [loss for name in rolled if not np.isnan(loss := scalars[f"collapse/{name}"])]
        if losses:
            scalars |= {"collapse": max(losses), "best": min(losses)}
            self.collapsed = max(losses) > _COLLAPSED
        scalars["nonfinite"] = float(sum((~np.isfinite(values)).sum() for one in rolled.values() for values in one.scalars.values()))
        return Snapshot(self.name, self.kind, step, scalars, arrays, {"failed": failed} if failed else {})


def compared(rolled: _Rolled, real: _Rolled | None) -> dict[str, float]:
    """The figures of one variant, see `Rollout`; `collapse` is NaN where there was no code to lose."""
    unique = rolled.unique()
    base = unique[0] if real is None else real.unique()[1]
    expected = rolled.used(0) if real is None else real.used(1)
    found = rolled.used(1)
    figures = {
        "first": float(unique[0]),
        "second": float(unique[1]),
        "collapse": 1.0 - float(unique[1] / base) if base > 0 else float("nan"),
        "jaccard": len(found & expected) / len(found | expected) if found | expected else float("nan"),
    }
    return figures | ({"rest": float(unique[2:].mean())} if unique.size > 2 else {})


def _named(variants: Iterable[object] | Mapping[str, object]) -> dict[str, object]:
    """Each variant's name beside what the function gets for it."""
    if isinstance(variants, Mapping):
        return {str(name): value for name, value in variants.items()}
    return {str(value): value for value in ([variants] if isinstance(variants, str) else variants)}


def _codes(values: object, frames: int) -> NDArray[np.int64]:
    """Codes as int64 (batch, `frames`, codes a frame); raises `Refused` for what has no such form. Waits for the device."""
    values = _stacked(values)
    if is_tensor(values):
        if values.is_floating_point() or values.is_complex():
            raise Refused(f"codes must be integers, not {values.dtype}")
        values = values.detach().to("cpu").numpy()
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise Refused("every frame must have equally many codes") from error
    if array.dtype.kind not in "iu":
        raise Refused(f"codes must be integers, not {'None' if values is None else array.dtype}")
    if array.ndim >= 2 and array.shape[0] == frames:
        array = array[None]
    if array.ndim < 3 or array.shape[1] != frames:
        raise Refused(f"{frames} frames were asked for, the seed among them, as codes (frames, …) or (batch, frames, …)")
    array = array.reshape(array.shape[0], frames, -1) if array.size else array
    if array.size == 0 or array.shape[2] < 2:
        raise Refused("a frame must have two codes or more: of one, nothing can be lost")
    return array.astype(np.int64)


def _by_frame(values: object, frames: int) -> NDArray[np.float64]:
    """One number a frame, averaged over a batch where there is one; raises `Refused` for another form."""
    array = numbers(_stacked(values))
    if array.ndim == 2 and array.shape[1] == frames and array.shape[0] > 0:
        array = array.mean(0)
    if array.shape != (frames,):
        raise Refused("it must be one number a frame")
    return array


def _stacked(values: object) -> object:
    """A list of tensors, one a frame, as one tensor; anything else as it is."""
    if not isinstance(values, (list, tuple)) or not values or not all(is_tensor(one) for one in values):
        return values
    if len({one.shape for one in values}) > 1:
        raise Refused("every frame must have equally many codes")
    return sys.modules["torch"].stack([one.detach() for one in values])


def _trajectory(values: NDArray[np.float64]) -> Array:
    return Array("trajectory", values)
