"""Codes that are made from the traits of heads, so that no network has to learn what a latent means.

The synthesis network learns from these codes; the mapping learns beside it to give them, from many more latents than
there are heads with rays.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from toolkit.errors import ConfigError
from toolkit.interfaces import DescribedHeads, ProceduralHeads
from toolkit_plugins.panohead.training.kept import kept_tensors
from toolkit_plugins.panohead.training.rays import RayPlan

_VERSION = 3
_STRONGEST = 1.5
"""Standard deviation of the first number of a code."""
_NOTHING = 1e-4
"""Of the strongest direction's spread: below, a direction is rounding."""


class Meanings:
    """Codes of a plan's heads, and of latents beyond them."""

    def __init__(self, heads: ProceduralHeads, plan: RayPlan, more: int, w_dim: int, folder: Path) -> None:
        """Read the codes from `folder`, or make them.

        Args:
            heads: Whose traits.
            plan: Says which heads have rays.
            more: Latents beyond them. The codes' directions are found from all: where both numbers add up to the same,
                codes are the same.
            w_dim: Length of a code.
            folder: Where codes are kept.

        Raises:
            ConfigError: These heads cannot describe themselves.
        """
        if not isinstance(heads, DescribedHeads):
            raise ConfigError(f"heads.traits needs heads that say their traits; those of {plan.dataset!r} do not")
        file = folder / f"codes-{plan.heads + more}-{w_dim}.safetensors"
        about = {"version": _VERSION, "dataset": plan.dataset, "split": plan.split, "seed": plan.seed}
        tensors = kept_tensors(file, heads, about, lambda: _made(heads, plan, more, w_dim))
        self.latents: Tensor = tensors["latents"]
        """[N, z], those with rays first."""
        self.codes: Tensor = tensors["codes"]
        """[N, w_dim]."""
        self._heads, self._mean, self._directions = heads, tensors["mean"], tensors["directions"]

    def codes_of(self, latents: Tensor) -> Tensor:
        """Codes [B, w_dim] of latents [B, z], from their traits."""
        traits = torch.stack([self._heads.traits(latent) for latent in latents.cpu()])
        return (traits - self._mean) @ self._directions

    def some(self, step: int, count: int) -> tuple[Tensor, Tensor]:
        """Latents [C, z] and codes [C, w_dim] that the mapping learns from in a step."""
        rows = torch.randint(len(self.codes), (count,), generator=torch.Generator().manual_seed(step))
        return self.latents[rows], self.codes[rows]


def _made(heads: DescribedHeads, plan: RayPlan, more: int, w_dim: int) -> dict[str, Tensor]:
    """Traits along their principal directions: large differences are damped, small ones kept."""
    latents = torch.stack([heads.latent(plan.split, plan.seed, index) for index in range(plan.heads + more)])
    traits = torch.stack([heads.traits(latent) for latent in latents])
    mean = traits.mean(0)
    centred = traits - mean
    variance, directions = torch.linalg.eigh(centred.T.double().cov(correction=0))  # from small to large
    spread, directions = variance.flip(0)[:w_dim].clamp_min(0).sqrt().float(), directions.flip(1)[:, :w_dim].float()
    real = spread > _NOTHING * spread[0]
    scale = torch.where(real, _STRONGEST / (spread[0] * spread).clamp_min(1e-9).sqrt(), 0)
    turned = torch.nn.functional.pad(directions * scale, (0, w_dim - len(spread)))
    return {"latents": latents, "codes": centred @ turned, "mean": mean, "directions": turned}
