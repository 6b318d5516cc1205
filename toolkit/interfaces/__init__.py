"""The contracts between the core and the plugins; importing them imports no torch."""

from toolkit.interfaces.architecture import Architecture
from toolkit.interfaces.dataset import (
    Dataset,
    DressedHeads,
    IndexedDataset,
    Item,
    Makeable,
    MakeRequest,
    ProceduralHeads,
    RayColours,
    Store,
)
from toolkit.interfaces.discriminator import Discriminator
from toolkit.interfaces.encoder import Code, Encoder, ExtraTensors, TrainableEncoder
from toolkit.interfaces.faces import FaceEmbedder, Matting, Pose, PoseEstimator
from toolkit.interfaces.generator import (
    Footprint,
    Generator,
    GeneratorSpec,
    Latents,
    March,
    Marching,
    Orbit,
    PlaneImages,
    Query,
    Render,
    ResumableSynthesis,
    SlotMerging,
    StyleRows,
    Tunable,
    VisibleEntries,
)
from toolkit.interfaces.method import Method, OnStep, ReportsProgress
from toolkit.interfaces.method_file import MethodFile, Part
from toolkit.interfaces.metric import (
    ComparesFeatures,
    FeatureExtractor,
    Metric,
    NeedsSize,
    Resamples,
    Score,
    UsesNetworks,
)
from toolkit.interfaces.perceptual import Perceptual
from toolkit.interfaces.stitcher import Softening, Stitcher
from toolkit.interfaces.training import Cadence, StepKind, TrainingJob

__all__ = [
    "Architecture",
    "Cadence",
    "Code",
    "ComparesFeatures",
    "Dataset",
    "Discriminator",
    "DressedHeads",
    "Encoder",
    "ExtraTensors",
    "FaceEmbedder",
    "FeatureExtractor",
    "Footprint",
    "Generator",
    "GeneratorSpec",
    "IndexedDataset",
    "Item",
    "Latents",
    "MakeRequest",
    "Makeable",
    "March",
    "Marching",
    "Matting",
    "Method",
    "MethodFile",
    "Metric",
    "NeedsSize",
    "OnStep",
    "Orbit",
    "Part",
    "Perceptual",
    "PlaneImages",
    "Pose",
    "PoseEstimator",
    "ProceduralHeads",
    "Query",
    "RayColours",
    "Render",
    "ReportsProgress",
    "Resamples",
    "ResumableSynthesis",
    "Score",
    "SlotMerging",
    "Softening",
    "StepKind",
    "Stitcher",
    "Store",
    "StyleRows",
    "TrainableEncoder",
    "TrainingJob",
    "Tunable",
    "UsesNetworks",
    "VisibleEntries",
]
