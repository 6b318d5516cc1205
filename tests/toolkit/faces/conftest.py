from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from PIL import Image

from toolkit.camera import Camera
from toolkit.faces.detection import Face, choose_face, detect_faces
from toolkit.interfaces import GeneratorSpec, Latents


@pytest.fixture(scope="session")
def astronaut() -> np.ndarray:
    return skimage.data.astronaut()


@pytest.fixture(scope="session")
def astronaut_face(astronaut: np.ndarray) -> Face:
    return choose_face(detect_faces(astronaut))


@pytest.fixture
def astronaut_file(tmp_path: Path, astronaut: np.ndarray) -> Path:
    path = tmp_path / "photos" / "astronaut.png"
    path.parent.mkdir()
    Image.fromarray(astronaut).save(path)
    return path


MakeSpec = Callable[..., GeneratorSpec]


@pytest.fixture(scope="session")
def make_spec() -> MakeSpec:
    """Makes the spec of a generator with a given image size and background."""

    def make(size: int = 128, background: tuple[float, float, float] | None = None) -> GeneratorSpec:
        return GeneratorSpec(
            name="test",
            latents=Latents(8, 8, 4),
            image_size=size,
            raw_size=32,
            box=1.0,
            visible_half_extent=(0.5, 0.5, 0.5),
            planes_shape=(1,),
            front_camera=Camera.orbit(),
            background=background,
        )

    return make


@pytest.fixture(scope="session")
def spec(make_spec: MakeSpec) -> GeneratorSpec:
    return make_spec()
