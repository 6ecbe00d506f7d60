"""A training that is forked ends like any process."""

from __future__ import annotations

import os
from pathlib import Path

from detection.nursery import Nursery

SCRIPT = """
import sys, threading
print("said", sys.argv[1], flush=True)
if sys.argv[1] == "forever":
    threading.Event().wait()
if sys.argv[1] == "wrong":
    raise KeyError("wrong")
sys.exit(7)
"""


def test_a_fork_ends_by_its_own_exit_code_and_one_that_never_ends_is_killed(tmp_path: Path) -> None:
    script, output = tmp_path / "script.py", tmp_path / "output"
    script.write_text(SCRIPT)
    nursery = Nursery(os.environ)
    found = [nursery.run([str(script), word], output, limit) for word, limit in (("well", 60.0), ("forever", 0.5), ("wrong", 60.0))]
    nursery.close()
    assert found == [7, None, 1]
    said = output.read_text()
    assert [line for line in said.splitlines() if line.startswith("said")] == ["said well", "said forever", "said wrong"]
    assert said.rstrip().endswith("KeyError: 'wrong'")
