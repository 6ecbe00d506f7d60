"""Whatever bytes come in, only documented errors come out: the corpus, and some thousands of changes to it that are the same each time.

`make fuzz` looks further, guided by what the inputs reach in the code.
"""

from __future__ import annotations

import pytest
from fuzz_mutation import mutations
from fuzz_seeds import CORPUS, bodies, seeds
from fuzz_targets import TARGETS, use

from bedside_protocol.records import Record

CHANGED = {"record": 700, "message": 1500, "link": 400, "log": 500, "chunk": 150, "events": 800, "event": 1500, "table": 500, "rows": 700,
           "lines": 250, "offline": 700, "logged": 1500, "rules": 100, "shown": 3000}  # fmt: skip
"""Inputs tried for each target besides its corpus: half a second of each."""


@pytest.mark.parametrize("target", TARGETS)
def test_no_input_of_the_corpus_and_none_like_it_raises_anything_undocumented(target: str) -> None:
    corpus = seeds(target)
    for data in (*corpus, *mutations(corpus, CHANGED[target], seed=7)):
        try:
            TARGETS[target](data)
        except Exception as error:
            raise AssertionError(f"{target} of {data!r}") from error


def test_every_kind_of_record_goes_all_the_way_that_fuzzed_ones_go() -> None:
    use([Record(place / 2, body, 0, place + 1) for place, body in enumerate(bodies())])


def test_the_corpus_belongs_to_the_targets_and_is_small() -> None:
    assert {path.stem for path in CORPUS.iterdir()} <= set(TARGETS)
    assert 0 < sum(path.stat().st_size for path in CORPUS.iterdir()) <= 256 << 10
