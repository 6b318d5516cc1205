"""Training encoders for a frozen generator: photos, pairs with known codes, stages, held-out scores."""

from toolkit.encoders.training.batches import BatchMaker, EncodingBatch, Window
from toolkit.encoders.training.code_losses import Reconstruction, code_losses, encoder_inputs, reconstructed
from toolkit.encoders.training.job import EncodingJob, Stage
from toolkit.encoders.training.settings import EncodingSettings, ImageWeights, StageSettings, StyleEncoderSizes

__all__ = [
    "BatchMaker",
    "EncodingBatch",
    "EncodingJob",
    "EncodingSettings",
    "ImageWeights",
    "Reconstruction",
    "Stage",
    "StageSettings",
    "StyleEncoderSizes",
    "Window",
    "code_losses",
    "encoder_inputs",
    "reconstructed",
]
