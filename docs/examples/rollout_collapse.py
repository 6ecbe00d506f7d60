"""Does the model still say something after its first own frame? A rollout from a real frame, under several ways of sampling."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import bedside

CODES, TOKENS, STEPS = 64, 25, 120
model = nn.Sequential(nn.Embedding(CODES, 48), nn.Linear(48, 96), nn.ReLU(), nn.Linear(96, CODES))
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
seed_frame = torch.arange(TOKENS)


def sample(logits: Tensor, how: str) -> Tensor:
    if how == "argmax":
        return logits.argmax(-1)
    if how == "top-k":
        logits = logits.masked_fill(logits < logits.topk(10).values[..., -1:], -torch.inf)
    return torch.distributions.Categorical(logits=logits).sample()


def dream(how: str, frames: int) -> "bedside.Frames":
    codes, entropies = [seed_frame], [0.0]
    for _ in range(frames - 1):
        logits = model(codes[-1])
        entropies.append(float(torch.distributions.Categorical(logits=logits).entropy().mean()))
        codes.append(sample(logits, how))
    return bedside.Frames(codes=torch.stack(codes), entropy=entropies)


run = bedside.init(project="examples", name="rollout-collapse")
run.watch(model, optimizer)
run.probe(bedside.Rollout("dream", dream, frames=8, variants=("argmax", "top-k", "sampled"), model=model, every=40))

for _ in run.steps(range(STEPS)):
    now = torch.randint(0, CODES, (32, TOKENS))
    loss = F.cross_entropy(model(now).flatten(0, 1), ((now + 7) % CODES).flatten())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    run.log({"loss": loss})
run.finish()
