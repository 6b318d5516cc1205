"""Adversarial losses as pure functions of logits: the non-saturating logistic loss with R1.

The dual encoder's paper prints its discriminator's loss with signs that make both players pull alike; the consistent
reading, used here, is real = synthesised, fake = encoded.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from toolkit.errors import InputError

WEIGHT = 0.5
"""Weight of the discriminator's adversarial term (the paper, Eq. 8); R1 stands outside of it."""
R1_WEIGHT = 10.0
R1_INTERVAL = 16
"""R1 is applied on every 16th step, and weighs 16 times as much there."""


class DiscriminatorTerms(NamedTuple):
    """What one discriminator step is made of; all scalars."""

    total: Tensor
    """What is minimised."""
    adversarial: Tensor
    """Unweighted, detached."""
    r1: Tensor | None
    """Mean squared gradient norm, unweighted and detached; None on steps without it."""


def generator_loss(fake_logits: Tensor) -> Tensor:
    """Mean softplus(-D(fake)): a scalar >= 0, low when fakes pass as real."""
    return F.softplus(-fake_logits).mean()


def discriminator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Mean softplus(-D(real)) + mean softplus(D(fake)): a scalar >= 0, low if it can tell the two apart."""
    return F.softplus(-real_logits).mean() + F.softplus(fake_logits).mean()


def r1_penalty(discriminator: Callable[[Tensor], Tensor], real: Tensor) -> Tensor:
    """Mean over samples of the squared gradient of D at real samples [B, ...]: a scalar >= 0, not scaled.

    The published trainings multiply it with gamma / 2 and with the number of steps between two penalties.
    """
    samples = real.detach().requires_grad_(True)
    return _gradient_penalty(discriminator(samples), samples)


def discriminator_terms(
    discriminator: Callable[[Tensor], Tensor],
    real: Tensor,
    fake: Tensor,
    step: int,
    *,
    weight: float = WEIGHT,
    r1_weight: float = R1_WEIGHT,
    r1_interval: int = R1_INTERVAL,
) -> DiscriminatorTerms:
    """One step: weight * adversarial, and on every `r1_interval`-th step (r1_weight / 2) * r1_interval * R1.

    Args:
        discriminator: Samples to logits [B, 1].
        real: Real samples [B, ...]; detached here.
        fake: Made samples [B, ...]; detached here.
        step: Number of this step, from 0.
        weight: Of the adversarial term.
        r1_weight: Of the penalty; 0 switches it off.
        r1_interval: Steps from one penalty to the next; it is scaled up so that its mean weight does not change.

    Raises:
        InputError: `r1_interval` is below 1.
    """
    if r1_interval < 1:
        raise InputError(f"r1_interval must be at least 1, got {r1_interval}")
    penalised = r1_weight > 0 and step % r1_interval == 0
    real = real.detach().requires_grad_(penalised)
    real_logits = discriminator(real)
    adversarial = discriminator_loss(real_logits, discriminator(fake.detach()))
    if not penalised:
        return DiscriminatorTerms(weight * adversarial, adversarial.detach(), None)
    r1 = _gradient_penalty(real_logits, real)
    total = weight * adversarial + r1_weight / 2 * r1_interval * r1
    return DiscriminatorTerms(total, adversarial.detach(), r1.detach())


def _gradient_penalty(logits: Tensor, samples: Tensor) -> Tensor:
    (gradient,) = torch.autograd.grad(logits.sum(), samples, create_graph=True)
    return gradient.square().flatten(1).sum(dim=1).mean()
