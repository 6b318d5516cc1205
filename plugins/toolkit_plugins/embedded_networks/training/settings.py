"""Settings of `toolkit train embedded-networks`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator

from toolkit.configuration import Config
from toolkit.interfaces.training import Cadence
from toolkit.training.stepping import EngineSettings
from toolkit_plugins.embedded_networks.training.pictures import PicturePlan

Count = Annotated[int, Field(ge=1)]
Seed = Annotated[int, Field(ge=0)]
Rate = Annotated[float, Field(gt=0)]


class StageSettings(Config):
    """How long one network is trained, and how."""

    steps: Count
    batch: Annotated[int, Field(ge=2)]
    rate: Rate
    """AdamW's learning rate: warmed up, then one cosine to zero."""
    seed: Seed
    """Of initial weights and batches; the two sets of networks have different ones."""


class HeadsSettings(Config):
    """The heads that pictures are made of, and where they are kept."""

    dataset: str = "heads360"
    seed: Seed = 0
    train: Annotated[int, Field(ge=4)] = 500
    held_out: Annotated[int, Field(ge=4)] = 60
    """Heads of the validation split that scores are measured on."""
    folder: str | None = None
    """Where the pictures are kept; None: `embedded-networks` in the user's cache."""

    @field_validator("train", "held_out")
    @classmethod
    def _in_pairs(cls, value: int) -> int:
        if value % 4:
            raise ValueError("must be a multiple of 4: heads come in pairs, every second pair are relatives")
        return value


class NetworksSettings(Config):
    """Everything that decides what the four networks become; stages in the order in which they run."""

    identity_loss: StageSettings = StageSettings(steps=900, batch=64, rate=2e-3, seed=11)
    identity_e: StageSettings = StageSettings(steps=800, batch=64, rate=2e-3, seed=21)
    perceptual_loss: StageSettings = StageSettings(steps=500, batch=20, rate=2e-3, seed=12)
    perceptual_e: StageSettings = StageSettings(steps=500, batch=20, rate=2e-3, seed=22)
    ranking: Annotated[float, Field(ge=0)] = 1.0
    """Weight of agreeing with orderings, beside what the trunk is trained to tell."""
    heads: HeadsSettings = HeadsSettings()
    engine: EngineSettings = EngineSettings()
    """`accumulate` stays 1: losses relate the rows of a batch to each other."""
    cadence: Cadence = Cadence()

    def plan(self, split: str) -> PicturePlan:
        """The pictures of a split."""
        heads = self.heads
        return PicturePlan(heads.dataset, split, heads.seed, heads.train if split == "train" else heads.held_out)
