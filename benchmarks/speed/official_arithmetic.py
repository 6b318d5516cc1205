"""The slow twin: PanoHead's pictures by the arithmetic of the official code, one readable step after another.

Weights modulated per sample (so that styles' gradients cost weight gradients), filters as convolutions of padded
tensors with zeros between pixels, one tensor per step of an activation, all samples of all rays at once, features
sorted along rays. It takes our modules' weights and returns what they return.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from toolkit.camera import Camera
from toolkit.nn.decoder import FEATURE_ACTIVATIONS
from toolkit.nn.superresolution import resize
from toolkit.nn.trigrid import AXES
from toolkit.rendering.rays import camera_rays, points_on
from toolkit.rendering.sampling import importance_depths, stratified_depths


class OfficialRender(NamedTuple):
    """A picture, and what it was made from."""

    image: Tensor
    raw: Tensor


def filtered(x: Tensor, kernel: Tensor, up: int, padding: tuple[int, int], gain: float) -> Tensor:
    """Zeros between pixels, padding on all four sides (before, after), one depth-wise convolution."""
    batch, channels, height, width = x.shape
    x = F.pad(x.reshape(batch, channels, height, 1, width, 1), [0, up - 1, 0, 0, 0, up - 1])
    x = x.reshape(batch, channels, height * up, width * up)
    before, after = padding
    x = F.pad(x, [max(before, 0), max(after, 0), max(before, 0), max(after, 0)])
    x = x[:, :, max(-before, 0) : x.shape[2] - max(-after, 0), max(-before, 0) : x.shape[3] - max(-after, 0)]
    weight = (kernel * gain).flip([0, 1])[None, None].repeat(channels, 1, 1, 1)
    return F.conv2d(x, weight, groups=channels)


def modulated(x: Tensor, weight: Tensor, styles: Tensor, kernel: Tensor | None, *, demodulate: bool) -> Tensor:
    """Convolution with a weight of its own for every sample, all samples as groups of one convolution."""
    batch, inputs, height, width = x.shape
    outputs, _, size, _ = weight.shape
    own = weight[None] * styles.reshape(batch, 1, -1, 1, 1)
    if demodulate:
        own = own * (own.square().sum(dim=[2, 3, 4]) + 1e-8).rsqrt().reshape(batch, -1, 1, 1, 1)
    x = x.reshape(1, batch * inputs, height, width)
    if kernel is None:
        x = F.conv2d(x, own.reshape(-1, inputs, size, size), padding=size // 2, groups=batch)
    else:
        spread = own.transpose(1, 2).reshape(batch * inputs, outputs, size, size)
        x = filtered(F.conv_transpose2d(x, spread, stride=2, groups=batch), kernel, 1, (1, 1), 4.0)
    return x.reshape(batch, outputs, *x.shape[2:])


def layer(module: Any, x: Tensor, w: Tensor, *, noisy: bool) -> Tensor:
    """One synthesis layer."""
    x = modulated(x, module.weight, module.affine(w), module.resample_filter if module.up == 2 else None,
                  demodulate=True)  # fmt: skip
    if noisy:
        x = x.add_(module.noise_const * module.noise_strength)
    x = F.leaky_relu(x + module.bias.reshape(1, -1, 1, 1), 0.2) * math.sqrt(2)
    return x if module.clamp is None else x.clamp(-module.clamp, module.clamp)


def to_image(module: Any, x: Tensor, w: Tensor) -> Tensor:
    """A layer's contribution to the running image."""
    styles = module.affine(w) * module.weight_gain
    x = modulated(x, module.weight, styles, None, demodulate=False) + module.bias.reshape(1, -1, 1, 1)
    return x if module.clamp is None else x.clamp(-module.clamp, module.clamp)


def block(module: Any, x: Tensor | None, image: Tensor | None, ws: Tensor, *, noisy: bool) -> tuple[Tensor, Tensor]:
    """One synthesis block; ws [N, 2 or 3, w_dim]."""
    styles = iter(ws.unbind(dim=1))
    first = x is None
    x = module.const[None].repeat(len(ws), 1, 1, 1) if x is None else x
    if not first:
        x = layer(module.conv0, x, next(styles), noisy=noisy)
    x = layer(module.conv1, x, next(styles), noisy=noisy)
    if image is not None and module.up == 2:
        image = filtered(image, module.resample_filter, 2, (2, 1), 4.0)
    rgb = to_image(module.torgb, x, next(styles))
    return x, rgb if image is None else image + rgb


def synthesis(network: Any, ws: Tensor, *, noisy: bool = True) -> Tensor:
    """A synthesis network's image from ws [N, num_ws, w_dim]."""
    x, image, first = None, None, 0
    for side in network.sizes:
        part = network.get_submodule(f"b{side}")
        x, image = block(part, x, image, ws[:, first : first + part.num_conv + 1], noisy=noisy)
        first += part.num_conv
    assert image is not None
    return image


def read(volumes: Tensor, points: Tensor, box: float) -> Tensor:
    """Mean of the three readings [B, M, C] of volumes [B, 3, C, D, H, W] at points [B, M, 3]."""
    batch, count = volumes.shape[:2]
    places = torch.stack([points[..., list(axes)] for axes in AXES], dim=1) * (2 / box)
    grid = places.reshape(batch * count, 1, 1, -1, 3)
    found = F.grid_sample(volumes.flatten(0, 1), grid, mode="bilinear", padding_mode="zeros", align_corners=False)
    return found.reshape(batch, count, volumes.shape[2], -1).permute(0, 1, 3, 2).mean(dim=1)


def decoded(generator: Any, x: Tensor) -> tuple[Tensor, Tensor]:
    """Raw density [B, M, 1] and features [B, M, F] from what was read [B, M, C]."""
    first, _, last = generator.decoder.net
    hidden = F.softplus(_dense(first, x.reshape(-1, x.shape[-1])))
    out = _dense(last, hidden).reshape(*x.shape[:2], -1)
    decoder = generator.decoder
    return out[..., :1] * decoder.density_scale, FEATURE_ACTIVATIONS[decoder.activation](out[..., 1:])


def _dense(module: Any, x: Tensor) -> Tensor:
    return torch.addmm((module.bias * module.bias_gain)[None], x, (module.weight * module.weight_gain).t())


def volumes_of(generator: Any, planes: Tensor) -> Tensor:
    """Volumes [B, 3, C, D, H, W] of planes."""
    config = generator.config
    return planes.reshape(len(planes), 3, config.feature_channels, config.plane_depth, *planes.shape[-2:])


def field(generator: Any, volumes: Tensor, points: Tensor) -> tuple[Tensor, Tensor]:
    """Density and features at points [B, R, S, 3], empty outside the crop: [B, R, S, 1], [B, R, S, F]."""
    flat = points.flatten(1, 2)
    density, features = decoded(generator, read(volumes, flat, generator.config.box))
    if generator.crop is not None:
        density = torch.where(generator.crop(flat)[..., None], density, -1e3)
    shape = points.shape[:3]
    return density.reshape(*shape, 1), features.reshape(*shape, -1)


def marched(depths: Tensor, density: Tensor) -> Tensor:
    """Weights [B, R, S - 1, 1] of intervals."""
    opacity = 1 - torch.exp(-F.softplus((density[:, :, :-1] + density[:, :, 1:]) / 2 - 1) * depths.diff(dim=2))
    clear = torch.cat([torch.ones_like(opacity[:, :, :1]), 1 - opacity + 1e-10], dim=-2)
    return opacity * torch.cumprod(clear, dim=-2)[:, :, :-1]


def raw_features(generator: Any, planes: Tensor, camera: Camera, side: int) -> tuple[Tensor, Tensor]:
    """Features [B, F, side, side] and opacity [B, 1, side, side]."""
    settings, volumes = generator.march_settings, volumes_of(generator, planes)
    rays = camera_rays(camera, side)
    coarse = stratified_depths(float(settings.start), float(settings.end), torch.full((1, 1, settings.count), 0.5))
    coarse = coarse.expand(len(planes), side**2, -1)
    density, features = field(generator, volumes, points_on(rays, coarse))
    weights = marched(coarse[..., None], density)
    fine = importance_depths(coarse, weights[..., 0], torch.linspace(0, 1, settings.importance)[None, None])
    density2, features2 = field(generator, volumes, points_on(rays, fine))
    depths, order = torch.cat([coarse, fine], dim=-1).sort(dim=-1)
    order = order[..., None]
    features = torch.cat([features, features2], dim=-2)
    features = torch.gather(features, -2, order.expand(-1, -1, -1, features.shape[-1]))
    density = torch.gather(torch.cat([density, density2], dim=-2), -2, order)
    weights = marched(depths[..., None], density)
    seen = (weights * ((features[:, :, :-1] + features[:, :, 1:]) / 2)).sum(-2)
    opacity = weights.sum(2)
    if settings.white_back:
        seen = seen + 1 - opacity
    return seen.transpose(1, 2).unflatten(2, (side, side)), opacity.transpose(1, 2).unflatten(2, (side, side))


def planes_of(generator: Any, ws: Tensor) -> Tensor:
    """Planes from ws."""
    return generator.finished(synthesis(generator.backbone.synthesis, ws))


def background(generator: Any, ws: Tensor) -> Tensor:
    """The background's features."""
    return synthesis(generator.bcg_synthesis, ws[:, : generator.bcg_synthesis.num_ws])


def enlarged(generator: Any, raw: Tensor, features: Tensor, ws: Tensor) -> Tensor:
    """Super-resolution."""
    network = generator.superresolution
    styles = ws[:, -1:].repeat(1, 3, 1)
    raw, features = (resize(part, network.input_size, network.antialias) for part in (raw, features))
    x, image = block(network.block0, features, raw, styles, noisy=False)
    return block(network.block1, x, image, styles, noisy=False)[1]


def render(generator: Any, planes: Tensor, ws: Tensor, camera: Camera, side: int | None = None) -> OfficialRender:
    """A view of planes."""
    features, opacity = raw_features(generator, planes, camera, side or generator.config.raw_size)
    features = generator.centred(features)
    if generator.bcg_synthesis is not None:
        features = features + (1 - opacity) * resize(background(generator, ws), features.shape[-1])
    raw = features[:, :3] if generator.torgb is None else to_image(generator.torgb, features, ws[:, -1])
    return OfficialRender(enlarged(generator, raw, features, ws), raw)


def query(generator: Any, planes: Tensor, points: Tensor) -> tuple[Tensor, Tensor]:
    """Density [B, M, 1] and features [B, M, F] at world points [B, M, 3]."""
    return decoded(generator, read(volumes_of(generator, planes), points, generator.config.box))
