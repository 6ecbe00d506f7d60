"""Two losses that should differ: does the second look pay?"""

import torch
import torch.nn.functional as F
from torch import nn

import bedside

STEPS = 600
coarse, fine = nn.Linear(4, 8), nn.Linear(16, 8)
optimizer = torch.optim.Adam([*coarse.parameters(), *fine.parameters()], lr=3e-3)
truth = torch.randn(16, 8)

run = bedside.init(project="examples", name="coarse-and-fine")
run.probe(bedside.Ratio("gain", "loss/coarse", "loss/fine", success=1.05, strong=1.15))

for _ in run.steps(range(STEPS)):
    x = torch.randn(64, 16)
    target = x @ truth
    losses = {"loss/coarse": F.mse_loss(coarse(x[:, :4]), target), "loss/fine": F.mse_loss(fine(x), target)}
    loss = losses["loss/coarse"] + losses["loss/fine"]
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    run.log({"loss": loss, **losses})
run.finish()
