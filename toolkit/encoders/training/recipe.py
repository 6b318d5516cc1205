"""A method's recipe for its training: the encoder, its stages, its discriminators, and how it starts from a file.

A plugin builds a `Recipe`; `EncoderTraining` does everything else. So that losses depend on little, they get a
`LossContext` and not the training.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from torch import Tensor
from torch.nn import Module
from torch.optim import Optimizer

from toolkit.encoders.files import EncoderFile
from toolkit.encoders.networks.irse import ResidualUnit
from toolkit.encoders.networks.plane_unet import UpBlock
from toolkit.encoders.training.batches import EncodingBatch
from toolkit.encoders.training.code_metric import CodeMetric
from toolkit.encoders.training.image_losses import ImageLosses
from toolkit.encoders.training.settings import StageSettings
from toolkit.interfaces import Encoder, Generator, TrainableEncoder


@dataclass(frozen=True)
class LossContext:
    """What losses may use besides the batch."""

    generator: Generator
    """Frozen."""
    deviation: float
    """Standard deviation of one number of w; the unit of errors of codes."""
    images: ImageLosses
    """The terms on renders."""
    metric: CodeMetric | None = None
    """Where a stage measures codes by pictures: how."""


@dataclass(frozen=True)
class Stage:
    """One stage of a training."""

    name: str
    settings: StageSettings
    trained: Module
    """The part of the encoder that learns; everything else stands still, in eval mode."""
    losses: Callable[[LossContext, EncodingBatch, int], Mapping[str, Tensor]]
    """Weighted losses of (a part of) a batch, at a step of this stage."""
    before: Callable[[EncodingBatch, int], Mapping[str, float]] | None = None
    """Called before every step, e.g. for a step of an opponent; returns what to log."""
    begin: Callable[[Module | None], None] | None = None
    """Called before the first step, with the averaged encoder of the stages before (None: this is the first one)."""


class Opponent(Protocol):
    """A discriminator that learns beside the encoder, by steps of its own."""

    @property
    def discriminator(self) -> Module:
        """The network; it stays in the checkpoints."""
        ...

    @property
    def optimiser(self) -> Optimizer:
        """Of the network's parameters."""
        ...

    def state(self) -> Mapping[str, Any]:
        """What changes besides the weights and the optimiser."""
        ...

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take back what `state` gave."""
        ...

    def take_log(self) -> Mapping[str, float]:
        """What is to be logged about the steps since the last call, by name."""
        ...


def _itself(encoder: Any, stage: str) -> Sequence[Encoder]:
    return (encoder,)


@dataclass(frozen=True)
class Recipe:
    """A method's part of the training of its encoder: the network, the stages, and what they minimise."""

    kind: str
    """Name of the training, and kind of the file that it writes."""
    encoder: TrainableEncoder
    """With random weights; a `torch.nn.Module`."""
    stages: Sequence[Stage]
    """In order; those without steps are left out."""
    opponents: Mapping[str, Opponent] = field(default_factory=dict)
    """By their names in checkpoints and logs."""
    take_over: Callable[[EncoderFile], None] | None = None
    """Takes networks from the file that the setting `start` names; None: parts of the same names (`take_parts`)."""
    shown: Callable[[Any, str], Sequence[Encoder]] = _itself
    """(averaged encoder, stage) -> what is drawn at that stage, side by side; the last one is scored."""
    also_stored: Mapping[str, tuple[Module, Mapping[str, Any]]] = field(default_factory=dict)
    """Further networks of the file with their sizes, by name (a discriminator, to go on with)."""
    big_blocks: tuple[type[Module], ...] = (ResidualUnit, UpBlock)
    """Kinds of blocks whose activations `engine.checkpoint_activations` computes twice."""
