"""Samples to look at: a target beside what the model made of it, every so often. Pictures, videos, or texts.

A number can fall while the samples go wrong. This probe keeps a few of them; it reads them on scheduled steps only, and judges nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from bedside.probes import picture_quality
from bedside.probes.intake import Refused, is_no_real_step, numbers
from bedside.probes.probe import Probe, schedule_of
from bedside.schedule import Schedule
from bedside_protocol.records import Array, Scalar, Snapshot

_LARGEST_SIDE: Final = 64
"""Pixels: a terminal shows no more, and a recording should not be made of pictures."""
_FRAMES_SHOWN: Final = 8
_LONGEST_TEXT: Final = 2_000
"""Characters kept of a text."""
_COLOURS: Final = (1, 3)

_Form: TypeAlias = "Stills | Video | Texts"


@dataclass(frozen=True, slots=True, eq=False)
class Stills:
    """Pictures (n, height, width) or (n, height, width, 3) in 0 … 1."""

    values: NDArray[np.float32]

    def shown(self) -> NDArray[np.float32]:
        return _thinned(self.values)


@dataclass(frozen=True, slots=True, eq=False)
class Video:
    """Videos (n, frames, height, width) or (n, frames, height, width, 3) in 0 … 1."""

    values: NDArray[np.float32]

    def shown(self) -> NDArray[np.float32]:
        """Frames of the first video, from its first to its last."""
        frames = self.values.shape[1]
        return _thinned(self.values[0, np.unique(np.linspace(0, frames - 1, min(frames, _FRAMES_SHOWN)).round().astype(int))])


@dataclass(frozen=True, slots=True)
class Texts:
    texts: tuple[str, ...]


class Samples(Probe):
    """The first `count` of what `observe` was given, by name.

    Pictures: a snapshot has one array of meaning `image` a name, float32 (n, height, width) or (n, height, width, 3) in 0 … 1, thinned to
    64 pixels a side. Videos: the same, of frames of the first video. For each name but `target` that has the target's form there are the
    scalars `psnr/NAME` in dB, `sharpness/NAME` and, for videos, `motion/NAME` (see `picture_quality` for the formulas), over the whole
    pictures kept; for videos also trajectories over the frames by the same names. `nonfinite` counts values that are NaN or infinite;
    NaN is left out.

    Texts: the list `NAME` of texts (2,000 characters each), and the scalars `distinct1/NAME` and `distinct2/NAME` over all texts given.
    """

    kind = "samples"
    lead = 1

    def __init__(self, name: str = "samples", *, every: int | Schedule = 200, count: int = 4) -> None:
        super().__init__(name, schedule_of(every))
        self.count = max(1, count)
        self._samples: dict[str, _Form] = {}
        self._nonfinite = 0

    def settings(self) -> dict[str, Scalar]:
        return {"count": self.count}

    def observe(self, target: object = None, **named: object) -> None:
        """Take samples by name; `target` may be missing where there is none. Never raises.

        Pictures have values in 0 … 1: (n, height, width), (n, 1, height, width) or (n, 3, height, width), or colours last. Videos:
        (n, frames, height, width) with other than 1 or 3 frames, or (n, frames, 1 or 3, height, width), or colours last. Texts: a string
        or a sequence of strings. Returns at once on steps that are not scheduled; on those that are, the device is waited for.
        """
        if self.idle:
            return
        with self.taking("samples"):
            given = named if target is None and named else {"target": target, **named}
            if any(map(is_no_real_step, given.values())):
                return
            self._nonfinite = 0
            self._samples = {}
            self._samples = {name: self._read(value) for name, value in given.items()}

    def _read(self, value: Any) -> _Form:
        if isinstance(value, str) or _is_texts(value):
            return Texts(tuple(map(str, [value] if isinstance(value, str) else value)))
        try:
            first = value[: self.count]
        except (TypeError, IndexError, KeyError):
            raise Refused(f"samples are pictures, videos or texts, not {type(value).__name__}") from None
        values = numbers(first).astype(np.float32)  # waits for the device
        form = _form_of(values)
        self._nonfinite += int(values.size - np.isfinite(values).sum())
        return form

    def measure(self, step: int) -> Snapshot | None:
        samples, self._samples = self._samples, {}
        if not samples:
            return None
        target = samples.get("target")
        seen = {name: form for name, form in samples.items() if not isinstance(form, Texts)}
        scalars: dict[str, float] = {"nonfinite": float(self._nonfinite)} if seen else {}
        arrays = {name: Array("image", form.shown()) for name, form in seen.items()}
        for name, form in samples.items():
            if isinstance(form, Texts):
                scalars |= {f"distinct{n}/{name}": picture_quality.distinct(form.texts, n) for n in (1, 2)}
            elif name != "target" and type(form) is type(target) and form.values.shape == target.values.shape:
                scalars |= _nearness(name, target, form)
                arrays |= _by_frame(name, target, form)
        texts = {
            name: tuple(text[:_LONGEST_TEXT] for text in form.texts[: self.count])
            for name, form in samples.items()
            if isinstance(form, Texts)
        }
        return Snapshot(self.name, self.kind, step, scalars, arrays, texts)


_Quality: TypeAlias = Callable[[NDArray[np.float32], NDArray[np.float32]], float]
_OF_PICTURES: Final[Mapping[str, _Quality]] = {"psnr": picture_quality.psnr, "sharpness": picture_quality.sharpness}


def _nearness(name: str, target: Stills | Video, made: Stills | Video) -> dict[str, float]:
    found = {f"{quality}/{name}": of(_pictures(target), _pictures(made)) for quality, of in _OF_PICTURES.items()}
    if isinstance(made, Video):
        found[f"motion/{name}"] = picture_quality.motion(target.values, made.values)
    return found


def _by_frame(name: str, target: Any, made: Stills | Video) -> dict[str, Array]:
    """What blurs or freezes late in a video: each quality frame by frame; motion is that from the frame before, so it has one less."""
    if not isinstance(made, Video):
        return {}
    frames = range(made.values.shape[1])
    found = {f"{quality}/{name}": [of(target.values[:, t], made.values[:, t]) for t in frames] for quality, of in _OF_PICTURES.items()}
    pairs = [slice(t - 1, t + 1) for t in frames[1:]]
    found[f"motion/{name}"] = [picture_quality.motion(target.values[:, pair], made.values[:, pair]) for pair in pairs]
    return {quality: Array("trajectory", np.array(values, np.float64)) for quality, values in found.items()}


def _pictures(form: Stills | Video) -> NDArray[np.float32]:
    """All pictures, or all frames of all videos, in one row."""
    return form.values if isinstance(form, Stills) else form.values.reshape(-1, *form.values.shape[2:])


def _form_of(values: NDArray[np.float32]) -> Stills | Video:
    """Pictures or videos, colours last, cut to 0 … 1. Raises `Refused` for any other shape."""
    if values.size == 0:
        raise Refused("an empty batch of samples")
    if values.ndim in (4, 5) and values.shape[-3] in _COLOURS:
        values = np.moveaxis(values, -3, -1)
    if values.ndim in (4, 5) and values.shape[-1] == 1:
        values = values[..., 0]
    cut = np.clip(values, 0.0, 1.0)
    if values.ndim == 3 or (values.ndim == 4 and values.shape[3] == 3):
        return Stills(cut)
    if values.ndim == 4 or (values.ndim == 5 and values.shape[4] == 3):
        return Video(cut)
    raise Refused("a picture is height × width, alone or in 3 channels, and a video is frames of that")


def _thinned(pictures: NDArray[np.float32]) -> NDArray[np.float32]:
    thin = -(-max(pictures.shape[1:3]) // _LARGEST_SIDE)
    return pictures[:, ::thin, ::thin]


def _is_texts(value: object) -> bool:
    if isinstance(value, np.ndarray):
        return value.ndim == 1 and value.dtype.kind == "U"
    return isinstance(value, (list, tuple)) and bool(value) and all(isinstance(text, str) for text in value)
