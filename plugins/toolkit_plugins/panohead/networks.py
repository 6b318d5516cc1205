"""PanoHead's networks under their official state-dict names, and how its volume is read."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from toolkit.errors import InputError
from toolkit.nn import trigrid
from toolkit.nn.decoder import PointDecoder
from toolkit.nn.mapping import MappingNetwork
from toolkit.nn.superresolution import KINDS, SuperResolution
from toolkit.nn.synthesis import NOISE_MODES, Noise, SynthesisNetwork, ToRGB
from toolkit.rendering.marching import MarchSettings
from toolkit_plugins.panohead.config import PanoHeadConfig

NUM_PLANES = 3
LARGE_PLANES = 1 << 21
"""Numbers beyond which planes no longer fit a cache, so that rearranging them pays."""
Seed = int | torch.Generator | None


class Backbone(nn.Module):
    """Mapping and synthesis of the planes."""

    def __init__(self, config: PanoHeadConfig) -> None:
        """Lay out both networks."""
        super().__init__()
        self.synthesis = SynthesisNetwork(
            config.w_dim,
            config.plane_size,
            NUM_PLANES * config.plane_channels,
            channel_base=config.channel_base,
            channel_max=config.channel_max,
            clamp=config.clamp,
        )
        self.mapping = MappingNetwork(
            config.z_dim, config.c_dim, config.w_dim, self.synthesis.num_ws, num_layers=config.mapping_layers
        )


class PanoHeadNetworks(nn.Module):
    """All parts with weights, and the functions of space that they define."""

    def __init__(self, config: PanoHeadConfig) -> None:
        """Lay out the networks with random weights."""
        super().__init__()
        self.config = config
        self.backbone = Backbone(config)
        self.superresolution = SuperResolution(
            KINDS[config.sr_kind],
            config.feature_channels,
            config.image_size,
            config.w_dim,
            widths=config.sr_widths,
            clamp=config.sr_clamp,
            antialias=config.sr_antialias,
        )
        self.decoder = PointDecoder(
            config.feature_channels,
            config.feature_channels,
            hidden=config.decoder_hidden,
            activation=config.decoder_activation,
            lr_multiplier=config.decoder_lr,
            density_scale=config.density_scale,
        )
        self.torgb = ToRGB(config.feature_channels, 3, config.w_dim) if config.use_torgb else None
        self.bcg_synthesis = _background(config) if config.use_background else None
        self.t_mapping = MappingNetwork(
            config.z_dim,
            config.c_dim,
            3,
            1,
            num_layers=config.mapping_layers,
            last_activation="linear",
            lr_multiplier=1.0,
        )

        self.plane_offset = _plane_offset(config) if config.plane_offset else None

    @property
    def num_ws(self) -> int:
        """Number of latents that a W+ code has."""
        return self.backbone.synthesis.num_ws

    @property
    def device(self) -> torch.device:
        """Where the weights live."""
        return self.backbone.mapping.w_avg.device

    @property
    def march_settings(self) -> MarchSettings:
        """Where rays are sampled."""
        config = self.config
        return MarchSettings(
            config.samples,
            config.importance_samples,
            config.ray_start,
            config.ray_end,
            box=config.box,
            disparity=config.disparity,
            white_back=config.white_back,
        )

    def volumes(self, planes: Tensor) -> Tensor:
        """View planes [B, 3, C D, H, W] as volumes [B, 3, C, D, H, W].

        Raises:
            InputError: Not the shape of this generator's planes (H and W are free).
        """
        expected = (NUM_PLANES, self.config.plane_channels)
        if planes.ndim != 5 or tuple(planes.shape[1:3]) != expected:
            raise InputError(
                f"planes must have shape [B, {expected[0]}, {expected[1]}, H, W], got {list(planes.shape)}"
            )
        volumes = trigrid.as_volumes(planes, self.config.plane_depth)
        return volumes if planes[0].numel() < LARGE_PLANES else trigrid.channels_fastest(volumes)

    def read(self, volumes: Tensor, points: Tensor) -> Tensor:
        """Features [B, C, M] at world points [B, M, 3]; one set of volumes may serve several batches of points."""
        points = points.to(volumes.dtype) * (2 / self.config.box)
        if volumes.shape[0] == 1 and points.shape[0] > 1:
            batch, count, _ = points.shape
            shared = trigrid.read_trigrid(volumes, points.reshape(1, -1, 3))
            return shared[0].unflatten(1, (batch, count)).transpose(0, 1)
        return trigrid.read_trigrid(volumes, points)

    def centred(self, features: Tensor) -> Tensor:
        """Blended features as colours and super-resolution take them: a sigmoid's 0..1 become -1..1."""
        return 2 * features - 1 if self.config.decoder_activation == "sigmoid" else features

    def keeps(self, points: Tensor) -> Tensor:
        """Whether the renderer sees world points [..., 3]: the crop along x and z (y is free)."""
        assert self.config.crop_margin is not None  # only asked for where there is a crop
        half = self.config.box / 2 - self.config.crop_margin
        return (points[..., 0].abs() <= half) & (points[..., 2].abs() <= half)

    def noise(self, mode: str, seed: Seed) -> Noise:
        """Check a noise mode and give it its source.

        Raises:
            InputError: Unknown mode, or 'random' without a seed.
        """
        if mode not in NOISE_MODES:
            raise InputError(f"noise must be one of {', '.join(NOISE_MODES)}, got {mode!r}")
        if mode == "random" and seed is None:
            raise InputError("random noise needs a seed (a number or a torch.Generator)")
        return Noise(mode, self.source(seed))

    def source(self, seed: Seed) -> torch.Generator | None:
        """Random source on the weights' device from a number, or the given source itself."""
        if seed is None or isinstance(seed, torch.Generator):
            return seed
        return torch.Generator(device=self.device).manual_seed(seed)


def _plane_offset(config: PanoHeadConfig) -> nn.Parameter:
    return nn.Parameter(torch.zeros(NUM_PLANES, config.plane_channels, config.plane_size, config.plane_size))


def _background(config: PanoHeadConfig) -> SynthesisNetwork:
    base = config.background_channel_base
    most = config.background_channel_max
    return SynthesisNetwork(
        config.w_dim,
        config.sr_input,
        config.feature_channels,
        channel_base=config.channel_base // 2 if base is None else base,
        channel_max=config.channel_max if most is None else most,
        clamp=config.clamp,
    )
