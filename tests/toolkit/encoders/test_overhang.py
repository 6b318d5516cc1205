from __future__ import annotations

import pytest
import torch

from toolkit.encoders.overhang import Overhang
from toolkit.encoders.photo_outline import PhotoOutline
from toolkit.interfaces import Code
from toolkit.latents import map_styles, random_latents
from toolkit.rendering.views import around
from toolkit.testing.spherical import SphericalGenerator


@pytest.fixture(scope="module")
def head(spherical: SphericalGenerator) -> Code:
    with torch.no_grad():
        ws = map_styles(spherical, random_latents(spherical, 1)[:, None])
        return Code(ws, spherical.planes(ws))


def overhang(spherical: SphericalGenerator, head: Code, shown_from: int) -> Overhang:
    """Of a photo that shows the head in columns from one on, and white before."""
    camera = around(spherical.spec, torch.zeros(1))
    photo = torch.ones(1, 3, 64, 64)
    photo[..., shown_from:] = 0.0
    return Overhang(spherical, head.planes, PhotoOutline(photo, camera), torch.Generator().manual_seed(0))


def test_matter_is_found_on_the_side_that_the_photo_leaves_white(spherical: SphericalGenerator, head: Code):
    found = overhang(spherical, head, 32)
    assert len(found.points) > 50
    assert (found.points[:, 0] < 0.05).all()  # yaw 0: the picture's left side is at negative x
    density = spherical.query(head.planes, found.points[None]).density
    assert (density > spherical.query(head.planes, torch.full((1, 1, 3), 0.49)).density).all()


def test_going_down_its_gradient_takes_the_matter_away(spherical: SphericalGenerator, head: Code):
    found, planes = overhang(spherical, head, 32), head.planes.clone().requires_grad_(True)
    before = float(found.left(planes, 500).detach())
    optimiser = torch.optim.Adam([planes], lr=0.1)
    for _ in range(30):
        (planes.grad,) = torch.autograd.grad(found.left(planes, 200), planes)
        optimiser.step()
    assert before > 0.005
    assert float(found.left(planes, 500).detach()) < 0.95 * before


def test_a_photo_without_background_leaves_no_overhang(spherical: SphericalGenerator, head: Code):
    found = overhang(spherical, head, 0)
    assert len(found.points) == 0 and float(found.left(head.planes, 10)) == 0
