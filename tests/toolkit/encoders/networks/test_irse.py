from __future__ import annotations

import pytest
import torch

from toolkit.encoders.networks.irse import (
    UNITS,
    ResidualTrunk,
    ResidualUnit,
    SqueezeExcitation,
    Subsampling,
    warm_start,
)
from toolkit.errors import ConfigError


def small(in_channels: int = 3, **options) -> ResidualTrunk:
    torch.manual_seed(in_channels)
    return ResidualTrunk(in_channels, 4, (1, 2, 1, 2), **options).eval()


def test_stages_halve_the_side_and_double_the_width():
    trunk = small()
    maps = trunk.pyramid(torch.randn(2, 3, 32, 32))
    assert [tuple(level.shape) for level in maps] == [(2, 4, 16, 16), (2, 8, 8, 8), (2, 16, 4, 4), (2, 32, 2, 2)]
    assert trunk.stage_ends == (0, 2, 3, 5)
    assert torch.equal(trunk.deepest(torch.ones(1, 3, 32, 32)), trunk.pyramid(torch.ones(1, 3, 32, 32))[-1])


def test_the_50_layer_trunk_has_the_published_number_of_parameters():
    with torch.device("meta"):
        trunk = ResidualTrunk()
    assert sum(parameter.numel() for parameter in trunk.parameters()) == 30_950_080
    assert trunk.stage_ends == (2, 6, 20, 23)
    assert [sum(UNITS[depth]) for depth in (50, 100, 152)] == [24, 49, 50]


def test_taps_are_the_units_outputs_and_later_units_do_not_run():
    trunk, image = small(), torch.randn(1, 3, 32, 32)
    ran: list[int] = []
    for index, unit in enumerate(trunk.body):
        unit.register_forward_hook(lambda module, inputs, output, index=index: ran.append(index))
    first, second = trunk.taps(image, (0, 3))
    assert ran == [0, 1, 2, 3]
    by_hand = trunk.body[0](trunk.input_layer(image))
    assert torch.equal(first, by_hand)
    assert torch.equal(second, trunk.body[1:4](by_hand))


def test_a_shortcut_without_weights_takes_every_other_pixel():
    x = torch.arange(36.0).reshape(1, 1, 6, 6)
    assert torch.equal(Subsampling(2)(x), torch.nn.functional.max_pool2d(x, 1, 2))
    assert Subsampling(1)(x) is x
    unit = ResidualUnit(4, 4, 2, attention=False).eval()
    torch.nn.init.zeros_(unit.res_layer[3].weight)
    y = torch.randn(1, 4, 6, 6)
    assert torch.equal(unit(y), y[..., ::2, ::2])
    assert "shortcut_layer.0.weight" not in unit.state_dict()
    assert "shortcut_layer.0.weight" in ResidualUnit(4, 8, 1, attention=False).state_dict()


def test_attention_scales_channels_by_the_means_of_all():
    block, x = SqueezeExcitation(32), torch.randn(2, 32, 3, 3)
    factors = (block(x) / x).detach()
    torch.testing.assert_close(factors, factors[..., :1, :1].expand_as(factors))
    assert float(factors.min()) > 0 and float(factors.max()) < 1
    assert block.fc1.weight.shape == (2, 32, 1, 1)


def test_attention_can_be_left_out():
    assert not [key for key in small(attention=False).state_dict() if "fc1" in key]


def test_a_trunk_starts_from_a_recogniser_whatever_its_stem():
    recogniser = {**small(3).state_dict(), "output_layer.3.bias": torch.zeros(1)}
    wide = small(9)
    kept = wide.input_layer[0].weight[:, 3:].clone()
    warm_start(wide, recogniser)
    assert torch.equal(wide.input_layer[0].weight[:, :3], recogniser["input_layer.0.weight"])
    assert torch.equal(wide.input_layer[0].weight[:, 3:], kept)
    torch.testing.assert_close(wide.body.state_dict(), small(3).body.state_dict())


def test_a_start_that_does_not_fit_is_named():
    recogniser = small(3).state_dict()
    del recogniser["body.1.res_layer.1.weight"]
    with pytest.raises(ConfigError, match=r"body\.1\.res_layer\.1\.weight is missing"):
        warm_start(small(3), recogniser)
    with pytest.raises(ConfigError, match="of shape"):
        warm_start(ResidualTrunk(3, 8, (1, 2, 1, 2)), small(3).state_dict())


def test_impossible_sizes_are_refused():
    with pytest.raises(ConfigError, match="4 stages"):
        ResidualTrunk(units=(1, 1, 1))
    with pytest.raises(ConfigError, match="at least 1 unit"):
        ResidualTrunk(units=(1, 1, 0, 1))
    with pytest.raises(ConfigError, match="channel"):
        ResidualTrunk(width=0)
