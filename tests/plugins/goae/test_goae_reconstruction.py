"""GOAE end to end, on generators with random weights."""

from __future__ import annotations

import pytest
import torch

from toolkit.camera import Camera
from toolkit.errors import CapabilityError, ConfigError, InputError
from toolkit.interfaces import Generator
from toolkit.rendering.occlusion import occlusion_mask
from toolkit.testing import conformance
from toolkit.testing.spherical import BareSphericalGenerator, SphericalGenerator
from toolkit_plugins.goae.alignment import FeatureAlignment
from toolkit_plugins.goae.encoder import GoaeEncoder
from toolkit_plugins.goae.fitting import fit_alignment, fit_encoder
from toolkit_plugins.goae.mix import hit_map, visibility
from toolkit_plugins.goae.reconstruction import GoaeReconstruction
from toolkit_plugins.goae.swin_v2 import SwinSettings

SWIN = SwinSettings(image_size=32, width=8, depths=(1,) * 4, heads=(1,) * 4, window=4, pretrained_windows=(4, 4, 4, 1))


def build(generator: Generator, size: int, **options) -> GoaeReconstruction:
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        encoder = GoaeEncoder(fit_encoder(generator, SWIN))
        alignment = FeatureAlignment(fit_alignment(generator, size, width=4))
        z = torch.randn(1, generator.spec.latents.z_dim)
        mean = generator.mapping(z, generator.spec.front_camera)
    return GoaeReconstruction(encoder, alignment, mean[0], feature_size=size, resolution=48, **options).eval()


def tiny_panohead() -> Generator:
    config = pytest.importorskip("toolkit_plugins.panohead.config").PanoHeadConfig(
        z_dim=16, w_dim=24, image_size=32, raw_size=8, channel_base=256, channel_max=16, plane_size=16,
        feature_channels=8, decoder_hidden=16, sr_widths=(8, 8), samples=12, importance_samples=12,
    )  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        built = pytest.importorskip("toolkit_plugins.panohead.loading").build(config).eval()
    with torch.no_grad():
        built.decoder.net[2].bias[0] = 30.0  # something to see
    return built


def images(count: int, side: int) -> torch.Tensor:
    return torch.randn(count, 3, side, side, generator=torch.Generator().manual_seed(5)).clamp(-1, 1)


def test_it_is_an_encoder(spherical: SphericalGenerator):
    conformance.check_encoder(build(spherical, 6), spherical)


def test_mixed_planes_are_the_aligned_ones_where_the_view_sees(spherical: SphericalGenerator):
    goae, camera = build(spherical, 6), Camera.orbit(0.4)
    with torch.no_grad():
        made = goae(images(1, 48), camera, spherical)
    assert not torch.allclose(made.plain, made.aligned)
    occlusion = spherical.smooth(occlusion_mask(spherical, made.aligned, camera, 48))
    hidden = spherical.expand(occlusion)
    torch.testing.assert_close(made.mixed[hidden == 0], made.aligned[hidden == 0])
    whole = hidden > 1 - 1e-6
    assert bool(whole.any())
    torch.testing.assert_close(made.mixed[whole], made.plain[whole], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(made.plain, spherical.planes(made.ws).detach(), rtol=1e-4, atol=1e-5)


def test_the_published_mix_changes_the_first_plane_only():
    generator = tiny_panohead()
    goae, camera = build(generator, 8, mixing="published"), Camera.orbit(torch.tensor([0.2, -0.5]))
    with torch.no_grad():
        made = goae(images(2, 32), camera, generator)
        depth = generator.march(made.aligned, camera, 48).depth
    mask = visibility(hit_map(camera, depth, 16))
    assert torch.equal(made.mixed[:, 1:], made.aligned[:, 1:])
    torch.testing.assert_close(made.mixed[:, 0], mask * made.aligned[:, 0] + (1 - mask) * made.plain[:, 0])
    assert bool((mask > 0.5).any() and (mask < 0.5).any())


def test_gradients_reach_both_networks(spherical: SphericalGenerator):
    goae = build(spherical, 6)
    made = goae(images(1, 48), Camera.orbit(), spherical)
    spherical.render(made.mixed, made.ws, Camera.orbit()).image.square().mean().backward()
    for network in (goae.encoder, goae.alignment):
        assert any(bool(each.grad is not None and each.grad.any()) for each in network.parameters())
    spherical.zero_grad(set_to_none=True)


def test_what_does_not_fit_is_said_in_a_sentence(spherical: SphericalGenerator, bare: BareSphericalGenerator):
    goae = build(spherical, 6)
    with pytest.raises(CapabilityError, match="'spherical-bare'"):
        goae(images(1, 48), Camera.orbit(), bare)
    with pytest.raises(ConfigError, match="mixing"):
        build(spherical, 6, mixing="none")
    with pytest.raises(InputError, match="published mix"), torch.no_grad():
        build(spherical, 6, mixing="published")(images(1, 48), Camera.orbit(), spherical)
