"""Do the actions do anything? One input at a time is replaced, and the output compared."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import bedside

STEPS = 150


class World(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(8 + 4 + 2, 64), nn.ReLU(), nn.Linear(64, 8))

    def forward(self, buffer: Tensor, keys: Tensor, camera: Tensor) -> Tensor:
        out: Tensor = self.body(torch.cat([buffer, keys, camera], -1))
        return out


model = World()
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)


def batch() -> tuple[dict[str, Tensor], Tensor]:
    given = {"buffer": torch.randn(64, 8), "keys": torch.randn(64, 4), "camera": torch.randn(64, 2)}
    return given, given["buffer"] + 0.5 * given["keys"].repeat(1, 2) + 0.25 * given["camera"].repeat(1, 4)


run = bedside.init(project="examples", name="action-effects")
inputs, _ = batch()
replacements = {"keys": 0, "camera": 0, "buffer": inputs["buffer"].roll(1, 0)}
ratio = {"keys/camera": ("keys", "camera")}
run.probe(bedside.Sensitivity("actions", model, inputs, replace=replacements, ratio=ratio, every=50))

for _ in run.steps(range(STEPS)):
    given, target = batch()
    loss = F.mse_loss(model(**given), target)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    run.log({"loss": loss})
run.finish()
