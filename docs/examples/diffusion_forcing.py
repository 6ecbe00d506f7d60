"""Each frame has its own noise level tau, and batches alternate between two lengths: which taus, which lengths go wrong?"""

import torch
from torch import nn

import bedside

STEPS, LENGTHS = 200, (8, 32)
model = nn.GRU(5, 32, batch_first=True)
head = nn.Linear(32, 4)
optimizer = torch.optim.Adam([*model.parameters(), *head.parameters()], lr=3e-3)

run = bedside.init(project="examples", name="diffusion-forcing")
taus = run.probe(bedside.Distribution("tau"))
by_tau = run.probe(bedside.PerIndex("loss by tau", bins=10))

for step in run.steps(range(STEPS)):
    T = LENGTHS[step % 2]
    clean = torch.randn(16, 1, 4).expand(-1, T, -1)
    tau = torch.rand(16, T, 1)
    noise = torch.randn(16, T, 4)
    out, _ = model(torch.cat([tau * clean + (1 - tau) * noise, tau], -1))
    each = (head(out) - (clean - noise)).square().mean(-1)
    optimizer.zero_grad()
    each.mean().backward()
    optimizer.step()
    taus.observe(tau)
    by_tau.observe(each.flatten(), index=tau.flatten())
    run.log({"loss": each.mean()}, group={"T": T})
run.finish()
