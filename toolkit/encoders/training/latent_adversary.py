"""A discriminator of w: it learns to tell encoded w from mapped ones, and the encoder learns to deceive it.

Processes that train together remember the same w: those of the whole batch, exchanged in the order of its rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import Module
from torch.optim import Adam

from toolkit.configuration import Config
from toolkit.devices import sent
from toolkit.encoders.networks.latent_discriminator import LatentDiscriminator
from toolkit.encoders.training.latent_realism import POOL_SIZE, LatentPool, latent_realism
from toolkit.encoders.training.named_parts import DiscriminatorOptions, open_discriminator
from toolkit.encoders.training.settings import Count, Rate, Weight
from toolkit.interfaces import Generator
from toolkit.losses.adversarial import discriminator_loss, r1_penalty
from toolkit.training.distribution import gathered_rows, row_numbers
from toolkit.training.overlapping import OverlappingGradients
from toolkit.training.rng import make_rng
from toolkit.training.stepping import means_of

_PURPOSE = 2
"""Tells its random numbers from those of a step's batch."""


class LatentAdversarySettings(Config):
    """Settings of e4e's adversarial training on codes; the defaults are the published values."""

    weight: Weight = 0.1
    """Of the encoder's term; 0: there is no adversarial training of codes."""
    rate: Rate = 2e-5
    r1: Weight = 10.0
    r1_every: Count = 16
    pool: Annotated[int, Field(ge=0)] = POOL_SIZE
    """Earlier w that the discriminator is shown, too; 0: only the first layer's of each code."""
    discriminator: str = ""
    """A registered discriminator of latents; empty: e4e's own."""
    options: DiscriminatorOptions = Field(default_factory=dict)
    """Of registered discriminators, by name."""


class LatentAdversary:
    """The discriminator, its optimiser and the codes that it remembers; an `Opponent`."""

    def __init__(self, settings: LatentAdversarySettings, generator: Generator, seed: int) -> None:
        """Lay out the discriminator for a generator's w.

        Args:
            settings: Weights and rates.
            generator: Its mapping makes the real w.
            seed: Of real w, and of what is remembered.

        Raises:
            PluginError: No such discriminator is registered.
            ConfigError: It has no such option, or does not score latents.
        """
        self.settings, self.generator, self.seed = settings, generator, seed
        device = generator.device
        name = settings.discriminator
        self.discriminator: Module = (
            open_discriminator(name, generator, settings.options.get(name, {}), ("latents",), f"latents.options.{name}")
            if name
            else LatentDiscriminator(generator.spec.latents.w_dim).to(device)
        )
        self.optimiser = Adam(self.discriminator.parameters(), lr=settings.rate)
        self._gradients = OverlappingGradients(self.optimiser)
        self._pools = (LatentPool(settings.pool), LatentPool(settings.pool)) if settings.pool else None

    def learn(
        self, encode: Callable[[], Tensor], blocks: Sequence[int], step: int, stage: int | None = None
    ) -> dict[str, float]:
        """Take one step of the discriminator; none where the weight is 0.

        Args:
            encode: Gives the present codes [B, num_ws, w_dim], the average w added; gradients are off.
            blocks: How many of the B are photos, and how many pairs.
            step: From 0; R1 has its own update on every `r1_every`-th.
            stage: Layers 0 ... stage take part; None: all.

        Returns:
            What to log, by name.
        """
        if not self.settings.weight:
            return {}
        rng, own = make_rng(self.seed, step, _PURPOSE), row_numbers(*blocks)
        with torch.no_grad():
            codes = gathered_rows(encode(), *blocks)
            fake = self._kept(1, codes if stage is None else codes[:, : stage + 1], rng)[own]
            latents, front = self.generator.spec.latents, self.generator.spec.front_camera
            z = torch.randn(len(codes), latents.z_dim, generator=rng)
            z = sent(z, codes.device)
            real = self._kept(0, self.generator.mapping(z, front.to(codes.device).expand(len(z))), rng)[own]
        logged = {
            "discriminator": self._update(
                1.0, lambda: discriminator_loss(self.discriminator(real), self.discriminator(fake))
            )
        }
        if self.settings.r1 and step % self.settings.r1_every == 0:
            weight = self.settings.r1 / 2 * self.settings.r1_every
            logged["r1"] = self._update(weight, lambda: r1_penalty(self.discriminator, real))
        return means_of([logged])

    def losses(self, ws: Tensor, stage: int | None = None) -> dict[str, Tensor]:
        """The encoder's weighted loss as `adversarial`; nothing where the weight is 0.

        Args:
            ws: Encoded, [B, num_ws, w_dim].
            stage: Layers 0 ... stage take part; None: all.
        """
        if not self.settings.weight:
            return {}
        return {"adversarial": self.settings.weight * latent_realism(self.discriminator, ws, stage)}

    def state(self) -> Mapping[str, Any]:
        """What the pools remember."""
        return {} if self._pools is None else {"pools": [list(pool.kept) for pool in self._pools]}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take back what `state` gave."""
        device = self.generator.device
        for pool, kept in zip(self._pools or (), state.get("pools", ()), strict=False):
            pool.kept = [w.to(device) for w in kept]

    def take_log(self) -> Mapping[str, float]:
        """Nothing: `learn` returns what is to be logged."""
        return {}

    def _kept(self, which: int, codes: Tensor, rng: torch.Generator) -> Tensor:
        return codes[:, 0] if self._pools is None else self._pools[which].exchange(codes, rng)

    def _update(self, weight: float, loss_of: Callable[[], Tensor]) -> Tensor:
        """Step down a weighted loss; the loss itself."""
        found: list[Tensor] = []

        def weighted() -> Tensor:
            loss = loss_of()
            found.append(loss.detach())
            return weight * loss

        self.optimiser.zero_grad(set_to_none=True)
        self._gradients.backward(weighted)
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        return found[0]
