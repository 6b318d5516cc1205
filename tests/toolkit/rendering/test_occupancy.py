"""Empty space is left out of views, and nothing else."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import Tensor

from toolkit.camera import Camera
from toolkit.rendering.marching import MarchSettings, march
from toolkit.rendering.occupancy import occupied_space
from toolkit.rendering.rays import camera_rays

SETTINGS = MarchSettings(24, 16, 2.1, 3.3)


def head(points: Tensor) -> Tensor:
    """A ball with a thin plate beside it."""
    ball = 0.25 - points.norm(dim=-1)
    plate = 0.02 - (points - points.new_tensor([0.3, 0.1, 0.0])).abs().amax(dim=-1)
    return torch.maximum(ball, plate) * 4000


def field(points: Tensor) -> tuple[Tensor, Tensor]:
    return head(points), points.sin().transpose(1, 2)


@pytest.mark.parametrize("settings", [SETTINGS, dataclasses.replace(SETTINGS, importance=0)])
@pytest.mark.parametrize("yaw", [0.0, 0.9, 2.0])
def test_skipping_empty_space_changes_nothing(settings: MarchSettings, yaw: float) -> None:
    rays = camera_rays(Camera.orbit(yaw, 0.2), 24)
    keep = occupied_space(head, 1.0, settings, rays.directions)
    asked = []

    def counted(points: Tensor) -> tuple[Tensor, Tensor]:
        asked.append(points.shape[1])
        return field(points)

    with torch.no_grad():
        whole = march(field, rays, settings)
        skipping = march(counted, rays, settings, keep=keep)
    assert sum(asked) < 0.6 * 24**2 * (settings.count + settings.importance)
    assert float(whole.opacity.max()) > 0.99
    for first, second in zip(whole, skipping, strict=True):
        torch.testing.assert_close(first, second, atol=1e-5, rtol=0)


def test_matter_and_its_surroundings_are_occupied() -> None:
    keep = occupied_space(head, 1.0, SETTINGS, torch.zeros(1))
    points = torch.rand(5000, 3, generator=torch.Generator().manual_seed(0)) - 0.5
    occupied = keep(points)
    assert occupied[head(points) > -8].all()
    assert not occupied[head(points) < -4000 * 0.2].any()
    assert occupied.float().mean() < 0.6


def test_a_sheet_thinner_than_a_cell_is_found_where_density_is_scaled() -> None:
    scale = 60.0

    def sheet(points: Tensor) -> Tensor:
        """A sheet of 0.005 between the centres of cells of 1/64, whose density rises over half a cell's width."""
        return scale * (2 - 780 * (points[..., 0] - 8 / 64).abs())

    keep = occupied_space(sheet, 1.0, SETTINGS, torch.zeros(1), scale)
    points = torch.rand(200_000, 3, generator=torch.Generator().manual_seed(0)) - 0.5
    matter = sheet(points) > 0
    assert matter.sum() > 500
    assert keep(points)[matter].all()
