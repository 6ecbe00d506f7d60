"""`python -P -m bedside.measure_script SCRIPT [ARGUMENT …]`: run a script to measure a checkpoint, as `python SCRIPT` would run it.

What the environment asks for is read by `bedside.init`. Before the script's first line the random states of Python, numpy and torch are
seeded, so that it meets the same data with every checkpoint; a script that seeds itself does so after this. From here on `torch.save` does
nothing.
"""

from __future__ import annotations

import os
import random
import runpy
import sys
from collections.abc import Sequence
from typing import Final

import numpy as np

from bedside.leaving import save_nothing

_SEED: Final = 0


def main(words: Sequence[str]) -> None:
    """Run the script `words[0]` with the arguments that follow it."""
    import torch

    random.seed(_SEED)
    np.random.seed(_SEED)
    torch.manual_seed(_SEED)
    save_nothing()
    sys.argv[:] = words
    sys.path.insert(0, os.path.dirname(os.path.abspath(words[0])))
    runpy.run_path(words[0], run_name="__main__")


if __name__ == "__main__":
    main(sys.argv[1:])
