from __future__ import annotations

import math

import pytest
import torch

from toolkit.bench.protocols.scoring import open_metrics
from toolkit.camera import Camera
from toolkit.files import file_sha256
from toolkit.registry import default_registry
from toolkit.testing.distortions import distort
from toolkit_plugins.embedded_networks.files import shipped_file
from toolkit_plugins.embedded_networks.orderings import Scene
from toolkit_plugins.embedded_networks.training.pictures import Pictures, as_images

NAMES = ("lpips-e", "id-e", "fid-e", "kid-e")


def opened(name: str):  # its kind differs from name to name
    return default_registry().load("metric", name)()


@pytest.mark.parametrize("name", NAMES)
def test_they_belong_to_the_embedded_world(name: str):
    metric = opened(name)
    assert (metric.name, metric.backend) == (name, "embedded")
    assert default_registry().get("metric", name).world == "embedded"


def test_the_bench_takes_them_in_the_embedded_world_only():
    assert set(open_metrics(NAMES, "auto", "embedded", 128).samples) == set(NAMES)
    assert open_metrics(NAMES, "auto", "full", 512).samples == {}


def test_results_name_the_files_of_the_networks_by_their_hashes():
    perceptual, identity = shipped_file("perceptual-e"), shipped_file("identity-e")
    files = {name: identity if name == "id-e" else perceptual for name in NAMES}
    told = open_metrics([*NAMES, "l2"], "auto", "embedded", 128).networks
    assert told == {name: {file.name: file_sha256(file)} for name, file in files.items()}


def test_lpips_is_zero_for_equal_pictures_and_sees_regions(scene: Scene):
    metric = opened("lpips-e")
    metric.update(scene.image, scene.image)
    assert metric.compute().value == 0
    spoilt = scene.image.clone()
    spoilt[..., :32] = 0
    right = torch.zeros(1, 1, 64, 64)
    right[..., 44:] = 1
    left, other = opened("lpips-e"), opened("lpips-e")
    left.update(spoilt, scene.image, 1 - right)
    other.update(spoilt, scene.image, right)
    assert left.compute().value > 4 * other.compute().value


def test_lpips_at_512_px_is_that_of_the_reduced_picture(scene: Scene):
    large, small = opened("lpips-e"), opened("lpips-e")
    pair = [torch.nn.functional.interpolate(part[:1], scale_factor=8, mode="nearest") for part in
            (scene.image, scene.other)]  # fmt: skip
    large.update(*pair)
    small.update(*(torch.nn.functional.interpolate(part[:1], scale_factor=2, mode="nearest") for part in
                   (scene.image, scene.other)))  # fmt: skip
    assert large.compute().value == pytest.approx(small.compute().value, rel=0.15)


def test_identity_is_higher_for_the_same_head_and_counts_views_without_a_face(held_out: Pictures):
    heads = [whole_frame(seed) for seed in (0, 4)]
    same, different = opened("id-e"), opened("id-e")
    camera = Camera.orbit(0.3)
    same.update(heads[0], distort("blur", heads[0], 0.1), camera)
    different.update(heads[0], heads[1], camera)
    assert same.compute().value > different.compute().value + 0.2
    behind = opened("id-e")
    behind.update(heads[0], heads[0], Camera.orbit(math.pi))
    score = behind.compute()
    assert (math.isnan(score.value), score.used, score.failed) == (True, 0, 1)


def whole_frame(index: int, side: int = 96) -> torch.Tensor:
    """A clean test head [1, 3, S, S] from yaw 0.3."""
    heads = default_registry().load("dataset", "heads360").procedural()
    origin, directions = Camera.orbit(0.3).rays(side)
    seen = heads.trace(heads.latent("test", 0, index), origin.expand(side * side, 3), directions[0])
    return seen.rgb.reshape(1, side, side, 3).permute(0, 3, 1, 2)


@pytest.mark.parametrize("name", ["fid-e", "kid-e"])
def test_distances_of_sets_grow_with_blur_and_merge_across_processes(name: str, held_out: Pictures):
    images = as_images(held_out.views.flatten(0, 1))
    values = []
    for severity in (0.0, 0.2, 0.6):
        whole, first, second = opened(name), opened(name), opened(name)
        made = distort("blur", images, severity)
        for metric, part in ((whole, slice(None)), (first, slice(0, 10)), (second, slice(10, None))):
            metric.update(images[part], True)
            metric.update(made[part], False)
        first.merge(second)
        assert first.compute().value == pytest.approx(whole.compute().value, rel=1e-3, abs=1e-4)
        values.append(whole.compute().value)
    assert values == sorted(values)
    assert values[2] > values[0] + 0.002


def test_features_are_few_and_of_the_scale_that_kid_needs(held_out: Pictures):
    extractor = opened("fid-e").extractor
    features = extractor.features(as_images(held_out.views.flatten(0, 1)))
    assert features.shape[1] == extractor.size <= 256
    assert 0.08 < float(features.std(0).median()) < 0.75
