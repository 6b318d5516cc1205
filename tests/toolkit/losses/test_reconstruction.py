from __future__ import annotations

import pytest
import torch

from toolkit.errors import InputError
from toolkit.losses.reconstruction import l2


def images(seed: int = 0, size: int = 6) -> tuple[torch.Tensor, torch.Tensor]:
    draws = torch.Generator().manual_seed(seed)
    first, second = torch.rand(2, 2, 3, size, size, generator=draws, dtype=torch.float64) * 2 - 1
    return first, second


def test_l2_is_the_mean_over_images_of_the_mean_over_pixels_and_channels():
    first, second = images()
    by_hand = [((a - b) ** 2).sum() / (3 * 36) for a, b in zip(first, second, strict=True)]
    assert torch.allclose(l2(first, second), sum(by_hand) / 2)


def test_black_against_white_is_4():
    black, white = -torch.ones(1, 3, 4, 4), torch.ones(1, 3, 4, 4)
    assert float(l2(black, white)) == 4


def test_pixels_outside_the_mask_do_not_count_and_its_area_does_not_matter():
    first, second = images()
    second[:, :, :, 3:] = 5.0
    mask = torch.zeros(2, 1, 6, 6, dtype=torch.float64)
    mask[:, :, :, :3] = 1
    assert torch.allclose(l2(first, second, mask), l2(first[..., :3], second[..., :3]))
    assert torch.allclose(l2(first, second, 0.5 * mask), l2(first[..., :3], second[..., :3]))


def test_an_empty_mask_counts_as_zero_with_zero_gradient():
    first, second = images()
    first.requires_grad_(True)
    loss = l2(first, second, torch.zeros(1, 1, 6, 6))
    loss.backward()
    assert float(loss.detach()) == 0
    assert float(first.grad.abs().sum()) == 0


def test_a_full_mask_changes_nothing():
    first, second = images()
    assert torch.allclose(l2(first, second, torch.ones(1, 1, 6, 6)), l2(first, second))


def test_gradients_agree_with_finite_differences():
    first, second = images(size=3)
    mask = torch.rand(2, 1, 3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    assert torch.autograd.gradcheck(lambda x: l2(x, second, mask), (first.requires_grad_(True),))


def test_shapes_that_would_broadcast_are_refused():
    first, second = images()
    with pytest.raises(InputError, match="one shape"):
        l2(first, second[:1])
    with pytest.raises(InputError, match="mask must have shape"):
        l2(first, second, torch.ones(2, 3, 6, 6))
    with pytest.raises(InputError, match="pixels"):
        l2(first, second, torch.ones(2, 1, 3, 3))
