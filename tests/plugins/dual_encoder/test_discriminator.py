"""The discriminator of Table 6."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from toolkit.camera import Camera
from toolkit.errors import CapabilityError, ConfigError, InputError, WeightsError
from toolkit.interfaces import Discriminator
from toolkit.registry import default_registry
from toolkit.testing.spherical import BareSphericalGenerator, SphericalGenerator
from toolkit_plugins.dual_encoder.discriminator import (
    DiscriminatorSettings,
    OcclusionDiscriminator,
    open_image_discriminator,
    open_plane_discriminator,
    save,
)

SMALL = DiscriminatorSettings(width=4)


def randn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_table_6_layer_by_layer():
    built = OcclusionDiscriminator(288)
    kinds = [type(layer).__name__ for layer in built.layers]
    widened = ["Conv2d", "BatchNorm2d", "LeakyReLU"]
    assert kinds == ["Conv2d", "LeakyReLU", *widened, *widened, *widened, "Conv2d"]
    convolutions = [layer for layer in built.layers if isinstance(layer, nn.Conv2d)]
    assert [(c.in_channels, c.out_channels) for c in convolutions] == [
        (288, 64), (64, 128), (128, 256), (256, 512), (512, 1),
    ]  # fmt: skip
    assert all(c.kernel_size == (3, 3) and c.stride == (1, 1) and c.bias is None for c in convolutions)
    assert [c.padding for c in convolutions] == [(1, 1)] * 4 + [(0, 0)]
    assert {layer.negative_slope for layer in built.layers if isinstance(layer, nn.LeakyReLU)} == {0.2}
    weights = 9 * (288 * 64 + 64 * 128 + 128 * 256 + 256 * 512 + 512)
    normalisation = 2 * (128 + 256 + 512)
    assert sum(p.numel() for p in built.parameters()) == weights + normalisation == 1_720_576


def test_logits_are_the_mean_over_places():
    built = OcclusionDiscriminator(6, SMALL).eval()
    x = randn(2, 6, 12, 16)
    logits = built(x)
    assert logits.shape == (2, 1)
    places = built.layers(x)
    assert places.shape == (2, 1, 10, 14)  # the last convolution is not padded
    torch.testing.assert_close(logits[:, 0], places.mean(dim=(1, 2, 3)))
    assert isinstance(built, Discriminator)


def test_stride_and_pooling_make_it_smaller_and_are_said_to_be_too_much():
    x = randn(2, 6, 48, 48)
    strided = OcclusionDiscriminator(6, DiscriminatorSettings(width=4, stride=2)).eval()
    assert strided.layers(x).shape == (2, 1, 1, 1)
    pooled = OcclusionDiscriminator(6, DiscriminatorSettings(width=4, pool=4)).eval()
    torch.testing.assert_close(pooled(x), pooled.layers(torch.nn.functional.avg_pool2d(x, 4)).mean(dim=(2, 3)))
    with pytest.raises(InputError, match="too small"):
        strided(x[..., :16, :16])
    with pytest.raises(InputError, match=r"takes \[B, 6, H, W\]"):
        pooled(x[:, :3])


@pytest.mark.parametrize("values", [{"width": 0}, {"stride": 1.5}, {"pool": True}, {"depth": 3}])
def test_impossible_settings_are_refused(values: dict[str, float]):
    with pytest.raises(ConfigError, match="discriminator"):
        DiscriminatorSettings.from_dict(values)


def test_channels_come_from_the_generator(spherical: SphericalGenerator, bare: BareSphericalGenerator):
    planes = open_plane_discriminator(spherical, **dataclasses.asdict(SMALL))
    assert (planes.channels, planes.domain) == (12, "planes")
    z = randn(2, spherical.latents.z_dim)
    with torch.no_grad():
        heads = spherical.planes(spherical.mapping(z, Camera.orbit()))
        assert planes.eval()(spherical.as_images(heads)).shape == (2, 1)
    images = open_image_discriminator(bare, **dataclasses.asdict(SMALL))
    assert (images.channels, images.domain) == (3, "images")
    assert images.eval()(randn(2, 3, 24, 24)).shape == (2, 1)
    with pytest.raises(CapabilityError, match="'spherical-bare'"):
        open_plane_discriminator(bare)


def test_it_is_registered(spherical: SphericalGenerator):
    for name, domain in (("occlusion-planes", "planes"), ("occlusion-images", "images")):
        assert default_registry().load("discriminator", name)(spherical, None).domain == domain


def test_a_saved_discriminator_comes_back_with_its_settings(spherical: SphericalGenerator, tmp_path: Path):
    built = open_plane_discriminator(spherical, width=4, pool=2)
    for _ in range(2):
        built(randn(4, 12, 12, 24))  # moves the running statistics
    path = tmp_path / "d.safetensors"
    save(built, path, {"run": "test"})
    again = open_plane_discriminator(spherical, path)
    assert again.settings == built.settings
    x = randn(2, 12, 12, 24)
    torch.testing.assert_close(again(x), built.eval()(x))
    with pytest.raises(WeightsError, match="discriminator of images"):
        open_image_discriminator(spherical, path)


def test_it_learns_to_tell_two_kinds_of_samples_apart():
    from toolkit.losses.adversarial import discriminator_terms

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        built = OcclusionDiscriminator(3, SMALL, "images")
        optimiser = torch.optim.Adam(built.parameters(), 2e-3)
        for step in range(40):
            real, fake = torch.randn(8, 3, 12, 12) + 0.5, torch.randn(8, 3, 12, 12) - 0.5
            terms = discriminator_terms(built, real, fake, step, r1_weight=0.01)
            optimiser.zero_grad()
            terms.total.backward()
            optimiser.step()
        assert float(terms.adversarial) < 0.7
