"""`toolkit train embedded-networks`: all four networks, one after the other.

    toolkit train embedded-networks --out runs/networks
    toolkit train embedded-networks --out runs/networks --resume

Pictures are made first, in shards that outlive any stop. The folder's `networks/` then holds the four files as the
plugin ships them; `weights.safetensors` holds the same in one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import Module
from torch.optim import Optimizer

from toolkit.cache import cache_folder
from toolkit.configuration import config_path, load_config, settings_for_others
from toolkit.errors import InputError
from toolkit.interfaces.training import TrainingJob
from toolkit.tensors import half, write_tensors
from toolkit.training.best import check_best
from toolkit.training.stepping import Stepper
from toolkit_plugins.embedded_networks.files import LICENCE, ROLES, write_network
from toolkit_plugins.embedded_networks.training.batches import StagedBatches
from toolkit_plugins.embedded_networks.training.evaluation import score
from toolkit_plugins.embedded_networks.training.pictures import face_points_of, open_heads, prepare_pictures
from toolkit_plugins.embedded_networks.training.settings import NetworksSettings
from toolkit_plugins.embedded_networks.training.stages import PerceptionStage, RecogniserStage, Stage

CONFIG = "training/embedded-networks"
NETWORKS_FOLDER = "networks"
_SHEET_HEADS = 8


def make_job(config: Path | None, overrides: Sequence[str], device: str) -> NetworksJob:
    """Build the job from a YAML file (None: the shipped one) and `a.b=c` overrides."""
    return NetworksJob(load_config(NetworksSettings, config or config_path(CONFIG), overrides), device)


class NetworksJob(TrainingJob):
    """The training of all four networks; the stages' steps follow each other."""

    name = "embedded-networks"

    def __init__(self, settings: NetworksSettings, device: str = "cpu") -> None:
        """Make the pictures that are missing, then the networks.

        Raises:
            InputError: Batches are to be worked through in parts.
        """
        if settings.engine.accumulate > 1:
            raise InputError(
                f"engine.accumulate must be 1 for {self.name!r}, got {settings.engine.accumulate}: a recogniser's "
                "loss tells each face from all others of its batch, so parts of a batch do not add up to the whole"
            )
        check_best(settings.cadence, ())  # each network has scores of its own: none counts from the start to the end
        self.settings, self.device = settings, torch.device(device)
        self.seed, self.cadence = settings.identity_loss.seed, settings.cadence
        self.workers = settings.engine.workers_for(False)
        self.config: Mapping[str, Any] = settings.model_dump(mode="json", exclude={"heads": {"folder"}})
        folder = cache_folder(self.name) if settings.heads.folder is None else Path(settings.heads.folder)
        pictures = prepare_pictures(settings.plan("train"), folder)
        self.held_out = prepare_pictures(settings.plan("val"), folder)
        self.stepper = Stepper(settings.engine, device)
        shared = (pictures, self.device, self.stepper)
        self.stages: list[Stage] = [
            RecogniserStage("identity-loss", settings.identity_loss, *shared),
            RecogniserStage("identity-e", settings.identity_e, *shared),
            PerceptionStage("perceptual-loss", settings.perceptual_loss, *shared, settings.ranking),
            PerceptionStage("perceptual-e", settings.perceptual_e, *shared, settings.ranking),
        ]
        steps = tuple(stage.settings.steps for stage in self.stages)
        self.batches = StagedBatches(tuple(stage.batches for stage in self.stages), steps)
        self.steps = sum(steps)
        self.pictures = pictures
        faces, views = pictures.faces.shape[:3].numel(), pictures.views.shape[:2].numel()
        self.data = {"procedural heads": len(pictures), "pictures of them": faces + views}

    def stage_at(self, step: int) -> tuple[Stage, int]:
        """The stage that a step belongs to, and the step's number within it."""
        number, own = self.batches.place(step)
        return self.stages[number], own

    def modules(self) -> Mapping[str, Module]:
        """The networks with what only their training needs."""
        return {stage.role: stage.trained for stage in self.stages}

    def optimisers(self) -> Mapping[str, Optimizer]:
        """One for each stage."""
        return {stage.role: stage.optimiser for stage in self.stages}

    def batch(self, step: int) -> Mapping[str, Tensor]:
        """The batch of the stage's own step."""
        return self.batches(step)

    def batch_maker(self) -> Callable[[int], Mapping[str, Tensor]]:
        """What workers make batches with."""
        return self.batches

    def state(self) -> Mapping[str, Any]:
        """What a checkpoint keeps besides weights: the loss scale of 16-bit training."""
        return {"stepper": self.stepper.state()}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take back what `state` gave."""
        self.stepper.load_state(state["stepper"])

    def training_step(self, batch: Mapping[str, Tensor], step: int) -> Mapping[str, float]:
        """One step of the stage's optimiser."""
        stage, own = self.stage_at(step)
        return stage.step(batch, own)

    def evaluate(self, step: int) -> Mapping[str, float]:
        """Scores of the network that was trained last, on held-out heads."""
        stage, _ = self.stage_at(step - 1)
        found = score(stage.network, self.held_out, self.device)
        return {f"{stage.role}/{name}": value for name, value in found.items()}

    def sheet(self, step: int) -> np.ndarray | None:
        """The pictures that the first step looks at; they never change."""
        if step > self.cadence.sheet_every:
            return None
        rows = [torch.cat([*self.pictures.faces[head].flatten(0, 1), *self.pictures.views[head]], 2)
                for head in range(min(_SHEET_HEADS, len(self.pictures)))]  # fmt: skip
        return torch.cat(rows, 1).permute(1, 2, 0).numpy()

    def export(self, path: Path) -> None:
        """Write all networks in 16 bits: each in its own file beside `path`, and together in `path`."""
        points = face_points_of(open_heads(self.settings.heads.dataset))
        settings, together = settings_for_others(self.settings, exclude={"heads": {"folder"}}), {}
        for stage in sorted(self.stages, key=lambda stage: ROLES.index(stage.role)):
            stage.finish()
            found = score(stage.network, self.held_out, self.device)
            about = {
                "face_points": points,
                "settings": settings,
                "held_out": {k: round(v, 4) for k, v in found.items()},
            }
            write_network(path.parent / NETWORKS_FOLDER / f"{stage.role}.safetensors", stage.role, stage.network, about)
            together.update({f"{stage.role}.{key}": value for key, value in stage.network.state_dict().items()})
        write_tensors(path, half(together), {"architecture": "embedded_networks", "licence": LICENCE})
