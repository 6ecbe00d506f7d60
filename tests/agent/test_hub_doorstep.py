"""The way in for viewers, removed and put back."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from bedside.hub.doorstep import is_laid_out, lay_out, put_back
from bedside.hub.gate import Gate
from bedside.runtime import make_keys
from bedside.spawn import HubPlan


@pytest.fixture
def plan() -> Iterator[HubPlan]:
    """A run whose runtime directory has a short path, as a socket needs."""
    base = Path(tempfile.mkdtemp(prefix="bs-"))
    yield HubPlan("run-1", str(base), str(base / "rt" / "r"), 1, 1, 0.0, 0.0, 1 << 20, make_keys())
    shutil.rmtree(base)


@pytest.fixture
def gate(plan: HubPlan) -> Iterator[Gate]:
    lay_out(plan)
    gate = Gate(plan.keys, Path(plan.runtime))
    yield gate
    gate.close()


@pytest.mark.parametrize("what", ["hub", "keys.json", "", ".."])
def test_whatever_is_removed_is_put_back_for_its_owner_alone(plan: HubPlan, gate: Gate, what: str) -> None:
    assert is_laid_out(plan)
    gone = (Path(plan.runtime) / what).resolve()
    gone.unlink() if what and what != ".." else shutil.rmtree(gone)
    assert not is_laid_out(plan)
    assert put_back(plan, gate) == ""
    assert is_laid_out(plan)
    runtime = Path(plan.runtime)
    assert [path.stat().st_mode & 0o077 for path in (runtime.parent, runtime, runtime / "keys.json")] == [0, 0, 0]


def test_where_it_cannot_be_put_back_that_is_a_sentence_and_a_later_try_succeeds(plan: HubPlan, gate: Gate) -> None:
    runtime = Path(plan.runtime)
    shutil.rmtree(runtime)
    runtime.write_text("somebody's file")
    for _ in range(2):
        assert put_back(plan, gate) == "the way in for viewers was removed and cannot be put back: is not a directory"
    assert runtime.read_text() == "somebody's file"
    runtime.unlink()
    assert put_back(plan, gate) == ""
    assert is_laid_out(plan)
