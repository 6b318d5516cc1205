from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from toolkit.metrics.images import psnr
from toolkit.metrics.registration import AlignedPsnr, aligned_psnr, alignment, moved


def blobs(side: int = 96) -> Tensor:
    """A picture of soft blobs on white."""
    y, x = torch.meshgrid(*[torch.linspace(-1, 1, side)] * 2, indexing="ij")
    picture = torch.ones(3, side, side)
    for index, (cx, cy, size) in enumerate([(0.1, -0.2, 0.3), (-0.2, 0.15, 0.2), (0.25, 0.3, 0.12), (-0.3, -0.3, 0.1)]):
        picture[index % 3] -= 1.6 * torch.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * size**2))
    return picture[None]


@pytest.mark.parametrize("movement", [(0.1, 0.0, 0.0, 0.0), (-0.08, 0.1, 0.12, -0.1), (0.0, -0.2, 0.0, 0.05)])
def test_a_moved_picture_is_laid_over_its_target(movement: tuple[float, ...]) -> None:
    picture = blobs()
    target = moved(picture, torch.tensor([movement]))
    torch.testing.assert_close(alignment(picture, target), torch.tensor([movement]), rtol=0, atol=3e-3)
    assert float(psnr(picture, target)) < 32 and float(aligned_psnr(picture, target)) > 45


def test_what_no_movement_explains_stays_and_no_picture_becomes_worse() -> None:
    rng = torch.Generator().manual_seed(0)
    picture = blobs()
    redder = picture + torch.tensor([0.0, -0.3, -0.3])[:, None, None]
    assert float(aligned_psnr(redder, picture) - psnr(redder, picture)) == pytest.approx(0, abs=0.3)
    other = torch.rand(2, 3, 64, 64, generator=rng) * 2 - 1
    target = torch.rand(2, 3, 64, 64, generator=rng) * 2 - 1
    assert (aligned_psnr(other, target) >= psnr(other, target)).all()
    assert math.isfinite(float(aligned_psnr(torch.ones(1, 3, 64, 64), target[:1])))


def test_a_batch_is_moved_as_its_pictures_alone() -> None:
    first, second = blobs(48), blobs(48).flip(-1)
    targets = [moved(first, torch.tensor([[0.05, 0.0, 0.1, 0.0]])), moved(second, torch.tensor([[0.0, 0.1, 0.0, 0.1]]))]
    together = alignment(torch.cat([first, second]), torch.cat(targets))
    alone = [alignment(one, target) for one, target in zip((first, second), targets, strict=True)]
    torch.testing.assert_close(together, torch.cat(alone), rtol=0, atol=1e-3)
    metric = AlignedPsnr()
    metric.update(torch.cat([first, second]), torch.cat(targets))
    assert metric.compute().value > 45
