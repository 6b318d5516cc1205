from __future__ import annotations

import importlib.metadata
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from efficientnet_lite_pytorch import EfficientNet
from torch import Tensor

from toolkit.bench.protocols.scoring import open_metrics
from toolkit.data.transforms import resize
from toolkit.errors import ConfigError, MissingDependencyError
from toolkit.interfaces import Metric
from toolkit.losses.perceptual import open_perceptual, perceptual_names
from toolkit.registry import default_registry
from toolkit.testing import conformance
from toolkit_plugins.photo_networks.lite import EfficientNetLite, Size
from toolkit_plugins.photo_networks.losses import LiteDistance
from toolkit_plugins.photo_networks.metrics import FEATURES

MILITARY_UNIFORM = 652
"""ImageNet's class of Grace Hopper's photograph."""


@pytest.fixture(scope="module")
def lite0() -> LiteDistance:
    distance = open_perceptual("lite0")
    assert isinstance(distance, LiteDistance)
    return distance


def opened(name: str) -> Any:
    return default_registry().load("metric", name)()


def blurred(image: Tensor, side: int) -> Tensor:
    return resize(resize(image, side), image.shape[-1])


@pytest.mark.parametrize("size", ["lite0", "lite2"])
def test_the_networks_know_what_is_in_a_photograph(size: Size, portrait: np.ndarray):
    network = EfficientNetLite(size)
    picture = resize(torch.tensor(portrait[44:556]).permute(2, 0, 1)[None].float() / 127.5 - 1, 224)
    features = network.features(picture)
    assert features.shape == (1, FEATURES)
    logits = network.net._fc(features)
    assert MILITARY_UNIFORM in logits.topk(3).indices  # of 1000; the others are kinds of dress, too
    theirs = network.net(((picture + 1) * 127.5 - 127) / 128)  # the package's own way through the network
    torch.testing.assert_close(logits, theirs)


@pytest.mark.parametrize("size", ["lite0", "lite2"])
def test_maps_and_gradients_are_those_of_the_package_as_it_comes(size: Size, astronaut: Tensor):
    ours, theirs = EfficientNetLite(size), EfficientNet.from_name(f"efficientnet-{size}", image_size=256).eval()
    theirs.load_state_dict(torch.load(ours.file, weights_only=True))
    pictures = [resize(astronaut, 128).requires_grad_(True) for _ in range(2)]
    logits = ours.net._fc(ours.features(pictures[0]))
    wanted = theirs(((pictures[1] + 1) * 127.5 - 127) / 128)
    torch.testing.assert_close(logits, wanted, rtol=1e-4, atol=1e-4)
    mine, their = (
        torch.autograd.grad(each.square().mean(), at)[0] for each, at in zip((logits, wanted), pictures, strict=True)
    )
    # single places differ where an activation stands at its bend
    assert float((mine - their).norm()) < 1e-2 * float(their.norm())


def test_maps_are_halved_five_times(astronaut: Tensor):
    maps = EfficientNetLite("lite0").maps(astronaut)
    assert [layer.shape[-1] for layer in maps] == [128, 64, 32, 16, 8]


def test_the_bench_takes_them_in_the_embedded_world_only_and_names_their_files():
    names = ("lpips_lite", "id_dlib", "fd_lite", "kd_lite")
    taken = open_metrics([*names, "l2"], "auto", "embedded", 256)
    assert set(taken.samples) == {*names, "l2"} and set(taken.networks) == set(names)
    assert open_metrics(names, "auto", "full", 512).samples == {}


def test_scores_and_losses_have_different_networks():
    ours = {file for name in ("lpips_lite", "fd_lite", "kd_lite") for file in opened(name).networks}
    assert len(ours) == 1
    assert EfficientNetLite("lite0").file.name not in ours


def test_the_loss_leads_a_picture_towards_another(lite0: LiteDistance, astronaut: Tensor, admiral: Tensor):
    assert "lite0" in perceptual_names()
    target = lite0.embed(resize(astronaut, 64))
    assert float(lite0.distance(target, target)) == 0
    start = resize(admiral, 64).requires_grad_(True)
    before = lite0.distance(lite0.embed(start), target)
    (gradient,) = torch.autograd.grad(before, start)
    moved = start.detach() - 0.2 * gradient / gradient.abs().max()
    assert float(lite0.distance(lite0.embed(moved), target)) < float(before.detach())
    assert all(parameter.grad is None for parameter in lite0.parameters())


def test_the_gradient_is_the_slope(astronaut: Tensor, admiral: Tensor):
    network = LiteDistance().double()
    target, start = (network.embed(resize(astronaut, 32).double()), resize(admiral, 32).double())
    start.requires_grad_(True)
    value = network.distance(network.embed(start), target)
    (gradient,) = torch.autograd.grad(value, start)
    step = torch.randn(start.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64) * 1e-6
    with torch.no_grad():
        slope = [network.distance(network.embed(start + sign * step), target) for sign in (1, -1)]
    torch.testing.assert_close((slope[0] - slope[1]) / 2, (gradient * step).sum(), rtol=1e-3, atol=0)


def test_pictures_of_one_colour_and_tiny_ones_have_finite_gradients(lite0: LiteDistance):
    flat = torch.zeros(1, 3, 24, 24, requires_grad=True)
    lite0.distance(lite0.embed(flat), lite0.embed(torch.full((1, 3, 24, 24), -1.0))).backward()
    assert flat.grad is not None and bool(torch.isfinite(flat.grad).all())


def test_a_trunk_is_refused():
    with pytest.raises(ConfigError, match="takes no trunk"):
        open_perceptual("lite0", Path("vgg.pth"))


def test_a_weak_blur_is_nearer_than_a_strong_one_and_than_somebody_else(astronaut: Tensor, admiral: Tensor):
    metric = opened("lpips_lite")
    assert isinstance(metric, Metric) and metric.direction == "lower"
    pictures = (astronaut, blurred(astronaut, 128), blurred(astronaut, 32), admiral)
    same, weak, strong, other = (float(metric.score(each, astronaut)) for each in pictures)
    assert same == 0 < weak < strong < other < 4


def test_it_keeps_the_contract_of_metrics(astronaut: Tensor, admiral: Tensor):
    conformance.check_metric(lambda: opened("lpips_lite"), [(astronaut, admiral), (admiral, admiral)])


def test_a_region_that_is_the_same_has_no_distance(astronaut: Tensor):
    metric, changed = opened("lpips_lite"), astronaut.clone()
    changed[..., :, 128:] = -1
    region = torch.zeros(1, 1, 256, 256)
    region[..., :32] = 1
    assert float(metric.score(changed, astronaut, region)) < 0.2 * float(metric.score(changed, astronaut))


@pytest.mark.parametrize("name", ["fd_lite", "kd_lite"])
def test_distances_of_distributions_grow_with_blur(name: str, astronaut: Tensor, admiral: Tensor):
    both = torch.cat([astronaut, admiral])
    pictures = torch.cat([both, both.flip(-1)])
    found = []
    for side in (256, 64, 24):
        metric = opened(name)
        metric.update(pictures, True)
        metric.update(blurred(pictures, side))
        score = metric.compute()
        assert (score.used, score.failed) == (4, 0)
        found.append(score.value)
    assert found[0] < found[1] < found[2]
    assert name == "kd_lite" or math.isclose(found[0], 0, abs_tol=1e-6)


def test_a_missing_package_is_one_sentence(monkeypatch: pytest.MonkeyPatch):
    def nothing(name: str) -> None:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "distribution", nothing)
    with pytest.raises(MissingDependencyError, match=r"^EfficientNet-Lite0 needs .* pip install 'toolkit\[all\]'$"):
        EfficientNetLite("lite0")
