"""Policy gradient in a grid of 6×6: from anywhere to a corner in few moves, where one move of five goes astray.

The reward is noisy and the surrogate's value says nothing of progress: it wanders about zero, and lower is not better. Healthy.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn

from bedside.cases.case import Settings
from bedside.cases.training import begin, generator, tell

SIDE: Final = 6
MOVES: Final = 16
WALKERS: Final = 32
ASTRAY: Final = 0.2
DISCOUNT: Final = 0.95
ENTROPY: Final = 0.01
LEARNING_RATE: Final = 3e-3

_DIRECTIONS: Final = torch.tensor([[0, 1], [1, 0], [0, -1], [-1, 0]])


class Policy(nn.Module):
    """Places (n) of the grid → logits over four directions (n, 4) and the expected return (n)."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Embedding(SIDE * SIDE, 32), nn.Linear(32, 64), nn.Tanh())
        self.directions = nn.Linear(64, 4)
        self.value = nn.Linear(64, 1)

    def forward(self, places: Tensor) -> tuple[Tensor, Tensor]:
        seen = self.body(places)
        return self.directions(seen), self.value(seen).squeeze(-1)


def moved(places: Tensor, directions: Tensor) -> Tensor:
    """Where each walker stands after its move; the walls hold it."""
    at = torch.stack([places // SIDE, places % SIDE], dim=1) + _DIRECTIONS[directions]
    at = at.clamp(0, SIDE - 1)
    return at[:, 0] * SIDE + at[:, 1]


def walk(policy: Policy, randomness: torch.Generator) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """All walkers for all moves, each (MOVES, WALKERS): log chances of what was chosen, entropies, expected returns, rewards."""
    goal = SIDE * SIDE - 1
    places = torch.randint(0, goal, (WALKERS,), generator=randomness)
    steps = []
    for _ in range(MOVES):
        logits, expected = policy(places)
        chances = torch.log_softmax(logits, dim=1)
        chosen = torch.multinomial(chances.detach().exp(), 1, generator=randomness).squeeze(1)
        astray = torch.rand(WALKERS, generator=randomness) < ASTRAY
        made = torch.where(astray, torch.randint(0, 4, (WALKERS,), generator=randomness), chosen)
        places = torch.where(places == goal, places, moved(places, made))  # who has arrived stays
        reward = (places == goal).float() + 0.3 * torch.randn(WALKERS, generator=randomness)
        steps.append((chances.gather(1, chosen.unsqueeze(1)).squeeze(1), -(chances.exp() * chances).sum(dim=1), expected, reward))
    log_chances, entropies, expected, rewards = (torch.stack(column) for column in zip(*steps, strict=True))
    return log_chances, entropies, expected, rewards


def discounted(rewards: Tensor) -> Tensor:
    """What is still to come from each move on (MOVES, WALKERS)."""
    returns, coming = [], torch.zeros(WALKERS)
    for reward in rewards.flip(0):
        coming = reward + DISCOUNT * coming
        returns.append(coming)
    return torch.stack(returns[::-1])


def train(settings: Settings) -> None:
    run = begin(settings, "gridworld", lr=LEARNING_RATE, discount=DISCOUNT, walkers=WALKERS)
    policy = Policy()
    optimizer = torch.optim.Adam(policy.parameters(), lr=LEARNING_RATE)
    run.watch(policy, optimizer)
    randomness = generator(settings)

    for step in run.steps(range(1, settings.steps + 1)):
        log_chances, entropies, expected, rewards = walk(policy, randomness)
        returns = discounted(rewards)
        advantage = (returns - expected).detach()
        policy_loss = -(log_chances * advantage).mean()
        value_loss = (returns - expected).square().mean()
        loss = policy_loss + 0.5 * value_loss - ENTROPY * entropies.mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

        reward = rewards.sum(dim=0).mean()
        run.log({"reward": reward, "policy_loss": policy_loss, "value_loss": value_loss, "entropy": entropies.mean()})
        tell(settings, step, reward=reward, policy=policy_loss, value=value_loss, entropy=entropies.mean())
    run.finish()
