"""Training encoders for a frozen generator: photos, pairs with known codes, stages, held-out scores."""

from toolkit.encoders.training.batches import BatchMaker, EncodingBatch, Window
from toolkit.encoders.training.code_losses import Reconstruction, code_error, code_losses, encoder_inputs, reconstructed
from toolkit.encoders.training.data import EncodingData, open_data
from toolkit.encoders.training.descent_losses import Elsewhere, descent_losses
from toolkit.encoders.training.frozen_generator import FrozenGenerator, freeze_generator
from toolkit.encoders.training.job import EncoderTraining
from toolkit.encoders.training.recipe import LossContext, Opponent, Recipe, Stage
from toolkit.encoders.training.settings import (
    DescentSizes,
    EncodingSettings,
    ImageWeights,
    RefinerSizes,
    StageSettings,
    StyleEncoderSizes,
)
from toolkit.encoders.training.start import take_parts

__all__ = [
    "BatchMaker",
    "DescentSizes",
    "Elsewhere",
    "EncoderTraining",
    "EncodingBatch",
    "EncodingData",
    "EncodingSettings",
    "FrozenGenerator",
    "ImageWeights",
    "LossContext",
    "Opponent",
    "Recipe",
    "Reconstruction",
    "RefinerSizes",
    "Stage",
    "StageSettings",
    "StyleEncoderSizes",
    "Window",
    "code_error",
    "code_losses",
    "descent_losses",
    "encoder_inputs",
    "freeze_generator",
    "open_data",
    "reconstructed",
    "take_parts",
]
