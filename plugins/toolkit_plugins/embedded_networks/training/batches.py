"""The batch of a step: a function of the stage's seed and its own step, made on the CPU, picklable without networks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from toolkit_plugins.embedded_networks.training.augmentation import worn_faces
from toolkit_plugins.embedded_networks.training.objective import facts_of
from toolkit_plugins.embedded_networks.training.pictures import Pictures, as_images
from toolkit_plugins.embedded_networks.training.settings import StageSettings

Batch = Mapping[str, Tensor]


@dataclass(frozen=True)
class RecogniserBatches:
    """Two faces of each of some heads, in any dress."""

    settings: StageSettings
    pictures: Pictures

    def __call__(self, step: int) -> Batch:
        """The batch of the stage's own step."""
        rng, faces = _rng(self.settings, step), self.pictures.faces.flatten(1, 2)
        count = min(self.settings.batch // 2, len(faces))
        heads = torch.from_numpy(rng.permutation(len(faces))[:count]).repeat_interleave(2)
        picks = np.concatenate([rng.permutation(faces.shape[1])[:2] for _ in range(count)])
        images = as_images(faces[heads, torch.from_numpy(picks)])
        source = torch.Generator().manual_seed(int(rng.integers(2**31)))
        return {"images": worn_faces(images, source), "heads": heads}


@dataclass(frozen=True)
class PerceptionBatches:
    """Views with depth, aligned faces, and views of partners; one set of heads each."""

    settings: StageSettings
    pictures: Pictures

    def __call__(self, step: int) -> Batch:
        """The batch of the stage's own step."""
        rng, data = _rng(self.settings, step), self.pictures
        count = min(self.settings.batch, len(data))
        heads = rng.permutation(len(data))[:count]
        dresses, turn = (
            rng.integers(data.views.shape[1], size=count),
            rng.integers(data.faces.shape[2], size=count),
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


@dataclass(frozen=True)
class StagedBatches:
    """The batches of stages that follow each other."""

    makers: Sequence[Callable[[int], Batch]]
    """Of a step of its own stage each."""
    steps: Sequence[int]
    """How many a stage has."""

    def __call__(self, step: int) -> Batch:
        """The batch of a step of the whole training."""
        stage, own = self.place(step)
        return self.makers[stage](own)

    def place(self, step: int) -> tuple[int, int]:
        """Number of the stage that a step belongs to, and the step's number within it; the last, beyond the end."""
        for stage, steps in enumerate(self.steps):
            if step < steps:
                return stage, step
            step -= steps
        return len(self.steps) - 1, self.steps[-1] - 1


def _rng(settings: StageSettings, step: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([settings.seed, step, 31])))
