"""The stages of the training: each makes one network, with an optimiser of its own."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.nn import Module, ModuleDict
from torch.optim import AdamW

from toolkit.devices import sent, without_autocast
from toolkit.training.stepping import Stepper
from toolkit_plugins.embedded_networks.files import Role, build
from toolkit_plugins.embedded_networks.perception import DensePerception, PerceptualNetwork
from toolkit_plugins.embedded_networks.recognisers import MarginSoftmax, PlainRecogniser, Recogniser, ResidualStep
from toolkit_plugins.embedded_networks.training.batches import PerceptionBatches, RecogniserBatches
from toolkit_plugins.embedded_networks.training.objective import ranking_loss, reading_losses
from toolkit_plugins.embedded_networks.training.pictures import Pictures, as_images
from toolkit_plugins.embedded_networks.training.settings import StageSettings

_WARMUP = 50
"""Steps in which the learning rate rises."""
_RANKED = 8
"""Originals of a step that distortions are ranked for: each costs seven pictures."""
_CLIP = 5.0
"""The largest norm of a step's gradients."""


class Stage(ABC):
    """One network in training."""

    network: Module
    batches: Callable[[int], Mapping[str, Tensor]]
    """Makes the batch of the stage's own step, a pure function of the stage's seed and the step."""

    def __init__(
        self, role: Role, settings: StageSettings, pictures: Pictures, device: torch.device, stepper: Stepper
    ) -> None:
        """Build the network with weights of the stage's seed."""
        self.role, self.settings, self.pictures, self.device = role, settings, pictures, device
        self.stepper = stepper
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(settings.seed)
            self.network = build(role, pictures.latents.shape[1] + 3)
            self.trained = ModuleDict({"network": self.network, **self.extras()}).to(device)
        stepper.prepare(self.network, blocks=self.blocks())
        self.optimiser = AdamW(self.trained.parameters(), lr=settings.rate, weight_decay=1e-3, betas=(0.9, 0.98))

    def extras(self) -> dict[str, Module]:
        """Modules that only the training needs."""
        return {}

    @abstractmethod
    def blocks(self) -> list[Module]:
        """The parts of the network whose activations are worth computing twice."""

    def step(self, batch: Mapping[str, Tensor], step: int) -> dict[str, float]:
        """Take one step of the optimiser; the losses by name."""
        self.trained.train()
        warm = min(1.0, (step + 1) / _WARMUP)
        for group in self.optimiser.param_groups:
            group["lr"] = self.settings.rate * warm * (0.5 + 0.5 * math.cos(math.pi * step / self.settings.steps))
        batch = {name: sent(part, self.device) for name, part in batch.items()}
        losses = self.stepper.backward(lambda rows: self.losses(rows, step), batch, self.optimiser)
        self.stepper.update(self.optimiser, _CLIP)
        self.trained.eval()
        return {f"{self.role}/{name}": loss for name, loss in losses.items()}

    @abstractmethod
    def losses(self, batch: Mapping[str, Tensor], step: int) -> dict[str, Tensor]:
        """The losses of a batch, weighted."""

    def finish(self) -> None:
        """What is done once, before the network is written."""
        return None


class RecogniserStage(Stage):
    """Heads as classes, with a margin between them that grows with the training."""

    network: Recogniser

    def __init__(
        self, role: Role, settings: StageSettings, pictures: Pictures, device: torch.device, stepper: Stepper
    ) -> None:
        """Build the network and the classes."""
        super().__init__(role, settings, pictures, device, stepper)
        self.batches = RecogniserBatches(settings, pictures)

    def extras(self) -> dict[str, Module]:
        """The vectors of the classes, trained beside the network and left out of its file."""
        return {"classes": MarginSoftmax(self.network.size, len(self.pictures))}

    def blocks(self) -> list[Module]:
        """The convolutions of one kind together, the residual steps of the other each."""
        if isinstance(self.network, PlainRecogniser):
            return [self.network.layers]
        return [part for part in self.network.modules() if isinstance(part, ResidualStep)]

    def losses(self, batch: Mapping[str, Tensor], step: int) -> dict[str, Tensor]:
        """The margin softmax over all heads, and over the batch."""
        share = min(1.0, 2 * step / self.settings.steps)
        classes = self.trained["classes"]
        assert isinstance(classes, MarginSoftmax)  # for the type checker: a ModuleDict hides it
        embedding = self.network.embed(batch["images"])
        with without_autocast(embedding):  # in 16 bits, cosines near 1 have no angle
            ours, theirs = classes(embedding, batch["heads"], share), classes.among_pairs(embedding, share)
        return {"classes": ours, "pairs": theirs}


class PerceptionStage(Stage):
    """A trunk that tells latents, cameras, masks and depth, and whose distances agree with orderings."""

    network: PerceptualNetwork

    def __init__(
        self,
        role: Role,
        settings: StageSettings,
        pictures: Pictures,
        device: torch.device,
        stepper: Stepper,
        ranking: float,
    ) -> None:
        """Build the network; `ranking` is the weight of the orderings."""
        super().__init__(role, settings, pictures, device, stepper)
        self.batches, self.ranking = PerceptionBatches(settings, pictures), ranking

    def blocks(self) -> list[Module]:
        """All of it: each of a step's two calls, for readings and for the ranking, computes its maps again."""
        return [self.network]

    def losses(self, batch: Mapping[str, Tensor], step: int) -> dict[str, Tensor]:
        """The losses of what is predicted, and of the ranking of distortions."""
        source = torch.Generator().manual_seed(self.settings.seed * 1_000_003 + step)
        noisy = torch.cat([batch["faces"], batch["views"]])
        noisy = noisy + 0.05 * torch.rand((), generator=source) * sent(
            torch.randn(noisy.shape, generator=source), noisy.device
        )
        losses = reading_losses(self.network, noisy, batch["facts"], batch["depths"])
        if self.ranking:
            some = (slice(0, _RANKED), slice(-_RANKED, None))[step % 2]
            ranked = ranking_loss(self.network, batch["views"][some], batch["partners"][some], step, source)
            losses["ranking"] = self.ranking * ranked
        return losses

    @torch.no_grad()
    def finish(self) -> None:
        """Measure the features' mean and spread over the training's views."""
        network = self.network
        if isinstance(network, DensePerception):
            images = as_images(self.pictures.views.flatten(0, 1)[:400])
            pooled = torch.cat([network.pooled(part.to(self.device)) for part in images.split(20)])
            network.feature_mean.copy_(pooled.mean(0))
            network.feature_spread.copy_(pooled.std(0).clamp_min(1e-3))
