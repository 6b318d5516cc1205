from __future__ import annotations

import math
import time

import pytest
import skimage.data
import torch
from torch import Tensor

from toolkit.camera import Camera
from toolkit.faces.template import ARCFACE_TEMPLATE
from toolkit.metrics import DetectedFace, IdentityMetric, PeakMemory, ProjectedFace, Seconds, measured
from toolkit.metrics.identity import cosine
from toolkit.testing import conformance


class Pixels:
    """Not an identity network: enough to check the plumbing."""

    def embed(self, face: Tensor) -> Tensor:
        small = torch.nn.functional.adaptive_avg_pool2d(face, 8).flatten(1)
        return torch.nn.functional.normalize(small - small.mean(1, keepdim=True), dim=1)


def middle(image: Tensor, camera: Camera | None) -> Tensor | None:
    """A crop that finds a face wherever the picture is not black."""
    return None if float(image.max()) < -0.99 else image[:, 8:24, 8:24]


@pytest.fixture(scope="module")
def astronaut() -> Tensor:
    photo = torch.from_numpy(skimage.data.astronaut()[0:224, 112:336].copy()).permute(2, 0, 1)
    return photo.float()[None] / 127.5 - 1


def test_identity_is_the_cosine_of_torchmetrics():
    from torchmetrics.functional import pairwise_cosine_similarity

    source = torch.Generator().manual_seed(0)
    first, second = torch.randn(4, 16, generator=source), torch.randn(4, 16, generator=source)
    assert torch.allclose(cosine(first, second), pairwise_cosine_similarity(first, second).diagonal(), atol=1e-6)


def test_a_pair_without_a_face_is_counted_and_never_scored():
    source = torch.Generator().manual_seed(1)
    images = torch.rand(3, 3, 32, 32, generator=source) * 2 - 1
    targets = images.clone()
    targets[1] = -1
    metric = IdentityMetric(Pixels(), "id_test", "none", middle)
    metric.update(images, targets)
    score = metric.compute()
    assert (score.used, score.failed) == (2, 1)
    assert score.value == pytest.approx(1.0, abs=1e-6)


def test_identity_conforms_and_merges():
    source = torch.Generator().manual_seed(2)
    batches = [tuple(torch.rand(2, 2, 3, 32, 32, generator=source) * 2 - 1) for _ in range(3)]
    conformance.check_metric(lambda: IdentityMetric(Pixels(), "id_test", "none", middle), batches)


def test_a_detected_face_is_cut_out_whatever_its_place_and_a_wall_has_none(astronaut: Tensor):
    crop = DetectedFace()
    face, moved = crop(astronaut[0]), crop(astronaut[0].roll(12, dims=2))
    assert face is not None
    assert moved is not None
    assert face.shape == (3, 112, 112)
    assert float(face.abs().max()) <= 1
    assert float(Pixels().embed(face[None]) @ Pixels().embed(moved[None]).T) > 0.95
    assert crop(torch.zeros(3, 64, 64)) is None


def test_a_projected_face_lands_on_the_template_wherever_the_camera_stands():
    points = torch.tensor(
        [[-0.1, 0.05, 0.2], [0.1, 0.05, 0.2], [0.0, 0.0, 0.28], [-0.07, -0.1, 0.2], [0.07, -0.1, 0.2]]
    )
    crop = ProjectedFace(points.tolist())
    for yaw in (0.0, 0.4):
        camera = Camera.orbit(yaw)
        image = -torch.ones(3, 256, 256)
        x, y = (camera.project(points)[0, 2] * 256).long().tolist()
        image[:, y - 3 : y + 4, x - 3 : x + 4] = 1  # the nose
        face = crop(image, camera)
        assert face is not None
        lit = (face[0] > 0).nonzero().float().mean(0).flip(0)
        assert torch.allclose(lit, torch.from_numpy(ARCFACE_TEMPLATE[2]).float(), atol=8)
    assert crop(image, Camera.orbit(1.3)) is None
    at_the_end = [Camera.orbit(math.radians(yaw)) for yaw in (60.0, -60.0)]
    assert all(crop(image, camera) is not None for camera in at_the_end)  # read back as 60.000002 degrees
    assert crop(image, Camera.orbit(math.radians(60.1))) is None
    assert crop(image, None) is None


def test_effort_measures_time_and_memory():
    with measured() as idle:
        time.sleep(0.02)
    with measured() as busy:
        block = torch.ones(24 * 2**20)  # 96 MiB
    assert block.sum() > 0
    assert 0.02 <= idle.seconds < 5
    assert busy.peak_mib > idle.peak_mib + 60
    for make in (Seconds, PeakMemory):
        conformance.check_metric(make, [(1.0,), (torch.tensor([2.0, 6.0]),)])
        metric = make()
        metric.update(torch.tensor([2.0, float("nan")]))
        assert metric.compute() == (2.0, 1, 1)
