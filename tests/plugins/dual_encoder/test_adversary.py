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
    settings = AdversarySettings(options={"occlusion-planes": {"width": 4}}, optimiser="adam", weight=0.5)
    adversary = Adversary(settings, spherical, seed=0)
    mapped: list[tuple[Tensor, Tensor]] = []
    mapping = spherical.mapping

    def noted(z: Tensor, camera, *others):
        mapped.append((z, camera.label))
        return mapping(z, camera, *others)

    monkeypatch.setattr(spherical, "mapping", noted)
    shown: list[tuple[Tensor, Tensor]] = []
    learn = adversary._learn
    monkeypatch.setattr(adversary, "_learn", lambda real, fake: (shown.append((real, fake)), learn(real, fake))[1])

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


def test_a_batch_in_parts_moves_the_discriminator_once_and_alike(spherical: SphericalGenerator, monkeypatch):
    ws = spherical.mapping(
        torch.randn(4, 16, generator=torch.Generator().manual_seed(2)), spherical.spec.front_camera.expand(4)
    )
    planes = spherical.planes(ws).detach()
    moved = []
    for parts in (1, 2):
        torch.manual_seed(0)
        settings = AdversarySettings(
            options={"occlusion-planes": {"width": 4}}, optimiser="adam", weight=0.5, occlusion=False
        )
        adversary = Adversary(settings, spherical, seed=0, parts=parts)
        adversary.optimiser = torch.optim.SGD(adversary.discriminator.parameters(), lr=0.1)
        adversary.discriminator.eval()
        # batch norm normalises every part by itself; with fixed statistics rows have nothing to do with each other
        monkeypatch.setattr(adversary.discriminator, "train", lambda *_: None)
        for rows in torch.arange(4).chunk(parts):
            adversary.loss(planes[rows], ws[rows], None, rows.tolist())
        assert adversary.steps == 1
        assert set(adversary.take_log()) == {"discriminator", "r1", "fake_logit"}
        moved.append([parameter.detach().clone() for parameter in adversary.discriminator.parameters()])
    assert all(torch.allclose(*pair, rtol=1e-4, atol=1e-6) for pair in zip(*moved, strict=True))
    torch.manual_seed(0)
    still = Adversary(settings, spherical, seed=0).discriminator.parameters()
    assert not any(torch.equal(*pair) for pair in zip(moved[0], still, strict=True))
