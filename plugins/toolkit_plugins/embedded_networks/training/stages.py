"""The stages of the training: each makes one network, with an optimiser of its own."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor
from torch.nn import Module, ModuleDict
from torch.optim import AdamW

from toolkit_plugins.embedded_networks.files import Role, build
from toolkit_plugins.embedded_networks.perception import DensePerception, PerceptualNetwork
from toolkit_plugins.embedded_networks.recognisers import MarginSoftmax, Recogniser
from toolkit_plugins.embedded_networks.training.augmentation import worn_faces
from toolkit_plugins.embedded_networks.training.objective import facts_of, ranking_loss, reading_losses
from toolkit_plugins.embedded_networks.training.pictures import Pictures, as_images
from toolkit_plugins.embedded_networks.training.settings import StageSettings

_WARMUP = 50
"""Steps in which the learning rate rises."""
_RANKED = 8
"""Originals of a step that distortions are ranked for: each costs seven pictures."""


class Stage(ABC):
    """One network in training. A batch is a pure function of the stage's seed and its own step."""

    network: Module

    def __init__(self, role: Role, settings: StageSettings, pictures: Pictures, device: torch.device) -> None:
        """Build the network with weights of the stage's seed."""
        self.role, self.settings, self.pictures, self.device = role, settings, pictures, device
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(settings.seed)
            self.network = build(role, pictures.latents.shape[1] + 3)
            self.trained = ModuleDict({"network": self.network, **self.extras()}).to(device)
        self.optimiser = AdamW(self.trained.parameters(), lr=settings.rate, weight_decay=1e-3, betas=(0.9, 0.98))

    def extras(self) -> dict[str, Module]:
        """Modules that only the training needs."""
        return {}

    def chance(self, step: int) -> np.random.Generator:
        """The source of chance of a step's batch."""
        return np.random.Generator(np.random.PCG64(np.random.SeedSequence([self.settings.seed, step, 31])))

    def step(self, batch: Mapping[str, Tensor], step: int) -> dict[str, float]:
        """Take one step of the optimiser; the losses by name."""
        self.trained.train()
        warm = min(1.0, (step + 1) / _WARMUP)
        for group in self.optimiser.param_groups:
            group["lr"] = self.settings.rate * warm * (0.5 + 0.5 * math.cos(math.pi * step / self.settings.steps))
        losses = self.losses({name: part.to(self.device) for name, part in batch.items()}, step)
        self.optimiser.zero_grad(set_to_none=True)
        torch.stack(list(losses.values())).sum().backward()
        torch.nn.utils.clip_grad_norm_(self.trained.parameters(), 5.0)
        self.optimiser.step()
        self.trained.eval()
        return {f"{self.role}/{name}": float(loss.detach()) for name, loss in losses.items()}

    @abstractmethod
    def batch(self, step: int) -> dict[str, Tensor]:
        """The batch of the stage's own step."""

    @abstractmethod
    def losses(self, batch: Mapping[str, Tensor], step: int) -> dict[str, Tensor]:
        """The losses of a batch, weighted."""

    def finish(self) -> None:
        """What is done once, before the network is written."""
        return None


class RecogniserStage(Stage):
    """Heads as classes, with a margin between them that grows with the training."""

    network: Recogniser

    def extras(self) -> dict[str, Module]:
        """The classes' centres."""
        return {"classes": MarginSoftmax(self.network.size, len(self.pictures))}

    def batch(self, step: int) -> dict[str, Tensor]:
        """Two faces of each of some heads, in any dress."""
        chance, faces = self.chance(step), self.pictures.faces.flatten(1, 2)
        count = min(self.settings.batch // 2, len(faces))
        heads = torch.from_numpy(chance.permutation(len(faces))[:count]).repeat_interleave(2)
        picks = np.concatenate([chance.permutation(faces.shape[1])[:2] for _ in range(count)])
        images = as_images(faces[heads, torch.from_numpy(picks)])
        source = torch.Generator().manual_seed(int(chance.integers(2**31)))
        return {"images": worn_faces(images, source), "heads": heads}

    def losses(self, batch: Mapping[str, Tensor], step: int) -> dict[str, Tensor]:
        """The margin softmax over all heads, and over the batch."""
        share = min(1.0, 2 * step / self.settings.steps)
        classes = self.trained["classes"]
        assert isinstance(classes, MarginSoftmax)  # for the type checker: a ModuleDict hides it
        embedding = self.network.embed(batch["images"])
        return {"classes": classes(embedding, batch["heads"], share), "pairs": classes.among_pairs(embedding, share)}


class PerceptionStage(Stage):
    """A trunk that tells latents, cameras, masks and depth, and whose distances agree with orderings."""

    network: PerceptualNetwork

    def __init__(
        self, role: Role, settings: StageSettings, pictures: Pictures, device: torch.device, ranking: float
    ) -> None:
        """Build the network; `ranking` is the weight of the orderings."""
        super().__init__(role, settings, pictures, device)
        self.ranking = ranking

    def batch(self, step: int) -> dict[str, Tensor]:
        """Views with depth, aligned faces, and views of partners; one set of heads each."""
        chance, data = self.chance(step), self.pictures
        count = min(self.settings.batch, len(data))
        heads = chance.permutation(len(data))[:count]
        dresses, turn = (
            chance.integers(data.views.shape[1], size=count),
            chance.integers(data.faces.shape[2], size=count),
        )
        owner, dress = torch.from_numpy(heads), torch.from_numpy(dresses)
        faces, angle = owner[: count // 2], torch.from_numpy(turn)[: count // 2]
        cameras = torch.cat([data.face_cameras[faces, dress[: count // 2], angle], data.view_cameras[owner, dress]])
        return {
            "faces": as_images(data.faces[faces, dress[: count // 2], angle]),
            "views": as_images(data.views[owner, dress]),
            "facts": facts_of(torch.cat([data.latents[faces], data.latents[owner]]), cameras),
            "depths": data.view_depths[owner, dress].float(),
            "partners": as_images(data.views[owner ^ 1, dress]),
        }

    def losses(self, batch: Mapping[str, Tensor], step: int) -> dict[str, Tensor]:
        """What is told, and the ranking of distortions."""
        source = torch.Generator().manual_seed(self.settings.seed * 1_000_003 + step)
        noisy = torch.cat([batch["faces"], batch["views"]])
        noisy = noisy + 0.05 * torch.rand((), generator=source) * torch.randn(noisy.shape, generator=source).to(noisy)
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
