"""The networks of EG3D's family under their official state-dict names."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from toolkit.errors import InputError
from toolkit.generators.config import VolumeConfig
from toolkit.nn.decoder import PointDecoder
from toolkit.nn.mapping import MappingNetwork
from toolkit.nn.superresolution import KINDS, SuperResolution
from toolkit.nn.synthesis import NOISE_MODES, Noise, SynthesisNetwork, ToRGB
from toolkit.rendering.marching import KeepMask, MarchSettings
from toolkit.rendering.trigrid_field import TrigridField

Seed = int | torch.Generator | None


class Backbone(nn.Module):
    """Mapping and synthesis of the planes."""

    def __init__(self, config: VolumeConfig) -> None:
        """Lay out both networks."""
        super().__init__()
        self.synthesis = SynthesisNetwork(
            config.w_dim,
            config.plane_size,
            config.backbone_channels,
            channel_base=config.channel_base,
            channel_max=config.channel_max,
            clamp=config.clamp,
        )
        self.mapping = MappingNetwork(
            config.z_dim,
            config.c_dim,
            config.w_dim,
            self.synthesis.num_ws,
            num_layers=config.mapping_layers,
            hidden=config.mapping_hidden,
            last_activation=config.mapping_last,
        )


class VolumeNetworks(nn.Module):
    """The parts with weights that all members of the family have, and those that some have."""

    def __init__(self, config: VolumeConfig) -> None:
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
        self.t_mapping: MappingNetwork | None = None
        """Moves the camera of `generate`; members that have it set it to a `camera_shift_network`."""
        self.torgb = ToRGB(config.feature_channels, 3, config.w_dim) if config.use_torgb else None
        self.bcg_synthesis = _background(config) if config.use_background else None

    def volumes(self, planes: Tensor) -> Tensor:
        """Bring planes into the form that `read` takes; may rearrange them for quick reading.

        Raises:
            InputError: Not the shape of this generator's planes.
        """
        raise NotImplementedError

    def read(self, volumes: Tensor, points: Tensor) -> Tensor:
        """Features [B, C, M] at world points [B, M, 3]; one set of volumes may serve several batches of points."""
        raise NotImplementedError

    def trigrid_field(self, volumes: Tensor) -> TrigridField | None:
        """What is rendered, as plain tensors for kernels of our own; None where volumes are no tri-grid."""
        return None

    def finished(self, image: Tensor) -> Tensor:
        """Planes [B, *planes_shape] from the backbone's output image [B, K, H, W]."""
        raise NotImplementedError

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
        return self.config.march_settings

    @property
    def crop(self) -> KeepMask | None:
        """Which points the renderer sees; None: all."""
        return None if self.config.crop_margin is None else self.keeps

    @property
    def crop_half(self) -> float | None:
        """Largest |x| and |z| that the renderer sees, in world units; None: no limit."""
        margin = self.config.crop_margin
        return None if margin is None else self.config.box / 2 - margin

    def keeps(self, points: Tensor) -> Tensor:
        """Whether the renderer sees world points [..., 3]: the crop along x and z (y is free)."""
        half = self.crop_half
        assert half is not None  # only asked for where there is a crop
        return (points[..., 0].abs() <= half) & (points[..., 2].abs() <= half)

    def centred(self, features: Tensor) -> Tensor:
        """Blended features as colours and super-resolution take them: a sigmoid's 0..1 become -1..1."""
        return 2 * features - 1 if self.config.decoder_activation == "sigmoid" else features

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


def camera_shift_network(config: VolumeConfig) -> MappingNetwork:
    """PanoHead's and SphereHead's `t_mapping`: latent and label to a shift of the camera [B, 1, 3]."""
    return MappingNetwork(
        config.z_dim,
        config.c_dim,
        3,
        1,
        num_layers=config.mapping_layers,
        last_activation="linear",
        lr_multiplier=1.0,
    )


def _background(config: VolumeConfig) -> SynthesisNetwork:
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
