"""GOAE as published, end to end: code, first planes, aligned planes, and the mix that novel views are rendered from."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, cast

import torch.nn.functional as F
from torch import Tensor, nn

from toolkit.camera import Camera, as_camera
from toolkit.errors import CapabilityError, ConfigError, InputError
from toolkit.interfaces import Code, Footprint, Generator, Marching, ResumableSynthesis
from toolkit.rendering.occlusion import RESOLUTION, occlusion_mask
from toolkit_plugins.goae.alignment import FeatureAlignment
from toolkit_plugins.goae.encoder import GoaeEncoder
from toolkit_plugins.goae.fitting import FEATURE_SIZE
from toolkit_plugins.goae.mix import hit_map, mix_planes, visibility

Mixing = Literal["footprint", "published"]
ENCODER, ALIGNMENT, MIX = "goae_encoder", "goae_afa", "mix"
"""Names of both networks and of the mix's settings in files."""
_PLANE_DIMENSIONS = 5


class Reconstruction(NamedTuple):
    """Everything that GOAE makes of an image."""

    ws: Tensor
    """[B, num_ws, w_dim], the average latent included."""
    plain: Tensor
    """Planes of the code alone."""
    aligned: Tensor
    """Planes of the aligned features: the published reconstruction of the input view is rendered from these."""
    mixed: Tensor
    """`aligned` where the input view sees, `plain` elsewhere: novel views are rendered from these."""


class First(NamedTuple):
    """What the code alone gives."""

    ws: Tensor
    """[B, num_ws, w_dim], the average latent included."""
    features: Tensor
    """[B, C, H, W] of the generator, stopped half way."""
    skip: Tensor
    """The generator's skip image there."""
    plain: Tensor
    """Planes."""
    view: Tensor
    """[B, 3, S, S]: the render from the input's camera."""


class GoaeReconstruction(nn.Module):
    """Both networks and the mix, for one generator; a `TrainableEncoder`."""

    average_latent: Tensor

    def __init__(
        self,
        encoder: GoaeEncoder,
        alignment: FeatureAlignment,
        average_latent: Tensor,
        *,
        feature_size: int = FEATURE_SIZE,
        mixing: Mixing = "footprint",
        resolution: int = RESOLUTION,
        view_resolution: int | None = None,
    ) -> None:
        """Put the parts together.

        Args:
            encoder: Image to code.
            alignment: Features to aligned features.
            average_latent: [num_ws, w_dim], added to every code.
            feature_size: Side of the features that are aligned.
            mixing: 'footprint' masks what the view really does not see, entry by entry; 'published' is GOAE's rule for
                the (x, y) plane, for generators with three planes of equal size.
            resolution: Side of the ray grid of the mask's depth; GOAE's rule finds nothing at 64 on planes of 256.
            view_resolution: Side of the ray grid of the first reconstruction; None takes the generator's own.

        Raises:
            ConfigError: Unknown mixing.
        """
        super().__init__()
        if mixing not in ("footprint", "published"):
            raise ConfigError(f"mixing must be 'footprint' or 'published', got {mixing!r}")
        self.encoder, self.alignment = encoder, alignment
        self.register_buffer("average_latent", average_latent.detach().clone(), persistent=False)
        self.feature_size, self.mixing, self.resolution = feature_size, mixing, resolution
        self.view_resolution = view_resolution
        self.keep_unmixed = True
        """Whether `encode_with_extras` keeps the planes before the mix, as 'unmixed'."""
        self.unmixed_view = False
        """Whether it keeps their render from the input's camera, as 'unmixed_view'."""

    def encode(self, image: Tensor, camera: Camera, generator: Generator) -> Code:
        """Code and mixed planes of images [B, 3, S, S] in [-1, 1] (arguments and errors as `forward`)."""
        made = self(image, camera, generator)
        return Code(made.ws, made.mixed)

    def encode_with_extras(
        self, image: Tensor, camera: Camera, generator: Generator
    ) -> tuple[Code, Mapping[str, Tensor]]:
        """Like `encode`; besides, what `keep_unmixed` and `unmixed_view` ask for."""
        made = self(image, camera, generator)
        extras = {"unmixed": made.aligned} if self.keep_unmixed else {}
        if self.unmixed_view:
            extras["unmixed_view"] = generator.render(made.aligned, made.ws, camera).image
        return Code(made.ws, made.mixed), extras

    def parts(self) -> Mapping[str, nn.Module]:
        """Both networks by their names in files."""
        return {ENCODER: self.encoder, ALIGNMENT: self.alignment}

    def sizes(self) -> Mapping[str, Any]:
        """Both networks' settings, and how planes are mixed."""
        return {
            ENCODER: dataclasses.asdict(self.encoder.settings),
            ALIGNMENT: dataclasses.asdict(self.alignment.settings),
            MIX: {
                "feature_size": self.feature_size,
                "mixing": self.mixing,
                "resolution": self.resolution,
                "view_resolution": self.view_resolution,
            },
        }

    def forward(self, image: Tensor, camera: Camera | Tensor, generator: Generator) -> Reconstruction:
        """Reconstruct images.

        Args:
            image: [B, 3, S, S] in [-1, 1], background removed; brought to the sizes that the networks take.
            camera: Saw the images; one each, or one for all.
            generator: Can resume its synthesis, march, and (for 'footprint') knows its footprint.

        Raises:
            CapabilityError: It cannot.
            InputError: Shapes that do not fit.
        """
        cameras = as_camera(camera).to(image.device).to(image.dtype).expand(image.shape[0])
        first = self.first(self.codes(image), cameras, generator)
        aligned = self.aligned(first, image, generator)
        return Reconstruction(first.ws, first.plain, aligned, self.mixed(generator, first.plain, aligned, cameras))

    def codes(self, image: Tensor) -> Tensor:
        """The first network alone: images [B, 3, S, S] in [-1, 1] to ws [B, num_ws, w_dim]."""
        ws: Tensor = self.encoder(resized(image, self.encoder.settings.swin.image_size)).ws + self.average_latent
        return ws

    def first(self, ws: Tensor, cameras: Camera, generator: Generator) -> First:
        """What the generator makes of codes alone.

        Raises:
            CapabilityError: Its synthesis cannot be resumed.
        """
        if not isinstance(generator, ResumableSynthesis):
            raise CapabilityError(f"GOAE needs a generator whose synthesis resumes; {generator.spec.name!r}'s does not")
        features, skip = generator.features(ws, self.feature_size)
        plain = generator.resume(features, skip, ws, self.feature_size)
        view = cast(Generator, generator).render(plain, ws, cameras, self.view_resolution).image
        return First(ws, features, skip, plain, view)

    def aligned(self, first: First, image: Tensor, generator: Generator) -> Tensor:
        """Planes of the features that the second network has aligned to the images [B, 3, S, S]."""
        lacking = self.alignment(resized(image, first.view.shape[-1]), first.view, first.features)
        synthesis = cast(ResumableSynthesis, generator)
        return synthesis.resume(lacking.feature_map_adain, first.skip, first.ws, self.feature_size)

    def mixed(self, generator: Generator, plain: Tensor, aligned: Tensor, cameras: Camera) -> Tensor:
        """`aligned` where the input view sees, `plain` elsewhere."""
        if self.mixing == "published":
            return self._mixed_as_published(generator, plain, aligned, cameras)
        occlusion = occlusion_mask(generator, aligned, cameras, self.resolution)
        footprint = cast(Footprint, generator)  # the mask above has asked for it
        soft = footprint.expand(footprint.smooth(occlusion))
        return aligned.lerp(plain.to(aligned), soft.to(aligned))

    def _mixed_as_published(self, generator: Generator, plain: Tensor, aligned: Tensor, cameras: Camera) -> Tensor:
        if not isinstance(generator, Marching):
            raise CapabilityError(f"GOAE's mix needs a generator that can march; {generator.spec.name!r} cannot")
        if aligned.ndim != _PLANE_DIMENSIONS or aligned.shape[1] != 3 or aligned.shape[-1] != aligned.shape[-2]:
            raise InputError(f"GOAE's published mix needs planes [B, 3, C, S, S], got {list(aligned.shape)}")
        depth = generator.march(aligned.detach(), cameras, self.resolution).depth
        hits = hit_map(cameras, depth, aligned.shape[-1], generator.spec.box)
        return mix_planes(aligned, plain, visibility(hits))


def resized(image: Tensor, size: int) -> Tensor:
    """Bring [B, 3, S, S] to `size` by bicubic interpolation with antialiasing, as the published pipeline does."""
    if image.shape[-1] == size:
        return image
    wanted = (size, size)
    return F.interpolate(image, wanted, mode="bicubic", align_corners=False, antialias=True).clamp(-1, 1)
