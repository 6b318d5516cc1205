"""What is spared in views of a head that is seen many times does not show."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import Tensor

from toolkit.camera import Camera
from toolkit.rendering.marching import MarchSettings, march
from toolkit.rendering.occupancy import Occupancy, occupied_space
from toolkit.rendering.rays import camera_rays
from toolkit.rendering.sparse import StepwiseField, march_sparsely

SETTINGS = MarchSettings(24, 16, 2.1, 3.3, white_back=True)


def head(points: Tensor) -> Tensor:
    """A ball with a thin plate beside it."""
    ball = 0.25 - points.norm(dim=-1)
    plate = 0.02 - (points - points.new_tensor([0.3, 0.1, 0.0])).abs().amax(dim=-1)
    return torch.maximum(ball, plate)


def crop(points: Tensor) -> Tensor:
    return points[..., 0] < 0.2


class Counted:
    """A field that counts what it is asked for."""

    def __init__(self, factor: float) -> None:
        self.factor, self.read, self.shown = factor, 0, 0

    def density(self, points: Tensor) -> Tensor:
        return head(points) * self.factor

    def whole(self, points: Tensor) -> tuple[Tensor, Tensor]:
        return self.density(points), (5 * points).sin().transpose(1, 2)

    def in_steps(self) -> StepwiseField:
        def read(points: Tensor) -> Tensor:
            self.read += points.shape[1]
            return points[0]

        def features(rows: Tensor) -> Tensor:
            self.shown += len(rows)
            return (5 * rows).sin()

        return StepwiseField(read, self.density, features)


@pytest.mark.parametrize("cropped", [False, True])
@pytest.mark.parametrize("factor", [30.0, 500.0, 20000.0])
@pytest.mark.parametrize("settings", [SETTINGS, dataclasses.replace(SETTINGS, disparity=True)])
def test_views_are_those_of_the_slow_twin(settings: MarchSettings, factor: float, cropped: bool) -> None:
    rays = camera_rays(Camera(torch.cat([Camera.orbit(yaw, 0.2).label for yaw in (0.0, 0.9, 2.0)])), 24)
    field = Counted(factor)
    space = occupied_space(field.density, 1.0, settings, rays.directions)
    with torch.no_grad():
        whole = march(field.whole, rays, settings, keep=crop if cropped else None)
        sparse = march_sparsely(field.in_steps(), rays, settings, space, crop if cropped else None)
    for name, first, second in zip(whole._fields, whole, sparse, strict=True):
        seen = whole.opacity > 1e-3 if name == "depth" else torch.ones_like(first, dtype=torch.bool)
        torch.testing.assert_close(second[seen], first[seen], atol=1e-3, rtol=0)
    samples = 3 * 24**2 * (settings.count + settings.importance)
    assert field.shown < field.read < samples
    if factor > 100:
        assert field.read < 0.45 * samples and field.shown < 0.25 * samples


def test_matter_everywhere_spares_only_what_is_hidden() -> None:
    rays, field = camera_rays(Camera.orbit(0.4, 0.1), 24), Counted(20000.0)
    space = Occupancy(torch.full((8**3,), Occupancy.NEAR, dtype=torch.uint8), 1.0)
    with torch.no_grad():
        whole, sparse = march(field.whole, rays, SETTINGS), march_sparsely(field.in_steps(), rays, SETTINGS, space)
    assert field.read < 24**2 * (SETTINGS.count + SETTINGS.importance)
    for first, second in zip(whole, sparse, strict=True):
        torch.testing.assert_close(second, first, atol=1e-3, rtol=0)


def test_empty_space_shows_what_is_behind() -> None:
    rays = camera_rays(Camera.orbit(), 8)
    space = Occupancy(torch.zeros(8**3, dtype=torch.uint8), 1.0)
    seen = march_sparsely(Counted(1.0).in_steps(), rays, SETTINGS, space)
    assert seen.features is not None and (seen.features == 1).all()
    assert not seen.opacity.any() and (seen.depth == seen.depth.max()).all()
