"""One loop for everything that is trained: resumable, with atomic checkpoints, metrics and picture sheets."""

from toolkit.interfaces.training import Cadence, StepKind, TrainingJob
from toolkit.training.averaging import WeightAverage
from toolkit.training.engine import TrainingRun, train
from toolkit.training.rehearsal import Rehearsal, rehearse
from toolkit.training.stepping import EngineSettings, Stepper

__all__ = [
    "Cadence",
    "EngineSettings",
    "Rehearsal",
    "StepKind",
    "Stepper",
    "TrainingJob",
    "TrainingRun",
    "WeightAverage",
    "rehearse",
    "train",
]
