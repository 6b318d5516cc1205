"""A code first, then planes that go down the gradient of what the first inversion gets wrong, by learned steps."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from toolkit.camera import Camera
from toolkit.encoders.networks.plane_descent import PlaneDescent
from toolkit.encoders.networks.style_encoder import GradualStyleEncoder, codes_of, fit_image
from toolkit.encoders.triplanenet import FIRST, plane_images
from toolkit.interfaces import Code, Generator, Perceptual
from toolkit.losses.perceptual import open_perceptual
from toolkit.losses.reconstruction import l2

DESCENT = "descent"
"""Name of the second stage in files."""
FURTHER = 0.4
"""Size of the steps beyond those of the training, until one is refused. Whole ones overshoot: skin begins to glow."""
LARGEST_SIDE = 256
"""Larger pictures are compared at this side."""


class ViewError:
    """How far heads are from a picture: mean squared difference of pixels, and a weighted perceptual distance."""

    def __init__(
        self,
        perceptual: Perceptual | None,
        weight: float,
        image: Tensor,
        camera: Camera,
        ignored: Tensor | None = None,
    ) -> None:
        """Embed the picture once.

        Args:
            perceptual: None: pixels only.
            weight: Of the perceptual distance.
            image: [B, 3, S, S] in [-1, 1].
            camera: What saw it.
            ignored: Booleans [B, 1, S, S]: pixels where the picture says nothing of the heads; None: nowhere.
        """
        self.ignored = ignored
        self.image = fit_image(image, min(image.shape[-1], LARGEST_SIDE))
        self.camera, self.weight = camera, weight
        self.perceptual = perceptual if weight else None
        if self.perceptual is not None:
            with torch.no_grad():
                self.embedded = self.perceptual.embed(self.image)

    def of(self, generator: Generator, planes: Tensor, ws: Tensor, resolution: int | None) -> tuple[Tensor, Tensor]:
        """Both terms, weighted: scalars, means over heads."""
        return self.of_view(generator.render(planes, ws, self.camera, resolution).image)

    def of_view(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """The same of views [B, 3, S, S] of any size that were rendered already."""
        view = fit_image(image, self.image.shape[-1])
        if self.ignored is not None:
            view = torch.where(self.ignored, self.image, view)
        pixels = l2(view, self.image)
        if self.perceptual is None:
            return pixels, torch.zeros_like(pixels)
        return pixels, self.weight * self.perceptual.distance(self.perceptual.embed(view), self.embedded)

    def gradient(
        self, generator: Generator, planes: Tensor, ws: Tensor, resolution: int | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The gradient with respect to planes, and both weighted terms, detached."""
        with torch.enable_grad():
            leaf = planes.detach().requires_grad_(True)
            pixels, features = self.of(generator, leaf, ws.detach(), resolution)
            (found,) = torch.autograd.grad(pixels + features, leaf)
        return found, pixels.detach(), features.detach()


class DescentEncoder(nn.Module):
    """Reads a code off an image, then improves its planes in a few learned steps; a `TrainableEncoder`."""

    average_latent: Tensor

    def __init__(
        self,
        psp_encoder: GradualStyleEncoder,
        descent: PlaneDescent,
        average_latent: Tensor,
        steps: int | None = None,
    ) -> None:
        """Keep both stages.

        Args:
            psp_encoder: Image to offsets from the average w.
            descent: What takes the steps.
            average_latent: [num_ws, w_dim].
            steps: How many an inversion takes; None: as many as in the training. More steps make the input view more
                like the photo, and the rest of the head less like the heads of the training.
        """
        super().__init__()
        self.psp_encoder, self.descent = psp_encoder, descent
        self.steps = descent.config.steps if steps is None else steps
        self.register_buffer("average_latent", average_latent.detach().clone(), persistent=False)
        self._perceptual: dict[torch.device, Perceptual] = {}

    @property
    def image_size(self) -> int:
        """Side at which the first stage looks at images."""
        return self.psp_encoder.config.image_size

    def codes(self, image: Tensor) -> Tensor:
        """The first stage alone: images [B, 3, S, S] in [-1, 1] to ws [B, num_ws, w_dim]."""
        return codes_of(self.psp_encoder, image, self.average_latent)

    def view_error(self, image: Tensor, camera: Camera) -> ViewError:
        """What the steps go by, for pictures [B, 3, S, S] in [-1, 1].

        Raises:
            ConfigError: The perceptual distance is not registered.
            MissingDependencyError: A package that it needs is not installed.
        """
        config, device = self.descent.config, image.device
        if config.perceptual_weight and device not in self._perceptual:
            self._perceptual[device] = open_perceptual(config.perceptual, device=device)
        return ViewError(self._perceptual.get(device), config.perceptual_weight, image, camera)

    def encode(self, image: Tensor, camera: Camera, generator: Generator) -> Code:
        """Encode images [B, 3, S, S] in [-1, 1] as what `camera` saw.

        Raises:
            CapabilityError: The generator's planes cannot be seen as images.
        """
        return self.descend(self.codes(image), image, camera, generator)

    def descend(self, ws: Tensor, image: Tensor, camera: Camera, generator: Generator) -> Code:
        """The second stage alone, from ws [B, num_ws, w_dim]; arguments and errors as of `encode`."""
        start = generator.planes(ws)
        if self.steps <= self.descent.config.steps:
            return Code(ws, self._descended(start, ws, self.view_error(image, camera), generator))
        planes = [  # one by one: whether a step is taken depends on the head alone
            self._descended(start[row], ws[row], self.view_error(image[row], camera[row]), generator)
            for row in (slice(index, index + 1) for index in range(len(image)))
        ]
        return Code(ws, torch.cat(planes))

    def _descended(self, start: Tensor, ws: Tensor, view: ViewError, generator: Generator) -> Tensor:
        """Planes after all steps; beyond those of the training, only steps are taken that bring the error down."""
        config, planes, size = self.descent.config, start, FURTHER
        gradient, *terms = view.gradient(generator, planes, ws, config.resolution)
        added: Tensor | None = None
        for number in range(self.steps):
            if added is None:
                added = self.step(generator, start, planes, gradient, ws, number)
            trained = number < config.steps
            tried = planes + (1.0 if trained else size) * added
            if trained and number == self.steps - 1:
                return tried
            its_gradient, *its_terms = view.gradient(generator, tried, ws, config.resolution)
            if trained or sum(its_terms) < sum(terms):
                planes, gradient, terms, added = tried, its_gradient, its_terms, None
            else:
                size /= 2
        return planes

    def step(
        self, generator: Generator, start: Tensor, planes: Tensor, gradient: Tensor, ws: Tensor, number: int
    ) -> Tensor:
        """What a step adds to planes [B, *planes_shape]; `start`, `planes` and `gradient` have that shape.

        Raises:
            CapabilityError: The generator's planes cannot be seen as images.
        """
        look = plane_images(generator)
        images = [look.as_images(each) for each in (start, planes, gradient)]
        return look.from_images(self.descent(*images, ws - self.average_latent, number))

    def parts(self) -> Mapping[str, nn.Module]:
        """Both stages by their names in files."""
        return {FIRST: self.psp_encoder, DESCENT: self.descent}

    def sizes(self) -> Mapping[str, Any]:
        """Configurations of both stages, for the file's header."""
        return {
            FIRST: dataclasses.asdict(self.psp_encoder.config),
            DESCENT: dataclasses.asdict(self.descent.config),
        }
