"""The contracts between the core and the plugins; importing them imports no torch."""

from toolkit.interfaces.architecture import AllowsExtraKeys, Architecture, ComputesBuffers
from toolkit.interfaces.dataset import Dataset, IndexedDataset, Item, Store, WritesSample
from toolkit.interfaces.discriminator import Discriminator
from toolkit.interfaces.encoder import Code, Encoder, ExtraTensors, TrainableEncoder
from toolkit.interfaces.faces import FaceEmbedder, Matting, Pose, PoseEstimator
from toolkit.interfaces.generator import (
    CameraShift,
    EmptySpace,
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
    SynthesisNoise,
    Tunable,
    VisibleEntries,
)
from toolkit.interfaces.loss import ImageLoss
from toolkit.interfaces.method import KnowsItsPictures, Method, OnStep, ReportsProgress, TellsOptions, takes_options
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
from toolkit.interfaces.procedural import DressedHeads, Makeable, MakeRequest, ProceduralHeads, RayColours
from toolkit.interfaces.stitcher import Softening, Stitcher
from toolkit.interfaces.training import Cadence, StepKind, TrainingJob

__all__ = [
    "AllowsExtraKeys",
    "Architecture",
    "Cadence",
    "CameraShift",
    "Code",
    "ComparesFeatures",
    "ComputesBuffers",
    "Dataset",
    "Discriminator",
    "DressedHeads",
    "EmptySpace",
    "Encoder",
    "ExtraTensors",
    "FaceEmbedder",
    "FeatureExtractor",
    "Footprint",
    "Generator",
    "GeneratorSpec",
    "ImageLoss",
    "IndexedDataset",
    "Item",
    "KnowsItsPictures",
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
    "SynthesisNoise",
    "TellsOptions",
    "TrainableEncoder",
    "TrainingJob",
    "Tunable",
    "UsesNetworks",
    "VisibleEntries",
    "WritesSample",
    "takes_options",
]
