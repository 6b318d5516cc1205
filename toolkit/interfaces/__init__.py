"""The contracts between the core and the plugins; importing them imports no torch."""

from toolkit.interfaces.architecture import Architecture
from toolkit.interfaces.dataset import Dataset, DressedHeads, Item, Makeable, MakeRequest, ProceduralHeads, RayColours
from toolkit.interfaces.discriminator import Discriminator
from toolkit.interfaces.encoder import Code, Encoder
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
from toolkit.interfaces.method import Method, Trainable
from toolkit.interfaces.method_file import MethodFile, Part
from toolkit.interfaces.metric import Metric, Score
from toolkit.interfaces.stitcher import Softening, Stitcher

__all__ = [
    "Architecture",
    "Code",
    "Dataset",
    "Discriminator",
    "DressedHeads",
    "Encoder",
    "FaceEmbedder",
    "Footprint",
    "Generator",
    "GeneratorSpec",
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
    "Orbit",
    "Part",
    "PlaneImages",
    "Pose",
    "PoseEstimator",
    "ProceduralHeads",
    "Query",
    "RayColours",
    "Render",
    "ResumableSynthesis",
    "Score",
    "SlotMerging",
    "Softening",
    "Stitcher",
    "StyleRows",
    "Trainable",
    "Tunable",
    "VisibleEntries",
]
