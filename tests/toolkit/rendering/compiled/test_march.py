"""Compiled kernels see what the slow twin sees."""

from __future__ import annotations

import dataclasses
import subprocess
import sys

import pytest
import torch
from torch import Tensor

from toolkit.camera import Camera
from toolkit.nn.decoder import DecoderWeights, PointDecoder
from toolkit.nn.trigrid import read_trigrid_reference
from toolkit.rendering.compiled.march import march_compiled
from toolkit.rendering.marching import Marched, MarchSettings, march
from toolkit.rendering.occupancy import Occupancy, occupied_space
from toolkit.rendering.rays import Rays, camera_rays
from toolkit.rendering.trigrid_field import TrigridField

SETTINGS = MarchSettings(24, 16, 2.1, 3.3, white_back=True)
SIDE = 24
EVERYWHERE = Occupancy(torch.full((8**3,), Occupancy.NEAR, dtype=torch.uint8), 1.0)


def head(
    *,
    channels: int = 6,
    slices: int = 3,
    density: float = 300.0,
    activation: str = "sigmoid",
    crop: float | None = None,
) -> TrigridField:
    """A ball of coloured matter, of radius 0.3 and half as much: channel 0 says how deep inside a point lies."""
    source = torch.Generator().manual_seed(channels + slices)
    volumes = torch.randn(1, 3, channels, slices, SIDE, SIDE, generator=source)
    line = (torch.arange(SIDE) + 0.5) / SIDE - 0.5
    deep = 0.05 - line.square()[:, None] - line.square()[None]
    volumes[:, :, 0] = 20 * deep
    decoder = PointDecoder(channels, 5, hidden=20, activation=activation)
    with torch.no_grad():
        for parameter in decoder.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=source))
        weights = decoder.weights()
        last = weights.last_weight * 0.1
        last[0] = 0
        first, first_bias = weights.first_weight.clone(), weights.first_bias.clone()
        first[0], first_bias[0], last[0, 0] = 0, 0, density  # activation 0 is that of the depth alone
        first[0, 0] = 8
        bias = weights.last_bias.clone()
        bias[0] = -2 * density  # outside the volumes, where 0 is read, there is nothing
    return TrigridField(volumes, 2.0, DecoderWeights(first, first_bias, last, bias, activation), crop)


def slow(field: TrigridField, rays: Rays, settings: MarchSettings) -> Marched:
    """What the readable twin sees of the same field."""

    def whole(points: Tensor) -> tuple[Tensor, Tensor]:
        read = read_trigrid_reference(field.volumes.expand(len(points), -1, -1, -1, -1, -1), points * field.scale)
        decoder = PointDecoder(read.shape[1], 5, hidden=20, activation=field.decoder.activation)
        first, last = decoder.net[0], decoder.net[2]
        with torch.no_grad():
            for layer, weight, bias in ((first, *field.decoder[:2]), (last, *field.decoder[2:4])):
                layer.weight.mul_(0).add_(weight * (layer.weight.shape[1] ** 0.5))
                layer.bias.copy_(bias)
        return decoder(read)

    def inside(points: Tensor) -> Tensor:
        return points[..., [0, 2]].abs().amax(dim=-1) <= field.crop

    with torch.no_grad():
        return march(whole, rays, settings, keep=None if field.crop is None else inside)


def space_of(field: TrigridField, settings: MarchSettings) -> Occupancy:
    def density(points: Tensor) -> Tensor:
        read = read_trigrid_reference(field.volumes, points * field.scale)[0].t()
        weight, bias, last, last_bias, _ = field.decoder
        return (torch.nn.functional.softplus(read @ weight.t() + bias) @ last[0] + last_bias[0])[None]

    return occupied_space(density, 1.0, settings, field.volumes)


def check(field: TrigridField, rays: Rays, settings: MarchSettings, space: Occupancy, atol: float) -> None:
    expected, found = slow(field, rays, settings), march_compiled(field, rays, settings, space=space)
    assert expected.opacity.max() > 0.5, "there must be something to see"
    for name, first, second in zip(expected._fields, expected, found, strict=True):
        seen = expected.opacity > 1e-3 if name == "depth" else torch.ones_like(first, dtype=torch.bool)
        torch.testing.assert_close(
            second[seen], first[seen], atol=atol, rtol=0, msg=lambda text, name=name: f"{name}: {text}"
        )


def views() -> Rays:
    return camera_rays(Camera(torch.cat([Camera.orbit(yaw, 0.2).label for yaw in (0.0, 0.9, 2.0)])), 20)


@pytest.mark.parametrize("activation", ["none", "sigmoid", "lrelu"])
@pytest.mark.parametrize("density", [30.0, 300.0, 20000.0])
def test_views_are_those_of_the_slow_twin(activation: str, density: float) -> None:
    field = head(activation=activation, density=density)
    check(field, views(), SETTINGS, space_of(field, SETTINGS), 3e-4)


@pytest.mark.parametrize("changes", [{"channels": 12}, {"channels": 7}, {"slices": 1}, {"crop": 0.12}, {"slices": 2}])
def test_any_shape_of_volumes_and_crop(changes: dict[str, float]) -> None:
    field = head(**changes)
    check(field, views(), SETTINGS, EVERYWHERE, 3e-4)


@pytest.mark.parametrize(
    "settings",
    [
        dataclasses.replace(SETTINGS, disparity=True, white_back=False),
        dataclasses.replace(SETTINGS, start="auto", end="auto"),
        dataclasses.replace(SETTINGS, count=4, importance=1),
    ],
)
def test_any_way_of_sampling(settings: MarchSettings) -> None:
    check(head(), views(), settings, EVERYWHERE, 3e-4)


def test_rays_of_their_own_origins() -> None:
    rays = views()
    each = Rays(rays.origins + 0.02 * rays.directions, rays.directions)
    check(head(), each, SETTINGS, EVERYWHERE, 3e-4)


def test_empty_space_shows_what_is_behind() -> None:
    space = Occupancy(torch.zeros(8**3, dtype=torch.uint8), 1.0)
    seen = march_compiled(head(), views(), SETTINGS, space=space)
    assert seen.features is not None and (seen.features == 1).all()
    assert not seen.opacity.any() and (seen.depth == seen.depth.max()).all()


def test_rays_that_are_not_numbers_read_nothing_outside_memory() -> None:
    rays = views()
    broken = Rays(rays.origins, torch.full_like(rays.directions, torch.nan))
    assert march_compiled(head(), broken, SETTINGS, space=EVERYWHERE).opacity.shape == rays.directions.shape[:2]


def test_kernels_compile_where_nothing_can_be_kept() -> None:
    """Numba finds no folder to write to, neither beside the file nor in a home."""
    code = (
        "import numba.core.caching as caching; caching.CacheImpl._locator_classes = []\n"
        "from toolkit.rendering.compiled.rays import look\n"
        "print(look.__name__)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "look", done.stderr
