"""`toolkit train identity-lite`: a small head on a frozen trunk learns what dlib's recogniser says of people's faces.

    toolkit train identity-lite --out runs/identity
    toolkit train identity-lite --out runs/identity --resume

Faces and the trunk's maps of them are made first, in files that outlive any stop.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import Module
from torch.optim import AdamW, Optimizer

from toolkit.cache import cache_folder
from toolkit.configuration import config_path, load_config, settings_for_others
from toolkit.devices import sent
from toolkit.errors import InputError
from toolkit.interfaces.training import TrainingJob
from toolkit.rates import falling
from toolkit.training.best import check_best
from toolkit.training.stepping import Stepper
from toolkit_plugins.photo_networks.identity_network import NAME, DescriptorHead, write_head
from toolkit_plugins.photo_networks.training.evaluation import SCORES, score_student
from toolkit_plugins.photo_networks.training.faces import prepare_faces
from toolkit_plugins.photo_networks.training.features import Copies, prepare_copies
from toolkit_plugins.photo_networks.training.settings import DistillationSettings

CONFIG = f"training/{NAME}"
_WARMUP = 50
_CLIP = 5.0
"""The largest norm of a step's gradients."""


def make_job(config: Path | None, overrides: Sequence[str], device: str) -> DistillationJob:
    """Build the job from a YAML file (None: the shipped one) and `a.b=c` overrides."""
    return DistillationJob(load_config(DistillationSettings, config or config_path(CONFIG), overrides), device)


class DistillationJob(TrainingJob):
    """The training of the head."""

    name = NAME

    def __init__(self, settings: DistillationSettings, device: str = "cpu") -> None:
        """Make the faces and maps that are missing, then the head.

        Raises:
            InputError: Batches are to be worked through in parts.
            MissingDependencyError: dlib or the trunk's packages are not installed.
        """
        if settings.engine.accumulate > 1:
            raise InputError(
                f"engine.accumulate must be 1 for {self.name!r}, got {settings.engine.accumulate}: the loss relates "
                "each face to all others of its batch, so parts of a batch do not add up to the whole"
            )
        self.settings, self.device = settings, torch.device(device)
        self.seed, self.steps, self.cadence = settings.seed, settings.steps, settings.cadence
        self.config: Mapping[str, Any] = settings.model_dump(mode="json", exclude={"people": {"folder"}})
        check_best(settings.cadence, SCORES)
        own = settings.people.folder
        self._folder = cache_folder(self.name) if own is None else Path(own).expanduser()
        self.copies, self.held_out = self._prepared("train", settings.copies), self._prepared("val", 1)
        faces, copies = self.copies.maps[0].shape[:2]
        self.data = {"faces": faces, "copies of them": faces * copies}
        self.stepper = Stepper(settings.engine, device)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(settings.seed)
            self.head = DescriptorHead()
        self.head.mean.copy_(self.copies.descriptors.mean(0))
        self.head.to(self.device)
        self.stepper.prepare(self.head)
        self.optimiser = AdamW(self.head.parameters(), lr=settings.rate, weight_decay=settings.decay)

    def _prepared(self, split: str, copies: int) -> Copies:
        plan = self.settings.people.plan(split)
        faces = prepare_faces(plan, self._folder, _note)
        return prepare_copies(faces, plan.as_json(), copies, self.settings.seed, self._folder / split, _note)

    def modules(self) -> Mapping[str, Module]:
        """The head of the recogniser, the only part that is trained."""
        return {"head": self.head}

    def optimisers(self) -> Mapping[str, Optimizer]:
        """The optimiser of the head."""
        return {"head": self.optimiser}

    def batch(self, step: int) -> Mapping[str, Any]:
        """Faces drawn at random, one copy each."""
        rng = np.random.default_rng([self.settings.seed, step, 31])
        count = len(self.copies.descriptors)
        faces = torch.from_numpy(rng.permutation(count)[: self.settings.batch])
        copies = torch.from_numpy(rng.integers(self.settings.copies, size=len(faces)))
        first, second, third = self.copies.rows(faces, copies)
        return {"first": first, "second": second, "third": third, "descriptors": self.copies.descriptors[faces]}

    def training_step(self, batch: Mapping[str, Tensor], step: int) -> Mapping[str, float]:
        """One step of the optimiser."""
        self.head.train()
        share = min(1.0, (step + 1) / _WARMUP) * falling(step / self.steps)
        for group in self.optimiser.param_groups:
            group["lr"] = self.settings.rate * share
        batch = {name: sent(part, self.device) for name, part in batch.items()}
        losses = self.stepper.backward(self._losses, batch, self.optimiser)
        self.stepper.update(self.optimiser, _CLIP)
        self.head.eval()
        return losses

    def _losses(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        said = self.head((batch["first"], batch["second"], batch["third"])).float()
        taught = batch["descriptors"]
        losses = {"descriptors": (said - taught).square().sum(1).mean()}
        if self.settings.relations:
            losses["relations"] = self.settings.relations * (_distances(said) - _distances(taught)).square().mean()
        return losses

    def state(self) -> Mapping[str, Any]:
        """What a checkpoint keeps besides weights: the loss scale of 16-bit training."""
        return {"stepper": self.stepper.state()}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take back what `state` gave."""
        self.stepper.load_state(state["stepper"])

    @torch.no_grad()
    def evaluate(self, step: int) -> Mapping[str, float]:
        """Agreement with the teacher on held-out people."""
        self.head.eval()
        everyone = torch.arange(len(self.held_out.descriptors))
        said = [self.head(tuple(layer.to(self.device) for layer in self.held_out.rows(part, torch.zeros_like(part))))
                for part in everyone.split(100)]  # fmt: skip
        return score_student(torch.cat(said).cpu(), self.held_out.descriptors, everyone // self.settings.people.views)

    def export(self, path: Path) -> None:
        """Write the head in 16 bits, with what was measured."""
        found = {name: round(value, 4) for name, value in self.evaluate(self.steps).items()}
        settings = settings_for_others(self.settings, exclude={"people": {"folder"}})
        write_head(path, self.head, {"settings": settings, "held_out": found})


def _note(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _distances(descriptors: Tensor) -> Tensor:
    """Distances [B (B - 1) / 2] between all pairs of rows."""
    return torch.nn.functional.pdist(descriptors)
