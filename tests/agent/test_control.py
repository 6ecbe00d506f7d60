"""The whole life of every command, with a real training thread between its steps and orders from another."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bedside.checkpoint import Checkpoints
from bedside.control import LEASE, Control
from bedside_protocol.commands import (
    ALREADY_PAUSED,
    MOST_STEPS,
    NEXT,
    NO_BOUNDARY,
    NO_CHECKPOINT,
    NO_RATE,
    NOT_PAUSED,
    OVER,
    STOPPING,
)
from bedside_protocol.messages import Order
from bedside_protocol.records import Body, CheckpointSaved, CommandChanged, Event, Scalar, Verb

WITHIN = 60.0


class Log:
    """What control says, and a way to wait for it."""

    def __init__(self) -> None:
        self.bodies: list[Body] = []
        self._news = threading.Condition()

    def __call__(self, body: Body) -> None:
        with self._news:
            self.bodies.append(body)
            self._news.notify_all()

    def wait(self, found: Callable[[], bool]) -> None:
        with self._news:
            assert self._news.wait_for(found, WITHIN), self.bodies

    def life(self, name: str) -> list[str]:
        """The states of a command, with the sentence of the last."""
        changes = [body for body in self.bodies if isinstance(body, CommandChanged) and body.id == name]
        for before, after in itertools.pairwise(changes):
            assert after.state in NEXT[before.state]
        assert not changes or changes[0].state in NEXT["requested"]
        return [change.state for change in changes]

    def last(self, name: str) -> CommandChanged:
        return [body for body in self.bodies if isinstance(body, CommandChanged) and body.id == name][-1]


class Bench:
    """A control, its log, a hub whose silence the test decides, and a training thread that makes steps when told."""

    def __init__(self, directory: Path) -> None:
        self.log = Log()
        self.silence = 0.0
        self.probes = {"vq"}
        self.demanded: list[str] = []
        self.rates: list[tuple[str, int]] = []
        self.control = Control(self.log, Checkpoints(directory), lambda: self.silence, self._demand, self._rate)
        self.control.boundaries = "yes"
        self.step = 0
        self._allowed = threading.Semaphore(0)
        self._made = threading.Condition()
        self._ended = False
        self._names = itertools.count(1)
        self.thread = threading.Thread(target=self._train, daemon=True)
        self.thread.start()

    def _demand(self, probe: str) -> bool:
        self.demanded.append(probe)
        return probe in self.probes

    def _rate(self, probe: str, every: int) -> int | None:
        """A budget that allows no more than a measurement every 40 steps."""
        self.rates.append((probe, every))
        return (max(every, 40) if every > 0 else 0) if probe in self.probes else None

    def _train(self) -> None:
        while not self.control.stopping:
            self._allowed.acquire()
            if self._ended:
                return
            step = self.step + 1
            if self.control.line.wanted:
                self.control.boundary(step)
            with self._made:
                self.step = step
                self._made.notify_all()

    def allow(self, steps: int = 1) -> None:
        self._allowed.release(steps)

    def train(self, steps: int = 1) -> None:
        """Make steps and wait until they are made."""
        goal = self.step + steps
        self.allow(steps)
        self.reached(goal)

    def reached(self, step: int) -> None:
        with self._made:
            assert self._made.wait_for(lambda: self.step >= step, WITHIN)

    def order(self, verb: Verb, name: str = "", **arguments: Scalar) -> str:
        name = name or f"c{next(self._names)}"
        self.control.receive(Order(name, verb, "me", arguments), self.step + 1)
        return name

    def held(self) -> None:
        """Pause, and wait until it holds."""
        name = self.order("pause")
        self.allow()
        self.log.wait(lambda: "applied" in self.log.life(name))
        while not self.control.paused:  # said a moment before it is so
            threading.Event().wait(0.001)

    def until_over(self, name: str) -> list[str]:
        self.log.wait(lambda: bool(self.log.life(name)) and not NEXT[self.log.last(name).state])
        return self.log.life(name)

    def close(self) -> None:
        self._ended = True
        self.silence = LEASE + 1
        self.allow()
        self.thread.join(WITHIN)
        assert not self.thread.is_alive()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.close()


def save(path: str) -> None:
    Path(path).write_text("weights")


# --- each verb


def test_pause_holds_between_two_steps_and_resume_lets_go(bench: Bench) -> None:
    bench.train(3)
    pause = bench.order("pause")
    assert (bench.log.life(pause), bench.log.last(pause).step) == (["accepted", "scheduled"], 4)
    bench.allow(2)
    assert bench.until_over(pause) == ["accepted", "scheduled", "applied"]
    assert (bench.log.last(pause).step, bench.step) == (4, 3)
    resume = bench.order("resume")
    bench.reached(5)
    assert bench.log.life(resume) == ["accepted", "applied"]
    assert not bench.control.paused
    assert bench.control.paused_seconds > 0


def test_step_makes_one_step_and_holds_again(bench: Bench) -> None:
    bench.held()
    bench.allow(5)
    for goal in (1, 2):
        name = bench.order("step")
        assert bench.until_over(name)[-1] == "applied"
        bench.reached(goal)
    assert bench.step == 2
    bench.order("resume")
    bench.reached(6)


def test_checkpoint_says_where_and_how_large(bench: Bench, tmp_path: Path) -> None:
    bench.control.save = save
    name = bench.order("checkpoint")
    bench.train(2)
    assert bench.log.life(name) == ["accepted", "scheduled", "applied"]
    assert bench.log.last(name).detail == f"{tmp_path / 'step_00000001.pt'} 7 bytes"
    (saved,) = [body for body in bench.log.bodies if isinstance(body, CheckpointSaved)]
    assert (saved.command, saved.step, saved.verified) == (name, 1, True)


def test_checkpoint_works_while_paused_and_the_run_stays_held(bench: Bench) -> None:
    bench.control.save = save
    bench.held()
    bench.allow(5)
    for _ in range(2):
        name = bench.order("checkpoint")
        assert bench.until_over(name) == ["accepted", "applied"]
    assert (bench.control.paused, bench.step) == (True, 0)


def test_a_checkpoint_saved_elsewhere_is_said_to_be_not_verified(bench: Bench, tmp_path: Path) -> None:
    elsewhere = tmp_path / "mine.pt"
    bench.control.save = lambda path: elsewhere.write_text("mine") and elsewhere
    name = bench.order("checkpoint")
    bench.train()
    assert bench.log.last(name).detail == f"{elsewhere} 4 bytes (saved by the script, not verified)"


def test_stop_ends_at_the_boundary(bench: Bench) -> None:
    name = bench.order("stop")
    bench.train()
    assert bench.log.life(name) == ["accepted", "scheduled", "applied"]
    assert bench.control.stopping


def test_stop_while_paused_lets_go_and_stops(bench: Bench) -> None:
    bench.held()
    name = bench.order("stop")
    bench.reached(1)
    assert bench.until_over(name) == ["accepted", "applied"]
    assert bench.control.stopping
    assert not bench.control.paused


def test_stop_with_a_checkpoint_saves_first(bench: Bench) -> None:
    bench.control.save = save
    name = bench.order("stop", checkpoint=True)
    bench.train()
    assert bench.log.life(name) == ["accepted", "scheduled", "applied"]
    assert any(isinstance(body, CheckpointSaved) for body in bench.log.bodies)
    assert bench.control.stopping


def test_stop_with_a_checkpoint_that_fails_does_not_stop(bench: Bench) -> None:
    bench.control.save = lambda path: None
    name = bench.order("stop", checkpoint=True)
    bench.train()
    assert bench.log.life(name) == ["accepted", "scheduled", "failed"]
    assert bench.log.last(name).detail == "save(path) wrote nothing at the path it was given; the run goes on"
    assert not bench.control.stopping


def test_a_checkpoint_and_stop_that_fails_while_paused_keeps_the_run_held(bench: Bench) -> None:
    bench.control.save = lambda path: None
    bench.held()
    bench.allow()
    assert bench.until_over(bench.order("stop", checkpoint=True))[-1] == "failed"
    assert bench.control.paused
    bench.order("resume")
    bench.reached(2)


def test_a_snapshot_is_asked_of_a_probe_by_its_name(bench: Bench) -> None:
    known, unknown = bench.order("snapshot", probe="vq"), bench.order("snapshot", probe="__import__('os')")
    bench.train()
    assert bench.log.life(known)[-1] == "applied"
    assert (bench.log.life(unknown)[-1], bench.log.last(unknown).detail) == ("failed", "there is no probe of that name")
    assert bench.demanded == ["vq", "__import__('os')"]


@pytest.mark.parametrize(
    ("every", "state", "detail"),
    [
        (50, "applied", "every 50 steps"),
        (10, "applied", "every 40 steps: every 10 would exceed the probes' budget"),
        (0, "applied", "measured on demand only"),
        (-1, "applied", "measured on demand only"),
        (True, "failed", NO_RATE),
        (2.5, "failed", NO_RATE),
        ("10", "failed", NO_RATE),
        (None, "failed", NO_RATE),
        (MOST_STEPS + 1, "failed", NO_RATE),
    ],
)
def test_a_rate_is_applied_and_says_what_it_became(bench: Bench, every: Scalar, state: str, detail: str) -> None:
    name = bench.order("rate", probe="vq", every=every)
    bench.train()
    assert bench.log.life(name) == ["accepted", "scheduled", state]
    assert bench.log.last(name).detail == detail
    assert bench.rates == ([("vq", every)] if state == "applied" else [])


def test_a_rate_for_a_probe_that_is_not_there_fails(bench: Bench) -> None:
    name = bench.order("rate", probe="nobody", every=50)
    bench.train()
    assert (bench.log.life(name)[-1], bench.log.last(name).detail) == ("failed", "there is no probe of that name")


def test_a_rate_is_changed_while_paused_and_the_run_stays_paused(bench: Bench) -> None:
    bench.held()
    assert bench.until_over(bench.order("rate", probe="vq", every=50)) == ["accepted", "applied"]
    assert bench.control.paused


def test_cancel_takes_back_what_waits(bench: Bench) -> None:
    pause = bench.order("pause")
    cancel = bench.order("cancel", id=pause)
    assert bench.log.life(pause) == ["accepted", "scheduled", "cancelled"]
    assert bench.log.last(pause).detail == "by me"
    assert bench.log.life(cancel) == ["accepted", "applied"]
    bench.train(3)
    assert bench.log.life(pause)[-1] == "cancelled"


# --- refusals


def test_each_refusal_has_its_sentence(bench: Bench) -> None:
    refusals = {
        bench.order("resume"): NOT_PAUSED,
        bench.order("step"): NOT_PAUSED,
        bench.order("checkpoint"): NO_CHECKPOINT,
        bench.order("stop", checkpoint=True): NO_CHECKPOINT,
        bench.order("cancel", id="nothing"): "there is no such command waiting",
        bench.order("cancel"): "there is no such command waiting",
    }
    bench.held()
    refusals[bench.order("pause")] = ALREADY_PAUSED
    for name, sentence in refusals.items():
        assert (bench.log.life(name), bench.log.last(name).detail) == (["refused"], sentence)


@pytest.mark.parametrize("verb", ["pause", "step", "checkpoint", "stop", "snapshot", "rate"])
def test_a_script_without_boundaries_refuses_what_needs_one(bench: Bench, verb: Verb) -> None:
    bench.control.boundaries = "no"
    bench.control.save = save
    name = bench.order(verb, probe="vq")
    assert (bench.log.life(name), bench.log.last(name).detail) == (["refused"], NO_BOUNDARY)


@pytest.mark.parametrize("verb", ["pause", "resume", "step", "checkpoint", "stop", "snapshot", "rate", "cancel"])
def test_a_run_that_is_over_refuses_everything(bench: Bench, verb: Verb) -> None:
    bench.control.close(9)
    name = bench.order(verb)
    assert (bench.log.life(name), bench.log.last(name).detail) == (["refused"], OVER)


def test_what_still_waits_at_the_end_has_failed(bench: Bench) -> None:
    names = [bench.order("pause"), bench.order("stop")]
    bench.control.close(9)
    for name in names:
        assert (bench.log.life(name), bench.log.last(name).detail) == (["accepted", "scheduled", "failed"], OVER)


def test_what_waits_behind_a_stop_fails_and_what_comes_later_is_refused(bench: Bench) -> None:
    stop, pause = bench.order("stop"), bench.order("pause")
    bench.train()
    assert (bench.log.life(stop)[-1], bench.log.life(pause)[-1]) == ("applied", "failed")
    assert bench.log.last(pause).detail == STOPPING
    later = bench.order("pause")
    assert (bench.log.life(later), bench.log.last(later).detail) == (["refused"], STOPPING)
    assert not bench.control.line.wanted


def test_a_verb_of_a_newer_viewer_fails_in_words(bench: Bench) -> None:
    name = bench.order("dance")  # type: ignore[arg-type]
    bench.train()
    assert (bench.log.life(name), bench.log.last(name).detail) == (["accepted", "failed"], "this agent does not know 'dance'")


# --- twice, and in what order


def test_an_order_delivered_twice_is_carried_out_once(bench: Bench) -> None:
    bench.control.save = save
    for _ in range(3):
        bench.order("checkpoint", name="one")
    bench.train(2)
    bench.order("checkpoint", name="one")
    bench.train(2)
    assert bench.log.life("one") == ["accepted", "scheduled", "applied"]
    assert sum(isinstance(body, CheckpointSaved) for body in bench.log.bodies) == 1


def test_a_refusal_delivered_twice_is_said_once(bench: Bench) -> None:
    for _ in range(2):
        bench.order("resume", name="one")
    assert bench.log.life("one") == ["refused"]


def test_pausing_twice_needs_one_resume(bench: Bench) -> None:
    names = [bench.order("pause"), bench.order("pause")]
    bench.allow(3)
    for name in names:
        assert bench.until_over(name)[-1] == "applied"
    bench.order("resume")
    bench.reached(3)


def test_pause_and_resume_before_the_boundary_hold_nothing(bench: Bench) -> None:
    names = [bench.order("pause"), bench.order("resume")]
    bench.train(3)
    assert [bench.log.life(name)[-1] for name in names] == ["applied", "applied"]
    assert bench.control.paused_seconds == 0


def test_orders_are_carried_out_as_they_came(bench: Bench) -> None:
    bench.control.save = save
    names = [bench.order("checkpoint"), bench.order("snapshot", probe="vq"), bench.order("pause"), bench.order("checkpoint")]
    bench.allow(2)
    bench.until_over(names[-1])
    done = [body.id for body in bench.log.bodies if isinstance(body, CommandChanged) and body.state == "applied"]
    assert done == names
    bench.order("resume")
    bench.reached(2)


def test_while_nothing_is_asked_the_training_looks_at_one_attribute(bench: Bench) -> None:
    wanted = [bench.control.line.wanted]
    bench.train(3)
    bench.order("pause", name="p")
    wanted.append(bench.control.line.wanted)
    bench.order("cancel", id="p")
    bench.train()
    wanted.append(bench.control.line.wanted)
    assert wanted == [False, True, False]
    assert "open" in repr(bench.control)


# --- no hub, no quiet end


def test_a_held_run_without_a_hub_goes_on_after_the_lease_and_says_so(bench: Bench) -> None:
    bench.held()
    bench.allow()
    bench.silence = LEASE - 1
    assert bench.until_over(bench.order("snapshot", probe="vq"))[-1] == "applied"
    assert "paused" in repr(bench.control)
    bench.silence = LEASE + 1
    bench.reached(2)
    assert bench.log.bodies[-1] == Event("resumed-without-hub", 1, {"seconds": LEASE})
    assert "open" in repr(bench.control)


def test_an_order_that_arrives_as_the_lease_ends_is_not_forgotten(bench: Bench) -> None:
    bench.held()
    bench.silence = LEASE + 1
    name = bench.order("stop")
    bench.allow(2)
    assert bench.until_over(name)[-1] == "applied"
    assert bench.control.stopping


def test_an_interrupt_inside_a_save_is_said_and_passes(tmp_path: Path) -> None:
    log = Log()

    def interrupted(path: str) -> None:
        raise KeyboardInterrupt

    control = Control(log, Checkpoints(tmp_path), lambda: 0.0, lambda name: False, lambda name, every: None)
    control.save = interrupted
    control.receive(Order("c", "checkpoint", "me"), 1)
    with pytest.raises(KeyboardInterrupt):
        control.boundary(1)
    assert (log.life("c"), log.last("c").detail) == (["accepted", "scheduled", "failed"], "interrupted by KeyboardInterrupt")


def test_orders_from_a_storm_of_threads_all_come_to_an_end(bench: Bench, together: Callable[[int, Callable[[int], Any]], None]) -> None:
    bench.control.save = save
    verbs: list[Verb] = ["pause", "resume", "step", "checkpoint", "snapshot", "cancel"]

    def work(thread: int) -> None:
        for number in range(60):
            bench.order(verbs[(number * 5 + thread) % len(verbs)], name=f"{thread}-{number}", id=f"{thread}-{number - 1}")
            bench.allow()

    together(4, work)
    while bench.control.paused or bench.control.line.wanted:
        if bench.control.paused:
            bench.order("resume")
        bench.allow()
        threading.Event().wait(0.001)
    bench.close()
    bench.control.close(bench.step)
    for thread, number in itertools.product(range(4), range(60)):
        assert not NEXT[bench.log.last(f"{thread}-{number}").state]
        bench.log.life(f"{thread}-{number}")
