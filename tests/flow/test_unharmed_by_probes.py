"""Every probe at once, on a model with dropout, batch normalisation and attention: the training is the same to the last bit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bedside_protocol.records import Problem, Snapshot

TRAINING = """
import hashlib, random, numpy, torch, bedside
import torch.nn.functional as F
from torch import nn

torch.set_num_threads(1)
random.seed(0); numpy.random.seed(0); torch.manual_seed(0)

class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Linear(12, 32)
        self.norm = nn.BatchNorm1d(32)
        self.drop = nn.Dropout(0.3)
        self.q, self.k, self.v = (nn.Linear(32, 32) for _ in range(3))
        self.branch = nn.Sequential(nn.Linear(32, 32), nn.ReLU(), nn.Dropout(0.1), nn.Linear(32, 32))
        self.head = nn.Linear(32, 6)

    def forward(self, x):
        y = self.drop(self.norm(self.embed(x).transpose(1, 2)).transpose(1, 2))
        weights = (self.q(y) @ self.k(y).transpose(1, 2) / 32**0.5).softmax(-1)
        self.weights = weights.unsqueeze(1)
        y = y + weights @ self.v(y)
        self.hidden = y + self.branch(y)
        return self.head(self.hidden)

model = Model()
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
scaler_free_batches = [(torch.randn(16, 5, 12), torch.randint(0, 6, (16, 5))) for _ in range(12)]
fixed = torch.randn(16, 5, 12)

def dream(how, frames):
    codes = [model(fixed).argmax(-1)[0]]
    for _ in range(frames - 1):
        noisy = fixed + (torch.randn_like(fixed) * random.random() if how == "noisy" else 0)
        codes.append(model(noisy).argmax(-1)[0])
    return torch.stack(codes)

WATCHED = {watched}
if WATCHED:
    run = bedside.init(name="all-probes")
    run.watch(model, optimizer, every=2)
    probes = dict(
        codes=bedside.Codebook("codes", size=6, embedding=model.head, every=2),
        attention=bedside.Attention("attention", every=2),
        activations=bedside.Activations("activations", model.branch, every=2),
        rollout=bedside.Rollout("dream", dream, 4, variants=("argmax", "noisy"), every=2),
        divergence=bedside.Divergence("divergence", every=2),
        sensitivity=bedside.Sensitivity("inputs", lambda x, y: model(x + y), {{"x": fixed, "y": fixed.flip(0)}}, model=model, every=2),
        balance=bedside.ClassBalance("classes", 6, every=2),
        contribution=bedside.Contribution("branch", model.branch, every=2),
        similarity=bedside.Similarity("hidden", every=2),
        distribution=bedside.Distribution("outputs", every=2),
        ratio=bedside.Ratio("ratio", "loss", "half", every=2),
        parameter=bedside.Parameter("head", model.head.weight, expect_std=0.1, every=2),
        index=bedside.PerIndex("by position", every=2),
        schedule=bedside.Schedule("lr", "lr", lambda step: 1e-3, every=2),
        samples=bedside.Samples("samples", every=2),
        success=bedside.SuccessRate("fetches", every=2),
    )
    feed = {{name: run.probe(probe).observe if hasattr(probe, "observe") else run.probe(probe) for name, probe in probes.items()}}

for x, target in (run.steps(scaler_free_batches * 3) if WATCHED else scaler_free_batches * 3):
    model.train()
    out = model(x)
    each = F.cross_entropy(out.transpose(1, 2), target, reduction="none")
    loss = each.mean()
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    if WATCHED:
        feed["codes"](out.argmax(-1))
        feed["attention"](model.weights)
        feed["divergence"](out, out.roll(1, 0))
        feed["balance"](out.argmax(-1), target)
        feed["similarity"](model.hidden[:, 0])
        feed["distribution"](out)
        feed["index"](each)
        feed["samples"](target=x.sigmoid(), same=x.sigmoid())
        feed["success"](True)
        run.log({{"loss": loss, "half": loss / 2, "lr": 1e-3}})
if WATCHED:
    run.finish()

tensors = [*model.state_dict().values(), *(p.grad for p in model.parameters()), torch.get_rng_state(), torch.rand(4)]
state = [t.detach().numpy().tobytes() for t in tensors] + [repr(v).encode() for v in (random.random(), numpy.random.rand())]
flags = [module.training for module in model.modules()]
print(hashlib.sha256(b"".join(state) + repr(flags).encode()).hexdigest(), flush=True)
"""

KINDS = {
    "gradients", "structure", "codebook", "attention", "activations", "rollout", "divergence", "sensitivity", "class_balance",
    "contribution", "similarity", "distribution", "ratio", "parameter", "per_index", "schedule", "samples", "success",
}  # fmt: skip


def test_a_training_with_every_probe_on_is_bit_identical_to_one_without(start: Callable[..., Any]) -> None:
    plain_training = start(TRAINING.format(watched=False))
    plain = plain_training.hear()
    assert plain_training.end(60) == 0, plain_training.tail()
    watched = start(TRAINING.format(watched=True))
    seen = watched.hear()
    assert watched.end(60) == 0, watched.tail()
    watched.wait_lifecycle("finished")
    assert seen == plain
    assert {body.kind for body in watched.bodies(Snapshot)} == KINDS
    assert [body.text for body in watched.bodies(Problem)] == []
