"""The step loop: what counts as a step, and how it can be left."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bedside.run import Run, no_run


@pytest.fixture
def run() -> Run:
    return no_run()


def test_each_iteration_ends_in_a_step_once_its_body_is_done(run: Run) -> None:
    seen = [(item, run.current_step) for item in run.steps([10, 20, 30])]
    assert seen == [(10, 0), (20, 1), (30, 2)]
    assert run.current_step == 3


def test_it_has_the_loaders_length_and_can_be_gone_through_again(run: Run) -> None:
    loop = run.steps([1, 2, 3])
    assert len(loop) == 3
    for epoch in range(3):
        assert list(loop) == [1, 2, 3]
        assert run.current_step == 3 * (epoch + 1)
    assert repr(loop) == "<Steps over list, a step is 1 iterations>"


def test_a_loader_without_length_has_none_here_either(run: Run) -> None:
    loop = run.steps(iter([1, 2]))
    with pytest.raises(TypeError):
        len(loop)
    assert list(loop) == [1, 2]


def test_accumulated_iterations_make_one_step(run: Run) -> None:
    counts = [run.current_step for _ in run.steps(range(7), accumulate=3)]
    assert counts == [0, 0, 0, 1, 1, 1, 2]
    assert run.current_step == 2


@pytest.mark.parametrize("accumulate", [0, -3])
def test_nonsense_accumulates_nothing(run: Run, accumulate: int) -> None:
    assert len(list(run.steps(range(4), accumulate=accumulate))) == 4
    assert run.current_step == 4


def test_counting_goes_on_where_a_resumed_run_begins(run: Run) -> None:
    assert [run.current_step for _ in run.steps(range(2), start=1000)] == [1000, 1001]


def test_a_loop_left_by_break_or_error_lets_the_loader_go(run: Run) -> None:
    closed = []

    def loader() -> Iterator[int]:
        try:
            yield from range(10)
        finally:
            closed.append(True)

    for item in run.steps(loader()):
        if item == 2:
            break
    assert closed == [True]


def test_the_loaders_own_error_comes_through_unchanged(run: Run) -> None:
    def loader() -> Iterator[int]:
        yield 1
        raise KeyError("batch")

    with pytest.raises(KeyError, match="batch"):
        list(run.steps(loader()))


def test_an_empty_loader_makes_no_step(run: Run) -> None:
    assert list(run.steps([])) == []
    assert run.current_step == 0
