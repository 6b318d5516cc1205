"""Which entries of a representation an input view does not see (the paper's O, Eq. 3).

An entry is visible if the generator, reading at a surface point that some pixel of the view shows, reads it with
non-zero weight (or says otherwise: capability `VisibleEntries`). How points spread over entries is the generator's own
business (its `footprint`), so this works for every representation. Entries in the free space between camera and surface
count as occluded, as in the published recipe, unless `free_space` asks for them.
"""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, NamedTuple, cast

import torch
from torch import Tensor

from toolkit.camera import Camera, as_camera
from toolkit.devices import constant
from toolkit.errors import CapabilityError, InputError
from toolkit.interfaces import Footprint, Marching, SlotMerging, VisibleEntries
from toolkit.rendering.rays import camera_rays, cube_limits, points_on

if TYPE_CHECKING:
    from toolkit.interfaces import Generator, GeneratorSpec

RESOLUTION = 256
"""Side of the ray grid: at PanoHead's own 64 px, pixels are further apart than texels.

With the miniature's 64 texels, 128 finds 97 % and 64 finds 92 % of what 256 does, in a third and a tenth of the time.
"""
OPACITY = 0.5
"""Accumulated opacity above which a pixel shows a surface; the depth of emptier ones means nothing."""
CLOSING = 1
"""Radius in texels of the closing that fills the gaps between pixels at grazing surfaces."""
CLEARANCE = 0.01
"""Share of the box's side that free-space samples stay in front of the surface."""


class SurfacePoints(NamedTuple):
    """What the pixels of a view show."""

    points: Tensor
    """[B, R*R, 3] world points, the origin where a pixel shows nothing."""
    weights: Tensor
    """[B, R*R], 1 where a pixel shows a surface inside the visible box, else 0."""


@torch.no_grad()
def occlusion_mask(
    generator: Generator,
    planes: Tensor,
    camera: Camera | Tensor,
    resolution: int = RESOLUTION,
    *,
    per_slot: bool = True,
    closing: int = CLOSING,
    free_space: int = 0,
    shell: float = 0.0,
) -> Tensor:
    """Mark what the input view does not see; carries no gradient.

    Args:
        generator: Marches the planes and knows their layout (capabilities `Marching` and `Footprint`).
        planes: [B, *spec.planes_shape].
        camera: The input views' cameras, one per head or one for all.
        resolution: Side of the ray grid.
        per_slot: Keep entries apart that differ in depth only; False: a hit anywhere in a column makes the whole column
            visible, the tri-plane reading (capability `SlotMerging`).
        closing: Radius in texels by which gaps between hits are closed, of heads that have gaps: closing what half the
            resolution finds is then right more often than wrong. In a map as coarse as 12 x 24 it would fill true
            notches.
        free_space: Samples per pixel between the box's front and the surface that count as seen, too.
        shell: World units by which the surface is thickened to both sides.

    Returns:
        In the shape of the generator's occupancy: 1 = occluded, 0 = visible. `generator.expand` brings it to the shape
        of planes.

    Raises:
        CapabilityError: The generator lacks a capability that is needed.
        InputError: An option is out of range, or cameras and planes do not fit.
    """
    footprint = _checked_footprint(generator, per_slot)
    if closing < 0 or free_space < 0 or not (math.isfinite(shell) and shell >= 0):
        raise InputError(f"closing, free_space and shell must not be negative, got {closing}, {free_space} and {shell}")
    seen = seen_points(generator, planes, camera, resolution, free_space=free_space, shell=shell)
    visible = _visible(footprint, seen.points, seen.weights)
    gaps = _has_gaps(footprint, seen, visible, resolution, closing) if closing else None
    if not per_slot:
        visible = cast(SlotMerging, generator).merge_slots(visible)
    # whether there is any: a shortcut on the CPU, which on a GPU would cost a wait
    if gaps is not None and (gaps.device.type != "cpu" or bool(gaps.any())):
        gaps = gaps.view(-1, *[1] * (visible.ndim - 1))
        visible = torch.where(gaps, footprint.close(visible, closing), visible)
    return 1 - visible


@torch.no_grad()
def seen_points(
    generator: Generator,
    planes: Tensor,
    camera: Camera | Tensor,
    resolution: int = RESOLUTION,
    *,
    free_space: int = 0,
    shell: float = 0.0,
) -> SurfacePoints:
    """World points that a view shows: one per pixel, and more on its ray if asked for (options of `occlusion_mask`).

    Returns:
        [B, M, 3] and [B, M] with M = resolution^2 times the points per ray.

    Raises:
        CapabilityError: The generator cannot march.
        InputError: Cameras and planes do not fit, or the resolution is below 1.
    """
    if not isinstance(generator, Marching):
        raise CapabilityError(f"an occlusion mask needs a generator that can march; {_name(generator)} cannot")
    if resolution < 1:
        raise InputError(f"resolution must be at least 1, got {resolution}")
    cameras = as_camera(camera).to(planes.device).to(planes.dtype).expand(planes.shape[0])
    seen = generator.march(planes, cameras, resolution)
    depth, hit = seen.depth.flatten(1), seen.opacity.flatten(1) > OPACITY
    rays = camera_rays(cameras, resolution)
    spec = generator.spec
    depths = [depth]
    if shell > 0:
        depths += [depth - shell, depth + shell]
    if free_space > 0:
        entry = cube_limits(rays, spec.box)[0].clamp(min=0)
        end = torch.maximum(depth - CLEARANCE * spec.box, entry)
        depths += [torch.lerp(entry, end, (sample + 0.5) / free_space) for sample in range(free_space)]
    stacked = torch.stack(depths, dim=-1)
    points = points_on(rays, stacked)
    weights = hit[..., None] & torch.isfinite(stacked) & is_visible(points, spec)
    points = torch.where(weights[..., None], points, 0.0)
    return SurfacePoints(points.flatten(1, 2), weights.to(planes.dtype).flatten(1))


def is_visible(points: Tensor, spec: GeneratorSpec) -> Tensor:
    """Whether world points [..., 3] lie in the box and in what the renderer shows: [...]."""
    reach = constant(spec.visible_half_extent, points).clamp(max=spec.box / 2)
    return (points.abs() <= reach).all(dim=-1)


def _visible(footprint: Footprint, points: Tensor, weights: Tensor) -> Tensor:
    """Which entries are read at points [B, M, 3] with weights [B, M] that are not 0: 1 or 0, as an occupancy."""
    if isinstance(footprint, VisibleEntries):
        return footprint.visible_entries(points, weights)
    return (footprint.footprint(points, weights) > 0).to(points.dtype)


def _has_gaps(footprint: Footprint, seen: SurfacePoints, visible: Tensor, resolution: int, closing: int) -> Tensor:
    """Whether closing is right more often than wrong with every second row and column of pixels: [B], per head."""
    if resolution == 1:
        return torch.ones(len(visible), dtype=torch.bool, device=visible.device)
    grid = (resolution, resolution, -1)
    points, weights = seen.points.unflatten(1, grid), seen.weights.unflatten(1, grid)
    balance = visible.new_zeros(len(visible))
    for row, column in itertools.product((0, 1), repeat=2):  # all four, so that a mirrored view decides alike
        some = (slice(None), slice(row, None, 2), slice(column, None, 2))
        found = _visible(footprint, points[some].flatten(1, 3), weights[some].flatten(1, 3))
        gained = footprint.close(found, closing) - found
        balance += ((2 * visible - 1) * gained).flatten(1).sum(1)
    return balance > 0


def _checked_footprint(generator: Generator, per_slot: bool) -> Footprint:
    if not isinstance(generator, Footprint):
        raise CapabilityError(
            f"an occlusion mask needs a generator that knows its footprint; {_name(generator)} does not"
        )
    if not per_slot and not isinstance(generator, SlotMerging):
        raise CapabilityError(
            f"an occlusion mask of whole columns needs a generator with depth slots; {_name(generator)} has none"
        )
    return generator


def _name(generator: Generator) -> str:
    return repr(generator.spec.name)
