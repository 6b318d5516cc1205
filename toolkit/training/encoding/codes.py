"""What a stage that learns codes minimises: known codes of pairs, and reconstructions of photos."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from toolkit.nn.style_encoder import fit_image
from toolkit.training.encoding.batches import EncodingBatch
from toolkit.training.encoding.settings import StageSettings

if TYPE_CHECKING:
    from toolkit.training.encoding.job import EncodingJob


def code_losses(
    job: EncodingJob, stage: StageSettings, encode: Callable[[Tensor], Tensor], batch: EncodingBatch, side: int
) -> tuple[dict[str, Tensor], Tensor]:
    """Weighted losses of codes, and the codes.

    Args:
        job: Whose generator and image terms are used.
        stage: Weights, and how reconstructions are rendered.
        encode: Images [B, 3, side, side] to ws [B, num_ws, w_dim], the average w included.
        batch: Photos first, pairs after them, in one pass.
        side: What the encoder takes.
    """
    given = [] if batch.photos is None else [fit_image(batch.photos.image, side)]
    given += [] if batch.seen is None else [fit_image(batch.seen, side)]
    ws = encode(torch.cat(given))
    photos = 0 if batch.photos is None else len(batch.photos.image)
    losses: dict[str, Tensor] = {}
    if batch.pairs is not None and stage.codes:
        error = (ws[photos:] - batch.pairs.ws) / job.deviation
        losses["codes"] = stage.codes * error.square().mean()
    target, label, rows = reconstructed(batch, pairs=stage.reconstruct_pairs)
    if target is not None and label is not None:
        camera = batch.window.camera(label)
        some = ws[rows]
        render = job.generator.render(job.generator.planes(some), some, camera, stage.resolution)
        cut = batch.window.cut(target)
        losses |= job.image_losses.terms(stage.images, render, cut, camera, whole=batch.window.side == 1)
    return losses, ws


def reconstructed(batch: EncodingBatch, *, pairs: bool) -> tuple[Tensor | None, Tensor | None, slice]:
    """What is to be reconstructed: pictures at the photos' size, camera labels, and their rows of the codes."""
    photos = 0 if batch.photos is None else len(batch.photos.image)
    if batch.pairs is None or not pairs:
        return (None, None, slice(0)) if batch.photos is None else (*batch.photos, slice(photos))
    if batch.photos is None:
        return batch.pairs.image, batch.pairs.label, slice(None)
    image = torch.cat([batch.photos.image, fit_image(batch.pairs.image, batch.photos.image.shape[-1])])
    return image, torch.cat([batch.photos.label, batch.pairs.label]), slice(None)
