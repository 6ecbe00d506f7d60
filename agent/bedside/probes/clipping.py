"""Hearing of gradient clipping before it happens.

By the time an optimizer steps, `clip_grad_norm_` has already scaled the gradients, and the norm that tells of an explosion is gone. In
torch every spelling of it (from-imports, Lightning's, accelerate's) ends in one function of `torch.nn.utils.clip_grad`; while somebody
listens, that function first tells who is about to be clipped. It then runs unchanged, on the same arguments. Where a torch has no such
function nothing is wrapped, and norms are those applied.

This file knows nothing of what listeners do; they must not raise.
"""

from __future__ import annotations

import functools
import sys
import weakref
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from torch import Tensor

_SEAMS = (("torch.nn.utils.clip_grad", "_clip_grads_with_norm_"), ("torch.nn.utils", "clip_grads_with_norm_"))


class Listener(Protocol):
    def before_clip(self, parameters: Iterable[Tensor], max_norm: float, total_norm: Tensor) -> None:
        """The gradients of `parameters`, of norm `total_norm` together, are about to be scaled down to `max_norm`."""


_listeners: weakref.WeakSet[Listener] = weakref.WeakSet()
_originals: dict[tuple[str, str], tuple[Callable[..., Any], Callable[..., Any]]] = {}
"""What was replaced, and by what: a seam that somebody else wrapped in the meantime is left alone."""


def listen(listener: Listener) -> None:
    """Tell `listener` of every clipping until `leave`, or until it is gone."""
    _listeners.add(listener)
    for module, name in _SEAMS:
        original = getattr(sys.modules.get(module), name, None)
        if original is not None and (module, name) not in _originals:
            _originals[module, name] = (original, _telling(original))
            setattr(sys.modules[module], name, _originals[module, name][1])


def leave(listener: Listener) -> None:
    """Tell `listener` no more; the last to leave puts torch's own functions back."""
    _listeners.discard(listener)
    if not _listeners:
        for (module, name), (original, ours) in list(_originals.items()):
            if getattr(sys.modules[module], name) is ours:
                setattr(sys.modules[module], name, original)
                del _originals[module, name]


def _telling(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def clip(parameters: Any, max_norm: float, total_norm: Tensor, *args: Any, **kwargs: Any) -> Any:
        import torch

        if _listeners and not torch.compiler.is_compiling():
            parameters = [parameters] if isinstance(parameters, torch.Tensor) else list(parameters)  # it may be a generator
            for listener in list(_listeners):
                listener.before_clip(parameters, max_norm, total_norm)
        return original(parameters, max_norm, total_norm, *args, **kwargs)

    return clip
