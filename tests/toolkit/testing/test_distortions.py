"""Distortions of pictures: none at severity 0, then stronger and stronger, by the seed."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from toolkit.errors import InputError
from toolkit.testing.distortions import DISTORTIONS, distort


@pytest.fixture(scope="module")
def pictures() -> Tensor:
    """Three smooth ones [3, 3, 64, 64], each with an edge."""
    coarse = torch.rand(3, 3, 8, 8, generator=torch.Generator().manual_seed(0)) * 1.6 - 0.8
    smooth = torch.nn.functional.interpolate(coarse, size=64, mode="bicubic", align_corners=False).clamp(-0.9, 0.9)
    smooth[..., 20:44, 20:44] = smooth[..., 20:44, 20:44] * 0.5 + 0.4
    return smooth


def test_there_are_eight():
    assert len(DISTORTIONS) == 8


@pytest.mark.parametrize("kind", DISTORTIONS)
def test_without_severity_nothing_happens_and_pixels_differ_more_and_more(kind: str, pictures: Tensor):
    untouched = distort(kind, pictures, 0.0)
    assert float((untouched - pictures).abs().mean()) < (0.05 if kind == "jpeg" else 1e-5)
    errors = [float((distort(kind, pictures, step) - pictures).square().mean()) for step in (0.1, 0.4, 0.8)]
    assert errors == sorted(errors)
    assert errors[0] > 0


@pytest.mark.parametrize("kind", DISTORTIONS)
def test_every_picture_has_its_own_severity_and_draws_follow_the_seed(kind: str, pictures: Tensor):
    severities = torch.tensor([0.2, 0.5, 0.9])
    together = distort(kind, pictures, severities, seed=3)
    assert together.shape == pictures.shape
    assert together.abs().max() <= 1
    assert torch.equal(together, distort(kind, pictures, severities, seed=3))
    alone = distort(kind, pictures, 0.5, seed=3)
    assert torch.allclose(together[1], alone[1], atol=1e-5)


def test_an_unknown_kind_is_named():
    with pytest.raises(InputError, match="did you mean 'blur'"):
        distort("blurr", torch.zeros(1, 3, 64, 64), 0.5)
