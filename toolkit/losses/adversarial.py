"""Adversarial losses as pure functions of logits: the non-saturating logistic game with R1."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor


def generator_loss(fake_logits: Tensor) -> Tensor:
    """Mean softplus(-D(fake)): a scalar >= 0, low when fakes pass as real."""
    return F.softplus(-fake_logits).mean()


def discriminator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Mean softplus(-D(real)) + mean softplus(D(fake)): a scalar >= 0, low when the two are told apart."""
    return F.softplus(-real_logits).mean() + F.softplus(fake_logits).mean()


def r1_penalty(discriminator: Callable[[Tensor], Tensor], real: Tensor) -> Tensor:
    """Mean over samples of the squared gradient of D at real samples [B, ...]: a scalar >= 0, not scaled.

    The published trainings multiply it with gamma / 2 and with the number of steps between two penalties.
    """
    samples = real.detach().requires_grad_(True)
    (gradient,) = torch.autograd.grad(discriminator(samples).sum(), samples, create_graph=True)
    return gradient.square().flatten(1).sum(dim=1).mean()
