"""What the structure probe sees of a training loop, and that the loop does not notice."""

from __future__ import annotations

import gc
import weakref
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from bedside.probes.batch_look import look_at, rows_apart, tensors_in, thin_view
from bedside.probes.codebook import Codebook
from bedside.probes.probe_set import ProbeSet
from bedside.probes.structure import Structure
from bedside_protocol.records import Snapshot


class Net(nn.Module):
    """Everything that draws numbers or keeps state in training."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(6, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.3))
        self.head = nn.Linear(16, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(x))


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


def sgd(model: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.SGD(model.parameters(), lr=0.01)


def train(probes: ProbeSet, one_step: Callable[[int], object], steps: int = 11) -> Snapshot:
    """The last snapshot of the structure probe in so many steps, on an early schedule of 1, 2, 5, 10."""
    found = []
    for step in range(1, steps + 1):
        one_step(step)
        found += [snapshot for snapshot in probes.boundary(step, 10.0) if snapshot.kind == "structure"]
    assert [snapshot.step for snapshot in found] == [due for due in (1, 2, 5, 10, 20, 50) if due <= steps]
    return found[-1]


def plain_step(model: nn.Module, optimizer: torch.optim.Optimizer, batch: Callable[[int], Any]) -> Callable[[int], None]:
    def one_step(step: int) -> None:
        optimizer.zero_grad()
        model(batch(step)).pow(2).mean().backward()
        optimizer.step()

    return one_step


def fresh(step: int) -> Tensor:
    return torch.randn(8, 6)


def test_a_sound_loop_has_no_finding(probes: ProbeSet, problems: Counter[str]) -> None:
    model = Net()
    optimizer = sgd(model)
    probes.add(Structure(model, optimizer))
    snapshot = train(probes, plain_step(model, optimizer, fresh))
    assert snapshot.scalars["never_reset"] == 0
    assert snapshot.scalars["same_batch"] == 0
    assert snapshot.scalars["batches"] == 2
    assert snapshot.scalars["output_difference"] > 0.05
    assert not snapshot.texts
    assert not problems


# --- gradients that are never reset


def test_gradients_never_reset_are_told_with_the_parameters_seen(probes: ProbeSet) -> None:
    model = Net()
    optimizer = sgd(model)
    probes.add(Structure(model, optimizer))

    def one_step(step: int) -> None:
        model(fresh(step)).pow(2).mean().backward()
        optimizer.step()

    snapshot = train(probes, one_step, steps=2)
    assert snapshot.scalars["never_reset"] == 1
    assert snapshot.texts["never_reset"] == ("head.bias", "body.0.bias")


def test_the_first_step_alone_tells_nothing_about_resets(probes: ProbeSet) -> None:
    model = Net()
    optimizer = sgd(model)
    probes.add(Structure(model, optimizer))
    assert "never_reset" not in train(probes, plain_step(model, optimizer, fresh), steps=1).scalars


@pytest.mark.parametrize("to_none", [True, False])
@pytest.mark.parametrize("when", ["before the forward", "before the backward", "after the step"])
def test_a_reset_is_seen_wherever_and_however_it_is_made(probes: ProbeSet, when: str, to_none: bool) -> None:
    model = Net()
    optimizer = sgd(model)
    probes.add(Structure(model, optimizer))

    def one_step(step: int) -> None:
        if when == "before the forward":
            optimizer.zero_grad(set_to_none=to_none)
        loss = model(fresh(step)).pow(2).mean()
        if when == "before the backward":
            model.zero_grad(set_to_none=to_none)
        loss.backward()
        optimizer.step()
        if when == "after the step":
            optimizer.zero_grad(set_to_none=to_none)

    assert train(probes, one_step).scalars["never_reset"] == 0


@pytest.mark.parametrize("resets", [True, False])
def test_accumulated_gradients_are_no_fault_and_those_never_reset_are(probes: ProbeSet, resets: bool) -> None:
    model = Net()
    optimizer = sgd(model)
    probes.add(Structure(model, optimizer))

    def one_step(step: int) -> None:
        if resets:
            optimizer.zero_grad()
        for _ in range(4):
            (model(fresh(step)).pow(2).mean() / 4).backward()
        optimizer.step()

    snapshot = train(probes, one_step)
    assert snapshot.scalars["never_reset"] == (not resets)
    assert snapshot.scalars["same_batch"] == 0
    assert snapshot.scalars["batches"] == 8


def test_gradients_a_generator_leaves_in_its_discriminator_are_no_fault(probes: ProbeSet) -> None:
    generator, judge = nn.Linear(4, 6), nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 1))
    makes, judges = sgd(generator), sgd(judge)
    probes.add(Structure(judge, judges))
    probes.add(Structure(generator, makes, name="structure of the generator"))

    def one_step(step: int) -> None:
        made = generator(torch.randn(8, 4))
        judges.zero_grad()
        F.softplus(-judge(fresh(step))).mean().backward()
        F.softplus(judge(made.detach())).mean().backward()
        judges.step()
        makes.zero_grad()
        F.softplus(-judge(made)).mean().backward()
        makes.step()

    for step in range(1, 11):
        one_step(step)
        for snapshot in probes.boundary(step, 10.0):
            assert snapshot.scalars.get("never_reset", 0) == 0
            assert snapshot.scalars.get("same_batch", 0) == 0
    assert {"never_reset", "same_batch"} <= set(snapshot.scalars)


@pytest.mark.parametrize("resets", [True, False])
def test_each_of_several_optimizers_is_judged_by_its_own_steps(probes: ProbeSet, resets: bool) -> None:
    model = Net()
    often, seldom = sgd(model.head), sgd(model.body)
    probes.add(Structure(model, often, seldom, every=1))

    def one_step(step: int) -> None:
        often.zero_grad()
        model(fresh(step)).pow(2).mean().backward()
        often.step()
        if step % 3 == 0:
            seldom.step()
            if resets:
                seldom.zero_grad()

    found = []
    for step in range(1, 13):
        one_step(step)
        found += probes.boundary(step, 10.0)
    assert max(snapshot.scalars.get("never_reset", 0) for snapshot in found) == (not resets)
    assert {name for snapshot in found for name in snapshot.texts.get("never_reset", ())} == (
        set() if resets else {"body.0.bias", "body.1.weight"}
    )


@pytest.mark.parametrize("overflow", [False, True])
def test_scaled_gradients_are_no_fault_nor_is_an_overflow(probes: ProbeSet, overflow: bool) -> None:
    model = Net()
    optimizer = sgd(model)
    probes.add(Structure(model, optimizer))
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10)

    def one_step(step: int) -> None:
        optimizer.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = model(fresh(step)).float().pow(2).mean()
        scaler.scale(loss * (float("inf") if overflow and step == 10 else 1.0)).backward()
        scaler.step(optimizer)
        scaler.update()

    snapshot = train(probes, one_step)
    assert snapshot.scalars.get("never_reset", 0) == 0
    assert snapshot.scalars.get("same_batch", 0) == 0
    assert snapshot.scalars["batches"] == 2


def test_a_closure_is_one_look_and_no_fault(probes: ProbeSet) -> None:
    model = nn.Linear(6, 3)
    optimizer = torch.optim.LBFGS(model.parameters(), max_iter=5)
    probes.add(Structure(model, optimizer))

    def one_step(step: int) -> None:
        batch = fresh(step)

        def closure() -> Tensor:
            optimizer.zero_grad()
            loss = (model(batch) - 1).pow(2).mean()
            loss.backward()
            return loss

        optimizer.step(closure)

    snapshot = train(probes, one_step)
    assert (snapshot.scalars["never_reset"], snapshot.scalars["same_batch"], snapshot.scalars["batches"]) == (0, 0, 2)


def test_sparse_gradients_and_a_parameter_without_any_are_no_fault(probes: ProbeSet, problems: Counter[str]) -> None:
    table, unused = nn.Embedding(10, 4, sparse=True), nn.Parameter(torch.zeros(1))
    model = nn.Sequential(table)
    probes.add(Structure(model, optimizer := torch.optim.SGD([table.weight, unused], lr=0.1)))
    snapshot = train(probes, plain_step(model, optimizer, lambda step: torch.randint(10, (8, 3))))
    assert snapshot.scalars["never_reset"] == 0
    assert not problems


# --- the same batch again


@pytest.mark.parametrize("form", [lambda x: x, lambda x: {"x": x}, lambda x: [x, {"y": x}]])
def test_a_batch_that_comes_again_in_the_next_step_is_told(probes: ProbeSet, form: Callable[[Tensor], Any]) -> None:
    class Takes(Net):
        def forward(self, x: Any) -> Tensor:
            return super().forward(tensors_in(x)[0])

    model, stuck = Takes(), torch.randn(8, 6)
    optimizer = sgd(model)
    probes.add(Structure(model, optimizer))
    snapshot = train(probes, plain_step(model, optimizer, lambda step: form(stuck.clone())))
    assert snapshot.scalars["same_batch"] == 1
    assert snapshot.texts["same_batch"] == ("the batch of one step came again in the next",)


def test_equal_micro_batches_within_a_step_are_told(probes: ProbeSet) -> None:
    model = Net()
    optimizer = sgd(model)
    probes.add(Structure(model, optimizer))

    def one_step(step: int) -> None:
        optimizer.zero_grad()
        batch = fresh(step)
        for _ in range(3):
            model(batch).pow(2).mean().backward()
        optimizer.step()

    snapshot = train(probes, one_step)
    assert snapshot.scalars["same_batch"] == 4
    assert snapshot.texts["same_batch"] == ("a batch came twice within one step",)


def test_two_micro_batches_repeated_in_the_next_step_are_told(probes: ProbeSet) -> None:
    model, pair = Net(), [torch.randn(8, 6), torch.randn(8, 6)]
    optimizer = sgd(model)
    probes.add(Structure(model, optimizer))

    def one_step(step: int) -> None:
        optimizer.zero_grad()
        for batch in pair:
            model(batch).pow(2).mean().backward()
        optimizer.step()

    assert train(probes, one_step).scalars["same_batch"] == 1


def test_two_forwards_of_one_batch_for_one_backward_are_no_fault(probes: ProbeSet) -> None:
    model = Net()
    optimizer = sgd(model)
    probes.add(Structure(model, optimizer))

    def one_step(step: int) -> None:
        optimizer.zero_grad()
        batch = fresh(step)
        (model(batch) - model(batch)).pow(2).mean().backward()
        optimizer.step()

    assert train(probes, one_step).scalars["same_batch"] == 0


def test_a_second_pass_with_moved_weights_is_no_fault(probes: ProbeSet) -> None:
    model = Net()
    optimizer = sgd(model)
    probes.add(Structure(model, optimizer))

    def one_step(step: int) -> None:  # sharpness-aware: up the slope, then the gradient there
        optimizer.zero_grad()
        batch = fresh(step)
        model(batch).pow(2).mean().backward()
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(0.01 * parameter.grad)
        optimizer.zero_grad()
        model(batch).pow(2).mean().backward()
        optimizer.step()

    assert train(probes, one_step).scalars["same_batch"] == 0


def test_evaluations_and_recomputed_forwards_are_no_batches(probes: ProbeSet) -> None:
    class Outer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = Net()

        def forward(self, x: Tensor) -> Tensor:
            return checkpoint(self.inner, x, use_reentrant=False)

    outer = Outer()
    optimizer = sgd(outer)
    probes.add(Structure(outer, optimizer))
    probes.add(Structure(outer.inner, optimizer, name="structure of the inner"))
    validation = torch.randn(8, 6)

    def one_step(step: int) -> None:
        plain_step(outer, optimizer, fresh)(step)
        outer.eval()
        for _ in range(3):
            outer(validation)
        outer.train()
        with torch.no_grad():
            outer(validation)

    for step in range(1, 11):
        one_step(step)
        snapshots = probes.boundary(step, 10.0)
    assert [snapshot.scalars["batches"] for snapshot in snapshots] == [2, 2]
    assert [snapshot.scalars["same_batch"] for snapshot in snapshots] == [0, 0]


def test_an_unscheduled_step_has_no_hooks_and_scheduled_ones_leave_none(probes: ProbeSet) -> None:
    model = Net()
    optimizer = sgd(model)

    def hooks() -> int:
        on_parameters = sum(len(p._backward_hooks or ()) + len(p._post_accumulate_grad_hooks or ()) for p in model.parameters())
        return len(model._forward_pre_hooks) + len(model._forward_hooks) + on_parameters

    before = hooks()
    probes.add(Structure(model, optimizer))
    hooked = []
    for step in range(1, 101):
        if hooks() > before:
            hooked.append(step)
        plain_step(model, optimizer, fresh)(step)
        probes.boundary(step, 10.0)
    assert hooked == [1, 2, 4, 5, 9, 10, 19, 20, 49, 50, 99, 100]
    probes.close()
    assert hooks() == before
    assert not optimizer._optimizer_step_pre_hooks
    assert not optimizer._optimizer_step_post_hooks


def test_no_batch_and_no_graph_outlives_the_measured_step(probes: ProbeSet) -> None:
    model = Net()
    optimizer = sgd(model)
    probes.add(Structure(model, optimizer))
    alive: list[weakref.ref[Tensor]] = []

    def batch(step: int) -> Tensor:
        made = torch.randn(8, 6)
        alive.append(weakref.ref(made))
        return made

    train(probes, plain_step(model, optimizer, batch))
    gc.collect()
    assert [reference() for reference in alive] == [None] * len(alive)


# --- evaluation that does not repeat itself


class Careless(Net):
    """Drops out in evaluation too: the mode was forgotten."""

    def forward(self, x: Tensor) -> Tensor:
        return self.head(F.dropout(self.body(x), 0.3))


def test_an_evaluation_that_cannot_be_repeated_is_told(probes: ProbeSet) -> None:
    found = {}
    for name, model in (("healthy", Net()), ("careless", nn.Sequential(Net(), nn.Sequential(nn.Linear(3, 6), Careless())))):
        optimizer = sgd(model)
        own = ProbeSet(problem=pytest.fail)
        own.add(Structure(model, optimizer))
        found[name] = train(own, plain_step(model, optimizer, fresh), steps=1)
        own.close()
    assert found["healthy"].scalars["eval_differs"] == 0.0
    assert "eval_differs" not in found["healthy"].texts
    assert found["careless"].scalars["eval_differs"] > 0.05
    assert found["careless"].texts["eval_differs"] == ("1.1",)
    assert not [module for module in model.modules() if module._forward_hooks]


def test_evaluations_are_repeated_ever_more_rarely(probes: ProbeSet) -> None:
    model = Net()
    optimizer = sgd(model)
    probes.add(Structure(model, optimizer, every=10))
    told = []
    for step in range(1, 201):
        plain_step(model, optimizer, fresh)(step)
        told += [snapshot.step for snapshot in probes.boundary(step, 100.0) if "eval_differs" in snapshot.scalars]
    assert told == [1, 5, 30, 150]


def test_a_model_that_cannot_be_called_again_is_left_alone_after_one_sentence(probes: ProbeSet, problems: Counter[str]) -> None:
    class Once(Net):
        calls = 0

        def forward(self, x: Tensor) -> Tensor:
            if not self.training:
                Once.calls += 1
                raise KeyError("kv_cache")
            return super().forward(x)

    model = Once()
    optimizer = sgd(model)
    probes.add(Structure(model, optimizer))
    snapshot = train(probes, plain_step(model, optimizer, fresh), steps=50)
    assert Once.calls == 1
    assert list(problems.values()) == [1]
    assert "cannot be called again (KeyError)" in next(iter(problems))
    assert snapshot.scalars["output_difference"] > 0
    assert "eval_differs" not in snapshot.scalars


def test_a_codebook_in_the_model_is_not_fed_by_the_repetition(probes: ProbeSet) -> None:
    codes = Codebook("vq", 3, every=1)

    class Feeding(Net):
        def forward(self, x: Tensor) -> Tensor:
            out = super().forward(x)
            codes.observe(out.argmax(1))
            return out

    model = Feeding()
    optimizer = sgd(model)
    probes.add(Structure(model, optimizer))
    probes.add(codes)
    plain_step(model, optimizer, fresh)(1)
    structure, codebook = probes.boundary(1, 1.0)
    assert "eval_differs" in structure.scalars
    assert codebook.scalars["window"] == 8


def test_an_evaluation_runs_under_the_autocast_of_the_training(probes: ProbeSet) -> None:
    seen: list[torch.dtype] = []

    class Notes(nn.Linear):
        def forward(self, x: Tensor) -> Tensor:
            out = super().forward(x)
            seen.append(out.dtype)
            return out

    model = Notes(6, 3)
    optimizer = sgd(model)
    probes.add(Structure(model, optimizer))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = model(fresh(1)).float().pow(2).mean()
    loss.backward()
    optimizer.step()
    probes.boundary(1, 1.0)
    assert seen == [torch.bfloat16] * 3


# --- outputs that do not depend on inputs


class Constant(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.out = nn.Parameter(torch.ones(3))

    def forward(self, x: Tensor) -> Tensor:
        return self.out + 0.0 * x[:, :3]


def test_outputs_that_ignore_their_input_are_told(probes: ProbeSet) -> None:
    found = {}
    for name, model in (("healthy", nn.Linear(6, 3)), ("ignoring", Constant())):
        optimizer = sgd(model)
        own = ProbeSet(problem=pytest.fail)
        own.add(Structure(model, optimizer))
        scalars = train(own, plain_step(model, optimizer, fresh)).scalars
        found[name] = (scalars["output_difference"], scalars["output_difference_relative"])
        own.close()
    assert min(found["healthy"]) > 0.1
    assert found["ignoring"] == (0.0, 0.0)


def test_the_difference_is_that_of_the_first_rows_whose_inputs_differ() -> None:
    inputs = torch.tensor([[1.0], [1.0], [3.0], [9.0]])
    outputs = torch.tensor([[0.0, 0.0], [7.0, 7.0], [1.0, 3.0], [5.0, 5.0]])
    apart = rows_apart([inputs], outputs)
    assert apart is not None
    assert apart.read() == (2.0, pytest.approx(2.0 / outputs.abs().mean().item()))


@dataclass
class Answer:
    loss: Tensor
    logits: Tensor


@pytest.mark.parametrize(
    "form", [lambda out: out, lambda out: (out, 1), lambda out: {"loss": out.mean(), "logits": out}, lambda out: Answer(out.mean(), out)]
)
def test_an_output_may_lie_in_a_tuple_a_mapping_or_a_dataclass(form: Callable[[Tensor], object]) -> None:
    inputs = torch.arange(4.0)[:, None]
    apart = rows_apart([inputs], form(2 * inputs))
    assert apart is not None
    assert apart.read() == (2.0, 2.0 / 3.0)


NOTHING = [
    (torch.zeros(4, 2), torch.tensor(1.0)),
    (torch.zeros(1, 2), torch.zeros(1, 2)),
    (torch.zeros(4, 2), torch.zeros(4, dtype=torch.int64)),
    (torch.zeros(3, 2), torch.zeros(4, 2)),
    (torch.zeros(4, 2), None),
]


@pytest.mark.parametrize(("inputs", "output"), NOTHING)
def test_where_there_are_no_rows_to_compare_nothing_is_said(inputs: Tensor, output: object) -> None:
    assert rows_apart([inputs], output) is None


def test_equal_inputs_and_outputs_that_are_no_numbers_say_nothing() -> None:
    for inputs, outputs in ((torch.ones(4, 2), torch.randn(4, 2)), (torch.randn(4, 2), torch.full((4, 2), torch.nan))):
        apart = rows_apart([inputs], outputs)
        assert apart is not None
        assert apart.read() is None


# --- looks


def test_a_look_tells_batches_apart_by_value_order_and_shape() -> None:
    batch = torch.randn(64, 3, 32, 32)
    changed = batch.clone()
    changed[:, :, ::2] += 1e-3
    assert bool(look_at([batch]).same(look_at([batch.clone()])))
    assert not bool(look_at([batch]).same(look_at([changed])))
    assert not bool(look_at([batch]).same(look_at([batch.flip(0)])))
    assert look_at([batch]).same(look_at([batch.reshape(64, -1)])) is None
    assert not bool(look_at([torch.full((4,), torch.nan)]).same(look_at([torch.full((4,), torch.nan)])))


@pytest.mark.parametrize("shape", [(), (1,), (100_000,), (3, 5), (64, 784), (512, 3, 64, 64), (2, 3, 4, 5, 6, 7), (1, 1, 200_000)])
def test_a_view_is_thinned_to_few_elements_and_never_copied(shape: tuple[int, ...]) -> None:
    tensor = torch.zeros(1).expand(shape) if shape else torch.zeros(())
    thin = thin_view(tensor, 16_384)
    assert thin.numel() <= 16_384
    assert thin.numel() >= min(tensor.numel(), 2_000)
    assert thin.data_ptr() == tensor.data_ptr()


def test_what_holds_no_readable_tensor_gives_none() -> None:
    endless: list[Any] = []
    endless.append(endless)
    for value in (None, "text", 3, endless, torch.zeros(0), torch.zeros(3, device="meta"), torch.eye(2).to_sparse(), [Tensor]):
        assert tensors_in(value) == []


# --- bad input, and models of all kinds


@pytest.mark.parametrize("batch", [lambda: torch.full((8, 6), torch.nan), lambda: torch.randn(8, 6).double().float()])
def test_odd_batches_are_no_reason_to_complain(probes: ProbeSet, problems: Counter[str], batch: Callable[[], Tensor]) -> None:
    model = Net()
    optimizer = sgd(model)
    probes.add(Structure(model, optimizer))
    snapshot = train(probes, plain_step(model, optimizer, lambda step: batch()))
    assert snapshot.scalars["same_batch"] == 0
    assert not problems


def test_a_model_without_tensors_in_its_arguments_is_not_judged_by_its_batches(probes: ProbeSet, problems: Counter[str]) -> None:
    class Draws(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.w = nn.Parameter(torch.ones(1))

        def forward(self, step: int) -> Tensor:
            return self.w * torch.randn(4)

    model = Draws()
    optimizer = sgd(model)
    probes.add(Structure(model, optimizer))
    snapshot = train(probes, plain_step(model, optimizer, lambda step: step))
    assert set(snapshot.scalars) == {"batches", "never_reset", "same_batch"} - {"same_batch"}
    assert not problems


def test_a_model_that_is_gone_is_said_once(probes: ProbeSet, problems: Counter[str]) -> None:
    model = Net()
    probes.add(Structure(model, sgd(model)))
    del model
    gc.collect()
    for step in range(1, 60):
        assert probes.boundary(step, 1.0) == []
    assert list(problems.values()) == [1]
    assert "model it watched is gone" in next(iter(problems))


@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
def test_a_compiled_model_is_looked_at_and_compiled_once(probes: ProbeSet, problems: Counter[str], backend: str) -> None:
    from torch._dynamo.testing import CompileCounterWithBackend

    torch._dynamo.reset()
    counts = CompileCounterWithBackend(backend)
    model = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 3))
    compiled = torch.compile(model, backend=counts)
    optimizer = sgd(model)
    probes.add(Structure(compiled, optimizer))
    stuck = torch.randn(8, 6)
    snapshot = train(probes, plain_step(compiled, optimizer, lambda step: stuck))
    assert (snapshot.scalars["same_batch"], snapshot.scalars["never_reset"]) == (1, 0)
    assert snapshot.scalars["output_difference"] > 0
    assert counts.frame_count == 1
    assert not problems


def test_a_model_compiled_in_place_or_watched_from_inside_trains_on(probes: ProbeSet, problems: Counter[str]) -> None:
    for number, in_place in enumerate((True, False)):
        torch._dynamo.reset()
        model = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 3))
        called = model
        if in_place:
            model.compile(backend="eager", fullgraph=True)
        else:
            called = torch.compile(model, backend="eager", fullgraph=True)
        optimizer = sgd(model)
        own = ProbeSet(problem=lambda text: problems.update([text]))
        own.add(Structure(model, optimizer, name=f"structure {number}"))
        snapshot = train(own, plain_step(called, optimizer, fresh), steps=20)
        assert snapshot.scalars["never_reset"] == 0
        own.close()
    assert not problems


def trained(watched: bool) -> tuple[dict[str, Tensor], Tensor, list[Tensor | None]]:
    torch.manual_seed(7)
    net = Net()
    optimizer = torch.optim.AdamW(net.parameters(), lr=0.01)
    probes = ProbeSet(problem=pytest.fail)
    if watched:
        probes.add(Structure(net, optimizer, every=3))
    for step in range(1, 61):
        plain_step(net, optimizer, fresh)(step)
        probes.boundary(step, 10.0)
    probes.close()
    return net.state_dict(), torch.get_rng_state(), [parameter.grad for parameter in net.parameters()]


def test_weights_buffers_gradients_and_random_state_are_the_same_bit_for_bit_with_the_probe_on() -> None:
    (weights, random, gradients), (others, other_random, other_gradients) = trained(watched=False), trained(watched=True)
    assert all(torch.equal(weights[name], others[name]) for name in weights)
    assert torch.equal(random, other_random)
    for one, other in zip(gradients, other_gradients, strict=True):
        assert one is not None
        assert other is not None
        assert torch.equal(one, other)
