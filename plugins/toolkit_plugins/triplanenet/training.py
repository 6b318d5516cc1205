"""`toolkit train triplanenet`: pSp's stage, then the network that mends the planes.

toolkit train triplanenet --out runs/triplanenet
toolkit train triplanenet --config training/triplanenet-panohead --out runs/triplanenet
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from toolkit.configuration import config_path, load_config
from toolkit.encoders.training.two_stage import TwoStageJob, TwoStageSettings
from toolkit_plugins.triplanenet.method import KIND

CONFIG = "training/triplanenet"


class TriPlaneNetJob(TwoStageJob):
    """TriPlaneNet v2."""

    kind = KIND


def make_job(config: Path | None, overrides: Sequence[str], device: str) -> TriPlaneNetJob:
    """Build the job from a YAML file (None: the shipped one) and `a.b=c` overrides."""
    return TriPlaneNetJob(load_config(TwoStageSettings, config or config_path(CONFIG), overrides), device)
