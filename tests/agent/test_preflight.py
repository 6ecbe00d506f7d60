"""What the rehearsal before a long run finds, and that it leaves no trace."""

from __future__ import annotations

import copy
import random
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import bedside
from bedside.as_it_was import as_it_was
from bedside.peak_memory import PeakMemory
from bedside.probes.gradients import Gradients
from bedside.probes.structure import Structure
from bedside.rehearsal import Plan, Preflight, plan_of, preflight, rehearse
from bedside.run import Run, no_run
from bedside_protocol.records import Body, Event, Snapshot

Batch = tuple[Tensor, Tensor]


class Net(nn.Module):
    """Everything that draws numbers or keeps state in training, in every way a module can keep it."""

    mean: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(6, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.3))
        self.head = nn.Linear(16, 3)
        self.register_buffer("mean", torch.zeros(6))
        self.register_buffer("zeros", torch.zeros(1).expand(4), persistent=False)
        self.scale = torch.tensor([-0.0, 1.0])
        self.calls = 0
        self.history: deque[float] = deque([1.0], maxlen=3)
        self.seen: dict[str, int] = {}

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        self.history.append(float(self.calls))
        self.seen[str(len(x))] = self.calls
        self.scale.add_(1.0)
        self.mean = 0.9 * self.mean + 0.1 * x.detach().mean(0)  # another tensor each time
        return self.head(self.body(x - self.mean))


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


@pytest.fixture
def batch() -> Batch:
    return torch.randn(32, 6), torch.randint(3, (32,))


def cross_entropy(model: Any, batch: Batch) -> Tensor:
    return F.cross_entropy(model(batch[0]), batch[1])


def adamw(model: nn.Module, lr: float = 0.01) -> torch.optim.Optimizer:
    return torch.optim.AdamW(model.parameters(), lr=lr)


def found(verdict: Preflight, name: str) -> tuple[str, str]:
    """State and words of the one check of this name."""
    (check,) = (check for check in verdict.checks if check.name == name)
    return check.state, check.words


def test_a_healthy_training_passes_every_check(batch: Batch, tmp_path: Path) -> None:
    model = Net()
    saved: list[Path] = []

    def save(path: str) -> None:
        torch.save(model.state_dict(), path)
        saved.append(Path(path))

    verdict = preflight(
        model,
        batch,
        cross_entropy,
        optimizer=adamw(model),
        batches=[(batch[0][:8], batch[1][:8])],
        modes={"sampling": lambda: model(torch.randn(4, 6)), "second phase": cross_entropy},
        save=save,
        length=6,
        stride=2,
        available=8,
    )
    assert verdict.passed
    assert {check.state for check in verdict.checks} == {"ok"}
    names = [check.name for check in verdict.checks]
    assert names == [
        "batch[0]", "batch[1]", "batches[0][0]", "batches[0][1]", "data", "memory at 32×6", "memory at 8×6", "evaluation",
        "mode sampling", "mode second phase", "checkpoint", "gradients", "finite", "loss", "memory over time", "inputs",
    ]  # fmt: skip
    assert verdict.headline().startswith("preflight passed: 16 ok, 0 warn, 0 fail")
    assert not saved[0].exists()
    assert not saved[0].parent.exists()


# --- what the data show

BATCHES: list[tuple[str, Any, str, str]] = [
    ("nan", torch.tensor([[1.0, torch.nan, torch.inf]]), "fail", "float32 1×3 has 2 values that are NaN or infinite"),
    ("empty", torch.zeros(0, 6), "fail", "float32 0×6 is empty"),
    ("zero", torch.zeros(4, 6), "fail", "all zero"),
    ("constant", torch.full((4, 6), 2.5), "fail", "all the same value"),
    ("labels", torch.zeros(4, dtype=torch.int64), "warn", "all zero"),
    ("mask", torch.ones(4, 6, dtype=torch.bool), "ok", "a mask that hides nothing"),
    ("pixels", torch.randint(256, (4, 3, 8, 8)).float(), "warn", "looks like pixels of 0 … 255"),
    ("bytes", torch.randint(256, (4, 3, 8, 8), dtype=torch.uint8), "ok", "uint8 4×3×8×8"),
    ("rows", torch.arange(6.0).repeat(4, 1), "warn", "every row is the same"),
    ("good", torch.randn(4, 3, 8, 8), "ok", "float32 4×3×8×8"),
    ("complex", torch.zeros(3, dtype=torch.cfloat), "not checked", "complex64 3"),
]


@pytest.mark.parametrize(("name", "tensor", "state", "words"), BATCHES, ids=[row[0] for row in BATCHES])
def test_a_tensor_of_the_batch_is_judged_by_its_values(name: str, tensor: Tensor, state: str, words: str) -> None:
    verdict = preflight(nn.Linear(1, 1), {"x": [tensor]}, lambda model, batch: model(torch.ones(2, 1)).mean(), steps=0)
    got = found(verdict, "batch['x'][0]")
    assert got[0] == state
    assert words in got[1]


def test_a_batch_without_tensors_says_so() -> None:
    verdict = preflight(nn.Linear(1, 1), "words", lambda model, batch: model(torch.ones(2, 1)).mean(), steps=0)
    assert found(verdict, "batch") == ("not checked", "no tensor was found in str")


@pytest.mark.parametrize(
    ("length", "stride", "available", "state"),
    [(64, 8, 72, "ok"), (64, 8, 71, "fail"), (64, 8, 64, "fail"), (64, 0, 64, "ok"), (64, 1, 65, "ok"), (64, 8, None, "not checked")],
)
def test_windows_need_their_length_and_a_stride_more(length: int, stride: int, available: int | None, state: str) -> None:
    verdict = preflight(
        nn.Linear(64, 1),
        torch.randn(2, 64),
        lambda model, batch: model(batch).mean(),
        steps=0,
        length=length,
        stride=stride,
        available=available,
    )
    assert found(verdict, "data")[0] == state


def test_a_batch_that_holds_no_window_of_the_length_is_remarked() -> None:
    verdict = preflight(nn.Linear(9, 1), torch.randn(2, 9), lambda model, batch: model(batch).mean(), steps=0, length=64, available=100)
    assert found(verdict, "length") == ("warn", "no tensor of the batch has an extent of 64")


# --- what the model shows


def test_a_loss_that_falls_and_one_that_cannot_are_far_apart(batch: Batch) -> None:
    states = {}
    for rate in (0.01, 1e-7, 0.0, -0.05):
        model = nn.Linear(6, 3)
        optimizer = torch.optim.SGD(model.parameters(), lr=abs(rate) * 10, maximize=rate < 0)
        states[rate] = found(preflight(model, batch, cross_entropy, optimizer=optimizer), "loss")
    assert {rate: state for rate, (state, _) in states.items()} == {0.01: "ok", 1e-7: "warn", 0.0: "fail", -0.05: "fail"}
    assert "learning rate of 0" in states[0.0][1]


def test_a_warm_up_is_rehearsed_at_the_rate_it_leads_to(batch: Batch) -> None:
    model = nn.Linear(6, 3)
    optimizer = adamw(model)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(1.0, step / 1000))
    state, words = found(preflight(model, batch, cross_entropy, optimizer=optimizer), "loss")
    assert state == "ok"
    assert "at the rate after the warm-up" in words
    assert optimizer.param_groups[0]["lr"] == 0.0
    assert scheduler.get_last_lr() == [0.0]


def test_long_batches_are_not_compared_with_short_ones() -> None:
    """The loss of a batch is in proportion to its length: pooled, the last values would tell nothing."""
    model = nn.Linear(6, 1)
    batches = [torch.randn(8, length, 6) for length in (2, 200)]
    verdict = preflight(
        model, batches[0], lambda m, x: (m(x) - 1).pow(2).sum(1).mean(), optimizer=adamw(model), batches=batches[1:], steps=61
    )
    assert found(verdict, "loss")[0] == "ok"


def test_a_loss_that_becomes_nan_is_told_with_its_step(batch: Batch) -> None:
    model, calls = Net(), iter(range(1_000))

    def loss(model: nn.Module, batch: Batch) -> Tensor:
        return cross_entropy(model, batch) * (float("nan") if next(calls) == 23 else 1.0)

    verdict = preflight(model, batch, loss, optimizer=adamw(model))
    assert found(verdict, "finite") == ("fail", "the loss is nan at step 21")  # one step was for memory, two losses for evaluation
    assert not verdict.passed


def test_weights_that_become_nan_are_named(batch: Batch) -> None:
    model = nn.Linear(6, 3)
    model.spread = nn.Parameter(torch.ones(1))  # nothing in the loss tells of it

    class Overshoots(torch.optim.SGD):
        def step(self, closure: Any = None) -> None:
            with torch.no_grad():
                model.spread.fill_(float("nan"))

    verdict = preflight(model, batch, cross_entropy, optimizer=Overshoots(model.parameters(), lr=0.1), steps=5)
    assert found(verdict, "finite") == ("fail", "weights that are NaN or infinite after 5 steps: spread")


def test_a_parameter_no_gradient_reaches_is_named(batch: Batch) -> None:
    model = Net()
    model.unused = nn.Linear(2, 2)
    assert found(preflight(model, batch, cross_entropy, steps=2), "gradients") == ("warn", "none reaches unused.weight, unused.bias")


def test_outputs_that_ignore_their_inputs_fail() -> None:
    class Ignores(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.answer = nn.Parameter(torch.zeros(3))

        def forward(self, x: Tensor) -> Tensor:
            return self.answer.expand(len(x), 3) + 0.0 * x[:, :3]

    batch = (torch.randn(32, 6), torch.randint(3, (32,)))
    sick, healthy = (found(preflight(model, batch, cross_entropy, steps=20), "inputs") for model in (Ignores(), Net()))
    assert sick[0] == "fail"
    assert healthy[0] == "ok"


def test_a_last_layer_that_begins_at_zero_is_judged_after_the_steps(batch: Batch) -> None:
    model = nn.Linear(6, 3)
    nn.init.zeros_(model.weight)
    nn.init.zeros_(model.bias)
    assert found(preflight(model, batch, cross_entropy, optimizer=adamw(model)), "inputs")[0] == "ok"


def test_a_loss_that_never_calls_the_model_says_what_was_not_checked(batch: Batch) -> None:
    model = Net()
    verdict = preflight(model, batch, lambda model, batch: model.head(model.body(batch[0])).mean(), steps=2)
    assert found(verdict, "inputs") == ("not checked", "the loss does not call the model itself")


def test_an_evaluation_that_differs_is_remarked(batch: Batch) -> None:
    class Careless(nn.Linear):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(F.dropout(x, 0.5))

    assert found(preflight(Careless(6, 3), batch, cross_entropy, steps=2), "evaluation")[0] == "warn"


def test_a_mode_that_crashes_is_told_and_the_others_are_tried(batch: Batch) -> None:
    model = Net()

    def sampling() -> None:
        raise KeyError("kv_cache")

    modes: dict[str, Callable[..., object]] = {
        "sampling": sampling,
        "broken": lambda: torch.full((3,), torch.nan),
        "drawing": lambda count=4: model(torch.randn(count, 6)),
    }
    verdict = preflight(model, batch, cross_entropy, modes=modes, steps=2)
    assert not verdict.passed
    state, words = found(verdict, "mode sampling")
    assert state == "fail"
    assert words.startswith("KeyError: 'kv_cache' (test_preflight.py:")
    assert found(verdict, "mode broken") == ("fail", "gives NaN or infinite values")
    assert found(verdict, "mode drawing")[0] == "ok"


def test_a_checkpoint_that_cannot_be_written_fails_and_one_written_elsewhere_is_remarked(batch: Batch) -> None:
    def fails(path: str) -> None:
        raise OSError(28, "No space left on device")

    assert found(preflight(Net(), batch, cross_entropy, save=fails, steps=1), "checkpoint")[0] == "fail"
    assert found(preflight(Net(), batch, cross_entropy, save=lambda path: None, steps=1), "checkpoint")[0] == "warn"
    assert found(preflight(Net(), batch, cross_entropy, steps=1), "checkpoint")[0] == "not checked"


def test_a_checkpoint_may_be_a_directory(batch: Batch) -> None:
    def save(path: str) -> None:
        Path(path).mkdir()
        (Path(path) / "weights").write_bytes(b"x" * 2_000)

    assert found(preflight(Net(), batch, cross_entropy, save=save, steps=1), "checkpoint")[1].startswith("2.0 kB")


def test_a_shape_that_does_not_fit_into_memory_fails_and_the_next_is_tried() -> None:
    def loss(model: nn.Module, batch: Tensor) -> Tensor:
        scratch = torch.empty(1 << 50 if len(batch) == 64 else 1)
        return model(batch).mean() + 0.0 * scratch.sum()

    batches = [torch.randn(rows, 6) for rows in (8, 64, 16)]
    verdict = preflight(nn.Linear(6, 1), batches[0], loss, batches=batches[1:], steps=0)
    assert [found(verdict, f"memory at {rows}×6")[0] for rows in (8, 64, 16)] == ["ok", "fail", "ok"]


def test_the_height_of_memory_is_that_between_two_readings() -> None:
    with PeakMemory(torch.device("cpu")) as peak:
        block = np.ones(64 << 20, np.uint8)
        deadline = time.monotonic() + 5
        while peak._highest - peak._before < 60 << 20 and time.monotonic() < deadline:
            time.sleep(0.001)
        del block
    assert 60 << 20 < peak.taken < 200 << 20


def test_memory_that_grows_with_every_step_is_told(batch: Batch) -> None:
    kept: list[np.ndarray] = []

    def leaks(model: nn.Module, batch: Batch) -> Tensor:
        kept.append(np.ones(2 << 20, np.uint8))
        return cross_entropy(model, batch)

    state, words = found(preflight(Net(), batch, leaks), "memory over time")
    assert state in ("warn", "fail")
    assert "grows by 2.1 MB a step" in words
    kept.clear()
    assert found(preflight(Net(), batch, cross_entropy), "memory over time")[0] == "ok"


# --- what is wrong with the call


@pytest.mark.parametrize(
    ("loss", "words"),
    [
        (lambda model, batch: model(batch[0]), "must be a tensor of one number"),
        (lambda model, batch: 0.5, "must be a tensor of one number, not float"),
        (lambda model, batch: model(batch[0]).detach().mean(), "does not depend on the weights"),
        (lambda model: 0, "TypeError"),
        (None, "TypeError"),
    ],
)
def test_a_loss_that_cannot_be_trained_with_fails_in_words(batch: Batch, loss: Any, words: str) -> None:
    verdict = preflight(nn.Linear(6, 3), batch, loss)
    assert not verdict.passed
    assert words in found(verdict, "steps")[1]


def test_arguments_of_a_wrong_form_are_findings(batch: Batch) -> None:
    for given in ({"colour": 3}, {"batches": 3}, {"optimizer": "adam"}, {"steps": "many"}):
        assert not preflight(Net(), batch, cross_entropy, **given).passed  # type: ignore[arg-type]
    assert not preflight(None, None, None).passed  # type: ignore[arg-type]


def test_a_model_with_lazy_parameters_is_not_touched(batch: Batch) -> None:
    model = nn.LazyLinear(3)
    verdict = preflight(model, batch, cross_entropy)
    assert "call it once before" in found(verdict, "putting back")[1]
    assert isinstance(model, nn.LazyLinear)


def test_what_there_is_no_time_for_is_said(batch: Batch) -> None:
    model = Net()
    now = iter(range(10_000))
    plan = Plan(model, batch, cross_entropy, [adamw(model)], modes={"a": lambda: None, "b": lambda: None})
    verdict = rehearse(plan, seconds=40.0, clock=lambda: float(next(now)))
    state, words = found(verdict, "loss")
    assert state == "ok"
    assert "steps were left out" in words
    assert found(verdict, "inputs") == ("not checked", "no time was left")
    none = rehearse(plan, seconds=0.0, clock=lambda: 0.0)
    assert {check.state for check in none.checks} == {"not checked"}
    assert none.passed


def test_an_optimizer_that_evaluates_a_closure_is_stepped(batch: Batch) -> None:
    model = nn.Linear(6, 3)
    optimizer = torch.optim.LBFGS(model.parameters(), max_iter=2)
    assert found(preflight(model, batch, cross_entropy, optimizer=optimizer, steps=20), "loss")[0] == "ok"


def test_several_optimizers_step_together(batch: Batch) -> None:
    model = Net()
    several = [adamw(model.body), adamw(model.head)]
    assert preflight(model, batch, cross_entropy, optimizer=several).passed
    assert plan_of(model, batch, cross_entropy, {"optimizer": several}).optimizers == several


# --- no trace


def everything(model: Net, optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    return copy.deepcopy(
        {
            "weights": {name: (one, one.grad, one.requires_grad) for name, one in model.named_parameters()},
            "buffers": dict(model.named_buffers()),
            "flags": [module.training for module in model.modules()],
            "own": (model.scale, model.calls, list(model.history), model.seen),
            "optimizer": (optimizer.state_dict(), [dict(group, params=None) for group in optimizer.param_groups]),
            "random": (torch.get_rng_state(), random.getstate(), np.random.get_state(legacy=False)["state"]["key"]),
        }
    )


def same(one: Any, other: Any) -> bool:
    if isinstance(one, Tensor):
        return torch.equal(one, other) and torch.equal(torch.signbit(one), torch.signbit(other))
    if isinstance(one, np.ndarray):
        return np.array_equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("began", [False, True])
def test_everything_is_put_back_bit_for_bit(batch: Batch, began: bool, fails: bool) -> None:
    model = Net()
    optimizer = adamw(model)
    if began:  # in the midst of a training, with gradients there and states in the optimizer
        cross_entropy(model, batch).backward()
        optimizer.step()
    model.body[3].eval()
    model.head.bias.requires_grad_(False)
    before, gradient, mean = everything(model, optimizer), model.head.weight.grad, model.mean
    objects = [id(one) for one in (*model.parameters(), *model.buffers())]

    def mode(model: Net, batch: Batch) -> None:
        model.head.bias.requires_grad_(True)
        model.extra = 3
        random.random()
        np.random.rand()
        if fails:
            raise RuntimeError("no")

    verdict = preflight(model, batch, cross_entropy, optimizer=optimizer, modes={"mode": mode})
    assert verdict.passed != fails
    assert model.calls == before["own"][1]
    assert same(before, everything(model, optimizer))
    assert [id(one) for one in (*model.parameters(), *model.buffers())] == objects
    assert (model.head.weight.grad is gradient, model.mean is mean) == (True, True)
    assert not hasattr(model, "extra")


def test_the_comparison_sees_a_step_that_is_not_put_back(batch: Batch) -> None:
    model = Net()
    optimizer = adamw(model)
    before = everything(model, optimizer)
    with as_it_was(model, [optimizer]):
        cross_entropy(model, batch).backward()
        optimizer.step()
        assert not same(before, everything(model, optimizer))
    assert same(before, everything(model, optimizer))


def test_training_after_a_rehearsal_is_training_without_one(batch: Batch) -> None:
    def trained(rehearsed: bool) -> dict[str, Tensor]:
        torch.manual_seed(3)
        model = Net()
        optimizer = adamw(model)
        if rehearsed:
            assert preflight(model, batch, cross_entropy, optimizer=optimizer).passed
        for _ in range(20):
            optimizer.zero_grad()
            cross_entropy(model, batch).backward()
            optimizer.step()
        return model.state_dict()

    assert same(trained(False), trained(True))


# --- in a run


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Body]]:
    bodies: list[Body] = []
    monkeypatch.setattr(Run, "_say", lambda self, body: bodies.append(body))
    return bodies


def test_a_run_prints_and_records_the_verdict(batch: Batch, said: list[Body], capsys: pytest.CaptureFixture[str]) -> None:
    run, model = no_run(), Net()
    run._problems.quiet = False
    saved: list[str] = []

    @run.on_checkpoint
    def save(path: str) -> None:
        saved.append(path)
        Path(path).write_text("weights")

    verdict = run.preflight(model, batch, loss=cross_entropy, optimizer=adamw(model), steps=30)
    (snapshot,) = (body for body in said if isinstance(body, Snapshot))
    assert (snapshot.kind, snapshot.probe, snapshot.cost) == ("preflight", "preflight", 0.0)
    assert snapshot.scalars["passed"] == 1
    assert (snapshot.scalars["failed"], snapshot.scalars["warned"]) == (0, 0)
    assert snapshot.texts["verdict"] == tuple(map(str, verdict.checks))
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == len(verdict.checks) + 1
    assert lines[0].startswith("bedside: ok           batch[0]: float32 32×6")
    assert lines[-1].startswith("bedside: preflight passed")
    assert len(saved) == 1
    assert [body.fields["state"] for body in said if isinstance(body, Event)] == ["begin", "end"]


def test_a_failed_verdict_is_recorded_as_one(batch: Batch, said: list[Body], capsys: pytest.CaptureFixture[str]) -> None:
    run = no_run()
    verdict = run.preflight(Net(), batch, loss=lambda model, batch: model(batch[0]))
    (snapshot,) = (body for body in said if isinstance(body, Snapshot))
    assert not verdict.passed
    assert snapshot.scalars["passed"] == 0
    assert snapshot.scalars["failed"] >= 1
    assert not capsys.readouterr().err  # quiet


def test_the_probes_of_the_run_do_not_see_the_rehearsal(batch: Batch) -> None:
    run, model = no_run(), Net()
    optimizer = adamw(model)
    run.watch(model, optimizer)
    codes = run.probe(bedside.Codebook("vq", 3, every=1))

    def loss(model: nn.Module, batch: Batch) -> Tensor:
        out = model(batch[0])
        codes.observe(out.argmax(1))
        return F.cross_entropy(out, batch[1])

    assert run.preflight(model, batch, loss=loss, optimizer=optimizer, steps=10).passed
    loss(model, batch).backward()
    optimizer.step()
    by_kind = {snapshot.kind: snapshot.scalars for snapshot in run.probes.boundary(1, 1.0)}
    assert by_kind["codebook"]["window"] == 32
    assert by_kind[Structure.kind]["batches"] == 1
    assert by_kind[Gradients.kind]["norm"] > 0
    run.probes.close()
