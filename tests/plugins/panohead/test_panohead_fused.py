"""When PanoHead marches along rays in fused kernels, and what it tells them."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from toolkit import devices
from toolkit.camera import Camera
from toolkit.devices import choose_arithmetic
from toolkit.errors import InputError
from toolkit.nn.decoder import FEATURE_ACTIVATIONS
from toolkit.nn.trigrid import read_trigrid_reference
from toolkit.nn.two_layers import two_layers_reference
from toolkit.rendering.fused import choosing
from toolkit.rendering.marching import Marched, MarchSettings, march
from toolkit.rendering.rays import Rays, camera_rays
from toolkit.rendering.sampling import Draws
from toolkit.rendering.trigrid_field import TrigridField
from toolkit_plugins.panohead.config import PanoHeadConfig
from toolkit_plugins.panohead.generator import PanoHead

SIZES = PanoHeadConfig(
    z_dim=10,
    w_dim=12,
    image_size=32,
    raw_size=16,
    channel_base=128,
    channel_max=16,
    plane_size=16,
    feature_channels=5,
    decoder_hidden=8,
    decoder_activation="sigmoid",
    density_scale=30.0,
    background_channel_base=32,
    background_channel_max=4,
    sr_kind="2X",
    sr_widths=(6, 4),
    samples=8,
    importance_samples=4,
    box=0.7,
    crop_margin=0.05,
)


@pytest.fixture(scope="module")
def mini() -> PanoHead:
    torch.manual_seed(0)
    return PanoHead(SIZES).eval().requires_grad_(False)


@pytest.fixture(autouse=True)
def exact_again() -> Iterator[None]:
    yield
    choose_arithmetic(())


def marched_as_described(field: TrigridField, rays: Rays, settings: MarchSettings, *, draws: Draws) -> Marched:
    """What `march_fused` computes, from the description alone."""
    weights = field.decoder

    def decoded(points: Tensor) -> tuple[Tensor, Tensor]:
        volumes = field.volumes.expand(len(points), -1, -1, -1, -1, -1)
        rows = read_trigrid_reference(volumes, points * field.scale).transpose(1, 2)
        out = two_layers_reference(rows, weights[:2], weights[2:4])
        return out[..., 0], FEATURE_ACTIVATIONS[weights.activation](out[..., 1:]).transpose(1, 2)

    def kept(points: Tensor) -> Tensor:
        assert field.crop is not None
        return (points[..., 0].abs() <= field.crop) & (points[..., 2].abs() <= field.crop)

    return march(decoded, rays, settings, draws=draws, keep=kept)


@pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="Triton is not installed")
@pytest.mark.parametrize("heads", [1, 2])
def test_where_it_was_chosen_the_kernels_get_all_that_a_view_depends_on(
    mini: PanoHead, heads: int, monkeypatch: pytest.MonkeyPatch
):
    from toolkit.rendering.fused import marching

    asked: list[TrigridField] = []

    def noted(field: TrigridField, *given: object, **named: object) -> Marched:
        asked.append(field)
        return marched_as_described(field, *given, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(marching, "march_fused", noted)
    monkeypatch.setattr(choosing, "DEVICES", ("cpu",))
    ws = mini.mapping(torch.randn(heads, 10, generator=torch.Generator().manual_seed(3)), Camera.orbit())
    planes, cameras = mini.planes(ws), Camera.orbit(torch.tensor([0.2, 2.0]), 0.1)
    plain = mini.render(planes, ws, cameras)
    assert not asked
    choose_arithmetic(["fused-rendering"])
    fused = mini.render(planes, ws, cameras)
    assert len(asked) == 1 and float(fused.mask.std()) > 0.01
    seen = plain.mask > 1e-3  # where rounding alone is seen, any depth is right
    for one, other in ((fused.image, plain.image), (fused.mask, plain.mask), (fused.depth[seen], plain.depth[seen])):
        torch.testing.assert_close(one, other, atol=2e-5, rtol=0)
    choose_arithmetic(["tf32"])
    mini.render(planes, ws, cameras)
    assert len(asked) == 1


@pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="Triton is not installed")
def test_other_devices_types_and_rays_that_learn_are_marched_plainly(monkeypatch: pytest.MonkeyPatch):
    volumes, rays = torch.zeros(1, 3, 4, 1, 8, 8), camera_rays(Camera.orbit(), 4)
    choose_arithmetic(["fused-rendering"])
    assert not choosing.fused_can_march(volumes, rays)  # on a CPU
    monkeypatch.setattr(choosing, "DEVICES", ("cpu",))
    assert choosing.fused_can_march(volumes, rays)
    assert not choosing.fused_can_march(volumes.double(), rays)
    learning = Rays(rays.origins.clone().requires_grad_(), rays.directions)
    assert not choosing.fused_can_march(volumes, learning)
    with torch.no_grad():
        assert choosing.fused_can_march(volumes, learning)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert not choosing.fused_can_march(volumes, rays)


def test_without_triton_one_sentence_refuses_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(devices.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match="fused-rendering needs the package triton"):
        choose_arithmetic(["fused-rendering"])
    assert choose_arithmetic(["tf32"]) == ("tf32",)
