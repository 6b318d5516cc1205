"""A tiny generator that is not a tri-grid: it shows that code depends on the contracts only.

Other latent sizes, planes with channels last that wrap around, another box, a constant background, no crop. Its weights
are random but fixed, its heads are smooth blobs with a face-coloured front and a hair-coloured back.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from toolkit.camera import LABEL_SIZE, Camera, as_camera
from toolkit.devices import without_autocast
from toolkit.errors import InputError, WeightsError
from toolkit.interfaces import GeneratorSpec, Latents, March, Query, Render
from toolkit.tensors import read_weights
from toolkit.testing import spherical_maps as maps

_HIDDEN = 16
_SIZES = (6, 12)
_BOX = 1.2
_REACH = 0.45
"""Rays are marched within this distance of the origin's (world units)."""
_STEPS = 64
_BACKGROUND = -0.9
_SURFACE_LEVEL = 10.0
_SKIN = (0.6, 0.2, 0.0)
_HAIR = (-0.5, -0.7, -0.8)


class _Composite(NamedTuple):
    colour: Tensor
    depth: Tensor
    opacity: Tensor


class BareSphericalGenerator(nn.Module):
    """What every generator must offer, and nothing else."""

    name = "spherical-bare"

    def __init__(self, seed: int = 0) -> None:
        """Draw the weights from a seed."""
        super().__init__()
        self.latents = Latents(z_dim=16, w_dim=24, num_ws=3)
        w_dim, channels = self.latents.w_dim, maps.MAPS * maps.CHANNELS
        self.embed = nn.Linear(self.latents.z_dim + LABEL_SIZE, _HIDDEN)
        self.to_w = nn.Linear(_HIDDEN, w_dim)
        self.first = nn.Linear(w_dim, _HIDDEN * _SIZES[0] ** 2)
        self.first_skip = nn.Conv2d(_HIDDEN, channels, 1)
        self.second_style = nn.Linear(w_dim, _HIDDEN)
        self.second = nn.Conv2d(_HIDDEN, _HIDDEN, 3, padding=1)
        self.second_skip = nn.Conv2d(_HIDDEN, channels, 1)
        self.decode_hidden = nn.Linear(maps.CHANNELS + 4, _HIDDEN)
        self.decode = nn.Linear(_HIDDEN, 1 + maps.CHANNELS)
        self.finish = nn.Linear(w_dim, 3)
        self.w_mean: Tensor
        self.register_buffer("w_mean", torch.zeros(w_dim))
        self._draw_weights(seed)
        self.eval()

    @torch.no_grad()
    def _draw_weights(self, seed: int) -> None:
        generator = torch.Generator().manual_seed(seed)
        for name, parameter in self.named_parameters():
            fan_in = max(parameter[0].numel(), 1) if parameter.ndim > 1 else 4
            scale = 1.5 if name.startswith(("first.", "embed.", "second")) else 1.0
            scale = 0.0 if name == "decode.bias" else scale
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * scale / fan_in**0.5)
        z = torch.randn(256, self.latents.z_dim, generator=generator)
        self.w_mean.copy_(self._map(z, Camera.orbit().expand(256)).mean(0))

    @property
    def spec(self) -> GeneratorSpec:
        """Sizes, ranges and identity; the fingerprint follows the weights."""
        return GeneratorSpec(
            name=self.name,
            latents=self.latents,
            image_size=48,
            raw_size=24,
            box=_BOX,
            visible_half_extent=(_BOX / 2, _BOX / 2, _BOX / 2),
            planes_shape=(maps.MAPS, maps.ROWS, maps.COLUMNS, maps.CHANNELS),
            front_camera=Camera.orbit().to(self.w_mean.device),
            surface_level=_SURFACE_LEVEL,
            background=(_BACKGROUND,) * 3,
            fingerprint=self._fingerprint(),
            licence="Apache-2.0",
        )

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.w_mean.device

    def mapping(
        self, z: Tensor, camera: Camera | Tensor, truncation: float = 1.0, truncation_cutoff: int | None = None
    ) -> Tensor:
        """Map z [B, 16] to ws [B, 3, 24]; the camera matters little."""
        camera = as_camera(camera).to(z.device).to(z.dtype).expand(z.shape[0])
        with without_autocast(z):
            ws = self._map(z, camera)[:, None].repeat(1, self.latents.num_ws, 1)
        truncated = torch.lerp(self.w_mean.expand_as(ws), ws, truncation)
        cutoff = self.latents.num_ws if truncation_cutoff is None else truncation_cutoff
        return torch.cat([truncated[:, :cutoff], ws[:, cutoff:]], dim=1)

    def planes(self, ws: Tensor) -> Tensor:
        """Turn ws [B, 3, 24] into planes [B, 2, 12, 24, 6]."""
        return self._to_maps(self._second_block(*self._first_block(ws), ws)[1])

    def render(self, planes: Tensor, ws: Tensor, camera: Camera | Tensor, resolution: int | None = None) -> Render:
        """Render planes [B, 2, 12, 24, 6]; image 48 px, the rest `resolution` px (24)."""
        side = 24 if resolution is None else resolution
        seen = self._march(planes, camera, side)
        raw = seen.colour + (1 - seen.opacity) * _BACKGROUND
        tint = 0.1 * torch.tanh(self.finish(ws[:, -1]))[:, :, None, None]
        enlarged = F.interpolate(torch.cat([raw, seen.opacity], 1), size=(48, 48), mode="bilinear", align_corners=False)
        return Render(enlarged[:, :3] + enlarged[:, 3:] * tint, raw, seen.depth, seen.opacity)

    def query(self, planes: Tensor, points: Tensor) -> Query:
        """Read density and features at world points [B, M, 3]."""
        read = maps.sample(planes, points, _BOX / 2).mean(1)
        radius = maps.to_polar(points).radius[..., None]
        direction = points / radius
        encoded = torch.cat([read, direction, radius.clamp(max=1.0)], dim=-1)
        bulge, features = self.decode(torch.tanh(self.decode_hidden(encoded))).split([1, maps.CHANNELS], dim=-1)
        face = torch.sigmoid(12 * (direction[..., 2:] - 0.6 * direction[..., 1:2] - 0.2))
        base = face * points.new_tensor(_SKIN) + (1 - face) * points.new_tensor(_HAIR)
        features = torch.cat([base + 0.5 * features[..., :3], features[..., 3:]], dim=-1)
        stretched = (points / points.new_tensor([0.85, 1.05, 0.95])).square().sum(-1, keepdim=True).add(1e-12).sqrt()
        inside = (0.25 + 0.02 * torch.tanh(bulge) - stretched) / 0.02
        return Query(_SURFACE_LEVEL + 50 * torch.tanh(inside), features)

    def _map(self, z: Tensor, camera: Camera) -> Tensor:
        z = F.normalize(z, dim=1) * self.latents.z_dim**0.5
        return self.to_w(F.leaky_relu(self.embed(torch.cat([z, 0.1 * camera.label], dim=1)), 0.2))

    def _first_block(self, ws: Tensor) -> tuple[Tensor, Tensor]:
        x = torch.tanh(self.first(ws[:, 0])).reshape(-1, _HIDDEN, _SIZES[0], _SIZES[0])
        return x, self.first_skip(x)

    def _second_block(self, x: Tensor, skip: Tensor, ws: Tensor) -> tuple[Tensor, Tensor]:
        x, skip = (F.interpolate(each, scale_factor=2.0, mode="bilinear", align_corners=False) for each in (x, skip))
        x = torch.tanh(self.second(x * (1 + self.second_style(ws[:, 1]))[:, :, None, None]))
        return x, skip + self.second_skip(x)

    def _to_maps(self, skip: Tensor) -> Tensor:
        wide = F.interpolate(skip, size=(maps.ROWS, maps.COLUMNS), mode="bilinear", align_corners=False)
        return _from_images(wide)

    def _march(self, planes: Tensor, camera: Camera | Tensor, resolution: int) -> _Composite:
        if resolution < 1:
            raise InputError(f"resolution must be at least 1, got {resolution}")
        batch = planes.shape[0]
        origins, directions = as_camera(camera).to(planes.device).to(planes.dtype).expand(batch).rays(resolution)
        near = origins.norm(dim=1)[:, None, None] - _REACH
        step = 2 * _REACH / _STEPS
        distance = near + step * (torch.arange(_STEPS).to(planes) + 0.5)
        points = origins[:, None, None] + distance[..., None] * directions[:, :, None]
        density, features = self.query(planes, points.flatten(1, 2))
        density = F.softplus(density - 1).reshape(batch, -1, _STEPS)
        before = torch.cumsum(density, 2) - density
        weights = torch.exp(-step * before) * -torch.expm1(-step * density)
        opacity = weights.sum(2, keepdim=True)
        colour = (weights[..., None] * torch.tanh(features[..., :3]).reshape(batch, -1, _STEPS, 3)).sum(2)
        # a trace of weight at the far end gives rays that meet nothing a depth
        depth = ((weights * distance).sum(2, keepdim=True) + 1e-4 * (near + 2 * _REACH)) / (opacity + 1e-4)
        shape = (batch, resolution, resolution, -1)
        return _Composite(*(each.reshape(shape).permute(0, 3, 1, 2) for each in (colour, depth, opacity)))

    def _fingerprint(self) -> str:
        digest = hashlib.sha256(b"spherical 1")
        for name, tensor in sorted(self.state_dict().items()):
            digest.update(name.encode() + tensor.detach().cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()


class SphericalGenerator(BareSphericalGenerator):
    """The same with every optional capability."""

    name = "spherical"

    def march(self, planes: Tensor, camera: Camera | Tensor, resolution: int) -> March:
        """Depth and opacity [B, 1, R, R]."""
        seen = self._march(planes, camera, resolution)
        return March(seen.depth, seen.opacity)

    def footprint(self, points: Tensor, weights: Tensor | None = None) -> Tensor:
        """Where points [B, M, 3] (weights [B, M]) are read: [B, 2, 12, 24]."""
        return maps.splat(points, points.new_ones(points.shape[:2]) if weights is None else weights, _BOX / 2)

    def close(self, occupancy: Tensor, radius: int) -> Tensor:
        """Close a 0/1 occupancy [B, 2, 12, 24]."""
        return maps.close(occupancy, radius)

    def smooth(self, occupancy: Tensor) -> Tensor:
        """Blur an occupancy [B, 2, 12, 24]."""
        return maps.smooth(occupancy)

    def expand(self, occupancy: Tensor) -> Tensor:
        """Broadcast an occupancy [B, 2, 12, 24] to [B, 2, 12, 24, 6]."""
        return occupancy[..., None].expand(*occupancy.shape, maps.CHANNELS)

    def as_images(self, planes: Tensor) -> Tensor:
        """[B, 2, 12, 24, 6] to [B, 12, 12, 24]."""
        return planes.movedim(-1, 2).flatten(1, 2)

    def from_images(self, images: Tensor) -> Tensor:
        """[B, 12, 12, 24] to [B, 2, 12, 24, 6]."""
        return _from_images(images)

    def features(self, ws: Tensor, size: int) -> tuple[Tensor, Tensor]:
        """Features [B, 16, size, size] and skip [B, 12, size, size] after the block of side `size` (6 or 12)."""
        _check_size(size)
        x, skip = self._first_block(ws)
        return (x, skip) if size == _SIZES[0] else self._second_block(x, skip, ws)

    def resume(self, x: Tensor, skip: Tensor, ws: Tensor, size: int) -> Tensor:
        """Go on from `features` to planes [B, 2, 12, 24, 6]."""
        _check_size(size)
        return self._to_maps(self._second_block(x, skip, ws)[1] if size == _SIZES[0] else skip)

    def style_rows(self) -> dict[str, tuple[int, ...]]:
        """The last row tints the final image."""
        return {"super_resolution": (self.latents.num_ws - 1,)}

    def tunable_parameters(self) -> Iterator[tuple[str, nn.Parameter]]:
        """Everything but the mapping."""
        return (pair for pair in self.named_parameters() if not pair[0].startswith(("embed.", "to_w.")))


_G = TypeVar("_G", bound=BareSphericalGenerator)


def build_spherical(weights: Path | None = None, device: str = "cpu") -> SphericalGenerator:
    """Factory of `spherical`; `weights` is a safetensors file of its state dict, None the seeded ones."""
    return _prepare(SphericalGenerator(), weights, device)


def build_bare(weights: Path | None = None, device: str = "cpu") -> BareSphericalGenerator:
    """Build the spherical generator without optional capabilities, registered as `spherical-bare`."""
    return _prepare(BareSphericalGenerator(), weights, device)


def _prepare(generator: _G, weights: Path | None, device: str) -> _G:
    if weights is not None:
        try:
            generator.load_state_dict(read_weights(weights)[0])
        except RuntimeError as error:
            raise WeightsError(f"{weights} does not hold the spherical generator's weights: {error}") from error
    return generator.to(device)


def _from_images(images: Tensor) -> Tensor:
    return images.unflatten(1, (maps.MAPS, maps.CHANNELS)).movedim(2, -1)


def _check_size(size: int) -> None:
    if size not in _SIZES:
        raise InputError(f"size must be one of {', '.join(map(str, _SIZES))}, got {size}")
