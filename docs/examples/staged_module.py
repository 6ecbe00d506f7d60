"""A branch that must wait until epoch 2: is it an identity until then?"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import bedside

EPOCHS, STEPS_AN_EPOCH, WAKES = 4, 40, 2


class Staged(nn.Module):
    """x + gate · branch(x); the gate is shut until somebody opens it."""

    gate: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.branch = nn.Linear(16, 16)
        self.register_buffer("gate", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.gate * self.branch(x)


staged = Staged()
model = nn.Sequential(nn.Linear(16, 16), staged, nn.Linear(16, 4))
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)

run = bedside.init(project="examples", name="staged-module")
run.probe(bedside.Contribution("branch", staged, inactive_until=bedside.epoch(WAKES), every=10))

for epoch in range(EPOCHS):
    run.epoch(epoch)
    if epoch == WAKES:
        staged.gate.fill_(1.0)
    for _ in run.steps(range(STEPS_AN_EPOCH)):
        x = torch.randn(32, 16)
        loss = F.mse_loss(model(x), x[:, :4].sin())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        run.log({"loss": loss})
run.finish()
