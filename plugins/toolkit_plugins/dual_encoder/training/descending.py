"""One step of an encoder whose planes go down learned steps; for encoder 2 with the adversarial term."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping

import torch
from torch import Tensor

from toolkit.camera import Camera
from toolkit.encoders import DescentEncoder
from toolkit.encoders.training import Elsewhere, EncodingBatch, LossContext, code_error, descent_losses
from toolkit_plugins.dual_encoder.training.adversary import Adversary
from toolkit_plugins.dual_encoder.training.joint import adversarial_loss, joined_rows, shown_around
from toolkit_plugins.dual_encoder.training.settings import JointSettings


def descending_losses(
    context: LossContext,
    encoder: DescentEncoder,
    stage: JointSettings,
    adversary: Adversary | None,
    batch: EncodingBatch,
) -> Mapping[str, Tensor]:
    """Weighted losses of a batch; the discriminator, where there is one, takes its step here.

    Args:
        context: Generator, and how codes are measured.
        encoder: The one that learns.
        stage: Weights.
        adversary: Encoder 2's opponent.
        batch: Photos first, pairs after them.
    """
    seen, target, label, ws_of_pairs = joined_rows(batch)
    camera, photos = Camera(label), len(seen) - len(ws_of_pairs)
    with contextlib.nullcontext() if reaches_codes(stage) else torch.no_grad():
        ws = encoder.codes(seen)
    losses, code = descent_losses(
        encoder,
        context.generator,
        ws,
        target,
        camera,
        _elsewhere(context, stage, batch, ws_of_pairs, photos),
        resolution=stage.resolution,
        first=stage.first,
        detach=stage.detach,
    )
    if stage.codes and len(ws_of_pairs):
        losses["codes"] = stage.codes * code_error(context, stage, ws[photos:] - ws_of_pairs)
    if adversary is not None:
        losses["adversarial"] = adversarial_loss(context, adversary, code, code.planes, camera, batch)
    return losses


def reaches_codes(stage: JointSettings) -> bool:
    """Whether a term of the stage teaches the first stage."""
    return bool(stage.first or stage.codes or not stage.detach)


def _elsewhere(
    context: LossContext, stage: JointSettings, batch: EncodingBatch, ws_of_pairs: Tensor, photos: int
) -> list[Elsewhere]:
    """Photos by another photo of the same subject, pairs by what the generator shows there."""
    found = []
    if batch.others is not None:
        others = batch.others
        found.append(Elsewhere("others", stage.others, slice(photos), others.image, Camera(others.label)))
    if stage.around and batch.yaws is not None:
        truth, camera = shown_around(context, stage, ws_of_pairs, batch.yaws)
        found.append(Elsewhere("around", stage.around, slice(photos, None), truth, camera))
    return found
