"""The losses of `panohead-mini`: on single rays by known depth, and on patches through super-resolution."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from toolkit.losses.perceptual import Perceptual
from toolkit.nn.superresolution import resize
from toolkit.nn.synthesis import Noise
from toolkit.rendering.marching import Field, MarchSettings, march
from toolkit.rendering.rays import Rays
from toolkit.rendering.sampling import Draws
from toolkit_plugins.panohead.generator import PanoHead
from toolkit_plugins.panohead.training.adversary import Adversary
from toolkit_plugins.panohead.training.batches import MiniBatch, PatchBatch, RayBatch
from toolkit_plugins.panohead.training.guided import (
    Counts,
    GuidedSettings,
    Samples,
    counts_of,
    guided_march,
    guided_samples,
)
from toolkit_plugins.panohead.training.settings import LossSettings

SILENT = Noise("none")
_MARGIN = 2
"""Pixels of super-resolution's input at a patch's border that it enlarges with padding instead of neighbours."""


class PatchLook(NamedTuple):
    """How a step looks at patches."""

    samples: tuple[int, int]
    """Stratified and importance samples on a ray."""
    frame: float = 1.0
    """Multiplies the loss of an empty picture's frame, which is not rendered where it is 0."""
    joint: bool = True
    """Whether gradients reach more than super-resolution."""
    share: float = 1.0
    """Multiplies all other losses: in a part of a batch, its share of the patches over its share of the rows."""


class DrawnHeads(NamedTuple):
    """Heads [B] with single rays, and where these are sampled."""

    numbers: Tensor
    latents: Tensor
    rays: RayBatch
    samples: Samples


class DrawnPatches(NamedTuple):
    """Patches of the first heads, and the random numbers of their rendering."""

    patch: PatchBatch
    jitter: Tensor | None
    """[B, P*P, stratified samples]; None where depth says where to sample."""
    importance: Tensor | None
    """[B, P*P, importance samples]; None where there are none."""
    samples: Samples | None = None
    """Round the known depths; None for patches that are marched like whole pictures."""


class Drawn(NamedTuple):
    """A batch with all that is random about it, drawn for the whole, so that parts of it are the same rows."""

    heads: DrawnHeads
    patches: DrawnPatches | None
    counts: Counts
    """Of one of equal parts."""


def draw(
    generator: PanoHead,
    batch: MiniBatch,
    samples: tuple[int, int],
    source: torch.Generator,
    parts: int = 1,
    *,
    guided_patches: bool = False,
) -> Drawn:
    """Draw from `source` where rays are sampled; `samples` as in `PatchLook`."""
    guided = guided_samples(batch.rays.depths, _guidance(generator), source)
    heads = DrawnHeads(batch.heads, batch.latents, batch.rays, guided)
    counts = counts_of(batch.rays.depths, guided, parts)
    if batch.patch is None:
        return Drawn(heads, None, counts)
    if guided_patches and batch.patch.depths is not None:
        around = guided_samples(batch.patch.depths, _guidance(generator), source)
        return Drawn(heads, DrawnPatches(batch.patch, None, None, around), counts)
    draws, (count, rays, _) = Draws(generator=source), batch.patch.rays.directions.shape
    jitter = draws.jitter_for(count, rays, samples[0], source.device)
    importance = draws.importance_for(count, rays, samples[1], source.device) if samples[1] else None
    return Drawn(heads, DrawnPatches(batch.patch, jitter, importance), counts)


def ray_losses(
    generator: PanoHead,
    volumes: Tensor,
    ws: Tensor,
    heads: DrawnHeads,
    counts: Counts,
    weights: LossSettings,
) -> dict[str, Tensor]:
    """Colour, mask, free-space and occupancy losses of single rays, weighted; `volumes` as the generator reads them."""
    config, settings, rays = generator.config, _guidance(generator), heads.rays
    step = (settings.far - settings.near) / config.samples
    bundle = Rays(rays.origins, rays.directions)
    seen = guided_march(_field(generator, volumes), bundle, rays.depths, heads.samples, counts, step)
    behind = _background_at(generator, ws, rays.places)
    features = seen.features + (1 - seen.opacity)[:, None] if config.white_back else seen.features
    features = generator.centred(features)
    if behind is not None:
        features = features + (1 - seen.opacity)[:, None] * behind
    colours = raw_colours(generator, features[..., None], ws)[..., 0].transpose(1, 2)
    return {
        "colour": weights.colour * colour_difference(colours - rays.colours, -1, weights.chroma),
        "mask": weights.mask * (seen.opacity - (rays.depths > 0).float()).abs().mean(),
        "free_space": weights.free_space * seen.free_space,
        "occupancy": weights.occupancy * seen.occupancy,
    }


def patch_losses(
    generator: PanoHead,
    volumes: Tensor,
    ws: Tensor,
    patches: DrawnPatches,
    weights: LossSettings,
    look: PatchLook,
    perceptual: Perceptual | None = None,
    adversary: Adversary | None = None,
) -> dict[str, Tensor]:
    """Losses of patches, raw and super-resolved, weighted.

    Rendered as at test time, or by known depth where the patches were drawn so. The volumes may be those of more heads:
    patches show the first ones.
    """
    settings = replace(generator.march_settings, count=look.samples[0], importance=look.samples[1])
    ws = ws if look.joint else ws.detach()
    patch = patches.patch
    if patches.samples is not None:
        raw, image, opacity = guided_patch(generator, volumes, ws, patch, patches.samples, look.joint)
    else:
        draws = Draws(patches.jitter, patches.importance)
        raw, image, opacity = patch_render(generator, volumes, ws, patch, settings, draws, look.joint)
    side = patch.places.shape[1]
    small = F.avg_pool2d(patch.image, image.shape[-1] // side)
    covered = F.avg_pool2d(patch.mask, image.shape[-1] // side)
    inner = _MARGIN * generator.config.image_size // generator.config.sr_input
    image, truth = image[..., inner:-inner, inner:-inner], patch.image[..., inner:-inner, inner:-inner]
    losses = {
        "patch_raw": look.share * weights.patch_raw * colour_difference(raw - small, 1, weights.chroma),
        "patch_mask": look.share * weights.mask * (opacity - covered).abs().mean(),
        "patch_image": look.share * weights.patch_image * colour_difference(image - truth, 1, weights.chroma),
        "patch_edges": look.share * weights.patch_edges * edge_difference(image, truth),
        "frame": weights.patch_image * look.frame * blank_frame_error(generator, ws[:1], inner)
        if look.frame
        else ws.new_zeros(()),
    }
    if perceptual is not None:
        with torch.no_grad():
            wanted = perceptual.embed(truth)
        far = perceptual.distance(perceptual.embed(image), wanted)
        losses["patch_perceptual"] = look.share * weights.patch_perceptual * far
    if adversary is not None:
        losses["patch_adversarial"] = look.share * weights.adversarial * adversary.loss(image, truth)
    return losses


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
    volumes: Tensor,
    ws: Tensor,
    patch: PatchBatch,
    settings: MarchSettings,
    draws: Draws,
    through_rays: bool = True,
) -> PatchRender:
    """Render patches without knowing depth, as whole pictures are; gradients may stop at super-resolution."""
    field = _field(generator, volumes)
    with torch.set_grad_enabled(through_rays and torch.is_grad_enabled()):
        marched = march(field, patch.rays, settings, draws=draws, keep=generator.keeps)
    assert marched.features is not None  # for the type checker: this field has features
    return _finished(generator, ws, patch, marched.features, marched.opacity)


def guided_patch(
    generator: PanoHead, volumes: Tensor, ws: Tensor, patch: PatchBatch, samples: Samples, through_rays: bool = True
) -> PatchRender:
    """Render patches by their known depths: a third of the samples; gradients may stop at super-resolution."""
    assert patch.depths is not None  # whoever drew samples round them had them
    config, one = generator.config, volumes.new_ones(())
    with torch.set_grad_enabled(through_rays and torch.is_grad_enabled()):
        seen = guided_march(_field(generator, volumes), patch.rays, patch.depths, samples, Counts(one, one, one), 0.0)
    features = seen.features + (1 - seen.opacity)[:, None] if config.white_back else seen.features
    return _finished(generator, ws, patch, features, seen.opacity)


def _finished(generator: PanoHead, ws: Tensor, patch: PatchBatch, features: Tensor, opacity: Tensor) -> PatchRender:
    """From blended features [B, F, P*P] and opacity [B, P*P] to pictures."""
    side = patch.places.shape[1]
    opacity = opacity.unflatten(1, (side, side))[:, None]
    behind = _background_at(generator, ws, patch.places.flatten(1, 2))
    features = generator.centred(features.unflatten(2, (side, side)))
    if behind is not None:
        features = features + (1 - opacity) * behind.unflatten(2, (side, side))
    raw = raw_colours(generator, features, ws)
    return PatchRender(raw, enlarged(generator, raw, features, ws, patch.image.shape[-1]), opacity)


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
    image = enlarged(generator, raw_colours(generator, background, ws), background, ws, config.image_size)
    wrong = (image - 1).abs()
    border = torch.ones_like(wrong[:1, :1])
    border[..., width:-width, width:-width] = 0
    return (wrong * border).sum() / (3 * len(ws) * border.sum())


def raw_colours(generator: PanoHead, features: Tensor, ws: Tensor) -> Tensor:
    """Raw image [B, 3, H, W] of composited features [B, F, H, W]."""
    return features[:, :3] if generator.torgb is None else generator.torgb(features, ws[:, -1])


def enlarged(generator: PanoHead, raw: Tensor, features: Tensor, ws: Tensor, size: int) -> Tensor:
    """Super-resolve a patch to `size` pixels a side, resized as a whole image would be."""
    styles = ws[:, -1:].expand(-1, 3, -1)
    sr, config = generator.superresolution, generator.config
    side = size * config.sr_input // config.image_size
    raw, features = (resize(part, side, sr.antialias) for part in (raw, features))
    x, image = sr.block0(features, raw, styles, SILENT)
    return sr.block1(x, image, styles, SILENT)[1]


def colour_difference(wrong: Tensor, channels: int, chroma: float) -> Tensor:
    """Mean absolute difference, and `chroma` times that of what differs from grey; `channels` is the axis of RGB.

    Brightness varies four times as much as colour does. Without the second term, everything stays grey for hours.
    """
    plain = wrong.abs().mean()
    return plain + chroma * (wrong - wrong.mean(channels, keepdim=True)).abs().mean() if chroma else plain


def edge_difference(image: Tensor, truth: Tensor) -> Tensor:
    """Mean absolute difference of the horizontal and vertical neighbour differences."""
    wrong = image - truth
    return wrong.diff(dim=-1).abs().mean() + wrong.diff(dim=-2).abs().mean()


def total(losses: Mapping[str, Tensor]) -> Tensor:
    """Sum of weighted losses."""
    return torch.stack(list(losses.values())).sum()


def _guidance(generator: PanoHead) -> GuidedSettings:
    return GuidedSettings(float(generator.config.ray_start), float(generator.config.ray_end))


def _field(generator: PanoHead, volumes: Tensor) -> Field:
    """Volumes as a field; what is summed along rays has the points' own type, whatever autocast computes in."""

    def field(points: Tensor) -> tuple[Tensor, Tensor]:
        density, features = generator.decoder(generator.read(volumes, points))
        return density.to(points.dtype), features.to(points.dtype)

    return field


def _background_at(generator: PanoHead, ws: Tensor, places: Tensor) -> Tensor | None:
    """Background features [B, F, R] at image coordinates [B, R, 2]; None where there is no background network."""
    background = generator.background(ws, noise=SILENT)
    if background is None:
        return None
    return F.grid_sample(background, places[:, None] * 2 - 1, align_corners=False, padding_mode="border")[:, :, 0]
