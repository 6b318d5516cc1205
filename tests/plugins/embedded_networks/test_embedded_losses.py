from __future__ import annotations

from pathlib import Path

import pytest
import torch

from toolkit.camera import Camera
from toolkit.errors import ConfigError, WeightsError
from toolkit.interfaces import FaceEmbedder
from toolkit.losses.identity import IdentityLoss
from toolkit.losses.perceptual import open_perceptual, perceptual_names
from toolkit.registry import default_registry
from toolkit_plugins.embedded_networks.files import read_network, shipped_file
from toolkit_plugins.embedded_networks.orderings import Scene
from toolkit_plugins.embedded_networks.perception import DensePerception, PlainPerception
from toolkit_plugins.embedded_networks.recognisers import FACE_SIDE

POINTS = ((-0.07, 0.02, 0.19), (0.07, 0.02, 0.19), (0.0, -0.05, 0.23), (-0.046, -0.107, 0.164), (0.046, -0.107, 0.164))


def test_the_perceptual_distance_is_found_by_name_and_has_gradients(scene: Scene):
    assert "embedded" in perceptual_names()
    distance = open_perceptual("embedded")
    assert distance.name == "embedded"
    target = distance.embed(scene.image)
    assert float(distance.distance(target, target)) == 0
    start = scene.other.clone().requires_grad_(True)
    before = distance.distance(distance.embed(start), target)
    (gradient,) = torch.autograd.grad(before, start)
    moved = start.detach() - 2 * gradient / gradient.abs().max()
    assert float(distance.distance(distance.embed(moved), target)) < float(before.detach())


def test_a_trunk_is_refused():
    with pytest.raises(ConfigError, match="takes no trunk"):
        open_perceptual("embedded", Path("vgg.pth"))


def test_the_recogniser_feels_the_face_where_the_camera_sees_it(scene: Scene):
    embedder = default_registry().load("face_embedder", "embedded")()
    assert isinstance(embedder, FaceEmbedder)
    loss = IdentityLoss(embedder, crop_side=FACE_SIDE, face_points=POINTS)
    image, camera = scene.other[:1].clone().requires_grad_(True), Camera.orbit(0.2)
    value = loss(image, scene.image[:1], camera)
    value.backward()
    assert image.grad is not None
    assert float(image.grad.abs().sum()) > 0
    assert float(image.grad[..., :4].abs().sum()) == 0  # the border is not the face
    assert float(loss(scene.image, scene.image, camera)) == pytest.approx(0, abs=1e-5)


def test_a_missing_or_foreign_file_is_one_sentence(tmp_path: Path):
    with pytest.raises(WeightsError, match="does not exist"):
        read_network("perceptual-e", DensePerception, tmp_path / "nothing.safetensors")
    with pytest.raises(WeightsError, match="perceptual-e"):
        read_network("perceptual-loss", PlainPerception, shipped_file("perceptual-e"))
