"""Occlusion masks of a real PanoHead whose weights are written by hand so that its head is an ellipsoid."""

from __future__ import annotations

import functools
import math

import numpy as np
import pytest
import torch
from torch import Tensor

from toolkit.camera import Camera
from toolkit.rendering.occlusion import occlusion_mask, seen_points
from toolkit_plugins.panohead.config import PanoHeadConfig
from toolkit_plugins.panohead.generator import PanoHead

SIZE = 64
STEEPNESS = 200_000.0
BALL, HEAD = (0.25, 0.25, 0.25), (0.2, 0.29, 0.25)
BIAS = 20.0
"""Where the decoder's softplus is as good as linear."""


@functools.cache
def generator() -> PanoHead:
    """A tiny PanoHead whose raw density is STEEPNESS (1 - 3 f), f being channel 0 of what is read."""
    config = PanoHeadConfig(
        z_dim=16, w_dim=24, image_size=32, raw_size=8, channel_base=256, channel_max=16, plane_size=SIZE,
        feature_channels=3, decoder_hidden=4, sr_widths=(8, 8),
    )  # fmt: skip
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        built = PanoHead(config).eval().requires_grad_(False)
        first, last = built.decoder.net[0], built.decoder.net[2]
        for layer in (first, last):
            layer.weight.zero_()
            layer.bias.zero_()
        first.weight[0, 0] = 1 / first.weight_gain
        first.bias[0] = BIAS / first.bias_gain
        last.weight[0, 0] = -3 * STEEPNESS / last.weight_gain
        last.bias[0] = STEEPNESS * (1 + 3 * BIAS) / last.bias_gain
    return built


def ellipsoid(axes: tuple[float, float, float]) -> Tensor:
    """Planes [1, 3, C D, H, W]; channel 0 reads (x/a)^2 + (y/b)^2 from the first and (z/c)^2 from the second."""
    line = ((torch.arange(SIZE) + 0.5) / SIZE - 0.5).square()
    planes = torch.zeros(1, 3, 3, 3, SIZE, SIZE)  # heads, planes, channels, slices, rows, columns
    planes[:, 0, 0] = line[None, :] / axes[0] ** 2 + line[:, None] / axes[1] ** 2
    planes[:, 1, 0] = line[:, None] / axes[2] ** 2
    return planes.flatten(2, 3)


def expected(camera: Camera, axes: tuple[float, float, float], count: int = 200_000) -> Tensor:
    """Visible entries [3, D, H, W] from points on the ellipsoid's near side, marked by plain arithmetic."""
    index = np.arange(count) + 0.5
    polar, azimuth = np.arccos(1 - 2 * index / count), np.pi * (1 + 5**0.5) * index
    unit = np.stack([np.cos(azimuth) * np.sin(polar), np.sin(azimuth) * np.sin(polar), np.cos(polar)], 1)
    points = unit * np.asarray(axes)
    near = (unit / np.asarray(axes) * (camera.position[0].double().numpy() - points)).sum(1) > 0
    points = points[near]
    found = np.zeros((3, 3, SIZE, SIZE), bool)
    for plane, (column, row, rest) in enumerate(((0, 1, 2), (0, 2, 1), (1, 2, 0))):
        places = [(points[:, axis] + 0.5) * size - 0.5 for axis, size in ((rest, 3), (row, SIZE), (column, SIZE))]
        for corner in range(8):
            index_ = tuple(np.floor(place).astype(int) + (corner >> bit & 1) for bit, place in enumerate(places))
            found[(plane, *index_)] = True
    return torch.from_numpy(found)


@pytest.mark.parametrize(
    ("axes", "yaw", "pitch"),
    [(BALL, 0.0, 0.0), (HEAD, 0.7, 0.3), (HEAD, math.pi / 2, 0.0), (BALL, 2.9, -0.4)],
)
def test_the_marched_mask_agrees_with_the_exact_one(axes: tuple[float, float, float], yaw: float, pitch: float) -> None:
    camera = Camera.orbit(yaw, pitch)
    visible = 1 - occlusion_mask(generator(), ellipsoid(axes), camera, 192)[0]
    exact = expected(camera, axes)
    assert visible.shape == exact.shape
    assert float((visible.bool() == exact).float().mean()) >= 0.99
    both = (visible.bool() & exact).sum()
    assert both >= 0.9 * exact.sum()
    assert both >= 0.95 * visible.sum()


def test_only_what_the_view_reads_is_marked_visible() -> None:
    planes, camera = ellipsoid((0.22, 0.28, 0.25)), Camera.orbit(0.5)
    seen = seen_points(generator(), planes, camera, 64)
    points = seen.points[:, seen.weights[0] > 0]
    occluded = generator().expand(occlusion_mask(generator(), planes, camera, 64, closing=0)).bool()
    noise = torch.randn(planes.shape, generator=torch.Generator().manual_seed(0))
    before = generator().volumes(planes)
    outside = generator().volumes(torch.where(occluded, planes + noise, planes))
    inside = generator().volumes(torch.where(occluded, planes, planes + noise))
    read = generator().read(before, points)
    assert torch.equal(generator().read(outside, points), read)
    assert bool((generator().read(inside, points) != read).any(1).all())


def test_heads_of_a_batch_are_masked_alone() -> None:
    planes = torch.cat([ellipsoid((0.2, 0.28, 0.25)), ellipsoid((0.25, 0.2, 0.22))])
    cameras = Camera.orbit(torch.tensor([0.3, 2.0]), torch.tensor([0.1, -0.2]))
    together = occlusion_mask(generator(), planes, cameras, 48)
    for index in range(2):
        alone = occlusion_mask(generator(), planes[index : index + 1], cameras[index], 48)
        assert float((alone[0] != together[index]).float().mean()) < 1e-4


def test_whole_columns_keep_the_shape_and_hide_less() -> None:
    planes, camera = ellipsoid((0.22, 0.28, 0.25)), Camera.orbit(0.5)
    slots = occlusion_mask(generator(), planes, camera, 64)
    columns = occlusion_mask(generator(), planes, camera, 64, per_slot=False)
    assert columns.shape == slots.shape == (1, 3, 3, SIZE, SIZE)
    assert bool((columns <= slots).all())
    assert bool((columns < slots).any())
    assert torch.equal(columns, columns[:, :, :1].expand_as(columns))
    assert generator().expand(columns).shape == planes.shape
