from __future__ import annotations

import pytest
import torch

from toolkit.encoders.networks.official_sizes import style_encoder_config
from toolkit.encoders.networks.style_encoder import GradualStyleEncoder, StyleEncoderConfig, fit_image, level_of
from toolkit.weights.shapes import shapes_of


def encoder(**sizes) -> GradualStyleEncoder:
    torch.manual_seed(0)
    return GradualStyleEncoder(StyleEncoderConfig(style_dim=6, width=4, units=(1, 1, 1, 1), **sizes)).eval()


def test_styles_are_read_coarse_to_fine():
    assert [level_of(style) for style in range(9)] == [0, 0, 0, 1, 1, 1, 1, 2, 2]
    net = encoder(styles=9, image_size=64)
    convolutions = [sum(isinstance(layer, torch.nn.Conv2d) for layer in block.convs) for block in net.styles]
    assert convolutions == [2, 2, 2, 3, 3, 3, 3, 4, 4]


@pytest.mark.parametrize("styles", [1, 3, 5, 7, 8, 18])
@pytest.mark.parametrize("image_size", [32, 64, 128])
def test_any_number_of_styles_at_any_size_uses_all_its_weights(styles: int, image_size: int):
    net = encoder(styles=styles, image_size=image_size)
    codes = net(torch.randn(1, 3, image_size, image_size))
    assert codes.shape == (1, styles, 6)
    codes.sum().backward()
    assert [name for name, parameter in net.named_parameters() if parameter.grad is None] == []


def test_a_published_size_has_the_published_number_of_parameters():
    with torch.device("meta"):
        counts = [
            sum(parameter.numel() for parameter in GradualStyleEncoder(StyleEncoderConfig(styles=n)).parameters())
            for n in (14, 18)
        ]
    assert counts == [209_450_688, 267_136_704]


def test_maps_that_no_asked_style_reads_are_left_out():
    net, image = encoder(styles=9, image_size=64), torch.randn(1, 3, 64, 64)
    everything = net.levels(image)
    assert [len(net.levels(image, count)) for count in (1, 3, 4, 7, 8)] == [1, 1, 2, 2, 3]
    assert torch.equal(net.levels(image, 5)[1], everything[1])


def test_larger_images_become_means_over_pixels_and_smaller_ones_smooth():
    image = torch.randn(1, 3, 8, 8)
    assert fit_image(image, 8) is image
    torch.testing.assert_close(fit_image(image, 4), torch.nn.functional.avg_pool2d(image, 2))
    assert fit_image(image, 16).shape == (1, 3, 16, 16)
    assert torch.equal(fit_image(torch.ones(1, 3, 8, 8), 16), torch.ones(1, 3, 16, 16))


def test_narrow_style_blocks_save_weights_and_are_read_off_the_shapes():
    narrow, wide = encoder(styles=8, image_size=64, block_width=5), encoder(styles=8, image_size=64)
    assert narrow(torch.randn(1, 3, 64, 64)).shape == (1, 8, 6)
    counts = [sum(parameter.numel() for parameter in net.styles.parameters()) for net in (narrow, wide)]
    assert counts[0] < counts[1] / 5
    for net in (narrow, wide):
        assert style_encoder_config(shapes_of(net.state_dict())) == net.config
