"""Pictures, and a trained dual encoder's file, of the spherical generator."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

from toolkit.testing.spherical import SphericalGenerator

sys.path.insert(0, str(Path(__file__).parent))
from tiny_training import tiny_settings, write_photos

from toolkit_plugins.dual_encoder.training.job import DualJob


@pytest.fixture(scope="session")
def photos(spherical: SphericalGenerator, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set folder with four pictures."""
    return write_photos(spherical, tmp_path_factory.mktemp("data") / "photos")


@pytest.fixture(scope="session")
def dual_file(spherical: SphericalGenerator, photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What an untrained dual encoder exports; its two encoders differ."""
    job = DualJob(tiny_settings(photos), "cpu", spherical)
    with torch.no_grad():
        for parameter in job.average.module.parameters():
            parameter.add_(
                0.02 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(parameter.numel()))
            )
    path = tmp_path_factory.mktemp("weights") / "dual-encoder.safetensors"
    job.export(path)
    return path
