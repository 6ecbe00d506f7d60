"""`run.expect`: what goes into the log, and what the person is told of a slip."""

from __future__ import annotations

from pathlib import Path

import pytest

from bedside.checkpoint import Checkpoints
from bedside.control import Control
from bedside.notice import Problems
from bedside.run import Run, no_run
from bedside.send_queue import SendQueue
from bedside_protocol.alerts.expecting import MOST_EXPECTATIONS
from bedside_protocol.records import Body, ExpectationDeclared, RunStarted


class Bench:
    """A run whose queue the test reads in place of an uplink."""

    def __init__(self, directory: Path) -> None:
        problems = Problems()
        self.queue = SendQueue(problems)
        control = Control(lambda body: None, Checkpoints(directory), lambda: 0.0, lambda name: False, lambda name, every: None)
        self.run = Run(RunStarted("r", "r", "", 0.0), 0.0, str(directory), self.queue, control, problems)

    def said(self) -> list[Body]:
        return [record.body for record in self.queue.drain(10_000)]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_an_expectation_is_put_into_the_log_once(bench: Bench) -> None:
    bench.run.expect("loss < 0.05 after 5000")
    bench.run.expect("val/accuracy > 0.9 by 2000", severity="red")
    bench.run.expect("loss < 0.05 after 5000")
    assert bench.said() == [
        ExpectationDeclared("loss < 0.05 after 5000"),
        ExpectationDeclared("val/accuracy > 0.9 by 2000", "red"),
    ]


@pytest.mark.parametrize(
    ("text", "severity", "line"),
    [
        ("loss beneath 3", "amber", 'bedside: expect: "loss beneath 3" is no expectation: write "loss < 0.05 after 5000"'),
        ("loss < 0.05 after 5000", "orange", "bedside: expect: the severity of an expectation is amber or red"),
        (None, "amber", "bedside: expect: an expectation is a text of at most 300 characters"),
    ],
)
def test_a_slip_is_one_line_with_an_example_and_the_training_goes_on(
    bench: Bench, capsys: pytest.CaptureFixture[str], text: object, severity: object, line: str
) -> None:
    bench.run.expect(text, severity)  # type: ignore[arg-type]
    bench.run.expect(text, severity)  # type: ignore[arg-type]
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert err.startswith(line)
    assert bench.said() == []


def test_a_script_that_expects_something_each_step_is_told_once(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    for step in range(MOST_EXPECTATIONS + 50):
        bench.run.expect(f"loss < 1 after {step}")
    assert len(bench.said()) == MOST_EXPECTATIONS
    assert capsys.readouterr().err == f"bedside: expect: only the first {MOST_EXPECTATIONS} are kept (is a step or an id in one?)\n"


def test_a_text_that_cannot_be_encoded_is_recorded_with_its_escapes(bench: Bench) -> None:
    bench.run.expect("lo\udcffss < 1")
    (body,) = bench.said()
    assert body == ExpectationDeclared("lo\\udcffss < 1")


def test_a_run_that_records_nothing_takes_it() -> None:
    no_run().expect("loss < 1")
