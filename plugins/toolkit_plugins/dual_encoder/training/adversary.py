"""The discriminator in encoder 2's training: which planes or images it scores, and its own steps."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, cast

import torch
from torch import Tensor
from torch.optim import Adam, Optimizer

from toolkit.devices import sent, without_autocast
from toolkit.encoders.training.named_parts import open_discriminator
from toolkit.interfaces import Discriminator, Generator
from toolkit.latents import map_styles
from toolkit.losses.adversarial import discriminator_terms, generator_loss
from toolkit.rendering.views import around
from toolkit.training.overlapping import OverlappingGradients
from toolkit.training.ranger import make_ranger
from toolkit.training.rng import RowRng, row_rng
from toolkit.training.stepping import means_of
from toolkit_plugins.dual_encoder.joining import masked_images
from toolkit_plugins.dual_encoder.training.settings import AdversarySettings

PLANES, IMAGES = "planes", "images"
"""What a discriminator may judge here."""
_ADAM_BETAS = (0.0, 0.99)
_PURPOSE = 3
"""Tells its random numbers from those of a step's batch."""


class Adversary:
    """Tells encoded heads from synthesised ones, and tells the encoder how; an `Opponent`."""

    def __init__(self, settings: AdversarySettings, generator: Generator, seed: int, parts: int = 1) -> None:
        """Draw the discriminator's weights.

        Args:
            settings: Its discriminator is not 'none'.
            generator: Synthesises the real samples.
            seed: Of real samples and cameras.
            parts: Calls of `loss` that a batch comes in (`engine.accumulate`).
        """
        self.settings, self.generator, self.device, self.seed = settings, generator, generator.device, seed
        self.parts, self._parts_seen = parts, 0
        name, options = settings.discriminator, settings.options.get(settings.discriminator, {})
        self.discriminator = open_discriminator(name, generator, options, (PLANES, IMAGES), f"adversary.options.{name}")
        self.domain = cast(Discriminator, self.discriminator).domain
        parameters = list(self.discriminator.parameters())
        self.optimiser: Optimizer = (
            make_ranger(parameters, settings.rate)
            if settings.optimiser == "ranger"
            else Adam(parameters, lr=settings.rate, betas=_ADAM_BETAS)
        )
        self._gradients = OverlappingGradients(self.optimiser)
        self.steps = 0
        """Steps that the discriminator has taken."""
        self._log: dict[str, Tensor] = {}

    def loss(self, planes: Tensor, ws: Tensor, occlusion: Tensor | None, rows: Sequence[int]) -> Tensor:
        """Let the discriminator learn, then score: the encoder's weighted adversarial term (Eq. 7).

        It takes one step per batch, after the last part. Earlier parts are scored with the weights before this step.

        Args:
            planes: Encoded, [B, *planes_shape]; gradients reach them.
            ws: Encoded, [B, num_ws, w_dim].
            occlusion: What the input views do not see, in the generator's occupancy shape; None: score everything.
            rows: The heads' numbers [B] in the whole batch of all processes.
        """
        rng = row_rng(rows, self.seed, self.steps, _PURPOSE)
        cameras = self._cameras(rng)
        fake = self._judged(planes, ws, occlusion, cameras)
        with torch.no_grad():
            real_ws = self.synthesised(rng)
            real = self._judged(self.generator.planes(real_ws), real_ws, occlusion, cameras)
        with without_autocast(real):
            self._learn(real.float(), fake.detach().float())
        self.discriminator.requires_grad_(False)
        try:
            logits = self.discriminator(fake)
        finally:
            self.discriminator.requires_grad_(True)
        self._note("fake_logit", logits.detach().mean())
        return self.settings.weight * generator_loss(logits)

    @torch.no_grad()
    def synthesised(self, rng: RowRng) -> Tensor:
        """Codes [rows, num_ws, w_dim] of random heads under the frontal camera."""
        latents = self.generator.spec.latents
        z = rng.normal(latents.num_ws if self.settings.real == "z+" else 1, latents.z_dim)
        z = sent(z, self.device)
        return map_styles(self.generator, z, self.settings.truncation)

    def take_log(self) -> dict[str, float]:
        """What happened since the last call, by name."""
        log, self._log = self._log, {}
        return means_of([log])

    def described(self) -> Mapping[str, Any]:
        """What rebuilds the discriminator."""
        settings = self.settings
        options = settings.options.get(settings.discriminator, {})
        return {"name": settings.discriminator, "domain": self.domain, "options": options}

    def state(self) -> Mapping[str, Any]:
        """What changes besides weights and optimiser."""
        return {"steps": self.steps}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take back what `state` gave."""
        self.steps = int(state["steps"])

    def _judged(self, planes: Tensor, ws: Tensor, occlusion: Tensor | None, cameras: Any) -> Tensor:
        if self.domain == PLANES:
            return masked_images(self.generator, planes, occlusion)
        return self.generator.render(planes, ws, cameras, self.settings.resolution).image

    def _learn(self, real: Tensor, fake: Tensor) -> None:
        """Add a part's gradients; on the last part, step."""
        settings = self.settings

        def loss() -> Tensor:
            terms = discriminator_terms(
                self.discriminator,
                real,
                fake,
                self.steps,
                weight=settings.discriminator_weight,
                r1_weight=settings.r1_weight,
                r1_interval=settings.r1_interval,
            )
            self._note("discriminator", terms.adversarial)
            if terms.r1 is not None:
                self._note("r1", terms.r1)
            return terms.total / self.parts

        self.discriminator.train()
        self._parts_seen += 1
        self._gradients.backward(loss, last=self._parts_seen == self.parts)
        if self._parts_seen == self.parts:
            self.optimiser.step()
            self.optimiser.zero_grad(set_to_none=True)
            self.steps, self._parts_seen = self.steps + 1, 0

    def _note(self, name: str, value: Tensor) -> None:
        """Log a mean over a part's rows as its share of the batch's."""
        self._log[name] = self._log.get(name, 0.0) + value.detach().float() / self.parts

    def _cameras(self, rng: RowRng) -> Any:
        return around(self.generator.spec, (rng.uniform() * 2 - 1) * math.pi).to(self.device)
