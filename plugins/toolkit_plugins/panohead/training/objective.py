"""The losses of `panohead-mini`: on single rays by known depth, and on patches through super-resolution."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from toolkit.nn.synthesis import Noise
from toolkit.rendering.marching import MarchSettings, march
from toolkit.rendering.rays import Rays
from toolkit.rendering.sampling import Draws
from toolkit_plugins.panohead.generator import PanoHead
from toolkit_plugins.panohead.training.guided import GuidedSettings, guided_depths, guided_march
from toolkit_plugins.panohead.training.settings import LossSettings

SILENT = Noise("none")
MARGIN = 2
"""Rays at a patch's border whose super-resolution sees padding instead of neighbours."""


class RayBatch(NamedTuple):
    """Single rays of a batch of heads."""

    origins: Tensor
    """[B, R, 3]."""
    directions: Tensor
    """[B, R, 3]."""
    places: Tensor
    """[B, R, 2] image coordinates 0..1."""
    colours: Tensor
    """[B, R, 3] in [-1, 1]."""
    depths: Tensor
    """[B, R], 0 for a miss."""


class PatchBatch(NamedTuple):
    """One patch of each head."""

    rays: Rays
    """[B, P*P] rays."""
    places: Tensor
    """[B, P, P, 2] image coordinates 0..1."""
    image: Tensor
    """[B, 3, uP, uP] in [-1, 1]."""
    mask: Tensor
    """[B, 1, uP, uP] in [0, 1]."""


def ray_losses(
    generator: PanoHead, planes: Tensor, ws: Tensor, rays: RayBatch, weights: LossSettings, source: torch.Generator
) -> dict[str, Tensor]:
    """Colour, mask, free-space and occupancy losses of single rays, weighted."""
    config = generator.config
    settings = GuidedSettings(float(config.ray_start), float(config.ray_end))
    depths, is_free = guided_depths(rays.depths, settings, source)
    volumes = generator.volumes(planes)
    step = (settings.far - settings.near) / config.samples
    seen = guided_march(
        lambda points: generator.decoder(generator.read(volumes, points)),
        Rays(rays.origins, rays.directions), rays.depths, depths, is_free, step,
    )  # fmt: skip
    behind = _background_at(generator, ws, rays.places)
    features = seen.features + (1 - seen.opacity)[:, None] if config.white_back else seen.features
    features = generator.centred(features)
    if behind is not None:
        features = features + (1 - seen.opacity)[:, None] * behind
    colours = raw_colours(generator, features[..., None], ws)[..., 0].transpose(1, 2)
    return {
        "colour": weights.colour * (colours - rays.colours).abs().mean(),
        "mask": weights.mask * (seen.opacity - (rays.depths > 0).float()).abs().mean(),
        "free_space": weights.free_space * seen.free_space,
        "occupancy": weights.occupancy * seen.occupancy,
    }


def patch_losses(
    generator: PanoHead,
    planes: Tensor,
    ws: Tensor,
    patch: PatchBatch,
    weights: LossSettings,
    samples: tuple[int, int],
    source: torch.Generator,
    frame: float = 1.0,
    joint: bool = True,
) -> dict[str, Tensor]:
    """Losses of patches rendered as at test time (no depth known), raw and super-resolved, weighted.

    `frame` multiplies the loss of an empty picture's frame, which is not rendered where it is 0; without `joint`,
    gradients reach super-resolution only.
    """
    settings = replace(generator.march_settings, count=samples[0], importance=samples[1])
    ws = ws if joint else ws.detach()
    raw, image, opacity = patch_render(generator, planes, ws, patch, settings, Draws(generator=source), joint)
    side = patch.places.shape[1]
    small = F.avg_pool2d(patch.image, image.shape[-1] // side)
    covered = F.avg_pool2d(patch.mask, image.shape[-1] // side)
    scale = image.shape[-1] // side
    inner = scale * MARGIN
    image, truth = image[..., inner:-inner, inner:-inner], patch.image[..., inner:-inner, inner:-inner]
    return {
        "patch_raw": weights.patch_raw * (raw - small).abs().mean(),
        "patch_mask": weights.mask * (opacity - covered).abs().mean(),
        "patch_image": weights.patch_image * (image - truth).abs().mean(),
        "patch_edges": weights.patch_edges * edge_difference(image, truth),
        "frame": weights.patch_image * frame * blank_frame_error(generator, ws[:1], scale * MARGIN)
        if frame
        else torch.zeros(()),
    }


class PatchRender(NamedTuple):
    """A patch as it is rendered at test time."""

    raw: Tensor
    """[B, 3, P, P]."""
    image: Tensor
    """[B, 3, uP, uP]."""
    opacity: Tensor
    """[B, 1, P, P]."""


def patch_render(
    generator: PanoHead,
    planes: Tensor,
    ws: Tensor,
    patch: PatchBatch,
    settings: MarchSettings,
    draws: Draws,
    through_rays: bool = True,
) -> PatchRender:
    """Render patches without knowing depth, as whole pictures are; gradients may stop at super-resolution."""
    volumes = generator.volumes(planes)
    with torch.set_grad_enabled(through_rays and torch.is_grad_enabled()):
        marched = march(
            lambda points: generator.decoder(generator.read(volumes, points)),
            patch.rays, settings, draws=draws, keep=generator.keeps,
        )  # fmt: skip
    assert marched.features is not None  # for the type checker: this field has features
    side = patch.places.shape[1]
    opacity = marched.opacity.unflatten(1, (side, side))[:, None]
    behind = _background_at(generator, ws, patch.places.flatten(1, 2))
    features = generator.centred(marched.features.unflatten(2, (side, side)))
    if behind is not None:
        features = features + (1 - opacity) * behind.unflatten(2, (side, side))
    raw = raw_colours(generator, features, ws)
    return PatchRender(raw, enlarged(generator, raw, features, ws), opacity)


def blank_frame_error(generator: PanoHead, ws: Tensor, width: int) -> Tensor:
    """How far the border, `width` pixels wide, of an empty super-resolved picture is from white.

    The inside of patches never shows super-resolution the frame's edge, where it sees padding instead of neighbours.
    """
    config = generator.config
    background = generator.background(ws, noise=SILENT)
    if background is None:
        empty = 1.0 if config.white_back else 0.0
        background = ws.new_full((len(ws), config.feature_channels, config.raw_size, config.raw_size), empty)
        background = generator.centred(background)
    image = enlarged(generator, raw_colours(generator, background, ws), background, ws)
    wrong = (image - 1).abs()
    border = torch.ones_like(wrong[:1, :1])
    border[..., width:-width, width:-width] = 0
    return (wrong * border).sum() / (3 * len(ws) * border.sum())


def raw_colours(generator: PanoHead, features: Tensor, ws: Tensor) -> Tensor:
    """Raw image [B, 3, H, W] of composited features [B, F, H, W]."""
    return features[:, :3] if generator.torgb is None else generator.torgb(features, ws[:, -1])


def enlarged(generator: PanoHead, raw: Tensor, features: Tensor, ws: Tensor) -> Tensor:
    """Super-resolve a patch of any side, without the resize that whole images get."""
    styles = ws[:, -1:].expand(-1, 3, -1)
    sr = generator.superresolution
    x, image = sr.block0(features, raw, styles, SILENT)
    return sr.block1(x, image, styles, SILENT)[1]


def edge_difference(image: Tensor, truth: Tensor) -> Tensor:
    """Mean absolute difference of the horizontal and vertical neighbour differences."""
    wrong = image - truth
    return wrong.diff(dim=-1).abs().mean() + wrong.diff(dim=-2).abs().mean()


def total(losses: Mapping[str, Tensor]) -> Tensor:
    """Sum of weighted losses."""
    return torch.stack(list(losses.values())).sum()


def _background_at(generator: PanoHead, ws: Tensor, places: Tensor) -> Tensor | None:
    """Background features [B, F, R] at image coordinates [B, R, 2]; None where there is no background network."""
    background = generator.background(ws, noise=SILENT)
    if background is None:
        return None
    return F.grid_sample(background, places[:, None] * 2 - 1, align_corners=False, padding_mode="border")[:, :, 0]
