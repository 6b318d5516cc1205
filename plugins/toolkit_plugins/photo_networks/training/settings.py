"""Settings of `toolkit train identity-lite`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from toolkit.configuration import Config
from toolkit.interfaces.training import Cadence
from toolkit.training.stepping import EngineSettings
from toolkit_plugins.photo_networks.training.faces import FacePlan

Count = Annotated[int, Field(ge=1)]
Seed = Annotated[int, Field(ge=0)]


class PeopleSettings(Config):
    """The people whose faces are described, and where faces are kept."""

    dataset: str = "heads360"
    seed: Seed = 0
    train: Count = 600
    held_out: Annotated[int, Field(ge=2)] = 30
    """People of the validation split that scores are measured on."""
    views: Annotated[int, Field(ge=2)] = 4
    yaw: Annotated[float, Field(ge=0, le=60)] = 40.0
    """Largest yaw in degrees."""
    pitch: Annotated[float, Field(ge=0, le=45)] = 15.0
    """Largest pitch in degrees."""
    warps: Annotated[int, Field(ge=0)] = 2
    """Warped copies of each view in training: to the recogniser they are other people, and cost no rendering."""
    folder: str | None = None
    """Where faces are kept; None: `identity-lite` in the user's cache."""

    def plan(self, split: str) -> FacePlan:
        """The faces of a split."""
        count, warps = (self.train, self.warps) if split == "train" else (self.held_out, 0)
        return FacePlan(self.dataset, split, self.seed, count, self.views, self.yaw, self.pitch, warps)


class DistillationSettings(Config):
    """Everything that decides what the head becomes."""

    steps: Count = 1500
    batch: Annotated[int, Field(ge=2)] = 96
    rate: Annotated[float, Field(gt=0)] = 1e-3
    """AdamW's learning rate: warmed up, then one cosine to zero."""
    decay: Annotated[float, Field(ge=0)] = 0.02
    """AdamW's weight decay."""
    relations: Annotated[float, Field(ge=0)] = 1.0
    """Weight of the distances between the batch's faces, beside the descriptors themselves."""
    copies: Annotated[int, Field(ge=1)] = 5
    """Of each face, all but the first spoilt."""
    seed: Seed = 31
    """Of initial weights, batches and how faces are spoilt."""
    people: PeopleSettings = PeopleSettings()
    engine: EngineSettings = EngineSettings()
    """`accumulate` stays 1: the loss relates the rows of a batch to each other."""
    cadence: Cadence = Cadence()
