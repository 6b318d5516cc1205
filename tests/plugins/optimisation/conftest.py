from __future__ import annotations

import pytest
import torch

from toolkit.camera import Camera
from toolkit.testing.spherical import BareSphericalGenerator, SphericalGenerator


@pytest.fixture(scope="session")
def generator() -> SphericalGenerator:
    return SphericalGenerator()


@pytest.fixture(scope="session")
def bare() -> BareSphericalGenerator:
    return BareSphericalGenerator()


@pytest.fixture(scope="session")
def camera() -> Camera:
    return Camera.orbit(yaw=0.3, pitch=0.1)


@pytest.fixture(scope="session")
def photo(generator: SphericalGenerator, camera: Camera) -> torch.Tensor:
    """A render of a head that the generator can make, away from its mean."""
    z = torch.randn(1, 16, generator=torch.Generator().manual_seed(5))
    with torch.no_grad():
        ws = generator.mapping(z, generator.spec.front_camera)
        return generator.render(generator.planes(ws), ws, camera).image.clamp(-1, 1)
