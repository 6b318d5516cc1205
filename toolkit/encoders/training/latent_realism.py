"""Adversarial terms on codes: kept near those of the mapping network (e4e, and GOAE after it)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from toolkit.errors import ConfigError
from toolkit.losses.adversarial import generator_loss

POOL_SIZE = 50


def latent_realism(discriminator: Callable[[Tensor], Tensor], ws: Tensor, stage: int | None = None) -> Tensor:
    """How far codes are from mapped ones: mean over the layers in play of mean softplus(-D(w_i)).

    Args:
        discriminator: w [B, w_dim] to logits [B, 1].
        ws: Codes [B, num_ws, w_dim], the average w added.
        stage: Layers 0 ... stage are in play; None: all.
    """
    layers = (ws if stage is None else ws[:, : stage + 1]).unbind(dim=1)
    return torch.stack([generator_loss(discriminator(w)) for w in layers]).mean()


class LatentPool:
    """Remembers earlier w, so that the discriminator does not only see the newest; `kept` is all its memory."""

    def __init__(self, size: int = POOL_SIZE) -> None:
        """Start empty.

        Args:
            size: How many w it holds.

        Raises:
            ConfigError: The size is not positive.
        """
        if size < 1:
            raise ConfigError(f"a pool of latents holds at least 1, got {size}")
        self.size = size
        self.kept: list[Tensor] = []

    def exchange(self, ws: Tensor, rng: torch.Generator | None = None) -> Tensor:
        """Hand in codes [B, positions, w_dim]; get back w [B, w_dim], half of them earlier ones once it is full.

        Of each code one position, drawn at random, takes part.

        Args:
            ws: The codes.
            rng: Random generator on the CPU; None: torch's global one.
        """
        return torch.stack([self._exchange_one(code[_draw(len(code), rng)], rng) for code in ws.detach()])

    def _exchange_one(self, w: Tensor, rng: torch.Generator | None) -> Tensor:
        if len(self.kept) < self.size:
            self.kept.append(w)
            return w
        if _draw(2, rng):
            return w
        place = _draw(self.size, rng)
        old, self.kept[place] = self.kept[place], w
        return old


def _draw(count: int, rng: torch.Generator | None) -> int:
    return int(torch.randint(count, (), generator=rng))
