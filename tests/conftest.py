"""Shared by all tests: one thread, repeatable property tests, and the generator that is not a tri-grid."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, settings
from PIL import Image

from toolkit import strangers
from toolkit.camera import Camera
from toolkit.registry import Registry
from toolkit.rendering.pixels import to_pixels
from toolkit.testing import plugin as testing_plugin
from toolkit.testing.spherical import BareSphericalGenerator, SphericalGenerator, build_bare, build_spherical

torch.set_num_threads(1)
os.environ["TOOLKIT_HOME"] = tempfile.mkdtemp(prefix="toolkit-home-")
os.environ.pop("TOOLKIT_WEIGHTS", None)  # the weights of whoever runs the tests are not looked at
settings.register_profile(
    "repeatable", deadline=None, derandomize=True, max_examples=40, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("repeatable")


@pytest.fixture(autouse=True)
def _each_test_begins_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    """One thread, whatever a command before took; no word of what the plugins of a test before changed."""
    if torch.get_num_threads() != 1:
        torch.set_num_threads(1)
    monkeypatch.setattr(strangers, "_changes", {})


@pytest.fixture(scope="session")
def spherical() -> SphericalGenerator:
    """The spherical generator with every capability; do not change it."""
    return build_spherical()


@pytest.fixture(scope="session")
def bare() -> BareSphericalGenerator:
    """The spherical generator without optional capabilities; do not change it."""
    return build_bare()


@pytest.fixture
def testing_registry() -> Registry:
    """A registry that holds the test generators and nothing else."""
    registry = Registry()
    registry.add_plugin("testing", testing_plugin)
    return registry


@pytest.fixture(scope="session")
def photo_folder(tmp_path_factory: pytest.TempPathFactory, spherical: SphericalGenerator) -> Path:
    """A data set folder of eight subjects, one picture each: heads of the spherical generator."""
    folder = tmp_path_factory.mktemp("photos")
    with torch.no_grad():
        z = torch.randn(8, spherical.spec.latents.z_dim, generator=torch.Generator().manual_seed(5))
        ws = spherical.mapping(z, spherical.spec.front_camera.expand(8))
        orbit = spherical.spec.orbit
        cameras = Camera.orbit(torch.linspace(-0.6, 0.6, 8), 0.0, orbit.radius, orbit.pivot, orbit.focal)
        pixels = to_pixels(spherical.render(spherical.planes(ws), ws, cameras).image)
    names = [f"{index:05d}/front.png" for index in range(8)]
    for name, picture in zip(names, pixels, strict=True):
        (folder / name).parent.mkdir()
        Image.fromarray(np.asarray(picture)).save(folder / name)
    labels = [[name, label] for name, label in zip(names, cameras.label.tolist(), strict=True)]
    (folder / "dataset.json").write_text(json.dumps({"labels": labels}))
    (folder / "subjects.json").write_text(json.dumps({name: {"subject": name[:5], "view": "front"} for name in names}))
    return folder
