"""An inversion into the spherical generator, made without any method, and a generator that is exactly known."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

from toolkit.camera import Camera
from toolkit.inversion import Inversion, identity_of, run_provenance
from toolkit.testing.spherical import SphericalGenerator

sys.path.insert(0, str(Path(__file__).parent))  # tests are imported by file; painted_ball is shared
from painted_ball import PaintedBall


@pytest.fixture
def inversion(spherical: SphericalGenerator) -> Inversion:
    z = torch.randn(1, 16, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        ws = spherical.mapping(z, spherical.spec.front_camera)
        planes = spherical.planes(ws)
    return Inversion(
        ws,
        planes,
        Camera.orbit(0.3, 0.1),
        method="drawn",
        options={"steps": 3},
        timings={"all": 1.5},
        provenance=run_provenance(seed=1, input="face.png"),
        **identity_of(spherical.spec),
    )


@pytest.fixture
def painted_ball() -> PaintedBall:
    """A ball with a nose, coloured by position."""
    return PaintedBall()
