"""What the run does with what the script says: metrics and their groups, definitions, phases, epochs, and the probes that read along."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from bedside.checkpoint import Checkpoints
from bedside.control import Control
from bedside.notice import Problems
from bedside.probes.probe import Probe
from bedside.probes.probe_set import ProbeSet
from bedside.run import Run, no_run
from bedside.schedule import every
from bedside.send_queue import SendQueue
from bedside.tensors import MAX_NAME
from bedside_protocol.definitions import DIRECTIONS, KINDS, MOST_DEFINITIONS
from bedside_protocol.messages import Order
from bedside_protocol.records import Body, CommandChanged, Event, MetricDefined, Metrics, ProbeDeclared, RunStarted, Snapshot


class Bench:
    """A run whose queue the test reads in place of an uplink."""

    def __init__(self, directory: Path) -> None:
        self.problems = Problems(quiet=True)
        self.queue = SendQueue(self.problems)
        self.control = Control(
            lambda body: self.queue.append(0.0, body),
            Checkpoints(directory),
            lambda: 0.0,
            lambda name: self.run.probes.demand(name),
            lambda name, every: self.run.change_rate(name, every),
        )
        self.run = Run(RunStarted("r", "r", "", 0.0), 0.0, str(directory), self.queue, self.control, self.problems)
        self.run.probes = ProbeSet(self.problems, budget=1e9)  # steps of microseconds have no room for anything

    def said(self) -> list[Body]:
        return [record.body for record in self.queue.drain(10_000)]

    def rows(self) -> list[tuple[int, dict[str, float]]]:
        """The logged rows, (step, values)."""
        blocks = [body for body in self.said() if isinstance(body, Metrics)]
        return [
            (int(step), dict(zip(block.names, block.values[:, place].tolist(), strict=True)))
            for block in blocks
            for place, step in enumerate(block.steps)
        ]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.run.finish()


class Reading(Probe):
    """Notes what it is told."""

    kind = "reading"
    reads = ("loss",)

    def __init__(self, name: str = "reading") -> None:
        super().__init__(name, every(2))
        self.told: list[tuple[int, dict[str, float]]] = []
        self.epochs: list[int] = []

    def logged(self, step: int, row: Mapping[str, float]) -> None:
        self.told.append((step, dict(row)))

    def epoch(self, number: int) -> None:
        self.epochs.append(number)

    def measure(self, step: int) -> Snapshot | None:
        return Snapshot(self.name, self.kind, step, {"told": float(len(self.told))})


class Failing(Reading):
    def logged(self, step: int, row: Mapping[str, float]) -> None:
        raise ZeroDivisionError


def sentences(bench: Bench) -> list[str]:
    return sorted(text for text, _ in bench.problems.news())


# --- groups


def test_values_of_a_group_are_a_series_of_their_own_and_the_plain_name_is_not_logged(bench: Bench) -> None:
    bench.run.log({"loss": 0.5, "acc": 1}, step=3, group={"T": 64, "task": "arc"})
    bench.run.log({"loss": 0.6}, step=4, group={"task": "arc", "T": 64})
    bench.run.log({"loss": 0.7}, step=5)
    assert bench.rows() == [
        (3, {"loss [T=64 task=arc]": 0.5, "acc [T=64 task=arc]": 1.0}),
        (4, {"loss [T=64 task=arc]": 0.6}),
        (5, {"loss": 0.7}),
    ]


def test_groups_of_the_same_metric_are_never_pooled(bench: Bench) -> None:
    for step in range(1, 2001):
        bench.run.log({"loss": float(step)}, step=step, group={"T": step % 3})
    rows = bench.rows()
    assert {name for _, row in rows for name in row} == {"loss [T=0]", "loss [T=1]", "loss [T=2]"}
    assert all(value % 3 == int(name[-2]) for _, row in rows for name, value in row.items())


@pytest.mark.parametrize("nothing", [None, {}])
def test_no_group_and_an_empty_one_are_the_metric_itself(bench: Bench, nothing: dict[str, object] | None) -> None:
    bench.run.log({"loss": 0.5}, step=1, group=nothing)
    assert bench.rows() == [(1, {"loss": 0.5})]


def test_a_long_name_keeps_its_group(bench: Bench) -> None:
    bench.run.log({"n" * 500: 1.0}, step=1, group={"T": 1})
    bench.run.log({"n" * 500: 2.0}, step=2, group={"T": 2})
    names = [name for _, row in bench.rows() for name in row]
    assert [name[-6:] for name in names] == [" [T=1]", " [T=2]"]
    assert all(len(name) == MAX_NAME for name in names)


@pytest.mark.parametrize(
    ("group", "sentence"),
    [
        ("T=64", "a group is a mapping of names to numbers or words, not str"),
        ({"T": [64]}, "the values of a group are numbers or words"),
        ({"T": object()}, "the values of a group are numbers or words"),
        ({"T": "x" * 101}, "a group of more than 100 characters"),
    ],
)
def test_what_is_no_group_is_said_and_nothing_is_recorded_under_the_plain_name(bench: Bench, group: Any, sentence: str) -> None:
    bench.run.log({"loss": 0.5}, step=1, group=group)
    assert bench.rows() == []
    assert sentences(bench) == [f"log: {sentence}; nothing of it is recorded"]


def test_values_that_are_no_mapping_are_said_with_a_group_too(bench: Bench) -> None:
    bench.run.log(0.5, step=1, group={"T": 1})  # type: ignore[arg-type]
    assert sentences(bench) == ["log takes a mapping of names to numbers, not float"]


# --- definitions


def test_a_definition_is_recorded_once_however_often_it_is_said(bench: Bench) -> None:
    for _ in range(3):
        bench.run.define_metric("elbo", kind="loss", direction="up")
        bench.run.define_metric("fid", unit="pts", direction="down")
    assert bench.said() == [MetricDefined("elbo", "loss", None, "up"), MetricDefined("fid", None, "pts", "down")]


def test_a_definition_that_changes_its_mind_is_recorded_again(bench: Bench) -> None:
    kinds = ("loss", "reward", "loss")
    for kind in kinds:
        bench.run.define_metric("score", kind=kind)  # type: ignore[arg-type]
    assert [body.kind for body in bench.said() if isinstance(body, MetricDefined)] == list(kinds)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"pattern": "x", "kind": "losss"}, KINDS),
        ({"pattern": "x", "kind": ["loss"]}, KINDS),
        ({"pattern": "x", "direction": "left"}, DIRECTIONS),
        ({"pattern": "x", "unit": 3}, ("text",)),
        ({"pattern": 3}, ("name",)),
        ({"pattern": ""}, ("name",)),
    ],
)
def test_a_definition_that_cannot_be_is_refused_with_one_sentence_that_says_what_can(
    bench: Bench, arguments: dict[str, Any], words: tuple[str, ...]
) -> None:
    bench.run.define_metric(**arguments)
    assert bench.said() == []
    (sentence,) = sentences(bench)
    assert sentence.startswith("define_metric: ")
    assert all(word in sentence for word in words)


def test_definitions_without_end_are_cut_off_in_words(bench: Bench) -> None:
    for number in range(MOST_DEFINITIONS + 5):
        bench.run.define_metric(f"loss/{number}", kind="loss")
    assert len(bench.said()) == MOST_DEFINITIONS
    assert sentences(bench) == ["define_metric: only the first 1,000 definitions are kept (is a step or an id in a pattern?)"]


# --- phases and epochs


def phases(bench: Bench) -> list[tuple[object, object]]:
    return [(body.fields["name"], body.fields["state"]) for body in bench.said() if isinstance(body, Event) and body.name == "phase"]


def test_a_phase_is_marked_where_its_block_begins_and_ends(bench: Bench) -> None:
    with bench.run.phase("eval"):
        assert phases(bench) == [("eval", "begin")]
    assert phases(bench) == [("eval", "end")]


def test_a_bare_phase_is_a_mark(bench: Bench) -> None:
    bench.run.phase("finetune")
    assert phases(bench) == [("finetune", "begin")]


def test_a_phase_left_by_an_exception_ends_and_lets_it_through(bench: Bench) -> None:
    with pytest.raises(KeyError), bench.run.phase("eval"):
        raise KeyError
    assert phases(bench) == [("eval", "begin"), ("eval", "end")]


def test_an_epoch_is_marked_and_the_probes_are_told(bench: Bench) -> None:
    probe = bench.run.probe(Reading())
    bench.run.epoch(4)
    assert probe.epochs == [4]
    assert [body.fields for body in bench.said() if isinstance(body, Event)] == [{"n": 4}]


# --- probes that read metrics


def test_a_probe_reads_the_rows_that_hold_its_metric_and_what_is_recorded_is_the_same(bench: Bench) -> None:
    bench.run.log({"loss": 0.1}, step=1)
    probe = bench.run.probe(Reading())
    bench.run.log({"loss": 0.2, "lr": 1.0}, step=2)
    bench.run.log({"lr": 1.0}, step=3)
    bench.run.log({"loss": 3}, step=4)  # a whole number takes the slower way
    bench.run.log({"loss": 0.5}, step=5, group={"T": 1})
    assert probe.told == [(2, {"loss": 0.2, "lr": 1.0}), (4, {"loss": 3.0})]
    assert [step for step, _ in bench.rows()] == [1, 2, 3, 4, 5]


def test_without_a_probe_that_reads_metrics_a_row_goes_straight_into_the_queue(bench: Bench) -> None:
    class Deaf(Reading):
        reads = ()

    bench.run.probe(Deaf())
    assert bench.run._emit == bench.queue.append_row
    bench.run.probe(Reading())
    assert bench.run._emit != bench.queue.append_row


def test_a_probe_that_fails_at_a_row_is_named_and_the_row_is_recorded(bench: Bench) -> None:
    bench.run.probe(Failing("ratio"))
    for step in (1, 2):
        bench.run.log({"loss": 0.5}, step=step)
    assert [step for step, _ in bench.rows()] == [1, 2]
    assert bench.problems.news() == [("probe ratio: metrics that cannot be read (ZeroDivisionError)", 2)]


class _OnDevice:
    """As much of a tensor on another device as a row that waits for it needs."""

    class device:
        type = "cuda"

    shape = ()
    dtype = None

    def detach(self) -> _OnDevice:
        return self


def test_a_probe_is_told_of_a_row_that_comes_late_from_a_device(bench: Bench) -> None:
    probe = bench.run.probe(Reading())
    bench.run.log({"loss": _OnDevice()}, step=1)
    assert probe.told == []
    bench.run.step()  # there is no such device: the value is read as what cannot be read
    ((step, row),) = probe.told
    assert (step, math.isnan(row["loss"])) == (1, True)


def test_a_probe_is_measured_with_what_was_logged_in_the_step(bench: Bench) -> None:
    bench.run.probe(Reading())
    for _ in range(4):
        bench.run.log({"loss": 0.5})
        bench.run.step()
    bench.run.log({"loss": 0.5})
    assert [(body.step, body.scalars["told"]) for body in bench.said() if isinstance(body, Snapshot)] == [(2, 2.0), (4, 4.0)]


# --- rates


def test_a_rate_asked_for_is_declared_again_and_kept(bench: Bench) -> None:
    bench.run.probe(Reading())
    bench.run.step()
    bench.said()
    bench.control.receive(Order("c1", "rate", "me", {"probe": "reading", "every": 3}), 2)
    for _ in range(8):
        bench.run.step()
    said = bench.said()
    assert [body for body in said if isinstance(body, ProbeDeclared)] == [ProbeDeclared("reading", "reading", 3, {})]
    assert [body.state for body in said if isinstance(body, CommandChanged)] == ["accepted", "scheduled", "applied"]
    assert [body.step for body in said if isinstance(body, Snapshot)] == [2, 3, 6, 9]


# --- after the end, and elsewhere


def test_what_is_logged_after_the_end_is_counted_with_and_without_a_group(bench: Bench) -> None:
    bench.run.probe(Reading())
    bench.run.finish()
    bench.said()
    bench.run.log({"loss": 0.5})
    bench.run.log({"loss": 0.5}, group={"T": 1})
    assert bench.rows() == []
    assert bench.problems.news() == [("log after finish is not recorded", 2)]


def test_a_forked_worker_records_nothing_and_every_log_is_counted(bench: Bench) -> None:
    probe = bench.run.probe(Reading())
    bench.said()
    bench.run.become_worker()
    for group in (None, {"T": 1}):
        bench.run.log({"loss": 0.5}, group=group)
    bench.run.probe(Reading("late"))
    bench.run.log({"loss": 0.5})
    bench.run.event("reinit")
    with bench.run.phase("eval"):
        bench.run.define_metric("loss", kind="loss")
    assert bench.said() == []
    assert probe.told == []
    assert ("log in a forked worker process is not recorded", 3) in bench.problems.news()


@pytest.mark.parametrize(
    "call",
    [
        lambda run: run.log({"loss": 0.5}, group={"T": 1}),
        lambda run: run.define_metric("x", kind="loss"),
        lambda run: run.phase("eval").__enter__(),
        lambda run: run.epoch(1),
        lambda run: run.probe(Reading()),
    ],
)
def test_a_run_that_records_nothing_takes_every_call(call: Callable[[Run], object], capsys: pytest.CaptureFixture[str]) -> None:
    call(no_run())
    assert capsys.readouterr().err == ""


# --- a script without boundaries


def test_without_a_step_loop_each_log_is_a_step_at_which_probes_are_measured(bench: Bench) -> None:
    bench.run.probe(Reading())
    for _ in range(5):
        bench.run.log({"loss": 0.5})
    assert [(body.step, body.scalars["told"]) for body in bench.said() if isinstance(body, Snapshot)] == [(2, 1.0), (4, 3.0)]


def test_several_logs_of_one_step_are_one_step_for_the_probes(bench: Bench) -> None:
    bench.run.probe(Reading())
    for step in (1, 1, 2, 2, 3, 3, 4):
        bench.run.log({"loss": 0.5}, step=step)
    assert [body.step for body in bench.said() if isinstance(body, Snapshot)] == [2, 4]


def test_without_a_step_loop_values_of_a_device_arrive_at_the_next_step(bench: Bench) -> None:
    for _ in range(3):
        bench.run.log({"loss": _OnDevice()})
    assert [step for step, _ in bench.rows()] == [1, 2]


def test_a_forked_worker_that_logs_steps_measures_nothing(bench: Bench) -> None:
    bench.run.probe(Reading())
    bench.run.become_worker()
    bench.said()
    for _ in range(5):
        bench.run.log({"loss": 0.5})
    assert bench.said() == []


@pytest.mark.parametrize("logs", [1, 2])
def test_a_log_before_the_first_boundary_is_no_step_of_its_own(bench: Bench, logs: int) -> None:
    for _ in range(5):
        for _ in range(logs):
            bench.run.log({"loss": 1.0})
        bench.run.step()
    assert bench.run.current_step == 5


def test_an_evaluation_logged_before_the_loop_does_not_move_the_steps(bench: Bench) -> None:
    bench.run.log({"val": 1.0})
    for _ in bench.run.steps(range(3)):
        bench.run.log({"loss": 1.0})
    assert bench.run.current_step == 3
    assert [step for step, row in bench.rows() if "loss" in row] == [1, 2, 3]
