"""What the discriminator of encoder 2 is shown."""

from __future__ import annotations

import torch
from torch import Tensor

from toolkit.rendering.occlusion import occlusion_mask
from toolkit.testing.spherical import SphericalGenerator
from toolkit_plugins.dual_encoder.joining import masked_images
from toolkit_plugins.dual_encoder.training.adversary import Adversary
from toolkit_plugins.dual_encoder.training.settings import AdversarySettings


def test_real_samples_are_z_plus_heads_from_the_front_under_the_fakes_own_mask(
    spherical: SphericalGenerator, monkeypatch
):
    settings = AdversarySettings(width=4, optimiser="adam", weight=0.5)
    adversary = Adversary(settings, spherical, torch.device("cpu"), seed=0)
    mapped: list[tuple[Tensor, Tensor]] = []
    mapping = spherical.mapping

    def noted(z: Tensor, camera, *others):
        mapped.append((z, camera.label))
        return mapping(z, camera, *others)

    monkeypatch.setattr(spherical, "mapping", noted)
    shown: list[tuple[Tensor, Tensor]] = []
    step = adversary._step
    monkeypatch.setattr(adversary, "_step", lambda real, fake: (shown.append((real, fake)), step(real, fake))[1])

    ws = mapping(torch.randn(2, 16, generator=torch.Generator().manual_seed(1)), spherical.spec.front_camera)
    planes = spherical.planes(ws).detach().requires_grad_()
    cameras = spherical.spec.front_camera.expand(2)
    occlusion = occlusion_mask(spherical, planes.detach(), cameras, 16)
    loss = adversary.loss(planes, ws, occlusion, [0, 1])

    latents = spherical.spec.latents
    z = torch.cat([each for each, _ in mapped])
    assert len(z) == 2 * latents.num_ws and len(torch.unique(z, dim=0)) == len(z)  # one latent for every style
    front = spherical.spec.front_camera.label
    assert all(torch.equal(label, front.expand_as(label)) for _, label in mapped)
    ((real, fake),) = shown
    assert torch.equal(fake, masked_images(spherical, planes, occlusion))
    hidden = masked_images(spherical, torch.ones_like(planes), occlusion) == 0
    assert hidden.any() and not hidden.all()
    assert not real[hidden].any() and not fake[hidden].any() and real[~hidden].abs().sum() > 0
    assert not torch.equal(real, fake)
    loss.backward()
    assert planes.grad is not None and planes.grad.abs().sum() > 0
