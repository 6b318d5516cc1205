from __future__ import annotations

import torch
from torch.nn.functional import avg_pool2d, interpolate

from toolkit.losses.pyramid import feature_difference, pyramid_features
from toolkit.losses.reconstruction import l2


def pyramid_loss(image: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    return feature_difference(pyramid_features(image), pyramid_features(target))


def picture(size: int = 64) -> torch.Tensor:
    """Stripes and a disc: edges at two scales."""
    y, x = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    stripes = ((x // 4) % 2).float()
    disc = ((x - size / 2) ** 2 + (y - size / 2) ** 2 < (size / 4) ** 2).float()
    return (torch.stack([stripes, disc, 1 - disc])[None] * 2 - 1) * 0.8


def blurred(image: torch.Tensor, by: int) -> torch.Tensor:
    return interpolate(avg_pool2d(image, by), scale_factor=by, mode="bilinear", align_corners=False)


def test_equal_images_are_at_distance_zero_and_others_are_not():
    image = picture()
    assert float(pyramid_loss(image, image)) == 0
    assert float(pyramid_loss(image, -image)) > 0.1


def test_the_distance_is_symmetric_and_grows_with_blur():
    image = picture()
    assert torch.allclose(pyramid_loss(image, blurred(image, 4)), pyramid_loss(blurred(image, 4), image))
    distances = [float(pyramid_loss(blurred(image, by), image)) for by in (2, 4, 8)]
    assert distances == sorted(distances)


def test_blur_is_worse_than_an_equally_wrong_brightness():
    image = picture()
    blur = blurred(image, 8)
    shifted = image + l2(blur, image).sqrt()
    assert torch.allclose(l2(shifted, image), l2(blur, image))
    assert pyramid_loss(blur, image) > pyramid_loss(shifted, image)


def test_the_pieces_of_the_pyramid_hold_the_whole_image():
    image = picture(32)
    parts = pyramid_features(image)
    whole = parts[-1]
    for band in reversed(parts[:-1:3]):
        whole = band + interpolate(whole, size=band.shape[2:], mode="bilinear", align_corners=False)
    assert torch.allclose(whole, image, atol=1e-6)


def test_odd_and_tiny_sizes_work():
    for size in (3, 17, 33):
        image = torch.rand(1, 3, size, size, generator=torch.Generator().manual_seed(0))
        assert float(feature_difference(pyramid_features(image), pyramid_features(image + 0.5))) > 0


def test_gradients_agree_with_finite_differences():
    draws = torch.Generator().manual_seed(0)
    image, target = torch.rand(2, 1, 1, 16, 16, generator=draws, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda x: pyramid_loss(x, target), (image.requires_grad_(True),))
