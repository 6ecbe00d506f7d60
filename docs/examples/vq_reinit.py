"""A vector quantizer whose dead codes are put back among the data now and then, with a mark on the timeline each time."""

import torch
import torch.nn.functional as F

import bedside

CODES, DIMENSIONS, STEPS, REINIT_EVERY = 64, 4, 240, 50
book = torch.randn(CODES, DIMENSIONS) * 0.1
counts = torch.ones(CODES)
centres = torch.randn(CODES, DIMENSIONS) * 3

run = bedside.init(project="examples", name="vq-reinit")
codes = run.probe(bedside.Codebook("vq", size=CODES, embedding=lambda: book))

for step in run.steps(range(1, STEPS + 1)):
    data = centres[torch.randint(0, CODES, (256,))] + 0.1 * torch.randn(256, DIMENSIONS)
    indices = torch.cdist(data, book).argmin(1)
    loss = F.mse_loss(book[indices], data)
    chosen = torch.bincount(indices, minlength=CODES).float()
    sums = torch.zeros_like(book).index_add_(0, indices, data)
    counts.lerp_(chosen, 0.1)
    book = torch.where(chosen.unsqueeze(1) > 0, book.lerp(sums / chosen.clamp(min=1).unsqueeze(1), 0.2), book)
    if step % REINIT_EVERY == 0:
        dead = counts < 0.1
        book[dead] = data[torch.randint(0, len(data), (int(dead.sum()),))]
        run.event("reinit", n=int(dead.sum()))
    codes.observe(indices)
    run.log({"loss": loss})
run.finish()
