"""A training that begins where one with coarser planes ended."""

from __future__ import annotations

import pytest
import torch

from toolkit.camera import Camera
from toolkit.errors import ConfigError
from toolkit.nn.fir import low_pass, upsample
from toolkit_plugins.panohead.generator import PanoHead
from toolkit_plugins.panohead.loading import build
from toolkit_plugins.panohead.training.growing import grow
from toolkit_plugins.panohead.training.settings import MiniSettings


def generator(side: int, features: int = 4, mapping_hidden: int | None = None) -> PanoHead:
    network = {
        "w_dim": 12, "mapping_layers": 2, "mapping_hidden": mapping_hidden, "channel_base": 128, "channel_max": 16,
        "plane_size": side, "features": features, "decoder_hidden": 8, "sr_widths": [4, 4], "image_size": 64,
    }  # fmt: skip
    settings = MiniSettings.model_validate({"network": network})
    torch.manual_seed(side)
    made = build(settings.generator_config(20, ((0.0, 0.0, 0.0),) * 5)).eval()
    torch.nn.init.normal_(made.plane_offset)
    return made


@torch.no_grad()
def planes_of(made: PanoHead) -> tuple[torch.Tensor, torch.Tensor]:
    z = torch.randn(2, 20, generator=torch.Generator().manual_seed(0))
    ws = made.mapping(z, Camera.orbit())
    return ws[:, 0], made.planes(ws, noise="none")


def test_the_same_networks_are_copied():
    old, new = generator(32), generator(32)
    torch.nn.init.normal_(new.decoder.net[0].weight)
    grow(new, old)
    assert all(torch.equal(value, old.state_dict()[name]) for name, value in new.state_dict().items())


def test_finer_planes_begin_as_the_coarser_ones_enlarged():
    old, new = generator(32), generator(64)
    torch.nn.init.zeros_(old.plane_offset)
    grow(new, old)
    (code, coarse), (same, fine) = planes_of(old), planes_of(new)
    assert torch.equal(code, same)
    wanted = upsample(coarse.flatten(1, 2), low_pass()).unflatten(1, coarse.shape[1:3])
    torch.testing.assert_close(fine, wanted, atol=1e-5, rtol=1e-4)


def test_the_mean_planes_are_enlarged_in_place():
    old, new = generator(32), generator(64)
    with torch.no_grad():
        old.plane_offset.copy_(torch.linspace(-1, 1, 32).expand_as(old.plane_offset))
    grow(new, old)
    torch.testing.assert_close(new.plane_offset[..., 1:-1].diff(dim=-1).std(), torch.tensor(0.0), atol=1e-5, rtol=0)
    assert new.plane_offset.shape[-1] == 64 and new.plane_offset.diff(dim=-2).abs().max() < 1e-6


@pytest.mark.parametrize(("old", "new"), [((32, 4), (32, 8)), ((64, 4), (32, 4))])
def test_other_networks_are_refused(old: tuple[int, int], new: tuple[int, int]):
    with pytest.raises(ConfigError, match="start"):
        grow(generator(*new), generator(*old))


def test_a_wider_mapping_begins_anew():
    old, new = generator(32), generator(32, mapping_hidden=20)
    fresh = {name: value.clone() for name, value in new.state_dict().items()}
    grow(new, old)
    for name, value in new.state_dict().items():
        known = fresh if name.startswith("backbone.mapping.") else old.state_dict()
        assert torch.equal(value, known[name]), name
