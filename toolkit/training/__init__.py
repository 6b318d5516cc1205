"""One loop for everything that is trained: resumable, with atomic checkpoints, metrics and picture sheets."""

from toolkit.training.averaging import WeightAverage
from toolkit.training.cadence import Cadence
from toolkit.training.engine import TrainingRun, train
from toolkit.training.job import TrainingJob
from toolkit.training.progress import LineProgress, Progress, terminal_progress

__all__ = [
    "Cadence",
    "LineProgress",
    "Progress",
    "TrainingJob",
    "TrainingRun",
    "WeightAverage",
    "terminal_progress",
    "train",
]
