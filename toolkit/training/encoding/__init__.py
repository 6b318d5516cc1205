"""Training encoders for a frozen generator: photos, pairs with known codes, stages, held-out scores."""

from toolkit.training.encoding.batches import BatchMaker, EncodingBatch, Window
from toolkit.training.encoding.codes import Reconstruction, code_losses, encoder_inputs, reconstructed
from toolkit.training.encoding.job import EncodingJob, Stage
from toolkit.training.encoding.settings import EncodingSettings, ImageWeights, StageSettings, StyleEncoderSizes

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
