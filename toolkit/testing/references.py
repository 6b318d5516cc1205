"""Slow, readable twins of the fast paths in `toolkit.nn`; tests compare each pair, gradients included."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from toolkit.nn.activation import LEAKY_SLOPE
from toolkit.nn.fir import resample, same_padding
from toolkit.nn.modulated import DEMODULATION_EPSILON
from toolkit.nn.trigrid import volume_coordinates


def convolve_reference(
    x: Tensor,
    weight: Tensor,
    kernel: Tensor | None = None,
    *,
    up: int = 1,
    down: int = 1,
    groups: int = 1,
    flip: bool = False,
) -> Tensor:
    """Slow twin of `convolve`, straight from the definition: insert zeros, filter, convolve, filter, decimate."""
    pad = weight.shape[-1] // 2
    weight = weight.flip([2, 3]) if flip else weight
    if kernel is None:
        return F.conv2d(x, weight, padding=pad, groups=groups)
    padding = same_padding(kernel, up=up, down=down, extra=pad)
    identity = torch.ones(1, 1).to(x)
    x = resample(x, kernel if up > 1 else identity, up=(up, up), padding=padding, gain=float(up * up))
    x = F.conv2d(x, weight, groups=groups) if down == 1 else F.conv2d(resample(x, kernel), weight, groups=groups)
    return x[:, :, ::down, ::down]


def modulated_convolve_reference(
    x: Tensor,
    weight: Tensor,
    styles: Tensor,
    *,
    kernel: Tensor | None = None,
    up: int = 1,
    demodulate: bool = True,
    noise: Tensor | None = None,
) -> Tensor:
    """Slow twin of `modulated_convolve`: one weight per sample, one sample at a time."""
    outputs = []
    for sample, style in zip(x, styles, strict=True):
        own = weight * style[None, :, None, None]
        if demodulate:
            own = own * (own.square().sum(dim=(1, 2, 3), keepdim=True) + DEMODULATION_EPSILON).rsqrt()
        filtered = kernel if up > 1 else None
        outputs.append(convolve_reference(sample[None], own, filtered, up=up, flip=up > 1))
    result = torch.cat(outputs)
    return result if noise is None else result + noise


def styled_convolution_reference(
    x: Tensor,
    weight: Tensor,
    styles: Tensor,
    bias: Tensor,
    *,
    kernel: Tensor | None = None,
    noise: Tensor | None = None,
    gain: float = 1.0,
    slope: float = LEAKY_SLOPE,
    clamp: float | None = None,
) -> Tensor:
    """Slow twin of `styled_convolution`, one step after another."""
    up = 1 if kernel is None else 2
    styles = styles.expand(len(x), -1)
    x = modulated_convolve_reference(x, weight, styles, kernel=kernel, up=up, noise=noise)
    x = F.leaky_relu(x + bias[:, None, None], slope) * gain
    return x if clamp is None else x.clamp(-clamp, clamp)


def splat_maps_reference(coordinates: Tensor, size: tuple[int, int], weights: Tensor) -> Tensor:
    """Slow twin of `splat_maps`: add the four corner weights of each reading one corner at a time."""
    batch, count = coordinates.shape[:2]
    result = coordinates.new_zeros(batch, count, *size)
    sizes = torch.tensor(size[::-1], device=coordinates.device)
    positions = ((coordinates + 1) * sizes - 1) / 2
    low = positions.floor()
    item = torch.arange(batch, device=coordinates.device)[:, None, None]
    which = torch.arange(count, device=coordinates.device)[None, :, None]
    for corner in range(4):
        offset = torch.tensor([corner & 1, corner >> 1], device=coordinates.device)
        index = (low + offset).long()
        share = torch.where(offset.bool(), positions - low, 1 - (positions - low)).prod(dim=-1)
        inside = ((index >= 0) & (index < sizes)).all(dim=-1)
        column, row = torch.where(inside[..., None], index, 0).unbind(dim=-1)
        places = (item.expand_as(row), which.expand_as(row), row, column)
        result.index_put_(places, share * inside * weights, accumulate=True)
    return result


def footprint_reference(points: Tensor, shape: tuple[int, int, int], weights: Tensor | None = None) -> Tensor:
    """Slow twin of `footprint`: add the eight corner weights of each point one corner at a time."""
    batch, count, _ = points.shape
    weights = points.new_ones(batch, count) if weights is None else weights
    result = points.new_zeros(batch, 3, *shape)
    sizes = torch.tensor(shape[::-1], device=points.device)
    positions = ((volume_coordinates(points) + 1) * sizes - 1) / 2
    low = positions.floor()
    for corner in range(8):
        offset = torch.tensor([corner >> axis & 1 for axis in range(3)], device=points.device)
        index = (low + offset).long()
        share = torch.where(offset.bool(), positions - low, 1 - (positions - low)).prod(dim=-1)
        inside = ((index >= 0) & (index < sizes)).all(dim=-1)
        w, h, d = torch.where(inside[..., None], index, 0).unbind(dim=-1)
        which = torch.arange(batch, device=points.device)[:, None, None].expand_as(w)
        plane = torch.arange(3, device=points.device)[None, :, None].expand_as(w)
        result.index_put_((which, plane, d, h, w), share * inside * weights[:, None], accumulate=True)
    return result
