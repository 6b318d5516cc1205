from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from toolkit.camera import Camera
from toolkit.faces.alignment import arcface_matrix
from toolkit.faces.projection import crop_places, project_face
from toolkit.faces.template import ARCFACE_TEMPLATE
from toolkit.faces.warp import inverse, transform
from toolkit.metrics import ProjectedFace

POINTS = ((-0.07, 0.02, 0.19), (0.07, 0.02, 0.19), (0.0, -0.05, 0.23), (-0.046, -0.107, 0.164), (0.046, -0.107, 0.164))


@pytest.mark.parametrize("yaw", [0.0, 0.5, -1.2])
def test_the_crop_lies_where_the_alignment_of_photographs_puts_it(yaw: float):
    camera, side, size = Camera.orbit(yaw, 0.1), 128, 64
    landmarks = camera.project(torch.tensor(POINTS))[0].double().numpy() * side - 0.5
    back = inverse(arcface_matrix(landmarks, size))
    y, x = np.mgrid[:size, :size]
    expected = (transform(back, np.stack([x, y], -1).astype(float)) + 0.5) / side
    assert np.allclose(crop_places(camera, POINTS, size)[0].numpy(), expected, atol=1e-4)


def test_the_template_lands_on_a_frontal_face():
    places = crop_places(Camera.orbit(), POINTS, 112)[0]
    nose = torch.from_numpy(ARCFACE_TEMPLATE[2]).round().long()
    seen = Camera.orbit().project(torch.tensor(POINTS))[0, 2]
    assert float((places[nose[1], nose[0]] - seen).norm()) < 0.05


def test_it_shows_what_the_metric_sees_and_has_gradients():
    steps = torch.linspace(-1, 1, 128)
    image = torch.stack([steps[None].expand(128, -1), steps[:, None].expand(-1, 128), (4 * steps).sin()[None].expand(
        128, -1)])[None]  # fmt: skip
    camera = Camera.orbit(math.radians(20))
    image.requires_grad_(True)
    face = project_face(image, camera, POINTS, 64)
    metric = ProjectedFace(POINTS, 64)(image[0].detach(), camera)
    assert metric is not None
    assert float((face[0].detach() - metric).abs().mean()) < 0.02
    face.sum().backward()
    assert image.grad is not None
    assert float(image.grad.abs().sum()) > 0


def test_large_pictures_are_reduced_first_and_outside_is_black():
    chess = ((torch.arange(512)[:, None] + torch.arange(512)[None]) % 2 * 2.0 - 1).expand(1, 3, 512, 512)
    face = project_face(chess, Camera.orbit(), POINTS, 64)
    assert float(face[..., 8:-8, 8:-8].abs().max()) < 0.2  # sampled without a filter it would be black and white
    far = project_face(torch.ones(1, 3, 64, 64), Camera.orbit(pivot=(0.25, 0.0, 0.0)), POINTS, 64)
    assert float(far.min()) == -1
    assert float(far.max()) == pytest.approx(1, abs=1e-5)
