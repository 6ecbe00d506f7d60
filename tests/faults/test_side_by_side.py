"""Tries side by side: what hangs, breaks off or dies is counted and told, and the rest goes on; what measures a time is alone."""

from __future__ import annotations

import math
import os
import signal
import time
from pathlib import Path

import pytest
import side_by_side as module
from fault_table import FAULTS, Fault, Inflict
from parts import Part, parts_of, seconds_left
from side_by_side import side_by_side
from stage import Stage

pytestmark = pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning")
"""The long form has no thread when it forks; a test's process may have, and what is forked here touches nothing of theirs."""


def fault(words: str, inflict: Inflict, *, tries: int = 1000, alone: int = 0, part: int = 20) -> Fault:
    return Fault(("F1",), words, inflict, tries, alone, part)


def well(stage: Stage, times: int) -> None:
    stage.tally.tries += times
    stage.tally.measure("took, s", times)


def breaks_off(stage: Stage, times: int) -> None:
    stage.tally.tries += 1
    raise KeyError("no such process")


def waits_in_vain(stage: Stage, times: int) -> None:
    raise AssertionError("waited 20 s for a verdict")


def dies(stage: Stage, times: int) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def never_ends(stage: Stage, times: int) -> None:
    stage.tally.tries += 1
    stage.home()
    time.sleep(600)


def test_a_thousand_makes_as_many_tries_as_the_table_says_and_a_tenth_its_share() -> None:
    for tries, share in ((1000, 1.0), (100, 0.1)):
        made = parts_of(FAULTS, tries)
        for one in FAULTS:
            mine = [part for part in made if part.fault is one]
            assert sum(part.times for part in mine) == max(1, round(one.tries * share))
            assert sum(part.times for part in mine if part.alone) == (max(1, round(one.alone * share)) if one.alone else 0)
            assert all(0 < part.times <= one.part for part in mine)


def test_with_n_of_one_every_fault_is_tried() -> None:
    assert {part.fault for part in parts_of(FAULTS, 1)} == set(FAULTS)


def test_what_is_tried_alone_comes_first_and_whoever_interrupts_has_some_of_every_other_fault() -> None:
    many, few = fault("many", well, tries=100, part=10), fault("few", well, tries=20, part=10, alone=10)
    made = parts_of([many, few], 1000)
    assert [part.alone for part in made] == [True] + [False] * 11
    assert [part.fault.words for part in made[1:]].index("few") == 5


def test_the_time_that_is_left_follows_from_what_each_fault_took() -> None:
    slow, quick, new = (fault(words, well) for words in ("slow", "quick", "new"))
    took = [(Part(slow, 2, False), 20.0), (Part(quick, 10, False), 10.0)]
    left = [Part(slow, 4, False), Part(quick, 4, False), Part(new, 1, True)]
    assert seconds_left(left, took, jobs=4) == (40 + 4) / 4 + 15
    assert math.isnan(seconds_left(left, [], jobs=4))


def test_one_that_breaks_off_waits_in_vain_or_dies_is_told_and_the_others_go_on() -> None:
    bad = [Part(fault(name.__name__, name), 3, False) for name in (breaks_off, waits_in_vain, dies)]
    good = [Part(fault("well", well), 5, False) for _ in range(3)]
    done = {done.part.fault.words: done.tally for done in side_by_side([*bad, *good], 2)}
    assert done["breaks_off"].notes == ["broke off: KeyError('no such process')"]
    assert done["waits_in_vain"].notes == ["waited 20 s for a verdict"]
    assert done["dies"].notes == ["3 × dies: its process died and said nothing"]
    assert [tally.hangs for name, tally in done.items() if name != "well"] == [1, 1, 1]
    assert (done["well"].tries, done["well"].is_clean, done["well"].measured) == (5, True, {"took, s": 5})


def test_one_that_does_not_end_is_ended_counted_and_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(module, "MOST", 1.0)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    [done] = side_by_side([Part(fault("never ends", never_ends), 3, False)], 2)
    assert (done.tally.tries, done.tally.hangs) == (1, 1)
    assert done.tally.notes[0].startswith("3 × never ends: not done after")
    assert list(tmp_path.iterdir()) == []


def test_who_stops_asking_ends_what_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    trying = side_by_side([Part(fault("well", well), 1, False), Part(fault("never ends", never_ends), 1, False)], 2)
    assert next(trying).tally.tries == 1
    trying.close()
    assert list(tmp_path.iterdir()) == []
