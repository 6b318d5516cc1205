"""TriPlaneNet v1 and v2: a code first, then planes corrected by what the first inversion gets wrong.

Sub-modules carry the names of the published checkpoints (`psp_encoder`, `triplanenet_encoder`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol, TypeVar, runtime_checkable

import torch
from torch import Tensor, nn

from toolkit.camera import Camera
from toolkit.encoders.files import EncoderFile, built_from_file
from toolkit.encoders.networks.plane_unet import PlaneOffsets, PlaneRefiner, PlaneUnetConfig
from toolkit.encoders.networks.style_encoder import GradualStyleEncoder, StyleEncoderConfig, codes_of, fit_image
from toolkit.errors import CapabilityError, ConfigError
from toolkit.interfaces import Code, Generator, PlaneImages

FIRST, SECOND = "psp_encoder", "triplanenet_encoder"
"""Names of the stages in files, the published ones."""
VIEW = "view_resolution"

_Stage = TypeVar("_Stage", PlaneOffsets, PlaneRefiner)


@runtime_checkable
class PlaneImageGenerator(Generator, PlaneImages, Protocol):
    """A generator whose planes can be seen as images."""


class FirstInversion(NamedTuple):
    """What the first stage makes of an image."""

    ws: Tensor
    """[B, num_ws, w_dim], the average w added."""
    planes: Tensor
    """[B, *planes_shape]."""
    view: Tensor
    """[B, 3, S, S]: the render from the input's camera, at the encoders' size."""


class _TwoStages(nn.Module):
    """What both versions share: the first stage."""

    average_latent: Tensor

    def __init__(
        self, psp_encoder: GradualStyleEncoder, average_latent: Tensor, view_resolution: int | None = None
    ) -> None:
        """Keep the first stage.

        Args:
            psp_encoder: Image to offsets from the average w.
            average_latent: The generator's average w, [num_ws, w_dim] or [w_dim].
            view_resolution: Side of the ray grid of the renders that the second stage sees; None takes the generator's
                own. Encoders of small images need no large renders.

        Raises:
            ConfigError: The average w has another shape than the encoder's codes.
        """
        super().__init__()
        self.psp_encoder = psp_encoder
        self.view_resolution = view_resolution
        shape = (psp_encoder.config.styles, psp_encoder.config.style_dim)
        if tuple(average_latent.shape) not in (shape, shape[1:]):
            raise ConfigError(f"the average w must have shape {list(shape)}, got {list(average_latent.shape)}")
        average_latent = average_latent.detach().clone().expand(shape).contiguous()
        self.register_buffer("average_latent", average_latent, persistent=False)

    @property
    def image_size(self) -> int:
        """Side at which images are encoded and compared."""
        return self.psp_encoder.config.image_size

    def first(self, image: Tensor, camera: Camera, generator: Generator) -> FirstInversion:
        """Invert images [B, 3, S, S] in [-1, 1] into W+; gradients reach the first stage."""
        ws = self.codes(image)
        return self.seen(ws, generator.planes(ws), camera, generator)

    def seen(self, ws: Tensor, planes: Tensor, camera: Camera, generator: Generator) -> FirstInversion:
        """Join codes and planes with their view from the input's camera."""
        return FirstInversion(ws, planes, self.view(planes, ws, camera, generator))

    def codes(self, image: Tensor) -> Tensor:
        """The first stage alone: images [B, 3, S, S] in [-1, 1] to ws [B, num_ws, w_dim]."""
        return codes_of(self.psp_encoder, image, self.average_latent)

    def view(self, planes: Tensor, ws: Tensor, camera: Camera, generator: Generator) -> Tensor:
        """Render planes at the encoders' size: [B, 3, S, S]."""
        return fit_image(generator.render(planes, ws, camera, self.view_resolution).image, self.image_size)


class TriPlaneNetV1(_TwoStages):
    """First version: offsets from the render and its error, added to the planes of the code."""

    def __init__(
        self,
        psp_encoder: GradualStyleEncoder,
        triplanenet_encoder: PlaneOffsets,
        average_latent: Tensor,
        view_resolution: int | None = None,
    ) -> None:
        """Keep both stages (see `_TwoStages`)."""
        super().__init__(psp_encoder, average_latent, view_resolution)
        self.triplanenet_encoder = _fitting(triplanenet_encoder, channels=6)

    def offsets(self, view: Tensor, image: Tensor) -> Tensor:
        """What to add to the planes, seen as images [B, K, H, W]; gradients reach the second stage only.

        Args:
            view: Render from the input's camera, [B, 3, S, S].
            image: The input at the same size.
        """
        view, image = view.detach(), image.detach()
        return self.triplanenet_encoder(torch.cat([view, image - view], dim=1))

    def encode(self, image: Tensor, camera: Camera, generator: Generator, refinements: int = 0) -> Code:
        """Invert images [B, 3, S, S] in [-1, 1]; `refinements` times, offsets are predicted again from the result.

        Raises:
            CapabilityError: The generator's planes cannot be seen as images.
        """
        look = plane_images(generator)
        first = self.first(image, camera, generator)
        return self.second(first, image, camera, look, refinements)

    def second(
        self, first: FirstInversion, image: Tensor, camera: Camera, generator: Generator, refinements: int = 0
    ) -> Code:
        """The second stage on the result of the first; gradients reach the second stage only."""
        look = plane_images(generator)
        image, ws = fit_image(image, self.image_size), first.ws.detach()
        start = look.as_images(first.planes.detach())
        planes = look.from_images(start + self.offsets(first.view, image))
        for _ in range(refinements):
            # New offsets replace the earlier ones: they are added to the planes of the code again.
            planes = look.from_images(start + self.offsets(self.view(planes, ws, camera, generator), image))
        return Code(ws, planes)


class TriPlaneNetV2(_TwoStages):
    """Second version: sees the planes and the mirrored error as well, and puts out whole planes."""

    def __init__(
        self,
        psp_encoder: GradualStyleEncoder,
        triplanenet_encoder: PlaneRefiner,
        average_latent: Tensor,
        view_resolution: int | None = None,
    ) -> None:
        """Keep both stages (see `_TwoStages`)."""
        super().__init__(psp_encoder, average_latent, view_resolution)
        self.triplanenet_encoder = _fitting(triplanenet_encoder, channels=9)

    def mirrored_view(self, first: FirstInversion, camera: Camera, generator: Generator) -> Tensor:
        """The first inversion from the mirrored camera, [B, 3, S, S]."""
        return self.view(first.planes, first.ws, camera.mirror(), generator)

    def encode(self, image: Tensor, camera: Camera, generator: Generator) -> Code:
        """Invert images [B, 3, S, S] in [-1, 1].

        Raises:
            CapabilityError: The generator's planes cannot be seen as images.
        """
        look = plane_images(generator)
        first = self.first(image, camera, generator)
        return self.second(first, self.mirrored_view(first, camera, generator), image, look)

    def second(
        self,
        first: FirstInversion,
        mirrored_view: Tensor,
        image: Tensor,
        generator: Generator,
        *,
        detach: bool = True,
    ) -> Code:
        """The second stage on the result of the first.

        Args:
            first: What the first stage made of the images.
            mirrored_view: [B, 3, S, S], its view from the mirrored camera.
            image: The input, [B, 3, S, S] in [-1, 1].
            generator: Can see planes as images.
            detach: Whether gradients stop at the first stage's code and planes; they always stop at its views.

        Raises:
            CapabilityError: The generator's planes cannot be seen as images.
        """
        look = plane_images(generator)
        image, view, mirrored = fit_image(image, self.image_size).detach(), first.view.detach(), mirrored_view.detach()
        inputs = torch.cat([view, image - view, image.flip(3) - mirrored], dim=1)
        ws, planes = (first.ws.detach(), first.planes.detach()) if detach else (first.ws, first.planes)
        return Code(ws, look.from_images(self.triplanenet_encoder(inputs, look.as_images(planes))))

    def parts(self) -> Mapping[str, nn.Module]:
        """Both stages by their names in files."""
        return {FIRST: self.psp_encoder, SECOND: self.triplanenet_encoder}

    def sizes(self) -> Mapping[str, Any]:
        """Both stages' configurations, and the side of the renders' ray grid."""
        return {
            FIRST: dataclasses.asdict(self.psp_encoder.config),
            SECOND: dataclasses.asdict(self.triplanenet_encoder.config),
            VIEW: self.view_resolution,
        }


@built_from_file
def build_triplanenet(file: EncoderFile, prefix: str = "") -> TriPlaneNetV2:
    """The TriPlaneNet v2 of a file.

    Args:
        file: Holds both stages.
        prefix: Stands before the stages' names where a file holds several encoders, e.g. 'encoder1.'.

    Raises:
        WeightsError: A stage is missing or does not fit.
    """
    place = (prefix.removesuffix("."),) if prefix else ()
    first = GradualStyleEncoder(file.settings(StyleEncoderConfig, *place, FIRST))
    second = PlaneRefiner(file.settings(PlaneUnetConfig, *place, SECOND))
    file.load_into(first, prefix + FIRST)
    file.load_into(second, prefix + SECOND)
    return TriPlaneNetV2(first, second, file.average_latent, file.count(*place, VIEW))


def plane_images(generator: Generator) -> PlaneImageGenerator:
    """The generator as one whose planes can be seen as images.

    Raises:
        CapabilityError: They cannot.
    """
    if not isinstance(generator, PlaneImageGenerator):
        raise CapabilityError(
            f"a second stage needs planes that can be seen as images, which generator {generator.spec.name!r} does not "
            "offer"
        )
    return generator


def _fitting(stage: _Stage, channels: int) -> _Stage:
    if stage.config.in_channels != channels:
        raise ConfigError(f"this second stage must take {channels} channels, got {stage.config.in_channels}")
    return stage
