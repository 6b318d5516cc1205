"""What a stage that learns codes minimises: known codes of pairs, and reconstructions of photos."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from toolkit.camera import Camera
from toolkit.encoders.networks.style_encoder import fit_image
from toolkit.encoders.training.batches import EncodingBatch, Window
from toolkit.encoders.training.image_losses import LARGEST_SIDE
from toolkit.encoders.training.mirror import PixelError, mirror_loss
from toolkit.encoders.training.recipe import LossContext
from toolkit.encoders.training.settings import StageSettings

PLAIN_SHARE = 0.1
"""Of the plain error of codes, where what shows of it is the main part."""


def code_losses(
    context: LossContext,
    stage: StageSettings,
    encode: Callable[[Tensor], Tensor],
    batch: EncodingBatch,
    side: int,
    local: int = 0,
) -> tuple[dict[str, Tensor], Tensor]:
    """Weighted losses of codes, and the codes.

    Args:
        context: Generator and image terms.
        stage: Weights, and how reconstructions are rendered.
        encode: Images [B, 3, side, side] to ws [B, num_ws, w_dim], the average w included.
        batch: Photos first, pairs after them, in one pass.
        side: What the encoder takes.
        local: The stage's step.
    """
    ws = encode(encoder_inputs(batch, side))
    photos = 0 if batch.photos is None else len(batch.photos.image)
    losses: dict[str, Tensor] = {}
    if batch.pairs is not None and stage.codes:
        losses["codes"] = stage.codes * code_error(context, stage, ws[photos:] - batch.pairs.ws)
    target, label, rows = reconstructed(batch, pairs=stage.reconstruct_pairs)
    if target is not None and label is not None:
        some = ws[rows]
        seen = Reconstruction(context.generator.planes(some), some, target, label, batch.window)
        losses |= seen.losses(context, stage, local, "square")
    return losses, ws


def code_error(context: LossContext, stage: StageSettings, error: Tensor) -> Tensor:
    """What errors of codes [B, num_ws, w_dim] count as, unweighted: a scalar, about 1 for the average head."""
    plain = (error / context.deviation).square().mean()
    if stage.codes_by == "numbers":
        return plain
    assert context.metric is not None  # trainings with such a stage measure it
    return context.metric.error(error) + PLAIN_SHARE * plain


def encoder_inputs(batch: EncodingBatch, side: int) -> Tensor:
    """What encoders get: the photos, then the augmented pictures of pairs, [B, 3, side, side]."""
    given = [] if batch.photos is None else [fit_image(batch.photos.image, side)]
    given += [] if batch.seen is None else [fit_image(batch.seen, side)]
    return torch.cat(given)


class Reconstruction(NamedTuple):
    """Planes, and the pictures that they should show."""

    planes: Tensor
    """[B, *planes_shape]."""
    ws: Tensor
    """[B, num_ws, w_dim]."""
    target: Tensor
    """[B, 3, S, S] in [-1, 1]."""
    label: Tensor
    """[B, 25], what saw them."""
    window: Window

    def losses(
        self, context: LossContext, stage: StageSettings, local: int, mirror_kind: PixelError
    ) -> dict[str, Tensor]:
        """Weighted terms on the window, and on every `mirror_every`-th step on the whole mirrored view.

        Args:
            context: Generator and image terms.
            stage: Weights and ray grid.
            local: The stage's step.
            mirror_kind: The error of mirrored pixels.
        """
        camera, whole = self.window.camera(self.label), self.window.side == 1
        render = context.generator.render(self.planes, self.ws, camera, stage.resolution)
        losses = context.images.terms(stage.images, render, self.window.cut(self.target), camera, whole=whole)
        if stage.mirror and local % stage.mirror_every == 0:
            losses["mirror"] = stage.mirror * stage.mirror_every * self._mirrored(context, stage, mirror_kind)
        return losses

    def _mirrored(self, context: LossContext, stage: StageSettings, kind: PixelError) -> Tensor:
        """Unweighted sum of the terms on the view from the mirrored camera; a scalar."""
        camera = Camera(self.label).mirror()
        image = context.generator.render(self.planes, self.ws, camera, stage.resolution).image
        side = min(image.shape[-1], LARGEST_SIDE)
        image, target = fit_image(image, side), fit_image(self.target.flip(3), side)
        total = mirror_loss(image, target, image.new_full((len(image), side, side), stage.asymmetry), kind)
        if stage.images.perceptual:
            total = total + stage.images.perceptual * context.images.perceptual_distance(image, target)
        if stage.images.identity:
            total = total + stage.images.identity * context.images.identity_distance(image, target, camera)
        return total


def reconstructed(batch: EncodingBatch, *, pairs: bool) -> tuple[Tensor | None, Tensor | None, slice]:
    """What is to be reconstructed: pictures at the photos' size, camera labels, and their rows of the codes."""
    photos = 0 if batch.photos is None else len(batch.photos.image)
    if batch.pairs is None or not pairs:
        return (None, None, slice(0)) if batch.photos is None else (*batch.photos, slice(photos))
    if batch.photos is None:
        return batch.pairs.image, batch.pairs.label, slice(None)
    image = torch.cat([batch.photos.image, fit_image(batch.pairs.image, batch.photos.image.shape[-1])])
    return image, torch.cat([batch.photos.label, batch.pairs.label]), slice(None)
