"""Pictures, and a trained dual encoder's file, of the spherical generator."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

from toolkit.interfaces import Generator
from toolkit.testing.spherical import SphericalGenerator

sys.path.insert(0, str(Path(__file__).parent))
from tiny_training import export_two, write_photos


@pytest.fixture(scope="session")
def photos(spherical: SphericalGenerator, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set folder with four pictures."""
    return write_photos(spherical, tmp_path_factory.mktemp("data") / "photos")


@pytest.fixture(scope="session")
def dual_file(spherical: SphericalGenerator, photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What an untrained dual encoder exports; its two encoders differ."""
    return export_two(spherical, photos, tmp_path_factory.mktemp("weights") / "dual-encoder.safetensors")


@pytest.fixture(scope="session")
def tiny_panohead() -> Generator:
    """A PanoHead with random weights, of another size and layout."""
    loading = pytest.importorskip("toolkit_plugins.panohead.loading")
    config = pytest.importorskip("toolkit_plugins.panohead.config").PanoHeadConfig(
        z_dim=16, w_dim=24, image_size=32, raw_size=8, channel_base=256, channel_max=16, plane_size=16,
        feature_channels=8, decoder_hidden=16, sr_widths=(8, 8), samples=12, importance_samples=12,
    )  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return loading.build(config).eval()
