"""A VQ-VAE on scikit-learn's 1,797 handwritten digits of 8×8 pixels: each becomes 4×4 codes out of 512.

The healthy form keeps its codebook alive: codes follow the data by exponential averages, and every 100 steps those that died are put
back among the data. The broken form is the same script until step 1,200, where it goes on with the settings of another paper: the codebook
learns by gradient, with a learning rate of its own, the two coefficients of the quantizer are swapped, and the dead stay dead. Codes
overshoot, lose their last vector and never get one again; encoder and decoder make do with those that are left, and the loss, which the
switch lifts a little, stays where a healthy run's was a few hundred steps before.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.utils.data import DataLoader, RandomSampler

import bedside
from bedside.cases.case import Settings
from bedside.probes.samples import Samples

CODES = 512
DIMENSIONS = 16
WIDTH = 64
BATCH = 64
LEARNING_RATE = 5e-5
WARM_UP = 100

DECAY = 0.99
REINIT_EVERY = 100
COMMITMENT = 0.25
CODEBOOK = 1.0  # the coefficient of the codebook's own loss, where it learns by gradient

FAULT_AT = 1_200
CODEBOOK_LEARNING_RATE = 0.1
CODEBOOK_WARM_UP = 800


class Quantizer(nn.Module):
    """Replaces each vector by its nearest code; the gradient passes straight through."""

    codebook: Tensor
    counts: Tensor
    sums: Tensor

    def __init__(self) -> None:
        super().__init__()
        codes = F.normalize(torch.randn(CODES, DIMENSIONS), dim=1)
        self.register_buffer("codebook", codes)
        self.register_buffer("counts", torch.ones(CODES))
        self.register_buffer("sums", codes.clone())

    def forward(self, vectors: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """(n, DIMENSIONS) → straight-through codes, their indices (n), commitment loss, codebook loss."""
        indices = torch.cdist(vectors.detach(), self.codebook.detach()).argmin(dim=1)
        nearest = self.codebook[indices]
        commitment = F.mse_loss(vectors, nearest.detach())
        codebook = F.mse_loss(nearest, vectors.detach())
        return vectors + (nearest - vectors).detach(), indices, commitment, codebook

    @torch.no_grad()
    def follow(self, vectors: Tensor, indices: Tensor) -> None:
        """Move each code to the exponential average of the vectors it stands for (van den Oord et al., arXiv 1711.00937, appendix A.1)."""
        counted = torch.bincount(indices, minlength=CODES).to(vectors.dtype)
        summed = torch.zeros_like(self.sums).index_add_(0, indices, vectors)
        self.counts.lerp_(counted, 1 - DECAY)
        self.sums.lerp_(summed, 1 - DECAY)
        self.codebook.copy_(self.sums / self.counts.clamp(min=1e-5).unsqueeze(1))

    @torch.no_grad()
    def revive(self, vectors: Tensor) -> int:
        """Put codes that nearly nothing chose back among the data; how many."""
        dead = self.counts < 0.1
        number = int(dead.sum())
        chosen = vectors[torch.randint(0, len(vectors), (number,))]
        self.codebook[dead] = self.sums[dead] = chosen
        self.counts[dead] = 1.0
        return number

    def learn_by_gradient(self) -> nn.Parameter:
        codes = self.codebook.clone()
        del self.codebook
        self.codebook = nn.Parameter(codes)
        return self.codebook


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.ReLU(), nn.Conv2d(WIDTH, WIDTH, 3, padding=1), nn.ReLU(), nn.Conv2d(WIDTH, WIDTH, 1))

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = x + self.body(x)
        return y


class Autoencoder(nn.Module):
    """Pictures (n, 1, 8, 8) → latents (n, DIMENSIONS, 4, 4) → codes → pictures."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(1, WIDTH, 3, padding=1), nn.ReLU(), nn.Conv2d(WIDTH, WIDTH, 4, stride=2, padding=1),
            Residual(), Residual(), nn.Conv2d(WIDTH, DIMENSIONS, 1),
        )  # fmt: skip
        self.quantizer = Quantizer()
        self.decoder = nn.Sequential(
            nn.Conv2d(DIMENSIONS, WIDTH, 3, padding=1), Residual(), Residual(), nn.ReLU(),
            nn.ConvTranspose2d(WIDTH, WIDTH, 4, stride=2, padding=1), nn.ReLU(), nn.Conv2d(WIDTH, 1, 3, padding=1),
        )  # fmt: skip

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Reconstructions, latent vectors (n·16, DIMENSIONS), their codes (n·16), commitment loss, codebook loss."""
        latents = self.encoder(images).permute(0, 2, 3, 1)
        vectors = latents.reshape(-1, DIMENSIONS)
        codes, indices, commitment, codebook = self.quantizer(vectors)
        made = self.decoder(codes.reshape(latents.shape).permute(0, 3, 1, 2))
        return made, vectors, indices, commitment, codebook


def batches(steps: int, seed: int) -> DataLoader[Any]:
    images = torch.tensor(load_digits().images, dtype=torch.float32).unsqueeze(1) / 16.0
    order = torch.Generator().manual_seed(seed)
    sampler = RandomSampler(range(len(images)), replacement=True, num_samples=steps * BATCH, generator=order)
    return DataLoader(list(images), batch_size=BATCH, sampler=sampler)  # type: ignore[arg-type]


def train(settings: Settings) -> None:
    torch.set_num_threads(1)  # on a busy machine two that wait for each other took twenty times as long
    torch.manual_seed(settings.seed)
    loader = batches(settings.steps, settings.seed)
    model = Autoencoder()
    optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)

    run = bedside.init(
        project="tokenizer",
        name=f"{settings.name}-{settings.seed}",
        config={
            "case": settings.name,
            "seed": settings.seed,
            "steps": settings.steps,
            "codes": CODES,
            "batch": BATCH,
            "lr": LEARNING_RATE,
        },
        dir=settings.directory,
    )
    run.watch(model, optimizer)
    codes = run.probe(bedside.Codebook("vq", size=CODES, embedding=lambda: model.quantizer.codebook))
    samples = run.probe(Samples("samples", every=200))

    @run.on_checkpoint
    def save(path: str) -> None:
        torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": step}, path)

    step, by_gradient = 0, False
    commitment_weight, codebook_weight = COMMITMENT, 0.0  # averages need no loss of their own
    for step, images in enumerate(run.steps(loader), 1):
        if settings.broken and step == FAULT_AT:
            by_gradient = True
            commitment_weight, codebook_weight = CODEBOOK, COMMITMENT  # swapped
            optimizer.add_param_group({"params": [model.quantizer.learn_by_gradient()]})
        optimizer.param_groups[0]["lr"] = lr = LEARNING_RATE * min(1.0, step / WARM_UP)
        if by_gradient:
            optimizer.param_groups[1]["lr"] = CODEBOOK_LEARNING_RATE * min(1.0, (step - FAULT_AT + 1) / CODEBOOK_WARM_UP)

        made, vectors, indices, commitment, codebook = model(images)
        reconstruction = F.mse_loss(made, images)
        loss = reconstruction + commitment_weight * commitment + codebook_weight * codebook
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if not by_gradient:
            model.quantizer.follow(vectors.detach(), indices)
            if step % REINIT_EVERY == 0 and (revived := model.quantizer.revive(vectors.detach())):
                run.event("reinit", n=revived)

        codes.observe(indices)
        samples.observe(target=images, reconstruction=made)
        run.log({"loss": loss, "loss/recon": reconstruction, "loss/commit": commitment, "loss/codebook": codebook, "lr": lr})
        if step % 250 == 0 or step == settings.steps:
            print(f"step {step:6,} of {settings.steps:,}  loss {loss:.5f}  recon {reconstruction:.5f}", flush=True)
    run.finish()
