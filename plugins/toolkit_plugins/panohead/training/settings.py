"""Settings of `toolkit train panohead-mini`."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from toolkit.configuration import Config
from toolkit.interfaces.training import Cadence
from toolkit.training.stepping import EngineSettings
from toolkit_plugins.panohead.config import About, PanoHeadConfig
from toolkit_plugins.panohead.training.network_settings import Count, NetworkSettings, Rate
from toolkit_plugins.panohead.training.rays import RayPlan

Weight = Annotated[float, Field(ge=0)]
_SMALLEST_PATCH = 12
"""Side of a patch in image pixels of which losses see something: they leave out 4 at each border."""
_SMALLEST_JUDGED = 24
"""The same for the discriminator, which halves what is left four times."""


class HeadsSettings(Config):
    """Which procedural heads, and which views and rays of each."""

    dataset: str = "heads360"
    seed: Annotated[int, Field(ge=0)] = 0
    heads: Count = 4000
    cameras: Count = 12
    rays_per_camera: Count = 300
    patches: Count = 1
    patch: Count = 16
    """Side of a patch in rays."""
    traits: bool = False
    """Whether codes are made from the heads' traits, and the mapping learns to give them; else the mapping decides."""
    code_noise: Weight = 0.0
    """Standard deviation of what is added to every number of a code that comes from traits, so that codes close to each
    other make heads close to each other. Trained without it, a generator shows heads of codes 0.3 away 3 dB worse."""
    more_latents: Annotated[int, Field(ge=0)] = 8000
    """Latents beyond the heads', with traits: all give the codes' directions, and the mapping learns from all."""
    folder: str | None = None
    """Where the rays are kept; None: beside the run. Several runs may share one."""
    workers: Count = 2


class LossSettings(Config):
    """Weights of the losses."""

    colour: Weight = 1.0
    chroma: Weight = 0.0
    """Of what differs from grey, beside the whole difference of colours, in rays and patches."""
    mask: Weight = 0.5
    free_space: Weight = 1.0
    occupancy: Weight = 0.4
    patch_raw: Weight = 0.5
    patch_image: Weight = 1.5
    patch_edges: Weight = 1.5
    patch_perceptual: Weight = 0.0
    perceptual: str = "lite0"
    """The perceptual distance of `patch_perceptual`, by its registered name."""
    adversarial: Weight = 0.0
    """Of patches that a discriminator tells from true ones."""
    mapping: Weight = 1.0
    """Of the mean square between the mapping's codes and those of the traits."""
    residual: Weight | None = None
    """Of the mean square of what a head's code has beyond what the mapping makes of its latent; None: nothing."""


class OptimiserSettings(Config):
    """Adam: a short warm-up, then `rate`, and a cosine to zero from `decay_from` on."""

    rate: Rate = 1.2e-2
    decoder_factor: Rate = 3.0
    offset_factor: Rate = 3.0
    """For the learnt mean tri-grid."""
    affine_factor: Rate = 1.0
    """For the layers that turn codes into styles."""
    mapping_factor: Rate = 30.0
    """Makes up for the mapping's learning-rate multiplier of 0.01: without it, z means nothing for hours."""
    residual_factor: Rate = 1.0
    """For what a head's code has beyond the mapping."""
    adversary_rate: Rate = 2.0e-4
    """Of the discriminator, whatever the others' rate. With 1e-3 its logits jumped, and then stayed 0."""
    betas: tuple[float, float] = (0.9, 0.99)
    warmup: Annotated[int, Field(ge=0)] = 100
    decay_from: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of the steps after which the rate falls."""
    average: Annotated[float, Field(ge=0, lt=1)] = 0.998
    """Decay of the averaged weights that are shown and exported."""


class MiniSettings(Config):
    """Everything that decides what `panohead-mini` becomes."""

    name: str = "panohead-mini"
    """Of the generator."""
    seed: Annotated[int, Field(ge=0)] = 0
    steps: Count = 13000
    batch: Count = 4
    start: str | None = None
    """Weights to begin at: of the same networks, or with smaller planes, which are enlarged."""
    mapping_alone: bool = False
    """Whether nothing but the mapping learns, from traits; all else stays as it is at `start`."""
    rays: Count = 512
    """Single rays per head and step."""
    face_share: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Share of these rays that is taken from the face boxes of frontal cameras."""
    patches_from: Annotated[float, Field(ge=0, le=1)] = 0.25
    """Share of the steps after which super-resolution learns, from patches."""
    joint_from: Annotated[float, Field(ge=0, le=1)] = 0.75
    """Share of the steps after which patches teach everything else as well: untrained super-resolution would undo what
    rays have taught."""
    patch_heads: Count = 2
    """Heads of the batch that a patch is taken of."""
    patch_side: Count = 16
    """Side in rays of the part of a stored patch that a step looks at."""
    frame_every: Count = 1
    """Steps between two looks at the frame of an empty picture."""
    patch_samples: tuple[int, int] = (16, 8)
    """Stratified and importance samples on the rays of patches."""
    march_every: Count = 1
    """Steps between two patches that are marched like whole pictures; the others know their depth, which is cheaper."""
    coarse_every: Count | None = None
    """Steps between two patches of half as many rays a side, always marched: they teach super-resolution what cheap
    pictures look like. None: never."""
    evaluation_heads: Count = 8
    network: NetworkSettings = NetworkSettings()
    heads: HeadsSettings = HeadsSettings()
    losses: LossSettings = LossSettings()
    optimiser: OptimiserSettings = OptimiserSettings()
    engine: EngineSettings = EngineSettings()
    cadence: Cadence = Cadence()

    @model_validator(mode="after")
    def _traits_for_the_mapping(self) -> Self:
        if self.mapping_alone and not (self.heads.traits and self.start):
            raise ValueError("mapping_alone needs heads.traits and the weights to start from")
        return self

    @model_validator(mode="after")
    def _patches_can_be_cut(self) -> Self:
        grid, stored, side = self.raw_size, self.heads.patch, self.patch_side
        if stored > grid:
            raise ValueError(f"heads.patch must be at most {grid}, the side of the ray grid, got {stored}")
        pixels = _SMALLEST_JUDGED if self.losses.adversarial else _SMALLEST_PATCH
        least = -(-pixels * grid // self.network.image_size)
        if self.patches_from < 1 and not least <= side <= stored:
            raise ValueError(f"patch_side must be from {least} to {stored} (heads.patch), got {side}")
        return self

    def ray_plan(self) -> RayPlan:
        """The rays that this training looks along."""
        heads = self.heads
        upsampling = self.network.image_size // self.raw_size
        return RayPlan(
            heads.dataset, "train", heads.seed, heads.heads, heads.cameras, heads.rays_per_camera,
            patches=heads.patches, patch=heads.patch, grid=self.raw_size, upsampling=upsampling,
        )  # fmt: skip

    @property
    def raw_size(self) -> int:
        """Side of the ray grid."""
        return self.network.raw_size or self.network.image_size // 2

    def generator_config(self, z_dim: int, face_points: tuple[tuple[float, float, float], ...]) -> PanoHeadConfig:
        """The configuration of the generator that is trained."""
        network = self.network
        return PanoHeadConfig(
            z_dim=z_dim,
            w_dim=network.w_dim,
            mapping_layers=network.mapping_layers,
            mapping_hidden=network.mapping_hidden,
            mapping_last=network.mapping_last,
            image_size=network.image_size,
            raw_size=self.raw_size,
            channel_base=network.channel_base,
            channel_max=network.channel_max,
            plane_size=network.plane_size,
            feature_channels=network.features,
            decoder_hidden=network.decoder_hidden,
            density_scale=network.density_scale,
            use_background=False,
            use_torgb=False,
            decoder_activation="sigmoid",
            white_back=True,
            sr_kind="2X",
            sr_widths=network.sr_widths,
            sr_clamp=None,
            samples=network.samples,
            importance_samples=network.importance_samples,
            ray_start=network.near,
            ray_end=network.far,
            box=network.box,
            crop_margin=0.0,
            plane_offset=True,
            blind_mapping=True,
            about=About(
                name=self.name, world="embedded", licence="Apache-2.0", truncation=1.0, face_points=face_points,
            ),
        )  # fmt: skip
