"""Whether gradients are reset between two steps of an optimizer.

A gradient that arrives at a parameter which had none becomes its `.grad` as it is; one that arrives where an old one lies is added to it.
So whoever compares the two, within a backward pass, sees whether the old one was thrown away. Between two steps of an optimizer this must
happen once, no matter in which backward pass: those of gradient accumulation add up, and a generator's loss leaves gradients in its
discriminator before that is reset. Two small parameters of each optimizer are enough.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from bedside.probes import parameters
from bedside.probes.intake import is_compiling

if TYPE_CHECKING:
    from torch import Tensor
    from torch.optim import Optimizer

_WATCHED: Final = 2
_LARGEST: Final = 1 << 20
"""Elements: the gradient of a larger parameter would be held twice for a moment."""
_MOST_VERDICTS: Final = 64


class ResetWatch:
    """Hooks two parameters of one optimizer from now until `remove`. `say` takes a sentence; nothing raises into the backward pass."""

    def __init__(self, optimizer: Optimizer, names: Mapping[int, str], say: Callable[[str], None]) -> None:
        self.arrivals = 0
        """Gradients seen so far: it has grown where a backward pass has gone by."""
        self.verdicts: list[tuple[str, Tensor]] = []
        """For each parameter and each interval between two steps: whether it was reset, as a 0-d tensor."""
        self._say = say
        self._names = names
        self._stepped = False
        self._arriving: dict[int, Tensor] = {}
        self._reset: dict[int, Tensor] = {}
        small = [parameter for parameter in parameters.owned(optimizer) if 0 < parameter.numel() <= _LARGEST]
        self._watched = sorted(small, key=lambda parameter: parameter.numel())[:_WATCHED]
        self._handles: list[Any] = []
        for parameter in self._watched:
            self._handles.append(parameter.register_hook(partial(self._arrives, id(parameter))))
            self._handles.append(parameter.register_post_accumulate_grad_hook(self._has_arrived))

    def remove(self) -> None:
        """Take the hooks back, and forget."""
        while self._handles:
            self._handles.pop().remove()
        self._arriving.clear()

    def stepped(self) -> None:
        """The optimizer has made a step. What was seen since the step before is judged, if that was seen too."""
        if self._stepped and len(self.verdicts) < _MOST_VERDICTS:
            self.verdicts += [(self._names.get(key, "a parameter"), reset) for key, reset in self._reset.items()]
        self._stepped = True
        self._reset = {}

    def version(self) -> int:
        """Grows when the parameters are written to."""
        return sum(parameter._version for parameter in self._watched)

    def _arrives(self, key: int, gradient: Tensor) -> None:
        if is_compiling():
            return
        self.arrivals += 1
        self._arriving[key] = gradient.detach()

    def _has_arrived(self, parameter: Tensor) -> None:
        arrived = self._arriving.pop(id(parameter), None)
        if arrived is None or parameter.grad is None or is_compiling():
            return
        try:
            reset = _is_equal(parameter.grad.detach(), arrived)
            before = self._reset.get(id(parameter))
            self._reset[id(parameter)] = reset if before is None else before | reset
        except Exception as error:  # inside the script's backward()
            self._say(f"{type(error).__name__} while gradients were compared")


def _is_equal(one: Tensor, other: Tensor) -> Tensor:
    """Without waiting for the device. Where a scaled gradient overflowed there is nothing to compare."""
    import torch

    if one.layout != torch.strided or other.layout != torch.strided or one.shape != other.shape:
        return torch.ones((), dtype=torch.bool, device=one.device)  # a sparse gradient does not tell
    return ((one == other) | ~torch.isfinite(other)).all()
