"""One training step of the miniature, on a handful of heads.

python benchmarks/speed/training_step.py [--json FILE]
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from measuring import Repetition, Stages, compare, report

from toolkit.configuration import config_path
from toolkit_plugins.panohead.training.job import make_job

HEADS = 4
SETTINGS = (
    f"heads.heads={HEADS}",
    "heads.more_latents=16",
    "heads.workers=1",
    "evaluation_heads=1",
    "patches_from=0",
    "joint_from=0",
)
CONFIG = "training/panohead-mini"


def miniature() -> Repetition:
    """A step with patches, as most of a training's are."""
    folder = tempfile.mkdtemp()
    job = make_job(config_path(CONFIG), [*SETTINGS, f"heads.folder={Path(folder).as_posix()}"], "cpu")
    stages, counted = Stages(), iter(range(1, 1 << 20))
    stages.watch(job.generator, "planes", "planes")
    stages.watch(job.stepper, "backward", "losses_and_gradients")
    stages.watch(job.stepper, "update", "optimiser")

    def once() -> dict[str, float]:
        step = next(counted)
        job.training_step(job.batch(step), step)
        return stages.taken()

    return once


def main() -> None:
    report("training step of panohead-mini", compare({"ours": miniature}, repetitions=3))


if __name__ == "__main__":
    main()
