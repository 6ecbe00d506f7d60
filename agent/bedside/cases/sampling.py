"""Ways to choose codes from logits, side by side: a collapse under all of them is no matter of sampling.

Each takes logits (…, codes) and returns codes (…).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

Sampler = Callable[[Tensor], Tensor]


def drawn(logits: Tensor) -> Tensor:
    """Codes from their probabilities."""
    codes: Tensor = torch.distributions.Categorical(logits=logits).sample()
    return codes


def top_k(logits: Tensor, k: int = 8) -> Tensor:
    return drawn(logits.masked_fill(logits < logits.topk(k).values[..., -1:], -torch.inf))


def nucleus(logits: Tensor, share: float = 0.9) -> Tensor:
    """Drawn from the fewest codes that hold `share` of the probability (Holtzman et al., arXiv 1904.09751)."""
    ordered, order = logits.softmax(-1).sort(descending=True)
    beyond = (ordered.cumsum(-1) - ordered > share).gather(-1, order.argsort(-1))
    return drawn(logits.masked_fill(beyond, -torch.inf))


VARIANTS: dict[str, Sampler] = {
    "argmax": lambda logits: logits.argmax(-1),
    "top-k 8": top_k,
    "nucleus 0.9": nucleus,
    "temperature 0.8": lambda logits: drawn(logits / 0.8),
}
